"""A model that translates word by word, and a server of it."""

from __future__ import annotations

import io
import string
from collections.abc import Iterator
from functools import partial

import httpx
import numpy as np
import pytest
import sentencepiece

from app.main import create_app
from app.settings import Settings
from model.config import ModelConfig, NetworkConfig, SearchOptions, TextConfig
from model.generator import Generator
from model.tokenizer import Tokenizer
from tests.app.fakes import WordEngine, loaded, serving

ENGLISH = "one two three four five red dogs cats go home now you told me to".split()
GERMAN = "eins zwei drei vier fünf rote Hunde Katzen geh Haus jetzt du sagtest mir zu".split()


def word_tokenizer() -> Tokenizer:
    """A tokenizer with a piece for each word, number and mark."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(string.ascii_letters + string.punctuation + "äöü"),
        model_writer=model,
        vocab_size=400,
        hard_vocab_limit=False,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        control_symbols=["<sep>"],
        user_defined_symbols=[
            *".,!?",
            *map(str, range(10, 100)),
            *(f"▁{w}" for w in ENGLISH + GERMAN),
        ],
        normalization_rule_name="identity",
        minloglevel=2,
    )
    return Tokenizer(TextConfig(context_turns=1, max_source_tokens=24), model.getvalue())


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
