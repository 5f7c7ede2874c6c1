"""Model folders with their card, from weights and a recipe."""

from __future__ import annotations

import functools
import importlib.metadata
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from model.config import ModelConfig, NetworkConfig, TextConfig
from model.folder import CARD_FILE, MEMORY_FILE, QUESTIONS_FILE, WEIGHTS_FILE, write_folder
from model.networks.tokens import TokenSeq2Seq
from model.translation_memory import MAX_PAIRS, TranslationMemory
from training.errors import CorpusError
from training.fallback import Fallback
from training.files.paths import writing
from training.markdown import markdown_table
from training.prepare.prepare import PreparedCorpus
from training.recipe import Recipe

Metrics = dict[str, Any]
#: Maximum bytes that a Keras weights file has for each weight besides its numbers.
WEIGHT_OVERHEAD = 8192


def write_model(
    path: Path,
    config: ModelConfig,
    corpus: PreparedCorpus,
    files: Mapping[str, bytes],
) -> None:
    """Writes the folder of a newly trained model, and replaces an existing one.

    Args:
        path: the folder.
        config: its config, by `describe_model`.
        corpus: what the model was trained on.
        files: contents by name: a Keras weights file, and others that go with the model.

    Raises:
        FolderError: if the folder cannot be written.
    """
    card = _card(config, len(corpus.train), [])
    write_folder(path, config, {**corpus.tokenizer_files, **files, CARD_FILE: card.encode()})


def memory_files(recipe: Recipe, corpus: PreparedCorpus) -> dict[str, bytes]:
    """Returns the translation memory of a recipe as a file, if any of its sources has one.

    Raises:
        CorpusError: if it is too large for a server.
    """
    sources = [number for number, each in enumerate(recipe.corpus.sources) if each.memory]
    if not sources:
        return {}
    pairs = corpus.train.pairs_of(sources)
    if len(pairs) > MAX_PAIRS:
        raise CorpusError(
            f"{corpus.path}: sources with `memory` have {len(pairs):,} pairs; a model keeps at "
            f"most {MAX_PAIRS:,}. Set it for fewer sources."
        )
    return {MEMORY_FILE: TranslationMemory(pairs.items()).to_bytes()}


def describe_model(
    recipe: Recipe, corpus: PreparedCorpus, network: NetworkConfig, metrics: Metrics
) -> ModelConfig:
    """Returns the document of a model that `recipe` trained."""
    return ModelConfig(
        name=recipe.name,
        task=recipe.task,
        languages=recipe.languages,
        network=network,
        text=TextConfig(**recipe.tokenizer.model_dump(include=set(TextConfig.model_fields))),
        reverse=all(source.swap for source in recipe.corpus.sources),
        search=recipe.search,
        training={
            "recipe": recipe.model_dump(mode="json"),
            "corpus_fingerprint": corpus.fingerprint,
            "versions": _versions(),
            "metrics": metrics,
        },
    )


def is_made_by(config: ModelConfig, recipe: Recipe) -> bool:
    """Tells whether a model was trained by this recipe, whose output may be elsewhere now."""
    made_by, now = config.training["recipe"], recipe.model_dump(mode="json")
    return bool({**made_by, "output": ""} == {**now, "output": ""})


def write_scores(
    path: Path,
    config: ModelConfig,
    train_examples: int,
    metrics: Metrics,
    samples: list[tuple[str, str]],
    fallback: Fallback,
) -> None:
    """Writes scores, and the search that they were found with, into the config and the card of a
    model folder; all else stays, even if the recipe has changed since.

    Args:
        path: the folder, verified.
        config: its config.
        train_examples: number of examples that it was trained on.
        metrics: name -> value; replaces the metrics that it has.
        samples: (source, answer) pairs for the card.
        fallback: the model's new search, and the questions that it knows.

    Raises:
        FolderError: if the folder cannot be written.
    """
    training = {**config.training, "metrics": {**metrics, **fallback.metrics}}
    scored = config.model_copy(update={"training": training, "search": fallback.search})
    card = _card(scored, train_examples, samples)
    kept = {*config.sha256} - {QUESTIONS_FILE}
    files = {name: (path / name).read_bytes() for name in kept}
    write_folder(path, scored, {**files, **fallback.files, CARD_FILE: card.encode()})


def weights_of(network: TokenSeq2Seq) -> bytes:
    """Returns a Keras weights file of `network`, without the state of its optimizer.

    Raises:
        CorpusError: if the folder for temporary files has no room for it.
    """
    plain = TokenSeq2Seq(network.config)
    plain.set_weights(network.get_weights())
    size = sum(weight.nbytes + WEIGHT_OVERHEAD for weight in network.get_weights())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / WEIGHTS_FILE
        with writing(path):
            path.write_bytes(bytes(size))  # on a full disk, HDF5 would crash
        plain.save_weights(path)
        return path.read_bytes()


@functools.cache
def _versions() -> dict[str, str]:
    names = ("keras", "tensorflow-cpu", "tensorflow", "jax", "torch", "sentencepiece", "numpy")
    found = {}
    for name in names:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _card(config: ModelConfig, train_examples: int, samples: list[tuple[str, str]]) -> str:
    recipe, metrics = config.training["recipe"], config.training["metrics"]
    scores = markdown_table(
        ("", ""), [(name.replace("_", " "), value) for name, value in metrics.items()]
    )
    table = markdown_table(("source", "answer"), samples)
    dialogue = f"\n## Samples\n\n{table}\n" if samples else ""
    files = "\n".join(f"- `{source['path']}`" for source in recipe["corpus"]["sources"])
    about = recipe["description"] or f"A model for the task {config.task}."
    return (
        f"# {config.name}\n\n{about}\n\n"
        f"## Data\n\n{files}\n\n{train_examples:,} training examples. "
        f"Licence: {recipe['licence'] or 'not stated in the recipe'}\n\n"
        f"## Scores\n\n{scores}\n{dialogue}"
    )
