"""The formats of corpora: what a recipe may name, and what the docs show of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from model.config import Task

Format = Literal[
    "subtitles",
    "exchanges",
    "jsonl",
    "lines",
    "cornell",
    "yaml",
    "table",
    "bitext",
    "moses",
    "pairs",
    "tmx",
    "scan",
    "subtitle-pairs",
]


@dataclass(frozen=True)
class FormatInfo:
    """A format.

    Attributes:
        tasks: what it can train.
        suffixes: of the files that are taken out of a folder or an archive; empty: all.
        meaning: what stands in the file, for the docs.
        example: a tiny file; its lines are parted by LF, columns by TAB.
        needs: keys of a source that must be given with it.
        takes: keys of a source that may be given with it.
    """

    tasks: tuple[Task, ...]
    suffixes: tuple[str, ...]
    meaning: str
    example: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


FORMATS: dict[Format, FormatInfo] = {
    "subtitles": FormatInfo(
        tasks=("reply",),
        suffixes=(".srt", ".vtt", ".ass", ".ssa", ".sub"),
        meaning="subtitles in any encoding: SubRip, WebVTT, SubStation, MicroDVD, MPL2, SubViewer",
        example="1\n00:00:01,000 --> 00:00:02,500\n- Who is there?\n- It is me.",
        takes=("scene_pause", "turn_pause", "keep_language"),
    ),
    "exchanges": FormatInfo(
        tasks=("reply",),
        suffixes=(".tsv", ".txt"),
        meaning="an exchange a line: message TAB reply; more columns before the reply are "
        "earlier turns",
        example="Who is there?\tIt is me.",
    ),
    "jsonl": FormatInfo(
        tasks=("reply",),
        suffixes=(".jsonl", ".json", ".ndjson"),
        meaning="a conversation a line; `messages` as OpenAI's API has them",
        example='{"turns": ["Who is there?", "It is me."]}\n'
        '{"messages": [{"role": "user", "content": "Hi."}, '
        '{"role": "assistant", "content": "Hello."}]}',
    ),
    "lines": FormatInfo(
        tasks=("reply",),
        suffixes=(".txt",),
        meaning="a turn a line; an empty line ends a conversation",
        example="Who is there?\nIt is me.\n\nGood morning.\nMorning.",
    ),
    "cornell": FormatInfo(
        tasks=("reply",),
        suffixes=("movie_conversations.txt",),
        meaning="the Cornell movie-dialogs corpus: this file, with `movie_lines.txt` beside it",
        example="u0 +++$+++ u2 +++$+++ m0 +++$+++ ['L194', 'L195']",
    ),
    "yaml": FormatInfo(
        tasks=("reply",),
        suffixes=(".yml", ".yaml"),
        meaning="as the ChatterBot corpus",
        example="conversations:\n- - Who is there?\n  - It is me.",
    ),
    "table": FormatInfo(
        tasks=("reply", "translate"),
        suffixes=(".tsv", ".csv"),
        meaning="named `columns` of a table; or numbered ones, if it has no row of names",
        example="id,question,answer\n7,Who is there?,It is me.",
        needs=("columns",),
        takes=("group_column",),
    ),
    "bitext": FormatInfo(
        tasks=("translate",),
        suffixes=(),
        meaning="two line-aligned files, `path` and `target_path`",
        example="Who is there?",
        needs=("target_path",),
    ),
    "moses": FormatInfo(
        tasks=("translate",),
        suffixes=(),
        meaning="line-aligned files whose names end in the codes of `languages`, as OPUS ships "
        "them in a `.zip`: `X.de-en.de` and `X.de-en.en`",
        example="Wer ist da?",
        needs=("languages",),
    ),
    "pairs": FormatInfo(
        tasks=("translate",),
        suffixes=(".tsv", ".txt"),
        meaning="a pair a line, as Tatoeba (manythings.org) and Anki have them: source TAB target; "
        "more columns are left alone",
        example="Who is there?\tWer ist da?\tCC-BY 2.0",
    ),
    "tmx": FormatInfo(
        tasks=("translate",),
        suffixes=(".tmx",),
        meaning="a translation memory; `languages` are its source and target",
        example='<tu><tuv xml:lang="en"><seg>Yes.</seg></tuv>'
        '<tuv xml:lang="de"><seg>Ja.</seg></tuv></tu>',
        needs=("languages",),
    ),
    "subtitle-pairs": FormatInfo(
        tasks=("translate",),
        suffixes=(".srt", ".vtt", ".ass", ".ssa", ".sub"),
        meaning="two subtitle files of each film, `path` and `target_path`, aligned by their times",
        example="1\n00:00:01,000 --> 00:00:02,500\n- Who is there?\n- It is me.",
        needs=("target_path",),
        takes=("min_score",),
    ),
    "scan": FormatInfo(
        tasks=("translate",),
        suffixes=(".txt",),
        meaning="commands and actions (Lake and Baroni 2018)",
        example="IN: jump twice OUT: I_JUMP I_JUMP",
    ),
}
