"""Translation of parts by a model that reads one sentence at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from app.decoding.served_model import ServedModel
from app.errors import Overloaded
from app.requests import search_options
from app.settings import Settings
from app.translation.fitting import halves
from app.translation.layout import Translation, joined, lay_out
from app.translation.parts import Part, Sentence, sentences_of_parts
from app.translation.protection import Protected, parts_of, protect, trimmed, without_end
from app.translation.words import word_attention
from model.blocked_words import blocked_sequences
from model.errors import InputError
from model.search.requests import Hypothesis, SearchRequest
from model.types import Float32

R = TypeVar("R")

#: Seconds after which a sentence of a file is sent again if too many requests wait.
RETRY_SECONDS = 0.25
#: A sentence whose translation is cut at the longest answer is divided, but not into less.
_LEAST_DIVIDED_CHARACTERS = 16
#: A longer sentence is divided in a thread (one of 64 KB takes half a second), and more paragraphs
#: or cues are laid out in one (100,000 take seconds): the event loop must not be held up.
_LONG_CHARACTERS, _MANY_GROUPS = 2_000, 200
#: Numbers and stand-ins that a search is made to write, at most: each takes a part of the beam.
_MOST_REQUIRED = 4


@dataclass(frozen=True)
class Translated:
    """Translations of parts.

    Attributes:
        ranked: translations of all parts, in order: the best, then the alternatives. An alternative
            that a sentence does not have is its last one.
        sentences: each sentence with its best translation.
    """

    ranked: list[list[Part]]
    sentences: list[tuple[str, Translation]]

    @property
    def best(self) -> list[Part]:
        """Returns the best translations of all parts."""
        return self.ranked[0]


@dataclass(frozen=True)
class _Asked:
    """What is wanted of a sentence: further translations, and which words translate which."""

    alternatives: int
    needs_links: bool


@dataclass(frozen=True)
class _Reading:
    """A text as the model reads it.

    Attributes:
        protected: the text, with what is protected in it.
        turns: it, after its context.
        source_ids: the tokens; none if there is nothing to translate.
    """

    protected: Protected
    turns: list[str]
    source_ids: list[int]


class Translator:
    """Translates by one model.

    Args:
        model: translates sentences.
        settings: limits.
        source: language of the texts.
        retries: whether a sentence is sent again if too many requests wait; for files, most of
            which have more sentences than may wait.
        with_attention: whether translations keep the attention between their words.

    Attributes:
        prompt_tokens: that the model has read.
        completion_tokens: of all hypotheses.
    """

    def __init__(
        self,
        model: ServedModel,
        settings: Settings,
        *,
        source: str,
        retries: bool = False,
        with_attention: bool = False,
    ) -> None:
        self._model = model
        self._settings = settings
        self._source = source
        self._retries = retries
        self._with_attention = with_attention
        self._beam_size = search_options(model.config.search, settings).beam_size
        #: Sentences in search at a time: half of the rows, so that others need not wait.
        self._window = max(1, settings.max_rows // self._beam_size // 2)
        self.prompt_tokens = self.completion_tokens = 0

    async def translate(
        self,
        groups: Sequence[Sequence[Part]],
        *,
        alternatives: int = 0,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Translated:
        """Translates parts.

        Args:
            groups: parts; those of a group are read as one text.
            alternatives: number of further translations.
            on_progress: called with the number of sentences that are done, and of all.

        Raises:
            Overloaded, DeadlineExceeded, EngineError, Unavailable: as `ServedModel.answer`.
        """
        is_long = len(groups) > _MANY_GROUPS
        parts, sentences = await computed(is_long, lambda: self._split(groups))
        done = 0

        async def translate_one(place: int) -> list[Translation]:
            nonlocal done
            sentence = sentences[place]
            tagged = any(parts[chunk.part].tags for chunk in sentence.chunks)
            asked = _Asked(alternatives, needs_links=tagged or self._with_attention)
            found = await self._sentence(sentence.text, self._context(sentences, place), asked)
            done += 1
            if on_progress is not None:
                on_progress(done, len(sentences))
            return found

        found = await in_window(translate_one, len(sentences), self._window)

        def laid_out(rank: int) -> list[Part]:
            chosen = [each[min(rank, len(each) - 1)] for each in found]
            return lay_out(parts, sentences, chosen)

        ranked = [
            await computed(is_long, partial(laid_out, rank)) for rank in range(alternatives + 1)
        ]
        best = [(each.text, own[0]) for each, own in zip(sentences, found, strict=True)]
        return Translated(ranked, best)

    def _split(self, groups: Sequence[Sequence[Part]]) -> tuple[list[Part], list[Sentence]]:
        parts, sentences = list[Part](), list[Sentence]()
        for group in groups:
            sentences += sentences_of_parts(group, len(parts), self._source)
            parts += group
        return parts, sentences

    def _context(self, sentences: Sequence[Sentence], place: int) -> list[str]:
        """Returns the sentences before one, as many as the model reads."""
        turns = self._model.config.text.context_turns
        return [each.text for each in sentences[max(0, place + 1 - turns) : place]]

    async def _sentence(self, text: str, context: list[str], asked: _Asked) -> list[Translation]:
        """Returns the translations of a sentence of any length, at least one. What is protected in
        it survives."""
        is_long = len(text) > _LONG_CHARACTERS
        reading = await computed(is_long, partial(self._read, text, context))
        if reading is None:
            return await self._halves(text, context, asked)
        protected = reading.protected
        n_best = asked.alternatives + 1
        if not protected.is_plain:  # where one hypothesis loses something, another may not
            n_best = max(n_best, self._beam_size)
        attends = asked.needs_links and not protected.fixed
        hypotheses = await self._search(reading, n_best, attends=attends)
        if not hypotheses:
            return [Translation.unchanged(text)]
        if hypotheses[0].finish_reason == "length" and len(text) > _LEAST_DIVIDED_CHARACTERS:
            return await self._halves(text, context, asked)
        found = self._kept(text, protected, hypotheses)
        if not found:
            if required := self._required(protected):
                hypotheses = await self._search(reading, n_best, required, attends=attends)
                found = self._kept(text, protected, hypotheses)
        return found[: asked.alternatives + 1] or [await self._around(text)]

    async def _halves(self, text: str, context: list[str], asked: _Asked) -> list[Translation]:
        """Returns the translation of a sentence, half by half."""
        is_long = len(text) > _LONG_CHARACTERS
        first, gap, second = await computed(is_long, partial(halves, text))
        best = replace(asked, alternatives=0)
        both = [(await self._sentence(each, context, best))[0] for each in (first, second)]
        return [joined([first, second], both, [gap, ""])]

    def _read(self, text: str, context: list[str]) -> _Reading | None:
        """Returns what the model reads of a text, after its context if there is room; None if the
        text is too long. One character counts as fitting."""
        protected = protect(text)
        if not protected.has_words:
            return _Reading(protected, [text], [])
        if protected.has_too_much or len(protected.text) > self._settings.max_message_characters:
            return None
        alone = [protected.text]
        for turns in ([*context, *alone], alone) if context else (alone,):
            try:
                source = self._model.tokenizer.read_source(turns)
            except InputError:  # there is nothing to read
                return _Reading(protected, turns, [])
            if not source.dropped_tokens or len(text) == 1:
                return _Reading(protected, turns, source.ids)
        return None

    def _kept(
        self, text: str, protected: Protected, hypotheses: Sequence[Hypothesis]
    ) -> list[Translation]:
        """Returns the hypotheses that keep what is protected in `text`."""
        found = list[Translation]()
        for hypothesis in hypotheses:
            translated = self._model.tokenizer.target_text(hypothesis.tokens)
            restored = protected.restored(translated) if translated.strip() else None
            weights = hypothesis.attention_weights
            if not restored:
                continue
            found.append(
                Translation.unlinked(restored)
                if weights is None
                else self._attending(text, translated, hypothesis.tokens, weights)
            )
        return found

    def _required(self, protected: Protected) -> list[list[int]]:
        """Returns the tokens that a translation must contain to keep what is protected; none if
        they are too many, or the model cannot write them."""
        needed = protected.needed
        if len(needed) > min(_MOST_REQUIRED, self._settings.max_required_words):
            return []
        try:
            return [self._model.tokenizer.constraint_ids(each, ()) for each in needed]
        except InputError:
            return []

    async def _around(self, text: str) -> Translation:
        """Translates what lies around the protected parts of a text, each by itself."""
        translated = ""
        for part, is_protected in parts_of(text):
            words = trimmed(part)
            reading = None if is_protected else self._read(words, [])
            hypotheses = await self._search(reading, 1) if reading else ()
            if not hypotheses:
                translated += part
                continue
            best = self._model.tokenizer.target_text(hypotheses[0].tokens)
            best = (reading.protected.restored(best) if reading else None) or words
            start = part.index(words)
            translated += part[:start] + without_end(best) + part[start + len(words) :]
        return Translation.unlinked(translated)

    async def _search(
        self,
        reading: _Reading,
        n_best: int,
        required: Sequence[list[int]] = (),
        *,
        attends: bool = False,
    ) -> Sequence[Hypothesis]:
        """Returns the hypotheses for a text; none if there is nothing to translate in it."""
        if not reading.source_ids:
            return ()
        tokenizer, settings = self._model.tokenizer, self._settings
        options = search_options(
            self._model.config.search,
            settings,
            decoding="beam" if required else None,
            n_best=min(n_best, settings.max_beam_size),
        )
        if sum(map(len, required)) >= options.max_tokens or (required and options.beam_size < 2):
            return ()
        request = SearchRequest(
            None,
            reading.source_ids,
            options,
            blocked=blocked_sequences(tokenizer, options),
            required=required,
            wants_attention=attends,
        )
        while True:
            try:
                found = await self._model.answer(
                    request, reading.turns, timeout_seconds=settings.request_timeout_seconds
                )
                self.prompt_tokens += len(reading.source_ids)
                self.completion_tokens += sum(len(each.tokens) for each in found)
                return found
            except Overloaded:
                if not self._retries:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    def _attending(
        self, text: str, translated: str, tokens: Sequence[int], weights: Float32
    ) -> Translation:
        tokenizer = self._model.tokenizer
        read = tokenizer.source_pieces(tokenizer.source_ids(text)[:-1])
        own = weights[:, -len(read) - 1 : -1]  # after the context, before the end
        pieces = tokenizer.target_pieces(tokens)
        attention = word_attention(text, read, translated, pieces, own)
        found = Translation.attending(translated, attention)
        return found if self._with_attention else replace(found, attention=None)


async def computed(is_long: bool, work: Callable[[], R]) -> R:
    """Returns the result of `work`, from a thread if it takes long."""
    return await asyncio.to_thread(work) if is_long else work()


async def in_window(work: Callable[[int], Awaitable[R]], count: int, window: int) -> list[R]:
    """Returns the results of `work(0)` to `work(count - 1)`, at most `window` at a time. If one
    fails, or the caller is cancelled, all end."""
    results: dict[int, R] = {}
    places = iter(range(count))

    async def run() -> None:
        for place in places:
            results[place] = await work(place)

    tasks = [asyncio.create_task(run()) for _ in range(min(window, count))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    return [results[place] for place in range(count)]
