"""A run of all commands on a small corpus, made once and copied for each test."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from training.prepare.prepare import prepare
from training.prepare.shards import SCHEMA, Shard, write_shard
from training.recipe import Recipe

MakeRecipe = Callable[..., Recipe]

WORDS = "one two three four five six seven eight".split()


def recipe_in(folder: Path, *, decoder_units: int = 16, **fit: Any) -> Recipe:
    """To say words backwards; `folder` receives what is made."""
    values = {
        "name": "echo",
        "task": "translate",
        "output": str(folder),
        "corpus": {
            "sources": [{"format": "pairs", "path": "pairs.tsv"}],
            "dev_fraction": 0.2,
            "test_fraction": 0.2,
        },
        "tokenizer": {"type": "word", "vocab_size": 64},
        "network": {"embedding_units": 8, "encoder_units": 8, "decoder_units": decoder_units},
        "fit": {"batch_tokens": 128, "epochs": 1, "learning_rate": 0.01, **fit},
    }
    return Recipe.parse(values, where="test")


def write_examples(path: Path, *batches: Iterable[tuple[list[int], list[int]]]) -> Shard:
    """Writes a shard of (source, target) ids; returns it."""
    texts = {"source_turns": ["a"], "target_text": "b", "origin": "c:1", "source_number": 0}
    rows = [
        [{"source_ids": source, "target_ids": target, **texts} for source, target in batch]
        for batch in batches
    ]
    write_shard(path, [pa.RecordBatch.from_pylist(batch, SCHEMA) for batch in rows])
    return Shard(path)


@pytest.fixture(autouse=True)
def leave_no_determinism() -> Iterator[None]:
    """Takes back what `fit` sets for its process: with it Keras refuses to compile by XLA, which
    tests of networks do, in whatever order they come."""
    yield
    if config := sys.modules.get("tensorflow.python.framework.config"):
        config.disable_op_determinism()


@pytest.fixture
def make_recipe() -> MakeRecipe:
    """`recipe_in`."""
    return recipe_in


@pytest.fixture(scope="session")
def prepared_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("echo")
    draw = random.Random(0)
    sources = [draw.choices(WORDS, k=3) for _ in range(200)]  # one length: one shape to compile
    lines = [f"{' '.join(words)}\t{' '.join(reversed(words))}\n" for words in sources]
    (folder / "pairs.tsv").write_text("".join(lines))
    prepare(recipe_in(folder), folder / "echo.toml")
    return folder


@pytest.fixture(scope="session")
def fitted_once(prepared_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import keras  # the framework is loaded where it is needed

    from training.fit.loop import fit

    keras.utils.clear_session()  # names of weights are those of a new process
    folder = tmp_path_factory.mktemp("fitted") / "echo"
    shutil.copytree(prepared_once, folder)
    fit(recipe_in(folder))
    return folder


@pytest.fixture
def prepared(prepared_once: Path, tmp_path: Path) -> Path:
    """A folder after `prepare`."""
    return Path(shutil.copytree(prepared_once, tmp_path / "echo"))


@pytest.fixture
def fitted(fitted_once: Path, tmp_path: Path) -> Path:
    """A folder after `fit`."""
    return Path(shutil.copytree(fitted_once, tmp_path / "echo"))
