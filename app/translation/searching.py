"""Searches for the translation of a sentence, within the limits of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.decoding.served_model import ServedModel
from app.errors import Overloaded
from app.requests import search_options
from app.settings import Settings
from app.translation.concurrency import map_concurrently
from app.translation.reading import EncodedSource
from model.blocked_words import blocked_sequences
from model.search.requests import Hypothesis, SearchRequest
from model.text.surface import is_name

#: Seconds after which a sentence of a file is sent again if the queue was full.
RETRY_SECONDS = 0.25


class SentenceSearch:
    """Searches with one model.

    Args:
        model: translates sentences.
        settings: settings of the server, for its limits.
        retries_overload: whether a sentence is sent again if the queue is full.

    Attributes:
        beam_size: beam size of the model's own search.
        max_concurrent: sentences translated at a time: half of the rows, so that other requests
            need not wait.
        prompt_tokens: number of tokens that the model has read.
        completion_tokens: number of tokens of all hypotheses.
    """

    def __init__(self, model: ServedModel, settings: Settings, *, retries_overload: bool) -> None:
        self._model = model
        self._settings = settings
        self._retries_overload = retries_overload
        self.beam_size = search_options(model.config.search, settings).beam_size
        self.max_concurrent = max(1, settings.max_rows // self.beam_size // 2)
        self._free = dict[int, asyncio.Semaphore]()
        self.prompt_tokens = self.completion_tokens = 0

    async def likeliest(
        self, sources: Sequence[EncodedSource], n_best: int, *, attends: bool
    ) -> tuple[EncodedSource, Sequence[Hypothesis]]:
        """Returns that reading of a sentence which has the likeliest translation, and its
        hypotheses; none if there is nothing to translate. The first reading is taken if its
        translation copies it as a name.

        Raises:
            Overloaded, DeadlineExceeded, EngineError, Unavailable: as `ServedModel.answer`.
        """
        found = await map_concurrently(
            lambda index: self.search(sources[index], n_best, attends=attends),
            len(sources),
            self.max_concurrent,
        )
        answered = [each for each in zip(sources, found, strict=True) if each[1]]
        if len(answered) > 1:
            text = self._model.tokenizer.target_text(answered[0][1][0].tokens)
            if is_name(answered[0][0].turns[-1], text):
                return answered[0]
        return min(answered, key=lambda each: each[1][0].rank, default=(sources[0], ()))

    async def search(
        self,
        source: EncodedSource,
        n_best: int,
        required: Sequence[list[int]] = (),
        *,
        attends: bool = False,
    ) -> Sequence[Hypothesis]:
        """Returns the hypotheses for a sentence; none if there is nothing to translate.

        Raises:
            Overloaded, DeadlineExceeded, EngineError, Unavailable: as `ServedModel.answer`.
        """
        if not source.source_ids:
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
            source.source_ids,
            options,
            blocked=blocked_sequences(tokenizer, options),
            required=required,
            with_attention=attends,
        )
        while True:
            try:
                async with self._slots_of(request):
                    found = await self._model.answer(
                        request, source.turns, timeout_seconds=settings.request_timeout_seconds
                    )
                self.prompt_tokens += len(source.source_ids)
                self.completion_tokens += sum(len(each.tokens) for each in found)
                return found
            except Overloaded:
                if not self._retries_overload:
                    raise
                await asyncio.sleep(RETRY_SECONDS)

    def _slots_of(self, request: SearchRequest) -> asyncio.Semaphore:
        """Returns the slots of requests like this one: half of the queue at most."""
        count = min(self.max_concurrent, max(1, self._model.client.capacity(request) // 2))
        return self._free.setdefault(count, asyncio.Semaphore(count))
