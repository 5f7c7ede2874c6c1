"""A translation memory: sentences whose translation is given, so that no search is needed.

A network learns sentences; that a button `Cancel` is `Abbrechen` must be learnt by heart, and small
networks forget it. Standard library only.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Sequence
from itertools import chain

from model.text.normalise import normalise, straighten_quotes
from model.text.scripts import is_unspaced
from model.text.surface import in_form_of

#: Longer texts are not looked up.
MAX_CHARACTERS = 1000
#: Maximum number of pairs of a model; each takes about 300 bytes of a server.
MAX_PAIRS = 100_000
#: Marks at the end that do not tell one sentence from another.
_MARKS = re.compile(r"(?<=[^\s.!?…,:;])\s*[.!?…,:;]+$")
#: Translations with a mark at their start need the one at their end.
_OPENING_MARKS = "¿¡"
#: What separates lines and columns of the file.
_SEPARATORS = re.compile(r"[\t\n\r]+")


class TranslationMemory:
    """Sentences and their translations.

    Args:
        pairs: (sentence, translation); of equal sentences the first is kept.

    Attributes:
        pairs: those that are kept, on one line each.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        first = dict[str, tuple[str, str]]()
        for text, translation in pairs:
            if normalise(text) and normalise(translation):
                pair = _SEPARATORS.sub(" ", text), _SEPARATORS.sub(" ", translation)
                first.setdefault(_plain(text), pair)
        self.pairs = tuple(first.values())
        self._known, self._folded = dict[str, tuple[str, str]](), dict[str, tuple[str, str]]()
        for pair in chain(self.pairs, filter(None, map(_without_marks, self.pairs))):
            self._known.setdefault(_plain(pair[0]), pair)
            self._folded.setdefault(_plain(pair[0]).casefold(), pair)

    @classmethod
    def parse(cls, content: bytes) -> TranslationMemory:
        """Parses the result of `to_bytes`. Raises OSError, EOFError or zlib.error if damaged."""
        lines = gzip.decompress(content).decode().split("\n")
        return cls((text, found) for text, _, found in (line.partition("\t") for line in lines))

    def to_bytes(self) -> bytes:
        """Returns one line per pair, sentence TAB translation, compressed by gzip."""
        return gzip.compress("\n".join(map("\t".join, self.pairs)).encode(), mtime=0)

    def __len__(self) -> int:
        return len(self.pairs)

    def updated(self, pairs: Sequence[tuple[str, str]]) -> TranslationMemory:
        """Returns a memory with these pairs instead of those of the same sentences; of equal ones
        the last holds. An empty translation removes a sentence."""
        known = {_plain(text): (text, translation) for text, translation in self.pairs}
        for text, translation in pairs:
            known.pop(_plain(text), None)
            if translation:
                known[_plain(text)] = (text, translation)
        return TranslationMemory(known.values())

    def find(self, text: str) -> str | None:
        """Returns the translation of a sentence; None if there is none. One that is known in other
        letter case, or without the marks at its end, gets a translation in its own form."""
        if len(text) > MAX_CHARACTERS:
            return None
        if pair := self._pair_of(text):
            known, translation = pair
            is_equal = _plain(text) == _plain(known)
            return translation if is_equal else in_form_of(text, translation)
        marks = _MARKS.search(text)
        pair = self._pair_of(text[: marks.start()]) if marks else None
        if not marks or not pair:
            return None
        _, translation = _without_marks(pair) or pair
        if is_unspaced(translation[-1]):  # has other marks
            return None
        return in_form_of(text[: marks.start()], translation) + marks[0].strip()

    def _pair_of(self, text: str) -> tuple[str, str] | None:
        plain = _plain(text)
        return self._known.get(plain) or self._folded.get(plain.casefold())


def _without_marks(pair: tuple[str, str]) -> tuple[str, str] | None:
    """Returns a pair without the marks at both ends; None if it has none, or may need them: one
    word with a full stop may be an abbreviation."""
    text, translation = (_MARKS.sub("", side) for side in pair)
    is_abbreviation = " " not in text and pair[0] == f"{text}."
    if text == pair[0] or is_abbreviation or translation.startswith(tuple(_OPENING_MARKS)):
        return None
    return text, translation


def _plain(text: str) -> str:
    return straighten_quotes(normalise(text))
