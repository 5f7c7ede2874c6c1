"""The text of a cue as utterances with tags, and back."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from app.translation.parts import Part, Tag, split_in_proportion
from app.translation.words import columns_of
from model.text.scripts import is_unspaced
from model.text.sentences import is_ended

#: Maximum length of a line, half as many wide characters.
LINE_COLUMNS = 42
#: Longest pause within a sentence, and its maximum length.
MAX_PAUSE_MS, MAX_SPAN_CHARACTERS = 3_000, 400

_HTML_TAG = r"</?(?:i|b|u|s|em|strong|font|c|v|ruby|rt|span)(?:[.\s][^<>\n]{0,500})?/?>"
_TOKENS = {
    "srt": re.compile(
        rf"(?P<tag>{_HTML_TAG}|\{{\\[^{{}}\n]{{0,500}}\}})|(?P<line>\r\n|\n|\r)", re.I
    ),
    "vtt": re.compile(r"(?P<tag><[^<>\n]{0,500}>)|(?P<line>\r\n|\n|\r)"),
    "ass": re.compile(r"(?P<tag>\{[^{}]{0,2000}\})|(?P<line>\\[Nn])"),
}
_TOKENS["ssa"] = _TOKENS["ass"]
_NAME = re.compile(r"</?\s*(\w*)")
#: A dash, the arrows of closed captions, or a name in capitals, before another speaker's words.
_DASH = r"(?:[-‐‑–—−](?!\d)|>>+)\s*"
_NAME_IN_CAPITALS = r"[^\W\d_a-z][^\n:a-z]{0,30}:[ \t]+(?=[^\n]{0,100}[a-z])"
_LEAD = re.compile(rf"\s*+(?:{_DASH}(?:{_NAME_IN_CAPITALS})?|{_NAME_IN_CAPITALS})", re.MULTILINE)
#: Notes and songs, which no sentence continues into.
_NOTE = re.compile(r"\s*[\[(♪♫#（【].*[\])♪♫#）】]\s*$|.*:\s*$", re.DOTALL)


@dataclass(frozen=True)
class Utterance:
    """The words of one speaker in one cue.

    Attributes:
        lead: a dash and the speaker's name with their spaces, or empty.
        part: the text on one line, with its tags.
        lines: number of lines of the original text.
    """

    lead: str
    part: Part
    lines: int


@dataclass(frozen=True)
class CueText:
    """The text of a cue.

    Attributes:
        file_format: format of the file.
        line_break: the line break of the cue.
        utterances: at least one utterance.
    """

    file_format: str
    line_break: str
    utterances: tuple[Utterance, ...]

    def render(self, parts: Sequence[Part]) -> str:
        """Returns the raw text with `parts` in place of those of its utterances."""
        lines = (
            utterance.lead + _wrap(part, utterance.lines, self.file_format).serialize(self._escape)
            for utterance, part in zip(self.utterances, parts, strict=True)
        )
        return self.line_break.join(lines)

    def _escape(self, text: str) -> str:
        if self.file_format == "vtt":
            text = html.escape(text, quote=False)
        elif self.file_format in ("ass", "ssa"):
            text = text.replace("\u00a0", "\\h").replace("{", "(").replace("}", ")")
        return text.replace("\n", self.line_break)


def parse_cue_text(raw: str, file_format: str) -> CueText:
    """Parses the text of a cue from a file of the format `file_format`."""
    text, tags, breaks, place = "", list[Tag](), list[str](), 0
    for token in _TOKENS[file_format].finditer(raw):
        text += _unescape(raw[place : token.start()], file_format)
        place = token.end()
        if token["tag"]:
            tags.append(_tag(len(text), token["tag"]))
        else:
            breaks.append(token["line"])
            text += "\n"
    text += _unescape(raw[place:], file_format)
    return CueText(file_format, breaks[0] if breaks else "\n", tuple(_utterances_of(text, tags)))


def _unescape(text: str, file_format: str) -> str:
    if file_format == "vtt":
        return html.unescape(text)
    return text.replace("\\h", "\u00a0") if file_format in ("ass", "ssa") else text


def _tag(position: int, raw: str) -> Tag:
    name = _NAME.match(raw)
    if name is None or not name[1]:  # `{\an8}`, `<00:01.000>`
        return Tag(position, raw, "empty")
    return Tag(position, raw, "close" if raw.startswith("</") else "open", name[1].lower())


def _utterances_of(text: str, tags: Sequence[Tag]) -> Iterator[Utterance]:
    starts = [0]
    leads = [match.start() for match in _LEAD.finditer(text) if _is_line_start(text, match.start())]
    starts += [place for place in leads if place > 0]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        lead = _LEAD.match(text, start, end)
        begin = lead.end() if lead else start
        spoken = text[begin:end].rstrip("\n")
        own = (
            replace(tag, position=min(max(tag.position - begin, 0), len(spoken)))
            for tag in tags
            if _belongs(tag, start, end, len(text))
        )
        written = text[start:begin].lstrip("\n")
        part = Part(spoken.replace("\n", " "), tuple(own))
        yield Utterance(written, part, spoken.count("\n") + 1)


def _belongs(tag: Tag, start: int, end: int, length: int) -> bool:
    """Tells whether a tag belongs to the text from `start` to `end`: a closing tag belongs to the
    text before it, any other tag to the text after it."""
    if tag.kind == "close":
        return start < tag.position <= end or tag.position == start == 0
    return start <= tag.position < end or tag.position == end == length


def _is_line_start(text: str, place: int) -> bool:
    return place == 0 or text[place - 1] == "\n" or text[place] == "\n"


def _wrap(part: Part, lines: int, file_format: str) -> Part:
    """Wraps a part into lines of equal length: as many as the original had, or as it needs."""
    text = part.text
    columns = columns_of(text)
    needed = math.ceil(columns / LINE_COLUMNS)
    count = min(max(needed, lines if columns > LINE_COLUMNS // 2 else 1), max(lines, 2))
    if count < 2 or (lines < 2 and file_format in ("ass", "ssa")):  # players wrap these
        return part
    ends = [end for _, end in split_in_proportion(text, [1] * count)[:-1]]
    tags = list(part.tags)
    for end in reversed([end for end in ends if end < len(text)]):
        is_space = text[end].isspace()
        text = f"{text[:end]}\n{text[end + is_space :]}"
        if not is_space:
            tags = [replace(t, position=t.position + (t.position > end)) for t in tags]
    return Part(text, tuple(tags))


def continues_sentence(before: Part, after: Utterance, pause_ms: int) -> bool:
    """Tells whether a sentence continues from one utterance to the next, after a pause."""
    text = before.text.strip()
    if after.lead or pause_ms > MAX_PAUSE_MS or not text or is_ended(text):
        return False
    if _NOTE.match(text) or _NOTE.match(after.part.text) or not any(map(str.isalpha, text)):
        return False
    return not is_unspaced(text[-1]) or text[-1] in "，、"
