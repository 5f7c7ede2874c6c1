"""A checkpoint holds all that the next step depends on, in one file that is whole or not there."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from training.errors import CheckpointError


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        run: fingerprint of the recipe and its data; a checkpoint of another run is refused.
        epoch: from 0.
        batch: batches of this epoch that are done.
        step: batches done in all.
        best_loss: lowest dev loss so far, in nats a token.
        scores_without_gain: dev scores since then.
        finished: whether training has ended.
        history: one entry for each dev score.
    """

    run: str
    epoch: int = 0
    batch: int = 0
    step: int = 0
    best_loss: float = float("inf")
    scores_without_gain: int = 0
    finished: bool = False
    history: list[dict[str, float]] = field(default_factory=list)


def save_checkpoint(path: Path, model: keras.Model, progress: Progress) -> None:
    """Writes weights, optimizer, random states and progress beside `path`, then moves it there."""
    partial = path.with_suffix(".partial")
    with h5py.File(partial, "w") as file:
        for name, variable in _variables(model).items():
            file[name] = keras.ops.convert_to_numpy(variable.value)
        file.attrs["progress"] = json.dumps(asdict(progress))
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    partial.replace(path)


def load_checkpoint(path: Path, model: keras.Model, run: str) -> Progress:
    """Puts `model`, compiled and built, back to where it was saved.

    Raises:
        CheckpointError: if the file is broken or belongs to another run.
    """
    try:
        with h5py.File(path, "r") as file:
            progress = Progress(**json.loads(file.attrs["progress"]))
            if progress.run != run:
                raise CheckpointError(
                    f"{path}: belongs to another recipe or corpus. Delete the folder "
                    f"{path.parent} to train anew, or set another `output` in the recipe."
                )
            for name, variable in _variables(model).items():
                variable.assign(np.asarray(file[name]))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}). Delete it.") from None
    return progress


def _variables(model: keras.Model) -> dict[str, Any]:
    """Every variable that the next step depends on, metrics aside, by a name that is stable."""
    kept = model.weights + model.non_trainable_variables + model.optimizer.variables
    unique = {id(variable): variable for variable in kept}
    return {f"{i:04d}/{each.path}": each for i, each in enumerate(unique.values())}
