"""How many sentences and pieces of sentences are translated at a time."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import numpy as np
import pytest

from app.decoding.served_model import ServedModel
from app.settings import Settings
from app.translation.parts import Part
from app.translation.translator import Translator
from model.config import ModelConfig, NetworkConfig, SearchOptions
from model.search.requests import Hypothesis, SearchRequest
from tests.app.routes.conftest import word_tokenizer


class EchoClient:
    """Answers with the source, and counts the requests that are open at a time."""

    def __init__(self) -> None:
        self.open = self.most_open = 0

    async def submit(self, request: SearchRequest, **options: Any) -> tuple[Hypothesis, ...]:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await asyncio.sleep(0.01)
        self.open -= 1
        attention = np.eye(len(request.source_ids), dtype=np.float32)
        tokens = tuple(request.source_ids[:-1])
        return (Hypothesis(tokens, 0.0, 0.0, "stop", attention_weights=attention),)


@pytest.mark.parametrize(
    "text",
    [
        "one 😀 " * 60,
        "one {x} " * 20,
        "one ⟦two⟧ " * 6,
        "one two three " * 20,
        "one ⟦two⟧. " * 20,
    ],
)
def test_the_pieces_of_a_sentence_are_translated_together(text: str) -> None:
    tokenizer, client = word_tokenizer(), EchoClient()
    size = tokenizer.source_vocab_size
    config = ModelConfig(
        name="echo",
        task="translate",
        languages=("en", "de"),
        network=NetworkConfig(source_vocab_size=size, target_vocab_size=size),
        text=tokenizer.text,
        search=SearchOptions(beam_size=2),
    )
    model = ServedModel(config, tokenizer, cast("Any", client))
    settings = Settings(max_rows=16, max_beam_size=4)
    found = asyncio.run(Translator(model, settings, source="en").translate([[Part(text)]]))
    assert found.best == [Part(text)]
    assert client.most_open == 4  # half of 16 rows, with beams of 2
