"""Training on several devices and in several processes: virtual devices of a CPU, processes of this
machine. Keras distributes on JAX only, so `make smoke` runs this."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from training.errors import DeviceError
from training.fit.distribution import choose_devices, explain_exhaustion
from training.prepare.prepare import prepare
from training.recipe_file import read_recipe_to_train

#: For what hangs; a machine that is busy takes minutes.
pytestmark = pytest.mark.timeout(1800)

on_jax = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="Keras distributes on JAX only: KERAS_BACKEND=jax"
)
#: Of one command: minutes on one busy core.
LONGEST_SECONDS = 900

Process = subprocess.Popen[str]
Write = Callable[[str], Path]

#: Four steps an epoch, all of one shape.
RECIPE = """
name = "echo"
task = "translate"
output = "{output}"

[corpus]
dev_fraction = 0.2
test_fraction = 0.2
sources = [{{ format = "pairs", path = "pairs.tsv" }}]

[tokenizer]
type = "word"
vocab_size = 64

[network]
embedding_units = 16
encoder_units = 16
decoder_units = 32
dropout = 0.2

[fit]
batch_tokens = 128
epochs = 5
learning_rate = 0.01
checkpoint_every = 5
"""
WORDS = "one two three four five six seven eight".split()

#: Runs `fit`, kills itself before a step, and keeps the last weights. Only process 0 may write.
PROGRAM = """
import os, signal, sys
import numpy as np
from training.fit import log, loop

def refuse(*arguments):
    raise AssertionError("not the first process, and writes")

train_on, train = loop.Run._train_on, loop.Run.train
killed_at, weights = int(sys.argv.pop(1)), sys.argv.pop(1)

def train_or_die(run, batch):
    if run.progress.step == killed_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return train_on(run, batch)

def train_and_keep(run):
    train(run)
    np.savez(weights, *run.network.get_weights())

loop.Run._train_on, loop.Run.train = train_or_die, train_and_keep
if os.environ.get("KERAS_DISTRIBUTION_PROCESS_ID", "0") != "0":
    loop.save_checkpoint = loop.write_durably = loop.write_model = log.Curves = refuse
from training.__main__ import main
sys.exit(main())
"""


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Makes a recipe of a name, whose corpus is prepared."""
    folder = tmp_path_factory.mktemp("echo")
    draw = random.Random(0)
    sources = [draw.choices(WORDS, k=3) for _ in range(200)]
    lines = [f"{' '.join(words)}\t{' '.join(reversed(words))}\n" for words in sources]
    (folder / "pairs.tsv").write_text("".join(lines))

    def written(name: str) -> Path:
        recipe = folder / f"{name}.toml"
        recipe.write_text(RECIPE.format(output=folder / name))
        if not (folder / "data").exists():
            corpus = prepare(read_recipe_to_train(recipe), recipe)
            shutil.move(corpus.path, folder / "data")
        shutil.copytree(folder / "data", folder / name / "data")
        return recipe

    return written


def write_other(recipe: Path) -> Path:
    """Changes what the recipe trains."""
    recipe.write_text(recipe.read_text().replace("dropout = 0.2", "dropout = 0.3"))
    return recipe


def start(recipe: Path, *options: str, killed_at: int = -1, number: int = 0, **env: str) -> Process:
    weights = recipe.with_name(f"{recipe.stem}-{number}.npz")
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(killed_at), str(weights), "fit", recipe, *options],
        env={**os.environ, "JAX_COMPILATION_CACHE_DIR": str(recipe.with_name("compiled")), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def start_two(*recipes: Path, killed_at: int = -1) -> list[Process]:
    """Starts two processes, of the first and the last recipe; `killed_at` is for the second."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    return [
        start(
            recipes[-number],
            killed_at=killed_at if number else -1,
            number=number,
            KERAS_DISTRIBUTION_JOB_ADDRESSES=address,
            KERAS_DISTRIBUTION_NUM_PROCESSES="2",
            KERAS_DISTRIBUTION_PROCESS_ID=str(number),
        )
        for number in range(2)
    ]


def finish(process: Process, code: int = 0) -> str:
    output, _ = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode == code, output
    return output


def weights_of(recipe: Path, number: int = 0) -> list[np.ndarray]:
    with np.load(recipe.with_name(f"{recipe.stem}-{number}.npz")) as arrays:
        return list(arrays.values())


def assert_equal(weights: list[np.ndarray], others: list[np.ndarray]) -> None:
    for array, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(array, other)


@pytest.fixture(scope="module")
def on_two_devices(write: Write) -> list[np.ndarray]:
    """Weights after 20 steps on two devices."""
    recipe = write("two")
    assert "batches of 1 shapes" in finish(start(recipe, "--devices", "2"))
    return weights_of(recipe)


@on_jax
def test_two_devices_train_the_weights_of_one(
    write: Write, on_two_devices: list[np.ndarray]
) -> None:
    recipe = write("one")
    finish(start(recipe))
    for array, other in zip(weights_of(recipe), on_two_devices, strict=True):
        np.testing.assert_allclose(array, other, atol=1e-5)


@on_jax
def test_a_killed_run_goes_on_on_as_many_devices_only(
    write: Write, on_two_devices: list[np.ndarray]
) -> None:
    recipe = write("killed")
    finish(start(recipe, "--devices", "2", killed_at=7), code=-9)
    assert "was trained on 2 devices, not on 1" in finish(start(recipe), code=1)
    finish(start(recipe, "--devices", "2"))
    assert_equal(weights_of(recipe), on_two_devices)


@on_jax
def test_processes_end_with_one_of_them_and_go_on_together(
    write: Write, on_two_devices: list[np.ndarray]
) -> None:
    undisturbed, killed = write("undisturbed"), write("killed-process")
    for process in start_two(undisturbed):
        finish(process)
    first, second = start_two(killed, killed_at=7)
    finish(second, code=-9)
    assert "the run resumes from its last checkpoint" in finish(first, code=1)
    first, second = start_two(killed)
    assert "dev perplexity" in finish(first)
    assert "epoch" not in finish(second)
    for number in range(2):
        assert_equal(weights_of(killed, number), weights_of(undisturbed, 0))
    for array, other in zip(weights_of(killed), on_two_devices, strict=True):
        np.testing.assert_allclose(array, other, atol=1e-5)


@on_jax
def test_processes_that_read_different_files_do_not_train_together(write: Write) -> None:
    for process in start_two(write("here"), write_other(write("there"))):
        assert "different checkpoints, recipes or corpora" in finish(process, code=1)


@on_jax
def test_more_devices_than_there_are_are_refused(write: Write) -> None:
    flags = "--xla_force_host_platform_device_count=2"
    output = finish(start(write("three"), "--devices", "3", XLA_FLAGS=flags), code=1)
    assert "process 0 has 2 devices (cpu), and 3 are wanted" in output


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes")]
)
def test_too_little_memory_is_explained(error: Exception) -> None:
    with pytest.raises(DeviceError, match=r"not enough memory .* Lower fit\.batch_tokens"):
        with explain_exhaustion():
            raise error


def test_other_errors_are_left_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="INTERNAL"), explain_exhaustion():
        raise RuntimeError("INTERNAL: no such step")


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has several devices")
def test_several_devices_need_jax(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match="with JAX only"):
        choose_devices(2, compiled=tmp_path)
    monkeypatch.setenv("JAX_NUM_PROCESSES", "2")
    with pytest.raises(DeviceError, match="1 devices in 2 processes"):
        choose_devices(1, compiled=tmp_path)
