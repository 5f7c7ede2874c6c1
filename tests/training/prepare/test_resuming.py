"""A `prepare` that is killed and started again ends as one that was left alone."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_SECONDS
from training.prepare.prepare import prepare
from training.recipe_file import read_recipe

RECIPE = """
name = "words"
task = "translate"
languages = ["en", "de"]
output = "{output}"

[corpus]
dev_fraction = 0.05
sources = [
  {{ format = "pairs", path = "many/*.tsv" }},
  {{ format = "pairs", path = "large.tsv", repeat = 2.5 }},
]

[tokenizer]
type = "word"
vocab_size = 120
"""
SEEN = ("train.arrow", "dev.arrow", "test.arrow", "source.spm", "report.json", "report.html")
#: Runs a command that kills itself: after the first piece of a pass, or where a function is called.
KILLED = """
import os, signal, sys
from training.prepare import prepare

where, *command = sys.argv[1:]
passes, run_all = iter(["read", "tokenise"]), prepare.run_all

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def run_some(*arguments, **options):
    name, results = next(passes), run_all(*arguments, **options)
    yield next(results)
    if name == where:
        die()
    yield from results

prepare.run_all = run_some
if where not in ("read", "tokenise"):
    assert hasattr(prepare, where)
    setattr(prepare, where, die)
from training.__main__ import main
sys.exit(main(command))
"""
WORDS = "red green blue white black dog cat house tree car boat bird horse sees likes finds".split()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), large=12_000)


def write_corpus(folder: Path, *, large: int) -> Path:
    """Writes small files of together one or several pieces, and one of `large` pairs."""
    (folder / "many").mkdir()
    for number in range(3):
        write_pairs(folder / "many" / f"{number}.tsv", 500, number)
    write_pairs(folder / "large.tsv", large, 7)
    return folder


def write_pairs(path: Path, count: int, seed: int) -> None:
    draw = random.Random(seed)
    with path.open("w") as file:
        for _ in range(count):
            words = draw.choices(WORDS, k=draw.randint(3, 7))
            file.write(f"{' '.join(words)}\t{' '.join(reversed(words))} {draw.randint(1, 9)}\n")


def recipe_in(corpus: Path, name: str) -> Path:
    path = corpus / f"{name}.toml"
    path.write_text(RECIPE.format(output=(corpus / name).as_posix()))
    return path


def contents(corpus: Path, name: str) -> dict[str, bytes]:
    return {file: (corpus / name / "data" / file).read_bytes() for file in SEEN}


@pytest.fixture(scope="module")
def undisturbed(corpus: Path) -> dict[str, bytes]:
    path = recipe_in(corpus, "undisturbed")
    prepare(read_recipe(path), path, workers=1)
    return contents(corpus, "undisturbed")


def test_the_number_of_processes_changes_nothing(
    corpus: Path, undisturbed: dict[str, bytes]
) -> None:
    path = recipe_in(corpus, "parallel")
    prepare(read_recipe(path), path, workers=2)
    assert contents(corpus, "parallel") == undisturbed


def run_killed(where: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Returns when the command has killed itself, and no process of it has its output open."""
    return subprocess.run(
        [sys.executable, "-c", KILLED, where, *command],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    corpus: Path, undisturbed: dict[str, bytes], workers: int
) -> None:
    name = f"killed-{workers}"
    path = recipe_in(corpus, name)
    command = ["prepare", str(path), "--workers", str(workers)]
    for where in ("read", "train_tokenizer", "tokenise", "write_shard"):
        killed = run_killed(where, command)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    subprocess.run(
        [sys.executable, "-m", "training", *command],
        capture_output=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert contents(corpus, name) == undisturbed
    assert sorted(each.name for each in (corpus / name / "data").iterdir()) == sorted(SEEN)
    assert not (corpus / name / "data.partial").exists()


def test_processes_end_with_a_parent_that_is_killed(corpus: Path) -> None:
    path = recipe_in(corpus, "orphans")
    killed = run_killed("read", ["prepare", str(path), "--workers", "2"])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
