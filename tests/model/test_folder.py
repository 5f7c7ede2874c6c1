from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model.engine import load_engine
from model.errors import EngineError, FolderError
from model.folder import (
    BUNDLED,
    MEMORY_FILE,
    QUESTIONS_FILE,
    load_folder,
    load_memory,
    load_questions,
    write_durably,
    write_folder,
)
from model.translation_memory import TranslationMemory


@pytest.fixture
def folder(untrained_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(untrained_folder, tmp_path / "model"))


@pytest.fixture
def small_files() -> Iterator[None]:
    """Limits the size of a file, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def edit(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_a_whole_folder_loads(folder: Path) -> None:
    loaded = load_folder(folder)
    assert loaded.config.name == "untrained"
    assert loaded.tokenizer.source_vocab_size == loaded.config.network.source_vocab_size


@pytest.mark.parametrize("path", sorted(BUNDLED), ids=str)
def test_every_bundled_folder_loads(path: Path) -> None:
    loaded = load_folder(path)  # an error if a file differs from its checksum
    assert loaded.tokenizer.source_vocab_size == loaded.config.network.source_vocab_size


def test_an_absent_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"nowhere: no such model folder"):
        load_folder(tmp_path / "nowhere")


def test_a_path_that_cannot_be_looked_at_is_an_error_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="cannot be read"):
        load_folder(tmp_path / ("x" * 300))  # as a path in a folder of another user


def test_a_folder_without_config_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"no config\.json"):
        load_folder(tmp_path)


def test_the_model_in_the_output_of_a_recipe_is_named(folder: Path) -> None:
    with pytest.raises(FolderError, match=rf"it has no config.json\. Did you mean {folder}\?"):
        load_folder(folder.parent)


def test_every_fault_is_told_at_once(folder: Path) -> None:
    (folder / "source.spm").unlink()
    with (folder / "model.weights.h5").open("r+b") as file:
        file.seek(500)
        file.write(b"altered")
    with pytest.raises(FolderError) as error:
        load_folder(folder)
    assert "source.spm: missing" in str(error.value)
    assert "model.weights.h5: contents differ" in str(error.value)


def test_a_fallback_without_known_questions_is_refused(folder: Path) -> None:
    edit(folder, search={"fallback_reply": "I don't know."})
    with pytest.raises(FolderError, match=r"has no sha256 of questions\.tsv"):
        load_folder(folder)


def test_known_questions_are_loaded(folder: Path) -> None:
    loaded = load_folder(folder)
    assert load_questions(loaded) is None
    files = {name: (folder / name).read_bytes() for name in loaded.config.sha256}
    write_folder(folder, loaded.config, {**files, QUESTIONS_FILE: b"who?\tyou\n"})
    questions = load_questions(load_folder(folder))
    assert questions is not None and questions.confidence("Who", "you") == 1.0


def test_a_translation_memory_is_loaded_unless_it_is_broken(folder: Path) -> None:
    loaded = load_folder(folder)
    assert load_memory(loaded) is None
    files = {name: (folder / name).read_bytes() for name in loaded.config.sha256}
    content = TranslationMemory([("no", "nein")]).to_bytes()
    write_folder(folder, loaded.config, {**files, MEMORY_FILE: content})
    memory = load_memory(load_folder(folder))
    assert memory is not None and memory.find("No") == "Nein"
    for broken in (b"no\tnein\n", content[:-9], content[:12] + b"?" + content[13:]):
        write_folder(folder, loaded.config, {**files, MEMORY_FILE: broken})
        with pytest.raises(FolderError, match=r"memory\.tsv\.gz: cannot be read"):
            load_memory(load_folder(folder))


def test_a_newer_format_is_refused(folder: Path) -> None:
    edit(folder, format_version=99)
    with pytest.raises(FolderError, match=r"format 99.*Upgrade"):
        load_folder(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"format_version": 1}', "[" * 100_000])
def test_a_broken_config_is_refused(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(FolderError, match=r"config\.json"):
        load_folder(folder)


def test_no_file_outside_of_the_folder_is_read(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    edit(folder, sha256={**config["sha256"], "../secret": "0"})
    with pytest.raises(FolderError, match="outside"):
        load_folder(folder)


def test_a_tokenizer_of_another_size_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    network = {**config["network"], "source_vocab_size": 9, "target_vocab_size": 9}
    edit(folder, network=network)
    with pytest.raises(FolderError, match="pieces"):
        _ = load_folder(folder).tokenizer


def test_weights_of_other_shapes_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    edit(folder, network={**config["network"], "decoder_units": 40})
    with pytest.raises(FolderError, match=r"model\.weights\.h5: does not fit"):
        load_engine(load_folder(folder))


def test_an_unknown_engine_is_named(folder: Path) -> None:
    with pytest.raises(EngineError, match="abacus"):
        load_engine(load_folder(folder), "abacus")  # type: ignore[arg-type]


def test_writing_replaces_a_folder_whole(folder: Path) -> None:
    loaded = load_folder(folder)
    files = {name: (folder / name).read_bytes() for name in ("source.spm", "model.weights.h5")}
    write_folder(folder, loaded.config.model_copy(update={"name": "second"}), files)
    assert load_folder(folder).config.name == "second"
    assert [each.name for each in folder.parent.iterdir()] == ["model"]


def test_a_failed_write_leaves_what_was_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    before = load_folder(folder).config
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(FolderError, match="No space left"):
        write_folder(folder, before, {"source.spm": b""})
    monkeypatch.undo()
    assert load_folder(folder).config == before


@pytest.mark.parametrize("kind", ["package", "file", "other program"])
def test_nothing_else_is_replaced_by_a_model(
    exported_folder: Path, tmp_path: Path, kind: str
) -> None:
    folder = load_folder(exported_folder)
    place = tmp_path / "model"
    code = place if kind == "file" else place / "code.py"
    code.parent.mkdir(exist_ok=True)
    code.write_text("precious")
    if kind == "other program":
        (place / "config.json").write_text('{"architectures": ["BertModel"]}')
    with pytest.raises(FolderError, match="not a model folder"):
        write_folder(place, folder.config, {})
    assert code.read_text() == "precious"


def test_what_killed_processes_left_is_deleted(untrained_folder: Path, tmp_path: Path) -> None:
    left = (".model.partial-1", ".model.old-2")
    others = (".other.partial-3", ".model.partial-x.partial-4", "model.run")
    for name in (*left, *others):
        (tmp_path / name / "model").mkdir(parents=True)
    write_folder(tmp_path / "model", load_folder(untrained_folder).config, {})
    assert {each.name for each in tmp_path.iterdir()} == {"model", *others}


def test_of_writers_at_once_the_last_one_wins(untrained_folder: Path, tmp_path: Path) -> None:
    loaded = load_folder(untrained_folder)
    files = {name: (loaded.path / name).read_bytes() for name in loaded.sha256}

    def write(number: int) -> None:
        named = loaded.config.model_copy(update={"name": f"model-{number}"})
        write_folder(tmp_path / "model", named, files)

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(write, range(64)))
    load_folder(tmp_path / "model")
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, small_files: None) -> None:
    with pytest.raises(OSError, match="File too large") as caught:
        write_durably(tmp_path / "checkpoint.h5", bytes(100))
    assert caught.value.filename == str(tmp_path / "checkpoint.h5.partial")
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_cannot_be_written_says_what_to_do(
    untrained_folder: Path, tmp_path: Path, small_files: None
) -> None:
    config = load_folder(untrained_folder).config
    with pytest.raises(FolderError, match=r"/model: cannot be written: File too large\. Raise"):
        write_folder(tmp_path / "model", config, {})
    assert not [*tmp_path.iterdir()]
