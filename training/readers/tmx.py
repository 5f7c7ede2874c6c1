"""Reader of TMX, the exchange format of translation memories (version 1.4b).

Each `<tu>` is cut out of the document and parsed by itself, so damage costs one unit.

https://www.gala-global.org/tmx-14b
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.entities import html5
from itertools import chain
from pathlib import Path
from xml.parsers import expat

from model.text.encodings import encoding_of_mark
from training.files.archives import open_unpacked
from training.files.records import Example, Fault, Records

BLOCK_CHARACTERS = 2**16
#: In a longer unit or comment, the end is taken to be missing.
MAX_UNIT_CHARACTERS = 2**20
#: Elements within a segment that hold codes of another format, not text.
CODE_ELEMENTS = frozenset(("bpt", "ept", "it", "ph", "sub", "ut"))

#: Where the document is cut, and sections in which such places do not count.
_CUT = re.compile(r"<!--|<!\[CDATA\[|<tu(?=[\s/>])|</(?:tu|body|tmx)\s*>")
_SECTION_ENDS = {"<!--": "-->", "<![CDATA[": "]]>"}
_ROOT = re.compile(r"<([^\s<>!?/]+)")
_UNIT_TAG = re.compile(r"</?(?:tuv?|seg)\b")
_COMMENT = re.compile(r"<!--(?:(?!<!--).)*?-->", re.DOTALL)
#: A named character, or a section in which it would be text.
_ENTITY_OR_CDATA = re.compile(r"&([A-Za-z][A-Za-z0-9]*;)|<!\[CDATA\[.*?\]\]>", re.DOTALL)
_DECLARATION = re.compile(rb"<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z][\w.-]*)")


@dataclass(frozen=True)
class _Part:
    """A part of a document: a unit, or the text between two.

    Attributes:
        line: where it begins, from 1.
        text: all of it.
        is_unit: it begins with `<tu`.
    """

    line: int
    text: str
    is_unit: bool


def read_tmx(path: Path, languages: tuple[str, str]) -> Records:
    """Reads the first segment in each of two languages of each unit; `en` also means `en-GB`.

    The document is a stream, whatever its size. A unit that is not well-formed is a fault, and
    those after it are read. The characters that HTML names (`&nbsp;`) are known. Entities that a
    document declares are not: they can grow without limit, or read other files.

    Raises:
        CorpusError: if the file cannot be read.
    """
    with open_unpacked(path) as file:
        try:
            stream = io.TextIOWrapper(file, _encoding_of(file.peek()), errors="replace")
        except LookupError as error:
            yield Fault(f"{path}:1", f"not TMX: {error}")
            return
        with stream:
            blocks = iter(lambda: stream.read(BLOCK_CHARACTERS), "")
            yield from _records(path, _parts(blocks), languages)


def _encoding_of(head: bytes) -> str:
    """Returns the encoding of a document by its first bytes, as in XML 1.0, appendix F."""
    if marked := encoding_of_mark(head):
        return marked[1].removesuffix("-le").removesuffix("-be").replace("utf-8", "utf-8-sig")
    if b"\0" in head[:2]:
        return "utf-16-be" if head[:1] == b"\0" else "utf-16-le"
    declared = _DECLARATION.match(head.lstrip())
    name = declared[1].decode().lower() if declared else "utf-8"
    return "utf-8" if name.startswith(("utf-16", "utf-32", "ucs-")) else name


def _parts(blocks: Iterable[str]) -> Iterator[_Part]:
    """Yields all parts of a document, in order. The last part follows the last unit, unless the
    document ends within a unit."""
    text, line, is_unit = "", 1, False
    for block in chain(blocks, [""]):
        text += block
        start, search_from = 0, len("<tu") if is_unit else 0
        while True:
            may_grow = bool(block) and len(text) - start < MAX_UNIT_CHARACTERS
            cut = _next_cut(text, search_from, may_grow=may_grow)
            if cut is None and may_grow:
                text = text[start:]
                break
            if cut is None:
                last_tag = text.rfind("<", start + 1) if block else -1
                end = last_tag if last_tag > 0 else len(text)
                is_next_unit = False
            elif is_unit:
                end = cut.end() if cut[0].startswith("</tu") else cut.start()
                is_next_unit = cut[0] == "<tu"
            elif cut[0] == "<tu":
                end, is_next_unit = cut.start(), True
            else:
                search_from = cut.end()
                continue
            yield _Part(line, text[start:end], is_unit)
            if cut is None and not block:
                return
            line += text.count("\n", start, end)
            start, search_from, is_unit = end, cut.end() if cut else end, is_next_unit


def _next_cut(text: str, search_from: int, *, may_grow: bool) -> re.Match[str] | None:
    """Returns the next place to cut that is outside of comments and CDATA sections.

    A section that is never closed, or is opened again before its end, is damaged and hides nothing.
    While the text may grow, its end may still come.
    """
    while found := _CUT.search(text, search_from):
        opening = found[0]
        if opening not in _SECTION_ENDS:
            return found
        again = text.find(opening, found.end())
        end = text.find(_SECTION_ENDS[opening], found.end(), again if again >= 0 else len(text))
        if end < 0 and again < 0 and may_grow:
            return None
        search_from = end if end >= 0 else found.end()
    return None


def _records(path: Path, parts: Iterable[_Part], languages: tuple[str, str]) -> Records:
    root, has_units, last = "", False, _Part(1, "", False)
    for last in parts:
        if last.is_unit:
            has_units = True
            yield _record(path, last, languages)
            continue
        text = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), last.text)
        if not root and (found := _ROOT.search(text)):
            root = found[1]
        if stray := _UNIT_TAG.search(text):
            line = last.line + text.count("\n", 0, stray.start())
            count = len(text) - stray.start()
            yield Fault(f"{path}:{line}", f"{count:,} characters outside <tu> were not read")
    place = f"{path}:{last.line + last.text.count(chr(10))}"
    if root != "tmx" and not has_units:
        yield Fault(f"{path}:1", f"not TMX: {f'its root is <{root}>' if root else 'it is not XML'}")
    elif not last.is_unit and "</tmx" not in last.text:
        yield Fault(place, "not TMX: it ends before </tmx>. Is the file complete?")


def _record(path: Path, part: _Part, languages: tuple[str, str]) -> Example | Fault:
    unit = _Unit(languages)
    try:
        unit.parse(_ENTITY_OR_CDATA.sub(_numeric_entity, part.text))
    except (expat.ExpatError, ValueError) as error:
        line = part.line + getattr(error, "lineno", 1) - 1
        reason = expat.ErrorString(error.code) if isinstance(error, expat.ExpatError) else error
        return Fault(f"{path}:{line}", f"not TMX: this unit is not well-formed: {reason}")
    origin = f"{path}:{part.line}"
    missing = [language for language in unit.languages if language not in unit.segments]
    if missing:
        return Fault(origin, f"has no segment in {' and '.join(missing)}")
    source, target = (unit.segments[language] for language in unit.languages)
    return Example((source,), target, source, origin)


def _numeric_entity(match: re.Match[str]) -> str:
    """Returns one of HTML's named characters as a numeric one; other matches as they are."""
    characters = html5.get(match[1])
    return "".join(f"&#{ord(each)};" for each in characters) if characters else match[0]


