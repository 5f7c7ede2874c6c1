"""Detection of formats: from the name and the first lines of a file to the format of a source.

It guesses what a file looks like; its reader decides whether that is right (`survey.py`).
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

from model.language_id import base_of
from training.cleaning.languages import can_identify
from training.errors import CorpusError
from training.files.archives import (
    is_archive,
    names_in,
    open_unpacked,
    plain_name,
    wanted_members,
)
from training.files.encodings import decode
from training.formats import FORMATS, Format
from training.readers.chat_dates import STAMP
from training.readers.discord import COLUMNS as DISCORD_COLUMNS
from training.readers.fields import CONVERSATIONS, INTENT, PAIRS, TRANSLATION
from training.readers.messages import TREES
from training.readers.pairs import ANKI_HEADER
from training.readers.parquet import column_names
from training.readers.slack import is_list_of_export
from training.readers.tables import EXCEL_SEPARATOR, SEPARATED_LINES, separator_of

#: Number of bytes of a file, and of lines in them, that are inspected.
HEAD_BYTES, HEAD_LINES = 64 * 1024, 200
#: Share of the lines that must look alike.
MIN_SHARE, SOME_SHARE = 0.8, 0.1

#: Share of the lines of a log that have a time and a name, each before the lines of a message.
HEAD_SHARE = 0.25

#: Formats that follow from the suffix.
_BY_SUFFIX: dict[str, Format] = {
    **dict.fromkeys(FORMATS["subtitles"].suffixes, "subtitles"),
    **dict.fromkeys(FORMATS["yaml"].suffixes, "yaml"),
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
#: Names of columns with message and reply, or source and target, best first.
_COLUMN_PAIRS = (
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
#: Names of columns with the speaker of a turn.
_SPEAKERS = frozenset("author character role sender speaker user username".split())
#: Maximum number of different speakers, as a share of the turns.
MAX_SPEAKERS = 0.5
#: Maximum number of different labels, as a share of their changes from row to row.
MAX_LABELS_SHARE = 2 / 3
#: Maximum number of letters of codes, as of languages.
LONGEST_CODE = 3
#: What may be the name of a column, if not a sentence. pandas leaves that of row numbers empty.
_COLUMN_NAME = re.compile(r"(?:(?!\d)[\w ./:()#-]*[\w)])?")
#: Minimum number of letters in a second text column, as a share of the first, and minimum share of
#: its rows that contain letters.
SECOND_COLUMN = 0.5
#: Minimum number of letters in a column that is named by its language, as a share of the most.
SIDE_COLUMN = 0.25
#: Names of columns with the id of a message, that of the one that it answers, its text and its
#: author, without spaces and other marks.
_ID_NAME = re.compile(r"(?:message|msg|comment|tweet|status|post|utterance|mail|email|uu)?id")
_PARENT_NAME = re.compile(r"(?:in)?(?:reply|response)to(?:\w*id)?|parent(?:\w*id)?")
_TEXT_NAME = re.compile(r"(?:full|message|comment|body)?text|body|content|message|comment")
_AUTHOR_NAME = re.compile(r"(?:author|speaker|sender|user|from)(?:id|name)?")
_CONVERSATION = re.compile(r"(dialog|conv|thread|talk|scene|session).*id", re.IGNORECASE)
_REGION = r"(?:_[A-Za-z]{2,4}|-[A-Z]{2}|-[A-Z][a-z]{3})?"  # or a script
_CODE = rf"[a-z]{{2,3}}{_REGION}"
_PAIR_OF_LANGUAGES = re.compile(rf"(?:^|[.-])({_CODE})-({_CODE})(?:\.txt)?\.zip$")
#: The times of a subtitle in SubRip, WebVTT, MicroDVD or MPL2.
_CUE = re.compile(r"\[?[\d:,.]+ --> [\d:,.]+|\{\d+\}\{\d+\}|\[\d+\]\[\d+\]")
_CHAT_LINE = re.compile(rf"\W?\[?{STAMP}(\]|,|:|\s)")
_SLACK_TIME = re.compile(r'"ts"\s*:\s*"\d+\.\d+"')
_CLOCK = r"(?:\w{2}\s?)?\d{1,2}:\d{2}(?:\s?[AaPp][Mm])?"
#: Lines of chats that no reader knows: their dates are on lines of their own.
_UNKNOWN_CHATS = {
    "LINE": re.compile(rf"{_CLOCK}\t[^\t]*\t"),
    "KakaoTalk for PCs": re.compile(rf"\[[^\[\]]+\] \[{_CLOCK}\] "),
}
#: A time, perhaps after a date, at the start of a line.
_TIME = re.compile(r"[\[(<]?(?:(?:[^\W\d]{3,9}\.? )?\d[\w.,/ -]{0,20}[ ,])?\d{1,2}:\d\d\b")
#: A number (a score) or an address.
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*%?|https?://\S+")
#: What separates two texts in a line, if it is in each line once.
_SEPARATORS = (" ||| ", " => ", " -> ", " | ", " = ")
#: Names that end in a language code.
_SIDES = (
    re.compile(rf"(.*)\.((?i:[a-z]{{2,3}}){_REGION})"),
    re.compile(r"(?:(.*?)[._-])?((?i:[a-z]{2})(?:[_-](?:[A-Z]{2}|[A-Z][a-z]{3}))?)(?i:\.txt)"),
)
#: Names of a side, before its language code or in its place: `newstest2021.en-de.ref.A.de`,
#: `train.src`, `src-train.txt`.
_ROLE = r"(?P<role>src|source|tgt|trg|target|ref|reference)"
_ROLES = (
    re.compile(rf"(?:(?P<text>.*)[._-])?{_ROLE}(?:[._-]?[\da-z])?(?:\.txt)?", re.IGNORECASE),
    re.compile(rf"{_ROLE}[._-](?P<text>[^.]*)(?:\.txt)?", re.IGNORECASE),
)
_LANGUAGE_FOLDER = re.compile(rf"[a-z]{{2}}{_REGION}")
#: A cell as spreadsheets write it to a text file if it has a comma or a quotation mark.
_QUOTED_CELL = re.compile(r'(?:^|\t)"[^\t]+"(?:\t|$)')
#: The name of a speaker before a turn, and the maximum number of speakers.
_LABEL, MAX_LABELS = re.compile(r"(<?[^\W\d][\w .]{0,19}[:>]) ?\S"), 6
#: Minimum share of the lines with such names; a turn may have several lines.
LABELS_SHARE = 0.5
#: The number of a line, from 1 in each conversation, before a text.
_LINE_NUMBER = re.compile(r"(\d{1,9})[.):]? +[^\t]*[^\W\d_]{3}")
#: Marks of the prompts of language models.
_PROMPT_MARK = re.compile(r"<\|\w+\|>|\[/?INST\]|### (?:Human|User|Instruction|Assistant|Response)")
#: End of a turn in the DailyDialog corpus.
TURN_END = "__eou__"
_LINE_WITH_YEAR = re.compile(r"[^\t]*(?<!\d)20\d\d(?!\d)[^\t]*")


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


def detect(path: Path) -> Detected | None:
    """Returns the likely format of a file or of the contents of an archive; None if there is none,
    as for a picture or a licence.

    Raises:
        CorpusError: if it cannot be read, or is a chat that no reader knows.
    """
    if is_archive(path):
        return _detect_in_archive(path)
    name = plain_name(path)
    found = _BY_SUFFIX.get(Path(name).suffix)
    if found == "parquet":
        return _detect_fields(found, column_names(path))
    if found and found != "jsonl":
        return Detected(found)
    lines = head_of(path)
    if found:
        return _detect_fields(found, _names_in_json("\n".join(lines)))
    if not lines:
        return None
    if name.endswith(".tmx"):
        return Detected("tmx", languages=_languages_of_tmx("\n".join(lines)))
    if name.endswith(".json"):
        if is_list_of_export(path):
            return Detected("slack")
        _check_keys(path, lines)
        return _detect_json("\n".join(lines))
    if name.endswith(".xml"):
        return _detect_xml("\n".join(lines))
    if ANKI_HEADER.match(lines[0]):
        return Detected("pairs")
    _check_chat(path, lines)
    _check_turns(path, lines)
    _check_marks(path, lines)
    detected = _detect_table(lines) if name.endswith(".csv") else _detect_lines(lines, path)
    if detected and detected.format == "exchanges":
        _check_times(path, lines, MIN_SHARE)
    if detected and detected.format == "lines":
        _check_times(path, lines, HEAD_SHARE)
        _check_labels(path, lines)
        _check_separators(path, lines)
    if detected and detected.format == "table":
        _check_columns(path, lines, detected.columns)
    return detected


def head_of(path: Path) -> list[str]:
    """Returns the first non-empty lines of a text file; none if it is not text.

    Raises:
        CorpusError: if it cannot be read.
    """
    with open_unpacked(path) as file:
        content = file.read(HEAD_BYTES)
    if len(content) == HEAD_BYTES:  # the last line may be cut
        content = content[: content.rfind(b"\n") + 1] or content
    try:
        text, _ = decode(content)
    except ValueError:
        return []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")  # as the readers do
    return [line for line in lines if line.strip()][:HEAD_LINES]


def _detect_in_archive(path: Path) -> Detected | None:
    """Returns the format of the first file that has one."""
    suffixes = tuple({suffix for info in FORMATS.values() for suffix in info.suffixes})
    if pair := pair_of_moses(path):
        return Detected("moses", languages=pair)
    members = wanted_members(path, suffixes)
    return next((found for member in members if (found := detect(member))), None)


def pair_of_moses(archive: Path) -> tuple[str, ...]:
    """Returns the languages of an archive in format `moses`, by its name; of others, nothing.

    Raises:
        CorpusError: if it cannot be read.
    """
    pair = _PAIR_OF_LANGUAGES.search(archive.name)
    if pair and any(name.endswith(f".{pair[1]}") for name in names_in(archive)):
        return pair[1], pair[2]
    return ()


def _languages_of_tmx(text: str) -> tuple[str, ...]:
    codes = re.findall(r"""\b(?:xml:)?lang=["']([\w-]+)["']""", text)
    return tuple(dict.fromkeys(base_of(code) for code in codes))[:2]


def _detect_json(text: str) -> Detected:
    if '"from_id"' in text or ('"personal_chat"' in text and '"messages"' in text):
        return Detected("telegram")
    if '"sender_name"' in text or '"senderName"' in text:
        return Detected("messenger")
    if '"guild"' in text and '"channel"' in text:
        return Detected("discord")
    if _SLACK_TIME.search(text):
        return Detected("slack")
    return _detect_fields("jsonl", _names_in_json(text))


def _names_in_json(text: str) -> list[str]:
    """Returns the names of fields, but not of trees if they are numbers, as of replies."""
    found = re.findall(r'"([^"\\]{1,40})"\s*:\s*(\S?)', text)
    return list(dict.fromkeys(name for name, start in found if name not in TREES or start in "[{"))


def _detect_fields(form: Format, names: list[str]) -> Detected:
    """Returns the columns of messages that answer each other, or of a pair that the reader knows
    only as columns; none if it knows these fields."""
    if _are_known(names):
        return Detected(form)
    return _detect_replies(form, names) or Detected(form, _pair_among(names))


def _are_known(names: list[str]) -> bool:
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


def _detect_xml(text: str) -> Detected | None:
    if "<cesAlign" in text:
        return Detected("xces")
    return Detected("opensubtitles") if re.search(r"<s\s", text) else None


def _check_keys(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if a file is one record of the texts of a program in one language."""
    names = _names_in_json("\n".join(lines))
    is_one = lines[0].startswith("{") and not any(line.startswith("{") for line in lines[1:])
    language = side_of(path.with_name(plain_name(path)).with_suffix(".txt")).language
    if is_one and language and not (_are_known(names) or _pair_among(names)):
        raise CorpusError(
            f"{path}: has texts by keys, in one language. Export all languages as .tmx, or as a "
            ".csv with a column for each"
        )


def _check_chat(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if most lines are those of a chat that no reader knows, and another is a
    date: read as plain lines, times and names would be learnt."""
    for app, line_of_chat in _UNKNOWN_CHATS.items():
        others = [line for line in lines if not line_of_chat.match(line)]
        if 2 * len(others) <= len(lines) and any(map(_LINE_WITH_YEAR.fullmatch, others)):
            raise CorpusError(
                f"{path}: is a chat exported from {app}, which cannot be read. Write the date into "
                "each line, as WhatsApp does: [31.12.20, 21:15:03] Anna: Who is there?"
            )


def _check_turns(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if lines are whole conversations, as in the DailyDialog corpus."""
    if _share(lines, lambda line: TURN_END in line) >= MIN_SHARE:
        raise CorpusError(
            f"{path}: has {TURN_END} between the turns of a line. Write each turn on a line of its "
            f"own, and an empty line after a conversation: sed 's/ *{TURN_END} */\\n/g'"
        )


def _check_marks(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if lines have numbers or the marks of prompts, which would be learnt."""
    if marked := next(filter(None, map(_PROMPT_MARK.search, lines)), None):
        if _share(lines, lambda line: bool(_PROMPT_MARK.search(line))) >= SOME_SHARE:
            raise CorpusError(
                f"{path}: has {marked[0]} and other marks of prompts, which would be learnt. Write "
                'each conversation as a line of JSON: {"turns": ["Who is there?", "It is me."]}'
            )
    matches = (_LINE_NUMBER.match(line) for line in lines)
    numbers = [int(found[1]) if found else 0 for found in matches]
    counted = sum(b in (1, a + 1) for a, b in pairwise([0, *numbers]))
    if len(lines) > 2 and numbers[0] == 1 and counted >= MIN_SHARE * len(lines):
        raise CorpusError(
            f"{path}: its lines begin with their numbers, which would be learnt. Remove these: "
            "sed -E 's/^[0-9]+[.):]? +//'"
        )


def _check_times(path: Path, lines: list[str], share: float) -> None:
    """Raises a CorpusError if this share of the lines begins with times, which would be learnt."""
    if _share(lines, lambda line: bool(_TIME.match(line))) >= share:
        raise CorpusError(
            f"{path}: its lines begin with times, which would be learnt. Remove these, or write a "
            "chat as WhatsApp does: [31.12.20, 21:15:03] Anna: Who is there?"
        )


def _check_separators(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if each line has two texts, which would be read as one."""
    for separator in _SEPARATORS:
        if all(line.count(separator) == 1 for line in lines):
            raise CorpusError(
                f"{path}: has{separator}once in each line. If it separates two texts, put a tab "
                f"in its place: sed 's/{separator}/\\t/'"
            )


def _check_labels(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if lines begin with the names of a few speakers, which would be
    learnt."""
    labels = Counter(found[1] for line in lines if (found := _LABEL.match(line)))
    speakers = [label for label, count in labels.items() if count > 1]
    if 2 <= len(speakers) <= MAX_LABELS and labels.total() >= LABELS_SHARE * len(lines):
        names = ", ".join(speakers[:2])
        raise CorpusError(
            f"{path}: its lines begin with names ({names}), which would be learnt. Remove them: "
            "sed -E 's/^[^:>]*[:>] *//'"
        )


def _check_columns(path: Path, lines: list[str], columns: tuple[str, ...]) -> None:
    """Raises a CorpusError if a column names the speakers of turns, who would be answered: a few
    names, over and over."""
    rows = _rows_of(lines)
    has_names = not all(map(str.isdecimal, columns))
    header = [name.strip() for name in rows.pop(0)] if has_names else []
    is_known = tuple(map(str.lower, columns)) in _COLUMN_PAIRS
    for name in columns:
        place = header.index(name) if has_names else int(name) - 1
        values = [row[place] for row in rows if place < len(row)]
        is_named = name.lower() in _SPEAKERS and len({*values}) <= MAX_SPEAKERS * len(values)
        is_source = len(columns) > 1 and name == columns[0] and not is_known
        if is_named or (is_source and _are_labels(values)):
            raise CorpusError(
                f"{path}: its column {name} has speakers or other labels, so each row is a turn. "
                "Add a column with the conversation of each row, and write a recipe with its name "
                "as group_column; or name the columns of two texts as columns"
            )


def _are_labels(values: list[str]) -> bool:
    """Tells whether values are a few that come back over and over, or a single one, or codes."""
    distinct, runs = len({*values}), sum(1 for _ in groupby(values))
    is_few = distinct == 1 or distinct <= MAX_LABELS_SHARE * runs
    are_codes = all(value.isalpha() and len(value) <= LONGEST_CODE for value in values)
    return len(values) > 2 and (is_few or are_codes)


def _detect_lines(lines: list[str], path: Path) -> Detected | None:
    """Returns the format of a text file, judged by its lines."""
    kinds: tuple[tuple[Format, Callable[[str], bool], float], ...] = (
        ("cornell", lambda line: line.count(" +++$+++ ") >= 2, MIN_SHARE),
        ("scan", lambda line: line.startswith("IN: ") and " OUT: " in line, MIN_SHARE),
        ("subtitles", lambda line: bool(_CUE.match(line)), SOME_SHARE),
        ("whatsapp", lambda line: bool(_CHAT_LINE.match(line)), 0.5),
        ("conversations", lambda line: line.startswith("> "), SOME_SHARE),
    )
    for kind, holds, least in kinds:
        if _share(lines, holds) >= least:
            return Detected(kind)
    if _share(lines, lambda line: line.startswith("{") and line.endswith("}")) >= MIN_SHARE:
        return _detect_fields("jsonl", _names_in_json("\n".join(lines)))
    if _share(lines, lambda line: "\t" in line) >= MIN_SHARE:
        columns = zip(*(line.split("\t") for line in lines), strict=False)
        has_numbers = any(_share(column, _is_number) >= MIN_SHARE for column in columns)
        if (_has_names(lines) or has_numbers) and (found := _detect_table(lines)):
            return found
        is_quoted = _share(lines, lambda line: bool(_QUOTED_CELL.search(line))) >= SOME_SHARE
        if is_quoted and not plain_name(path).endswith(".tsv"):
            count = lines[0].rstrip("\t").count("\t") + 1
            return Detected("table", tuple(str(i + 1) for i in range(count)))
        return Detected("exchanges")
    if _share(lines, lambda line: line.count(";") == 1) == 1 and (found := _detect_table(lines)):
        return found
    suffix = Path(plain_name(path)).suffix
    side = side_of(Path(path.name))
    is_text = suffix in (*FORMATS["lines"].suffixes, "") or side.language or side.role
    return Detected("lines") if is_text else None


@dataclass(frozen=True)
class Side:
    """What the path of a file tells of it as a side of a translation.

    Attributes:
        text: path without the language and the role, the same for both sides.
        language: code; empty if there is none.
        role: `source` or `target`; empty if there is none.
    """

    text: Path
    language: str = ""
    role: str = ""


def side_of(path: Path) -> Side:
    """Returns what the path of a file tells of it as a side: the language code at the end of its
    name (`train.de`, `train_de.txt`, `de.txt`), or else the name of its folder (`de/train.txt`),
    and the role before it or in its place (`test.ref.A.de`, `train.src`, `src-train.txt`)."""
    name = path.name[: len(plain_name(path))]
    folder, language, role = path.parent, "", ""
    matches = filter(None, (pattern.fullmatch(name) for pattern in _SIDES))
    if found := next((each for each in matches if can_identify(each[2])), None):
        name, language = found[1] or "", found[2]
    elif _LANGUAGE_FOLDER.fullmatch(folder.name) and can_identify(folder.name):
        folder, language = folder.parent, folder.name
    if found := next(filter(None, (pattern.fullmatch(name) for pattern in _ROLES)), None):
        name = found["text"] or ""
        role = "source" if found["role"].lower() in ("src", "source") else "target"
    return Side(folder / name.lower(), language, role) if language or role else Side(path)


def _has_names(lines: list[str]) -> bool:
    first = {cell.strip().lower() for cell in lines[0].split("\t")}
    return all(map(can_identify, first)) or any(set(pair) <= first for pair in _COLUMN_PAIRS)


def _detect_table(lines: list[str]) -> Detected | None:
    """Returns the two columns of a table with the names of a pair, else those with the most
    text."""
    rows = _rows_of(lines)
    names = [name.strip() for name in rows[0]] if rows else []
    if set(DISCORD_COLUMNS) <= set(names):
        return Detected("discord")
    if len(names) < 2:
        return None
    if pair := _pair_among(names):
        return Detected("table", pair)
    if replies := _detect_replies("table", names):
        return replies
    group = next((name for name in names if _CONVERSATION.search(name)), "")
    letters = [_letters_in(row[i] for row in rows if i < len(row)) for i in range(len(names))]
    sides = [
        name
        for name, count in zip(names, letters, strict=True)
        if can_identify(name) and count >= SIDE_COLUMN * max(letters)
    ]
    if len(sides) == len({*sides}) > 1:
        return Detected("table", tuple(sides))
    whole = [row for row in rows[1:] if len(row) == len(names)]
    for i in _places_of_group(whole, names.index(group)) if group else ():
        letters[i] = 0
    first, second = sorted(range(len(names)), key=lambda i: -letters[i])[:2]
    if group and letters[second] < SECOND_COLUMN * letters[first]:
        return Detected("table", (names[first],), group)
    texts = [row[second] for row in rows if second < len(row)]
    if _share(texts, lambda text: any(map(str.isalpha, text))) < SECOND_COLUMN:  # a number, a date
        return None
    widest = sorted((first, second))
    has_names = len({*names}) == len(names) and all(map(_COLUMN_NAME.fullmatch, names))
    has_names = has_names and all(names[i] for i in widest)
    return Detected("table", tuple(names[i] if has_names else str(i + 1) for i in widest))


def _places_of_group(rows: list[list[str]], group: int) -> list[int]:
    """Returns the columns that have the same value in all rows of a group, such as its topic."""
    columns = list(zip(*rows, strict=True))
    if not columns or len({*columns[group]}) == len(rows):
        return []

    def is_of_group(column: tuple[str, ...]) -> bool:
        return len({*zip(columns[group], column, strict=True)}) == len({*columns[group]})

    return [i for i, column in enumerate(columns) if is_of_group(column)]


def _rows_of(lines: list[str]) -> list[list[str]]:
    if named := EXCEL_SEPARATOR.fullmatch(lines[0]):
        lines = lines[1:]
    separator = named[1] if named else separator_of(lines[:SEPARATED_LINES])
    return [row for row in csv.reader(lines, delimiter=separator) if row]


def _pair_among(names: list[str]) -> tuple[str, ...]:
    """Returns the two names of a known pair, if they are there."""
    lower = [name.lower() for name in names]
    pair = next((pair for pair in _COLUMN_PAIRS if set(pair) <= set(lower)), ())
    return tuple(names[lower.index(name)] for name in pair)


def _letters_in(texts: Iterable[str]) -> int:
    """Counts the letters, but not those of addresses, dates and identifiers."""
    letters = ((text, sum(map(str.isalpha, text))) for text in texts if not _is_number(text))
    return sum(count for text, count in letters if count > sum(map(str.isdigit, text)))


def _is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text.strip()))


def _share(lines: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, lines)) / len(lines)
