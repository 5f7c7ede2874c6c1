"""Replies that are looked up."""

from __future__ import annotations

import pytest

from benchmarks.chat.bm25 import BM25

EXCHANGES = [
    ("Do you like tea?", "I prefer coffee."),
    ("Do you like dogs?", "I love them."),
    ("Where do you live?", "Here and there."),
    ("Go on.", "I love them."),
]


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("do you like TEA", "I prefer coffee."),
        ("I have two dogs", "I love them."),
        ("live", "Here and there."),
    ],
)
def test_rare_words_decide(message: str, reply: str) -> None:
    assert BM25(EXCHANGES).reply(message) == reply


def test_message_without_a_known_word_gets_the_most_frequent_reply() -> None:
    assert BM25(EXCHANGES).reply("xyzzy") == "I love them."
