"""Settings of the server, from environment variables `SEQ2SEQ_*`. Every limit is finite."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.logs import LogFormat
from model.engine import EngineName
from model.errors import ConfigError
from model.folder import DEFAULT_MODEL

ENV_PREFIX = "SEQ2SEQ_"

#: Variables with this prefix that are no settings: the corpora of tests and benchmarks.
_OTHER_VARIABLES = frozenset({"SEQ2SEQ_DATA"})

#: Settings that have no effect without another one.
_DEPENDENT = {
    "max_model_memory_mib": "models",
    "rate_limit_burst": "rate_limit_per_minute",
    "redis_url": "rate_limit_per_minute",
}

#: An origin as browsers send it; those of extensions and apps have schemes of their own.
_ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://[^/\s]+")
_ROOT_PATH = re.compile("(/[^/]+)*")


class Settings(BaseSettings):
    """Settings of the server. Made by the caller of `create_app`, never at import."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        str_strip_whitespace=True,
    )

    model: Path = Field(
        DEFAULT_MODEL, description="folder of the default model, for requests that name none"
    )
    models: Path | None = Field(
        None, description="folder of additional model folders, which requests select by name"
    )
    reload_seconds: float = Field(
        2.0,
        ge=0,
        le=3600,
        description="interval between checks for changed model folders, which are then "
        "reloaded; 0: never",
    )
    max_model_memory_mib: int = Field(
        4_096,
        ge=1,
        le=2**24,
        description="memory limit of all model processes together, in MiB; above it, the least "
        "recently used models are unloaded until a request names them",
    )
    engine: EngineName = Field(
        "auto", description="keras, onnx or onnx-int8; auto: the fastest one available"
    )
    threads: int = Field(
        0, ge=0, le=1024, description="threads per ONNX Runtime operator; 0: cores minus one"
    )
    rerank_model: Path | None = Field(
        None,
        description="folder of a second model, for requests to the default model with a "
        "rerank_weight",
    )
    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0: all addresses")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0: any free port")
    access_log: bool = Field(True, description="log one line per request")
    log_format: LogFormat = Field("text", description="text for people, json for programs")
    drain_seconds: float = Field(
        0.0,
        ge=0,
        le=3600,
        description="seconds after SIGTERM during which the server accepts requests but reports "
        "that it is not ready",
    )
    api_keys: Path | None = Field(
        None, description="file with the SHA-256 hashes of API keys; unset: no key is required"
    )
    rate_limit_per_minute: float = Field(
        0.0,
        ge=0,
        le=10**6,
        description="plain requests per minute for each client, identified by its key or "
        "address; a costly request counts as several; 0: unlimited",
    )
    rate_limit_burst: float = Field(
        60.0,
        ge=1,
        le=10**6,
        description="plain requests that a client may send at once after a pause",
    )
    redis_url: str | None = Field(
        None,
        description="Redis server through which several servers share these limits: "
        "redis://HOST:6379/0",
    )
    cors_origins: str = Field(
        "", description="comma-separated origins whose pages may call the server; *: all"
    )
    root_path: str = Field(
        "",
        description="path prefix that a proxy strips before it forwards a request: /chat",
    )
    max_connections: int = Field(
        1_000,
        ge=2,
        le=100_000,
        description="maximum number of open connections; further requests get 503",
    )
    max_body_bytes: int = Field(
        65_536, ge=1, le=2**30, description="maximum size of a request body"
    )
    max_file_bytes: int = Field(
        16_777_216, ge=1, le=2**30, description="maximum size of a `/translate_file` body"
    )
    max_message_characters: int = Field(
        4_000, ge=1, le=10**6, description="maximum length of a message"
    )
    max_messages: int = Field(
        64, ge=1, le=10_000, description="maximum number of messages in a dialogue"
    )
    ignore_system_messages: bool = Field(
        False,
        description="ignore the instructions that OpenAI clients send, which models cannot follow; "
        "otherwise they are errors",
    )
    max_batch: int = Field(
        64,
        ge=1,
        le=10_000,
        description="maximum number of messages in a batch, which are answered together",
    )
    max_beam_size: int = Field(
        16, ge=1, le=64, description="highest beam_size that a request may set"
    )
    max_reply_tokens: int = Field(
        256, ge=1, le=1024, description="highest max_tokens that a request may set"
    )
    max_blocked_words: int = Field(
        64, ge=0, le=10_000, description="maximum number of blocked_words in a request"
    )
    blocked_words: str = Field(
        "", description="comma-separated words or phrases that no answer contains"
    )
    max_required_words: int = Field(
        8, ge=0, le=64, description="maximum number of required_words in a request"
    )
    max_rows: int = Field(
        128, ge=1, le=4096, description="rows decoded together; a beam of 4 takes 4 rows"
    )
    max_queue: int = Field(
        512, ge=1, le=10_000, description="maximum number of requests that wait for free rows"
    )
    request_timeout_seconds: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="time limit for an answer; a request that exceeds it gets 504",
    )
    worker_timeout_seconds: float = Field(
        10.0,
        ge=0.1,
        le=3600,
        description="time limit for one step of a model process; a process that exceeds it is "
        "restarted",
    )

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: str) -> str:
        for origin in filter(None, map(str.strip, origins.split(","))):
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is no origin: write https://example.org, without a path, or *"
                )
        return origins

    @field_validator("root_path")
    @classmethod
    def _check_root_path(cls, path: str) -> str:
        if not _ROOT_PATH.fullmatch(path):
            raise ValueError("must begin with / and not end with it, such as /chat")
        return path

    @model_validator(mode="after")
    def _check_beam_fits_rows(self) -> Self:
        if self.max_beam_size > self.max_rows:
            raise ValueError(
                "SEQ2SEQ_MAX_BEAM_SIZE must be at most SEQ2SEQ_MAX_ROWS; set both. Received: "
                f"{self.max_beam_size} and {self.max_rows}"
            )
        return self


