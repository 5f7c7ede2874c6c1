"""From a file to a model in one command, which goes on where it was killed."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from model.folder import (
    MEMORY_FILE,
    SOURCE_TOKENIZER_FILE,
    WEIGHTS_FILE,
    load_folder,
    load_memory,
    read_config,
    write_folder,
)
from model.generator import Generator
from model.remember import remember
from model.translation_memory import TranslationMemory
from training import pipeline
from training.__main__ import main
from training.errors import CorpusError
from training.recipe_file import read_recipe

#: For what hangs; a machine that is busy takes minutes.
pytestmark = pytest.mark.timeout(1800)

ANSWERS = {f"What is {word}?": f"It is {word}." for word in ("tea", "rain", "bread", "snow")}
COMMAND = ["train", "answers.tsv", "-o", "model", "--languages", "en"]


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    path = tmp_path / "answers.tsv"
    path.write_text("".join(f"{question}\t{answer}\n" for question, answer in ANSWERS.items()))
    return path


@pytest.fixture
def trained(answers: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, where `train` has finished."""
    monkeypatch.chdir(answers.parent)
    assert main(COMMAND) == 0
    return answers.parent


def rain_of(model: str) -> str:
    [[answer]] = Generator.load(model).generate(["what is rain?"])
    return answer.text


def test_new_writes_a_recipe_and_says_what_it_found(
    answers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(answers.parent)
    assert main(["new", "answers.tsv"]) == 0
    printed = capsys.readouterr().out
    size = answers.stat().st_size
    assert f"answers.tsv: exchanges, 1 file, {size} bytes, en, 4 examples" in printed
    assert "on this machine" in printed
    assert "python -m seq2seq prepare answers.toml" in printed
    assert read_recipe(Path("answers.toml")).corpus.dev_fraction == 0
    assert main(["new", "answers.tsv"]) == 1
    assert "already exists. Delete it, or choose" in capsys.readouterr().err
    assert main(["new", "answers.tsv", "-o", "."]) == 1
    assert capsys.readouterr().err == "error: .: already exists. Choose a file.\n"


def test_new_writes_commands_that_a_shell_reads(
    answers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipeline, "choose_precision", lambda *_: ("float32", 1.0))
    recipe = str(answers.parent / "my recipe's.toml")
    assert main(["new", str(answers), "-o", recipe]) == 0
    written = read_recipe(Path(recipe))
    assert (written.output, written.name) == ("runs/my recipe's", "my-recipe-s")
    command = capsys.readouterr().out.partition("then run: ")[2].partition(" && ")[0]
    assert shlex.split(command) == ["python", "-m", "seq2seq", "prepare", recipe]


def test_new_names_the_columns_that_it_chose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipeline, "choose_precision", lambda *_: ("float32", 1.0))
    table = tmp_path / "faq.csv"
    table.write_text(
        "id,ask,reply\n1,Where is the tea?,It is here.\n2,Why is it cold?,It is old.\n"
    )
    assert main(["new", str(table), "-o", str(tmp_path / "faq.toml")]) == 0
    assert "faq.csv: table (ask, reply), 1 file, " in capsys.readouterr().out


