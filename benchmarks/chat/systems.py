"""What is measured: a model folder, or the baseline, each answering whole conversations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.chat.bm25 import BM25
from benchmarks.chat.measures import lowercase_words
from model.chat import Conversation
from model.generator import Generator
from training.prepare.shards import Shard

#: The name of the baseline, where a model folder is asked for.
BASELINE = "bm25"


class System(Protocol):
    """Something that chats."""

    def converse(self, messages: Sequence[str]) -> list[str]:
        """Replies to the messages of a new conversation, one after the other."""
        ...

    def reply(self, turns: Sequence[str]) -> str:
        """Replies to the last of `turns`, which others wrote."""
        ...


class ChatModel:
    """A model folder on one thread, with its own search.

    Args:
        path: the model folder.
        seed: of each reply, if the search samples.
    """

    def __init__(self, path: str, *, seed: int) -> None:
        self._generator = Generator.load(path, threads=1)
        self._options = self._generator.config.search.model_copy(update={"seed": seed})
        template = self._generator.template(self._options)
        self._conversation = Conversation(self._generator, template)

    @property
    def data_folder(self) -> Path:
        """Returns the folder of prepared data that the model's recipe names."""
        return Path(self._generator.config.training["recipe"]["output"]) / "data"

    def converse(self, messages: Sequence[str]) -> list[str]:
        self._conversation.reset()
        return [self._conversation.reply(message, _ignore)[0].text for message in messages]

    def reply(self, turns: Sequence[str]) -> str:
        return self._generator.generate([turns], self._options)[0][0].text


class Baseline:
    """The reply of the training exchange whose message is most like the last turn."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._found = BM25((turns[-1], reply) for turns, reply in exchanges(folders))

    def converse(self, messages: Sequence[str]) -> list[str]:
        return [self._found.reply(message) for message in messages]

    def reply(self, turns: Sequence[str]) -> str:
        return self._found.reply(turns[-1])


def exchanges(folders: Sequence[Path]) -> Iterator[tuple[list[str], str]]:
    """Yields turns and reply of the training parts of folders of prepared data."""
    for folder in folders:
        shard = Shard(folder / "train.arrow")
        for index in range(len(shard)):
            yield shard.source_turns(index), shard.target_text(index)


@dataclass(frozen=True)
class Seen:
    """What training showed: all words, and all turns as their words."""

    words: set[str]
    turns: set[str]

    @classmethod
    def of(cls, folders: Sequence[Path]) -> Seen:
        """Reads the training parts of folders of prepared data."""
        texts = {text for turns, reply in exchanges(folders) for text in (*turns, reply)}
        split = [lowercase_words(text) for text in texts]
        return cls(
            {word for words in split for word in words}, set(map(" ".join, filter(None, split)))
        )


def _ignore(text: str) -> None:
    """Ignores a part of a reply."""
