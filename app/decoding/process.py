"""Processes of workers. Imports little: while a worker loads its model, the server that started it
loads the rest."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.decoding.messages import Disconnected, Link, Ready, WorkerConfig
from app.logs import LogFormat
from app.settings import Settings
from model.engine.cores import usable_cores
from model.errors import EngineError

#: Time that a worker has to end its step.
PATIENCE_SECONDS = 3.0


class Worker(Protocol):
    """Something that runs `app.decoding.worker`.

    Attributes:
        end: this side's end of the socket. The worker stops when it is closed.
    """

    end: socket.socket

    @property
    def memory_bytes(self) -> int:
        """Returns its resident memory; 0 where the system does not tell."""

    def wait_until_ready(self) -> Mapping[str, str]:
        """Blocks until requests can be sent. Returns SHA-256 sums of the model's files, by their
        names.

        Raises:
            FolderError: if the model's folder is absent or broken.
            EngineError: if the engine cannot run here.
        """

    def stop(self) -> None:
        """Stops after the current step; kills the worker if that takes long."""

    def kill(self) -> None:
        """Kills the worker."""


class WorkerProcess:
    """A worker in a process of its own, which ends when this one does. See `Worker`."""

    def __init__(self, config: WorkerConfig, log_format: LogFormat = "text") -> None:
        self.end, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.decoding.worker", str(theirs.fileno()), log_format],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,  # an interrupt at a terminal is for the server
            )
        self._link = Link(self.end)
        self._link.send(config)

    @property
    def pid(self) -> int:
        """Returns the process id."""
        return self._process.pid

    @property
    def memory_bytes(self) -> int:
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except OSError:  # it has ended, or this is not Linux
            return 0
        return int(pages) * resource.getpagesize()

    def wait(self) -> int:
        """Waits until the process has ended. Returns its exit code."""
        return self._process.wait(PATIENCE_SECONDS)

    def wait_until_ready(self) -> Mapping[str, str]:
        try:
            (message,) = self._link.receive(waits=True)
        except Disconnected:
            self._link.close()
            raise EngineError(
                "the model's process ended before it was ready "
                f"(exit code {self.wait()}); what it printed says why"
            ) from None
        if isinstance(message, Ready):
            return message.sha256
        self.stop()
        raise message

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
        """Stops all workers."""
        for worker in (self.first, self.second):
            if worker is not None:
                worker.stop()

    @classmethod
    def of(cls, settings: Settings) -> Launched:
        """Starts the workers of `settings` without waiting for them."""
        first = launch(settings, settings.model)
        second = settings.rerank_model
        return cls(first, None if second is None else launch(settings, second))


def launch(settings: Settings, model: Path) -> WorkerProcess:
    """Starts a worker of the folder `model` without waiting for it."""
    threads = settings.threads or max(1, usable_cores() - 1)
    config = WorkerConfig(
        model,
        settings.engine,
        threads,
        settings.max_rows,
        settings.max_beam_size,
        settings.max_reply_tokens,
    )
    return WorkerProcess(config, settings.log_format)
