"""Translation of parts by a model that translates one sentence at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from app.decoding.served_model import ServedModel
from app.settings import Settings
from app.translation.concurrency import map_concurrently, run_maybe_in_thread
from app.translation.fitting import split_in_half
from app.translation.known import KnownTranslations
from app.translation.layout import Translation, concatenate, join, lay_out
from app.translation.left_out import LeftOut
from app.translation.parts import Part, Sentence, sentences_of_parts
from app.translation.protection import (
    Protected,
    is_quoted_in,
    split_protected,
    strip_end_marks,
    strip_ends,
)
from app.translation.reading import EncodedSource, SourceReader
from app.translation.searching import SentenceSearch
from app.translation.symbols import leave_out_asides, split_at_brackets, split_ends
from app.translation.words import Span, word_attention, word_spans
from model.search.requests import Hypothesis
from model.text.sentences import is_ended

#: A sentence whose translation is cut at `max_tokens` is divided, unless it is short. A translation
#: with this many times the tokens of its source repeats itself, as those of its halves would.
_MIN_DIVIDED_CHARACTERS, _REPEATING_RATIO = 16, 2
#: Longer sentences are read, divided and joined in a thread (one of 64 KB takes half a second, and
#: many may be ready at once), and longer texts are laid out in one, as are more paragraphs or cues
#: (100,000 take seconds), so as not to block the event loop.
_LONG_CHARACTERS, _LONG_TEXT_CHARACTERS, _MANY_GROUPS = 250, 2_000, 200
#: The halves of longer sentences are translated one after the other: thousands of pieces at a time
#: keep the event loop busy for seconds.
_MAX_TREE_CHARACTERS = 8_000
_PART_OF_CHARACTER = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Translated:
    """Translations of parts.

    Attributes:
        ranked: translations of all parts, in order: the best, then the alternatives. A sentence
            with too few alternatives repeats its last one.
        sentences: each sentence with its best translation.
    """

    ranked: list[list[Part]]
    sentences: list[tuple[str, Translation]]

    @property
    def best(self) -> list[Part]:
        """Returns the best translations of all parts."""
        return self.ranked[0]


@dataclass(frozen=True)
class _SentenceOptions:
    """Options for a sentence: number of alternatives, whether words need to be linked, and whether
    its translation may be that of the model's memory: with tags between words only if that has as
    many words, as it has no links."""

    alternatives: int
    needs_links: bool
    may_be_known: bool = True


class _Task(NamedTuple):
    """A sentence, those before it that the model reads as context, and options."""

    text: str
    before: tuple[str, ...]
    options: _SentenceOptions


class Translator:
    """Translates with one model.

    Args:
        model: translates sentences.
        settings: settings of the server, for its limits.
        source: language of the texts.
        retries_overload: whether a sentence is sent again if the queue is full; for files, most of
            which have more sentences than the queue holds.
        with_attention: whether translations keep the attention between their words.

    Attributes:
        searches: the searches, which count tokens.
    """

    def __init__(
        self,
        model: ServedModel,
        settings: Settings,
        *,
        source: str,
        retries_overload: bool = False,
        with_attention: bool = False,
    ) -> None:
        self._model = model
        self._known = KnownTranslations(model)
        self._reader = SourceReader(model.tokenizer, settings, model.translation_memory, source)
        self._source = source
        self.searches = SentenceSearch(model, settings, retries_overload=retries_overload)
        self._with_attention = with_attention

    async def translate(
        self,
        groups: Sequence[Sequence[Part]],
        *,
        alternatives: int = 0,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Translated:
        """Translates parts.

        Args:
            groups: parts; those of a group are one text.
            alternatives: number of additional translations.
            on_progress: called with the number of finished sentences and of all sentences.

        Raises:
            Overloaded, DeadlineExceeded, EngineError, Unavailable: as `ServedModel.answer`.
        """
        characters = sum(len(part.text) for group in groups for part in group)
        is_long = len(groups) > _MANY_GROUPS or characters > _LONG_TEXT_CHARACTERS
        parts, sentences, tasks = await run_maybe_in_thread(
            is_long, self._split, groups, alternatives
        )
        found = await self._translate_all(tasks, on_progress)

        def laid_out(rank: int) -> list[Part]:
            return lay_out(parts, sentences, _at_rank(found, rank))

        ranked = [
            await run_maybe_in_thread(is_long, laid_out, rank) for rank in range(alternatives + 1)
        ]
        best = [(each.text, own[0]) for each, own in zip(sentences, found, strict=True)]
        return Translated(ranked, best)

    def _split(
        self, groups: Sequence[Sequence[Part]], alternatives: int
    ) -> tuple[list[Part], list[Sentence], list[_Task]]:
        """Returns the parts, their sentences, and the task of each sentence."""
        parts, sentences = list[Part](), list[Sentence]()
        for group in groups:
            sentences += sentences_of_parts(group, len(parts), self._source)
            parts += group
        indices = range(len(sentences))
        tasks = [self._task(parts, sentences, index, alternatives) for index in indices]
        return parts, sentences, tasks

    def _task(
        self, parts: Sequence[Part], sentences: Sequence[Sentence], index: int, alternatives: int
    ) -> _Task:
        turns, sentence = self._model.config.text.context_turns, sentences[index]
        before = tuple(each.text for each in sentences[max(0, index + 1 - turns) : index])
        tags = [(tag, each) for each in sentence.chunks for tag in parts[each.part].tags]
        options = _SentenceOptions(
            alternatives,
            needs_links=bool(tags) or self._with_attention,
            may_be_known=not any(
                tag.kind != "empty" and chunk.start < tag.position < chunk.end
                for tag, chunk in tags
            ),
        )
        return _Task(sentence.text, before, options)

    async def _translate_all(
        self,
        tasks: Sequence[_Task],
        on_progress: Callable[[int, int], None] | None,
    ) -> list[list[Translation]]:
        """Returns the translations of each sentence. Equal tasks are done once."""
        counts = Counter(tasks)
        distinct, done = [*counts], 0

        async def translate_one(index: int) -> list[Translation]:
            nonlocal done
            task = distinct[index]
            context = await self._context(task.before)
            found = await self._translate_sentence(task.text, context, task.options)
            done += counts[task]
            if on_progress is not None:
                on_progress(done, len(tasks))
            return found

        found = await map_concurrently(translate_one, len(distinct), self.searches.max_concurrent)
        by_task = dict(zip(distinct, found, strict=True))
        return [by_task[task] for task in tasks]

    async def _context(self, before: Sequence[str]) -> list[str]:
        """Returns the sentences before one without what the model cannot read."""
        is_long = sum(map(len, before)) > _LONG_CHARACTERS
        return await run_maybe_in_thread(is_long, lambda: [*map(self._reader.context, before)])

    async def _translate_sentence(
        self, text: str, context: list[str], wanted: _SentenceOptions
    ) -> list[Translation]:
        """Returns the translations of a sentence of any length, at least one: that of the model's
        memory, if it has one, before those of the search."""
        known = self._known.of_text(text)
        is_word_for_word = known and len(word_spans(known)) == len(word_spans(text))
        if known is None or not (wanted.may_be_known or is_word_for_word):
            return await self._search_translations(text, context, wanted)
        others = list[Translation]()
        if wanted.alternatives:
            others = await self._search_translations(text, context, wanted)
        others = [each for each in others if each.text != known]
        best = Translation.unchanged(known) if is_word_for_word else Translation.unlinked(known)
        return [best, *others[: wanted.alternatives]]

    async def _search_translations(
        self, text: str, context: list[str], wanted: _SentenceOptions
    ) -> list[Translation]:
        """Returns the translations of a sentence of any length that a search finds, at least one.
        They keep its protected parts. Models write quotation marks in the style of their language,
        or lose them; then those of the source stay."""
        is_long = len(text) > _LONG_CHARACTERS
        can_read = self._model.tokenizer.can_read
        pieces = await run_maybe_in_thread(is_long, split_at_brackets, text, can_read)
        if len(pieces) > 1:
            return await self._translate_pieces(pieces, context, wanted)
        without = await run_maybe_in_thread(is_long, leave_out_asides, text)
        if without.symbols and any(map(str.isalpha, without.text)):
            return await self._translate_around_asides(without, context, wanted)

        def read() -> tuple[dict[Span, str], dict[Span, str], EncodedSource | None]:
            known, quotes = self._known.of_quotes(text) if wanted.may_be_known else ({}, {})
            return known, quotes, self._reader.encode(text, context, known)

        known, quotes, source = await run_maybe_in_thread(is_long, read)
        if source is None:
            return await self._translate_halves(text, context, wanted)
        protected = source.protected
        abbreviations = [text[slice(*span)] for span in self._reader.abbreviations(text)]
        n_best = wanted.alternatives + 1
        if abbreviations or not protected.is_plain:  # others may keep what the best one loses
            n_best = max(n_best, self.searches.beam_size)
        attends = bool(source.left_out.symbols) or (wanted.needs_links and not protected.fixed)
        readings = [source, *self._reader.other_readings(source)]
        source, hypotheses = await self.searches.likeliest(readings, n_best, attends=attends)
        if not hypotheses:
            parts = (part for part, _ in split_protected(text, (), known))
            return [Translation.unlinked("".join(parts)) if known else Translation.unchanged(text)]
        if _is_cut_short(text, source, hypotheses[0]):
            return await self._translate_halves(text, context, wanted)
        found = await self._keep_protected(source, hypotheses)
        found = [
            each
            for each in found
            if all(is_quoted_in(each.text, quote) for quote in known.values())
            and all(abbreviation in each.text for abbreviation in abbreviations)
        ]
        if not found:
            found = await self._require_protected(
                text, context, quotes, protected, n_best, attends=attends
            )
        return found[: wanted.alternatives + 1] or [await self._translate_around(text, quotes)]

    async def _require_protected(
        self,
        text: str,
        context: list[str],
        known: Mapping[Span, str],
        lost: Protected,
        n_best: int,
        *,
        attends: bool,
    ) -> list[Translation]:
        """Returns translations of a sentence that are made to keep its protected parts. Dates and
        decimal numbers, of which models lose the separators, and abbreviations get stand-ins, as
        do quotes with their marks. Stand-ins are required words only if they are lost without."""
        is_long = len(text) > _LONG_CHARACTERS
        encode = partial(self._reader.encode, text, context, known, fixes_more=True)
        source = await run_maybe_in_thread(is_long, encode)
        if source is None or not (required := self._reader.required(source.protected)):
            return []
        found = list[Translation]()
        if source.protected.text != lost.text:
            hypotheses = await self.searches.search(source, n_best, attends=attends)
            found = await self._keep_protected(source, hypotheses)
        if not found:
            hypotheses = await self.searches.search(source, n_best, required, attends=attends)
            found = await self._keep_protected(source, hypotheses)
        return found

    async def _translate_pieces(
        self, pieces: Sequence[tuple[str, bool]], context: list[str], wanted: _SentenceOptions
    ) -> list[Translation]:
        """Translates the pieces of a sentence that are not kept."""

        async def translate_one(index: int) -> list[Translation]:
            piece, is_kept = pieces[index]
            if is_kept:
                return [Translation.unchanged(piece)]
            return await self._translate_piece(piece, context, wanted)

        found = await map_concurrently(translate_one, len(pieces), self.searches.max_concurrent)
        sources = [piece for piece, _ in pieces]

        def joined() -> list[Translation]:
            return [join(sources, _at_rank(found, rank)) for rank in range(max(map(len, found)))]

        return await run_maybe_in_thread(sum(map(len, sources)) > _LONG_CHARACTERS, joined)

    async def _translate_around_asides(
        self, without: LeftOut, context: list[str], wanted: _SentenceOptions
    ) -> list[Translation]:
        """Translates a sentence without its asides, and these, which then return to it."""
        asides = [aside.strip() for _, aside in without.symbols]
        texts = [without.text, *asides]

        async def translate_one(index: int) -> list[Translation]:
            options = replace(wanted, alternatives=wanted.alternatives if index == 0 else 0)
            translate = self._translate_piece if index else self._translate_sentence
            return await translate(texts[index], context, replace(options, needs_links=True))

        found, *others = await map_concurrently(
            translate_one, len(texts), self.searches.max_concurrent
        )

        def put_back(translation: Translation) -> Translation:
            translation = without.put_back(translation)
            for aside, (translated, *_) in zip(asides, others, strict=True):
                translation = translation.replacing(aside, translated.text)
            return translation

        is_long = len(without.text) > _LONG_CHARACTERS
        return await run_maybe_in_thread(is_long, lambda: [*map(put_back, found)])

    async def _translate_piece(
        self, piece: str, context: list[str], wanted: _SentenceOptions
    ) -> list[Translation]:
        """Translates a piece of a sentence without the marks that belong to the piece before."""
        before, words, after = split_ends(piece)
        if not any(map(str.isalpha, words)):
            return [Translation.unchanged(piece)]
        found = await self._translate_sentence(words, context, wanted)
        first, last = map(Translation.unchanged, (before, after))

        def joined() -> list[Translation]:
            inner = found if is_ended(words) else [each.without_end_marks() for each in found]
            return [join([before, words, after], [first, each, last]) for each in inner]

        return await run_maybe_in_thread(len(words) > _LONG_CHARACTERS, joined)

    async def _translate_halves(
        self, text: str, context: list[str], wanted: _SentenceOptions
    ) -> list[Translation]:
        """Translates the two halves of a sentence separately."""
        is_long = len(text) > _LONG_CHARACTERS
        first, gap, second = await run_maybe_in_thread(is_long, split_in_half, text)
        halves, best = (first, second), replace(wanted, alternatives=0)

        async def translate_half(index: int) -> Translation:
            return (await self._translate_sentence(halves[index], context, best))[0]

        at_once = 1 if len(text) > _MAX_TREE_CHARACTERS else 2
        both = await map_concurrently(translate_half, 2, at_once)
        return [await run_maybe_in_thread(is_long, concatenate, halves, both, [gap, ""])]

    async def _keep_protected(
        self, source: EncodedSource, hypotheses: Sequence[Hypothesis]
    ) -> list[Translation]:
        """Returns the hypotheses that keep the protected parts of a sentence, with its symbols."""
        is_long = len(source.protected.text) > _LONG_CHARACTERS
        restore = partial(self._restore, source)
        found = await run_maybe_in_thread(is_long, lambda: [*map(restore, hypotheses)])
        return [translation for translation in found if translation is not None]

    def _restore(self, source: EncodedSource, hypothesis: Hypothesis) -> Translation | None:
        """Returns a hypothesis as the translation of a sentence; None if it has no words, has lost
        protected parts, or has a part of a character: models write rare ones byte by byte."""
        translation = self._translation(source, hypothesis)
        if not any(map(str.isalnum, translation.text)) or _PART_OF_CHARACTER in translation.text:
            return None
        left_out = source.left_out
        translation = left_out.put_back(translation.in_form_of(left_out.text))
        restored = source.protected.restore(translation.text)
        if restored is None:
            return None
        return translation if restored == translation.text else Translation.unlinked(restored)

    async def _translate_around(self, text: str, known: Mapping[Span, str]) -> Translation:
        """Translates the text around the protected parts piece by piece."""
        is_long = len(text) > _LONG_CHARACTERS

        def split() -> list[tuple[str, bool]]:
            kept = self._reader.words_to_keep(text)
            return [*split_protected(text, kept, known)]

        parts = await run_maybe_in_thread(is_long, split)

        async def translate_part(index: int) -> str:
            part, is_protected = parts[index]
            if is_protected:
                return part
            words = strip_ends(part)
            source = await run_maybe_in_thread(is_long, self._reader.encode, words, [])
            if source is None:
                return part
            attends = bool(source.left_out.symbols)
            readings = [source, *self._reader.other_readings(source)]
            source, hypotheses = await self.searches.likeliest(readings, 1, attends=attends)
            found = await self._keep_protected(source, hypotheses)
            best = found[0].text if found else words
            start = part.index(words)
            return part[:start] + strip_end_marks(best) + part[start + len(words) :]

        translated = await map_concurrently(
            translate_part, len(parts), self.searches.max_concurrent
        )
        return Translation.unlinked("".join(translated))

    def _translation(self, source: EncodedSource, hypothesis: Hypothesis) -> Translation:
        """Returns a hypothesis as the translation of a sentence with stand-ins, without symbols."""
        tokenizer, weights = self._model.tokenizer, hypothesis.attention_weights
        text = tokenizer.target_text(hypothesis.tokens)
        if weights is None:
            return Translation.unlinked(text)
        own_ids = tokenizer.source_ids(source.turns[-1])
        read = tokenizer.source_pieces(own_ids[:-1])
        own = weights[:, -len(read) - 1 : -1]  # after the context, before the end
        pieces = tokenizer.target_pieces(hypothesis.tokens)
        attention = word_attention(self._reader.stretched(source), read, text, pieces, own)
        found = Translation.from_attention(text, attention)
        return found if self._with_attention else replace(found, attention=None)


def _is_cut_short(text: str, source: EncodedSource, hypothesis: Hypothesis) -> bool:
    """Tells whether a translation lacks the end of a sentence, which is then to be divided."""
    repeats_itself = len(hypothesis.tokens) >= _REPEATING_RATIO * len(source.source_ids)
    is_short = len(text) <= _MIN_DIVIDED_CHARACTERS
    return hypothesis.finish_reason == "length" and not (is_short or repeats_itself)


def _at_rank(found: Sequence[Sequence[Translation]], rank: int) -> list[Translation]:
    """Returns of each text the translation of a rank, or the last one if it has fewer."""
    return [each[min(rank, len(each) - 1)] for each in found]
