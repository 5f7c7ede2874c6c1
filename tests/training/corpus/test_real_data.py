"""The recipes and readers on the corpora themselves. They are read, not prepared: seconds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import pytest

from training.corpus.files import find_files
from training.corpus.readers import SUFFIXES, read_source
from training.corpus.readers.subtitles import read_subtitles
from training.corpus.records import Example, Fault
from training.recipe import SourceConfig, read_recipe

RECIPES = sorted(Path("recipes").glob("*.toml"))


def records_of(source: SourceConfig, roots: list[Path]) -> Iterator[Example | Fault]:
    root, files = find_files(source.path, roots)
    if len(files) > 1:
        files = [file for file in files if file.name.endswith(SUFFIXES[source.format])]
    targets = find_files(source.target_path, roots)[1] if source.target_path else []
    return read_source(source, root, files, targets)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_the_sources_of_every_recipe_are_read(recipe: Path, data_folder: Path) -> None:
    for source in read_recipe(recipe).corpus.sources:
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


def test_subtitles_as_found_are_read_or_refused(data_folder: Path) -> None:
    films = sorted((data_folder / "real-subtitles").rglob("*.*t"))
    unread = {
        film.name
        for film in films
        if film.suffix in (".srt", ".vtt") and isinstance(next(read_subtitles(film), None), Fault)
    }
    assert unread == {"invalid.srt"}
