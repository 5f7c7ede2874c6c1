"""Layout of translated sentences over the parts of their sources. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.translation.parts import (
    Part,
    Sentence,
    assemble,
    place_tags,
    split_in_proportion,
    tags_of_chunks,
)
from app.translation.protection import strip_end_marks
from app.translation.words import Span, gap_between, word_spans
from model.text.surface import in_form_of

Attention = list[list[float]]


@dataclass(frozen=True)
class Translation:
    """A translated sentence.

    Attributes:
        text: the translation.
        links: for each word of `text`, the word of the sentence that it translates; None if that is
            unknown.
        attention: for each word of `text`, its attention to each word of the sentence; None if that
            is unknown.
    """

    text: str
    links: tuple[int | None, ...]
    attention: Attention | None = None

    @classmethod
    def from_attention(cls, text: str, attention: Attention) -> Translation:
        """Builds a translation whose words are linked to those that they attend to most."""
        links = (max(range(len(row)), key=row.__getitem__, default=None) for row in attention)
        return cls(text, tuple(links), attention)

    @classmethod
    def unlinked(cls, text: str) -> Translation:
        """Builds a translation without word links."""
        return cls(text, (None,) * len(word_spans(text)))

    @classmethod
    def unchanged(cls, text: str) -> Translation:
        """Builds the translation of a sentence that is not changed."""
        return cls(text, tuple(range(len(word_spans(text)))))

    def without_end_marks(self) -> Translation:
        """Returns the translation without end-of-sentence marks."""
        return self._with_text(strip_end_marks(self.text))

    def in_form_of(self, source: str) -> Translation:
        """Returns the translation in the surface form of its source, see `model.text.surface`."""
        return self._with_text(in_form_of(source, self.text))

    def replacing(self, old: str, new: str) -> Translation:
        """Returns the translation with `new` in place of the words `old`, which it contains, but of
        no part of a word."""
        within_word = r"(?<=[^\W_])[^\W_]"
        at = next(re.finditer(rf"{re.escape(old)}(?!{within_word})", self.text)).start()
        first = sum(start < at for start, _ in word_spans(self.text))
        links = [self.links[first]] * len(word_spans(new))
        rest = self.links[first + len(word_spans(old)) :]
        text = self.text[:at] + new + self.text[at + len(old) :]
        return Translation(text, (*self.links[:first], *links, *rest))

    def _with_text(self, text: str) -> Translation:
        """Returns the translation with another form of its words, and more or fewer marks at its
        end."""
        words = len(word_spans(text))
        added = max(0, words - len(self.links))
        links = (*self.links[:words], *[None] * added)
        rows = self.attention
        if rows:
            rows = [*rows[:words], *[[0.0] * len(rows[0])] * added]
        return Translation(text, links, rows)


def concatenate(
    sources: Sequence[str], translations: Sequence[Translation], gaps: Sequence[str]
) -> Translation:
    """Concatenates the translations of the pieces of a sentence.

    Args:
        sources: the pieces.
        translations: one for each piece.
        gaps: white space after each piece.
    """
    text, links, words, gap_before = "", list[int | None](), 0, ""
    for source, translation, gap in zip(sources, translations, gaps, strict=True):
        if text and translation.text:
            text += gap_between(text, translation.text, gap_before)
        text += translation.text
        gap_before = gap
        links += [None if link is None else link + words for link in translation.links]
        words += len(word_spans(source))
    return Translation(text, tuple(links))


def join(sources: Sequence[str], translations: Sequence[Translation]) -> Translation:
    """Joins the translations of the pieces of a sentence, which include the space between them."""
    links, words = list[int | None](), 0
    for source, translation in zip(sources, translations, strict=True):
        links += [None if link is None else link + words for link in translation.links]
        words += len(word_spans(source))
    return Translation("".join(each.text for each in translations), tuple(links))


def lay_out(
    parts: Sequence[Part], sentences: Sequence[Sentence], translations: Sequence[Translation]
) -> list[Part]:
    """Returns the translations of `parts`.

    Args:
        parts: parts of one or several texts.
        sentences: their sentences, in order.
        translations: one for each sentence.
    """
    chunks: list[list[Span]] = [[] for _ in parts]
    for sentence in sentences:
        for chunk in sentence.chunks:
            chunks[chunk.part].append((chunk.start, chunk.end))
    tags = [iter(tags_of_chunks(*each)) for each in zip(parts, chunks, strict=True)]
    translated: list[list[Part]] = [[] for _ in parts]
    for sentence, translation in zip(sentences, translations, strict=True):
        sizes = [chunk.end - chunk.start for chunk in sentence.chunks]
        words, spans = 0, word_spans(translation.text)
        shares = split_in_proportion(translation.text, sizes)
        for chunk, (begin, end) in zip(sentence.chunks, shares, strict=True):
            source = parts[chunk.part].text[chunk.start : chunk.end]
            own = range(words, words + len(word_spans(source)))
            words = own.stop
            links = [
                link - own.start if link is not None and link in own else None
                for (start, _), link in zip(spans, translation.links, strict=False)
                if begin <= start < end
            ]
            text = translation.text[begin:end]
            placed = place_tags(source, next(tags[chunk.part]), text, links)
            translated[chunk.part].append(Part(text, tuple(placed)))
    return [assemble(*each) for each in zip(parts, chunks, translated, strict=True)]
