from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from model.config import SearchOptions
from model.errors import ConfigError
from model.folder import DEFAULT_MODEL, QUESTIONS_FILE, load_folder, write_folder
from model.generator import Generator
from model.known_questions import KnownQuestions
from model.tokenizer import Tokenizer
from training import synthesis
from training.__main__ import main
from training.errors import CorpusError
from training.files.records import Example
from training.prepare.prepare import open_prepared, prepare
from training.readers.pairs import read_pairs
from training.recipe import Recipe
from training.synthesis import Row, backtranslate, distill

MakeRecipe = Callable[..., Recipe]


def test_a_student_gets_what_its_teacher_says(fitted: Path, make_recipe: MakeRecipe) -> None:
    recipe, output = make_recipe(fitted), fitted / "student.tsv"
    summary = distill(recipe, [fitted / "model"], output)
    found = [each for each in read_pairs(output) if isinstance(each, Example)]
    train = open_prepared(recipe).train
    sources = dict.fromkeys(train.source_turns(i)[0] for i in range(len(train)))
    assert [each.source[0] for each in found] == list(sources)
    assert f"{len(found)} examples by 1 model" in summary
    generator = Generator.load(fitted / "model")
    options = generator.config.search.model_copy(update={"beam_size": 5})
    [[first, *_]] = generator.generate([found[0].source[0]], options)
    assert found[0].target == first.text


