from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from app.decoding import client as decoding_client
from app.decoding import process, worker
from app.decoding.messages import Connection, WorkerConfig
from app.decoding.process import WorkerProcess
from app.decoding.served_model import ServedModel, load_model
from app.main import create_app
from app.settings import Settings
from model.errors import EngineError, FolderError
from tests.app.fakes import serving
from tests.conftest import PATIENCE_SECONDS, wait_until

ASKED = {"message": "hello"}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker may take longer to end than in service."""
    monkeypatch.setattr(process, "STOP_TIMEOUT_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def model(exported_folder: Path) -> Iterator[ServedModel]:
    """A model with a worker in a process of its own."""
    loaded = load_model(Settings(model=exported_folder))
    worker = worker_of(loaded)
    yield loaded
    worker.stop()


def worker_of(model: ServedModel) -> WorkerProcess:
    return model.client._worker


def wait_for(client: httpx.Client, status: int) -> None:
    wait_until(lambda: client.get("/health/ready").status_code == status)


def test_a_server_that_stops_waits_for_no_worker_that_starts(exported_folder: Path) -> None:
    worker = process.launch(Settings(), exported_folder)
    process.kill_starting()
    with pytest.raises(EngineError, match="ended before it was ready"):
        worker.wait_until_ready()


def test_a_request_waits_for_the_worker_after_one_that_was_killed(model: ServedModel) -> None:
    may_start = threading.Event()

    def new_worker() -> WorkerProcess:
        assert may_start.wait(PATIENCE_SECONDS)
        return start()

    start, model.client._new_worker = model.client._new_worker, new_worker
    app = create_app(Settings(), load=lambda _: model)
    with serving(app) as client, ThreadPoolExecutor(1) as thread:
        answer = client.post("/reply", json=ASKED).json()
        os.kill(worker_of(model).pid, signal.SIGKILL)
        wait_for(client, 503)
        asking = thread.submit(client.post, "/reply", json=ASKED)
        wait_until(lambda: app.state.models.default.client.waiting == 1)
        may_start.set()
        assert asking.result().json()["candidates"] == answer["candidates"]
        assert client.get("/health/ready").status_code == 200


def test_a_worker_that_makes_no_step_is_replaced(
    model: ServedModel, caplog: pytest.LogCaptureFixture
) -> None:
    watched = model.client

    def new_worker() -> WorkerProcess:
        watched._step_seconds = 24.0
        return start()

    start, watched._new_worker, watched._step_seconds = watched._new_worker, new_worker, 24.0
    with serving(create_app(Settings(), load=lambda _: model)) as client:
        answer = client.post("/reply", json=ASKED).json()
        os.kill(worker_of(model).pid, signal.SIGSTOP)
        watched._step_seconds = 0.5  # only now, as a slow machine's steps may take longer
        again = client.post("/reply", json=ASKED).json()
        assert again["candidates"] == answer["candidates"]
    errors = [each.getMessage() for each in caplog.records if each.name == "app.decoding.client"]
    assert errors == [
        "the model's process made no step for 0.5 seconds with 1 requests; restarting"
    ]


def test_an_idle_worker_is_left_alone(model: ServedModel) -> None:
    model.client._step_seconds = 0.1
    worker = worker_of(model)
    with serving(create_app(Settings(), load=lambda _: model)):
        time.sleep(0.5)
    assert worker.wait() == 0


def test_a_server_stops_though_its_worker_does_not(
    model: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = worker_of(model)
    with serving(create_app(Settings(), load=lambda _: model)):
        os.kill(worker.pid, signal.SIGSTOP)
        monkeypatch.setattr(process, "STOP_TIMEOUT_SECONDS", 0.1)
    assert worker.wait() == -signal.SIGKILL


def test_a_worker_that_cannot_be_started_at_once_is_tried_again(
    model: ServedModel, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding_client, "MIN_BACKOFF_SECONDS", 0.01)
    may_start = threading.Event()
    faults = [OSError(12, "Cannot allocate memory"), EngineError("it died while it loaded")]

    def new_worker() -> WorkerProcess:
        if faults:
            raise faults.pop(0)
        assert may_start.wait(PATIENCE_SECONDS)
        return start()

    start, model.client._new_worker = model.client._new_worker, new_worker
    with serving(create_app(Settings(), load=lambda _: model)) as client:
        os.kill(worker_of(model).pid, signal.SIGKILL)
        wait_for(client, 503)
        assert client.get("/health/live").status_code == 200
        assert client.post("/reply", json=ASKED).status_code == 503
        may_start.set()
        wait_for(client, 200)
        assert client.post("/reply", json=ASKED).status_code == 200
    assert "Cannot allocate memory" in caplog.text and "died while it loaded" in caplog.text
    assert (
        "next attempt in 0.01 seconds" in caplog.text
        and "next attempt in 0.02 seconds" in caplog.text
    )


def test_a_worker_of_another_model_than_the_servers_is_refused(
    exported_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model"
    shutil.copytree(exported_folder, path)
    loaded = load_model(Settings(model=path))
    try:
        config = json.loads((path / "config.json").read_text())
        (path / "more.txt").write_text("of a later training")
        config["sha256"]["more.txt"] = sha256(b"of a later training").hexdigest()
        (path / "config.json").write_text(json.dumps(config))
        with pytest.raises(FolderError, match="model: was replaced by another model"):
            loaded.client._new_worker()
    finally:
        worker_of(loaded).stop()


def test_a_worker_ignores_the_signals_that_end_its_server(model: ServedModel) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(worker_of(model).pid, number)
    with serving(create_app(Settings(), load=lambda _: model)) as client:
        assert client.post("/reply", json=ASKED).status_code == 200


def test_a_worker_ends_with_its_server(model: ServedModel) -> None:
    worker_of(model).socket.close()
    assert worker_of(model).wait() == 0


def config_of(path: Path, **document: object) -> WorkerConfig:
    """The configuration of a worker for a folder that was not checked."""
    values = {"sha256": {"model.weights.h5": "0"}, **document}
    return WorkerConfig(path, values, "auto", threads=1, max_rows=4, max_beam_size=4, max_tokens=8)


def test_no_worker_is_started_if_one_has_no_configuration(
    exported_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "WorkerProcess", lambda *_: pytest.fail("was started"))
    settings = Settings(model=exported_folder, rerank_model=Path("absent"))
    with pytest.raises(FolderError, match="absent: no such model folder"):
        process.LaunchedWorkers.launch(settings)


def test_a_worker_starts_in_a_folder_with_modules_of_the_same_names(
    exported_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app").mkdir()
    for name in ("app/__init__.py", "model.py"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    worker = process.launch(Settings(), exported_folder)
    assert worker.wait_until_ready()
    worker.stop()


def test_a_worker_tells_why_it_cannot_serve(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"absent/model\.weights\.h5: missing"):
        WorkerProcess(config_of(tmp_path / "absent")).wait_until_ready()


def test_a_worker_that_dies_before_it_is_ready_is_reported(tmp_path: Path) -> None:
    worker = WorkerProcess(config_of(tmp_path))
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match=r"exit code -9"):
        worker.wait_until_ready()


def test_a_worker_that_hangs_up_before_it_is_ready_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STOP_TIMEOUT_SECONDS", 0.1)
    worker = WorkerProcess(config_of(tmp_path))
    os.kill(worker.pid, signal.SIGSTOP)
    worker.socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(EngineError, match=r"exit code -9"):
        worker.wait_until_ready()


def test_an_error_that_nobody_expected_while_loading_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_engine(*_: object, **__: object) -> None:
        raise OSError("libcudart.so.11.0: cannot open shared object file")

    monkeypatch.setattr(worker, "load_engine", load_engine)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        Connection(ours).send(config_of(tmp_path, sha256={}))
        with pytest.raises(OSError, match="libcudart"):
            worker.serve(Connection(theirs))
