from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from model.engine.keras import load_network
from model.folder import SOURCE_TOKENIZER_FILE, load_folder, write_folder
from model.generator import Generator
from training.errors import BusyError, CheckpointError, CorpusError, DivergenceError
from training.evaluation.report import evaluate
from training.export.export import export
from training.files.locks import locked
from training.fit.checkpoints import Progress, load_checkpoint
from training.fit.loop import BEST_WEIGHTS_FILE, CHECKPOINT_FILE, Run, fit
from training.prepare.prepare import open_prepared, prepare
from training.recipe import Recipe

#: For what hangs; a machine that is busy takes minutes.
pytestmark = pytest.mark.timeout(1800)

MakeRecipe = Callable[..., Recipe]


def test_a_run_in_which_another_process_works_is_left_alone(
    prepared: Path, make_recipe: MakeRecipe
) -> None:
    with locked(prepared), pytest.raises(BusyError, match="another process is using it"):
        fit(make_recipe(prepared))
    assert not (prepared / "checkpoints").exists()


def test_a_loss_that_is_no_number_ends_a_run_and_a_lower_rate_mends_it(
    prepared: Path, make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.fit.loop.CHECKPOINT_SECONDS", 1e9)  # on any machine
    recipe = make_recipe(prepared, learning_rate=1e30, clip_norm=1e30)
    for _ in range(2):  # started again, it raises the same
        with pytest.raises(DivergenceError, match=r"loss is [^ ]+ .*lower learning_rate than"):
            fit(recipe)
    assert not list((prepared / "checkpoints").iterdir())
    assert not (prepared / "model").exists()
    assert "dev perplexity" in fit(make_recipe(prepared))


def test_a_dev_loss_that_is_no_number_is_not_the_end_of_a_run(
    prepared: Path, make_recipe: MakeRecipe
) -> None:
    options = {"batch_tokens": 4096, "clip_norm": 1e30, "epochs": 2}  # one step an epoch
    with pytest.raises(DivergenceError, match=r"the dev loss is [^ ]+ .*after 1 steps"):
        fit(make_recipe(prepared, learning_rate=1e38, **options))
    assert not list((prepared / "checkpoints").iterdir())


def test_a_rate_far_too_high_is_never_the_best_so_far(
    prepared: Path, make_recipe: MakeRecipe, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DivergenceError, match="far above that of guessing"):
        fit(make_recipe(prepared, learning_rate=300.0, clip_norm=1e30))
    assert "best so far" not in capsys.readouterr().out


def test_best_weights_that_are_gone_are_named(fitted: Path, make_recipe: MakeRecipe) -> None:
    (fitted / "checkpoints" / BEST_WEIGHTS_FILE).unlink()
    keras.utils.clear_session()  # names of weights are those of a new process
    with pytest.raises(CheckpointError, match=f"{BEST_WEIGHTS_FILE}.*Delete the folder"):
        fit(make_recipe(fitted))


def test_best_weights_that_are_broken_replace_no_model(
    fitted: Path, make_recipe: MakeRecipe
) -> None:
    os.truncate(fitted / "checkpoints" / BEST_WEIGHTS_FILE, 5000)
    keras.utils.clear_session()  # names of weights are those of a new process
    with pytest.raises(CheckpointError, match=f"{BEST_WEIGHTS_FILE}.*truncated.*Delete the folder"):
        fit(make_recipe(fitted))
    assert load_network(load_folder(fitted / "model"))


def test_training_ends_when_the_dev_loss_stops_falling(
    tmp_path: Path, make_recipe: MakeRecipe
) -> None:
    draw = random.Random(0)  # nothing to learn: only what is learnt by heart gets better
    lines = [" ".join(draw.choices("abcdefgh", k=3)) for _ in range(400)]
    pairs = [f"{a}\t{b}\n" for a, b in zip(lines[::2], lines[1::2], strict=True)]
    (tmp_path / "pairs.tsv").write_text("".join(pairs))
    recipe = make_recipe(tmp_path, epochs=60, patience=2, learning_rate=0.05, decay="none")
    prepare(recipe, tmp_path / "echo.toml")
    run = Run(recipe, open_prepared(recipe))
    run.train()

    losses = [score["loss"] for score in run.progress.history]
    best = losses.index(min(losses))
    assert 0 < best
    assert len(losses) == best + 1 + 2 < 60
    saved = load_checkpoint(
        tmp_path / "checkpoints" / CHECKPOINT_FILE, run.network, run.progress.run
    )
    assert saved == run.progress
    assert run.is_finished
    assert run.scorer(run.corpus.dev).loss == pytest.approx(losses[-1])
    run.network.set_weights(load_network(load_folder(tmp_path / "model")).get_weights())
    assert run.scorer(run.corpus.dev).loss == pytest.approx(losses[best])
    assert run.metrics()["best_epoch"] == best + 1


def test_a_run_that_is_stopped_leaves_the_model_of_its_best_epoch(
    prepared: Path, make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(prepared, epochs=3)
    run = Run(recipe, open_prepared(recipe))
    end_epoch = run._end_epoch

    def stop_in_the_second_epoch(*arguments: Any) -> None:
        if run.progress.epoch == 1:
            raise KeyboardInterrupt
        end_epoch(*arguments)

    monkeypatch.setattr(run, "_end_epoch", stop_in_the_second_epoch)
    with pytest.raises(KeyboardInterrupt):
        run.train()
    config = load_folder(prepared / "model").config
    assert config.training["metrics"]["epochs"] == 1
    backends = {"tensorflow": {"tensorflow", "tensorflow-cpu"}, "jax": {"jax"}, "torch": {"torch"}}
    versions = config.training["versions"]
    assert {"keras", "numpy", "sentencepiece"} <= set(versions)
    assert backends[keras.backend.backend()] & set(versions)
    assert "test_loss" in evaluate(recipe)


def test_a_minute_without_a_checkpoint_is_enough(
    prepared: Path, make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.fit.loop.CHECKPOINT_SECONDS", 0.0)
    steps: list[int] = []
    monkeypatch.setattr(
        "training.fit.loop.save_checkpoint", lambda _, __, progress: steps.append(progress.step)
    )
    recipe = make_recipe(prepared, epochs=1, checkpoint_every=10_000)
    run = Run(recipe, open_prepared(recipe))
    run.train()
    assert steps == [*range(1, run.steps_per_epoch + 1), run.steps_per_epoch]


def test_more_or_fewer_epochs_go_on_from_the_checkpoint(
    fitted: Path, make_recipe: MakeRecipe, capsys: pytest.CaptureFixture[str]
) -> None:
    for epochs, expected in ((3, [2, 3]), (2, [])):
        keras.utils.clear_session()  # names of weights are those of a new process
        recipe = make_recipe(fitted, epochs=epochs, patience=epochs)
        run = Run(recipe, open_prepared(recipe))
        run.train()
        seen = re.findall(r"^epoch (\d+) of \d+: train", capsys.readouterr().out, re.MULTILINE)
        assert [int(epoch) for epoch in seen] == expected
        assert run.is_finished
        assert run.metrics()["epochs"] == 3


def test_a_finished_run_keeps_what_was_added_to_its_model(
    fitted: Path, make_recipe: MakeRecipe
) -> None:
    def files() -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in (fitted / "model").iterdir()}

    recipe = make_recipe(fitted)
    export(recipe, ("float32",))
    exported = files()
    keras.utils.clear_session()  # names of weights are those of a new process
    assert fit(recipe).startswith(f"{fitted / 'model'}: dev perplexity")
    assert files() == exported
    another = recipe.model_copy(update={"name": "another"})
    keras.utils.clear_session()
    fit(another)
    assert load_folder(fitted / "model").config.name == "another"
    assert len(files()) < len(exported)


def test_another_recipe_does_not_go_on_from_the_checkpoint(
    fitted: Path, make_recipe: MakeRecipe
) -> None:
    keras.utils.clear_session()
    with pytest.raises(CheckpointError, match=r"belongs to another recipe.*; -o of `train`"):
        fit(make_recipe(fitted, learning_rate=0.02))


def test_a_model_to_start_from_that_got_another_tokenizer_asks_to_prepare_again(
    fitted: Path, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    values = make_recipe(fitted).model_dump() | {"output": str(tmp_path / "tuned")}
    recipe = Recipe.parse({**values, "start_from": str(fitted / "model")}, where="test")
    prepare(recipe, fitted / "echo.toml")
    folder = load_folder(fitted / "model")
    files = {name: (folder.path / name).read_bytes() for name in folder.sha256}
    write_folder(folder.path, folder.config, {**files, SOURCE_TOKENIZER_FILE: b"another"})
    keras.utils.clear_session()
    with pytest.raises(CorpusError, match=r"is not the tokenizer of .* run `prepare` again"):
        fit(recipe)


def test_averaged_weights_are_scored_and_kept(prepared: Path, make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(prepared, epochs=10, average_steps=3, decay="none")
    run = Run(recipe, open_prepared(recipe))
    run.train()
    best = run.progress.best
    assert run.scorer(run.corpus.dev).loss != pytest.approx(best["loss"], abs=1e-4)
    run.network.set_weights(load_network(load_folder(prepared / "model")).get_weights())
    assert run.scorer(run.corpus.dev).loss == pytest.approx(best["loss"])


def test_of_epochs_with_equal_bleu_the_one_with_the_lowest_loss_is_best() -> None:
    progress = Progress("run")
    for loss in (3.0, 2.0, 2.5):
        progress.end_epoch(loss=loss, bleu=0.0)
    assert progress.best["loss"] == 2.0
    assert progress.epochs_without_improvement == 1


def test_the_best_epoch_may_be_that_of_the_highest_bleu(
    prepared: Path, make_recipe: MakeRecipe, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = make_recipe(prepared, epochs=3, best_by="bleu")
    run = Run(recipe, open_prepared(recipe))
    run.train()
    scores = [entry["bleu"] for entry in run.progress.history]
    assert run.progress.best["bleu"] == max(scores)
    assert run.metrics()["dev_BLEU"] == round(max(scores), 2)
    assert f"BLEU {scores[0]:.2f} (best so far)" in capsys.readouterr().out


def test_a_model_that_knows_frequencies_only_is_warned_of(
    prepared: Path, make_recipe: MakeRecipe, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = fit(make_recipe(prepared, learning_rate=1e-9))
    [line] = [each for each in capsys.readouterr().out.splitlines() if "warning" in each]
    assert "no better than the unigram entropy" in line
    assert "sampled answers are" in summary
    assert "dev_unigram_entropy" in load_folder(prepared / "model").config.training["metrics"]


def test_a_warm_up_longer_than_half_of_the_run_is_cut(
    prepared: Path, make_recipe: MakeRecipe, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = make_recipe(prepared, warmup_steps=4000)
    run = Run(recipe, open_prepared(recipe))
    run.train()
    assert f"is cut to {run.total_steps // 2}" in capsys.readouterr().out
    rate = run.network.optimizer.learning_rate
    assert recipe.fit.learning_rate is not None
    assert float(rate) < recipe.fit.learning_rate / 10  # the decay has come to its end


def test_a_new_network_knows_how_frequent_words_are(
    prepared: Path, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(prepared)
    run = Run(recipe, open_prepared(recipe))
    assert run.scorer(run.corpus.dev).loss == pytest.approx(run.entropy, rel=0.1)


def test_a_corpus_without_a_dev_part_is_learnt_by_heart(
    tmp_path: Path, make_recipe: MakeRecipe
) -> None:
    words = "one two three four five six seven eight".split()
    pairs = [f"{a}\t{b} {a}\n" for a, b in zip(words, words[1:] + words[:1], strict=True)]
    (tmp_path / "pairs.tsv").write_text("".join(pairs))
    values = make_recipe(tmp_path, epochs=200, decay="none").model_dump()
    values["corpus"] |= {"dev_fraction": 0.0, "test_fraction": 0.0, "rules": []}
    values["network"]["dropout"] = 0.0
    values["task"] = "reply"
    values["corpus"]["sources"] = [{"format": "exchanges", "path": "pairs.tsv"}]
    values["search"] |= {"fallback_reply": "nine", "min_confidence": 0.5}
    recipe = Recipe.parse(values, where="test")
    prepare(recipe, tmp_path / "echo.toml")
    summary = fit(recipe)
    metrics = load_folder(tmp_path / "model").config.training["metrics"]
    assert metrics["train_token_accuracy"] == 1.0
    assert metrics["epochs"] < 200
    assert "train perplexity" in summary
    scores = evaluate(recipe)
    assert "train_greedy_exact_match: 100.0" in scores
    assert "there is no test split" in scores
    assert "fallback reply below a confidence of 0.5" in summary
    (known,), (unknown,) = Generator.load(tmp_path / "model").generate(["one", "asdf"])
    assert (known.text, unknown.text) == ("two one", "nine")
