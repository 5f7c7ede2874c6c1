"""Settings that fit an amount of data."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.folder import load_folder
from tests.training.new.test_survey import ENGLISH, GERMAN, write_rows
from training.new.proposal import propose
from training.new.survey import survey


@pytest.mark.parametrize("languages", [("en", "de"), ("de", "en")])
def test_few_pairs_start_from_the_bundled_translator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, languages: tuple[str, str]
) -> None:
    path = write_rows(tmp_path / "a.tsv", ENGLISH, GERMAN)
    monkeypatch.chdir(tmp_path)  # where there is no folder `models`
    proposal = propose(survey([path], languages=languages))
    assert not proposal.tokenizer and not proposal.network  # its own are taken over
    assert load_folder(proposal.start_from).config.languages == languages


def test_pairs_of_other_languages_start_from_nothing(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.tsv", ENGLISH, GERMAN)
    proposal = propose(survey([path], languages=("en", "nl")))
    assert not proposal.start_from
    assert proposal.network
