"""Answers to the lines of a file of any size, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice, pairwise

from model.errors import InputError
from model.generator import Generator
from model.search.requests import SearchRequest
from model.text.sentences import WIDE_MARKS, sentence_spans

#: Number of lines that are read, sorted by length and answered together.
WINDOW = 4096


def answer_lines(
    generator: Generator,
    lines: Iterable[str],
    template: SearchRequest,
    *,
    batch_size: int = 64,
    window: int = WINDOW,
    truncated: list[int] | None = None,
) -> Iterator[str]:
    """Yields the answer to each line, in the order of the lines; `""` if a line has no text.

    Args:
        generator: answers.
        lines: sources.
        template: options of the search, see `Generator.template`. Tabs separate the `n_best`
            candidates.
        batch_size: number of sources in search at a time.
        window: number of lines that are read before the first of them is answered.
        truncated: receives the numbers, from 1, of lines that are too long for the model.
    """
    remaining = enumerate(lines, 1)
    while lines_read := list(islice(remaining, window)):
        sources: dict[int, list[str]] = {}
        for place, (number, line) in enumerate(lines_read):
            with suppress(InputError):
                source = generator.tokenizer.read_source(line.split("\t"))
                sources[place] = line.split("\t")
                if source.dropped_tokens and truncated is not None:
                    truncated.append(number)
        found = generator.candidates(list(sources.values()), template, batch_size=batch_size)
        answers = dict(zip(sources, found, strict=True))
        for place in range(len(lines_read)):
            yield "\t".join(each.text for each in answers.get(place, ()))


def translate_lines(
    generator: Generator,
    lines: Iterable[str],
    template: SearchRequest,
    *,
    batch_size: int = 64,
    window: int = WINDOW,
    truncated: list[int] | None = None,
) -> Iterator[str]:
    """Yields the translation of each line, as `answer_lines` does, but sentence by sentence, each
    after as many as the model reads as context. A line with tabs, which separate a sentence from
    its context, is one sentence.
    """
    turns = generator.config.text.context_turns
    language = next(iter(generator.config.languages), "")
    waiting: deque[list[str]] = deque()  # of each line, the gaps between its sentences

    def sources() -> Iterator[str]:
        for line in lines:
            spans = [] if "\t" in line else [*sentence_spans(line, language)]
            if len(spans) < 2:
                spans = [(0, len(line))]
            waiting.append([line[end:start] for (_, end), (start, _) in pairwise(spans)])
            sentences = [line[start:end] for start, end in spans]
            for place in range(len(sentences)):
                yield "\t".join(sentences[max(0, place + 1 - turns) : place + 1])

    cut: list[int] = []  # numbers of sentences
    found = answer_lines(
        generator, sources(), template, batch_size=batch_size, window=window, truncated=cut
    )
    answered = 0
    for number, text in enumerate(found, 1):
        gaps = waiting.popleft()
        for gap, further in zip(gaps, found, strict=False):
            text += gap or ("" if text.endswith(tuple(WIDE_MARKS)) else " ")
            text += further
        answered += 1 + len(gaps)
        if truncated is not None and cut and cut[0] <= answered:
            truncated.append(number)
            cut[:] = [place for place in cut if place > answered]
        yield text