class _Unit:
    """The segments of a `<tu>`, by language.

    Args:
        languages: codes of source and target.
    """

    def __init__(self, languages: tuple[str, str]) -> None:
        self.languages = tuple(language.lower() for language in languages)
        self.segments: dict[str, str] = {}
        self._language = ""
        self._pieces: list[str] | None = None
        self._codes = 0

    def parse(self, text: str) -> None:
        """Parses a whole unit.

        Raises:
            ExpatError: if it is not well-formed.
            ValueError: if it holds half of a character.
        """
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(text, True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "tuv":
            language = attributes.get("xml:lang") or attributes.get("lang") or ""
            self._language = self._match_language(language.lower())
        elif name == "seg":
            self._pieces, self._codes = [], 0
        elif name in CODE_ELEMENTS:
            self._codes += 1

    def _end(self, name: str) -> None:
        if name == "seg" and self._pieces is not None:
            text = " ".join("".join(self._pieces).split())
            if self._language and text:
                self.segments.setdefault(self._language, text)
            self._pieces = None
        elif name in CODE_ELEMENTS:
            self._codes -= 1

    def _text(self, text: str) -> None:
        if self._pieces is not None and not self._codes:
            self._pieces.append(text)

    def _match_language(self, language: str) -> str:
        """Returns which of the two languages a code means, or ""."""
        short = language.replace("_", "-").split("-")[0]
        return next((each for each in self.languages if each in (language, short)), "")
