"""A conversation with a model. Knows no terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from model.errors import InputError
from model.generator import Candidate, Generator
from model.search.requests import SearchRequest

#: The line that starts a new conversation.
NEW = "/new"
#: Number of turns of a conversation that are remembered.
MAX_TURNS = 64


class Conversation:
    """The turns of a dialogue. The model reads the last ones and, with `no_repeat_reply`, never
    repeats any of them. For the `template` see `Generator.template`."""

    def __init__(self, generator: Generator, template: SearchRequest) -> None:
        self._generator = generator
        self._template = template
        self._turns: deque[str] = deque(maxlen=MAX_TURNS)

    def reply(self, message: str, on_text: Callable[[str], None]) -> list[Candidate]:
        """Replies to `message`, best candidate first. `on_text` receives the text of the best one
        in parts, as soon as they are final.

        Raises:
            InputError: if `message` has no text.
        """
        self._generator.tokenizer.source_ids(message)  # it must not be skipped as an empty turn
        found = self._generator.stream([*self._turns, message], self._template, on_text)
        self._turns += message, found[0].text
        return found

    def reset(self) -> None:
        """Starts a new conversation."""
        self._turns.clear()


def chat(
    conversation: Conversation,
    lines: Iterable[str],
    write: Callable[[str], None],
    *,
    label: str = "",
    separator: str = "\t",
) -> None:
    """Writes one line per line of `lines`: the reply, or an empty line if it has no text or is
    `NEW`.

    Args:
        write: writes and flushes text.
        label: written before a reply.
        separator: written before each further candidate.
    """
    for line in lines:
        if line.strip() == NEW:
            conversation.reset()
        else:
            write(label)
            try:
                _, *others = conversation.reply(line, write)
            except InputError:
                others = []
            for other in others:
                write(separator + other.text)
        write("\n")
