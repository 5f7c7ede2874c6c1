"""Columns of tables and fields of records: which are a pair, turns, or messages that answer each
other."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from training.cleaning.languages import can_identify
from training.formats import Format
from training.readers.discord import COLUMNS as DISCORD_COLUMNS
from training.readers.fields import CONVERSATIONS, INTENT, PAIRS, TRANSLATION
from training.readers.messages import TREES
from training.readers.tables import EXCEL_SEPARATOR, SEPARATED_LINES, separator_of

#: Names of columns with message and reply, or source and target, best first.
COLUMN_PAIRS = (
    ("question", "answer"),
    ("message", "reply"),
    ("source", "target"),
    ("prompt", "response"),
    ("prompt", "chosen"),
    ("input", "output"),
    ("context", "response"),
    ("instruction", "response"),
    ("query", "response"),
    ("questions", "answers"),
    ("questions", "answer"),
    ("question", "answers"),
    ("patterns", "responses"),
    ("text", "responses"),
    ("user", "assistant"),
    ("q", "a"),
    ("src", "tgt"),
    ("src", "ref"),
    ("source", "translation"),
    ("original", "translation"),
    ("frage", "antwort"),
    ("question", "réponse"),
    ("pregunta", "respuesta"),
    ("pergunta", "resposta"),
    ("domanda", "risposta"),
    ("vraag", "antwoord"),
    ("pytanie", "odpowiedź"),
    ("вопрос", "ответ"),
    ("soru", "cevap"),
    ("问题", "答案"),
    ("問題", "答案"),
    ("问题", "回答"),
    ("質問", "回答"),
    ("질문", "답변"),
)
#: What may be the name of a column, if not a sentence. pandas leaves that of row numbers empty.
_COLUMN_NAME = re.compile(r"(?:(?!\d)[\w ./:()#-]*[\w)]|#|N[or]\.)?")
#: What the names of a pair may have after them: `Source (EN)`, `src_text`, `Source String`.
_AFTER_NAME = re.compile(r"\s*[(\[].*|(?<=\w)[ _-](?:text|string)\s*", re.IGNORECASE)
#: Minimum number of letters in a second text column, as a share of the first, and minimum share of
#: its rows that contain letters.
SECOND_COLUMN = 0.5
#: Minimum number of letters in a column that is named by its language, as a share of the most.
SIDE_COLUMN = 0.1
#: Names of columns with the id of a message, that of the one that it answers, its text and its
#: author, without spaces and other marks.
_ID_NAME = re.compile(r"(?:c|message|msg|comment|tweet|status|post|utterance|mail|email|uu)?id")
_PARENT_NAME = re.compile(r"(?:in)?(?:reply|response)to(?:\w*id)?|parent(?:\w*id)?")
_TEXT_NAME = re.compile(r"(?:full|message|comment|body)?text|body|content|message|comment")
_AUTHOR_NAME = re.compile(r"(?:author|speaker|sender|user|from)(?:id|name)?")
_CONVERSATION = re.compile(
    r"(?:dialog|conv|thread|talk|scene|session|ticket|case|chat|topic).*(?:idx?|number)(?![a-z])",
    re.IGNORECASE,
)
#: A number (a score), an address or a key (`home.title`, `k1`).
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*%?|https?://\S+|[^\W\d]\w*(?:[._:/]\w+)+|[A-Za-z]+\d+")
#: Names of columns that are codes of languages, but hardly ever mean them.
_NO_CODES = ("id", "no", "is")


@dataclass(frozen=True)
class Detected:
    """A format, with the keys that its source needs.

    Attributes:
        format: format of the file.
        columns: columns of a table.
        group_column: grouping column of a table with one turn per row.
        reply_columns: id, parent and perhaps author, in messages that answer each other.
        languages: codes in the file, for a format that needs them.
    """

    format: Format
    columns: tuple[str, ...] = ()
    group_column: str = ""
    reply_columns: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


def names_in_json(text: str) -> list[str]:
    """Returns the names of fields, but not of trees if they are numbers, as of replies."""
    found = re.findall(r'"([^"\\]{1,40})"\s*:\s*(\S?)', text)
    return list(dict.fromkeys(name for name, start in found if name not in TREES or start in "[{"))


def detect_fields(form: Format, names: list[str]) -> Detected:
    """Returns the columns of messages that answer each other, of a pair that the reader knows only
    as columns, or of languages; none if it knows these fields."""
    sides = [name for name in names if can_identify(name) and name not in _NO_CODES]
    if are_known(names):
        has_pair = TRANSLATION in names and len(sides) == 2
        return Detected(form, languages=tuple(sides) if has_pair else ())
    if replies := _detect_replies(form, names):
        return replies
    return Detected(form, pair_among(names) or (tuple(sides) if len(sides) > 1 else ()))


def are_known(names: list[str]) -> bool:
    """Tells whether the reader knows these fields."""
    is_conversation = not {*CONVERSATIONS, *TREES, TRANSLATION}.isdisjoint(names)
    return is_conversation or any(set(pair) <= set(names) for pair in (*PAIRS, INTENT))


def _detect_replies(form: Format, names: list[str]) -> Detected | None:
    """Returns the columns of messages that answer each other, if they are there."""
    plain = {re.sub(r"[\W_]", "", name).lower(): name for name in reversed(names)}

    def find(pattern: re.Pattern[str]) -> list[str]:
        return [name for each, name in reversed(plain.items()) if pattern.fullmatch(each)][:1]

    text, own, parent = map(find, (_TEXT_NAME, _ID_NAME, _PARENT_NAME))
    if not (text and own and parent):
        return None
    return Detected(form, (*text,), reply_columns=(*own, *parent, *find(_AUTHOR_NAME)))


def has_names(lines: list[str]) -> bool:
    """Tells whether the first line has the names of two columns: a known pair, or languages."""
    first = {cell.strip().lower() for cell in lines[0].split("\t")}
    return all(map(can_identify, first)) or any(set(pair) <= first for pair in COLUMN_PAIRS)


def detect_table(lines: list[str]) -> Detected | None:
    """Returns the two columns of a table with the names of a pair, else those with the most
    text."""
    rows = rows_of(lines)
    names = [name.strip() for name in rows[0]] if rows else []
    if set(DISCORD_COLUMNS) <= set(names):
        return Detected("discord")
    if len(names) < 2:
        return None
    if pair := pair_among(names):
        return Detected("table", pair)
    if replies := _detect_replies("table", names):
        return replies
    shown = rows[1:] or rows
    columns = [*zip(*(row for row in shown if len(row) == len(names)), strict=True)]
    groups = zip(names, columns, strict=False)
    group = next((name for name, values in groups if _is_group(name, values)), "")
    letters = [_letters_in(row[i] for row in shown if i < len(row)) for i in range(len(names))]
    sides = [
        name
        for name, count in zip(names, letters, strict=True)
        if can_identify(name) and name not in _NO_CODES and count >= SIDE_COLUMN * max(letters)
    ]
    if len(sides) == len({*sides}) > 1:
        return Detected("table", tuple(sides))
    for i in _places_of_group(columns, names.index(group)) if group else ():
        letters[i] = 0
    first, second = sorted(range(len(names)), key=lambda i: -letters[i])[:2]
    if group and letters[second] < SECOND_COLUMN * letters[first]:
        return Detected("table", (names[first],), group)
    texts = [row[second] for row in rows if second < len(row)]
    if share(texts, lambda text: _letters_in((text,)) > 0) < SECOND_COLUMN:  # a number, a date
        return None
    widest = sorted((first, second))
    is_header = len({*names}) == len(names) and all(map(_COLUMN_NAME.fullmatch, names))
    is_header = is_header and all(names[i] for i in widest)
    return Detected("table", tuple(names[i] if is_header else str(i + 1) for i in widest))


def _is_group(name: str, values: tuple[str, ...]) -> bool:
    """Tells whether a column has the conversations of turns, by its name; some have several."""
    return bool(_CONVERSATION.search(name)) and len({*values}) < len(values)


def _places_of_group(columns: list[tuple[str, ...]], group: int) -> list[int]:
    """Returns the columns that have the same value in all rows of a group, such as its topic."""

    def is_of_group(column: tuple[str, ...]) -> bool:
        return len({*zip(columns[group], column, strict=True)}) == len({*columns[group]})

    return [i for i, column in enumerate(columns) if is_of_group(column)]


def rows_of(lines: list[str]) -> list[list[str]]:
    """Returns the cells of the rows that are not empty."""
    if named := EXCEL_SEPARATOR.fullmatch(lines[0]):
        lines = lines[1:]
    separator = named[1] if named else separator_of(lines[:SEPARATED_LINES])
    return [row for row in csv.reader(lines, delimiter=separator) if row]


def pair_among(names: list[str]) -> tuple[str, ...]:
    """Returns the two names of a known pair, if they are there."""
    lower = [_AFTER_NAME.sub("", name).lower() for name in names]
    pair = next((pair for pair in COLUMN_PAIRS if set(pair) <= set(lower)), ())
    return tuple(names[lower.index(name)] for name in pair)


def _letters_in(texts: Iterable[str]) -> int:
    """Counts the letters, but not those of addresses, dates and identifiers."""
    letters = ((text, sum(map(str.isalpha, text))) for text in texts if not is_number(text))
    return sum(count for text, count in letters if count > sum(map(str.isdigit, text)))


def is_number(text: str) -> bool:
    """Tells whether a cell is no text: a number, an address or a key."""
    return bool(_NUMBER.fullmatch(text.strip()))


def share(lines: Sequence[str], holds: Callable[[str], bool]) -> float:
    """Returns the share of the lines of which something holds."""
    return sum(map(holds, lines)) / len(lines)
