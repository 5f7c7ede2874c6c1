"""The model that is served: loaded, warmed up, with its scheduler. One for now."""

from __future__ import annotations

import os
from dataclasses import dataclass

from app.limits import search_options
from app.scheduler import Scheduler
from app.settings import Settings
from model.config import ModelConfig, SearchOptions
from model.generator import Generator
from model.search.requests import SearchRequest
from model.tokenizer import EOS_ID, UNK_ID, Tokenizer


@dataclass(frozen=True)
class ServedModel:
    """A model in service.

    Attributes:
        config: its document; `config.name` is what callers know it by.
        tokenizer: text to ids and back; quick enough for the event loop.
        scheduler: the only way to its engine.
    """

    config: ModelConfig
    tokenizer: Tokenizer
    scheduler: Scheduler


def load_model(settings: Settings) -> Generator:
    """Opens the model folder and lets its engine compile what the first callers will need.

    Raises:
        FolderError: if the folder is absent or broken.
        EngineError: if the engine cannot run here.
    """
    threads = settings.threads or max(1, len(os.sched_getaffinity(0)) - 1)
    generator = Generator.load(settings.model, settings.engine, threads=threads)
    _warm_up(generator, settings)
    return generator


def serve_model(generator: Generator, settings: Settings) -> ServedModel:
    """Starts a scheduler for a loaded model."""
    scheduler = Scheduler(
        generator.new_search, max_rows=settings.max_rows, max_queue=settings.max_queue
    )
    return ServedModel(generator.config, generator.tokenizer, scheduler)


def _warm_up(generator: Generator, settings: Settings) -> None:
    """Searches in each of the usual ways, alone and in company: engines compile by shape."""
    for decoding in ("greedy", "beam", None):
        usual = search_options(generator.config.search, settings, decoding=decoding)
        options = SearchOptions(beam_size=usual.beam_size, max_tokens=3)
        for sources in ([(UNK_ID, EOS_ID)], [(UNK_ID, EOS_ID), (UNK_ID, UNK_ID, EOS_ID)]):
            generator.search([SearchRequest(None, source, options) for source in sources])
