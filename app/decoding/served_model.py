"""A model in service: its tokenizer, and the clients of its workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.decoding.client import WorkerClient
from app.decoding.messages import Hypotheses, Tokens
from app.decoding.process import Launched, Worker, launch
from app.errors import DeadlineExceeded
from app.settings import Settings
from model.config import ModelConfig
from model.errors import FolderError
from model.folder import load_folder, load_questions
from model.known_questions import CheckedReply, KnownQuestions, checked_reply, withholds
from model.reranker import Reranker, kind_of_reranking
from model.search.requests import Hypothesis, SearchRequest
from model.tokenizer import Tokenizer


@dataclass(frozen=True)
class LoadedModel:
    """A model whose worker is ready.

    Attributes:
        config: its document; `config.name` is what callers call it.
        tokenizer: text to ids and back; quick enough for the event loop.
        worker: has its engine.
        new_worker: starts another and returns when it is ready.
        second: the model that re-ranks, if there is one.
        questions: that the model knows, if it has any.
    """

    config: ModelConfig
    tokenizer: Tokenizer
    worker: Worker
    new_worker: Callable[[], Worker]
    second: LoadedModel | None = None
    questions: KnownQuestions | None = None

    @property
    def reranker(self) -> Reranker | None:
        """Returns the re-ranker for the second model, or None.

        Raises:
            ConfigError: if the second model cannot score this model's answers.
        """
        if self.second is None:
            return None
        kind = kind_of_reranking(self.config, self.second.config)
        return Reranker(kind, self.tokenizer, self.second.tokenizer)

    def stop(self) -> None:
        """Stops the workers."""
        self.worker.stop()
        if self.second is not None:
            self.second.stop()


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model in service.

    Attributes:
        config: its document; `config.name` is what callers call it.
        tokenizer: text to ids and back; quick enough for the event loop.
        client: the only way to its engine.
        second: the client of the model that re-ranks, if there is one.
        reranker: makes that one's requests and ranks by its answers.
        questions: that the model knows, if it has any.
    """

    config: ModelConfig
    tokenizer: Tokenizer
    client: WorkerClient
    second: WorkerClient | None = None
    reranker: Reranker | None = None
    questions: KnownQuestions | None = None

    async def answer(
        self,
        request: SearchRequest,
        turns: Sequence[str],
        *,
        timeout_seconds: float,
        on_tokens: Callable[[Tokens], None] | None = None,
    ) -> Hypotheses:
        """Returns the answer to `request`, whose source is `turns`; re-ranked if it has a
        `rerank_weight`. `on_tokens` is not called where the reply may turn out to be the fallback.
        The rest is as in `WorkerClient.submit`."""
        if withholds(self.questions, request.options):
            on_tokens = None
        submit = partial(self.client.submit, timeout_seconds=timeout_seconds)
        if self.second is None or self.reranker is None or not request.options.rerank_weight:
            return await submit(request, on_tokens=on_tokens)
        started = time.monotonic()
        found = await submit(self.reranker.widened(request), on_tokens=on_tokens)
        left = max(0.0, timeout_seconds - (time.monotonic() - started))
        scoring = self.reranker.scoring(turns, found)
        try:
            scored = await self.second.submit(scoring, timeout_seconds=left)
        except DeadlineExceeded:
            raise DeadlineExceeded.after(timeout_seconds) from None
        return self.reranker.reranked(request, found, scored)

    async def answer_all(
        self,
        requests: Sequence[SearchRequest],
        turns: Sequence[Sequence[str]],
        *,
        timeout_seconds: float,
    ) -> list[Hypotheses]:
        """Returns the answer to each of `requests`, as `answer` does. If one fails, all do."""
        tasks = [
            asyncio.create_task(self.answer(*each, timeout_seconds=timeout_seconds))
            for each in zip(requests, turns, strict=True)
        ]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # if one fails the others are useless
                task.cancel()

    def checked(
        self, request: SearchRequest, turns: Sequence[str], hypothesis: Hypothesis
    ) -> CheckedReply:
        """Returns the text of one of the answers to `request`, or the fallback reply."""
        text = self.tokenizer.target_text(hypothesis.tokens)
        return checked_reply(self.questions, turns, text, request.options)

    @property
    def clients(self) -> list[WorkerClient]:
        """Returns the clients, all of which must be alive."""
        return [each for each in (self.client, self.second) if each is not None]

    @property
    def is_alive(self) -> bool:
        """Tells whether its workers take requests."""
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
        """Kills the workers: before the program ends without a `close`."""
        for client in self.clients:
            client.kill()

    def expect_close(self) -> None:
        """Lets no worker that hangs keep the server from stopping."""
        for client in self.clients:
            client.expect_close()

    async def close(self) -> None:
        """Closes the clients. Open requests fail with `Unavailable`."""
        await asyncio.gather(*(client.close() for client in self.clients))


def load_model(settings: Settings, launched: Launched | None = None) -> LoadedModel:
    """Loads the model folder, and that of a second model if there is one, and waits for their
    workers.

    Args:
        settings: the folders, among others.
        launched: workers that were started with these settings; None: they are started now.

    Raises:
        FolderError: if a folder is absent or broken.
        EngineError: if the engine cannot run here.
        ConfigError: if the second model cannot score the first one's answers.
    """
    launched = launched or Launched.of(settings)
    try:
        second = None
        if settings.rerank_model is not None and launched.second is not None:
            second = _loaded(settings, settings.rerank_model, launched.second)
        loaded = _loaded(settings, settings.model, launched.first, second)
        _ = loaded.reranker
    except BaseException:
        launched.stop()
        raise
    return loaded


def _loaded(
    settings: Settings, path: Path, worker: Worker, second: LoadedModel | None = None
) -> LoadedModel:
    folder = load_folder(path)

    def ready(worker: Worker) -> Worker:
        if worker.wait_until_ready() != folder.config.sha256:
            worker.stop()
            raise FolderError(f"{path}: was replaced by another model")
        return worker

    def new_worker() -> Worker:
        return ready(launch(settings, path))

    worker = ready(worker)
    questions = load_questions(folder)
    return LoadedModel(folder.config, folder.tokenizer, worker, new_worker, second, questions)


async def serve_model(loaded: LoadedModel, settings: Settings) -> ServedModel:
    """Connects to the worker of a loaded model, and to that of the model that re-ranks."""
    client = await _client(loaded, settings)
    second = None if loaded.second is None else await _client(loaded.second, settings)
    config = _with_blocked_words(loaded.config, settings)
    return ServedModel(config, loaded.tokenizer, client, second, loaded.reranker, loaded.questions)


def _with_blocked_words(config: ModelConfig, settings: Settings) -> ModelConfig:
    """Returns the model's document, whose search blocks the server's words as well."""
    words = tuple(filter(None, map(str.strip, settings.blocked_words.split(","))))
    search = config.search.model_copy(
        update={"blocked_words": (*config.search.blocked_words, *words)}
    )
    return config.model_copy(update={"search": search})


async def _client(loaded: LoadedModel, settings: Settings) -> WorkerClient:
    client = WorkerClient(
        loaded.worker,
        loaded.new_worker,
        max_rows=settings.max_rows,
        max_queue=settings.max_queue,
        step_seconds=settings.worker_timeout_seconds,
    )
    await client.open()
    return client
