"""Readers on damaged files: no crash, no hang, no record without its place.

    python -m benchmarks.fuzz --cases 10000

Seven of ten cases are real files, damaged byte by byte (subtitles of the data folder, and the
example of every format, packed or not); the others are drawn by hypothesis from the pieces that
the formats are made of. A case that fails is printed and kept in `runs/fuzz/`.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import lzma
import random
import re
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import pyarrow as pa
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from training.errors import MisalignedError
from training.files.records import Fault
from training.formats import FORMATS, Format
from training.prepare.sources import read_source
from training.recipe import SourceConfig
from training.recipe_file import data_folder
from training.subtitles.mine import Exchange, MiningOptions, mine

LONGEST_SECONDS = 10
MAX_BYTES = 6000
REPEATS = (*(1, 2, 50) * 20, 2000)
SUBTITLES = ("real-subtitles", "odd-subtitles", "film-subtitles", "webvtt-conformance")
OPTIONS: dict[str, dict[str, object]] = {
    "bitext": {"target_path": "other"},
    "subtitle-pairs": {"target_path": "other"},
    "moses": {"languages": ("en", "de")},
    "tmx": {"languages": ("en", "de")},
    "table": {"columns": ("1", "2")},
}
NAMES = {"cornell": "movie_conversations.txt", "bitext": "a.en", "moses": "a.de-en.en"}
LINES = "movie_lines.txt"  # of Cornell's corpus: the other file of two
PACKINGS: dict[str, Callable[[str, bytes], bytes]] = {
    "": lambda _, content: content,
    ".gz": lambda _, content: gzip.compress(content),
    ".xz": lambda _, content: lzma.compress(content),
    ".zst": lambda _, content: pa.compress(content, codec="zstd", asbytes=True),
    ".zip": lambda name, content: _zip(name, content),
}
PIECES = (
    *("WEBVTT\n\n", "NOTE x\n\n", "STYLE\n", "\n", "\n\n", "\r\n", "\t", " --> ", "-->", "\ufeff"),
    *("1\n", "00:00:01,000", "00:01.5", "99:99:99,999", "-00:00:01,000", "00:00:02,000\n", "- "),
    *("{1}{1}25\n", "{10}{20}", "[10][20]", "00:00:01.00,00:00:02.00\n", "[br]", "{\\i1}", "|"),
    *("99:59:00,000 --> 99:59:01,000\n", "9999999:00:01.000 --> 9999999:00:02.000\n"),
    *("{900}{999999999}", "[1][99999999]", "9" * 20, "9" * 5000),
    *("[Script Info]\n", "[Events]\n", "Dialogue: 0,0:00:01.00,0:00:02.00,D,N,0,0,0,,", "Comment:"),
    *("ANNA: ", "<v Ann>", "</v>", "(sighs)", "[", "]", "♪", "Hello.", "who?", "...", "&amp;", "<"),
    *(">> ", "&gt;&gt; ", "<font color=red>", "</font>", "<c.yellow>", "</c>", "<00:00:01.500>"),
    *(
        "\u202b",
        "\u200f",
        "&lrm;",
        "\uff0d",
        "- ¿",
        "[MAN]: ",
        "\uff08田中\uff09",
        "小明\uff1a",
        "<ruby>",
        "<rt>",
    ),
    *("{\\k20}", "{\\p1}", "\ue000a\ue001", "\x02", "\x03", "。", "।", "灯塔在哪里\uff1f\n"),
    *('{"turns": ["a", "b"]}\n', '{"messages": [', "null", '"', "IN: a OUT: b\n", " +++$+++ "),
    *(
        "<tmx>",
        "<tu>",
        "<tuv xml:lang='en'>",
        "<seg>",
        "</seg></tuv></tu>",
        "<!DOCTYPE t [<!ENTITY",
    ),
    *("conversations:\n", "- - a\n  - b\n", "&a", "*a", "#separator:comma\n", "#html:true\n", ","),
)


@dataclass(frozen=True)
class Case:
    """A file that is read as `format`.

    Attributes:
        format: of a source.
        name: of the file.
        content: its bytes.
    """

    format: Format
    name: str
    content: bytes


class HangError(BaseException):
    """A case took more than `LONGEST_SECONDS` of a core."""


def check(case: Case, folder: Path) -> Counter[str]:
    """Reads a case. Returns how many examples, faults and exchanges it gave.

    Raises:
        AssertionError: if a record has no place; and whatever a reader should not have raised.
    """
    file, other = folder / case.name, folder / "other"
    file.write_bytes(case.content)
    other.write_bytes(case.content[::2])
    options = OPTIONS.get(case.format, {})
    source = SourceConfig.model_validate({"format": case.format, "path": case.name, **options})
    for beside in (LINES, "a.de-en.de"):
        (folder / beside).write_bytes(case.content[:200])
    counts: Counter[str] = Counter()
    try:
        for record in read_source(source, folder, [file], [other]):
            _expect(record.origin.startswith((case.name, LINES, "other")), record)
            if isinstance(record, Fault):
                _expect(bool(record.reason), record)
                counts["faults"] += 1
                continue
            _expect(bool(re.search(r":\d+$", record.origin)), record)
            json.dumps([*record.source, record.target, record.group]).encode()
            "".join((*record.source, record.target, record.group)).encode()
            counts["examples"] += 1
    except MisalignedError as error:
        _expect(case.format in ("bitext", "moses") and bool(str(error)), case.name)
    if case.format == "subtitles":
        for found in mine([str(file)], MiningOptions()):
            counts[type(found).__name__] += 1
            if isinstance(found, Exchange):
                _expect(found.file.startswith(str(file)), found)
                _expect(0 <= found.start <= found.end and bool(found.context), found)
    return counts


def _expect(claim: bool, what: object) -> None:
    if not claim:
        raise AssertionError(f"wrong: {what}")


def mutated_cases(cases: int, random_seed: int) -> Iterator[Case]:
    """Yields real files, damaged."""
    draw = random.Random(random_seed)
    files = _real_files()
    for _ in range(cases):
        if files and draw.random() < 0.7:
            file = draw.choice(files)
            content = file.read_bytes()
            start = draw.randrange(max(1, len(content) - MAX_BYTES)) if draw.random() < 0.5 else 0
            content = content[start & ~3 : start + MAX_BYTES]
            form: Format = "subtitles"
            name = f"a{file.suffix}"
        else:
            form = draw.choice(tuple(FORMATS))
            content = "\n".join([FORMATS[form].example] * 5).encode()
            name = NAMES.get(form, f"a{draw.choice(FORMATS[form].suffixes or ('.txt',))}")
        packing = draw.choice(tuple(PACKINGS)) if draw.random() < 0.2 else ""
        if draw.random() < 0.1:
            content = content.decode("utf-8", "replace").encode(draw.choice(("utf-16", "utf-32")))
        if packing and draw.random() < 0.5:
            content = _damaged(PACKINGS[packing](name, content), draw)
        else:
            content = PACKINGS[packing](name, _damaged(content, draw))
        yield Case(form, name + packing, content)


def _real_files() -> list[Path]:
    files = [file for each in SUBTITLES for file in sorted((data_folder() / each).rglob("*.*"))]
    return [file for file in files if file.suffix in FORMATS["subtitles"].suffixes]


def _damaged(content: bytes, draw: random.Random) -> bytes:
    bytes_ = bytearray(content)
    for _ in range(draw.choice((0, 1, 1, 2, 5, 20))):
        place = draw.randrange(len(bytes_) + 1)
        length = draw.choice((1, 1, 2, 3, 10, 100))
        match draw.randrange(6):
            case 0:
                bytes_[place : place + length] = draw.randbytes(length)
            case 1:
                del bytes_[place : place + length]
            case 2:
                bytes_[place:place] = draw.randbytes(length)
            case 3:
                bytes_[place:place] = bytes_[place : place + length] * draw.choice(REPEATS)
            case 4:
                bytes_[place:place] = draw.choice(PIECES).encode()
            case 5:
                del bytes_[draw.randrange(len(bytes_) + 1) :]
    return bytes(bytes_)


def _zip(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
        archive.writestr("README", "of an archive")
    return packed.getvalue()


def drawn_cases() -> st.SearchStrategy[Case]:
    """Draws texts of the formats' own pieces, in any encoding."""
    pieces = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=25)
    encodings = st.sampled_from(("utf-8", "utf-16", "cp1252", "gb18030"))
    contents = st.builds(lambda p, e: "".join(p).encode(e, "replace"), pieces, encodings)
    named = st.sampled_from(
        [
            (form, NAMES.get(form, f"a{s}"))
            for form, i in FORMATS.items()
            for s in i.suffixes or ("",)
        ]
        + [("subtitles", f"a{suffix}") for suffix in FORMATS["subtitles"].suffixes] * 4
    )
    return st.builds(lambda n, c: Case(n[0], n[1], c), named, contents | st.binary(max_size=60))


