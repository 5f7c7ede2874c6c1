from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.main import create_app
from app.settings import Settings, describe_ineffective, read_settings, settings_table
from model.errors import ConfigError


def faults() -> list[str]:
    """Reads wrong settings; returns the lines of the error."""
    with pytest.raises(ConfigError) as caught:
        read_settings()
    return str(caught.value).splitlines()


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQ2SEQ_PORT", "9000")
    assert read_settings().port == 9000


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQ2SEQ_PORT", "")
    assert read_settings().port == 8000


def test_white_space_around_a_value_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQ2SEQ_HOST", " 0.0.0.0\r")  # from a file with Windows line ends
    assert read_settings().host == "0.0.0.0"


@pytest.mark.parametrize("origins", ["*", "https://a.example, http://localhost:3000", "null", " "])
def test_origins_are_accepted(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("SEQ2SEQ_CORS_ORIGINS", origins)
    assert read_settings().cors_origins == origins.strip()


@pytest.mark.parametrize("origin", ["https://a.example/", "a.example", "https://a.example/chat"])
def test_an_origin_that_no_browser_sends_is_refused(
    monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    monkeypatch.setenv("SEQ2SEQ_CORS_ORIGINS", f"https://b.example,{origin}")
    [fault] = faults()
    assert fault.startswith(f"SEQ2SEQ_CORS_ORIGINS: '{origin}' is no origin")


@pytest.mark.parametrize("path", ["chat", "/chat/", "/"])
def test_a_path_that_no_proxy_strips_is_refused(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("SEQ2SEQ_ROOT_PATH", path)
    rule = "must begin with / and not end with it, such as /chat"
    assert faults() == [f"SEQ2SEQ_ROOT_PATH: {rule}. Received: '{path}'"]


def test_every_wrong_variable_is_named_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQ2SEQ_PORT", "abc")
    monkeypatch.setenv("SEQ2SEQ_REQUEST_TIMEOUT_SECONDS", "inf")
    port, timeout = faults()
    assert port.startswith("SEQ2SEQ_PORT: ") and port.endswith("Received: 'abc'")
    assert timeout.startswith("SEQ2SEQ_REQUEST_TIMEOUT_SECONDS: ")


def test_unknown_and_invalid_variables_are_reported_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEQ2SEQ_PROT", "9000")
    monkeypatch.setenv("SEQ2SEQ_MAX_ROWS", "many")
    unknown, invalid = faults()
    assert unknown.startswith("SEQ2SEQ_PROT: ") and invalid.startswith("SEQ2SEQ_MAX_ROWS: ")


def test_a_beam_must_fit_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQ2SEQ_MAX_ROWS", "2")
    with pytest.raises(
        ConfigError, match=r"at most SEQ2SEQ_MAX_ROWS; set both. Received: 16 and 2"
    ):
        read_settings()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"redis_url": "redis://a/0"}, "REDIS_URL has no effect without SEQ2SEQ_RATE_LIMIT_PER_"),
        ({"rate_limit_burst": 60}, "RATE_LIMIT_BURST has no effect without SEQ2SEQ_RATE_LIMIT_"),
        ({"max_model_memory_mib": 100}, "MAX_MODEL_MEMORY_MIB has no effect without SEQ2SEQ_MOD"),
        ({"threads": 2, "engine": "keras"}, "THREADS has no effect with SEQ2SEQ_ENGINE=keras"),
        ({"worker_timeout_seconds": 30}, "below SEQ2SEQ_REQUEST_TIMEOUT_SECONDS. Received: 30 and"),
    ],
)
def test_a_setting_without_effect_is_named_with_the_other(
    values: dict[str, Any], sentence: str
) -> None:
    [warning] = describe_ineffective(Settings(**values))
    assert sentence in warning


def test_settings_with_an_effect_are_not_named() -> None:
    assert not [*describe_ineffective(Settings())]
    limits = Settings(rate_limit_per_minute=1, rate_limit_burst=9, redis_url="redis://a/0")
    assert not [*describe_ineffective(limits)]


def test_an_application_logs_settings_without_effect(
    exported_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(Settings(model=exported_folder, rate_limit_burst=5))

    async def start() -> None:
        async with app.router.lifespan_context(app):
            pass

    asyncio.run(start())
    assert "SEQ2SEQ_RATE_LIMIT_BURST has no effect" in caplog.text


def test_every_setting_is_described() -> None:
    table = settings_table()
    assert len(table) == len(Settings.model_fields)
    assert all(text != "None" for _, _, text in table)


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("SEQ2SEQ_MDOEL", "SEQ2SEQ_MODEL"),
        ("SEQ2SEQ_PROT", "SEQ2SEQ_PORT"),
        ("seq2seq_queue", "SEQ2SEQ_MAX_QUEUE"),
    ],
)
def test_a_variable_that_is_no_setting_is_refused_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, nearest: str
) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ConfigError, match=f"{variable}: .* nearest is {nearest}"):
        read_settings()


def test_a_variable_of_the_tests_is_no_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_settings()
    monkeypatch.setenv("SEQ2SEQ_DATA", "corpora")
    assert read_settings() == before
