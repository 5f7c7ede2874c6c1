"""HTML as paragraphs with tags, and back. Every byte that is not translated stays as it is.

The standard library's parser is not used: it takes 50 seconds for 64 KB of `<a <a <a`, and does not
tell how an end tag was written. This one looks at each character a bounded number of times.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import Literal

from app.translation.parts import Part, Tag

#: Elements within a sentence; all others end a paragraph.
_INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code del dfn em font i img input ins kbd label mark output "
    "q s samp small span strike strong sub sup time tt u var wbr".split()
)
#: Elements without an end tag.
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
#: Elements whose text is not for people, or not in a language.
_KEPT = frozenset("code kbd math pre samp script style svg template textarea var".split())
#: Of these, the ones in which `<` begins no tag; without an end tag they reach to the document's.
_RAW_TEXT = frozenset(("script", "style", "textarea"))

_TAG = re.compile(r"<(/?)([A-Za-z][^\s/<>]{0,60})((?:\"[^\"]*+\"|'[^']*+'|[^<>\"'])*+)>")
_OTHER_MARKUP = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<!", ">"), ("<?", ">"))
_NOT_TO_TRANSLATE = re.compile(
    r"\btranslate\s*=\s*[\"']?no\b|\bclass\s*=\s*[\"'][^\"']*\bnotranslate\b", re.IGNORECASE
)

#: Characters that stand for what is kept within a sentence; `protection` keeps them.
_FIRST_HELD, _MOST_HELD = 0xF0000, 65_534
_HELD = re.compile("[\U000f0000-\U000ffffd]")

_Kind = Literal["text", "open", "close", "point", "kept"]
#: A piece of a document: what it is, how it is written, the name of the element.
_Piece = tuple[_Kind, str, str]


class HtmlText:
    """The paragraphs of an HTML document or fragment.

    Args:
        source: any text: HTML has no errors.

    Attributes:
        parts: paragraphs with the tags within them, in order, without entities.
    """

    def __init__(self, source: str) -> None:
        self.parts: list[Part] = []
        self._pieces: list[str | int] = []  # what stays, and indices of `parts`
        self._held: list[str] = []
        text, tags = list[str](), list[Tag]()
        length = 0

        def end_paragraph() -> None:
            nonlocal length
            if text or tags:
                self._pieces.append(len(self.parts))
                self.parts.append(Part("".join(text), tuple(tags)))
            text.clear()
            tags.clear()
            length = 0

        for kind, raw, name in _pieces_of(source):
            if kind == "text":
                text.append(_HELD.sub(self._hold, html.unescape(raw)))
                length += len(text[-1])
            elif name in _INLINE and kind == "kept" and len(self._held) < _MOST_HELD:
                text.append(self._hold(raw))
                length += 1
            elif name in _INLINE and kind != "kept":
                tags.append(Tag(length, raw, kind, name))
            else:
                end_paragraph()
                self._pieces.append(raw)
        end_paragraph()

    def _hold(self, raw: str | re.Match[str]) -> str:
        """Returns the character that stands for `raw`."""
        self._held.append(raw if isinstance(raw, str) else raw[0])
        return chr(_FIRST_HELD + len(self._held) - 1)

    def rendered(self, parts: Sequence[Part]) -> str:
        """Returns the document with other paragraphs, one for each of `self.parts`."""
        return "".join(
            piece if isinstance(piece, str) else parts[piece].written(self._escaped)
            for piece in self._pieces
        )

    def _escaped(self, text: str) -> str:
        escaped = html.escape(text, quote=False).replace("\u00a0", "&nbsp;")
        return _HELD.sub(self._released, escaped)

    def _released(self, held: re.Match[str]) -> str:
        place = ord(held[0]) - _FIRST_HELD
        return self._held[place] if place < len(self._held) else ""


def _pieces_of(source: str) -> Iterator[_Piece]:
    """Yields the pieces of a document, all of which joined are the document."""
    begin = place = 0
    without_end = set[str]()
    while (place := source.find("<", place)) >= 0:
        found = _markup_at(source, place, without_end)
        if found is None:
            place += 1
            continue
        if begin < place:
            yield "text", source[begin:place], ""
        yield found
        begin = place = place + len(found[1])
    if begin < len(source):
        yield "text", source[begin:], ""


def _markup_at(source: str, place: int, without_end: set[str]) -> _Piece | None:
    """Returns the tag, or the element to be kept, that begins at `place`; None if it is a bare `<`.
    `without_end` collects the elements that never end."""
    for start, end in _OTHER_MARKUP:
        if source.startswith(start, place):
            until = source.find(end, place)
            return "kept", source[place : until + len(end) if until >= 0 else None], ""
    tag = _TAG.match(source, place)
    if tag is None:
        return None
    name = tag[2].lower()
    if tag[1]:
        return "close", tag[0], name
    is_kept = name in _KEPT or bool(_NOT_TO_TRANSLATE.search(tag[3]))
    if name in _VOID or tag[3].endswith("/"):
        return "point", tag[0], name
    if is_kept and name not in without_end:
        element_end = _end_of_element(source, tag.end(), name)
        if element_end is not None or name in _RAW_TEXT:
            return "kept", source[place:element_end], name
        without_end.add(name)
    return "open", tag[0], name


def _end_of_element(source: str, place: int, name: str) -> int | None:
    """Returns where an element ends that was opened before `place`, or None if it does not."""
    depth = 1
    tags = re.compile(rf"<(/?){re.escape(name)}(?=[\s/>])[^<>]*>", re.IGNORECASE)
    for tag in tags.finditer(source, place):
        if name not in _RAW_TEXT or tag[1]:
            depth += -1 if tag[1] else 0 if tag[0].endswith("/>") else 1
        if not depth:
            return tag.end()
    return None
