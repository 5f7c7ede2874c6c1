"""Dispatch of a recipe's sources to the readers of their formats: paths in, examples and faults
out, as a stream."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from training.alignment.reader import read_film_pairs
from training.alignment.xces import read_xces
from training.errors import CorpusError, MisalignedError
from training.files.archives import is_archive, plain_name, wanted_members
from training.files.line_ranges import LineRange, has_line_ranges
from training.files.paths import LONGEST_LINE, TOO_LONG
from training.files.records import Example, Fault, Records, fault_of
from training.formats import FORMATS
from training.readers.chats import ChatOptions
from training.readers.conversations import read_conversations
from training.readers.cornell import lines_file_of, read_cornell
from training.readers.dialogue import read_exchanges, read_transcript, read_turn_lines
from training.readers.discord import read_discord
from training.readers.fields import Fields
from training.readers.jsonl import read_jsonl
from training.readers.messenger import read_messenger
from training.readers.moses import other_side_of, read_moses
from training.readers.pairs import read_bitext, read_pairs, read_scan
from training.readers.parquet import read_parquet
from training.readers.slack import read_slack
from training.readers.tables import read_table
from training.readers.telegram import read_telegram
from training.readers.tmx import read_tmx
from training.readers.whatsapp import read_whatsapp
from training.readers.yaml import read_yaml
from training.recipe import SourceConfig
from training.subtitles.reader import read_subtitles
from training.subtitles.turns import Pauses

#: The lines to read in a file, or in each of two that are line-aligned; empty: all.
Lines = tuple[LineRange, ...]

#: Readers of a single file; `bitext` and `subtitle-pairs` have two.
READERS: dict[str, Callable[[Path, SourceConfig, Lines], Records]] = {
    "conversations": lambda path, _, __: read_conversations(path),
    "cornell": lambda path, _, __: read_cornell(path),
    "discord": lambda path, source, _: read_discord(path, _chat_options(source)),
    "exchanges": lambda path, _, lines: read_exchanges(path, *lines),
    "jsonl": lambda path, source, lines: read_jsonl(path, _fields(source), *lines),
    "lines": lambda path, _, __: read_turn_lines(path),
    "messenger": lambda path, source, _: read_messenger(path, _chat_options(source)),
    "moses": lambda path, source, lines: read_moses(path, source.language_pair, *lines),
    "opensubtitles": lambda path, source, _: read_subtitles(path, _pauses(source)),
    "pairs": lambda path, _, lines: read_pairs(path, *lines),
    "parquet": lambda path, source, _: read_parquet(path, _fields(source)),
    "scan": lambda path, _, lines: read_scan(path, *lines),
    "slack": lambda path, source, _: read_slack(path, _chat_options(source)),
    "subtitles": lambda path, source, _: read_subtitles(
        path, _pauses(source), source.keep_language
    ),
    "table": lambda path, source, _: read_table(path, _fields(source)),
    "telegram": lambda path, source, _: read_telegram(path, _chat_options(source)),
    "tmx": lambda path, source, _: read_tmx(path, source.language_pair),
    "transcript": lambda path, _, __: read_transcript(path),
    "whatsapp": lambda path, source, _: read_whatsapp(path, _chat_options(source)),
    "xces": lambda path, source, _: read_xces(
        path, source.languages, tuple(map(Path, source.documents))
    ),
    "yaml": lambda path, _, __: read_yaml(path),
}
#: Formats with a record in each line, of which ranges can be read.
LINE_FORMATS = ("bitext", "exchanges", "jsonl", "moses", "pairs", "scan")

#: Companion file that the reader of a format also reads.
_BESIDE: dict[str, Callable[[Path, SourceConfig], Path | None]] = {
    "cornell": lambda path, _: lines_file_of(path),
    "moses": lambda path, source: other_side_of(path, source.language_pair),
}

LONG_LINE = f"a line of more than {LONGEST_LINE:,} characters"
NOT_UTF8 = "holds bytes that are not UTF-8 text. Convert the file: iconv -f cp1252 -t utf-8"
_NO_TEXT = re.compile("[\ufffd\ud800-\udfff]")


def read_source(
    source: SourceConfig, root: Path, files: list[Path], targets: list[Path], lines: Lines = ()
) -> Records:
    """Yields the records of all files of a recipe's source, or of some `lines` of one; `targets`
    are the other sides of a bitext or of films.

    Files are named relative to `root`, so that the same corpus is split in the same way in any
    folder. A record with bytes that are not text becomes a fault, and so does a file whose contents
    do not match its format.

    Raises:
        MisalignedError: if the sides of line-aligned files differ in length.
    """
    prefix = f"{root}{os.sep}"
    for record in _read_files(source, files, targets, lines):
        origin = _name(record.origin, prefix)
        if isinstance(record, Fault):
            yield Fault(origin, record.reason)
        elif _is_no_text(record.target) or any(map(_is_no_text, record.source)):
            is_long = TOO_LONG in record.target or any(TOO_LONG in text for text in record.source)
            yield Fault(origin, LONG_LINE if is_long else NOT_UTF8)
        else:
            yield Example(record.source, record.target, _name(record.group, prefix), origin)


def line_files_of(source: SourceConfig, files: list[Path], targets: list[Path]) -> tuple[Path, ...]:
    """Returns a file of `source`, or both its sides, if reading can start at any line, because each
    line is an independent record. Otherwise returns nothing."""
    has_turns = len(source.columns) == 1 and (source.group_column or source.reply_columns)
    if source.format not in LINE_FORMATS:
        return ()
    if source.format == "jsonl" and (has_turns or plain_name(files[0]).endswith(".json")):
        return ()
    sides = (*files, *targets, *companions_of(source, files))
    if source.format == "moses" and len(sides) == 1:
        return ()
    return sides if all(map(has_line_ranges, sides)) else ()


def companions_of(source: SourceConfig, files: list[Path]) -> list[Path]:
    """Returns the files that are read together with `files` though the recipe does not name them:
    the other side of `moses`, the lines of `cornell`. A file in an archive has its companion in
    the archive."""
    beside = _BESIDE.get(source.format)
    if beside is None:
        return []
    found = (beside(file, source) for file in files if not is_archive(file))
    return [file for file in found if file]


def suffixes_of(source: SourceConfig) -> tuple[str, ...]:
    """Returns the suffixes of the files to read in a folder or an archive; others are ignored."""
    if source.format == "moses":
        return (f".{source.language_pair[0].lower()}",)
    return FORMATS[source.format].suffixes


def _read_files(
    source: SourceConfig, files: list[Path], targets: list[Path], lines: Lines
) -> Records:
    if source.format == "bitext":
        for source_file, target_file in zip(files, targets, strict=True):
            yield from read_bitext(source_file, target_file, *lines)
        return
    if source.format == "subtitle-pairs":
        for source_file, target_file in zip(files, targets, strict=True):
            yield from read_film_pairs(source_file, target_file, source.min_score)
        return
    for file in files:
        try:
            for member in wanted_members(file, suffixes_of(source)):
                yield from _read_file(source, member, lines)
        except MisalignedError:
            raise
        except CorpusError as error:
            yield fault_of(error, file)


def _read_file(source: SourceConfig, path: Path, lines: Lines) -> Records:
    """Yields the records of a file; an unreadable one becomes a fault and does not stop the
    others."""
    try:
        yield from READERS[source.format](path, source, lines)
    except MisalignedError:
        raise
    except CorpusError as error:
        yield fault_of(error, path)


def _pauses(source: SourceConfig) -> Pauses:
    return Pauses.of_seconds(turn=source.turn_pause, scene=source.scene_pause)


def _chat_options(source: SourceConfig) -> ChatOptions:
    return ChatOptions(pause_hours=source.conversation_pause, keep_names=source.keep_names)


def _fields(source: SourceConfig) -> Fields:
    return Fields(source.columns, source.group_column, source.reply_columns, source.languages)


def _is_no_text(text: str) -> bool:
    return not text.isascii() and bool(_NO_TEXT.search(text))


def _name(place: str, prefix: str) -> str:
    """Returns `place`, a path and perhaps a line, relative to the root; always valid Unicode."""
    name = place.removeprefix(prefix)
    return name if name.isascii() else name.encode("utf-8", "replace").decode()
