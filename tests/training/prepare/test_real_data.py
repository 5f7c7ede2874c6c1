"""The recipes and readers on the corpora themselves. They are read, not prepared: seconds."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import pytest

from training.files.archives import wanted_files
from training.files.encodings import decode
from training.files.paths import find_files
from training.files.records import Cue, Example, Fault
from training.prepare.sources import read_source, suffixes_of
from training.recipe import SourceConfig
from training.recipe_file import read_recipe
from training.subtitles.cues import read_cues
from training.subtitles.reader import read_subtitles

RECIPES = sorted(Path("recipes").glob("*.toml"))


def records_of(source: SourceConfig, roots: list[Path]) -> Iterator[Example | Fault]:
    root, files = find_files(source.path, roots)
    files = wanted_files(files, suffixes_of(source))
    targets = find_files(source.target_path, roots)[1] if source.target_path else []
    return read_source(source, root, files, targets)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_the_sources_of_every_recipe_are_read(recipe: Path, data_folder: Path) -> None:
    for source in read_recipe(recipe).corpus.sources:
        if source.path.startswith("runs/"):  # what another recipe's model writes
            continue
        records = list(islice(records_of(source, [recipe.parent, data_folder]), 2000))
        faults = [record for record in records if isinstance(record, Fault)]
        assert len(faults) <= 2, faults
        assert len(records) > 100


def test_turns_of_films_are_found(data_folder: Path) -> None:
    """Of the exchanges of 60 rendered films, all but a few."""
    wanted, found, common = 0, 0, 0
    truths = (data_folder / "film-subtitles" / "truth.jsonl").read_text(encoding="utf-8")
    for line in truths.splitlines():
        film = json.loads(line)
        truth = Counter(exchange for scene in film["scenes"] for exchange in pairwise(scene))
        read = Counter(
            (record.source[-1], record.target)
            for record in read_subtitles(data_folder / "film-subtitles" / film["file"])
            if isinstance(record, Example)
        )
        wanted, found = wanted + truth.total(), found + read.total()
        common += (truth & read).total()
    assert common / wanted >= 0.97
    assert common / found >= 0.97


#: Cues of real files that cannot be read: file -> their lines.
BAD_CUES = {
    "odd-subtitles/vtt_with_multiple_new_lines.vtt": [6, 8, 13],  # an empty line ends a cue
    "real-subtitles/film-pairs/talk-yang-lan/zh-Hans.srt": [350, 466],  # a character is cut
    "real-subtitles/films/amightyheart.en.srt": [480],  # its end is missing: `... --> 113`
    "real-subtitles/films/cased-notes.en.srt": [4969],  # U+FFFD stands in the file
    # The others end before they start.
    "real-subtitles/films/flowers-bloom-again.zh-Hans.srt": [154],
    "talk-subtitles/2016-determinant/english.srt": [158, 162],
    "talk-subtitles/2017-gradient-descent/english.srt": [1202, 1206],
    "talk-subtitles/2018-uncertainty-principle/english.srt": [1122],
    "talk-subtitles/2021-shadows/english.srt": [2718],
}


def test_real_subtitles_are_read_in_their_encoding(data_folder: Path) -> None:
    folder = data_folder / "real-subtitles"
    files = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    for file in files:
        text = decode((folder / file["file"]).read_bytes())[0]
        assert hashlib.sha256(text.encode()).hexdigest() == file["text_sha256"], file["file"]
    assert len(files) == 61


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("odd-subtitles/*", 12), ("talk-subtitles/*/*.srt", 267), ("real-subtitles/**/*.*t", 61)],
)
def test_every_cue_of_subtitles_as_found_is_read_or_named(
    data_folder: Path, pattern: str, count: int
) -> None:
    paths = sorted(data_folder.glob(pattern))
    assert len(paths) == count
    bad: dict[str, list[int]] = {}
    for path in paths:
        found = list(read_cues(path))
        faults = [int(each.origin.split(":")[-1]) for each in found if isinstance(each, Fault)]
        if faults:
            bad[path.relative_to(data_folder).as_posix()] = faults
        if path.name != "vtt_with_multiple_new_lines.vtt":
            assert any(isinstance(each, Cue) for each in found), path
    folder = pattern.split("/")[0]
    assert bad == {file: lines for file, lines in BAD_CUES.items() if file.startswith(folder)}
