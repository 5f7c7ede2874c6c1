"""Names that both sides of a sentence pair share, and others in their place.

A corpus repeats few names (a fifth of Tatoeba's pairs has `Tom`), and a model spells a name that it
has not met as another word. If names change from epoch to epoch, it learns to copy them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random

import regex

#: A capitalised word of three letters or more.
_CAPITALISED = regex.compile(r"(?<![\p{L}\p{N}'\u2019-])\p{Lu}\p{L}+\p{Ll}(?![\p{L}\p{N}-])")
_WORD = regex.compile(r"\p{L}+")
#: Ends of names that get no `s` in the genitive.
_SIBILANTS = ("s", "x", "z", "ß")
#: Share of the new names that are invented: the beginning of one and the end of another.
_INVENTED = 0.5

Pair = tuple[str, str]


class Names:
    """The names of a corpus: capitalised words that both sides of a pair have, with or without a
    final `s`, and that the corpus never has in lower case.

    Args:
        pairs: source and target of training examples.
    """

    def __init__(self, pairs: Iterable[Pair]) -> None:
        shared, words = set[str](), set[str]()
        for pair in pairs:
            shared |= _shared(pair)
            words.update(word for text in pair for word in _WORD.findall(text))
        self._names = sorted(name for name in shared if name.lower() not in words)
        self._with_genitive = [name for name in self._names if not name.endswith(_SIBILANTS)]
        self._known = frozenset(self._names)

    def draw_for(self, pair: Pair, draw: Random) -> dict[str, str]:
        """Draws a name in place of each that both texts share; returns old name -> new name."""
        words = {word for text in pair for word in _CAPITALISED.findall(text)}
        return {
            name: self._drawn(draw, has_genitive=f"{name}s" in words)
            for name in sorted(_shared(pair) & self._known)
        }

    def _drawn(self, draw: Random, *, has_genitive: bool) -> str:
        """Draws a name, which ends as one of the corpus does, so that it may get an `s`."""
        names = (self._with_genitive if has_genitive else ()) or self._names
        first, second = draw.choice(names), draw.choice(names)
        if draw.random() >= _INVENTED:
            return first
        return first[: (len(first) + 1) // 2] + second[len(second) // 2 :]


def with_names(text: str, names: Mapping[str, str]) -> str:
    """Returns a text with other names, also in the genitive (`Toms`)."""

    def new(match: regex.Match[str]) -> str:
        word = match[0]
        return names.get(word) or (f"{names[word[:-1]]}s" if word[:-1] in names else word)

    return _CAPITALISED.sub(new, text)


def _shared(pair: Pair) -> set[str]:
    """Returns the capitalised words that both texts have, one of them perhaps with a final `s`."""
    source, target = (set(_CAPITALISED.findall(text)) for text in pair)
    return (
        source & target
        | {word for word in source if f"{word}s" in target}
        | {word for word in target if f"{word}s" in source}
    )