class Run:
    """Checks cases, each in its time, and counts.

    Args:
        keep: where a case that fails is kept.
    """

    def __init__(self, keep: Path) -> None:
        self._keep = keep
        self.cases = 0
        self.failures = 0
        self.slowest = 0.0
        self.counts: Counter[str] = Counter()

    def __call__(self, case: Case) -> None:
        """Checks one."""
        begin = time.process_time()
        self.cases += 1
        signal.setitimer(signal.ITIMER_PROF, LONGEST_SECONDS)
        try:
            with tempfile.TemporaryDirectory() as folder:
                self.counts += check(case, Path(folder))
        except (Exception, HangError) as error:
            self._fail(case, error)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        self.slowest = max(self.slowest, time.process_time() - begin)

    def _fail(self, case: Case, error: BaseException) -> None:
        self.failures += 1
        self._keep.mkdir(parents=True, exist_ok=True)
        kept = self._keep / f"{self.failures}-{case.format}-{case.name}"
        kept.write_bytes(case.content)
        where = traceback.extract_tb(error.__traceback__)[-1]
        print(f"{kept}: {type(error).__name__}: {error} ({where.filename}:{where.lineno})")


def run(cases: int, random_seed: int, keep: Path) -> Run:
    """Checks `cases` cases."""

    def on_alarm(number: int, frame: FrameType | None) -> None:
        raise HangError(f"no end after {LONGEST_SECONDS} s of a core")

    before = signal.signal(signal.SIGPROF, on_alarm)
    checked = Run(keep)
    drawn = 3 * cases // 10
    try:
        for case in mutated_cases(cases - drawn, random_seed):
            checked(case)
        while drawn and checked.cases < cases:

            @seed(random_seed + checked.cases)
            @settings(
                max_examples=cases - checked.cases,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(drawn_cases())
            def check_drawn(case: Case) -> None:
                checked(case)

            check_drawn()
    finally:
        signal.signal(signal.SIGPROF, before)
    return checked


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    begin = time.process_time()
    done = run(chosen.cases, chosen.seed, Path("runs/fuzz"))
    seconds = time.process_time() - begin
    print("| cases | failures | examples | exchanges | faults | slowest | in all |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {done.cases:,} | {done.failures} | {done.counts['examples']:,} "
        f"| {done.counts['Exchange']:,} | {done.counts['faults']:,} "
        f"| {done.slowest:.2f} s | {seconds:.0f} s |"
    )
    return int(done.failures > 0)


if __name__ == "__main__":
    sys.exit(main())
