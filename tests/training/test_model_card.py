from __future__ import annotations

import resource
import tempfile
from pathlib import Path

import pytest

from model.engine.keras import load_network
from model.folder import load_folder
from model.translation_memory import TranslationMemory
from training import model_card
from training.errors import CorpusError
from training.model_card import WEIGHT_OVERHEAD, memory_files, weights_of
from training.prepare.prepare import PreparedCorpus, prepare
from training.recipe import Recipe


def test_a_weights_file_is_no_larger_than_planned(untrained_folder: Path) -> None:
    network = load_network(load_folder(untrained_folder))
    most = sum(weight.nbytes + WEIGHT_OVERHEAD for weight in network.get_weights())
    assert len(weights_of(network)) <= most


def test_temporary_files_that_cannot_be_written_are_named(
    untrained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = load_network(load_folder(untrained_folder))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(CorpusError, match=r"weights\.h5: cannot be written: File too large"):
            weights_of(network)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [*tmp_path.iterdir()]


PAIRS = {"format": "pairs", "path": "pairs.tsv", "split": "train"}
PHRASES = {**PAIRS, "path": "phrases.tsv", "repeat": 3, "swap": True, "memory": True}


def prepared(folder: Path) -> tuple[Recipe, PreparedCorpus]:
    values = {
        "name": "small",
        "task": "translate",
        "output": str(folder / "run"),
        "corpus": {"sources": [PAIRS, PHRASES], "dev_fraction": 0, "test_fraction": 0},
        "tokenizer": {"type": "word", "vocab_size": 64},
    }
    (folder / "pairs.tsv").write_text("".join(f"a {x}\tone {x}\n" for x in "bcdefgh"))
    (folder / "phrases.tsv").write_text("Datei öffnen\tOpen file\nnein\tno\nnicht\tno\n", "utf-8")
    recipe = Recipe.parse(values, where="test")
    return recipe, prepare(recipe, folder / "recipe.toml")


def test_a_model_remembers_the_pairs_of_sources_with_a_memory(tmp_path: Path) -> None:
    files = memory_files(*prepared(tmp_path))
    memory = TranslationMemory.parse(files["memory.tsv.gz"])
    assert memory.pairs == (("Open file", "Datei öffnen"), ("no", "nein"))


def test_a_memory_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_card, "MAX_PAIRS", 1)
    with pytest.raises(CorpusError, match="have 2 pairs; a model keeps at most 1"):
        memory_files(*prepared(tmp_path))
