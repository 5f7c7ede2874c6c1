"""Refusals of files whose names, times and marks would be learnt as text, with what to do."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby, pairwise, zip_longest
from pathlib import Path

from model.text.encodings import encoding_of_mark
from training.errors import CorpusError
from training.files.archives import plain_name
from training.files.encodings import decode
from training.new.columns import (
    Detected,
    are_known,
    names_in_json,
    pair_among,
    rows_of,
    share,
)
from training.new.sides import is_language, side_of
from training.readers.dialogue import TURN_END, speakers_of

#: Share of the lines that must look alike.
MIN_SHARE, SOME_SHARE = 0.8, 0.1
#: Share of the lines of a log that have a time and a name, each before the lines of a message.
HEAD_SHARE = 0.25
#: Names of columns with the speaker of a turn.
_SPEAKERS = frozenset("author character role sender speaker user username".split())
#: Maximum number of different speakers, as a share of the turns.
MAX_SPEAKERS = 0.5
#: Maximum number of different labels, as a share of their changes from row to row.
MAX_LABELS_SHARE = 2 / 3
#: Maximum number of letters of codes, as of languages.
LONGEST_CODE = 3
_CLOCK = r"(?:\w{2}\s?)?\d{1,2}:\d{2}(?:\s?[AaPp][Mm])?"
#: Lines of chats that no reader knows: their dates are on lines of their own.
_UNKNOWN_CHATS = {
    "LINE": re.compile(rf"{_CLOCK}\t[^\t]*\t"),
    "KakaoTalk for PCs": re.compile(rf"\[[^\[\]]+\] \[{_CLOCK}\] "),
}
#: A time, perhaps after a date, at the start of a line.
_TIME = re.compile(r"[\[(<]?(?:(?:[^\W\d]{3,9}\.? )?\d[\w.,/ -]{0,20}[ ,T])?\d{1,2}:\d\d\b")
#: What separates two texts in a line, if it is in each line once.
_SEPARATORS = (" ||| ", " => ", " -> ", " | ", " = ", " - ", " \u2013 ", " \u2014 ")
#: What may be before each text of a column: a label (`Q:`), a dash or a bullet.
_LABEL = re.compile(r"[^\W\d]\w{0,19}:|[-*\u2013\u2014\u2022](?=\s)")
#: The number of a line, from 1 in each conversation, or of a question and its answer.
_LINE_NUMBER = re.compile(r"(?:[^\W\d]{1,10} ?)?(\d{1,9})[.):]? +[^\t]*[^\W\d_]{3}")
#: Marks of the prompts of language models.
_PROMPT_MARK = re.compile(r"<\|\w+\|>|\[/?INST\]|### (?:Human|User|Instruction|Assistant|Response)")
_QUOTED = re.compile(r'".*"')
_HEADS_OF_MAIL = frozenset("bcc cc date from sent subject to".split())
_LINE_WITH_YEAR = re.compile(r"[^\t]*(?<!\d)20\d\d(?!\d)[^\t]*")


def check_keys(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if a file is one record of the texts of a program in one language."""
    names = names_in_json("\n".join(lines))
    is_one = lines[0].startswith("{") and not any(line.startswith("{") for line in lines[1:])
    is_named = is_language(path.name.partition(".")[0])
    if is_one and is_named and not (are_known(names) or pair_among(names)):
        raise CorpusError(
            f"{path}: has texts by keys, in one language. Export all languages as .tmx, or as a "
            ".csv with a column for each"
        )


