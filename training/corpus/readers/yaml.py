"""Conversations as YAML, as the ChatterBot corpus has them. Every scalar is a text."""

from __future__ import annotations

from pathlib import Path

import yaml

from training.corpus.files import read_bytes
from training.corpus.readers.dialogue import Turn, exchanges_of
from training.corpus.records import Fault, Records


def read_yaml(path: Path) -> Records:
    """`conversations: [[turn, ...], ...]`. All that follows one opening message is one group."""
    try:
        document = yaml.compose(read_bytes(path), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        yield Fault(f"{path}:1", f"not YAML: {' '.join(str(error).split())[:200]}")
        return
    conversations = _value_of(document, "conversations")
    if not isinstance(conversations, yaml.SequenceNode):
        yield Fault(f"{path}:1", "expected a list `conversations`")
        return
    for conversation in conversations.value:
        turns = _turns_of(conversation)
        if turns:
            yield from exchanges_of(turns, group=turns[0][1], origin=str(path))
        else:
            yield Fault(f"{path}:{_line(conversation)}", "expected a list of texts")


def _value_of(document: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(document, yaml.MappingNode):
        return None
    return next((value for name, value in document.value if name.value == key), None)


def _turns_of(conversation: yaml.Node) -> list[Turn] | None:
    if not isinstance(conversation, yaml.SequenceNode):
        return None
    if not all(isinstance(turn, yaml.ScalarNode) for turn in conversation.value):
        return None
    return [(_line(turn), turn.value) for turn in conversation.value]


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
