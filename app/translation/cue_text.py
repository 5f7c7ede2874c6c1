"""The text of a cue as what each person says in it, with tags, and back."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from app.translation.parts import Part, Tag, share_out
from app.translation.words import is_dense
from model.text.sentences import is_ended

#: Characters of a line that people read at a glance; of Chinese and Japanese.
LINE_CHARACTERS, DENSE_LINE_CHARACTERS = 42, 20
#: Sentences go on over a shorter pause only, and over so many characters at most.
MAX_PAUSE_MS, MAX_SPAN_CHARACTERS = 3_000, 400

_HTML_TAG = r"</?(?:i|b|u|s|em|strong|font|c|v|ruby|rt|span)(?:[.\s][^<>\n]{0,500})?/?>"
_TOKENS = {
    "srt": re.compile(
        rf"(?P<tag>{_HTML_TAG}|\{{\\[^{{}}\n]{{0,500}}\}})|(?P<line>\r\n|\n|\r)", re.I
    ),
    "vtt": re.compile(r"(?P<tag><[^<>\n]{0,500}>)|(?P<line>\r\n|\n|\r)"),
    "ass": re.compile(r"(?P<tag>\{[^{}]{0,2000}\})|(?P<line>\\[Nn])"),
    "txt": re.compile(r"(?P<tag>(?!))|(?P<line>(?!))"),
}
_TOKENS["ssa"] = _TOKENS["ass"]
_NAME = re.compile(r"</?\s*(\w*)")
#: A dash, or the arrows of closed captions, before what another person says.
_LEAD = re.compile(r"\s*(?:[-‐‑–—−](?!\d)\s*|>>+\s*)", re.MULTILINE)
#: Notes and songs, with which no sentence goes on.
_NOTE = re.compile(r"\s*[\[(♪♫#（【].*[\])♪♫#）】]\s*$|.*:\s*$", re.DOTALL)


@dataclass(frozen=True)
class Speech:
    """What one person says in one cue.

    Attributes:
        lead: a dash with its spaces, or nothing.
        part: the text on one line, with its tags.
        lines: number of lines that it had.
    """

    lead: str
    part: Part
    lines: int


@dataclass(frozen=True)
class CueText:
    """The text of a cue.

    Attributes:
        form: the format of its file.
        line_break: how a line ends.
        speeches: at least one.
    """

    form: str
    line_break: str
    speeches: tuple[Speech, ...]

    def rendered(self, parts: Sequence[Part]) -> str:
        """Returns the text as it is written, with other parts, one for each speech."""
        lines = (
            speech.lead + _wrapped(part, speech.lines, self.form).written(self._escaped)
            for speech, part in zip(self.speeches, parts, strict=True)
        )
        return self.line_break.join(lines)

    def _escaped(self, text: str) -> str:
        if self.form == "vtt":
            text = html.escape(text, quote=False)
        elif self.form in ("ass", "ssa"):
            text = text.replace("\u00a0", "\\h").replace("{", "(").replace("}", ")")
        return text.replace("\n", self.line_break)


def parse_cue_text(raw: str, form: str) -> CueText:
    """Parses the text of a cue of a file of the format `form`."""
    text, tags, breaks, place = "", list[Tag](), list[str](), 0
    for token in _TOKENS[form].finditer(raw):
        text += _unescaped(raw[place : token.start()], form)
        place = token.end()
        if token["tag"]:
            tags.append(_tag(len(text), token["tag"]))
        else:
            breaks.append(token["line"])
            text += "\n"
    text += _unescaped(raw[place:], form)
    return CueText(form, breaks[0] if breaks else "\n", tuple(_speeches_of(text, tags)))


def _unescaped(text: str, form: str) -> str:
    if form == "vtt":
        return html.unescape(text)
    return text.replace("\\h", "\u00a0") if form in ("ass", "ssa") else text


def _tag(position: int, raw: str) -> Tag:
    name = _NAME.match(raw)
    if name is None or not name[1]:  # `{\an8}`, `<00:01.000>`
        return Tag(position, raw, "point")
    return Tag(position, raw, "close" if raw.startswith("</") else "open", name[1].lower())


def _speeches_of(text: str, tags: Sequence[Tag]) -> Iterator[Speech]:
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
        yield Speech(written, part, spoken.count("\n") + 1)


def _belongs(tag: Tag, start: int, end: int, length: int) -> bool:
    """Tells whether a tag belongs to the text from `start` to `end`: what ends an element belongs
    to the text before it, anything else to the text after it."""
    if tag.kind == "close":
        return start < tag.position <= end or tag.position == start == 0
    return start <= tag.position < end or tag.position == end == length


def _is_line_start(text: str, place: int) -> bool:
    return place == 0 or text[place - 1] == "\n" or text[place] == "\n"


def _wrapped(part: Part, lines: int, form: str) -> Part:
    """Breaks a part into lines of equal length: as many as it had, or as it needs."""
    text = part.text
    if form == "txt":
        return part
    longest = DENSE_LINE_CHARACTERS if is_dense(text) else LINE_CHARACTERS
    needed = math.ceil(len(text) / longest)
    count = min(max(needed, lines if len(text) > longest // 2 else 1), max(lines, 2))
    if count < 2 or (lines < 2 and form in ("ass", "ssa")):  # players wrap these
        return part
    ends = [end for _, end in share_out(text, [1] * count)[:-1]]
    tags = list(part.tags)
    for end in reversed([end for end in ends if end < len(text)]):
        is_space = text[end].isspace()
        text = f"{text[:end]}\n{text[end + is_space :]}"
        if not is_space:
            tags = [replace(t, position=t.position + (t.position > end)) for t in tags]
    return Part(text, tuple(tags))


def goes_on(before: Part, after: Speech, pause_ms: int, form: str) -> bool:
    """Tells whether a sentence goes on from one speech to the next, after a pause."""
    text = before.text.strip()
    if form == "txt" or after.lead or pause_ms > MAX_PAUSE_MS or not text or is_ended(text):
        return False
    if _NOTE.match(text) or _NOTE.match(after.part.text):
        return False
    return not is_dense(text[-1]) or text[-1] in "，、"
