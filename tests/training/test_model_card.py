from __future__ import annotations

import resource
import tempfile
from pathlib import Path

import pytest

from model.engine.keras import load_network
from model.folder import load_folder
from training.errors import CorpusError
from training.model_card import WEIGHT_OVERHEAD, weights_of


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
