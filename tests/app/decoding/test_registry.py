from __future__ import annotations

import errno
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.decoding.process import WorkerProcess
from app.decoding.registry import model_folders
from app.decoding.served_model import ServedModel, load_model
from app.main import create_app
from app.settings import Settings
from model.contract import Engine
from model.errors import FolderError
from model.folder import load_folder, write_folder
from model.generator import Generator
from tests.app.fakes import loaded, serving
from tests.conftest import PATIENCE_SECONDS, wait_until
from tests.engines import TableEngine

#: Between two looks at the folders.
SOON = 0.05


def write_variant(folder: Path, path: Path, name: str, max_tokens: int = 8) -> None:
    """Writes `folder` to `path` under another name; its replies have as many tokens at most."""
    config = load_folder(folder).config
    search = config.search.model_copy(update={"max_tokens": max_tokens})
    document = config.model_copy(update={"name": name, "search": search})
    write_folder(path, document, {each: (folder / each).read_bytes() for each in config.sha256})


@contextmanager
def serving_folders(default: Path, models: Path, **others: Any) -> Iterator[httpx.Client]:
    """A server of the model `default` and of those in `models`, once all are ready."""
    settings = Settings(model=default, models=models, reload_seconds=SOON, **others)
    with serving(create_app(settings), settings) as client:
        wait_until(lambda: client.get("/health/ready").status_code == 200)
        yield client


def states(client: httpx.Client) -> dict[str, str]:
    """The state of each model."""
    found: dict[str, str] = client.get("/health/ready").json()["models"]
    return found


def ask(client: httpx.Client, **wishes: Any) -> dict[str, Any]:
    """The answer to a message."""
    answer = client.post("/reply", json={"message": "hello", **wishes})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_models_are_served_by_name(exported_folder: Path, tmp_path: Path) -> None:
    write_variant(exported_folder, tmp_path / "a", "short", max_tokens=1)
    write_variant(exported_folder, tmp_path / "b", "long", max_tokens=9)
    (tmp_path / "notes").mkdir()
    with serving_folders(exported_folder, tmp_path) as client:
        assert states(client) == {"untrained": "ready", "short": "ready", "long": "ready"}
        assert ask(client)["model"] == "untrained"
        assert ask(client, model="untrained")["model"] == "untrained"
        short, long = ask(client, model="short"), ask(client, model="long")
        assert (short["model"], short["usage"]["completion_tokens"]) == ("short", 1)
        assert (long["model"], long["usage"]["completion_tokens"]) == ("long", 9)
        unknown = client.post("/reply", json={"message": "hello", "model": "other"})
        error = unknown.json()["error"]
        assert unknown.status_code == 404
        assert (error["code"], error["field"]) == ("model_not_found", "model")


def test_a_model_that_is_replaced_keeps_its_place(exported_folder: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):  # clients of LibreTranslate get the first model of two languages
        write_variant(exported_folder, tmp_path / name, name)
    with serving_folders(exported_folder, tmp_path) as client:
        assert [*states(client)] == ["untrained", "a", "b"]
        write_variant(exported_folder, tmp_path / "a", "a", max_tokens=1)
        wait_until(lambda: ask(client, model="a")["usage"]["completion_tokens"] == 1)
        assert [*states(client)] == ["untrained", "a", "b"]


def test_the_default_folder_is_loaded_once(exported_folder: Path, tmp_path: Path) -> None:
    write_variant(exported_folder, tmp_path / "a", "first")
    with serving_folders(tmp_path / "a", tmp_path) as client:
        assert states(client) == {"first": "ready"}


