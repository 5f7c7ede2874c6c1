"""Parts of a text, their sentences, and the placement of tags in a translation.

A part is a paragraph or a cue, which keeps its place. Sentences may span several parts.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

from app.translation.protection import blank_fixed, fixed_spans
from app.translation.words import Span, break_spans, gap_between, word_spans
from model.text.sentences import END_MARKS, sentence_spans

#: How many characters further from the even position a break may be after a comma, and at a space
#: rather than between two characters.
_COMMA_BONUS, _SPACE_BONUS = 6, 12
#: What separates texts on a line: the bars of a table or of links, slashes, the arrows of a path
#: to a page; dashes, and the space after a colon or a semicolon, but not before a quote, where
#: languages have other marks; the lack of a space after a sentence.
_SEPARATOR = re.compile(
    r"(?<!\S)[|/»›>→]+(?!\S)|(?<=[^\W\d_])—(?=[^\W\d_])"
    r"|(?:(?<=\S)\s+[-–—]{1,2}|(?<=[\w)\]*\"'”’“»][:;]))\s+(?![\s\"'„“‚‘»«])(?=\S)"
    r"|(?<=[^\W\d_A-Z]{2}[.!?])(?=[A-ZÀ-ÖØ-ÞЀ-Я][^\W\d_A-Z]*(?:[\s,!?'’]|$))"
)
#: A word that was divided at the end of a line, but no part of two words: `Ein- und Ausgabe`.
_DIVIDED = re.compile(r"[^\W\d_]-$")
_REST_OF_WORD = re.compile(r"(?!(?:and|or|und|oder|bis|to)\b)[^\W\d_]*[a-zß-öø-ÿ]")
#: Maximum number of elements of a sentence, which are compared pairwise.
_MAX_ELEMENTS = 40


@dataclass(frozen=True)
class Tag:
    """Markup at a position in a text.

    Attributes:
        position: number of characters before it.
        raw: the markup as written.
        kind: whether it opens or closes an element, or is an empty element.
        name: name of the element.
    """

    position: int
    raw: str
    kind: Literal["open", "close", "empty"]
    name: str = ""


@dataclass(frozen=True)
class Part:
    """A text with tags, in order."""

    text: str
    tags: tuple[Tag, ...] = ()

    def serialize(self, escape: Callable[[str], str]) -> str:
        """Returns the text with its raw tags; the text between them is escaped."""
        pieces, place = list[str](), 0
        for tag in self.tags:
            pieces += [escape(self.text[place : tag.position]), tag.raw]
            place = tag.position
        return "".join([*pieces, escape(self.text[place:])])


@dataclass(frozen=True)
class Chunk:
    """The span of a sentence in one part.

    Attributes:
        part: index of the part.
        start, end: span in the text of that part.
    """

    part: int
    start: int
    end: int


@dataclass(frozen=True)
class Sentence:
    """A sentence in one or several parts.

    Attributes:
        text: the sentence on one line.
        chunks: its spans, in the order of the text, which are joined by one space, but for words
            that are divided by a hyphen.
    """

    text: str
    chunks: tuple[Chunk, ...]


def sentences_of_parts(parts: Sequence[Part], first: int, language: str) -> list[Sentence]:
    """Returns the sentences of parts that form one text.

    Args:
        parts: at least one.
        first: index of the first part.
        language: language of the text; empty if unknown.
    """
    starts, text = [], ""
    for part in parts:
        starts.append(len(text))
        text += part.text + " "
    sentences = []
    for start, end in _sentence_spans(text, language):
        chunks = []
        for index, (part, offset) in enumerate(zip(parts, starts, strict=True)):
            low, high = max(start - offset, 0), min(end - offset, len(part.text))
            inner = part.text[low:high]
            if low < high and inner.strip():
                low += len(inner) - len(inner.lstrip())
                chunks.append(Chunk(first + index, low, low + len(inner.strip())))
        if chunks:
            texts = (parts[each.part - first].text[each.start : each.end] for each in chunks)
            sentences.append(Sentence(reduce(_join_lines, texts), tuple(chunks)))
    return sentences


def _join_lines(before: str, after: str) -> str:
    if _DIVIDED.search(before) and _REST_OF_WORD.match(after):
        return before[:-1] + after
    return f"{before} {after}"


def _sentence_spans(text: str, language: str) -> Iterator[Span]:
    """Yields start and end of each sentence of the texts that separators divide."""
    found = [each.span() for each in _SEPARATOR.finditer(text)]
    if found:
        open_text = blank_fixed(text)
        found = [each.span() for each in _SEPARATOR.finditer(open_text)]
    starts, ends = [0, *(end for _, end in found)], [*(start for start, _ in found), len(text)]
    for first, last in zip(starts, ends, strict=True):
        for start, end in sentence_spans(text[first:last], language):
            yield first + start, first + end


def split_in_proportion(text: str, sizes: Sequence[int]) -> list[Span]:
    """Splits `text` into spans in proportion to `sizes`, where lines may break, preferably after a
    comma or a space. If there are more sizes than words, the last word is repeated."""
    total, length = sum(sizes), len(text)
    breaks = [(a, b) for a, b in break_spans(text) if 0 < a and b < length]
    spans, begin, done, first = list[Span](), 0, 0, 0
    for size in sizes[:-1]:
        done += size
        even = length * done / total
        left = range(first, len(breaks))
        if not left:
            spans.append((begin, length))
            continue
        best = min(left, key=lambda at: abs(breaks[at][0] - even) - _bonus(text, breaks[at]))
        spans.append((begin, breaks[best][0]))
        begin, first = breaks[best][1], best + 1
    return [*spans, (begin, length)]


def _bonus(text: str, place: Span) -> int:
    start, end = place
    is_after_comma = text[start - 1 : start] in ",;:、，；：" + END_MARKS
    return _COMMA_BONUS * is_after_comma + _SPACE_BONUS * (start < end)


def place_tags(
    source: str, tags: Sequence[Tag], target: str, links: Sequence[int | None]
) -> list[Tag]:
    """Places the tags of a text in its translation.

    An element encloses the translations of its words. If the elements would then not nest as
    before, all tags keep their order and are placed in proportion to the text before them. Tags
    before the first word and after the last one stay there.

    Args:
        source: a sentence or a part of one.
        tags: its tags in order, with positions in `source`.
        target: its translation.
        links: for each word of `target`, the word of `source` that it translates; None if it
            translates something else.
    """
    if not tags:
        return []
    words, target_words = word_spans(source), word_spans(target)
    if not words or not target_words:
        return [_tag_at(tag, 0 if tag.kind != "close" else len(target)) for tag in tags]
    placed = _by_links(source, tags, target, links)
    if placed is None:
        placed = _in_proportion(words, tags, target, target_words)
    return _outside_fixed(placed, target)


def _outside_fixed(tags: Sequence[Tag], text: str) -> list[Tag]:
    """Returns tags in order, those within a fixed part before or after it."""
    fixed, found = fixed_spans(text), list[Tag]()
    for tag in tags:
        position, at = tag.position, bisect_left(fixed, (tag.position, 0)) - 1
        if at >= 0 and position < fixed[at][1]:
            position = fixed[at][tag.kind == "close"]
        found.append(_tag_at(tag, max(position, found[-1].position if found else 0)))
    return found


def _by_links(
    source: str, tags: Sequence[Tag], target: str, links: Sequence[int | None]
) -> list[Tag] | None:
    """Places elements by word links; returns None if there are unpaired tags or they do not
    nest."""
    words, target_words = word_spans(source), word_spans(target)
    elements = _elements(tags)
    if elements is None or len(elements) > _MAX_ELEMENTS:
        return None
    found = list[tuple[Span, Tag, Tag]]()
    for opening, closing in elements:
        inside = range(_word_at(words, opening.position), _word_before(words, closing.position))
        if len(inside) == len(words):
            found.append(((0, len(target_words)), opening, closing))
            continue
        linked = [place for place, link in enumerate(links) if link in inside]
        ends_in_mark = inside and not _is_word(source, words[inside[-1]])
        while linked and not ends_in_mark and not _is_word(target, target_words[linked[-1]]):
            linked.pop()
        if not linked:
            return None
        found.append(((linked[0], linked[-1] + 1), opening, closing))
    if not _nest_as_before(found):
        return None
    keyed = list[tuple[int, int, int, Tag]]()
    for order, ((low, high), opening, closing) in enumerate(found):
        first, last = target_words[low][0], target_words[high - 1][1]
        first = 0 if low == 0 else first
        last = len(target) if high == len(target_words) else last
        keyed.append((first, 1, order, _tag_at(opening, first)))
        keyed.append((last, 0, -order, _tag_at(closing, last)))
    return [tag for _, _, _, tag in sorted(keyed, key=lambda each: each[:3])]


def _is_word(text: str, span: Span) -> bool:
    return text[span[0]].isalnum()


def _elements(tags: Sequence[Tag]) -> list[tuple[Tag, Tag]] | None:
    """Returns pairs of tags, outer ones first, or None if any tag is unpaired."""
    waiting = list[tuple[int, Tag]]()
    pairs = list[tuple[int, Tag, Tag]]()
    for order, tag in enumerate(tags):
        if tag.kind == "open":
            waiting.append((order, tag))
        elif tag.kind == "close" and waiting and waiting[-1][1].name == tag.name:
            start, opening = waiting.pop()
            pairs.append((start, opening, tag))
        else:
            return None
    pairs.sort(key=lambda pair: pair[0])
    return None if waiting else [(opening, closing) for _, opening, closing in pairs]


def _nest_as_before(found: Sequence[tuple[Span, Tag, Tag]]) -> bool:
    """Tells whether the elements nest exactly as in the source."""
    for place, (one, opening, closing) in enumerate(found):
        for other, inner, _ in found[place + 1 :]:
            was_inside = opening.position <= inner.position < closing.position
            is_inside = one[0] <= other[0] and other[1] <= one[1]
            is_apart = other[1] <= one[0] or one[1] <= other[0]
            if not (is_inside if was_inside else is_apart):
                return False
    return True


def _in_proportion(
    words: Sequence[Span], tags: Sequence[Tag], target: str, target_words: Sequence[Span]
) -> list[Tag]:
    placed = list[Tag]()
    for tag in tags:
        if tag.position <= words[0][0]:
            position = 0
        elif tag.position >= words[-1][1]:
            position = len(target)
        elif tag.kind == "close":
            place = round(_word_before(words, tag.position) / len(words) * len(target_words))
            position = target_words[max(place, 1) - 1][1]
        else:
            place = round(_word_at(words, tag.position) / len(words) * len(target_words))
            position = target_words[min(place, len(target_words) - 1)][0]
        placed.append(_tag_at(tag, max(position, placed[-1].position if placed else 0)))
    return placed


def _word_at(words: Sequence[Span], position: int) -> int:
    """Returns the first word that ends after `position`."""
    return bisect_right(words, position, key=lambda word: word[1])


def _word_before(words: Sequence[Span], position: int) -> int:
    """Returns the number of words that begin before `position`."""
    return bisect_left(words, position, key=lambda word: word[0])


def _tag_at(tag: Tag, position: int) -> Tag:
    return Tag(position, tag.raw, tag.kind, tag.name)


def assemble(part: Part, chunks: Sequence[Span], translations: Sequence[Part]) -> Part:
    """Returns a part with its chunks translated and the text between them unchanged.

    Args:
        part: the source.
        chunks: spans of its text, in order, without overlap.
        translations: one for each chunk, with the tags from `tags_of_chunks`.
    """
    if not chunks:
        return part
    lead, _, tail = _outer_tags(part, chunks)
    text, tags, place = "", [*lead], 0
    for (start, end), translation in zip(chunks, translations, strict=True):
        gap = part.text[place:start]
        if text:
            gap = gap_between(text, translation.text, gap)
        text += gap
        tags += [_tag_at(tag, len(text) + tag.position) for tag in translation.tags]
        text += translation.text
        place = end
    text += part.text[place:]
    tags += [_tag_at(tag, len(text) - len(part.text) + tag.position) for tag in tail]
    return Part(text, tuple(tags))


def _outer_tags(
    part: Part, chunks: Sequence[Span]
) -> tuple[Sequence[Tag], Sequence[Tag], Sequence[Tag]]:
    """Returns the tags before the chunks with space after them, such as icons, those of the
    chunks, and those after the chunks with space before them."""
    lead, depth = 0, 0
    for count, tag in enumerate(part.tags, 1):
        if tag.position >= chunks[0][0]:
            break
        depth += {"open": 1, "close": -1, "empty": 0}[tag.kind]
        lead = count if depth == 0 else lead
    inner = part.tags[lead:]
    tail = (
        at for at, tag in enumerate(inner) if tag.position > chunks[-1][1] and tag.kind != "close"
    )
    end = next(tail, len(inner))
    return part.tags[:lead], inner[:end], inner[end:]


def tags_of_chunks(part: Part, chunks: Sequence[Span]) -> list[list[Tag]]:
    """Returns the tags of each chunk, with positions relative to its start, each tag once: a
    closing tag belongs to the text before it, any other tag to the text after it."""
    starts, ends = [start for start, _ in chunks], [end for _, end in chunks]
    found: list[list[Tag]] = [[] for _ in chunks]
    last = 0
    for tag in _outer_tags(part, chunks)[1] if chunks else ():
        if tag.kind == "close":
            at = bisect_left(starts, tag.position) - 1
        else:
            at = bisect_right(ends, tag.position)
        last = min(max(at, last), len(chunks) - 1)
        found[last].append(_tag_at(tag, tag.position - starts[last]))
    return found
