"""Parts of a text with tags between their words, and how a translation is laid out over them.

A part is what stays where it is: a paragraph, or a cue. Sentences may span several parts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from app.translation.words import Span, break_spans, is_dense, word_spans
from model.text.sentences import END_MARKS, sentence_spans

#: Characters that a break after a comma may be off the even place, compared with one elsewhere.
_COMMA_BONUS = 6
#: Elements of a sentence that are compared with each other, each with all.
_MOST_ELEMENTS = 40


@dataclass(frozen=True)
class Tag:
    """Markup at a place of a text.

    Attributes:
        position: characters before it.
        raw: as it is written.
        kind: whether it begins or ends an element, or is one by itself.
        name: of the element.
    """

    position: int
    raw: str
    kind: Literal["open", "close", "point"]
    name: str = ""


@dataclass(frozen=True)
class Part:
    """A text with tags, in their order."""

    text: str
    tags: tuple[Tag, ...] = ()

    def written(self, escape: Callable[[str], str]) -> str:
        """Returns the text with its tags as they are written, and what is between them escaped."""
        pieces, place = list[str](), 0
        for tag in self.tags:
            pieces += [escape(self.text[place : tag.position]), tag.raw]
            place = tag.position
        return "".join([*pieces, escape(self.text[place:])])


@dataclass(frozen=True)
class Chunk:
    """What one sentence has in one part.

    Attributes:
        part: its index.
        start, end: the place in the text of that part.
    """

    part: int
    start: int
    end: int


@dataclass(frozen=True)
class Sentence:
    """A sentence of one or several parts.

    Attributes:
        text: on one line.
        chunks: in the order of the text; one space is between two of them.
    """

    text: str
    chunks: tuple[Chunk, ...]


def sentences_of_parts(parts: Sequence[Part], first: int, language: str) -> list[Sentence]:
    """Returns the sentences of parts that are read as one text.

    Args:
        parts: at least one.
        first: index of the first part.
        language: of the text; empty if it is unknown.
    """
    starts, text = [], ""
    for part in parts:
        starts.append(len(text))
        text += part.text + " "
    sentences = []
    for start, end in sentence_spans(text, language):
        chunks = []
        for index, (part, offset) in enumerate(zip(parts, starts, strict=True)):
            low, high = max(start - offset, 0), min(end - offset, len(part.text))
            inner = part.text[low:high]
            if low < high and inner.strip():
                low += len(inner) - len(inner.lstrip())
                chunks.append(Chunk(first + index, low, low + len(inner.strip())))
        if chunks:
            texts = (parts[each.part - first].text[each.start : each.end] for each in chunks)
            sentences.append(Sentence(" ".join(texts), tuple(chunks)))
    return sentences


def share_out(text: str, sizes: Sequence[int]) -> list[Span]:
    """Returns which span of `text` each of several places shows, in proportion to `sizes`, cut
    where lines may break, rather after a comma. Where there are more places than words, the last
    word stays on."""
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
        best = min(left, key=lambda at: abs(breaks[at][0] - even) - _comma_bonus(text, breaks[at]))
        spans.append((begin, breaks[best][0]))
        begin, first = breaks[best][1], best + 1
    return [*spans, (begin, length)]


def _comma_bonus(text: str, place: Span) -> int:
    return _COMMA_BONUS * (text[place[0] - 1 : place[0]] in ",;:、，；：" + END_MARKS)


def place_tags(
    source: str, tags: Sequence[Tag], target: str, links: Sequence[int | None]
) -> list[Tag]:
    """Places the tags of a text in its translation.

    An element goes round the words that are translations of its words; if these do not nest as the
    elements did, all tags keep their order and go to where as much of the text is before them.
    Tags before the first word and after the last stay there.

    Args:
        source: a sentence, or a part of one.
        tags: in their order, with positions in `source`.
        target: its translation.
        links: for each word of `target` the word of `source` that it translates; None if it
            translates something else.
    """
    if not tags:
        return []
    words, target_words = word_spans(source), word_spans(target)
    if not words or not target_words:
        return [_moved(tag, 0 if tag.kind != "close" else len(target)) for tag in tags]
    placed = _by_links(source, tags, target, links)
    return placed if placed is not None else _in_proportion(words, tags, target, target_words)


def _by_links(
    source: str, tags: Sequence[Tag], target: str, links: Sequence[int | None]
) -> list[Tag] | None:
    """Places elements by links, or returns None if there are other tags, or they do not nest."""
    words, target_words = word_spans(source), word_spans(target)
    elements = _elements(tags)
    if elements is None or len(elements) > _MOST_ELEMENTS:
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
    if not _nest(found):
        return None
    keyed = list[tuple[int, int, int, Tag]]()
    for order, ((low, high), opening, closing) in enumerate(found):
        first, last = target_words[low][0], target_words[high - 1][1]
        first = 0 if low == 0 else first
        last = len(target) if high == len(target_words) else last
        keyed.append((first, 1, order, _moved(opening, first)))
        keyed.append((last, 0, -order, _moved(closing, last)))
    return [tag for _, _, _, tag in sorted(keyed, key=lambda each: each[:3])]


def _is_word(text: str, span: Span) -> bool:
    return text[span[0]].isalnum()


def _elements(tags: Sequence[Tag]) -> list[tuple[Tag, Tag]] | None:
    """Returns pairs of tags, outer ones first, or None if any tag has no partner."""
    waiting = list[tuple[int, Tag]]()
    pairs = list[tuple[int, Tag, Tag]]()
    for order, tag in enumerate(tags):
        if tag.kind == "open":
            waiting.append((order, tag))
        elif tag.kind == "close" and waiting and waiting[-1][1].name == tag.name:
            begun, opening = waiting.pop()
            pairs.append((begun, opening, tag))
        else:
            return None
    pairs.sort(key=lambda pair: pair[0])
    return None if waiting else [(opening, closing) for _, opening, closing in pairs]


def _nest(found: Sequence[tuple[Span, Tag, Tag]]) -> bool:
    """Tells whether elements lie within each other exactly where they did in the source."""
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
        placed.append(_moved(tag, max(position, placed[-1].position if placed else 0)))
    return placed


def _word_at(words: Sequence[Span], position: int) -> int:
    """Returns the first word that ends after `position`."""
    return bisect_right(words, position, key=lambda word: word[1])


def _word_before(words: Sequence[Span], position: int) -> int:
    """Returns the number of words that begin before `position`."""
    return bisect_left(words, position, key=lambda word: word[0])


def _moved(tag: Tag, position: int) -> Tag:
    return Tag(position, tag.raw, tag.kind, tag.name)


def assemble(part: Part, chunks: Sequence[Span], translations: Sequence[Part]) -> Part:
    """Returns a part with its chunks translated, and with what is between them.

    Args:
        part: the source.
        chunks: places in its text, in order, apart from each other.
        translations: one for each, with the tags that `tags_of_chunks` gives it.
    """
    if not chunks:
        return part
    text, tags, place = "", list[Tag](), 0
    for (start, end), translation in zip(chunks, translations, strict=True):
        gap = part.text[place:start]
        if text and not gap and not is_dense(text[-1:] + translation.text[:1]):
            gap = " "
        text += gap
        tags += [_moved(tag, len(text) + tag.position) for tag in translation.tags]
        text += translation.text
        place = end
    return Part(text + part.text[place:], tuple(tags))


def tags_of_chunks(part: Part, chunks: Sequence[Span]) -> list[list[Tag]]:
    """Returns the tags of each chunk, with positions from its start, each tag once: one that ends
    an element belongs to the text before it, any other to the text after it."""
    starts, ends = [start for start, _ in chunks], [end for _, end in chunks]
    found: list[list[Tag]] = [[] for _ in chunks]
    last = 0
    for tag in part.tags if chunks else ():
        if tag.kind == "close":
            at = bisect_left(starts, tag.position) - 1
        else:
            at = bisect_right(ends, tag.position)
        last = min(max(at, last), len(chunks) - 1)
        found[last].append(_moved(tag, tag.position - starts[last]))
    return found
