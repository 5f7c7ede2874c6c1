"""A translation memory: texts whose translation is given, so that no search is needed.

A network learns sentences; that a button `Cancel` is `Abbrechen` must be learnt by heart, and small
networks forget it. Standard library only.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from itertools import chain

from model.text.normalise import normalise, straighten_quotes
from model.text.sentences import END_MARKS
from model.text.surface import in_form_of

#: Characters at the end that do not tell one text from another.
_ENDS = f" ,:;{END_MARKS}"
#: Longer texts are not looked up.
_MAX_CHARACTERS = 1000
#: Maximum number of pairs of a model; each takes about 300 bytes of a server.
MAX_PAIRS = 100_000


class TranslationMemory:
    """Texts and their translations.

    Args:
        pairs: (text, translation); of texts that are equal but for case, the first is kept.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = tuple(dict.fromkeys(pairs))
        self._known: dict[str, tuple[str, str]] = {}
        for pair in chain(self.pairs, map(_without_marks, self.pairs)):
            self._known.setdefault(_key(pair[0]), pair)

    @classmethod
    def parse(cls, content: bytes) -> TranslationMemory:
        """Parses the result of `to_bytes`. Raises OSError if it is damaged."""
        lines = gzip.decompress(content).decode().splitlines()
        return cls((text, found) for text, _, found in (line.partition("\t") for line in lines))

    def to_bytes(self) -> bytes:
        """Returns one line per pair, text TAB translation, compressed by gzip."""
        lines = (f"{normalise(text)}\t{normalise(found)}\n" for text, found in self.pairs)
        return gzip.compress("".join(lines).encode(), mtime=0)

    def __len__(self) -> int:
        return len(self.pairs)

    def updated(self, pairs: Sequence[tuple[str, str]]) -> TranslationMemory:
        """Returns a memory with these pairs instead of those of the same texts. An empty
        translation removes a text."""
        given = {_key(text) for text, _ in pairs}
        kept = (pair for pair in self.pairs if _key(pair[0]) not in given)
        return TranslationMemory([*(pair for pair in pairs if pair[1]), *kept])

    def find(self, text: str) -> str | None:
        """Returns the translation of a text; None if there is none. Case does not matter, nor marks
        at the end, if the text is not known with them: a text that is typed in another form gets a
        translation in that form."""
        if len(text) > _MAX_CHARACTERS:
            return None
        if pair := self._known.get(_key(text)):
            return _in_form_of(text, pair)
        words = text.rstrip(_ENDS)
        if not words or not (pair := self._known.get(_key(words))):
            return None
        return _in_form_of(words, _without_marks(pair)) + text[len(words) :]


def _in_form_of(text: str, pair: tuple[str, str]) -> str:
    known, translation = pair
    return translation if text == known else in_form_of(text, translation)


def _without_marks(pair: tuple[str, str]) -> tuple[str, str]:
    text, translation = pair
    return text.rstrip(_ENDS), translation.rstrip(_ENDS)


def _key(text: str) -> str:
    return straighten_quotes(normalise(text)).casefold()
