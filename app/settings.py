"""Settings of the server, from environment variables `SEQ2SEQ_*`. Every limit is finite."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.logs import LogFormat
from model.engine import EngineName
from model.errors import ConfigError
from model.folder import DEFAULT_MODEL

ENV_PREFIX = "SEQ2SEQ_"

#: Variables with this prefix that are no settings: the corpora of tests and benchmarks.
_OTHER_VARIABLES = frozenset({"SEQ2SEQ_DATA"})


class Settings(BaseSettings):
    """Settings of the server. Made by the caller of `create_app`, never at import."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, frozen=True, extra="forbid"
    )

    model: Path = Field(
        DEFAULT_MODEL, description="folder of the model that answers where a request names none"
    )
    models: Path | None = Field(
        None, description="folder of further model folders, which requests name"
    )
    reload_seconds: float = Field(
        2.0,
        ge=0,
        le=3600,
        description="time between two looks for changed model folders, which are then loaded; "
        "0: never",
    )
    max_model_memory_mib: int = Field(
        4_096,
        ge=1,
        le=2**24,
        description="memory of the models' processes, in MiB; beyond it, models that were not used "
        "for long are unloaded until a request names them",
    )
    engine: EngineName = Field(
        "auto", description="keras, onnx or onnx-int8; auto: the fastest that works here"
    )
    threads: int = Field(
        0, ge=0, le=1024, description="threads per ONNX Runtime operator; 0: cores minus one"
    )
    rerank_model: Path | None = Field(
        None,
        description="folder of a second model, for requests to the first with a rerank_weight",
    )
    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for all")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 for any free one")
    access_log: bool = Field(True, description="log a line for each request")
    log_format: LogFormat = Field("text", description="text or json: lines for people or programs")
    drain_seconds: float = Field(
        0.0,
        ge=0,
        le=3600,
        description="time after SIGTERM in which the server still takes requests, but says that it "
        "is not ready",
    )
    api_keys: Path | None = Field(
        None, description="file with the SHA-256 sums of API keys; without it nobody needs a key"
    )
    rate_limit_per_minute: float = Field(
        0.0,
        ge=0,
        le=10**6,
        description="plain requests of one client in a minute, by its key or address; costly ones "
        "count several times; 0: any number",
    )
    rate_limit_burst: float = Field(
        60.0, ge=1, le=10**6, description="plain requests of one client at once, after a pause"
    )
    redis_url: str | None = Field(
        None, description="Redis in which several servers share these limits: redis://HOST:6379/0"
    )
    cors_origins: str = Field(
        "", description="origins of pages that may call the server, with commas between; *: all"
    )
    root_path: str = Field(
        "",
        pattern="^(/[^/]+)*$",
        description="path under which a proxy serves the server, and which it cuts off: /chat",
    )
    max_connections: int = Field(
        1_000, ge=2, le=100_000, description="open connections; beyond that requests get 503"
    )
    max_body_bytes: int = Field(65_536, ge=1, le=2**30, description="largest request body")
    max_file_bytes: int = Field(
        16_777_216, ge=1, le=2**30, description="largest body of `/translate_file`"
    )
    max_message_characters: int = Field(4_000, ge=1, le=10**6, description="longest message")
    max_messages: int = Field(64, ge=1, le=10_000, description="most messages of a dialogue")
    max_batch: int = Field(
        64, ge=1, le=10_000, description="most messages of a batch, which are answered together"
    )
    max_beam_size: int = Field(16, ge=1, le=64, description="largest beam_size of a request")
    max_reply_tokens: int = Field(256, ge=1, le=1024, description="largest max_tokens of a request")
    max_blocked_words: int = Field(
        64, ge=0, le=10_000, description="most blocked_words of a request"
    )
    blocked_words: str = Field(
        "", description="words or phrases that no answer contains, with commas between"
    )
    max_required_words: int = Field(8, ge=0, le=64, description="most required_words of a request")
    max_rows: int = Field(
        128, ge=1, le=4096, description="rows decoded together; a beam of 4 needs 4 rows"
    )
    max_queue: int = Field(512, ge=1, le=10_000, description="requests that wait for free rows")
    request_timeout_seconds: float = Field(
        30.0, gt=0, le=3600, description="time for an answer; after it a request gets 504"
    )
    worker_timeout_seconds: float = Field(
        10.0,
        ge=0.1,
        le=3600,
        description="time for a step of the model's process; after it the process is restarted",
    )

    @model_validator(mode="after")
    def _check_beam_fits_rows(self) -> Self:
        if self.max_beam_size > self.max_rows:
            raise ValueError(
                "max_beam_size must not exceed max_rows. Received: "
                f"max_beam_size={self.max_beam_size}, max_rows={self.max_rows}"
            )
        return self


def read_settings() -> Settings:
    """Reads the settings from the environment.

    Raises:
        ConfigError: one line for each fault, which names the environment variable.
    """
    if unknown := [*map(_describe_unknown, _unknown_variables(os.environ))]:
        raise ConfigError("\n".join(unknown))
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigError("\n".join(_describe(fault) for fault in error.errors())) from None


def settings_table() -> list[tuple[str, str, str]]:
    """Returns the environment variable, default and meaning of every setting, for `--help` and the
    docs."""
    return [
        (ENV_PREFIX + name.upper(), str(field.default), str(field.description))
        for name, field in Settings.model_fields.items()
    ]


def _unknown_variables(environment: Iterable[str]) -> list[str]:
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields} | _OTHER_VARIABLES
    named = (name for name in environment if name.upper().startswith(ENV_PREFIX))
    return sorted(name for name in named if name.upper() not in known)


def _describe_unknown(variable: str) -> str:
    name = variable[len(ENV_PREFIX) :].lower()
    nearest = difflib.get_close_matches(name, Settings.model_fields, n=1, cutoff=0.0)[0]
    return f"{variable}: there is no such setting. The nearest is {ENV_PREFIX}{nearest.upper()}."


def _describe(fault: ErrorDetails) -> str:
    location, message = fault["loc"], fault["msg"].removeprefix("Value error, ")
    if not location:
        return f"settings: {message}"
    return f"{ENV_PREFIX}{str(location[0]).upper()}: {message}. Received: {fault['input']!r}"
