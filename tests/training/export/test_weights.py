from __future__ import annotations

from pathlib import Path

import numpy as np

from model.engine.keras import load_network
from model.folder import WEIGHTS_FILE, load_folder, write_folder
from training.export.weights import halved, round_weights


def test_weights_of_half_precision_are_read_as_those_that_were_rounded(
    untrained_folder: Path, tmp_path: Path
) -> None:
    folder = load_folder(untrained_folder)
    files = {name: (untrained_folder / name).read_bytes() for name in folder.config.sha256}
    small = halved(files[WEIGHTS_FILE])
    assert len(small) < len(files[WEIGHTS_FILE])

    write_folder(tmp_path / "half", folder.config, {**files, WEIGHTS_FILE: small})
    network = load_network(folder)
    before = network.get_weights()
    round_weights(network)
    found = load_network(load_folder(tmp_path / "half")).get_weights()
    for weight, rounded, read in zip(before, network.get_weights(), found, strict=True):
        np.testing.assert_array_equal(read, rounded)
        np.testing.assert_allclose(read, weight, rtol=5e-3, atol=1e-6)