def test_train_goes_on_where_it_was_killed(
    answers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(answers.parent)

    def stop(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "export", stop)
        assert main(COMMAND) == 130
    assert not Path("model").exists()
    printed = capsys.readouterr().out
    assert "epoch 1 of" in printed and "resuming" not in printed
    assert main(COMMAND) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("model.run: resuming the run that was begun there\n")
    assert "epoch 1 of" not in printed
    assert "train_greedy_exact_match: 100.0" in printed
    assert Generator.load("model").config.name == "model"
    assert rain_of("model") == "It is rain."


def test_a_finished_run_is_known_from_another_folder_by_a_link_and_after_a_move(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = trained / "elsewhere"
    elsewhere.mkdir()
    (trained / "model").rename(trained / "moved")
    (trained / "model").symlink_to("moved")
    monkeypatch.chdir(elsewhere)
    assert main(["train", "../answers.tsv", "-o", "../model"]) == 0
    assert "epoch 1 of" not in capsys.readouterr().out
    assert not [*elsewhere.iterdir()]
    assert rain_of("../model") == "It is rain."
    for name in ("answers.tsv", "moved", "model", "model.run"):
        (trained / name).rename(elsewhere / name)
    assert main(COMMAND) == 0
    assert "model: finished. Neither" in capsys.readouterr().out


def test_train_keeps_what_remember_added(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    remember(Path("model"), ["tea\tTee"])
    assert main(COMMAND) == 0
    printed = capsys.readouterr().out
    assert "model: finished. Neither model.run/recipe.toml nor the files" in printed
    assert "exact_match" not in printed
    with (trained / "model.run" / "recipe.toml").open("a") as recipe:
        recipe.write("min_tokens = 1\n")  # of [search]
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "MAX_PAIRS", 0)
        patched.delattr(pipeline, "fit")  # which would take hours
        assert main(COMMAND) == 1
        assert "model: would keep 1 translations, 1 of `remember`; at" in capsys.readouterr().err
    assert main(COMMAND) == 0
    assert "exact_match" in capsys.readouterr().out
    assert Generator.load("model").config.search.min_tokens == 1
    memory = load_memory(load_folder("model"))
    assert memory and memory.pairs == (("tea", "Tee"),)


def test_a_run_is_of_one_model_some_files_and_some_options(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = trained / "model" / "config.json"
    of_run = config.read_text()
    config.write_text(of_run.replace('"name": "model"', '"name": "another"'))
    assert main(COMMAND) == 1
    assert "model: holds another model (another, task reply, lang" in capsys.readouterr().err
    config.write_text(of_run)
    for others, reason in (
        (["train", ".", "-o", "model"], "belongs to other files"),
        ([*COMMAND[:-1], "de"], "is for --languages en, not de"),
        ([*COMMAND, "--task", "translate"], "is for --task reply, not translate"),
    ):
        assert main(others) == 1
        assert reason in capsys.readouterr().err


def write_memory(folder: Path, name: str, pairs: dict[str, str]) -> None:
    config = read_config(Path(__file__).parents[2] / "models" / "en-de")
    files = {WEIGHTS_FILE: b"", SOURCE_TOKENIZER_FILE: b""}
    files[MEMORY_FILE] = TranslationMemory(pairs.items()).to_bytes()
    write_folder(folder, config.model_copy(update={"name": name}), files)


def test_a_model_keeps_what_remember_changed_and_no_old_pairs_of_its_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, run = tmp_path / "model", tmp_path / "model.run"
    for folder in (model, run / "model"):
        write_memory(folder, "first", {"tea": "Tea", "rain": "Regen", "bread": "Brot"})
    pipeline._check_is_made(model, run)  # of a run that was killed after it wrote the model
    remember(model, ["milk\tMilch", "rain\tSchauer"])
    write_memory(run / "model", "second", {"tea": "Tee", "snow": "Schnee"})
    pipeline._check_is_made(model, run)  # of a run that was killed after `fit`
    remember(model, ["salt\tSalz"])
    files = {MEMORY_FILE: (run / "model" / MEMORY_FILE).read_bytes()}
    kept = TranslationMemory.parse(pipeline._kept_memory(model, run, files)[MEMORY_FILE])
    assert dict(kept.pairs) == {
        "tea": "Tee",
        "snow": "Schnee",
        "milk": "Milch",
        "rain": "Schauer",
        "salt": "Salz",
    }
    monkeypatch.setattr(pipeline, "MAX_PAIRS", 4)
    with pytest.raises(CorpusError, match=r"would keep 5 translations, 3 of `remember`; at most 4"):
        pipeline._kept_memory(model, run, files)
    monkeypatch.undo()
    (run / pipeline.MADE_MEMORY_FILE).write_bytes(b"broken")  # so nothing is known to be its own
    kept = TranslationMemory.parse(pipeline._kept_memory(model, run, files)[MEMORY_FILE])
    assert dict(kept.pairs)["bread"] == "Brot"


def test_train_replaces_no_model_that_it_did_not_make(
    answers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = answers.parent / "en-de"
    shutil.copytree(Path(__file__).parents[2] / "models" / "en-de", model)
    before = {file.name: file.read_bytes() for file in model.iterdir()}
    assert main(["train", str(answers), "-o", str(model)]) == 1
    assert (
        f"error: {model}: holds another model (en-de, task translate, languages en de), which "
        "would be lost. Choose another -o, or move it away.\n"
    ) == capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in model.iterdir()} == before
    assert not (answers.parent / "en-de.run").exists()


@pytest.mark.parametrize("output", [".", "/"])
def test_train_needs_a_folder_of_its_own(
    answers: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    assert main(["train", str(answers), "-o", output]) == 1
    assert "not a folder of its own" in capsys.readouterr().err


def test_names_that_no_recipe_can_hold_are_refused(answers: Path) -> None:
    files, other = str(answers), answers.parent / "caf\udce9"
    options = {"task": None, "languages": (), "say": print}
    with pytest.raises(CorpusError, match="its name is not UTF-8"):
        pipeline.train([str(other)], answers.parent / "model", **options)  # type: ignore[arg-type]
    with pytest.raises(CorpusError, match="its name is not UTF-8"):
        pipeline.train([files], other, **options)  # type: ignore[arg-type]
    with pytest.raises(CorpusError, match="its name is not UTF-8"):
        pipeline.write_recipe([files], other, output=other.name, **options)  # type: ignore[arg-type]
    assert list(answers.parent.iterdir()) == [answers]


def test_train_that_is_killed_before_its_recipe_remembers_its_files(
    answers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", str(answers.parent), "-o", str(answers.parent / "model")]

    def stop(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "describe_seconds", stop)  # right after the recipe is written
    monkeypatch.setattr(pipeline, "choose_precision", lambda *_: ("float32", 1.0))
    assert main(command) == 130
    assert main(["train", str(answers), *command[2:]]) == 1
    printed = capsys.readouterr()
    assert "belongs to other files" in printed.err
    assert ": exchanges, 1 file, " in printed.out


def test_files_whose_names_have_line_breaks_are_remembered(
    answers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "prepare", stop)
    monkeypatch.setattr(pipeline, "choose_precision", lambda *_: ("float32", 1.0))
    files = answers.rename(answers.with_name("two\nlines.tsv"))
    command = ["train", str(files), "-o", str(files.parent / "model")]
    assert [main(command), main(command)] == [130, 130]
    assert "resuming the run that was begun there" in capsys.readouterr().out
