"""A `prepare` that is killed and started again ends as one that was left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.corpus.parallel import available_cores
from training.corpus.prepare import prepare
from training.recipe import read_recipe

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
WORDS = "red green blue white black dog cat house tree car boat bird horse sees likes finds".split()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files of together several pieces, and a large one of several more."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "many").mkdir()
    for number in range(3):
        write_pairs(folder / "many" / f"{number}.tsv", 500, number)
    write_pairs(folder / "large.tsv", 12_000, 7)
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


#: Runs `prepare` and kills itself when so many pieces are done, of all passes together.
KILLED = """
import os, signal, sys
from training.__main__ import main
from training.corpus import prepare
left, run_all = int(sys.argv.pop(1)), prepare.run_all
def run_some(*arguments):
    global left
    for result in run_all(*arguments):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        yield result
prepare.run_all = run_some
sys.exit(main(["prepare", *sys.argv[1:]]))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    corpus: Path, undisturbed: dict[str, bytes], workers: int
) -> None:
    name = f"killed-{workers}"
    path = recipe_in(corpus, name)
    arguments = [str(path), "--workers", str(workers)]
    for pieces in (1, 2, 4):  # what an earlier start did is counted again
        command = [sys.executable, "-c", KILLED, str(pieces), *arguments]
        process = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        assert process.returncode == -signal.SIGKILL, process.stderr
        assert (corpus / name / "data.partial").exists()
    subprocess.run(
        [sys.executable, "-m", "training", "prepare", *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert contents(corpus, name) == undisturbed
    assert sorted(each.name for each in (corpus / name / "data").iterdir()) == sorted(SEEN)
    assert not (corpus / name / "data.partial").exists()


def test_processes_end_with_a_parent_that_is_killed(corpus: Path) -> None:
    path = recipe_in(corpus, "orphans")
    command = [sys.executable, "-m", "training", "prepare", str(path), "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    candidates = corpus / "orphans" / "data.partial" / "work" / "candidates"
    while not (candidates.is_dir() and list(candidates.iterdir())):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(1000):
        try:
            os.killpg(process.pid, 0)  # its group is empty: nobody is left
        except ProcessLookupError:
            return
        time.sleep(0.01)
    pytest.fail("processes were left behind")


def test_cores_are_counted() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
