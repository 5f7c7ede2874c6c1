"""A conversation with a model, reply by reply. Knows no terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from model.errors import InputError
from model.generator import Candidate, Generator
from model.search.requests import SearchRequest

#: The line that begins a new conversation.
NEW = "/new"
#: Turns of a conversation that are remembered.
MOST_TURNS = 64


class Conversation:
    """The turns of a dialogue. The model reads the last ones, and with `no_repeat_reply` says
    none of the others again.

    Args:
        generator: replies.
        template: how it searches, see `Generator.template`.
    """

    def __init__(self, generator: Generator, template: SearchRequest) -> None:
        self._generator = generator
        self._template = template
        self._turns: deque[str] = deque(maxlen=MOST_TURNS)

    def reply(self, message: str, on_text: Callable[[str], None]) -> list[Candidate]:
        """Replies to `message`, best candidate first. `on_text` gets the best one's text bit by
        bit, as soon as it is certain.

        Raises:
            InputError: if `message` has no text.
        """
        self._generator.tokenizer.source_ids(message)  # it must not be skipped as an empty turn
        found = self._generator.stream([*self._turns, message], self._template, on_text)
        self._turns += message, found[0].text
        return found

    def forget(self) -> None:
        """Begins a new conversation."""
        self._turns.clear()


def chat(
    conversation: Conversation,
    lines: Iterable[str],
    write: Callable[[str], None],
    *,
    label: str = "",
    separator: str = "\t",
) -> None:
    """Writes a line for each of `lines`: the reply, or nothing if a line has no text or is `NEW`.

    Args:
        conversation: is continued.
        lines: messages.
        write: writes and flushes text.
        label: written before a reply.
        separator: written before each further candidate.
    """
    for line in lines:
        if line.strip() == NEW:
            conversation.forget()
        else:
            write(label)
            try:
                _, *others = conversation.reply(line, write)
            except InputError:
                others = []
            for other in others:
                write(separator + other.text)
        write("\n")
