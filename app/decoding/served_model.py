"""A served model: its tokenizer and the clients of its workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.decoding.client import WorkerClient
from app.decoding.messages import Hypotheses, Tokens
from app.decoding.process import LaunchedWorkers, WorkerProcess, launch
from app.errors import DeadlineExceeded
from app.settings import Settings
from model.config import ModelConfig
from model.errors import FolderError
from model.folder import load_folder, load_memory, load_questions
from model.known_questions import CheckedReply, KnownQuestions
from model.search.requests import Hypothesis, SearchRequest
from model.tokenizer import Tokenizer
from model.translation_memory import TranslationMemory

if TYPE_CHECKING:
    from model.reranker import Reranker


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Cancels what is done within it after some time.

    Raises:
        DeadlineExceeded: if that happens.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise DeadlineExceeded.after(seconds) from None


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model in service.

    Attributes:
        config: its configuration; callers select it by `config.name`.
        tokenizer: text to ids and back; fast enough for the event loop.
        client: client of its worker, the only access to its engine.
        rerank_client: client of the model that re-ranks its answers, if any.
        reranker: builds the requests to that model and ranks by its scores.
        questions: its known questions, if any.
        translation_memory: its translation memory, if any.
    """

    config: ModelConfig
    tokenizer: Tokenizer
    client: WorkerClient
    rerank_client: WorkerClient | None = None
    reranker: Reranker | None = None
    questions: KnownQuestions | None = None
    translation_memory: TranslationMemory | None = None

    @classmethod
    def of_worker(
        cls,
        worker: WorkerProcess,
        new_worker: Callable[[], WorkerProcess],
        config: ModelConfig,
        tokenizer: Tokenizer,
        settings: Settings,
        *,
        rerank_model: ServedModel | None = None,
        questions: KnownQuestions | None = None,
        translation_memory: TranslationMemory | None = None,
    ) -> ServedModel:
        """Builds the model of a worker that is ready; `open` connects to it.

        Args:
            worker: runs the model's engine.
            new_worker: starts another worker and returns once it is ready.
            config: configuration of the model, which gets the server's blocked words too.
            rerank_model: the model that re-ranks its answers, if any.

        Raises:
            ConfigError: if `rerank_model` cannot score the answers.
        """
        rerank_client = reranker = None
        if rerank_model is not None:
            from model.reranker import Reranker, reranking_kind  # loads NumPy

            kind = reranking_kind(config, rerank_model.config)
            reranker = Reranker(kind, tokenizer, rerank_model.tokenizer)
            rerank_client = rerank_model.client
        client = WorkerClient(
            worker,
            new_worker,
            max_rows=settings.max_rows,
            max_queue=settings.max_queue,
            step_seconds=settings.worker_timeout_seconds,
        )
        return cls(
            _with_blocked_words(config, settings),
            tokenizer,
            client,
            rerank_client,
            reranker,
            questions,
            translation_memory,
        )

    async def open(self) -> None:
        """Connects to its workers."""
        await asyncio.gather(*(client.open() for client in self.clients))

    async def answer(
        self,
        request: SearchRequest,
        turns: Sequence[str],
        *,
        timeout_seconds: float,
        on_tokens: Callable[[Tokens], None] | None = None,
    ) -> Hypotheses:
        """Returns the answer to `request`, whose source is `turns`, re-ranked if it has a
        `rerank_weight`. `on_tokens` is not called if the reply may turn out to be the fallback. For
        other arguments and errors see `WorkerClient.submit`."""
        if self.questions is not None and request.options.fallback_reply:
            on_tokens = None
        submit = partial(self.client.submit, timeout_seconds=timeout_seconds)
        if self.rerank_client is None or self.reranker is None or not request.options.rerank_weight:
            return await submit(request, on_tokens=on_tokens)
        started = time.monotonic()
        found = await submit(self.reranker.widen(request), on_tokens=on_tokens)
        left = max(0.0, timeout_seconds - (time.monotonic() - started))
        scoring = self.reranker.scoring_request(turns, found)
        try:
            scored = await self.rerank_client.submit(scoring, timeout_seconds=left)
        except DeadlineExceeded:
            raise DeadlineExceeded.after(timeout_seconds) from None
        return self.reranker.rerank(request, found, scored)

    async def answer_all(
        self,
        requests: Sequence[SearchRequest],
        turns: Sequence[Sequence[str]],
        *,
        timeout_seconds: float,
    ) -> list[Hypotheses]:
        """Returns the answer to each of `requests`, as `answer` does. If one fails, all do. No more
        are submitted at a time than the queue holds."""
        slots = asyncio.Semaphore(min(map(self.client.capacity, requests)))

        async def answer_one(request: SearchRequest, own_turns: Sequence[str]) -> Hypotheses:
            async with slots:
                return await self.answer(request, own_turns, timeout_seconds=timeout_seconds)

        tasks = [
            asyncio.create_task(answer_one(*each)) for each in zip(requests, turns, strict=True)
        ]
        try:
            async with deadline(timeout_seconds):
                return await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # if one fails, the others are useless
                task.cancel()

    def checked(
        self, request: SearchRequest, turns: Sequence[str], hypothesis: Hypothesis
    ) -> CheckedReply:
        """Returns the text of an answer to `request`, or the fallback reply."""
        text = self.tokenizer.target_text(hypothesis.tokens)
        if self.questions is None:
            return CheckedReply(text)
        return self.questions.check(turns, text, request.options)

    @property
    def clients(self) -> list[WorkerClient]:
        """Returns its clients, all of which must be alive."""
        return [each for each in (self.client, self.rerank_client) if each is not None]

    @property
    def is_alive(self) -> bool:
        """Tells whether its workers accept requests."""
        return all(client.is_alive for client in self.clients)

    @property
    def is_idle(self) -> bool:
        """Tells whether no request is open."""
        return not any(client.open_requests for client in self.clients)

    @property
    def memory_bytes(self) -> int:
        """Returns the memory of its workers."""
        return sum(client.memory_bytes for client in self.clients)

    def kill(self) -> None:
        """Kills the workers, if the program ends without `close`."""
        for client in self.clients:
            client.kill()

    def expect_close(self) -> None:
        """Prevents a hanging worker from keeping the server from stopping."""
        for client in self.clients:
            client.expect_close()

    async def close(self) -> None:
        """Closes the clients. Open requests fail with `Unavailable`."""
        await asyncio.gather(*(client.close() for client in self.clients))