def read_settings() -> Settings:
    """Reads the settings from the environment.

    Raises:
        ConfigError: one line for each fault, which names the environment variable.
    """
    faults = [*map(_describe_unknown, _unknown_variables(os.environ))]
    try:
        settings = Settings()
    except ValidationError as error:
        faults += map(_describe, error.errors())
    if faults:
        raise ConfigError("\n".join(faults))
    return settings


def describe_ineffective(settings: Settings) -> Iterator[str]:
    """Yields a sentence for each setting that has no effect, because of another one."""
    for name, needed in _DEPENDENT.items():
        if name in settings.model_fields_set and not getattr(settings, needed):
            yield f"{_variable(name)} has no effect without {_variable(needed)}"
    if settings.threads and settings.engine == "keras":
        yield "SEQ2SEQ_THREADS has no effect with SEQ2SEQ_ENGINE=keras"
    step, answer = settings.worker_timeout_seconds, settings.request_timeout_seconds
    if step >= answer:
        yield (
            "a process that hangs may not be restarted: SEQ2SEQ_WORKER_TIMEOUT_SECONDS should be "
            f"below SEQ2SEQ_REQUEST_TIMEOUT_SECONDS. Received: {step:g} and {answer:g}"
        )


def settings_table() -> list[tuple[str, str, str]]:
    """Returns the environment variable, default and meaning of every setting, for `--help` and the
    docs. A setting that is unset by default has the default ""."""
    return [
        (_variable(name), _shown(field.default), str(field.description))
        for name, field in Settings.model_fields.items()
    ]


def _variable(name: str) -> str:
    """Returns the environment variable of a setting."""
    return ENV_PREFIX + name.upper()


def _shown(default: object) -> str:
    """Returns a default as it is written in an environment variable."""
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None else str(default)


def _unknown_variables(environment: Iterable[str]) -> list[str]:
    known = {*map(_variable, Settings.model_fields)} | _OTHER_VARIABLES
    named = (name for name in environment if name.upper().startswith(ENV_PREFIX))
    return sorted(name for name in named if name.upper() not in known)


def _describe_unknown(variable: str) -> str:
    name = variable[len(ENV_PREFIX) :].lower()
    nearest = difflib.get_close_matches(name, Settings.model_fields, n=1, cutoff=0.0)[0]
    return f"{variable}: there is no such setting. The nearest is {_variable(nearest)}."


def _describe(fault: ErrorDetails) -> str:
    location, message = fault["loc"], fault["msg"].removeprefix("Value error, ")
    if not location:
        return f"settings: {message}"
    return f"{_variable(str(location[0]))}: {message}. Received: {fault['input']!r}"
