"""Worker processes. Imports little: while a worker loads its model, the server that started it
imports the rest."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakSet

from app.decoding.messages import Connection, Disconnected, Ready, WorkerConfig
from app.logs import LogFormat
from app.settings import Settings
from model.engine import python_environment
from model.engine.cores import usable_cores
from model.errors import EngineError
from model.folder import find_folder, read_config

#: Time that a worker has to finish its step when it is stopped.
STOP_TIMEOUT_SECONDS = 3.0


#: Workers of this process that are not ready yet.
_starting: WeakSet[WorkerProcess] = WeakSet()


class WorkerProcess:
    """A running `app.decoding.worker`, which ends with this process.

    Attributes:
        socket: this side of the connection. The worker stops when it is closed.
    """

    def __init__(self, config: WorkerConfig, log_format: LogFormat = "text") -> None:
        self.socket, child_socket = socket.socketpair()
        with child_socket:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "app.decoding.worker",
                    str(child_socket.fileno()),
                    log_format,
                ],
                env=python_environment(),
                pass_fds=[child_socket.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,  # an interrupt at the terminal goes to the server only
            )
        self._connection = Connection(self.socket)
        self._connection.send(config)
        _starting.add(self)

    @property
    def pid(self) -> int:
        """Returns the process id."""
        return self._process.pid

    @property
    def memory_bytes(self) -> int:
        """Returns its resident memory; 0 if the system does not report it."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except OSError:  # it has ended, or this is not Linux
            return 0
        return int(pages) * resource.getpagesize()

    def wait(self) -> int:
        """Waits until the process has ended. Returns its exit code."""
        return self._process.wait(STOP_TIMEOUT_SECONDS)

    def wait_until_ready(self) -> Mapping[str, str]:
        """Blocks until requests can be sent. Returns the SHA-256 hash of each of the model's files,
        by file name.

        Raises:
            FolderError: if the model's folder is absent or broken.
            EngineError: if the engine cannot run here.
        """
        try:
            (message,) = self._connection.receive(block=True)
            _starting.discard(self)
        except Disconnected:
            self.stop()
            raise EngineError(
                "the model's process ended before it was ready "
                f"(exit code {self._process.returncode}); what it printed says why"
            ) from None
        if isinstance(message, Ready):
            return message.sha256
        self.stop()
        raise message

    def stop(self) -> None:
        """Stops the worker after its current step; kills it if that takes too long."""
        self._connection.close()
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def kill(self) -> None:
        """Kills the worker."""
        self._process.kill()


def kill_starting() -> None:
    """Kills the workers that are not ready yet, so that the threads that wait for them end."""
    for worker in list(_starting):
        worker.kill()


@dataclass(frozen=True)
class LaunchedWorkers:
    """Started workers of the default model and of the re-ranking model, if there is one."""

    default: WorkerProcess
    reranker: WorkerProcess | None = None

    def stop(self) -> None:
        """Stops all workers."""
        for worker in (self.default, self.reranker):
            if worker is not None:
                worker.stop()

    @classmethod
    def launch(cls, settings: Settings) -> LaunchedWorkers:
        """Starts the workers that `settings` name, without waiting for them.

        Raises:
            FolderError: if the configuration of one of the models cannot be read.
        """
        models = [path for path in (settings.model, settings.rerank_model) if path is not None]
        configs = [worker_config(settings, path) for path in models]  # all, before one starts
        return cls(*(WorkerProcess(config, settings.log_format) for config in configs))


def launch(settings: Settings, model: Path) -> WorkerProcess:
    """Starts a worker for the folder `model`, without waiting for it.

    Raises:
        FolderError: if its configuration cannot be read.
    """
    return WorkerProcess(worker_config(settings, model), settings.log_format)


def worker_config(settings: Settings, model: Path) -> WorkerConfig:
    """Returns the configuration of a worker for the folder `model`.

    Raises:
        FolderError: if the folder's configuration cannot be read.
    """
    path = find_folder(model)
    threads = settings.threads or max(1, usable_cores() - 1)
    return WorkerConfig(
        path,
        read_config(path).model_dump(mode="json"),
        settings.engine,
        threads,
        settings.max_rows,
        settings.max_beam_size,
        settings.max_reply_tokens,
    )
