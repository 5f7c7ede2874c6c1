"""Conversations, turns and pairs in records with named fields.

It knows no file format: rows of JSON and of Parquet are all dictionaries, lists and texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle, groupby
from typing import Any

from training.files.records import Example, Fault, Records
from training.readers.dialogue import exchanges_of
from training.readers.json_values import Row
from training.readers.markup import without_html
from training.readers.messages import ROLES, TREES, posts_of_tree, turns_of
from training.readers.trees import Post, exchanges_of_posts, exchanges_of_tree

#: Fields that hold a conversation, in order of preference; the last are those of Claude and Gemini.
CONVERSATIONS = (
    *("turns", "messages", "conversations", "conversation", "dialog", "dialogue"),
    *("utterances", "chat_messages", "contents"),
)
#: Fields that hold a source and its target.
PAIRS = (
    ("source", "target"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("prompt", "response"),
    ("prompt", "completion"),
    ("question", "answer"),
    ("question", "response"),
    ("source", "translation"),
)
#: The field of languages, in data sets of Hugging Face: {"translation": {"en": ..., "de": ...}}.
TRANSLATION = "translation"
#: Fields that complete an instruction, in Alpaca and Dolly.
INSTRUCTION_INPUTS = ("input", "context")
#: The field of a list of intents, and those of an intent: wordings of a question, and its answers.
INTENTS = "intents"
INTENT = ("patterns", "responses")
#: Parts of an id that are not in all places where it is: Reddit's for a comment, and the end of a
#: number in a column with gaps, as pandas writes it.
_ID = re.compile(r"(?:t1_)?(.*?)(?:(?<=\d)\.0)?", re.DOTALL)


@dataclass(frozen=True)
class Fields:
    """The fields of a record that are read.

    Attributes:
        columns: several: turns, the last of which is the target; one: a list of turns, or a turn
            if there is a `group_column`; none: the fields that are known here. Dots lead into
            nested records (`translation.en`).
        group_column: identifies what belongs together: a conversation, a film.
        reply_columns: the id of a message, the id of the one that it answers and, if there is a
            third, its author; of rows that are messages, with their text in the only column.
        languages: of source and target, for records with both under their codes; empty: records
            may be conversations.
    """

    columns: tuple[str, ...] = ()
    group_column: str = ""
    reply_columns: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    def given(self) -> tuple[str, ...]:
        """Returns the columns that are given."""
        return tuple(filter(None, (*self.columns, self.group_column, *self.reply_columns)))

    def names(self) -> set[str]:
        """Returns the fields that may be read, and the outermost records that they may be in."""
        given = {*self.given()}
        if self.columns:
            return given | {name.split(".")[0] for name in given}
        known = {*CONVERSATIONS, INTENTS, *INTENT, *INSTRUCTION_INPUTS, TRANSLATION, *TREES}
        return known.union(*PAIRS, self.languages, given)


def records_of(rows: Iterable[Row | Fault], path: str, fields: Fields) -> Records:
    """Yields the examples in the rows of a file, without HTML. A record of another shape is a
    fault."""
    for each in _records_of(rows, path, fields):
        if isinstance(each, Example):
            source = tuple(map(without_html, each.source))
            each = replace(each, source=source, target=without_html(each.target))
        yield each


def _records_of(rows: Iterable[Row | Fault], path: str, fields: Fields) -> Records:
    if fields.reply_columns:
        posts = (_post_of(row, path, fields) for row in _unwrap(rows, fields))
        yield from exchanges_of_posts(posts, path)
        return
    if len(fields.columns) == 1 and fields.group_column:
        yield from _conversations(rows, path, fields)
        return
    line = number = 0
    for row in _unwrap(rows, fields):
        if isinstance(row, Fault):
            yield row
            continue
        line, number = row[0], number + 1 if row[0] == line else 1
        place = f"{path}:{line}" if number == 1 else f"{path}:{line}#{number}"
        try:
            yield from _examples(row[1], place, fields)
        except ValueError as error:
            yield Fault(place, f"not a conversation or pair: {error}")


def _unwrap(rows: Iterable[Row | Fault], fields: Fields) -> Iterator[Row | Fault]:
    """Yields the rows, and the members of a list of intents, of a record's only list of records
    (`{"data": [...]}`), or of a record of records with the same fields, in place of that record."""
    known = fields.names()
    for row in rows:
        if isinstance(row, Fault) or not isinstance(row[1], dict):
            yield row
            continue
        line, record = row
        lists = [value for value in record.values() if _is_list_of_records(value)]
        if INTENTS in record and _is_list_of_records(record[INTENTS]):
            yield from ((line, intent) for intent in record[INTENTS])
        elif len(lists) == 1 and known.isdisjoint(record):
            yield from ((line, inner) for inner in lists[0])
        elif _are_alike([*record.values()]) and known.isdisjoint(record):
            yield from ((line, inner) for inner in record.values())
        else:
            yield row


def _is_list_of_records(value: Any) -> bool:
    return bool(value) and isinstance(value, list) and all(isinstance(x, dict) for x in value)


def _is_list_of_messages(value: Any) -> bool:
    return _is_list_of_records(value) and any(name in value[0] for name in ROLES)


def _are_alike(values: list[Any]) -> bool:
    return _is_list_of_records(values) and len({frozenset(each) for each in values}) == 1


def _examples(record: Any, place: str, fields: Fields) -> Iterator[Example]:
    """Returns the examples of a record. Raises ValueError if malformed."""
    if isinstance(record, list) and len(record) > 1 and all(map(_is_text, record)):
        record = {CONVERSATIONS[0]: record}
    if not isinstance(record, dict):
        advice = "; name a file with an array .json" if isinstance(record, list) else ""
        raise ValueError(f"expected a record with named fields{advice}")
    values = [_value_at(record, column) for column in fields.columns]
    if len(values) == 1:
        turns = turns_of(values[0])
    elif values and _is_list_of_messages(values[-1]):  # a prompt in plain text is among them
        lists = [value for value in values if _is_list_of_messages(value)]
        turns = turns_of([message for messages in lists for message in messages])
    elif names := _names_of_intent(record, fields):
        return _examples_of_intent(record, place, names)
    elif fields.columns:
        *source, target = (_text_at(record, column) for column in fields.columns)
        group = _group_of(record, fields) or source[0]
        return iter([Example(tuple(source), target, group, place)])
    else:
        conversations = (record.get(name) for name in CONVERSATIONS)
        found = next((each for each in conversations if isinstance(each, list)), None)
        if found is None and (posts := posts_of_tree(record, place)):
            return exchanges_of_tree(posts, _group_of(record, fields) or place)
        if found is None or fields.languages:
            source_text, target = _pair_of(record, fields.languages, found)
            group = _group_of(record, fields) or source_text
            return iter([Example((source_text,), target, group, place)])
        turns = turns_of(found)
    group = _group_of(record, fields) or place
    return exchanges_of(enumerate(turns, start=1), group=group, origin=place)


def _names_of_intent(record: dict[str, Any], fields: Fields) -> tuple[str, ...]:
    """Returns the fields of an intent: `patterns` and `responses`, or two columns of which one
    holds a list. Returns nothing if the record is none."""
    names = fields.columns or INTENT
    are_lists = [isinstance(_value_at(record, name), list) for name in names]
    is_intent = any(are_lists) if fields.columns else all(are_lists)
    return names if is_intent and len(names) == 2 else ()


def _examples_of_intent(
    intent: dict[str, Any], place: str, names: tuple[str, ...]
) -> Iterator[Example]:
    """Yields each pattern with one of the responses, taken in turn: a question that is to be learnt
    by heart has one answer. Raises ValueError if there is no pattern or no response."""
    values = (_value_at(intent, name) for name in names)
    patterns, responses = (
        [text for text in (value if isinstance(value, list) else [value]) if _is_text(text)]
        for value in values
    )
    if not patterns or not responses:
        raise ValueError(f"an intent without {' or '.join(names)}")
    for number, (pattern, response) in enumerate(zip(patterns, cycle(responses)), start=1):
        yield Example((pattern,), response, patterns[0], f"{place}:{number}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _conversations(rows: Iterable[Row | Fault], path: str, fields: Fields) -> Records:
    """Yields the exchanges of conversations: neighbouring rows of one group."""

    def turn_of(row: Row | Fault) -> tuple[str, int, str] | Fault:
        if isinstance(row, Fault):
            return row
        try:
            text = _text_at(row[1], fields.columns[0])
            return _group_of(row[1], fields), row[0], text
        except ValueError as error:
            return Fault(f"{path}:{row[0]}", f"not a turn: {error}")

    turns = map(turn_of, rows)
    for group, members in groupby(turns, lambda turn: None if isinstance(turn, Fault) else turn[0]):
        conversation = []
        for each in members:
            if isinstance(each, Fault):
                yield each
            else:
                conversation.append(each[1:])
        yield from exchanges_of(conversation, group=f"{path}:{group}", origin=path)


def _post_of(row: Row | Fault, path: str, fields: Fields) -> Post | Fault:
    """Returns the message in a row, or a fault."""
    if isinstance(row, Fault):
        return row
    place = f"{path}:{row[0]}"
    try:
        text = _text_at(row[1], fields.columns[0])
    except ValueError as error:
        return Fault(place, f"not a message: {error}")
    own_id, parent_id, *authors = (_id_at(row[1], column) for column in fields.reply_columns)
    if not own_id:
        return Fault(place, f"not a message: has no value in {fields.reply_columns[0]}")
    return Post(own_id, parent_id, "".join(authors), text, place)


def _id_at(record: Any, column: str) -> str:
    """Returns an id as text; empty if there is none."""
    value = _value_at(record, column)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    found = _ID.fullmatch("" if value is None or value != value else str(value).strip())
    return found[1] if found else ""


def _pair_of(
    record: dict[str, Any], languages: tuple[str, ...], conversation: list[Any] | None
) -> tuple[str, str]:
    """Returns the texts of a pair, which may be a conversation of two turns. Raises ValueError if
    there is none."""
    inner = record.get(TRANSLATION)
    texts = inner if isinstance(inner, dict) else record
    if isinstance(inner, dict) and len(inner) == 2:
        languages = languages or tuple(sorted(inner))
    pairs = (languages, *PAIRS) if languages else PAIRS
    for source, target in pairs:
        if isinstance(texts.get(source), str) and isinstance(texts.get(target), str):
            source_text, target_text = texts[source], texts[target]
            extras = [record.get(name) for name in INSTRUCTION_INPUTS]
            if source == "instruction":
                source_text = " ".join(
                    [source_text, *(x for x in extras if x and isinstance(x, str))]
                )
            return source_text, target_text
    if conversation is not None:
        turns = turns_of(conversation)
        if len(turns) != 2:
            raise ValueError(f"has {len(turns)} turns; a translation is a text and its answer")
        return turns[0], turns[1]
    if isinstance(inner, dict) and not languages:
        raise ValueError(f"name two `languages` of its translation: {', '.join(map(str, inner))}")
    if languages:
        raise ValueError(f"has no texts in {' and '.join(languages)}, nor source and target")
    if len(record) > 1 and all(" " in str(name) and _is_text(record[name]) for name in record):
        raise ValueError(
            "its names are texts. Write each with its value to a line, separated by a tab: "
            "jq -r 'to_entries[] | [.key, .value] | @tsv'"
        )
    raise ValueError(
        "expected turns, messages, source and target, or intents; or name two `languages`, or "
        f"name `columns` of: {', '.join(map(str, record))[:200]}"
    )


def _value_at(record: Any, column: str) -> Any:
    """Returns the value of a column; None if there is no such column."""
    if not isinstance(record, dict):
        return None
    if column in record:
        return record[column]
    name, dot, rest = column.partition(".")
    return _value_at(record.get(name), rest) if dot else None


def _text_at(record: Any, column: str) -> str:
    value = _value_at(record, column)
    if not isinstance(value, str):
        names = ", ".join(map(str, record)) if isinstance(record, dict) else "none"
        raise ValueError(f"has no text in {column}; its fields: {names[:200]}")
    return value


def _group_of(record: Any, fields: Fields) -> str:
    if not fields.group_column:
        return ""
    value = _value_at(record, fields.group_column)
    if value is None or isinstance(value, (dict, list)):
        raise ValueError(f"has no value in {fields.group_column}")
    return str(value)
