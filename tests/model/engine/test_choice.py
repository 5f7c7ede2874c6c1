"""Which engine `auto` takes."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from model import engine
from model.engine import load_engine
from model.engine.keras import KerasEngine
from model.engine.onnx import OnnxEngine
from model.folder import load_folder


def test_a_device_that_the_framework_does_not_see_is_no_gpu(
    exported_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "has_gpu_device", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # whatever this machine has
    with caplog.at_level(logging.INFO, "model.engine"):
        found = load_engine(load_folder(exported_folder), "auto")
    assert isinstance(found, OnnxEngine)
    (line,) = caplog.messages
    assert line.startswith("engine onnx-int8 for") and line.endswith("framework sees no GPU")


def test_a_gpu_that_the_framework_sees_is_taken(
    exported_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "has_gpu_device", lambda: True)
    monkeypatch.setattr(engine, "framework_sees_gpu", lambda: True)
    with caplog.at_level(logging.INFO, "model.engine"):
        assert isinstance(load_engine(load_folder(exported_folder), "auto"), KerasEngine)
    assert caplog.messages[0].startswith("engine keras for")


def test_no_framework_is_loaded_where_there_is_no_device(
    exported_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "has_gpu_device", lambda: False)
    monkeypatch.setattr(engine, "framework_sees_gpu", lambda: pytest.fail("it was asked"))
    assert isinstance(load_engine(load_folder(exported_folder), "auto"), OnnxEngine)


def test_a_folder_without_graphs_is_run_by_keras(untrained_folder: Path) -> None:
    assert isinstance(load_engine(load_folder(untrained_folder), "auto"), KerasEngine)
