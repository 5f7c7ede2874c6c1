"""Reader of OPUS documents in XML: sentences, and for subtitles the times of their cues.

Raw documents hold text, tokenised and parsed ones a `<w>` for each token:

    <document id="67890">
      <s id="1">
        <time id="T1S" value="00:00:10,000" />
    - Who is there?
      </s>
      <s id="2">
    - It is me.
        <time id="T1E" value="00:00:12,500" />
      </s>
    </document>

Lison and Tiedemann 2016, https://aclanthology.org/L16-1147; https://opus.nlpl.eu/OpenSubtitles
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.files.records import Cue, Fault
from training.readers.detokenising import detokenised
from training.readers.xml import Handler, Record, read_xml
from training.subtitles.cues import MAX_FILM_MS

FORM = "XML of OPUS"

#: The most characters of a sentence; a small packed document may unpack to endless spaces.
MAX_SENTENCE_CHARACTERS = 2**20

#: Some releases have spaces in times (`00:00: 4,300`), or a point.
_TIME = re.compile(r"(\d{1,3}):\s*(\d{1,2}):\s*(\d{1,2})(?:\s*[,.:]\s*(\d{1,3}))?")
#: As OPUS lays documents out: en/1994/109830/67890.xml, by year and number of the film.
_FILM = re.compile(r"(?:^|/)(\d+/\d+)/[^/]+\.xml(?:\.gz)?$")


@dataclass(frozen=True)
class Sentence:
    """A sentence of a document.

    Attributes:
        id: its name in alignments.
        text: on one line.
        line: of the file, from 1.
    """

    id: str
    text: str
    line: int


def read_sentences(path: Path) -> Iterator[Sentence | Fault]:
    """Reads the sentences of a document, tokenised or not. Where the XML breaks, a fault ends it.

    Raises:
        CorpusError: if the file cannot be read.
    """
    return read_xml(path, _Sentences(), FORM)


def read_opus_cues(path: Path) -> Iterator[Cue | Fault]:
    """Reads the cues of a subtitle document; each sentence of a cue is on lines of its own. A cue
    with a broken time is a fault, and so is the rest of a document after its XML breaks.

    Raises:
        CorpusError: if the file cannot be read.
    """
    return read_xml(path, _Cues(str(path)), FORM)


def film_of(document: str) -> str:
    """Returns the film of a document, from a path in OPUS' layout. All subtitles of a film, in any
    language, have the same; for any other path it is the path itself."""
    found = _FILM.search(document.replace("\\", "/"))
    return found[1] if found else document


class _Text:
    """A collector of the text of a sentence, tokenised or not."""

    def __init__(self) -> None:
        self._length = 0
        self._raw: list[str] = []
        self._tokens: list[tuple[str, str]] = []  # each with the space after it
        self._space: str | None = None  # after the open token
        self._is_exact = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "w":
            # Parsed documents follow Universal Dependencies, which mark missing spaces.
            has_space = "SpaceAfter=No" not in attributes.get("misc", "")
            self._is_exact = self._is_exact or not has_space
            self._raw, self._space = [], " " if has_space else ""

    def end(self, name: str) -> None:
        if name == "w" and self._space is not None:
            token = "".join(self._raw).strip()
            if token:
                self._tokens.append((token, self._space))
            self._raw, self._space = [], None

    def add(self, text: str) -> None:
        """Adds text to a sentence. Raises ValueError if it becomes longer than any sentence."""
        self._length += len(text)
        if self._length > MAX_SENTENCE_CHARACTERS:
            raise ValueError(f"a sentence of {self._length:,} characters")
        self._raw.append(text)

    def take(self) -> str:
        """Returns the text collected since the last call, with the document's line breaks."""
        tokens, raw = self._tokens, self._raw
        self._tokens, self._raw = [], []
        if not tokens:
            return "".join(raw)
        if self._is_exact:
            return "".join(token + space for token, space in tokens)
        return detokenised([token for token, _ in tokens])


