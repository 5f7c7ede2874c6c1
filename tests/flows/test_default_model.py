"""The model that `make run` serves, as people meet it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from model.chat import Conversation
from model.config import SearchOptions
from model.engine import EngineName
from model.folder import load_folder
from model.generator import Generator
from model.search.requests import Hypothesis, SearchRequest

FOLDER = Path(__file__).parents[2] / "models" / "default"
ITS_OWN = load_folder(FOLDER).config.search
GREEDY = ITS_OWN.model_copy(update={"beam_size": 1})
BEAM = ITS_OWN.model_copy(update={"beam_size": 4})


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator.load(FOLDER)


@pytest.fixture(scope="module")
def film_messages(data_folder: Path) -> list[str]:
    """200 real messages of every length that this model reads."""
    text = (data_folder / "movie-lines" / "movie_lines_cleaned_10k.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if any(map(str.isalpha, line))]
    return lines[:: len(lines) // 200][:200]


def test_the_folder_is_small() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 24 * 2**20


@pytest.mark.parametrize("options", [GREEDY, BEAM], ids=["greedy", "beam"])
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("hello", "hello hi hey"),
        ("how are you?", "fine well good great"),
        ("what is your name?", "robin"),
        ("where are you from?", "program digital"),
        ("I passed my exam!", "congratulations well done"),
        ("thank you", "welcome"),
        ("goodbye", "bye goodbye see nice"),
    ],
)
def test_small_talk_is_answered_on_topic(
    generator: Generator, message: str, expected: str, options: SearchOptions
) -> None:
    (candidates,) = generator.generate([message], options)
    words = [word.strip(".,!?'").lower() for word in candidates[0].text.split()]
    assert set(words) & set(expected.split()), candidates[0].text
    assert candidates[0].finish_reason == "stop"
    assert len(words) <= 20


@pytest.mark.parametrize("options", [GREEDY, BEAM], ids=["greedy", "beam"])
def test_replies_have_no_unknown_words_and_no_loops(
    generator: Generator, film_messages: list[str], options: SearchOptions
) -> None:
    replies = [found[0].text for found in generator.generate(film_messages, options)]
    assert all(replies)
    assert not any("⁇" in reply or "<unk>" in reply for reply in replies)
    for reply in replies:
        words = reply.lower().split()
        triples = Counter(zip(words, words[1:], words[2:], strict=False))
        assert max(triples.values(), default=0) <= 2, reply


def test_the_picture_of_a_conversation_shows_what_is_said(generator: Generator) -> None:
    picture = (FOLDER.parents[1] / "docs" / "images" / "conversation.svg").read_text()
    said = re.findall(r">(you|robin) +(.*)</text>", picture)
    conversation = Conversation(generator, generator.template())
    replies = [conversation.reply(text, lambda _: None)[0].text for who, text in said[::2]]
    assert replies == [text for _, text in said[1::2]]
    assert len(replies) > 4


def test_no_reply_serves_half_of_the_messages(generator: Generator, data_folder: Path) -> None:
    messages = (data_folder / "movie-lines" / "test_set.txt").read_text("utf-8").splitlines()
    assert len(messages) == 23
    for options in (GREEDY, BEAM):
        replies = Counter(found[0].text for found in generator.generate(messages, options))
        assert replies.most_common(1)[0][1] <= len(messages) / 2


@pytest.mark.parametrize("options", [GREEDY, BEAM], ids=["greedy", "beam"])
@pytest.mark.parametrize("engine", ["keras", "onnx-int8"])
def test_company_order_and_padding_change_no_answer(
    film_messages: list[str], engine: EngineName, options: SearchOptions
) -> None:
    generator = Generator.load(FOLDER, engine)
    sources = [tuple(generator.tokenizer.source_ids(message)) for message in film_messages]
    alone = answers_in_batches(generator, sources, list(range(200)), 1, options)
    # TensorFlow sums in an order that depends on the size of a batch and on the processor: of two
    # equally good answers it may give the other. Graphs of ONNX Runtime may not.
    most_ties = 2 if engine == "keras" else 0
    by_length = sorted(range(200), key=lambda i: len(sources[i]))
    shuffled = np.random.default_rng(0).permutation(200).tolist()
    for order in (by_length, shuffled):
        for batch_size in (7, 64):
            together = answers_in_batches(generator, sources, order, batch_size, options)
            others = [i for i in alone if together[i].tokens != alone[i].tokens]
            assert len(others) <= most_ties
            for i in others:
                assert together[i].score == pytest.approx(alone[i].score, abs=1e-4)


def answers_in_batches(
    generator: Generator,
    sources: list[tuple[int, ...]],
    order: list[int],
    batch_size: int,
    options: SearchOptions,
) -> dict[object, Hypothesis]:
    """The best hypothesis of each source, decoded in batches of that order and size."""
    answers: dict[object, Hypothesis] = {}
    search = generator.new_search()
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        search.add([SearchRequest(i, sources[i], options) for i in batch])
        while not search.is_idle:
            answers.update((key, found[0]) for key, found in search.step())
    return answers
