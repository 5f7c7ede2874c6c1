"""The messages and conversations beside this file, and conversations of other corpora."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.text.normalise import normalise, plain_punctuation
from training.files.paths import read_lines

FOLDER = Path(__file__).parent
HALVES = ("dev", "test")


@dataclass(frozen=True)
class Dialogue:
    """What a person writes, message by message.

    Attributes:
        topic: of a single message, or the number of a conversation.
        messages: at least one.
    """

    topic: str
    messages: tuple[str, ...]


def read_messages(half: str) -> list[Dialogue]:
    """Reads the single messages of a half, each a dialogue of its own."""
    rows = [line.split("\t") for _, line in read_lines(FOLDER / "messages.tsv")]
    return [Dialogue(topic, (message,)) for part, topic, message in rows[1:] if part == half]


def read_conversations(half: str) -> list[Dialogue]:
    """Reads the conversations of a half."""
    numbered = [
        (number, json.loads(line)) for number, line in read_lines(FOLDER / "conversations.jsonl")
    ]
    return [
        Dialogue(f"conversation {number}", tuple(record["messages"]))
        for number, record in numbered
        if record["half"] == half
    ]


def read_corpus(paths: Sequence[Path], most_messages: int) -> list[Dialogue]:
    """Reads conversations of a corpus, one a line: of its turns, which `__eou__` ends, every second
    one is a message, from the first on. Stops at `most_messages`."""
    dialogues: list[Dialogue] = []
    left = most_messages
    for path, number, turns in _turns_of(paths):
        if left <= 0:
            break
        messages = tuple(turns[::2])[:left]
        left -= len(messages)
        dialogues.append(Dialogue(f"{path.name}:{number}", messages))
    return dialogues


def _turns_of(paths: Sequence[Path]) -> Iterator[tuple[Path, int, list[str]]]:
    for path in paths:
        for number, line in read_lines(path):
            turns = [plain_punctuation(normalise(turn)) for turn in line.split("__eou__")]
            if turns := [turn for turn in turns if turn]:
                yield path, number, turns
