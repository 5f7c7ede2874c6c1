from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from model.config import ModelConfig, NetworkConfig, SearchOptions, TextConfig
from model.contract import Engine
from model.generator import Generator
from model.known_questions import KnownQuestions
from model.tokenizer import BOS_ID, EOS_ID, Tokenizer
from tests.app.fakes import FALLBACK, REPLY, Serve, chain, loaded, serving
from tests.engines import TableEngine


@pytest.fixture(scope="session")
def tokenizer(tokenizer_model: bytes) -> Tokenizer:
    """A real tokenizer of a few dozen pieces."""
    return Tokenizer(TextConfig(context_turns=2), tokenizer_model)


@pytest.fixture(scope="session")
def table_engine(tokenizer: Tokenizer) -> TableEngine:
    """Says `REPLY` to everything."""
    pieces = tokenizer.target_ids(REPLY)
    return TableEngine(chain(tokenizer.target_vocab_size, BOS_ID, *pieces, EOS_ID))


@pytest.fixture(scope="session")
def make_generator(tokenizer: Tokenizer) -> Callable[[Engine], Generator]:
    """A generator over an engine of the test's choice."""
    size = tokenizer.target_vocab_size
    config = ModelConfig(
        name="tiny",
        task="reply",
        network=NetworkConfig(source_vocab_size=size, target_vocab_size=size),
        text=tokenizer.text,
        search=SearchOptions(max_tokens=20),
    )
    return lambda engine: Generator(config, tokenizer, engine)


@pytest.fixture(scope="session")
def serve(make_generator: Callable[[Engine], Generator]) -> Serve:
    """Runs a real server on a free port, and a client of it, for as long as a `with` lasts."""

    def run(
        engine: Engine, settings: Settings | None = None
    ) -> AbstractContextManager[httpx.Client]:
        limits = settings or Settings()
        app = create_app(limits, load=partial(loaded, make_generator(engine)))
        return serving(app, limits)

    return run


@pytest.fixture(scope="session")
def unsure_client(
    make_generator: Callable[[Engine], Generator], table_engine: TableEngine
) -> Iterator[httpx.Client]:
    """A client of a server that says `REPLY`, which answers "how are you", and else `FALLBACK`."""
    generator = make_generator(table_engine)
    search = generator.config.search.model_copy(
        update={"fallback_reply": FALLBACK, "min_confidence": 0.6}
    )
    unsure = Generator(
        generator.config.model_copy(update={"search": search}),
        generator.tokenizer,
        table_engine,
        questions=KnownQuestions([("how are you?", REPLY)]),
    )
    with serving(create_app(Settings(), load=partial(loaded, unsure))) as client:
        yield client


@pytest.fixture(scope="session")
def client(serve: Serve, table_engine: TableEngine) -> Iterator[httpx.Client]:
    """A client of a server that says `REPLY` to everything."""
    with serve(table_engine) as client:
        yield client
