"""Reader of conversations as YAML, the form of the ChatterBot corpus. Every scalar is a text."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from training.files.paths import read_text
from training.files.records import Fault, Records
from training.readers.dialogue import PlacedText, exchanges_of

#: The key, perhaps comments, and the first entry of its list.
_LIST_HEAD = re.compile(
    r"^conversations[ \t]*:[ \t]*(?:#.*)?\n(?:[ \t]*(?:#.*)?\n)*(?P<entry>(?P<indent>[ \t]*)- )",
    re.MULTILINE,
)
_KEY = re.compile(r"^[A-Za-z_][\w-]*[ \t]*:", re.MULTILINE)
#: Errors of a document that is not YAML, or nested too deeply.
_YAML_ERRORS = (yaml.YAMLError, RecursionError, ValueError)


def read_yaml(path: Path) -> Records:
    """Reads `conversations: [[turn, ...], ...]`. Those with the same first turn are one group.

    A damaged document is read one conversation at a time, if each begins a line.

    Raises:
        CorpusError: if the file cannot be read.
    """
    text = read_text(path).replace("\r\n", "\n")
    try:
        document = yaml.compose(text, Loader=yaml.BaseLoader)
    except _YAML_ERRORS as error:
        yield from _read_damaged(path, text, error)
        return
    items = document.value if isinstance(document, yaml.MappingNode) else []
    conversations = next((value for key, value in items if key.value == "conversations"), None)
    if isinstance(conversations, yaml.SequenceNode):
        for conversation in conversations.value:
            yield from _read_conversation(path, conversation, 0)
    else:
        yield Fault(f"{path}:1", "expected a list `conversations`")


def _read_damaged(path: Path, text: str, error: Exception) -> Records:
    """Yields the exchanges of a damaged document, each entry of `conversations` read by itself."""
    head = _LIST_HEAD.search(text)
    if not head:
        yield Fault(f"{path}:1", f"not YAML: {_reason_of(error)}")
        return
    start = head.start("entry")
    next_key = _KEY.search(text, start)
    entries = re.split(
        rf"^(?={head['indent']}- )",
        text[start : next_key.start() if next_key else len(text)],
        flags=re.MULTILINE,
    )
    line = text.count("\n", 0, start)
    for entry in filter(None, entries):
        try:
            document = yaml.compose(entry, Loader=yaml.BaseLoader)
        except _YAML_ERRORS as fault:
            yield Fault(f"{path}:{line + 1}", f"not YAML: {_reason_of(fault)}")
        else:
            for conversation in document.value if document else []:
                yield from _read_conversation(path, conversation, line)
        line += entry.count("\n")


def _read_conversation(path: Path, conversation: yaml.Node, lines_before: int) -> Records:
    turns = _turns_of(conversation, lines_before)
    if turns:
        yield from exchanges_of(turns, group=turns[0][1], origin=str(path))
    else:
        yield Fault(f"{path}:{_line(conversation) + lines_before}", "expected a list of texts")


def _reason_of(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _turns_of(conversation: yaml.Node, lines_before: int) -> list[PlacedText] | None:
    if not isinstance(conversation, yaml.SequenceNode):
        return None
    if not all(isinstance(turn, yaml.ScalarNode) for turn in conversation.value):
        return None
    return [(_line(turn) + lines_before, turn.value) for turn in conversation.value]


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
