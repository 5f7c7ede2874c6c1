"""How many of our files a reply and a subtitle line pass through: those of which a function runs.

python -m benchmarks.files [--list]
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from app.decoding.messages import Connection
from app.decoding.process import WorkerProcess, worker_config
from app.decoding.served_model import ServedModel
from app.decoding.worker import serve
from app.main import create_app
from app.server import config_of
from app.settings import Settings
from model.folder import load_folder
from training.prepare.prepare import prepare
from training.recipe import Recipe

ROOT = Path(__file__).parent.parent
ROOMS = "app", "model", "training"
CUE = (
    "{0}\n00:{0:02}:01,000 --> 00:{0:02}:02,000\n- Who is number {0}?\n- It is me, number {0}.\n\n"
)


class Recorder:
    """The files whose functions run, in any thread, while it records."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self._is_recording = False

    @contextmanager
    def recording(self) -> Iterator[None]:
        self._is_recording = True
        sys.setprofile(self.hook)
        yield
        sys.setprofile(None)
        self._is_recording = False

    def hook(self, frame: FrameType, event: str, _: Any) -> None:
        """Adds the file of a function; bodies of modules and classes run at import."""
        code = frame.f_code
        if self._is_recording and event == "call" and code.co_flags & CO_OPTIMIZED:
            path = Path(code.co_filename)
            if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in ROOMS:
                self.files.add(str(path.relative_to(ROOT)))


class ThreadWorker(WorkerProcess):
    """A worker on a thread of this process."""

    def __init__(self, settings: Settings) -> None:
        self.socket, child_socket = socket.socketpair()
        self._connection = Connection(self.socket)
        self._connection.send(worker_config(settings, settings.model))
        self._thread = threading.Thread(target=serve, args=[Connection(child_socket)], daemon=True)
        self._thread.start()

    @property
    def memory_bytes(self) -> int:
        return 0

    def wait_until_ready(self) -> Mapping[str, str]:
        (ready,) = self._connection.receive(block=True)
        sums: Mapping[str, str] = ready.sha256
        return sums

    def stop(self) -> None:
        self.socket.close()
        self._thread.join()

    def kill(self) -> None:
        self.stop()


def files_of_a_reply(model: Path) -> set[str]:
    """Returns the files that run between a request's first byte and its answer's last."""
    recorder, settings = Recorder(), Settings(model=model, port=0)
    threading.setprofile(recorder.hook)
    folder, worker = load_folder(model), ThreadWorker(settings)
    worker.wait_until_ready()
    loaded = ServedModel.of_worker(
        worker, lambda: worker, folder.config, folder.tokenizer, settings
    )
    server = uvicorn.Server(config_of(create_app(settings, preloaded=loaded), settings))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    url, headers = f"http://127.0.0.1:{port}/reply", {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps({"message": "Hi!"}).encode(), headers)
    urllib.request.urlopen(request).read()  # fills caches
    with recorder.recording():
        urllib.request.urlopen(request).read()
    server.should_exit = True
    thread.join()
    threading.setprofile(None)
    return recorder.files


def files_of_a_subtitle_line() -> set[str]:
    """Returns the files that run between a folder of subtitles and the shards."""
    recorder = Recorder()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.srt").write_text("".join(map(CUE.format, range(60))))
        source = {"format": "subtitles", "path": folder}
        recipe = Recipe.parse(
            {
                "name": "files",
                "task": "reply",
                "output": folder + "/run",
                "corpus": {"sources": [source], "rules": ["unicode", "length"]},
                "tokenizer": {"vocab_size": 64},
            },
            where="benchmark",
        )
        with recorder.recording():
            prepare(recipe, Path(folder, "recipe.toml"))
    return recorder.files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "default")
    parser.add_argument("--list", action="store_true", help="name the files")
    arguments = parser.parse_args()
    for name, files in [
        ("a reply", files_of_a_reply(arguments.model)),
        ("a subtitle line", files_of_a_subtitle_line()),
    ]:
        print(f"{name}: {len(files)} files")
        if arguments.list:
            print(*(f"  {file}" for file in sorted(files)), sep="\n")


if __name__ == "__main__":
    main()