def test_a_changed_folder_is_served_without_a_failed_or_mixed_answer(
    exported_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "models" / "a"
    write_variant(exported_folder, path, "a", max_tokens=5)
    results: list[tuple[int, int]] = []
    stop = threading.Event()

    def has_come(outcome: tuple[int, int]) -> bool:
        return outcome in results

    def ask_on() -> None:
        with httpx.Client(base_url=client.base_url, timeout=client.timeout) as own:
            while not stop.is_set():
                answer = own.post("/reply", json={"message": "hello", "model": "a"})
                tokens = answer.json().get("usage", {}).get("completion_tokens", 0)
                results.append((answer.status_code, tokens))

    with serving_folders(exported_folder, path.parent, request_timeout_seconds=2.0) as client:
        threads = [threading.Thread(target=ask_on) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for max_tokens in (6, 7):
                write_variant(exported_folder, path, "a", max_tokens)
                wait_until(partial(has_come, (200, max_tokens)))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert set(results) == {(200, 5), (200, 6), (200, 7)}


def test_a_folder_that_breaks_leaves_its_model_in_service(
    exported_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_variant(exported_folder, tmp_path / "a", "a")
    with serving_folders(exported_folder, tmp_path) as client:
        before = ask(client, model="a")
        (tmp_path / "a" / "encoder.int8.onnx").write_bytes(b"no graph")
        wait_until(lambda: "model a stays in service" in caplog.text)
        assert "encoder.int8.onnx: contents differ" in caplog.text
        assert ask(client, model="a")["candidates"] == before["candidates"]
        write_variant(exported_folder, tmp_path / "a", "a", max_tokens=2)
        wait_until(lambda: ask(client, model="a")["usage"]["completion_tokens"] == 2)
    assert caplog.text.count("stays in service") == 1


def test_folders_come_and_go(exported_folder: Path, tmp_path: Path) -> None:
    with serving_folders(exported_folder, tmp_path) as client:
        write_variant(exported_folder, tmp_path / "a", "a")
        wait_until(lambda: "a" in states(client))
        ask(client, model="a")
        shutil.rmtree(tmp_path / "a")
        wait_until(lambda: "a" not in states(client))
        assert client.post("/reply", json={"message": "hello", "model": "a"}).status_code == 404


def test_a_name_that_is_taken_is_refused(
    exported_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_variant(exported_folder, tmp_path / "a", "same", max_tokens=3)
    write_variant(exported_folder, tmp_path / "b", "same", max_tokens=4)
    with serving_folders(exported_folder, tmp_path) as client:
        assert ask(client, model="same")["usage"]["completion_tokens"] == 3
    assert f"{tmp_path / 'b'}: has the same name as {tmp_path / 'a'}: 'same'" in caplog.text
    assert "Change `name` in the config.json of one" in caplog.text  # not that of the folder


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_dies_or_hangs_costs_no_request(
    exported_folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    write_variant(exported_folder, tmp_path / "a", "a")
    settings = Settings(model=exported_folder, models=tmp_path)
    app = create_app(settings)
    with serving(app, settings) as client, ThreadPoolExecutor(1) as thread:
        wait_until(lambda: client.get("/health/ready").status_code == 200)
        before = ask(client, model="a")["candidates"]
        (watched,) = (m.client for m in app.state.models.loaded() if m.config.name == "a")
        new_worker = watched._new_worker

        def patient_worker() -> WorkerProcess:
            watched._step_seconds = settings.worker_timeout_seconds
            return new_worker()

        watched._new_worker = patient_worker
        os.kill(watched._worker.pid, number)
        watched._step_seconds = 0.5  # only now, as a slow machine's steps may take longer
        asking = thread.submit(ask, client, model="a")
        assert ask(client)["model"] == "untrained"
        assert client.get("/health/ready").status_code == 200
        assert asking.result()["candidates"] == before
        assert (states(client)["a"], watched.restarts) == ("ready", 1)


def test_beyond_the_memory_models_wait_for_a_request(exported_folder: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_variant(exported_folder, tmp_path / name, name)
    with serving_folders(exported_folder, tmp_path, max_model_memory_mib=1) as client:
        assert states(client) == {"untrained": "ready", "a": "unloaded", "b": "unloaded"}
        assert ask(client, model="a")["model"] == "a"
        assert states(client) == {"untrained": "ready", "a": "ready", "b": "unloaded"}
        assert ask(client, model="b")["model"] == "b"
        assert states(client) == {"untrained": "ready", "a": "unloaded", "b": "ready"}


def test_unloaded_models_are_gone_before_others_are_loaded(
    exported_folder: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        write_variant(exported_folder, tmp_path / name, name)
    settings = Settings(model=exported_folder, models=tmp_path, max_model_memory_mib=1)
    app = create_app(settings)
    with serving(app, settings) as client:
        wait_until(lambda: client.get("/health/ready").status_code == 200)
        for name in ("a", "b", "a", "b"):
            assert ask(client, model=name)["model"] == name
            assert len(app.state.models._active) <= 3  # the default, this one and the last one


def test_an_unloaded_model_that_breaks_is_not_said_to_be_in_service(
    exported_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_variant(exported_folder, tmp_path / "a", "a")
    with serving_folders(exported_folder, tmp_path, max_model_memory_mib=1) as client:
        (tmp_path / "a" / "encoder.int8.onnx").write_bytes(b"no graph")
        answer = client.post("/reply", json={"model": "a", "message": "hello"})
    assert answer.status_code == 503
    assert "contents differ" in caplog.text and "stays in service" not in caplog.text


def test_models_that_are_still_loaded_are_listed_and_told_of(
    make_generator: Callable[[Engine], Generator], table_engine: TableEngine, tmp_path: Path
) -> None:
    generator, gate = make_generator(table_engine), threading.Event()
    facts = {"name": "words", "task": "translate", "languages": ("en", "de")}
    translator = Generator(
        generator.config.model_copy(update=facts), generator.tokenizer, table_engine
    )
    broken = translator.config.model_copy(update={"name": "broken"})
    for folder, config in ((tmp_path / "a", translator.config), (tmp_path / "b", broken)):
        folder.mkdir()
        (folder / "config.json").write_text(config.model_dump_json())

    def load(settings: Settings) -> ServedModel:
        if settings.model == Settings().model:
            return loaded(generator, settings)
        assert gate.wait(PATIENCE_SECONDS)
        if settings.model == tmp_path / "b":
            raise FolderError(f"{settings.model}: is broken")
        return loaded(translator, settings)

    settings = Settings(models=tmp_path)
    text = {"q": "hello", "source": "en", "target": "de"}
    question = {"model": "words", "messages": [{"role": "user", "content": "hello"}]}
    with serving(create_app(settings, load=load), settings) as client:
        try:
            assert ask(client)["model"] == "tiny"
            pair = {"code": "en", "name": "English", "targets": ["de"]}  # of two models
            assert client.get("/languages").json() == [pair]
            listed = [each["id"] for each in client.get("/v1/models").json()["data"]]
            assert listed == ["tiny", "words", "broken"]
            for path, body in (
                ("/translate", text),
                ("/translate", {**text, "source": "auto"}),
                ("/reply", {"message": "hello", "model": "words"}),
                ("/v1/chat/completions", question),
            ):
                answer = client.post(path, json=body)
                assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
                assert "'words' is still being loaded" in answer.text
            assert client.get("/health/ready").status_code == 503
        finally:
            gate.set()
        wait_until(lambda: client.get("/health/ready").status_code == 200)
        assert client.post("/translate", json=text).status_code == 200
        assert states(client) == {"tiny": "ready", "words": "ready"}
        assert client.post("/reply", json={"message": "hi", "model": "broken"}).status_code == 404


def test_an_error_that_nobody_expected_costs_one_attempt_at_one_folder(
    make_generator: Callable[[Engine], Generator],
    table_engine: TableEngine,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    generator = make_generator(table_engine)
    names = ["a", "b"]
    for name in names:
        (tmp_path / name).mkdir()
        config = generator.config.model_copy(update={"name": name})
        (tmp_path / name / "config.json").write_text(config.model_dump_json())
    faults = [RuntimeError("can't start new thread")]

    def load(settings: Settings) -> ServedModel:
        name = settings.model.name
        if name == "a" and faults:
            raise faults.pop()
        config = generator.config.model_copy(update={"name": name if name in names else "tiny"})
        return loaded(Generator(config, generator.tokenizer, table_engine), settings)

    settings = Settings(models=tmp_path, reload_seconds=SOON)
    with serving(create_app(settings, load=load), settings) as client:
        wait_until(lambda: client.get("/health/startup").status_code == 200)
        assert states(client) == {"tiny": "ready", "b": "ready"}
        assert f"{tmp_path / 'a'}: cannot be loaded" in caplog.text
        (tmp_path / "a" / "more.txt").touch()
        wait_until(lambda: states(client).get("a") == "ready")


def test_a_model_that_could_not_be_loaded_is_tried_again(
    exported_folder: Path, tmp_path: Path
) -> None:
    faults = [RuntimeError("can't start new thread")]

    def load(settings: Settings) -> ServedModel:
        if settings.model == tmp_path / "a" and faults:
            raise faults.pop()
        return load_model(settings)

    write_variant(exported_folder, tmp_path / "a", "a")
    settings = Settings(model=exported_folder, models=tmp_path, max_model_memory_mib=1)
    with serving(create_app(settings, load=load), settings) as client:
        wait_until(lambda: states(client) == {"untrained": "ready", "a": "unloaded"})
        assert client.post("/reply", json={"message": "hello", "model": "a"}).status_code == 500
        assert ask(client, model="a")["model"] == "a"


def test_an_absent_folder_of_models_is_named(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="absent: not a readable folder of models"):
        model_folders(tmp_path / "absent")


def test_a_model_is_no_folder_of_models(untrained_folder: Path) -> None:
    with pytest.raises(FolderError, match=r"is a model, not a folder of models\. Set SEQ2SEQ_"):
        model_folders(untrained_folder)


def test_a_folder_that_nobody_may_read_is_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stat(path: Any, **options: Any) -> os.stat_result:
        if "lost+found" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied")
        return original(path, **options)

    for name in ("films", "lost+found"):
        (tmp_path / name).mkdir()
    (tmp_path / "films" / "config.json").touch()
    original = os.stat
    monkeypatch.setattr(os, "stat", stat)
    assert model_folders(tmp_path) == [tmp_path / "films"]


def test_a_folder_without_models_is_reported(
    exported_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving_folders(exported_folder, tmp_path):
        assert "SEQ2SEQ_MODELS has no model folders in it yet" in caplog.text
