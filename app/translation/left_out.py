"""Sentences without the symbols and words that a model cannot read, which return to their
translations. Pure functions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
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
        # The words of symbols count down from -1, those of `text` and its translation up from 0.
        symbol_words, count = list[range](), 0
        for _, symbol in self.symbols:
            size = len(word_spans(symbol))
            symbol_words.append(range(-1 - count, -1 - count - size, -1))
            count += size
        pairs = [*zip(self.symbols, symbol_words, strict=True)]
        order = _order(self.text, [(position, own) for (position, _), own in pairs])
        spans = self._linked_spans(translation)
        placed = sorted(
            (
                (self._place_in(translation.text, spans, position, symbol), symbol, own)
                for (position, symbol), own in pairs
            ),
            key=itemgetter(0),
        )
        target_order = _order(translation.text, [(place, own) for place, _, own in placed])
        symbols = [(p, [_spaced(symbol, translation.text, p)]) for p, symbol, _ in placed]
        text = "".join(_insert(translation.text, symbols))
        if len(word_spans(text)) != len(target_order):  # two words have become one
            return Translation.unlinked(text)
        return Translation(
            text,
            _reorder_links(translation.links, order, target_order),
            _reorder_attention(translation.attention, order, target_order),
        )

    def _linked_spans(self, translation: Translation) -> dict[int, Span]:
        """Returns, for words of `text`, the start of the first word and the end of the last word
        that translate them. A mark does not translate a word, nor a word a mark."""
        words, spans = word_spans(self.text), dict[int, Span]()
        for span, link in zip(word_spans(translation.text), translation.links, strict=True):
            if link is not None and (
                _is_word(self.text, words[link]) == _is_word(translation.text, span)
            ):
                spans[link] = spans.get(link, span)[0], span[1]
        return spans

    def _place_in(
        self, translation: str, spans: Mapping[int, Span], position: int, symbol: str
    ) -> int:
        """Returns the position of a symbol in a translation of `text`; for `spans`, see
        `_linked_spans`."""
        words = word_spans(self.text)
        before, rest = _words_before(words, position), self.text[position:].strip()
        if not before:
            return 0
        is_alternative = symbol.startswith(("/", "–"))
        if not rest.strip(END_MARKS) and not is_alternative:
            return len(strip_end_marks(translation) if rest else translation)
        touches_next = self.text[position - 1].isspace() and not symbol[-1].isspace()
        near = range(before, len(words)) if touches_next else range(before - 1, -1, -1)
        linked = next((spans[word] for word in near if word in spans), None)
        is_unlinked = not spans or (is_alternative and not linked)
        if is_unlinked and (target_words := word_spans(translation)):
            linked = target_words[near[0] * len(target_words) // len(words)]
        if touches_next:
            return linked[0] if linked else len(translation)
        return linked[1] if linked else 0


def _order(text: str, placed: Iterable[tuple[int, Sequence[int]]]) -> list[int]:
    """Returns the words of a text and those of symbols with their positions in it, in order."""
    words = word_spans(text)
    return _insert(range(len(words)), [(_words_before(words, place), own) for place, own in placed])


def _spaced(symbol: str, text: str, place: int) -> str:
    """Returns a symbol as it is inserted into a text: with space between it and other words."""
    if not place and symbol[0].isspace():
        return f"{symbol.strip()} "
    before = text[place - 1 : place].isalnum() and symbol[0].isalnum()
    after = symbol[-1].isalnum() and text[place : place + 1].isalnum()
    return f"{' ' * before}{symbol}{' ' * after}"


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


def _insert(items: Sequence[T], groups: Iterable[tuple[int, Sequence[T]]]) -> list[T]:
    """Returns items with each group inserted before the item at its position, or after the last.
    Groups are sorted by position."""
    found, place = list[T](), 0
    for position, group in groups:
        found += [*items[place:position], *group]
        place = position
    return [*found, *items[place:]]