def load_model(settings: Settings, launched: LaunchedWorkers | None = None) -> ServedModel:
    """Loads the default model and the re-ranking model, if any, and waits for their workers.

    Args:
        settings: the settings of the server.
        launched: workers that were started with these settings; None: starts them.

    Raises:
        FolderError: if a folder is absent or broken.
        EngineError: if the engine cannot run here.
        ConfigError: if the second model cannot score the first one's answers.
    """
    launched = launched or LaunchedWorkers.launch(settings)
    try:
        rerank_model = None
        if settings.rerank_model is not None and launched.reranker is not None:
            rerank_model = _await_worker(settings, settings.rerank_model, launched.reranker)
        return _await_worker(settings, settings.model, launched.default, rerank_model)
    except BaseException:
        launched.stop()
        raise


def _await_worker(
    settings: Settings, path: Path, worker: WorkerProcess, rerank_model: ServedModel | None = None
) -> ServedModel:
    folder = load_folder(path)
    tokenizer = folder.tokenizer  # loaded while the worker loads its graphs

    def ready(worker: WorkerProcess) -> WorkerProcess:
        if worker.wait_until_ready() != folder.config.sha256:
            worker.stop()
            raise FolderError(f"{path}: was replaced by another model")
        return worker

    return ServedModel.of_worker(
        ready(worker),
        lambda: ready(launch(settings, path)),
        folder.config,
        tokenizer,
        settings,
        rerank_model=rerank_model,
        questions=load_questions(folder),
        translation_memory=load_memory(folder),
    )


def _with_blocked_words(config: ModelConfig, settings: Settings) -> ModelConfig:
    """Returns the model's configuration, in which the search also blocks the server's words."""
    words = tuple(filter(None, map(str.strip, settings.blocked_words.split(","))))
    search = config.search.model_copy(
        update={"blocked_words": (*config.search.blocked_words, *words)}
    )
    return config.model_copy(update={"search": search})
