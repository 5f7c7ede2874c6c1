"""Checkpoints: everything that the next step depends on, in one file that is written atomically."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from model.folder import write_durably
from training.errors import CheckpointError


@dataclass
class Progress:
    """Progress of a run.

    Attributes:
        run: fingerprint of the recipe and its data; checkpoints of other runs are rejected.
        devices: number of devices that train the run, in all processes.
        epoch: from 0.
        batch: number of finished batches in this epoch.
        step: total number of finished batches.
        first_loss: loss of the first batch, before any update, in nats a token.
        epoch_loss: sum of the training losses of this epoch's tokens, in nats.
        epoch_tokens: number of finished target tokens in this epoch.
        history: one entry per finished epoch: its scores by name, including `loss`.
    """

    run: str
    devices: int = 1
    epoch: int = 0
    batch: int = 0
    step: int = 0
    first_loss: float = 0.0
    epoch_loss: float = 0.0
    epoch_tokens: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def best(self) -> dict[str, float]:
        """Returns the entry of the best epoch so far: the one with the highest BLEU, if measured,
        and of these, the one with the lowest loss; in a tie, the first. An untrained model has a
        BLEU of 0 for some epochs, while its loss falls."""
        return min(self.history, key=lambda entry: (-entry.get("bleu", 0.0), entry["loss"]))

    @property
    def best_loss(self) -> float:
        """Returns the lowest loss of the scored split so far, in nats per token."""
        return min((entry["loss"] for entry in self.history), default=float("inf"))

    @property
    def epochs_without_improvement(self) -> int:
        """Returns the number of epochs since the best one."""
        return len(self.history) - 1 - self.history.index(self.best) if self.history else 0

    def end_epoch(self, *, loss: float, **scores: float) -> None:
        """Records the scores of an epoch after its last batch."""
        self.epoch += 1
        self.batch = 0
        self.epoch_loss, self.epoch_tokens = 0.0, 0
        self.history.append({"epoch": self.epoch, "step": self.step, "loss": loss, **scores})


def save_checkpoint(path: Path, model: keras.Model, progress: Progress) -> None:
    """Writes weights, optimizer, random states and progress."""
    # Built in memory: HDF5 reports a full disk in several ways.
    with h5py.File(path.name, "w", driver="core", backing_store=False) as file:
        for name, variable in _variables(model).items():
            file[name] = keras.ops.convert_to_numpy(variable.value)
        file.attrs["progress"] = json.dumps(asdict(progress))
        file.flush()
        image = file.id.get_file_image()
    write_durably(path, image)


def load_checkpoint(path: Path, model: keras.Model, run: str, devices: int = 1) -> Progress:
    """Restores `model`, which is compiled and built, and returns the progress of its run.

    Raises:
        CheckpointError: if the file is broken, or belongs to another run or number of devices.
    """
    try:
        with h5py.File(path, "r") as file:
            progress = Progress(**json.loads(file.attrs["progress"]))
            if progress.run != run:
                raise CheckpointError(
                    f"{path}: belongs to another recipe or corpus. Delete the folder "
                    f"{path.parent} to train from scratch, or set another output (`output` in the "
                    "recipe; -o of `train`)."
                )
            if progress.devices != devices:
                raise CheckpointError(
                    f"{path}: was trained on {progress.devices} devices, not on {devices}. "
                    f"Continue with {progress.devices}, or delete the folder {path.parent} to "
                    "train from scratch."
                )
            for name, variable in _variables(model).items():
                variable.assign(np.asarray(file[name]))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}). Delete it.") from None
    return progress


def read_weights(path: Path) -> bytes:
    """Returns the contents of a file of weights.

    Raises:
        CheckpointError: if it is missing or broken, such as after a full disk.
    """
    try:
        weights = path.read_bytes()
        with h5py.File(path, "r"):
            return weights
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror or error}). Delete the folder {path.parent} "
            "to train anew."
        ) from None


def read_history(path: Path) -> list[dict[str, float]]:
    """Returns the scores of each finished epoch of a run; none without a checkpoint."""
    try:
        with h5py.File(path, "r") as file:
            return list(json.loads(file.attrs["progress"])["history"])
    except (OSError, KeyError, ValueError):
        return []


def _variables(model: keras.Model) -> dict[str, Any]:
    """Returns every variable that the next step depends on, except metrics, by a stable name."""
    kept = model.weights + model.non_trainable_variables + model.optimizer.variables
    unique = {id(variable): variable for variable in kept}
    return {f"{i:04d}/{each.path}": each for i, each in enumerate(unique.values())}
