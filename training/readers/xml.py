"""XML as a stream: what a document contains before it breaks is kept.

It knows no format: a `Handler` collects the records in the elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar
from xml.parsers import expat

from training.files.archives import open_unpacked
from training.files.records import Fault

CHUNK_BYTES = 2**16

#: LookupError: an unknown encoding.
_XML_ERRORS = (expat.ExpatError, ValueError, LookupError)

Record = TypeVar("Record")


class Handler(Generic[Record]):
    """A listener to the elements of a document, for a subclass that collects records of them.

    Attributes:
        found: what was collected since the last `take`.
    """

    def __init__(self) -> None:
        self.found: list[Record] = []

    def start(self, name: str, attributes: dict[str, str], line: int) -> None:
        """Receives an element's name, its attributes and its line, from 1; raises ValueError at
        another format."""

    def end(self, name: str) -> None:
        """Receives the end of an element."""

    def text(self, text: str) -> None:
        """Receives a part of the text between two tags."""

    def take(self) -> list[Record]:
        """Returns what was collected since the last call."""
        found, self.found = self.found, []
        return found


def read_xml(path: Path, handler: Handler[Record], form: str) -> Iterator[Record | Fault]:
    """Reads a document of any size, packed or not. Where it breaks, a fault ends it, which says
    that it is not of the format `form`.

    A document that declares entities breaks there: they can grow without limit, or read other
    files.

    Raises:
        CorpusError: if the file cannot be read.
    """
    with open_unpacked(path) as file:
        yield from parse_xml(iter(partial(file.read, CHUNK_BYTES), b""), handler, form, str(path))


def parse_xml(
    chunks: Iterable[bytes | str], handler: Handler[Record], form: str, origin: str
) -> Iterator[Record | Fault]:
    """Reads the document that `chunks` are; `origin` is its file. See `read_xml`."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: handler.start(
        name, attributes, parser.CurrentLineNumber
    )
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text
    parser.EntityDeclHandler = _refuse_entity
    try:
        for chunk in chunks:
            parser.Parse(chunk)
            yield from handler.take()
        parser.Parse(b"", True)
    except _XML_ERRORS as error:
        yield from handler.take()
        yield Fault(f"{origin}:{parser.CurrentLineNumber}", f"not {form}: {error}")
    yield from handler.take()


def _refuse_entity(name: str, *_: object) -> None:
    raise ValueError(f"it declares an entity, {name}")
