"""`python -m model reply|translate MODEL < sources > answers`: one line in, one line out.

A line of `reply` may hold several turns of a dialogue, parted by tabs, the oldest first. A line
without text gets an empty answer, so that answers stand beside their sources. Memory does not grow
with the file.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import get_args

from tqdm import tqdm

from model.config import SearchOptions, Task
from model.engine import EngineName
from model.errors import ConfigError, InputError, Seq2SeqError
from model.generator import Generator
from model.search.requests import SearchRequest

#: Lines that are read before they are sorted by length and answered.
WINDOW = 4096

#: How much a second model counts if neither the caller nor the first model says so.
RERANK_WEIGHT = 0.5


def main(arguments: list[str] | None = None) -> int:
    """Answers standard input. Returns the exit code."""
    chosen = _parse(arguments)
    try:
        generator = Generator.load(chosen.model, chosen.engine, rerank_model=chosen.rerank_model)
        if generator.config.task != chosen.task:
            task = generator.config.task
            raise ConfigError(f"{chosen.model}: this model's task is '{task}', not '{chosen.task}'")
        template = generator.template(
            _options(generator.config.search, chosen),
            blocked_words=chosen.blocked_word,
            required_words=chosen.required_word,
        )
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
        lines = (line.rstrip("\r\n") for line in sys.stdin)
        watched = tqdm(lines, unit=" lines", mininterval=1.0, disable=None)
        for answer in answer_lines(generator, watched, template, batch_size=chosen.batch_size):
            print(answer)
        sys.stdout.flush()
    except Seq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    return 0


def answer_lines(
    generator: Generator, lines: Iterable[str], template: SearchRequest, *, batch_size: int = 64
) -> Iterator[str]:
    """The best answer to each line, in the order of the lines; `""` where a line holds no text."""
    remaining = iter(lines)
    while window := list(islice(remaining, WINDOW)):
        sources: dict[int, list[str]] = {}
        for place, line in enumerate(window):
            with suppress(InputError):
                generator.tokenizer.source_ids(line.split("\t"))
                sources[place] = line.split("\t")
        found = generator.answer(list(sources.values()), template, batch_size=batch_size)
        answers = dict(zip(sources, found, strict=True))
        for place in range(len(window)):
            best = answers[place][0].tokens if place in answers else ()
            yield generator.tokenizer.target_text(best)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m model",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", choices=get_args(Task))
    parser.add_argument("model", help="a model folder")
    parser.add_argument("--engine", choices=get_args(EngineName), default="auto")
    parser.add_argument("--beam-size", type=int, help="1 is greedy search")
    parser.add_argument("--length-penalty", type=float)
    parser.add_argument("--max-tokens", type=int)
    for name, meaning in (
        ("blocked", "no answer holds it"),
        ("required", "every answer holds it, unless it is cut; needs a beam"),
    ):
        parser.add_argument(
            f"--{name}-word", action="append", default=[], help=f"{meaning}; may come again"
        )
    parser.add_argument("--rerank-model", help="a second model's folder, to re-rank a beam by")
    parser.add_argument(
        "--rerank-weight", type=float, help=f"how much it counts; {RERANK_WEIGHT} if left out"
    )
    parser.add_argument("--batch-size", type=int, default=64, help="sources in search at a time")
    return parser.parse_args(arguments)


def _options(defaults: SearchOptions, chosen: argparse.Namespace) -> SearchOptions:
    names = ("beam_size", "length_penalty", "max_tokens", "rerank_weight")
    given = {name: value for name in names if (value := getattr(chosen, name)) is not None}
    if chosen.rerank_model and not defaults.rerank_weight:
        given.setdefault("rerank_weight", RERANK_WEIGHT)
    values = {**defaults.model_dump(), "n_best": 1, **given}
    return SearchOptions.parse(values, where="options")


if __name__ == "__main__":
    sys.exit(main())
