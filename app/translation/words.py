"""Words of a text, and the attention between the words of a source and its translation."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

from model.text.scripts import UNSPACED
from model.tokenizer import SPACE

if TYPE_CHECKING:
    from model.types import Float32

Span = tuple[int, int]

#: Vowel signs and accents, which Python's `\w` leaves out.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
#: The same for scripts without spaces.
_SIGNS = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u102b-\u103e\u17b6-\u17d3"
)
_LETTER = rf"[^\W{UNSPACED}]|[{_MARKS}]"
_WORD = re.compile(rf"(?:{_LETTER})+(?:['’.\-]?(?:{_LETTER})+)*|[{UNSPACED}][{_SIGNS}]*|[^\w\s]")
#: Characters that never begin a line: closing marks, and what Thai and Lao write after a consonant.
_NOT_AT_LINE_START = _SIGNS + "、。，．：；？！」』】）》〉…ー々"
_NOT_AT_LINE_START += "\u0e2f\u0e30\u0e32\u0e33\u0e45\u0e46\u0eaf\u0eb0\u0eb2\u0eb3\u0ec6"
#: Characters that never end a line: vowels that Thai and Lao write before a consonant.
_NOT_AT_LINE_END = "\u0e40-\u0e44\u0ec0-\u0ec4"
_BREAK = re.compile(
    rf"\s+|(?:(?<=[{UNSPACED}、。，？！」』）…])(?=[{UNSPACED}「『（])|(?<=[{UNSPACED}])(?=\w))"
    rf"(?<![{_NOT_AT_LINE_END}])(?![{_NOT_AT_LINE_START}])"
)
#: Chinese characters, kana and their punctuation, after which no space follows.
_CHINESE_OR_JAPANESE = re.compile(
    "[\u2e80-\u312f\u31a0-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uff9f\U00020000-\U0003ffff]"
)
_CLOSING_QUOTES = "\"'”’»"


def gap_between(before: str, after: str, source_gap: str) -> str:
    """Returns the space between two translations that follow each other: that of the source, unless
    the languages differ in whether they have one.

    Args:
        before, after: the translations, `before` not empty.
        source_gap: what is between their sources.
    """
    if source_gap not in ("", " "):
        return source_gap
    if _CHINESE_OR_JAPANESE.match(before.rstrip(_CLOSING_QUOTES)[-1:]):
        return ""
    return source_gap if _CHINESE_OR_JAPANESE.match(after) else " "


def columns_of(text: str) -> int:
    """Counts the columns that a text takes on a screen: two for a wide character (Chinese, kana,
    Hangul), none for a sign above or below another."""
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(char) in "WF" else unicodedata.category(char) != "Mn"
        for char in text
    )


@lru_cache(maxsize=32)  # several functions look at the same sentence in turn
def word_spans(text: str) -> tuple[Span, ...]:
    """Returns start and end of each word and punctuation mark; in scripts without spaces, of each
    character."""
    return tuple(match.span() for match in _WORD.finditer(text))


def break_spans(text: str) -> list[Span]:
    """Returns start and end of each place where a line may break: white space, or nothing between
    two characters of a script without spaces."""
    return [match.span() for match in _BREAK.finditer(text)]


def word_attention(
    source: str,
    source_pieces: Sequence[str],
    target: str,
    target_pieces: Sequence[str],
    attention_weights: Float32,
) -> list[list[float]]:
    """Returns the attention of each word of `target` to each word of `source`; each row sums to
    at most 1.

    Pieces and words are matched by the number of characters before them, since the tokenizer
    normalises the text.

    Args:
        source: the sentence.
        source_pieces: the pieces that the model read.
        target: its translation.
        target_pieces: the pieces that the model wrote.
        attention_weights: `(target pieces, or one more, source pieces, or more)`; additional rows
            and columns belong to the end tokens.
    """
    source_words, target_words = word_spans(source), word_spans(target)
    columns = _words_of_pieces(source, source_words, source_pieces)
    rows = _words_of_pieces(target, target_words, target_pieces)
    mass = [[0.0] * len(source_words) for _ in target_words]
    pieces_of = Counter(rows)
    for row, weights in zip(rows, attention_weights.tolist(), strict=False):
        share = 1 / pieces_of[row]
        for column, weight in zip(columns, weights, strict=False):
            mass[row][column] += weight * share
    return mass


def _words_of_pieces(text: str, words: Sequence[Span], pieces: Sequence[str]) -> list[int]:
    """Returns, for each piece, the word of `text` that it belongs to."""
    if not words:
        return []
    sizes = [len(piece.replace(SPACE, "")) for piece in pieces]
    total = sum(sizes)
    starts = [0, *accumulate(end - start for start, end in words)]
    scale = starts[-1] / total if total else 0.0
    middles = [
        (before + size / 2) * scale
        for before, size in zip(accumulate(sizes, initial=0), sizes, strict=False)
    ]
    return [min(bisect_right(starts, middle) - 1, len(words) - 1) for middle in middles]
