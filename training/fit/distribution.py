"""Data-parallel training on several devices, in one process or several. Knows no recipe.

Each device gets an equal share of the rows of every batch, and sums over a batch are sums over the
devices (`keras.distribution.DataParallel`, which only JAX has). Each process reads the rows of its
own devices. All processes make the same decisions, since they see the same losses; only the first
one writes.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from model.types import Tensor
from training.errors import DeviceError

#: Whether steps are compiled by XLA. Without it, JAX would run operator by operator; with
#: TensorFlow on a CPU, XLA trains slower.
COMPILES_STEPS = keras.backend.backend() == "jax"
#: Environment variables with the number of processes: those of Keras, Kubeflow Trainer, `srun` and
#: `mpirun`.
PROCESS_COUNTS = (
    "KERAS_DISTRIBUTION_NUM_PROCESSES",
    "JAX_NUM_PROCESSES",
    "SLURM_STEP_NUM_TASKS",
    "OMPI_COMM_WORLD_SIZE",
)

#: Beginning of XLA errors, whatever their class: `UNKNOWN: Gloo AllGather failed ...`
STATUS = re.compile(r"[A-Z_]+: ")
#: In the class or the text of an error about memory: of TensorFlow, JAX, PyTorch, and NumPy.
EXHAUSTED = re.compile("ResourceExhausted|RESOURCE_EXHAUSTED|OutOfMemory|MemoryError")


@dataclass(frozen=True)
class Devices:
    """Devices that train together.

    Attributes:
        distribution: `keras.distribution.DataParallel` over all of them; None: one device.
        process: index of this process, from 0.
        processes: number of processes.
    """

    distribution: Any = None
    process: int = 0
    processes: int = 1

    @property
    def count(self) -> int:
        """Returns the number of devices of all processes."""
        return self.distribution.num_model_replicas if self.distribution else 1

    @property
    def is_first(self) -> bool:
        """Tells whether this process is the one that writes."""
        return not self.process

    def share(self, rows: int) -> slice:
        """Returns the rows of a batch that this process reads; `rows` is a multiple of `count`."""
        each = rows // self.processes
        return slice(each * self.process, each * (self.process + 1))

    def scope(self) -> AbstractContextManager[None]:
        """Makes Keras distribute what it creates and trains on while the context is open: variables
        are replicated, the rows of a batch are divided among the devices."""
        return self.distribution.scope() if self.distribution else nullcontext()

    def to_tensor(self, share: np.ndarray) -> Tensor:
        """Returns the tensor whose rows are the shares of all processes."""
        if not self.distribution:
            return ops.convert_to_tensor(share)
        import jax

        layout = self.distribution.get_data_layout(share.shape)
        return jax.make_array_from_process_local_data(layout.backend_layout, share)

    def broadcast_from_first(self, compute: Callable[[], float]) -> float:
        """Returns the result of the first process, which need not be distributed."""
        value = compute() if self.is_first else 0.0
        if self.processes == 1:
            return value
        from jax.experimental import multihost_utils

        return float(multihost_utils.broadcast_one_to_all(np.float32(value)))

    def is_same_everywhere(self, content: bytes) -> bool:
        """Tells whether all processes have the same content."""
        from jax.experimental import multihost_utils

        digest = np.frombuffer(hashlib.sha256(content).digest(), np.uint32)
        return bool((multihost_utils.process_allgather(digest) == digest).all())

    @contextmanager
    def exit_on_failure(self) -> Iterator[None]:
        """Makes a process that fails while the context is open exit at once, and explains the
        resulting errors in the others.

        Raises:
            DeviceError: if a step fails in one of several processes.
        """
        if self.processes == 1:
            yield
            return
        import jax

        has_failed = True
        try:
            yield
            has_failed = False
        except (jax.errors.JaxRuntimeError, ValueError) as error:
            if not STATUS.match(str(error)):
                raise
            raise DeviceError(
                f"process {self.process} of {self.processes} cannot continue: "
                f"{str(error).splitlines()[0]}. Find out whether another one has ended, "
                "and why. Then start all of them again: the run resumes from its last checkpoint."
            ) from error
        finally:
            if has_failed:
                atexit.register(os._exit, 1)  # before JAX waits for the others, and aborts


@contextmanager
def explain_exhaustion() -> Iterator[None]:
    """Explains an error about memory that a backend raises while the context is open.

    Raises:
        DeviceError: in its place.
    """
    try:
        yield
    except Exception as error:  # each backend has its own
        if not EXHAUSTED.search(f"{type(error).__name__}: {error}"):
            raise
        raise DeviceError(
            "there is not enough memory to train this network. Lower fit.batch_tokens, the units "
            "or layers in [network], or tokenizer.vocab_size."
        ) from error


#: One device, as Keras chooses it.
ONE_DEVICE = Devices()


def choose_devices(devices_per_process: int, *, compiled: Path) -> Devices:
    """Returns the devices to train on, in this process and those launched with it. Call this before
    any computation, but after seeding Keras, which would otherwise draw a seed.

    Args:
        devices_per_process: the number of devices of each process. On a CPU they are virtual.
        compiled: cache folder for compiled steps, unless `JAX_COMPILATION_CACHE_DIR` is set.

    Raises:
        DeviceError: if there are fewer devices, or the processes cannot reach each other.
    """
    processes = max(map(_processes_of, PROCESS_COUNTS))
    if keras.backend.backend() != "jax":
        if devices_per_process * processes > 1:
            raise DeviceError(
                f"{devices_per_process} devices in {processes} processes: Keras trains on several "
                f"devices with JAX only, and the backend is {keras.backend.backend()}. Install "
                "jax and set KERAS_BACKEND=jax."
            )
        return ONE_DEVICE
    import jax

    if not jax.config.jax_compilation_cache_dir:
        jax.config.update("jax_compilation_cache_dir", str(compiled))
    if devices_per_process * processes == 1:
        return ONE_DEVICE
    if devices_per_process > 1 and "host_platform_device_count" not in os.environ.get(
        "XLA_FLAGS", ""
    ):
        jax.config.update("jax_num_cpu_devices", devices_per_process)
    if processes > 1:
        _join()
    chosen = _chosen_devices(devices_per_process)
    return Devices(
        keras.distribution.DataParallel(devices=chosen, auto_shard_dataset=False),
        jax.process_index(),
        jax.process_count(),
    )


def _processes_of(variable: str) -> int:
    """Returns the number of processes given by an environment variable, 1 if it is unset."""
    value = os.environ.get(variable) or "1"
    if not value.isdecimal():
        raise DeviceError(f"{variable} is not a number of processes. Received: {value!r}")
    return int(value)


def _join() -> None:
    """Connects this process to the others. Keras and JAX read the variables of Slurm, Open MPI and
    Keras, but only the address of JAX's own variables.

    Raises:
        DeviceError: if they cannot be reached.
    """
    count, number = (os.environ.get(f"JAX_{name}") for name in ("NUM_PROCESSES", "PROCESS_ID"))
    options = {"num_processes": int(count), "process_id": int(number)} if count and number else {}
    try:
        keras.distribution.initialize(**options)
    except (RuntimeError, ValueError) as error:
        raise DeviceError(
            f"the processes of this run cannot reach each other: {error}. Each needs the address "
            "of the first (KERAS_DISTRIBUTION_JOB_ADDRESSES=host:port), how many there are "
            "(KERAS_DISTRIBUTION_NUM_PROCESSES) and its own number, from 0 "
            "(KERAS_DISTRIBUTION_PROCESS_ID)."
        ) from error


def _chosen_devices(devices_per_process: int) -> list[str]:
    """Returns the names of the first devices of each process, as Keras names them."""
    import jax

    chosen = []
    for process in range(jax.process_count()):
        found = [each for each in jax.devices() if each.process_index == process]
        if len(found) < devices_per_process:
            raise DeviceError(
                f"process {process} has {len(found)} devices ({found[0].platform}), and "
                f"{devices_per_process} are wanted. Choose fewer with --devices."
            )
        chosen += [f"{each.platform}:{each.id}" for each in found[:devices_per_process]]
    return chosen
