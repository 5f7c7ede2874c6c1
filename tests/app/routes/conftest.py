"""A model that translates word by word, and a server of it."""

from __future__ import annotations

import string
from collections.abc import Iterator
from functools import partial

import httpx
import numpy as np
import pytest

from app.main import create_app
from app.settings import Settings
from model.config import ModelConfig, NetworkConfig, SearchOptions, TextConfig
from model.generator import Generator
from model.tokenizer import Tokenizer
from tests.app.fakes import WordEngine, loaded, serving
from tests.conftest import train_sentencepiece

ENGLISH = "one two three four five red dogs cats go home now you told me to".split()
GERMAN = "eins zwei drei vier fünf rote Hunde Katzen geh Haus jetzt du sagtest mir zu".split()


def word_tokenizer(context_turns: int = 1) -> Tokenizer:
    """A tokenizer with a piece for each word, number and mark."""
    words = (f"▁{word}" for word in ENGLISH + GERMAN)
    model = train_sentencepiece(
        string.ascii_letters + string.punctuation + "äöü",
        vocab_size=400,
        pieces=[*".,!?", *map(str, range(10, 100)), *words],
    )
    return Tokenizer(TextConfig(context_turns=context_turns, max_source_tokens=24), model)


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
