from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import pytest

from training.errors import CorpusError, MisalignedError
from training.prepare import inputs
from training.prepare.inputs import Input, find_inputs, pieces_of
from training.prepare.sources import read_source
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


def test_films_may_be_in_folders_with_brackets_in_their_names(folder: Path) -> None:
    for name in ("[a] en/1.srt", "[b] de/1.srt", "[b] de/2.srt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("")
    assert films_of(folder, "[a] en/*.srt", "[b] de/*.srt") == [("[a] en/1.srt", "[b] de/1.srt")]


def test_no_film_in_common_is_an_error(folder: Path) -> None:
    with pytest.raises(CorpusError, match="no film is in both"):
        films_of(folder, "*/en.srt", "*/x.srt")


def inputs_of(folder: Path, source: Mapping[str, object], **recipe: object) -> Input:
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


TEXTS = [f"Sentence {number}" for number in range(2500)]
LARGE: dict[str, tuple[dict[str, object], dict[str, str]]] = {
    "pairs": ({"path": "a.tsv"}, {"a.tsv": "\n".join(f"{text}\tX" for text in TEXTS)}),
    "anki": (
        {"format": "pairs", "path": "a.txt"},
        {"a.txt": "#separator:pipe\n#html:true\n" + "\n".join(f"<b>{t}</b>|X" for t in TEXTS)},
    ),
    "exchanges": ({"path": "a.tsv"}, {"a.tsv": "\n".join(f"{t}\tX\tY\n" for t in TEXTS)}),
    "scan": ({"path": "a"}, {"a": "\n".join(f"IN: {text} OUT: X" for text in TEXTS)}),
    "jsonl": (
        {"path": "a.jsonl"},
        {"a.jsonl": "\n".join(f'{{"turns": ["{text}", "X", "Y"]}}' for text in TEXTS)},
    ),
    "moses": (
        {"path": "a.en", "languages": ("en", "de")},
        {"a.en": "\n".join(TEXTS), "a.de": "\n".join(TEXTS)},
    ),
    "bitext": (
        {"path": "a.en", "target_path": "a.de"},
        {"a.en": "\n".join(TEXTS) + "\n\n\n", "a.de": "\n".join(TEXTS)},
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_files_of_lines_are_read_by_those_who_get_the_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(inputs, "PIECE_BYTES", 1000)
    monkeypatch.setattr(inputs, "PIECE_RECORDS", 1000)
    source, files = LARGE[name]
    for file, content in files.items():
        (tmp_path / file).write_text(content)
    task = "reply" if name == "exchanges" else "translate"
    found = inputs_of(tmp_path, {"format": name, **source}, task=task)
    pieces = list(pieces_of([found]))
    assert len(pieces) >= 3
    assert all(piece.records is None for piece in pieces)
    read = [record for piece in pieces for record in piece.read([found])]
    assert read == list(read_source(found.source, found.root, found.files, found.targets))


@pytest.mark.parametrize(
    ("name", "task", "source"),
    [
        ("a.tsv.gz", "translate", {"format": "pairs"}),
        ("a.json", "reply", {"format": "jsonl"}),
        ("a.jsonl", "reply", {"format": "jsonl", "columns": ("text",), "group_column": "talk"}),
        ("a.txt", "reply", {"format": "lines"}),
        ("a.en", "translate", {"format": "moses", "languages": ("en", "de")}),
    ],
)
def test_large_files_whose_records_need_others_are_read_from_their_beginning(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    task: str,
    source: dict[str, object],
) -> None:
    monkeypatch.setattr(inputs, "PIECE_BYTES", 1)
    content = b"".join(b'{"text": "a", "talk": "b"}\tc\n' for _ in range(3))
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    found = inputs_of(tmp_path, {**source, "path": name}, task=task)
    pieces = list(pieces_of([found]))
    assert pieces
    assert all(piece.records for piece in pieces)


def test_sides_of_unequal_length_are_an_error_in_the_last_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "PIECE_BYTES", 1)
    monkeypatch.setattr(inputs, "PIECE_RECORDS", 2)
    (tmp_path / "a.en").write_text("1\n2\n3\n")
    (tmp_path / "a.de").write_text("1\n2\n3\n4\n5\n6\n7\n")
    source = {"format": "bitext", "path": "a.en", "target_path": "a.de"}
    found = inputs_of(tmp_path, source)
    first, last = pieces_of([found])
    assert len(list(first.read([found]))) == 2
    with pytest.raises(MisalignedError, match=r"a.en: has 3 lines, but .*a.de has 7"):
        list(last.read([found]))
