"""A translation server round CTranslate2, as its users write it: FastAPI, one process, requests
gathered for at most 5 ms into batches of at most 32, `translate_batch` in a thread.

    python -m benchmarks.ctranslate2_server MODEL SENTENCEPIECE PORT BEAM_SIZE [TOKENS]
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import ctranslate2
import sentencepiece
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

MOST_TOGETHER, GATHER_SECONDS = 32, 0.005
#: As the recipes of our models have it.
MAX_TOKENS = 64


class Request(BaseModel):
    """A request as LibreTranslate has it."""

    q: str
    source: str
    target: str


class Answer(BaseModel):
    """Its answer."""

    translatedText: str


Item = tuple[list[str], asyncio.Future[list[str]]]


class Batcher:
    """Translates requests together.

    Args:
        translator: of CTranslate2.
        options: of `translate_batch`.
    """

    def __init__(self, translator: ctranslate2.Translator, options: dict[str, int]) -> None:
        self._translator = translator
        self._options = options
        self._queue: asyncio.Queue[Item] = asyncio.Queue()

    async def translate(self, pieces: list[str]) -> list[str]:
        """Returns the pieces of a translation."""
        done: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        await self._queue.put((pieces, done))
        return await done

    async def run(self) -> None:
        """Translates batches for ever."""
        while True:
            batch = await self._gathered()
            found = await asyncio.to_thread(self._translated, [pieces for pieces, _ in batch])
            for (_, done), pieces in zip(batch, found, strict=True):
                if not done.cancelled():
                    done.set_result(pieces)

    async def _gathered(self) -> list[Item]:
        batch = [await self._queue.get()]
        end = asyncio.get_running_loop().time() + GATHER_SECONDS
        while len(batch) < MOST_TOGETHER:
            left = end - asyncio.get_running_loop().time()
            try:
                batch.append(await asyncio.wait_for(self._queue.get(), max(left, 0.0)))
            except TimeoutError:
                break
        return batch

    def _translated(self, batch: list[list[str]]) -> list[list[str]]:
        found = self._translator.translate_batch(batch, **self._options)
        return [each.hypotheses[0] for each in found]


def main() -> None:
    model, pieces, port, beam_size, *tokens = sys.argv[1:]
    options = {"beam_size": int(beam_size), "max_decoding_length": MAX_TOKENS}
    if tokens:  # of each translation, whatever the model says
        options |= {"max_decoding_length": int(tokens[0]), "min_decoding_length": int(tokens[0])}
    processor = sentencepiece.SentencePieceProcessor(model_file=pieces)
    translator = ctranslate2.Translator(
        model, device="cpu", compute_type="int8", intra_threads=max(1, (os.cpu_count() or 1) - 1)
    )
    batcher = Batcher(translator, options)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(batcher.run())
        yield
        task.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.post("/translate")
    async def translate(request: Request) -> Answer:
        found = await batcher.translate(processor.encode(request.q, out_type=str, add_eos=True))
        return Answer(translatedText=processor.decode(found))

    @app.get("/health/ready")
    async def ready() -> dict[str, str]:
        return {"status": "ok"}

    uvicorn.run(app, port=int(port), access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
