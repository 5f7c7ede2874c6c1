"""HTML as paragraphs with tags, and back. Everything that is not translated is kept byte for byte.

The standard library's parser takes 50 seconds for 64 KB of `<a <a <a` and does not report how an
end tag was written. This one looks at each character a bounded number of times.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import Literal

from app.translation.parts import Part, Tag
from app.translation.protection import FIRST_SUBSTITUTE, MAX_SUBSTITUTES

_COMMENT = "!--"
#: Elements within a sentence, and comments: React writes one between a text and a value. All other
#: elements end a paragraph.
_INLINE = frozenset(
    f"{_COMMENT} a abbr acronym b bdi bdo big cite code del dfn em font i img input ins kbd label "
    "mark output q s samp small span strike strong sub sup time tt u var wbr".split()
)
#: Elements without an end tag.
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
#: Elements whose text is not for people or not in a natural language.
_VERBATIM = frozenset("code kbd math pre samp script style svg template textarea var".split())
#: Of these, the elements in which `<` begins no tag; without an end tag they extend to the end of
#: the document.
_RAW_TEXT = frozenset(("script", "style", "textarea"))

_TAG = re.compile(r"<(/?)([A-Za-z][^\s/<>]{0,60})((?:\"[^\"]*+\"|'[^']*+'|[^<>\"'])*+)>")
#: Numbers and marks above or below the line, such as those of footnotes.
_SMALL_NUMBER = re.compile(
    r"<(su[bp])\b[^<>]{0,200}>(?:<a\s[^<>]{0,500}>)?(?:[^\w<>]|\d){1,20}(?:</a>)?</\1>",
    re.IGNORECASE,
)
_OTHER_MARKUP = (("<![CDATA[", "]]>"), ("<!", ">"), ("<?", ">"))
_NOT_TO_TRANSLATE = re.compile(
    r"\btranslate\s*=\s*[\"']?no\b|\bclass\s*=\s*[\"'][^\"']*\bnotranslate\b", re.IGNORECASE
)

_SUBSTITUTE = re.compile("[\U000f0000-\U000ffffd]")

#: Elements that are never closed, each of which is looked for up to the end of the document.
_MAX_NEVER_CLOSED = 50

_Kind = Literal["text", "open", "close", "empty", "verbatim"]
#: A token of a document: its kind, its raw text, the name of the element.
_Token = tuple[_Kind, str, str]


class HtmlText:
    """The paragraphs of an HTML document or fragment.

    Args:
        source: any text, since HTML has no syntax errors.

    Attributes:
        parts: paragraphs with their tags, in order, with entities decoded.
    """

    def __init__(self, source: str) -> None:
        self.parts: list[Part] = []
        self._segments: list[str | int] = []  # what stays, and indices of `parts`
        self._substituted: list[str] = []
        text, tags = list[str](), list[Tag]()
        length = 0

        def end_paragraph() -> None:
            nonlocal length
            if text or tags:
                self._segments.append(len(self.parts))
                self.parts.append(Part("".join(text), tuple(tags)))
            text.clear()
            tags.clear()
            length = 0

        for kind, raw, name in _tokens_of(source):
            if kind == "text":
                text.append(_SUBSTITUTE.sub(self._substitute, html.unescape(raw)))
                length += len(text[-1])
            elif (
                name in _INLINE and kind == "verbatim" and len(self._substituted) < MAX_SUBSTITUTES
            ):
                text.append(self._substitute(raw))
                length += 1
            elif name in _INLINE and kind != "verbatim":
                tags.append(Tag(length, raw, kind, name))
            else:
                end_paragraph()
                self._segments.append(raw)
        end_paragraph()

    @property
    def groups(self) -> list[list[Part]]:
        """Returns each paragraph as a text of its own."""
        return [[part] for part in self.parts]

    def _substitute(self, raw: str | re.Match[str]) -> str:
        """Returns a character that replaces `raw`."""
        self._substituted.append(raw if isinstance(raw, str) else raw[0])
        return chr(FIRST_SUBSTITUTE + len(self._substituted) - 1)

    def render(self, parts: Sequence[Part]) -> str:
        """Returns the document with `parts` in place of its own."""
        return "".join(
            piece if isinstance(piece, str) else parts[piece].serialize(self._escape)
            for piece in self._segments
        )

    def _escape(self, text: str) -> str:
        escaped = html.escape(text, quote=False).replace("\u00a0", "&nbsp;")
        return _SUBSTITUTE.sub(self._restored, escaped)

    def _restored(self, substitute: re.Match[str]) -> str:
        place = ord(substitute[0]) - FIRST_SUBSTITUTE
        return self._substituted[place] if place < len(self._substituted) else ""


def _tokens_of(source: str) -> Iterator[_Token]:
    """Yields the tokens of a document, which join to the document."""
    begin = place = 0
    never_closed = set[str]()
    while (place := source.find("<", place)) >= 0:
        found = _markup_at(source, place, never_closed)
        if found is None:
            place += 1
            continue
        if begin < place:
            yield "text", source[begin:place], ""
        yield found
        begin = place = place + len(found[1])
    if begin < len(source):
        yield "text", source[begin:], ""


def _markup_at(source: str, place: int, never_closed: set[str]) -> _Token | None:
    """Returns the tag or verbatim element that begins at `place`; None if it is a bare `<`.
    `never_closed` collects the names of elements that are never closed."""
    if source.startswith("<!--", place):
        return "empty", _raw_until(source, place, "-->"), _COMMENT
    for start, end in _OTHER_MARKUP:
        if source.startswith(start, place):
            return "verbatim", _raw_until(source, place, end), ""
    if number := _SMALL_NUMBER.match(source, place):
        return "verbatim", number[0], number[1].lower()
    tag = _TAG.match(source, place)
    if tag is None:
        return None
    name = tag[2].lower()
    if tag[1]:
        return "close", tag[0], name
    is_verbatim = name in _VERBATIM or bool(_NOT_TO_TRANSLATE.search(tag[3]))
    if name in _VOID or tag[3].endswith("/"):
        return "empty", tag[0], name
    is_closed = name not in never_closed and len(never_closed) < _MAX_NEVER_CLOSED
    if is_verbatim and (is_closed or name in _RAW_TEXT):
        element_end = _end_of_element(source, tag.end(), name)
        if element_end is not None or name in _RAW_TEXT:
            return "verbatim", source[place:element_end], name
        never_closed.add(name)
    return "open", tag[0], name


def _raw_until(source: str, place: int, end: str) -> str:
    """Returns the source from `place` up to `end`, or to its end if `end` does not follow."""
    until = source.find(end, place)
    return source[place : until + len(end) if until >= 0 else None]


def _end_of_element(source: str, place: int, name: str) -> int | None:
    """Returns the end of an element that was opened before `place`, or None if it is not closed."""
    depth = 1
    tags = re.compile(rf"<(/?){re.escape(name)}(?=[\s/>])[^<>]*>", re.IGNORECASE)
    for tag in tags.finditer(source, place):
        if name not in _RAW_TEXT or tag[1]:
            depth += -1 if tag[1] else 0 if tag[0].endswith("/>") else 1
        if not depth:
            return tag.end()
    return None
