"""Corpora of `SEQ2SEQ_DATA`, as the benchmarks read them."""

from __future__ import annotations

from training.files.paths import read_lines
from training.recipe_file import data_folder


def lines_of(path: str) -> list[str]:
    """Reads the lines of a file in the data folder, packed or not."""
    return [line for _, line in read_lines(data_folder() / path)]


def tatoeba(name: str) -> list[tuple[str, str]]:
    """Reads pairs of Tatoeba, English first; `name` is e.g. `deu-eng`."""
    rows = (line.split("\t") for line in lines_of(f"tatoeba/{name}.tsv.gz"))
    return [(row[0], row[1]) for row in rows]


def multi30k(part: str, language: str) -> list[tuple[str, str]]:
    """Reads English captions of Multi30k with their translations."""
    sides = (lines_of(f"multi30k/{part}.{each}.gz") for each in ("en", language))
    return list(zip(*sides, strict=True))
