"""Reader of conversations that people write by hand, with several wordings of what is said."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from training.errors import CorpusError
from training.files.paths import read_lines
from training.files.records import Example, Fault, Records, fault_of
from training.readers.dialogue import MAX_CONTEXT_TURNS

COMMENT = "#"
REPLY = ">"
SEPARATOR = "|"

Line = tuple[str, str]  # its place (`file:line`), its text


def read_conversations(path: Path) -> Records:
    """Reads messages, and replies to them in lines that begin with `>`; an empty line ends a
    conversation, and `|` separates wordings of one meaning. Each wording of a message gets each
    wording of its reply. Earlier turns have their first wording.

    A line in the wrong place, or with an empty wording, is a fault. What follows it in the
    conversation is no longer an answer to what came before.
    """
    conversation: list[Line] = []
    for number, line in read_lines(path):
        text = line.strip()
        if text and not text.startswith(COMMENT):
            conversation.append((f"{path}:{number}", text))
        elif not text:
            yield from _records_of(conversation)
            conversation = []
    yield from _records_of(conversation)


def _records_of(conversation: list[Line]) -> Records:
    """Yields the exchanges and faults of one conversation, which is a group."""
    context: tuple[str, ...] = ()
    message: Line | None = None
    for line in conversation:
        place, text = line
        if not text.startswith(REPLY):
            if message:
                yield _unanswered(message)
                context = ()
            message = line
            continue
        try:
            if not message:
                raise CorpusError(f"{place}: a reply without a message above it")
            wordings = _wordings_of(message)
            replies = _wordings_of((place, text.removeprefix(REPLY)))
        except CorpusError as error:
            yield fault_of(error, place, *(message or ())[:1])
            context, message = (), None
            continue
        for number, (wording, reply) in enumerate(product(wordings, replies), start=1):
            origin = f"{place}:{number}"  # of its own: `prepare` draws by it
            yield Example((*context, wording), reply, conversation[0][0], origin)
        context = (*context, wordings[0], replies[0])[-MAX_CONTEXT_TURNS + 1 :]
        message = None
    if message:
        yield _unanswered(message)


def _unanswered(message: Line) -> Fault:
    return Fault(message[0], f"a message without a reply (`{REPLY} ...`) below it")


def _wordings_of(line: Line) -> tuple[str, ...]:
    """Returns the wordings in a line. Raises CorpusError if one is empty."""
    place, text = line
    wordings = tuple(each.strip() for each in text.split(SEPARATOR))
    if not all(wordings):
        raise CorpusError(f"{place}: has an empty wording (`{SEPARATOR}` separates them)")
    return wordings
