"""Plain text and Markdown as groups of parts, and back.

Every line is a text of its own, but for the lines of a wrapped paragraph, which are one text.
Code, the keys of a file of texts, and the marks of headings, lists and quotes stay; the tags of
elements (`<b>word</b>`) are placed as in HTML. The values of JSON and the texts in an ICU message
pattern are texts of their own; one character, which `protection` keeps, stands for all of them in
the text around.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import chain, islice

from app.translation.embedded_texts import (
    json_string,
    json_values,
    message_patterns,
    parse_json_string,
)
from app.translation.parts import Part, Tag
from app.translation.protection import FIRST_SUBSTITUTE, MAX_SUBSTITUTES
from app.translation.words import Span
from model.text.sentences import is_ended

#: Code in Markdown, and what was typed at a prompt.
_FENCE = re.compile(r"[ \t>]*(`{3,}(?![^\n]*`)|~{3,})")
_PROMPT = re.compile(r"[ \t>]*(?:\$|>>>) \S")
_CODE = re.compile(
    rf"(?<![`~])(`{{3,}}+|~{{3,}}+).*?\1|`[^`\n]{{1,500}}`|^{_PROMPT.pattern}[^\n]*",
    re.DOTALL | re.MULTILINE,
)
#: Marks of quotes at the start of a line, then that of a heading or a list, or a key, with the
#: quotation mark after it if another ends the line.
_LEAD = re.compile(
    r"([\s>]*)"
    r"((?:#{1,6}|[-*+•◦▪]|\(?\d{1,3}[.)]|[IVX]{1,5}[.)])\s+(?:\[[ xX]\]\s+)?"
    r'|(?:"[^"\n]{1,100}"\s?[:=]\s*(?=")|[\w.-]{1,60}=(?=\S)|msg(?:id|str) )'
    r'(?:"(?=.*"[,;]?\s*$))?)?'
)
#: The start or the end of an element; a name that is never closed is a placeholder: `<name>`.
_TAG = re.compile(r"<(/?)(\w[\w-]{0,30})(?:\s[^<>\n]{0,500})?(?<!/)>")
#: The end of a text whose quotation mark belongs to its key.
_QUOTE_END = re.compile(r'"[,;]?\s*$')
_CELL = re.compile(r"\t+|[^\t]+")
_WORD = re.compile(r"\S+")
#: A line of this length is wrapped if the next word had no room; longer lines are not wrapped.
_MIN_WRAPPED_COLUMNS, _MAX_WRAPPED_COLUMNS = 40, 120
#: A line of so many words continues in one that begins with a small letter.
_MIN_CONTINUED_WORDS = 3


class PlainText:
    """The paragraphs of a text.

    Args:
        source: any text.
        write: returns a translation in the form in which it is written.

    Attributes:
        groups: parts; those of a group are the lines of one paragraph.
    """

    def __init__(self, source: str, write: Callable[[str], str] = str) -> None:
        self.groups: list[list[Part]] = []
        self._segments: list[str | None] = []  # what stays, and None for each part
        self._write = write
        self._embedded = dict[int, list[str | PlainText]]()  # by the code of their substitutes
        if (values := json_values(source)) is not None:
            whole = (0, len(source))
            source = self._embed(
                source, whole, values, lambda raw: PlainText(parse_json_string(raw), json_string)
            )
        elif "{" in source and max(source) < chr(FIRST_SUBSTITUTE):
            source = self._without_patterns(source)
        self._add_lines(source)
        for piece in chain.from_iterable(self._embedded.values()):
            self.groups += piece.groups if isinstance(piece, PlainText) else []

    def _without_patterns(self, source: str) -> str:
        """Returns a text with a substitute for each message pattern outside code."""
        kept, place = "", 0
        without_code = _CODE.sub(lambda code: " " * len(code[0]), source)
        patterns = islice(message_patterns(without_code), MAX_SUBSTITUTES)
        for (start, end), branches in patterns:
            kept += source[place:start]
            kept += self._embed(source, (start, end), branches, PlainText)
            place = end
        return kept + source[place:]

    def _embed(
        self, source: str, whole: Span, spans: Iterable[Span], read: Callable[[str], PlainText]
    ) -> str:
        """Returns a substitute for a span of a text, of which the inner `spans` are texts."""
        pieces, (place, end) = list[str | PlainText](), whole
        for start, stop in spans:
            pieces += [source[place:start], read(source[start:stop])]
            place = stop
        code = FIRST_SUBSTITUTE + len(self._embedded)
        self._embedded[code] = [*pieces, source[place:end]]
        return chr(code)

    def _add_lines(self, source: str) -> None:
        lines = source.splitlines(keepends=True)
        self._width = max((len(line.rstrip()) for line in lines), default=0)
        self._has_capitals = not source.islower()
        self._opening = ""  # the first line of the paragraph, if it has no marks
        fence, marks_before, before = "", "", ""
        for line in lines:
            opening = _FENCE.match(line)
            if fence or opening or _PROMPT.match(line):
                self._segments.append(line)
                if opening and not fence:
                    fence = opening[1]
                elif opening and opening[1].startswith(fence):
                    fence = ""
                before = ""
                continue
            marks, item = _LEAD.match(line).groups()  # type: ignore[union-attr]
            start = len(marks) + len(item or "")
            self._segments.append(line[:start])
            continues = not item and marks.count(">") == marks_before.count(">")
            quote = _QUOTE_END.search(line, start) if item and item.endswith('"') else None
            end = quote.start() if quote else len(line)
            for cell in _CELL.findall(line[start:end]):
                continues = continues and self._is_continued(before, cell)
                if not continues:
                    self._opening = "" if item or marks.strip() else _TAG.sub("", line)
                self._add(cell, continues)
                continues = False
            self._segments.append(line[end:])
            text = line[start:end].strip()
            marks_before, before = marks, line.rstrip() if text and "\t" not in text else ""

    def _add(self, cell: str, continues: bool) -> None:
        text = cell.strip()
        if not text:
            self._segments.append(cell)
            return
        if not continues:
            self.groups.append([])
        self.groups[-1].append(_without_elements(text))
        at = cell.index(text)
        self._segments += [cell[:at], None, cell[at + len(text) :]]

    def _is_continued(self, before: str, text: str) -> bool:
        """Tells whether the sentence in the line `before` continues in the next."""
        word = _WORD.match(text)
        if not word or not word[0][0].isalnum() or not before or is_ended(before):
            return False
        if before[-1] == ":" or not any(map(str.isalpha, before)):
            return False
        is_typed_small = self._opening.partition(" ")[0].islower()  # as in a chat
        if word[0][0].islower() and self._has_capitals and not is_typed_small:
            return len(before.split()) >= _MIN_CONTINUED_WORDS
        has_no_room = len(before) + 1 + len(word[0]) > self._width
        is_wrapped = _MIN_WRAPPED_COLUMNS <= self._width <= _MAX_WRAPPED_COLUMNS
        return is_wrapped and has_no_room

    def render(self, parts: Iterable[Part]) -> str:
        """Returns the text with `parts` in place of its own."""
        left = iter(parts)
        text = "".join(
            next(left).serialize(str) if each is None else each for each in self._segments
        )
        embedded = {
            code: "".join(each if isinstance(each, str) else each.render(left) for each in pieces)
            for code, pieces in self._embedded.items()
        }
        return self._write(text.translate(embedded))


def _without_elements(text: str) -> Part:
    """Returns a text with the tags of elements apart, unless it has inline code."""
    found = [] if "`" in text else [*_TAG.finditer(text)]
    opened, closed = ({tag[2] for tag in found if tag[1] == slash} for slash in ("", "/"))
    kept, tags, place = "", list[Tag](), 0
    for tag in found:
        if tag[2] in opened & closed:
            kept += text[place : tag.start()]
            tags.append(Tag(len(kept), tag[0], "close" if tag[1] else "open", tag[2]))
            place = tag.end()
    return Part(kept + text[place:], tuple(tags))
