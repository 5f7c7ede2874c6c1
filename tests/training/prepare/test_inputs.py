from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import CorpusError
from training.prepare.inputs import Input, find_inputs
from training.recipe import Recipe

SRT = "1\n00:00:01,000 --> 00:00:02,500\nWho is there?\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "a/en.srt",
        "a/de.srt",
        "b/en.srt",
        "c/en.srt",
        "c/de.srt",
        "en/x.srt",
        "de/x.srt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(SRT)
    return tmp_path


def films_of(folder: Path, path: str, target_path: str) -> list[tuple[str, str]]:
    source = {"format": "subtitle-pairs", "path": path, "target_path": target_path}
    recipe = Recipe.model_validate(
        {"name": "a", "task": "translate", "output": "runs/a", "corpus": {"sources": [source]}}
    )
    [found] = find_inputs(recipe, folder / "recipe.toml")
    return [
        (one.relative_to(folder).as_posix(), other.relative_to(folder).as_posix())
        for one, other in zip(found.files, found.targets, strict=True)
    ]


@pytest.mark.parametrize(
    ("path", "target_path", "films"),
    [
        ("*/en.srt", "*/de.srt", [("a/en.srt", "a/de.srt"), ("c/en.srt", "c/de.srt")]),
        ("./**/en.srt", "**/de.srt", [("a/en.srt", "a/de.srt"), ("c/en.srt", "c/de.srt")]),
        ("en", "de/", [("en/x.srt", "de/x.srt")]),
        ("a/en.srt", "c/de.srt", [("a/en.srt", "c/de.srt")]),
    ],
)
def test_films_are_those_that_both_sides_have(
    folder: Path, path: str, target_path: str, films: list[tuple[str, str]]
) -> None:
    assert films_of(folder, path, target_path) == films


def test_no_film_in_common_is_an_error(folder: Path) -> None:
    with pytest.raises(CorpusError, match="no film is in both"):
        films_of(folder, "*/en.srt", "*/x.srt")


def inputs_of(folder: Path, source: dict[str, object], **recipe: object) -> Input:
    values = {"name": "a", "task": "translate", "output": "runs/a", "corpus": {"sources": [source]}}
    [found] = find_inputs(Recipe.model_validate(values | recipe), folder / "recipe.toml")
    return found


def test_the_languages_of_the_recipe_are_those_of_its_records(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"translation": {"en": "Yes.", "de": "Ja."}}')
    source = {"format": "jsonl", "path": "a.jsonl"}
    found = inputs_of(tmp_path, source, languages=("de", "en"))
    assert found.source.languages == ("de", "en")
    own = inputs_of(tmp_path, source | {"languages": ("en", "de")}, languages=("de", "en"))
    assert own.source.languages == ("en", "de")
    assert not inputs_of(
        tmp_path, source | {"columns": ("x", "y")}, languages=("de", "en")
    ).source.languages


def test_documents_of_an_alignment_are_looked_up_and_dated(tmp_path: Path) -> None:
    (tmp_path / "de-en.xml").write_text("<cesAlign/>")
    (tmp_path / "OpenSubtitles").mkdir()
    source = {"format": "xces", "path": "de-en.xml", "documents": ("OpenSubtitles",)}
    found = inputs_of(tmp_path, source)
    assert found.source.documents == (str(tmp_path / "OpenSubtitles"),)
    assert found.companions == [tmp_path / "OpenSubtitles"]
    with pytest.raises(CorpusError, match="xml: no such folder or archive of documents"):
        inputs_of(tmp_path, source | {"documents": ("xml",)})


def test_sources_are_looked_up_beside_the_recipe_then_here_then_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [tmp_path / name for name in ("beside", "working", "data")]
    for place in places:
        place.mkdir()
        (place / "a.tsv").write_text("a\tb\n")
    monkeypatch.setenv("SEQ2SEQ_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path / "working")
    source = {"format": "pairs", "path": "a.tsv"}
    recipe = Recipe.model_validate(
        {"name": "a", "task": "translate", "output": "a", "corpus": {"sources": [source]}}
    )
    for place in places:
        [found] = find_inputs(recipe, tmp_path / "beside" / "recipe.toml")
        assert found.files == [place / "a.tsv"]
        (place / "a.tsv").unlink()
    with pytest.raises(CorpusError) as caught:
        find_inputs(recipe, tmp_path / "beside" / "recipe.toml")
    assert all(str(place) in str(caught.value) for place in places)
