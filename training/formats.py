"""Corpus formats, and their descriptions in the docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from model.config import Task

Format = Literal[
    "subtitles",
    "opensubtitles",
    "exchanges",
    "jsonl",
    "lines",
    "transcript",
    "conversations",
    "cornell",
    "yaml",
    "whatsapp",
    "telegram",
    "discord",
    "messenger",
    "slack",
    "table",
    "parquet",
    "bitext",
    "moses",
    "pairs",
    "tmx",
    "xces",
    "scan",
    "subtitle-pairs",
]

#: Most pairs of `subtitle-pairs` below this score hold sentences that only one file has.
MIN_SCORE = 0.4


@dataclass(frozen=True)
class FormatInfo:
    """Description of a format.

    Attributes:
        tasks: tasks that can be trained on it.
        suffixes: suffixes of the files to read in a folder or an archive; empty: all files.
        meaning: contents of the file, for the docs.
        example: a tiny file, with LF between lines and TAB between columns.
        needs: keys that a source of this format must set.
        takes: keys that a source of this format may set.
    """

    tasks: tuple[Task, ...]
    suffixes: tuple[str, ...]
    meaning: str
    example: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


#: Endings of subtitle files that are read.
SUBTITLE_SUFFIXES = (".srt", ".vtt", ".ass", ".ssa", ".ttml", ".dfxp", ".smi", ".sub", ".sbv")
FORMATS: dict[Format, FormatInfo] = {
    "subtitles": FormatInfo(
        tasks=("reply",),
        suffixes=SUBTITLE_SUFFIXES,
        meaning="subtitles in any encoding: SubRip, WebVTT, SubStation, TTML, SAMI, MicroDVD, "
        "MPL2, SubViewer",
        example="1\n00:00:01,000 --> 00:00:02,500\n- Who is there?\n- It is me.",
        takes=("scene_pause", "turn_pause", "keep_language"),
    ),
    "opensubtitles": FormatInfo(
        tasks=("reply",),
        suffixes=(".xml",),
        meaning="OpenSubtitles as distributed by OPUS, raw, tokenised or parsed: files, folders, "
        "or the `.zip` of a language, which is read without unpacking; all subtitles of a film go "
        "into the same split",
        example='<document><s id="1"><time id="T1S" value="00:00:01,000"/>- Who is there?</s>\n'
        '<s id="2">- It is me.<time id="T1E" value="00:00:02,500"/></s></document>',
        takes=("scene_pause", "turn_pause"),
    ),
    "exchanges": FormatInfo(
        tasks=("reply",),
        suffixes=(".tsv", ".txt"),
        meaning="one exchange per line: message TAB reply; extra columns before the reply are "
        "earlier turns",
        example="Who is there?\tIt is me.",
    ),
    "jsonl": FormatInfo(
        tasks=("reply", "translate"),
        suffixes=(".jsonl", ".json", ".ndjson"),
        meaning="one record per line, or an array of records in a `.json` file: `turns`, "
        "`messages` as in OpenAI's API, `conversations`, `dialog`; `source` and `target`; "
        "`patterns` and `responses` of `intents`; `translation`, by `languages`; or the fields "
        "named in `columns` (`data.text`)",
        example='{"turns": ["Who is there?", "It is me."]}\n'
        '{"messages": [{"role": "user", "content": "Hi."}, '
        '{"role": "assistant", "content": "Hello."}]}',
        takes=("columns", "group_column", "reply_columns", "languages"),
    ),
    "lines": FormatInfo(
        tasks=("reply",),
        suffixes=(".txt",),
        meaning="one turn per line; an empty line ends a conversation, or a line is one whose "
        "turns end with `__eou__`, as in DailyDialog",
        example="Who is there?\nIt is me.\n\nGood morning.\nMorning.",
    ),
    "transcript": FormatInfo(
        tasks=("reply",),
        suffixes=(".txt",),
        meaning="one turn per line, after the name of its speaker, who speaks twice or more unless "
        "each line has one; an empty line ends a conversation; names are left out",
        example="Anna: Who is there?\nBen: It is me.\nAnna: Come in, then.\nBen: Thanks.",
    ),
    "conversations": FormatInfo(
        tasks=("reply",),
        suffixes=(".txt",),
        meaning="hand-written small talk: messages, and replies on lines that begin with `>`; an "
        "empty line ends a conversation, `|` separates wordings with the same meaning, `#` begins "
        "a comment; messages are always learnt with the turns before them",
        example="hello | hi there\n> Hello! How are you?\nfine, thanks\n> Good to hear.",
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
        meaning="conversations in the layout of the ChatterBot corpus",
        example="conversations:\n- - Who is there?\n  - It is me.",
    ),
    "whatsapp": FormatInfo(
        tasks=("reply",),
        suffixes=(".txt",),
        meaning="a WhatsApp chat export, from any phone and region; names become `@name`",
        example="[31.12.20, 21:15:03] Anna: Who is there?\n[31.12.20, 21:16:40] Ben: It is me.",
        takes=("conversation_pause", "keep_names"),
    ),
    "telegram": FormatInfo(
        tasks=("reply",),
        suffixes=(".json",),
        meaning="`result.json` from Telegram Desktop, of one chat or all; names become `@name`",
        example='{"messages": [{"type": "message", "date": "2020-12-31T21:15:03", '
        '"from_id": "user1", "text": "Who is there?"},\n'
        '{"type": "message", "date": "2020-12-31T21:16:40", "from_id": "user2", '
        '"text": ["It is ", {"type": "bold", "text": "me."}]}]}',
        takes=("conversation_pause", "keep_names"),
    ),
    "discord": FormatInfo(
        tasks=("reply",),
        suffixes=(".csv", ".json"),
        meaning="a channel exported by DiscordChatExporter; names become `@name`",
        example="AuthorID,Author,Date,Content,Attachments,Reactions\n"
        "1,Anna,2020-12-31T21:15:03+00:00,Who is there?,,\n"
        "2,Ben,2020-12-31T21:16:40+00:00,It is me.,,",
        takes=("conversation_pause", "keep_names"),
    ),
    "messenger": FormatInfo(
        tasks=("reply",),
        suffixes=(".json",),
        meaning="`message_1.json` from Messenger or Instagram; names become `@name`",
        example='{"messages": [{"sender_name": "Ben", "timestamp_ms": 1609445800000, '
        '"content": "It is me."},\n'
        '{"sender_name": "Anna", "timestamp_ms": 1609445703000, "content": "Who is there?"}]}',
        takes=("conversation_pause", "keep_names"),
    ),
    "slack": FormatInfo(
        tasks=("reply",),
        suffixes=(".json",),
        meaning="an export of Slack, its folder or `.zip`; names become `@name`",
        example='[{"type": "message", "user": "U1", "text": "Who is there?", '
        '"ts": "1609445703.000100"},\n'
        '{"type": "message", "user": "U2", "text": "It is me.", "ts": "1609445800.000100"}]',
        takes=("conversation_pause", "keep_names"),
    ),
    "table": FormatInfo(
        tasks=("reply", "translate"),
        suffixes=(".tsv", ".csv"),
        meaning="a table; `columns` are names, or numbers if it has no header row",
        example="id,question,answer\n7,Who is there?,It is me.",
        needs=("columns",),
        takes=("group_column", "reply_columns", "languages"),
    ),
    "parquet": FormatInfo(
        tasks=("reply", "translate"),
        suffixes=(".parquet",),
        meaning="records as in `jsonl`, such as datasets from Hugging Face",
        example='translation: {"en": "Who is there?", "de": "Wer ist da?"}',
        takes=("columns", "group_column", "reply_columns", "languages"),
    ),
    "bitext": FormatInfo(
        tasks=("translate",),
        suffixes=(),
        meaning="two line-aligned files, `path` and `target_path`",
        example="Who is there?",
        needs=("target_path",),
        takes=("languages",),
    ),
    "moses": FormatInfo(
        tasks=("translate",),
        suffixes=(),
        meaning="line-aligned files whose names end in the codes of `languages` (set in the source "
        "or the recipe), as distributed by OPUS in a `.zip`: `X.de-en.de` and `X.de-en.en`",
        example="Wer ist da?",
        needs=("languages",),
    ),
    "pairs": FormatInfo(
        tasks=("translate",),
        suffixes=(".tsv", ".txt"),
        meaning="one pair per line, as in Tatoeba (manythings.org) and Anki: source TAB target; "
        "further columns are ignored",
        example="Who is there?\tWer ist da?\tCC-BY 2.0",
        takes=("languages",),
    ),
    "tmx": FormatInfo(
        tasks=("translate",),
        suffixes=(".tmx",),
        meaning="a translation memory; `languages` (set in the source or the recipe) choose its "
        "source and target",
        example='<tu><tuv xml:lang="en"><seg>Yes.</seg></tuv>'
        '<tuv xml:lang="de"><seg>Ja.</seg></tuv></tu>',
        needs=("languages",),
    ),
    "xces": FormatInfo(
        tasks=("translate",),
        suffixes=(".xml",),
        meaning="OPUS alignments (`de-en.xml.gz`) of the raw, tokenised or parsed files in "
        "`documents`; all links of a film go into the same split",
        example='<cesAlign><linkGrp fromDoc="de/1.xml.gz" toDoc="en/1.xml.gz">\n'
        '<link xtargets="1 2;1"/></linkGrp></cesAlign>',
        takes=("documents", "languages"),
    ),
    "subtitle-pairs": FormatInfo(
        tasks=("translate",),
        suffixes=SUBTITLE_SUFFIXES,
        meaning="two subtitle files per film, `path` and `target_path`, which are aligned by time",
        example="1\n00:00:01,000 --> 00:00:02,500\n- Who is there?\n- It is me.",
        needs=("target_path",),
        takes=("min_score", "languages"),
    ),
    "scan": FormatInfo(
        tasks=("translate",),
        suffixes=(".txt",),
        meaning="SCAN commands and actions (Lake and Baroni 2018)",
        example="IN: jump twice OUT: I_JUMP I_JUMP",
    ),
}
