"""Sentences without the symbols and words that a model cannot read, which return to their
translations. Pure functions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.translation.layout import Attention, Translation
from app.translation.protection import strip_end_marks
from app.translation.words import Span, word_spans
from model.text.sentences import END_MARKS, is_ended

T = TypeVar("T")

#: A sentence may have thousands of emoji, whose attention nobody looks at.
_MAX_ATTENDED_WORDS = 256


@dataclass(frozen=True)
class LeftOut:
    """A sentence without its symbols.

    Attributes:
        text: what is left.
        symbols: each symbol (or unreadable word) with its position in `text`, and with the space
            that was left out with it.
    """

    text: str
    symbols: tuple[tuple[int, str], ...]

    def put_back(self, translation: Translation) -> Translation:
        """Returns a translation of `text` with the symbols.

        A symbol follows the translation of the word before it, or precedes that of the word after
        it if it touches only that one.
        """
        if not self.symbols:
            return translation
        if not is_ended(self.text) and self.symbols[-1][0] >= len(self.text.rstrip()):
            translation = translation.without_end_marks()
        words, target_words = word_spans(self.text), word_spans(translation.text)
        # The words of symbols count down from -1, those of `text` and its translation up from 0.
        symbol_words, count = list[list[int]](), 0
        for _, symbol in self.symbols:
            size = len(word_spans(symbol))
            symbol_words.append([-1 - count - word for word in range(size)])
            count += size
        befores = [_words_before(words, position) for position, _ in self.symbols]
        order = _insert([*range(len(words))], befores, symbol_words)
        places = [self._place_in(translation, *each) for each in self.symbols]
        befores = [_words_before(target_words, place) for place in places]
        target_order = _insert([*range(len(target_words))], befores, symbol_words)
        symbols = [
            [symbol if place or not symbol[0].isspace() else f"{symbol.strip()} "]
            for place, (_, symbol) in zip(places, self.symbols, strict=True)
        ]
        return Translation(
            "".join(_insert([*translation.text], places, symbols)),
            _reorder_links(translation.links, order, target_order),
            _reorder_attention(translation.attention, order, target_order),
        )

    def _place_in(self, translation: Translation, position: int, symbol: str) -> int:
        """Returns the position of a symbol in a translation of `text`."""
        words, target_words = word_spans(self.text), word_spans(translation.text)
        before, rest = _words_before(words, position), self.text[position:].strip()
        if not before:
            return 0
        if not rest.strip(END_MARKS):
            return len(strip_end_marks(translation.text) if rest else translation.text)
        touches_next = self.text[position - 1].isspace() and not symbol[-1].isspace()
        near = range(before, len(words)) if touches_next else range(before - 1, -1, -1)
        for word in near:
            is_word = _is_word(self.text, words[word])
            linked = [
                target
                for target, link in zip(target_words, translation.links, strict=True)
                if link == word and _is_word(translation.text, target) == is_word
            ]
            if linked:
                return linked[0][0] if touches_next else linked[-1][1]
        return len(translation.text) if touches_next else 0


def _words_before(words: Sequence[Span], position: int) -> int:
    """Returns the number of words that begin before `position`."""
    return bisect_left(words, position, key=lambda word: word[0])


def _is_word(text: str, span: Span) -> bool:
    return text[span[0]].isalnum()


def _reorder_links(
    links: Sequence[int | None], order: Sequence[int], target_order: Sequence[int]
) -> tuple[int | None, ...]:
    """Returns the links of a translation with symbols, each of which is linked to itself.

    Args:
        links: links of the translation without symbols.
        order: words of the sentence: those of symbols are negative, others count from 0.
        target_order: the same for the translation.
    """
    index_of = {word: index for index, word in enumerate(order)}
    linked = (word if word < 0 else links[word] for word in target_order)
    return tuple(None if link is None else index_of[link] for link in linked)


def _reorder_attention(
    attention: Attention | None, order: Sequence[int], target_order: Sequence[int]
) -> Attention | None:
    """Returns the attention in a translation with symbols; None if it is unknown, or there are too
    many words. For the arguments see `_reorder_links`."""
    if attention is None or len(order) > _MAX_ATTENDED_WORDS:
        return None
    return [
        [
            float(word == other) if word < 0 or other < 0 else attention[word][other]
            for other in order
        ]
        for word in target_order
    ]


def _insert(items: list[T], positions: Sequence[int], groups: Sequence[list[T]]) -> list[T]:
    """Returns items with each group inserted before the item at its position, or after the last;
    groups at the same position keep their order."""
    found, place = list[T](), 0
    for position, group in sorted(zip(positions, groups, strict=True), key=lambda each: each[0]):
        found += [*items[place:position], *group]
        place = position
    return [*found, *items[place:]]
