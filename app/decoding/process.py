"""Starts workers, each in a process of its own. Imports little: while a worker loads its model, the
server that started it loads the rest."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.decoding.messages import Gone, Link, Order, Ready
from app.settings import Settings
from model.engine.cores import usable_cores
from model.errors import EngineError

#: How long a worker may take to end its step.
PATIENCE_SECONDS = 3.0


class Worker(Protocol):
    """Something that runs `app.decoding.worker`.

    Attributes:
        end: this side's end of the socket. Whoever closes it stops the worker.
    """

    end: socket.socket

    def wait_until_ready(self) -> Mapping[str, str]:
        """Returns when requests can be sent: SHA-256 sums of the model's files, by their names.

        Raises:
            FolderError: if the model's folder is absent or broken.
            EngineError: if the engine cannot run here.
        """

    def stop(self) -> None:
        """Waits for the end of its last step, but not for long."""

    def kill(self) -> None:
        """Ends it at once."""


class WorkerProcess:
    """A worker in a process of its own, which ends when this one does. See `Worker`."""

    def __init__(self, order: Order) -> None:
        self.end, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.decoding.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,  # an interrupt at a terminal is for the server
            )
        self._link = Link(self.end)
        self._link.send(order)

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(PATIENCE_SECONDS)

    def wait_until_ready(self) -> Mapping[str, str]:
        try:
            (told,) = self._link.receive(waits=True)
        except Gone:
            self._link.close()
            raise EngineError(
                "the model's process ended before it was ready "
                f"(exit code {self.wait()}); what it printed says why"
            ) from None
        if isinstance(told, Ready):
            return told.sha256
        self.stop()
        raise told

    def stop(self) -> None:
        self._link.close()
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def kill(self) -> None:
        self._process.kill()


@dataclass(frozen=True)
class Launched:
    """Workers of the model, and of the one that re-ranks, if there is one."""

    first: Worker
    second: Worker | None = None

    def stop(self) -> None:
        """Stops them."""
        for worker in (self.first, self.second):
            if worker is not None:
                worker.stop()

    @classmethod
    def of(cls, settings: Settings) -> Launched:
        """Starts what `settings` ask for, and does not wait."""
        first = launch(settings, settings.model)
        second = settings.rerank_model
        return cls(first, None if second is None else launch(settings, second))


def launch(settings: Settings, model: Path) -> WorkerProcess:
    """Starts a worker of the folder `model`, and does not wait."""
    threads = settings.threads or max(1, usable_cores() - 1)
    return WorkerProcess(
        Order(model, settings.engine, threads, settings.max_rows, settings.max_beam_size)
    )
