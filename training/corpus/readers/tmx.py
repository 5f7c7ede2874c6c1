"""TMX, the exchange format of translation memories (version 1.4b).

https://www.gala-global.org/tmx-14b
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from training.corpus.packed import open_unpacked
from training.corpus.records import Example, Fault, Records

CHUNK_BYTES = 2**16
#: Elements inside of a segment that hold codes of another format, not text.
CODES = frozenset(("bpt", "ept", "it", "ph", "sub", "ut"))

#: LookupError: an encoding that nobody knows.
_NOT_TMX = (expat.ExpatError, ValueError, LookupError)


def read_tmx(path: Path, languages: tuple[str, str]) -> Records:
    """The first segment in each of two languages of each unit; `en` also means `en-GB`.

    The document is a stream, whatever its size. One that declares entities is refused: they can
    grow without limit, or read other files.
    """
    reader = _Reader(languages)
    with open_unpacked(path) as file:
        is_over = False
        while not is_over:
            chunk = file.read(CHUNK_BYTES)
            is_over = not chunk
            try:
                reader.feed(chunk, is_final=is_over)
            except _NOT_TMX as error:
                yield from reader.records(path)
                yield Fault(f"{path}:{reader.line}", f"not TMX: {error}")
                return
            yield from reader.records(path)  # at the end too: expat may put large tokens off


class _Reader:
    """Collects units while a document is fed to it."""

    def __init__(self, languages: tuple[str, str]) -> None:
        self._languages = tuple(language.lower() for language in languages)
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.EntityDeclHandler = self._refuse_entity
        self._units: list[tuple[int, dict[str, str]]] = []
        self._depth = 0
        self._unit_line = 0
        self._segments: dict[str, str] = {}
        self._language = ""
        self._pieces: list[str] | None = None
        self._codes = 0

    @property
    def line(self) -> int:
        """Where the parser is."""
        return int(self._parser.CurrentLineNumber)

    def feed(self, chunk: bytes, *, is_final: bool = False) -> None:
        """Parses some more of the document."""
        self._parser.Parse(chunk, is_final)

    def records(self, path: Path) -> Iterator[Example | Fault]:
        """What was collected since the last call."""
        units, self._units = self._units, []
        for line, segments in units:
            missing = [language for language in self._languages if language not in segments]
            if missing:
                yield Fault(f"{path}:{line}", f"has no segment in {' and '.join(missing)}")
            else:
                source, target = (segments[language] for language in self._languages)
                yield Example((source,), target, source, f"{path}:{line}")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._depth and name != "tmx":
            raise ValueError(f"its root is <{name}>")
        self._depth += 1
        if name == "tu":
            self._unit_line, self._segments = self.line, {}
        elif name == "tuv":
            language = attributes.get("xml:lang") or attributes.get("lang") or ""
            self._language = self._wanted(language.lower())
        elif name == "seg":
            self._pieces, self._codes = [], 0
        elif name in CODES:
            self._codes += 1

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name == "tu":
            self._units.append((self._unit_line, self._segments))
        elif name == "seg" and self._pieces is not None:
            text = " ".join("".join(self._pieces).split())
            if self._language and text:
                self._segments.setdefault(self._language, text)
            self._pieces = None
        elif name in CODES:
            self._codes -= 1

    def _text(self, text: str) -> None:
        if self._pieces is not None and not self._codes:
            self._pieces.append(text)

    def _wanted(self, language: str) -> str:
        """Which of the two languages it is, or none."""
        short = language.replace("_", "-").split("-")[0]
        return next((each for each in self._languages if each in (language, short)), "")

    def _refuse_entity(self, name: str, *_: object) -> None:
        raise ValueError(f"it declares an entity, {name}")
