"""Detection of formats: from the name and the first lines of a file to the format of a source.

It guesses what a file looks like; its reader decides whether that is right (`survey.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from model.language_id import base_of
from training.files.archives import is_archive, open_unpacked, plain_name, wanted_members
from training.files.encodings import decode
from training.formats import FORMATS, Format
from training.new.checks import (
    MIN_SHARE,
    SOME_SHARE,
    check_detected,
    check_encoding,
    check_head,
    check_keys,
)
from training.new.columns import (
    Detected,
    detect_fields,
    detect_table,
    has_names,
    is_number,
    names_in_json,
    share,
)
from training.new.sides import pair_of_moses, side_of
from training.readers.chat_dates import STAMP
from training.readers.dialogue import speakers_of
from training.readers.pairs import ANKI_HEADER
from training.readers.parquet import column_names
from training.readers.slack import is_list_of_export

#: Number of bytes of a file, and of lines in them, that are inspected.
HEAD_BYTES, HEAD_LINES = 64 * 1024, 200
#: Formats that follow from the suffix.
_BY_SUFFIX: dict[str, Format] = {
    **dict.fromkeys(FORMATS["subtitles"].suffixes, "subtitles"),
    **dict.fromkeys(FORMATS["yaml"].suffixes, "yaml"),
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
#: The times of a subtitle in SubRip, WebVTT, MicroDVD or MPL2.
_CUE = re.compile(r"\[?[\d:,.]+ --> [\d:,.]+|\{\d+\}\{\d+\}|\[\d+\]\[\d+\]")
_CHAT_LINE = re.compile(rf"\W?\[?{STAMP}(\]|,|:|\s)")
_SLACK_TIME = re.compile(r'"ts"\s*:\s*"\d+\.\d+"')
#: Minimum share of the lines of a transcript that begin with a speaker, as a turn may have several
#: lines, and maximum number of speakers, as a share of these lines.
NAMED_SHARE, SPEAKERS_SHARE = 0.5, 0.5
#: A cell as spreadsheets write it to a text file if it has a comma or a quotation mark.
_QUOTED_CELL = re.compile(r'(?:^|\t)"[^\t]+"(?:\t|$)')


def detect(path: Path) -> Detected | None:
    """Returns the likely format of a file or of the contents of an archive; None if there is none,
    as for a picture or a licence.

    Raises:
        CorpusError: if it cannot be read, or is a chat that no reader knows.
    """
    if is_archive(path):
        return _detect_in_archive(path)
    name = plain_name(path)
    found = _BY_SUFFIX.get(Path(name).suffix)
    if found == "parquet":
        return detect_fields(found, column_names(path))
    if found and found != "jsonl":
        return Detected(found)
    lines = head_of(path)
    if found:
        return detect_fields(found, names_in_json("\n".join(lines)))
    if not lines:
        return None
    if name.endswith(".tmx"):
        return Detected("tmx", languages=_languages_of_tmx("\n".join(lines)))
    if name.endswith(".json"):
        if is_list_of_export(path):
            return Detected("slack")
        check_keys(path, lines)
        return _detect_json("\n".join(lines))
    if name.endswith(".xml"):
        return _detect_xml("\n".join(lines))
    if ANKI_HEADER.match(lines[0]):
        return Detected("pairs")
    check_head(path, lines)
    detected = detect_table(lines) if name.endswith(".csv") else _detect_lines(lines, path)
    check_detected(path, lines, detected)
    if detected and detected.format != "subtitles":  # which may be in any encoding
        check_encoding(path, _read_head(path))
    return detected


def head_of(path: Path) -> list[str]:
    """Returns the first non-empty lines of a text file; none if it is not text.

    Raises:
        CorpusError: if it cannot be read.
    """
    try:
        text, _ = decode(_read_head(path))
    except ValueError:
        return []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # as the readers do
    return [line for line in lines if line.strip()][:HEAD_LINES]


def _read_head(path: Path) -> bytes:
    with open_unpacked(path) as file:
        content = file.read(HEAD_BYTES)
    if len(content) == HEAD_BYTES:  # the last line may be cut
        content = content[: content.rfind(b"\n") + 1] or content
    return content


def _detect_in_archive(path: Path) -> Detected | None:
    """Returns the format of the first file that has one."""
    suffixes = tuple({suffix for info in FORMATS.values() for suffix in info.suffixes})
    if pair := pair_of_moses(path):
        return Detected("moses", languages=pair)
    members = wanted_members(path, suffixes)
    return next((found for member in members if (found := detect(member))), None)


def _languages_of_tmx(text: str) -> tuple[str, ...]:
    codes = re.findall(r"""\b(?:xml:)?lang=["']([\w-]+)["']""", text)
    return tuple(dict.fromkeys(base_of(code) for code in codes))[:2]


def _detect_json(text: str) -> Detected:
    if '"from_id"' in text or ('"personal_chat"' in text and '"messages"' in text):
        return Detected("telegram")
    if '"sender_name"' in text or '"senderName"' in text:
        return Detected("messenger")
    if '"guild"' in text and '"channel"' in text:
        return Detected("discord")
    if _SLACK_TIME.search(text):
        return Detected("slack")
    return detect_fields("jsonl", names_in_json(text))


def _detect_xml(text: str) -> Detected | None:
    if "<cesAlign" in text:
        return Detected("xces")
    return Detected("opensubtitles") if re.search(r"<s\s", text) else None


def _detect_lines(lines: list[str], path: Path) -> Detected | None:
    """Returns the format of a text file, judged by its lines."""
    is_table = plain_name(path).endswith(".tsv")
    kinds: tuple[tuple[Format, Callable[[str], bool], float], ...] = (
        ("cornell", lambda line: line.count(" +++$+++ ") >= 2, MIN_SHARE),
        ("scan", lambda line: line.startswith("IN: ") and " OUT: " in line, MIN_SHARE),
        ("subtitles", lambda line: bool(_CUE.match(line)), SOME_SHARE),
        ("whatsapp", lambda line: bool(_CHAT_LINE.match(line)), 0.5),
        ("conversations", lambda line: line.startswith("> "), SOME_SHARE),
    )
    for kind, holds, least in kinds:
        if share(lines, holds) >= least and (kind != "whatsapp" or not is_table):
            return Detected(kind)
    if share(lines, lambda line: line.startswith("{") and line.endswith("}")) >= MIN_SHARE:
        return detect_fields("jsonl", names_in_json("\n".join(lines)))
    if share(lines, lambda line: "\t" in line) >= MIN_SHARE:
        columns = zip(*(line.split("\t") for line in lines), strict=False)
        has_numbers = any(share(column, is_number) >= MIN_SHARE for column in columns)
        if (has_names(lines) or has_numbers) and (found := detect_table(lines)):
            return found
        is_quoted = share(lines, lambda line: bool(_QUOTED_CELL.search(line))) >= SOME_SHARE
        if is_quoted and not is_table:
            count = lines[0].rstrip("\t").count("\t") + 1
            return Detected("table", tuple(str(i + 1) for i in range(count)))
        return Detected("exchanges")
    if share(lines, lambda line: line.count(";") == 1) == 1 and (found := detect_table(lines)):
        return found
    suffix = Path(plain_name(path)).suffix
    side = side_of(Path(path.name))
    is_side = bool(side.language or side.role)
    if suffix not in (*FORMATS["lines"].suffixes, "") and not is_side:
        return None
    return Detected("transcript" if not is_side and _is_transcript(lines) else "lines")


def _is_transcript(lines: list[str]) -> bool:
    """Tells whether most lines begin with the names of a few speakers."""
    speakers = speakers_of(lines)
    named = sum(speakers.values())
    return 1 < len(speakers) <= max(2, SPEAKERS_SHARE * named) and named >= NAMED_SHARE * len(lines)
