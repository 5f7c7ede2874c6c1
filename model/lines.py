"""Answers to the lines of a file of any size, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice, pairwise

from model.blocked_words import has_blocked_words
from model.config import SearchOptions
from model.errors import InputError
from model.generator import Candidate, Generator
from model.search.requests import SearchRequest
from model.text.sentences import WIDE_MARKS, sentence_spans
from model.text.surface import in_form_of, readings, without_capitals

#: Number of lines that are read, sorted by length and answered together.
WINDOW = 4096


def answer_lines(
    generator: Generator,
    lines: Iterable[str],
    template: SearchRequest,
    *,
    by_sentence: bool = False,
    batch_size: int = 64,
    window: int = WINDOW,
    truncated: list[int] | None = None,
) -> Iterator[str]:
    """Yields the answer to each line, in the order of the lines; `""` if a line has no text.

    Args:
        generator: answers.
        lines: sources; tabs separate the turns of a dialogue, or a sentence from its context.
        template: options of the search, see `Generator.template`. Tabs separate the `n_best`
            candidates.
        by_sentence: whether each sentence of a line without tabs is a source, after as many as the
            model reads as context; a short one without an end mark is read in several ways, and
            one that the model's memory has needs no search. The answers have the surface form of
            the sentences, and those without letters stay as they are.
        batch_size: number of sources in search at a time.
        window: number of lines that are read before the first of them is answered.
        truncated: receives the numbers, from 1, of lines that are too long for the model.
    """
    remaining = enumerate(lines, 1)
    while lines_read := dict(islice(remaining, window)):
        spans = {
            number: _spans(generator, line) if by_sentence else [(0, len(line))]
            for number, line in lines_read.items()
        }
        known = _known(generator, lines_read, spans, template.options) if by_sentence else {}
        sources = {
            (number, start): _readings(turns) if by_sentence else [turns]
            for number, line in lines_read.items()
            for start, turns in _sources(line, spans[number], generator.config.text.context_turns)
            if (number, start) not in known
        }
        readable = _readable(generator, {key: each[0] for key, each in sources.items()}, truncated)
        asked = [(key, reading) for key in readable for reading in sources[key]]
        found = generator.candidates([turns for _, turns in asked], template, batch_size=batch_size)
        answers = _likeliest([key for key, _ in asked], found)
        for number, line in lines_read.items():
            texts = [answers.get((number, start), "") for start, _ in spans[number]]
            if by_sentence:
                texts = _in_form(line, spans[number], texts)
                texts = [
                    known.get((number, start), text)
                    for (start, _), text in zip(spans[number], texts, strict=True)
                ]
            yield _joined(line, spans[number], texts)


def _known(
    generator: Generator,
    lines: dict[int, str],
    spans: dict[int, list[tuple[int, int]]],
    options: SearchOptions,
) -> dict[tuple[int, int], str]:
    """Returns the translations of sentences that the memory has, by line and start, without those
    that have blocked words."""
    memory = generator.memory
    if memory is None:
        return {}
    return {
        (number, start): found
        for number, line in lines.items()
        for start, end in spans[number]
        if "\t" not in line
        and (found := memory.find(line[start:end])) is not None
        and not has_blocked_words(generator.tokenizer, options, found)
    }


def _readable(
    generator: Generator,
    sources: dict[tuple[int, int], list[str]],
    truncated: list[int] | None,
) -> Iterator[tuple[int, int]]:
    """Yields the keys of sources that have text; `truncated` receives the numbers of lines of which
    one is too long."""
    for (number, start), turns in sources.items():
        with suppress(InputError):
            source = generator.tokenizer.read_source(turns)
            if source.dropped_tokens and truncated is not None:
                truncated += [] if number in truncated[-1:] else [number]
            yield number, start


def _readings(turns: list[str]) -> list[list[str]]:
    """Returns the turns with each reading of the last one."""
    before = [*map(without_capitals, turns[:-1])]
    return [[*before, reading] for reading in readings(turns[-1])]


def _likeliest(
    keys: Sequence[tuple[int, int]], found: Sequence[Sequence[Candidate]]
) -> dict[tuple[int, int], str]:
    """Returns for each key the answers to that of its readings whose best answer is likeliest."""
    best = dict[tuple[int, int], Sequence[Candidate]]()
    for key, candidates in zip(keys, found, strict=True):
        if key not in best or candidates[0].score > best[key][0].score:
            best[key] = candidates
    return {key: "\t".join(each.text for each in candidates) for key, candidates in best.items()}


def _spans(generator: Generator, line: str) -> list[tuple[int, int]]:
    """Returns start and end of each sentence of a line that has letters; of the line if it has
    tabs."""
    if "\t" in line:
        return [(0, len(line))]
    spans = sentence_spans(line, next(iter(generator.config.languages), ""))
    return [span for span in spans if any(map(str.isalpha, line[slice(*span)]))]


def _sources(
    line: str, spans: list[tuple[int, int]], context_turns: int
) -> Iterator[tuple[int, list[str]]]:
    """Yields the start of each sentence with its turns."""
    if len(spans) == 1:
        yield spans[0][0], line[slice(*spans[0])].split("\t")
        return
    sentences = [line[start:end] for start, end in spans]
    for place, (start, _) in enumerate(spans):
        yield start, sentences[max(0, place + 1 - context_turns) : place + 1]


def _in_form(line: str, spans: list[tuple[int, int]], texts: list[str]) -> list[str]:
    """Returns the answers to the sentences of a line in the surface form of their last turns."""
    sentences = (line[start:end].rpartition("\t")[2] for start, end in spans)
    return [in_form_of(sentence, text) for sentence, text in zip(sentences, texts, strict=True)]


def _joined(line: str, spans: list[tuple[int, int]], texts: list[str]) -> str:
    """Joins the answers to the sentences of a line by what is before, between and after them. If
    nothing is between two, as in Chinese, that is a space, unless the answer needs none either."""
    if not spans:
        return line.strip()
    text = line[: spans[0][0]].lstrip() + texts[0]
    for ((_, end), (start, _)), further in zip(pairwise(spans), texts[1:], strict=True):
        gap = line[end:start] or ("" if text.endswith(tuple(WIDE_MARKS)) else " ")
        text += gap + further
    return text + line[spans[-1][1] :].rstrip()