def check_head(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError for the first lines of a text in a layout that no reader knows."""
    _check_chat(path, lines)
    _check_marks(path, lines)


def check_detected(path: Path, lines: list[str], detected: Detected | None) -> None:
    """Raises a CorpusError if the first lines of a text have more than text in the format that was
    detected, or are a table without text."""
    form = detected.format if detected else ""
    side = side_of(path)
    if form != "lines" or side.language or side.role:
        _check_turns(path, lines)
    if form == "exchanges":
        _check_times(path, lines, MIN_SHARE)
    if form in ("exchanges", "lines"):
        _check_labels(path, lines)
    if plain_name(path).endswith(".tsv"):
        _check_quotes(path, lines)
    if form == "transcript":
        _check_mail(path, lines)
    if form == "lines":
        _check_words(path, lines)
        _check_times(path, lines, HEAD_SHARE)
        _check_names(path, lines)
        _check_separators(path, lines)
    if detected and form == "table":
        _check_columns(path, lines, detected.columns)
    if not detected and plain_name(path).endswith(".csv"):
        _check_rows(path, lines)


def check_encoding(path: Path, head: bytes) -> None:
    """Raises a CorpusError if many lines at the head of a text are not in UTF-8: the others would
    be used, as if they were all."""
    _, encoding = decode(head)
    is_known = encoding == "utf-8" or encoding_of_mark(head)
    lines = head.decode("utf-8", errors="replace").split("\n")
    if not is_known and share(lines, lambda line: "\ufffd" in line) >= SOME_SHARE:
        raise CorpusError(
            f"{path}: is in {encoding}, not in UTF-8. Save it in UTF-8 (in Excel: CSV UTF-8), or "
            f"convert it: iconv -f {encoding} -t utf-8"
        )


def _check_rows(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if a table has rows, but no two columns of text."""
    first, *others = rows_of(lines) or [[]]
    if others:
        raise CorpusError(
            f"{path}: has no two columns of text, nor turns with the id of their conversation. Its "
            f"columns: {', '.join(first)[:200]}. docs/corpora.md shows each format"
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
    """Raises a CorpusError if texts are whole conversations, as in the Ubuntu corpus."""
    if share(lines, lambda line: TURN_END in line) >= MIN_SHARE:
        raise CorpusError(
            f"{path}: has {TURN_END} between turns, which would be learnt. To translate, write "
            "each turn on a line of its own; for replies, each conversation on a line of a .txt "
            "file whose name does not end in a language"
        )


def _check_marks(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if lines have numbers or the marks of prompts, which would be learnt."""
    if marked := next(filter(None, map(_PROMPT_MARK.search, lines)), None):
        if share(lines, lambda line: bool(_PROMPT_MARK.search(line))) >= SOME_SHARE:
            raise CorpusError(
                f"{path}: has {marked[0]} and other marks of prompts, which would be learnt. Write "
                'each conversation as a line of JSON: {"turns": ["Who is there?", "It is me."]}'
            )
    matches = (_LINE_NUMBER.match(line) for line in lines)
    numbers = [int(found[1]) if found else 0 for found in matches]
    counted = sum(b > 0 and b in (1, a, a + 1) for a, b in pairwise([0, *numbers]))
    if len(lines) > 2 and numbers[0] == 1 and counted >= MIN_SHARE * len(lines):
        raise CorpusError(
            f"{path}: its lines begin with their numbers, which would be learnt. Remove these: "
            "sed -E 's/^([[:alpha:]]+ ?)?[0-9]+[.):]? +//'"
        )


def _check_times(path: Path, lines: list[str], least: float) -> None:
    """Raises a CorpusError if this share of the lines begins with times, which would be learnt."""
    if share(lines, lambda line: bool(_TIME.match(line))) >= least:
        raise CorpusError(
            f"{path}: its lines begin with times, which would be learnt. Remove these, or write a "
            "chat as WhatsApp does: [31.12.20, 21:15:03] Anna: Who is there?"
        )


def _check_words(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if a text has no letter, as the labels of the turns of another file; one
    side of a translation may have numbers alone."""
    side = side_of(path)
    if not (side.language or side.role or any(map(str.isalpha, "".join(lines)))):
        raise CorpusError(f"{path}: has no words")


def _check_labels(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if most texts of a column begin with the same label or mark."""
    found = list[str]()
    for texts in zip_longest(*(line.split("\t") for line in lines), fillvalue=""):
        labels = Counter(label[0] for label in map(_LABEL.match, texts) if label)
        found += [label for label, count in labels.items() if count >= MIN_SHARE * len(lines) > 1]
    if found:
        raise CorpusError(
            f"{path}: has {' and '.join(found)} before its texts, which would be learnt. Remove "
            f"this: sed -E 's/(^|\\t)({'|'.join(map(re.escape, found))}) */\\1/g'"
        )


def _check_quotes(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if all cells of a `.tsv`, where such marks are text, are quoted."""
    if share(lines, lambda line: all(map(_QUOTED.fullmatch, line.split("\t")))) >= MIN_SHARE:
        raise CorpusError(
            f"{path}: has its texts in quotation marks, which would be learnt. Rename it to .csv"
        )


def _check_separators(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if each line has two texts, which would be read as one."""
    for separator in _SEPARATORS:
        if all(line.count(separator) == 1 for line in lines):
            raise CorpusError(
                f"{path}: has{separator}once in each line. If it separates two texts, put a tab "
                f"in its place: sed 's/{separator}/\\t/'"
            )


def _check_mail(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if what look like speakers are the heads of e-mails."""
    heads = [name for name in speakers_of(lines) if name.lower() in _HEADS_OF_MAIL]
    if len(heads) > 1:
        raise CorpusError(
            f"{path}: has heads of e-mails ({', '.join(heads)}), which would be learnt. Write the "
            "texts to a table, with their Message-ID and In-Reply-To"
        )


def _check_names(path: Path, lines: list[str]) -> None:
    """Raises a CorpusError if names of speakers are lines of their own, as in scripts."""
    counts = Counter(
        line.strip() for line in lines if line.isupper() and re.sub("[ .]", "", line).isalpha()
    )
    names = [name for name, count in counts.items() if count > 1]
    if len(names) > 1 and sum(counts[name] for name in names) >= HEAD_SHARE * len(lines):
        raise CorpusError(
            f"{path}: has names ({', '.join(names[:2])}) on lines of their own, which would be "
            "learnt. Remove these lines: sed -E '/^[[:upper:] .]+$/d'"
        )


def _check_columns(path: Path, lines: list[str], columns: tuple[str, ...]) -> None:
    """Raises a CorpusError if a column names the speakers of turns, who would be answered: a few
    names, over and over."""
    rows = rows_of(lines)
    has_names = not all(map(str.isdecimal, columns))
    header = [name.strip() for name in rows.pop(0)] if has_names else []
    is_known = pair_among([*columns]) == columns
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
