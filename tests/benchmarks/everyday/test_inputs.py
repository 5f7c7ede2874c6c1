"""What the translators are tested on is not in their phrasebook."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.everyday.__main__ import read

PHRASEBOOK = Path("recipes/phrasebook")


def letters_of(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text).casefold().strip()


def test_no_tested_text_is_in_the_phrasebook() -> None:
    tested = {
        letters_of(text)
        for name in ("en.txt", "de.txt", "words.en.txt", "words.de.txt")
        for text in read(name)
    }
    for name in ("unseen.tsv", "unseen_talk.tsv", "unseen_people.tsv"):
        tested |= {letters_of(side) for line in read(name) for side in line.split("\t")}
    assert len(tested) > 700
    for path in PHRASEBOOK.glob("*.tsv"):
        for line in path.read_text("utf-8").splitlines():
            sides = line.split("\t")
            assert len(sides) == 2 and all(sides), line
            assert not tested & {letters_of(side) for side in sides}, line


def test_no_tested_name_is_in_the_phrasebook() -> None:
    tested = {*read("names.txt")}
    assert len(tested) == 100
    for path in PHRASEBOOK.glob("*.tsv"):
        assert not tested & {*re.findall(r"\w+", path.read_text("utf-8"))}, path
