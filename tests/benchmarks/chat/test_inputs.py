from __future__ import annotations

from pathlib import Path

from benchmarks.chat.inputs import HALVES, read_conversations, read_messages
from benchmarks.chat.measures import lowercase_words

SMALL_TALK = Path("recipes/smalltalk")
#: Shorter messages within a conversation, as `Yes.`, are in every corpus.
FEWEST_WORDS = 3


def test_the_small_talk_has_no_message_that_models_are_judged_by() -> None:
    asked = {dialogue.messages[0] for half in HALVES for dialogue in read_messages(half)}
    said = {
        each
        for half in HALVES
        for dialogue in read_conversations(half)
        for each in dialogue.messages
    }
    judged = {" ".join(lowercase_words(message)) for message in asked}
    judged |= {
        " ".join(words) for each in said if len(words := lowercase_words(each)) >= FEWEST_WORDS
    }
    lines = [
        line
        for path in SMALL_TALK.glob("*/*.txt")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", ">"))
    ]
    trained = {
        " ".join(lowercase_words(message)) for line in lines for message in line.split(" | ")
    }
    assert len(trained) > 50_000
    assert not trained & (judged - {""})