class _Document(Handler[Record]):
    """A handler of the text of sentences, common to both kinds of records."""

    def __init__(self) -> None:
        super().__init__()
        self._text: _Text | None = None
        self._depth = 0
        self._has_sentence = False

    def start(self, name: str, attributes: dict[str, str], line: int) -> None:
        self._depth += 1
        if name == "s":
            self._text, self._has_sentence = _Text(), True
        elif self._text:
            self._text.start(name, attributes)

    def end(self, name: str) -> None:
        self._depth -= 1
        if name == "s":
            self._text = None
        elif self._text:
            self._text.end(name)
        if not self._depth and not self._has_sentence:
            raise ValueError("it has no sentence <s>")

    def text(self, text: str) -> None:
        if self._text:
            self._text.add(text)


class _Sentences(_Document[Sentence]):
    """A handler that collects the sentences of a document."""

    _id, _line = "", 0

    def start(self, name: str, attributes: dict[str, str], line: int) -> None:
        super().start(name, attributes, line)
        if name == "s":
            self._id, self._line = attributes.get("id", ""), line

    def end(self, name: str) -> None:
        if name == "s" and self._text:
            text = " ".join(self._text.take().split())
            self.found.append(Sentence(self._id, text, self._line))
        super().end(name)


class _Cues(_Document[Cue | Fault]):
    """A handler that collects the cues of a document, and faults with `origin` as their file."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self._origin = origin
        self._start_ms: int | None = None
        self._line = 1
        self._lines: list[str] = []
        self._has_stray_text = False

    def start(self, name: str, attributes: dict[str, str], line: int) -> None:
        super().start(name, attributes, line)
        if name == "time":
            self._take_text()
            self._handle_time(attributes, line)

    def end(self, name: str) -> None:
        if name == "s":
            self._take_text()
        super().end(name)
        if not self._depth and self._start_ms is not None:
            self._add_fault(self._line, "its cue has no end")
        elif not self._depth and self._has_stray_text:
            self._add_fault(self._line, "text outside of a cue after this one")

    def _take_text(self) -> None:
        """Moves the text since the last time or sentence into the cue."""
        text = self._text.take() if self._text else ""
        lines = [line for each in text.split("\n") if (line := " ".join(each.split()))]
        if self._start_ms is None:
            self._has_stray_text = self._has_stray_text or bool(lines)
        else:
            self._lines += lines

    def _handle_time(self, attributes: dict[str, str], line: int) -> None:
        time, kind = _milliseconds(attributes.get("value", "")), attributes.get("id", "")[-1:]
        if time is None or kind not in ("S", "E"):
            self._add_fault(line, 'expected <time id="T1S" value="hh:mm:ss,mmm"/>, or T1E')
        elif kind == "S":
            self._open_cue(time, line)
        else:
            self._close_cue(time, line)

    def _open_cue(self, time: int, line: int) -> None:
        if self._start_ms is not None:
            self._add_fault(self._line, "its cue has no end")
        elif self._has_stray_text:
            self._add_fault(line, "text outside of a cue before this one")
        self._start_ms, self._line = time, line

    def _close_cue(self, time: int, line: int) -> None:
        if self._start_ms is None:
            self._add_fault(line, "its cue has no start")
        elif time < self._start_ms:
            self._add_fault(self._line, "ends before it starts")
        elif time > MAX_FILM_MS:
            self._add_fault(self._line, "ends after more than 24 hours")
        elif self._lines:
            self.found.append(Cue(self._start_ms, time, "\n".join(self._lines), self._line))
        self._start_ms, self._lines, self._has_stray_text = None, [], False

    def _add_fault(self, line: int, reason: str) -> None:
        self.found.append(Fault(f"{self._origin}:{line}", reason))
        self._start_ms, self._lines, self._has_stray_text = None, [], False


def _milliseconds(stamp: str) -> int | None:
    found = _TIME.fullmatch(stamp.strip())
    if not found:
        return None
    hours, minutes, seconds = map(int, found.groups()[:3])
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int((found[4] or "0").ljust(3, "0"))
