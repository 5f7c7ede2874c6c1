"""Answers to the lines of a file of any size, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise

from model.blocked_words import has_blocked_words
from model.config import SearchOptions
from model.errors import InputError
from model.generator import Candidate, Generator
from model.search.requests import SearchRequest
from model.text.sentences import WIDE_MARKS, sentence_spans
from model.text.surface import in_form_of, is_name, readings, without_capitals

#: Number of lines that are read, sorted by length and answered together.
WINDOW = 4096


@dataclass(frozen=True, eq=False)
class _Sentence:
    """A sentence of a line.

    Attributes:
        line: number of the line, from 1.
        start, end: its place in the line.
        text: the sentence; a line with tabs is a single one.
        turns: the sentences before it that the model reads as context, and the sentence.
    """

    line: int
    start: int
    end: int
    text: str
    turns: Sequence[str]

    @property
    def readings(self) -> list[list[str]]:
        """Returns its turns with each reading of the last one."""
        before = [*map(without_capitals, self.turns[:-1])]
        return [[*before, reading] for reading in readings(self.turns[-1])]


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
        lines: sources; tabs separate the turns of a dialogue, or a sentence from its context.
        template: options of the search, see `Generator.template`. Tabs separate the `n_best`
            candidates.
        batch_size: number of sources in search at a time.
        window: number of lines that are read before the first of them is answered.
        truncated: receives the numbers, from 1, of lines that are too long for the model.
    """
    remaining = enumerate(lines, 1)
    while read := dict(islice(remaining, window)):
        sources = {number: line.split("\t") for number, line in read.items()}
        asked = [
            number
            for number, turns in sources.items()
            if _is_readable(generator, turns, number, truncated)
        ]
        found = generator.candidates(
            [sources[number] for number in asked], template, batch_size=batch_size
        )
        texts = ("\t".join(each.text for each in candidates) for candidates in found)
        answers = dict(zip(asked, texts, strict=True))
        yield from (answers.get(number, "") for number in read)


def translate_lines(
    generator: Generator,
    lines: Iterable[str],
    template: SearchRequest,
    *,
    batch_size: int = 64,
    window: int = WINDOW,
    truncated: list[int] | None = None,
) -> Iterator[str]:
    """Yields the translation of each line, sentence by sentence, in the order of the lines.

    Each sentence is a source, after as many as the model reads as context; tabs separate a sentence
    from its context. A short one without an end mark is read in several ways, and one that the
    model's memory has needs no search. Translations have the surface form of the sentences, and
    those without letters stay as they are. For arguments see `answer_lines`.
    """
    remaining = enumerate(lines, 1)
    while read := dict(islice(remaining, window)):
        sentences = {number: _sentences(generator, number, line) for number, line in read.items()}
        every = [*chain.from_iterable(sentences.values())]
        known = _known(generator, every, template.options)
        asked = [
            (sentence, reading)
            for sentence in every
            if sentence not in known
            and _is_readable(generator, sentence.readings[0], sentence.line, truncated)
            for reading in sentence.readings
        ]
        found = generator.candidates([turns for _, turns in asked], template, batch_size=batch_size)
        best = dict[_Sentence, Candidate]()
        for (sentence, _), (candidate, *_) in zip(asked, found, strict=True):
            before = best.get(sentence)
            if before is None or (
                candidate.score > before.score and not is_name(sentence.text, before.text)
            ):
                best[sentence] = candidate
        translated = {
            sentence: in_form_of(sentence.turns[-1], candidate.text)
            for sentence, candidate in best.items()
        }
        for number, line in read.items():
            yield _joined(line, sentences[number], {**translated, **known})


def _is_readable(
    generator: Generator, turns: Sequence[str], number: int, truncated: list[int] | None
) -> bool:
    """Tells whether a source has text; `truncated` receives the number of its line if it is too
    long."""
    try:
        source = generator.tokenizer.read_source(turns)
    except InputError:
        return False
    if source.dropped_tokens and truncated is not None and number not in truncated[-1:]:
        truncated.append(number)
    return True


def _sentences(generator: Generator, number: int, line: str) -> list[_Sentence]:
    """Returns the sentences of a line that have letters; the line itself if it has tabs."""
    if "\t" in line:
        return [_Sentence(number, 0, len(line), line, line.split("\t"))]
    found = sentence_spans(line, next(iter(generator.config.languages), ""))
    spans = [span for span in found if any(map(str.isalpha, line[slice(*span)]))]
    texts = [line[start:end] for start, end in spans]
    context_turns = generator.config.text.context_turns
    return [
        _Sentence(number, *span, texts[place], texts[max(0, place + 1 - context_turns) : place + 1])
        for place, span in enumerate(spans)
    ]


def _known(
    generator: Generator, sentences: Iterable[_Sentence], options: SearchOptions
) -> dict[_Sentence, str]:
    """Returns the translations of sentences that the memory has, without those that have blocked
    words."""
    memory = generator.translation_memory
    if memory is None:
        return {}
    return {
        sentence: found
        for sentence in sentences
        if "\t" not in sentence.text
        and (found := memory.find(sentence.text)) is not None
        and not has_blocked_words(generator.tokenizer, options, found)
    }


def _joined(
    line: str, sentences: Sequence[_Sentence], translations: Mapping[_Sentence, str]
) -> str:
    """Joins the translations of a line's sentences by what is before, between and after them. If
    nothing is between two, as in Chinese, that is a space, unless the translation needs none
    either."""
    if not sentences:
        return line.strip()
    texts = [translations.get(each, "") for each in sentences]
    text = line[: sentences[0].start].lstrip() + texts[0]
    for (former, latter), further in zip(pairwise(sentences), texts[1:], strict=True):
        gap = line[former.end : latter.start] or ("" if text.endswith(tuple(WIDE_MARKS)) else " ")
        text += gap + further
    return text + line[sentences[-1].end :].rstrip()
