"""A model that translates word by word, and a server of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import httpx
import numpy as np
import pytest

from app.main import create_app
from app.settings import Settings
from model.config import ModelConfig, NetworkConfig, SearchOptions
from model.generator import Generator
from tests.app.fakes import ENGLISH, GERMAN, WordEngine, loaded, serving, word_tokenizer


@pytest.fixture(scope="session")
def translating() -> Generator:
    """A model that translates word by word, and copies numbers."""
    tokenizer = word_tokenizer()
    mapping = np.arange(tokenizer.source_vocab_size, dtype=np.int32)
    for english, german in zip(ENGLISH, GERMAN, strict=True):
        mapping[tokenizer.target_ids(english)[-1]] = tokenizer.target_ids(german)[-1]
    config = ModelConfig(
        name="words",
        task="translate",
        languages=("en", "de"),
        network=NetworkConfig(source_vocab_size=len(mapping), target_vocab_size=len(mapping)),
        text=tokenizer.text,
        search=SearchOptions(max_tokens=40, beam_size=2),
    )
    return Generator(config, tokenizer, WordEngine(mapping))


@pytest.fixture(scope="session")
def translating_client(translating: Generator) -> Iterator[httpx.Client]:
    settings = Settings(max_file_bytes=200_000, max_batch=3, max_queue=20)
    with serving(create_app(settings, load=partial(loaded, translating)), settings) as client:
        yield client
