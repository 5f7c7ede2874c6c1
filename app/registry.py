"""The model that is served: loaded, warmed up, with its scheduler. One for now."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from app.limits import search_options
from app.scheduler import Hypotheses, Scheduler, Tokens
from app.settings import Settings
from model.config import ModelConfig, SearchOptions
from model.generator import Generator
from model.reranker import Reranker
from model.search.requests import SearchRequest
from model.tokenizer import EOS_ID, UNK_ID, Tokenizer


@dataclass(frozen=True)
class ServedModel:
    """A model in service.

    Attributes:
        config: its document; `config.name` is what callers know it by.
        tokenizer: text to ids and back; quick enough for the event loop.
        scheduler: the only way to its engine.
        second: a scheduler of the model that re-ranks, if there is one.
        reranker: what that one is asked.
    """

    config: ModelConfig
    tokenizer: Tokenizer
    scheduler: Scheduler
    second: Scheduler | None = None
    reranker: Reranker | None = None

    async def answer(
        self,
        request: SearchRequest,
        turns: Sequence[str],
        *,
        timeout_seconds: float,
        on_tokens: Callable[[Tokens], None] | None = None,
    ) -> Hypotheses:
        """The answer to `request`, whose source is `turns`; re-ranked if it has a `rerank_weight`.
        The rest is as in `Scheduler.submit`."""
        submit = partial(self.scheduler.submit, timeout_seconds=timeout_seconds)
        if self.second is None or self.reranker is None or not request.options.rerank_weight:
            return await submit(request, on_tokens=on_tokens)
        started = time.monotonic()
        found = await submit(self.reranker.widened(request), on_tokens=on_tokens)
        left = max(0.0, timeout_seconds - (time.monotonic() - started))
        scored = await asyncio.gather(
            *(
                self.second.submit(each, timeout_seconds=left)
                for each in self.reranker.requests(turns, found)
            )
        )
        return self.reranker.reranked(request, found, scored)

    def close(self) -> None:
        """Takes no more requests. Who still waits gets `Unavailable`."""
        for scheduler in (self.scheduler, self.second):
            if scheduler is not None:
                scheduler.close()


def load_model(settings: Settings) -> Generator:
    """Opens the model folder, and that of a second model if there is one, and lets their engines
    compile what the first callers will need.

    Raises:
        FolderError: if a folder is absent or broken.
        EngineError: if the engine cannot run here.
        ConfigError: if the second model can tell nothing of the first one's answers.
    """
    threads = settings.threads or max(1, len(os.sched_getaffinity(0)) - 1)
    generator = Generator.load(
        settings.model, settings.engine, threads=threads, rerank_model=settings.rerank_model
    )
    _warm_up(generator, settings)
    if generator.second is not None:
        _warm_up(generator.second, settings)
    return generator


def serve_model(generator: Generator, settings: Settings) -> ServedModel:
    """Starts a scheduler for a loaded model, and one for the model that re-ranks."""
    build = partial(Scheduler, max_rows=settings.max_rows)
    scheduler = build(generator.new_search, max_queue=settings.max_queue)
    second = None
    if generator.second is not None:  # asked once for each hypothesis
        most = settings.max_queue * settings.max_beam_size
        second = build(generator.second.new_search, max_queue=most)
    return ServedModel(generator.config, generator.tokenizer, scheduler, second, generator.reranker)


def _warm_up(generator: Generator, settings: Settings) -> None:
    """Searches in each of the usual ways, alone and in company, of short and of longer sources:
    engines compile by shape."""
    short, longer = (UNK_ID, EOS_ID), (UNK_ID,) * 20 + (EOS_ID,)
    for decoding in ("greedy", "beam", None):
        usual = search_options(generator.config.search, settings, decoding=decoding)
        options = SearchOptions(beam_size=usual.beam_size, max_tokens=3)
        for sources in ([short], [short, longer]):
            generator.search([SearchRequest(None, source, options) for source in sources])
