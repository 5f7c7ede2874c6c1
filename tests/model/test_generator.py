from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.config import SearchOptions
from model.errors import InputError
from model.generator import Generator
from model.known_questions import KnownQuestions
from model.lines import answer_lines
from model.tokenizer import BOS_ID, EOS_ID
from tests.app.fakes import REPLY, chain
from tests.engines import TableEngine


@pytest.fixture(scope="module")
def generator(exported_folder: Path) -> Generator:
    return Generator.load(exported_folder, "onnx", rerank_model=exported_folder)


@pytest.mark.parametrize(
    "options",
    [
        SearchOptions(max_tokens=12),
        SearchOptions(max_tokens=12, no_repeat_ngram=2),
        SearchOptions(max_tokens=12, beam_size=4, n_best=3),
        SearchOptions(max_tokens=12, temperature=1.5, seed=3),
        SearchOptions(max_tokens=12, beam_size=4, rerank_weight=1.0),
    ],
    ids=["greedy", "greedy with rules", "beam", "sample", "re-ranked"],
)
def test_a_streamed_answer_grows_into_the_whole_one(
    generator: Generator, options: SearchOptions
) -> None:
    (hypotheses,) = generator.answer(["hello there"], generator.template(options))
    bits: list[str] = []
    found = generator.stream("hello there", generator.template(options), bits.append)
    assert [each.tokens for each in found] == [each.tokens for each in hypotheses]
    assert "".join(bits) == found[0].text != ""


def test_each_token_is_streamed_when_it_is_certain(generator: Generator) -> None:
    pieces = generator.tokenizer.target_ids(REPLY)
    table = chain(generator.tokenizer.target_vocab_size, BOS_ID, *pieces, EOS_ID)
    slow = Generator(generator.config, generator.tokenizer, TableEngine(table.astype(np.float64)))
    bits: list[str] = []
    slow.stream("hello", slow.template(), bits.append)
    texts = [slow.tokenizer.target_text(pieces[: count + 1]) for count in range(len(pieces))]
    assert ["".join(bits[: count + 1]) for count in range(len(pieces))] == texts


def test_what_the_model_does_not_know_gets_the_fallback(generator: Generator) -> None:
    pieces = generator.tokenizer.target_ids(REPLY)
    engine = TableEngine(chain(generator.tokenizer.target_vocab_size, BOS_ID, *pieces, EOS_ID))
    questions = KnownQuestions([("how are you?", REPLY)])
    unsure = Generator(generator.config, generator.tokenizer, engine, questions=questions)
    options = SearchOptions(max_tokens=20, fallback_reply="no idea", min_confidence=0.6)
    (known,), (unknown,) = unsure.generate(["How are you", "asdf"], options)
    assert (known.text, known.confidence, known.is_fallback) == (REPLY, 1.0, False)
    assert (unknown.text, unknown.tokens, unknown.is_fallback) == ("no idea", (), True)
    for source, text in (("how are you", REPLY), ("asdf", "no idea")):
        bits: list[str] = []
        assert unsure.stream(source, unsure.template(options), bits.append)[0].text == text
        assert bits == [text]  # nothing is told before it is certain
    assert [*answer_lines(unsure, ["asdf", ""], unsure.template(options))] == ["no idea", ""]


def test_a_source_without_text_is_refused(generator: Generator) -> None:
    with pytest.raises(InputError):
        generator.stream(" ", generator.template(), print)