def test_the_closest_answer_is_nearer_to_the_reference(
    fitted: Path, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(fitted)
    train = open_prepared(recipe).train
    references = {train.source_turns(i)[0]: train.target_text(i) for i in range(len(train))}

    def overlap(keep: synthesis.Keep) -> int:
        distill(recipe, [fitted / "model"], fitted / f"{keep}.tsv", keep=keep)
        found = (each for each in read_pairs(fitted / f"{keep}.tsv") if isinstance(each, Example))
        return sum(
            len(set(each.target.split()) & set(references[each.source[0]].split()))
            for each in found
        )

    assert overlap("oracle") > overlap("best")


def test_only_sources_with_a_tag_are_answered(
    fitted: Path, make_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, output = make_recipe(fitted), tmp_path / "student.tsv"
    with pytest.raises(ConfigError, match="has no tag <2en>; its tags: none"):
        distill(recipe, [fitted / "model"], output, tag="<2en>")
    pairs = {"format": "pairs", "path": str(fitted / "pairs.tsv")}
    both = [{**pairs, "target_tag": "<2de>"}, {**pairs, "target_tag": "<2en>", "swap": True}]
    corpus = recipe.corpus.model_dump(exclude_unset=True) | {"sources": both}
    values = recipe.model_dump(exclude_unset=True) | {"corpus": corpus, "output": str(tmp_path)}
    tagged = Recipe.parse(values, where="test")
    train = prepare(tagged, tmp_path / "both.toml").train
    sources = dict.fromkeys(train.source_turns(i)[0] for i in range(len(train)))
    for tag in ("<2en>", ""):
        with pytest.raises(ConfigError, match=r"model: has no tag <2..>; its tags: none"):
            distill(tagged, [fitted / "model"], output, tag=tag)
    monkeypatch.setattr(Tokenizer, "tags", ("<2de>", "<2en>"))
    distill(tagged, [fitted / "model"], output, tag="<2en>")
    found = [each.source[0] for each in read_pairs(output) if isinstance(each, Example)]
    assert [f"<2en> {each}" for each in found] == [
        each for each in sources if each.startswith("<2en>")
    ]


def test_texts_get_sources(fitted: Path) -> None:
    (fitted / "texts.txt").write_text("one two\n\nthree four\n")
    for sample in (False, True):
        backtranslate(fitted / "model", fitted / "texts.txt", fitted / "pairs.tsv", sample=sample)
        found = [each for each in read_pairs(fitted / "pairs.tsv") if isinstance(each, Example)]
        assert [each.target for each in found] == ["one two", "three four"]


def test_targets_that_are_held_out_get_no_sources(
    fitted: Path, make_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("un", "one"), ("deux", "two"), ("trois", "three"), ("drei", "Three!"), ("a", "b")]
    (tmp_path / "train.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows))
    (tmp_path / "dev.tsv").write_text("uno\tOne.\n")
    (tmp_path / "test.tsv").write_text("due\ttwo\n")
    sources: list[dict[str, Any]] = [
        {"format": "pairs", "path": str(tmp_path / f"{split}.tsv"), "split": split}
        for split in ("train", "dev", "test")
    ]
    sources.append({**sources[0], "target_tag": "<2fr>", "swap": True})
    recipe = make_recipe(fitted)
    corpus = recipe.corpus.model_dump(exclude_unset=True) | {"sources": sources, "rules": []}
    values = recipe.model_dump(exclude_unset=True) | {"corpus": corpus, "output": str(tmp_path)}
    prepare(Recipe.parse(values, where="test"), tmp_path / "both.toml")
    monkeypatch.setattr(Tokenizer, "tags", ("<2fr>",))
    output = tmp_path / "pairs.tsv"
    backtranslate(fitted / "model", Recipe.parse(values, where="test"), output, tag="<2fr>")
    assert [line.split("\t")[1] for line in output.read_text().splitlines()] == ["three", "b"]


def test_lines_that_are_not_text_are_left_out(fitted: Path) -> None:
    texts, output = fitted / "texts.txt", fitted / "pairs.tsv"
    texts.write_bytes("one two\nthree fünf\n".encode("cp1252"))
    summary = backtranslate(fitted / "model", texts, output)
    assert [line.split("\t")[1] for line in output.read_text().splitlines()] == ["one two"]
    assert f"1 unreadable ({texts}:2: holds bytes that are not UTF-8 text. Convert" in summary
    texts.write_bytes("fünf\n".encode("cp1252"))
    with pytest.raises(CorpusError, match=r"texts\.txt:1: holds bytes that are not UTF-8 text"):
        backtranslate(fitted / "model", texts, output)


def test_a_tag_is_read_and_not_written(fitted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts, output = fitted / "texts.txt", fitted / "pairs.tsv"
    texts.write_text("one two\n")
    with pytest.raises(ConfigError, match="has no tag <2en>; its tags: none"):
        backtranslate(fitted / "model", texts, output, tag="<2en>")
    sources: list[Any] = []
    generate = Generator.generate

    def recorded(self: Generator, turns: Any, options: SearchOptions) -> Any:
        sources.extend(turns)
        return generate(self, turns, options)

    monkeypatch.setattr(Generator, "generate", recorded)
    monkeypatch.setattr(Tokenizer, "tags", ("<2en>",))
    backtranslate(fitted / "model", texts, output, tag="<2en>")
    assert sources == [("<2en> one two",)]
    assert output.read_text().endswith("\tone two\n")


def test_what_was_written_before_a_kill_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "CHUNK", 2)
    rows: list[Row] = [((f"source {i}",), f"target {i}") for i in range(7)]
    asked: list[str] = []

    def write(chunk: Sequence[Row]) -> Iterator[str]:
        for turns, target in chunk:
            if target == "target 5" and "target 5" not in asked:
                asked.append(target)
                raise KeyboardInterrupt
            asked.append(target)
            yield f"{turns[0]}\t{target}\n"

    output = tmp_path / "pairs.tsv"
    with pytest.raises(KeyboardInterrupt):
        synthesis._write(output, rows, write, ["a"])
    assert not output.exists()
    [partial] = tmp_path.glob("pairs.tsv.*.partial")
    with partial.open("a") as file:
        file.write("half a li")
    assert synthesis._write(output, rows, write, ["a"]) == 7
    assert output.read_text() == "".join(f"source {i}\ttarget {i}\n" for i in range(7))
    assert asked.count("target 3") == 1
    assert asked.count("target 4") == 2


def test_a_full_disk_at_the_end_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[Row] = [(("source",), "target")]
    asked: list[Row] = []

    def write(chunk: Sequence[Row]) -> Iterator[str]:
        asked.extend(chunk)
        yield "source\ttarget\n"

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fail)
        with pytest.raises(CorpusError, match="Free some space"):
            synthesis._write(tmp_path / "pairs.tsv", rows, write, ["a"])
    assert synthesis._write(tmp_path / "pairs.tsv", rows, write, ["a"]) == 1
    assert asked == rows
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.tsv"]


def test_lines_of_another_run_are_not_gone_on_with(
    fitted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "CHUNK", 1)
    texts, output = fitted / "texts.txt", fitted / "killed.tsv"
    texts.write_text("one two\nthree four\n")

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", stop)
        with pytest.raises(KeyboardInterrupt):
            backtranslate(fitted / "model", texts, output, sample=True)
    texts.write_text("five six\nseven eight\n")
    backtranslate(fitted / "model", texts, output)
    found = [each for each in read_pairs(output) if isinstance(each, Example)]
    assert [each.target for each in found] == ["five six", "seven eight"]


def test_a_teacher_of_another_task_is_refused(fitted: Path, make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(fitted)
    with pytest.raises(ConfigError, match="default: has task 'reply', but the recipe"):
        distill(recipe, [DEFAULT_MODEL], fitted / "a.tsv")
    turned = recipe.model_copy(update={"languages": ("de", "en")})
    with pytest.raises(
        ConfigError, match="has languages en de, but de en are needed for the recipe"
    ):
        distill(turned, [Path("models/en-de")], fitted / "a.tsv")
    with pytest.raises(ConfigError, match="has languages de en, but en de are needed"):
        backtranslate(Path("models/de-en"), turned, fitted / "a.tsv")


def test_a_fallback_reply_is_nothing_to_learn(tmp_path: Path, make_recipe: MakeRecipe) -> None:
    folder = load_folder(DEFAULT_MODEL)
    search = SearchOptions(fallback_reply="Please ask somebody else.", min_confidence=0.9)
    files = {name: (folder.path / name).read_bytes() for name in folder.config.sha256}
    files[QUESTIONS_FILE] = KnownQuestions([("Where?", "Here.")]).to_bytes()
    write_folder(tmp_path / "model", folder.config.model_copy(update={"search": search}), files)
    recipe = make_recipe(tmp_path).model_copy(update={"task": "reply", "languages": ("en",)})
    teacher = synthesis._load_teacher(tmp_path / "model", recipe)
    [answers] = synthesis._beams(teacher, [("How are you?",)])
    assert search.fallback_reply not in answers


@pytest.mark.parametrize("output", [".", "/", "/dev/null"])
def test_an_output_that_is_no_file_is_refused(output: str) -> None:
    with pytest.raises(CorpusError, match="not a file"):
        backtranslate(DEFAULT_MODEL, Path("texts.txt"), Path(output))


def test_the_texts_are_not_written_over(fitted: Path) -> None:
    texts = fitted / "own.txt"
    texts.write_text("one two\n")
    with pytest.raises(CorpusError, match=r"own\.txt: is also an input"):
        backtranslate(fitted / "model", texts, texts)
    assert texts.read_text() == "one two\n"


@pytest.mark.parametrize("name", ["en-de.toml", "pairs.tsv", "runs/data/train.arrow"])
def test_what_a_recipe_reads_is_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    recipe, output = tmp_path / "en-de.toml", tmp_path / name
    (tmp_path / "runs" / "data").mkdir(parents=True)
    output.write_text("one\teins\n")
    recipe.write_text(
        f'name = "en-de"\ntask = "translate"\noutput = "{tmp_path / "runs"}"\n[corpus]\n'
        'sources = [{ format = "pairs", path = "pairs.tsv" }]\n'
    )
    before = output.read_text()
    assert main(["distill", str(recipe), "models/en-de", "-o", str(output)]) == 1
    assert f"{output}: is also an input" in capsys.readouterr().err
    assert output.read_text() == before


def test_nothing_to_write_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="nothing was read"):
        synthesis._write(tmp_path / "a.tsv", [], lambda rows: iter(()), [])
    assert not list(tmp_path.iterdir())


def test_texts_that_cannot_be_read_leave_no_file(fitted: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"absent\.txt: cannot be read"):
        backtranslate(fitted / "model", tmp_path / "absent.txt", tmp_path / "new" / "out.tsv")
    assert not (tmp_path / "new").exists()
