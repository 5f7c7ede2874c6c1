"""From raw files to a model that answers, through the commands that people type."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from model.folder import SOURCE_TOKENIZER_FILE, WEIGHTS_FILE, load_folder
from model.generator import Generator

#: For what hangs; a machine that is busy takes minutes.
pytestmark = pytest.mark.timeout(1800)

Process = subprocess.Popen[str]

RECIPE = """
name = "echo"
task = "translate"
output = "{output}"

[corpus]
dev_fraction = 0.1
test_fraction = 0.1
sources = [{{ format = "pairs", path = "pairs.tsv" }}]

[tokenizer]
type = "word"
vocab_size = 64

[network]
embedding_units = 16
encoder_units = 16
decoder_units = 32
dropout = 0.1

[fit]
batch_tokens = 128
epochs = {epochs}
learning_rate = 0.01
checkpoint_every = 5

[search]
max_tokens = 16
"""
#: All that a step may depend on besides the batch.
OPTIONS = """
weight_decay = 0.01
accumulate = 2
average_steps = 3
subword_sampling = 0.5
best_by = "bleu"

"""
WORDS = "one two three four five six seven eight".split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus whose targets are its sources backwards."""
    draw = random.Random(0)
    sources = [draw.choices(WORDS, k=draw.randint(1, 5)) for _ in range(400)]
    lines = [f"{' '.join(words)}\t{' '.join(reversed(words))}\n" for words in sources]
    (tmp_path / "pairs.tsv").write_text("".join(lines))
    return tmp_path


#: Of one command: minutes on one busy core.
LONGEST_SECONDS = 900


def write_recipe(folder: Path, name: str, *, epochs: int) -> Path:
    recipe = folder / f"{name}.toml"
    recipe.write_text(RECIPE.format(output=folder / name, epochs=epochs))
    return recipe


#: Runs `training` and kills itself when a function of a module is called for the nth time.
KILLED = """
import importlib, os, signal, sys
home, name, times = sys.argv.pop(1), sys.argv.pop(1), int(sys.argv.pop(1))
module = importlib.import_module(home)
function, calls = getattr(module, name), []
def counted(*arguments, **options):
    calls.append(1)
    if len(calls) == times:
        os.kill(os.getpid(), signal.SIGKILL)
    return function(*arguments, **options)
setattr(module, name, counted)
from training.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def start(step: str, recipe: Path, *, killed_at: tuple[str, str, int] | None = None) -> Process:
    """Starts a command; `killed_at` is a module, its function and the call that it dies at."""
    program = ["-m", "training"]
    if killed_at:
        program = ["-c", KILLED, *map(str, killed_at)]
    return subprocess.Popen(
        [sys.executable, *program, step, str(recipe)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(step: str, recipe: Path) -> str:
    process = start(step, recipe)
    output, _ = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode == 0, output
    return output


def refused(step: str, recipe: Path) -> str:
    process = start(step, recipe)
    output, _ = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode == 1
    assert "Traceback" not in output
    return output


def test_a_killed_fit_ends_with_the_weights_of_an_undisturbed_one(folder: Path) -> None:
    weights = []
    for name in ("undisturbed", "killed"):
        recipe = write_recipe(folder, name, epochs=3)
        text = recipe.read_text().replace('type = "word"', 'type = "unigram"')
        recipe.write_text(text.replace("\n[search]", f"{OPTIONS}[search]"))
        run("prepare", recipe)
        if name == "killed":
            # Between two checkpoints; then when an epoch has been scored, but is not noted yet.
            kill("fit", recipe, ("training.fit.loop", "save_checkpoint", 3))
            kill("fit", recipe, ("training.fit.loop", "write_model", 1))
        run("fit", recipe)
        weights.append(read_arrays(folder / name / "model" / WEIGHTS_FILE))
    undisturbed, killed = weights
    assert undisturbed.keys() == killed.keys()
    for name, array in undisturbed.items():
        np.testing.assert_array_equal(killed[name], array, err_msg=name)


def test_three_commands_make_a_model_that_answers(folder: Path, tokenizer_model: bytes) -> None:
    recipe = write_recipe(folder, "echo", epochs=15)
    assert "train" in run("prepare", recipe)
    assert "dev perplexity" in run("fit", recipe)
    assert "test_greedy_exact_match" in run("evaluate", recipe)
    assert "int8" in run("export", recipe)
    assert "BLEU" in (folder / "echo" / "report.md").read_text()

    generator = Generator.load(folder / "echo" / "model")
    assert generator.config.training["metrics"]["test_perplexity"] < 6.0  # by chance: 8
    (candidates,) = generator.generate(["one two"])
    assert set(candidates[0].text.split()) <= set(WORDS)

    tokenizer = folder / "echo" / "data" / SOURCE_TOKENIZER_FILE
    tokenizer.write_bytes(tokenizer_model)
    assert "is not the tokenizer of" in refused("export", recipe)


def test_a_run_can_start_from_a_model(folder: Path) -> None:
    first = write_recipe(folder, "first", epochs=2)
    run("prepare", first)
    run("fit", first)
    text = re.sub(r"\[(tokenizer|network)\]\n(\w.*\n)+", "", first.read_text())
    text = text.replace("epochs = 2", "epochs = 1").replace("rate = 0.01", "rate = 1e-9")
    text = text.replace("[corpus]", f'start_from = "{folder}/first/model"\n\n[corpus]')
    second = folder / "second.toml"
    second.write_text(text.replace(f'output = "{folder}/first"', f'output = "{folder}/second"'))
    run("prepare", second)
    run("fit", second)
    started, tuned = (load_folder(folder / name / "model") for name in ("first", "second"))
    assert (
        tuned.config.sha256[SOURCE_TOKENIZER_FILE] == started.config.sha256[SOURCE_TOKENIZER_FILE]
    )
    scores = [each.config.training["metrics"]["dev_loss"] for each in (started, tuned)]
    assert scores[1] == pytest.approx(scores[0], abs=1e-3)  # the rate is as good as none


def test_a_step_out_of_order_says_what_to_do(folder: Path) -> None:
    assert "Run `prepare` first" in refused("fit", write_recipe(folder, "early", epochs=1))


def read_arrays(weights: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    with h5py.File(weights) as file:
        file.visititems(
            lambda name, each: (
                arrays.update({name: each[()]}) if isinstance(each, h5py.Dataset) else None
            )
        )
    return arrays


def kill(step: str, recipe: Path, at: tuple[str, str, int]) -> None:
    """Starts a command, which dies at an event and not after a time."""
    process = start(step, recipe, killed_at=at)
    output, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL, f"it ended before it was killed: {output}"
