"""Test sets, a model's answers to them, and the files that store both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.config import SearchOptions
from model.generator import Generator
from model.text.normalise import normalise
from model.tokenizer import normalise_target
from training.errors import CorpusError
from training.files.archives import plain_name
from training.files.paths import read_lines, writing
from training.files.records import Example
from training.prepare.shards import Shard, evenly_spaced
from training.prepare.sources import NOT_UTF8
from training.prepare.splits import SPLITS
from training.readers.pairs import read_bitext

FOLDER = "evaluation"
SUFFIX = ".txt"
_SEARCH = re.compile(r"greedy|sampling|beam\d+")


@dataclass(frozen=True)
class TestSet:
    """Sources with their references.

    Attributes:
        name: name of its files.
        sources: turns of each source, oldest first.
        references: as the model's tokenizer would write them.
    """

    __test__ = False  # no class of tests

    name: str
    sources: tuple[tuple[str, ...], ...]
    references: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """Answers to a test set by one search.

    Attributes:
        search: `greedy`, `beam K` or `sampling`.
        texts: one answer for each source.
    """

    search: str
    texts: tuple[str, ...]


def examples_of(shard: Shard, part: str, generator: Generator, most: int) -> TestSet:
    """Returns at most `most` examples of a split, evenly spaced."""
    chosen = evenly_spaced(len(shard), most).tolist()
    rules = generator.config.text
    return TestSet(
        part,
        tuple(tuple(shard.source_turns(i)) for i in chosen),
        tuple(normalise_target(shard.target_text(i), rules) for i in chosen),
    )


def read_test_set(source: Path, target: Path, generator: Generator) -> TestSet:
    """Reads two line-aligned files. Tabs separate the turns of a dialogue.

    Raises:
        CorpusError: if one cannot be read, is empty or not UTF-8, or they differ in length.
    """
    pairs = [each for each in read_bitext(source, target) if isinstance(each, Example)]
    if not pairs:
        raise CorpusError(f"{source}: is empty.")
    for number, pair in enumerate(pairs, start=1):
        for path, line in ((source, pair.source[0]), (target, pair.target)):
            if "\ufffd" in line:
                raise CorpusError(f"{path}:{number}: {NOT_UTF8}")
    name = plain_name(source).rpartition(".")[0] or source.name
    if name in SPLITS:  # whose answers they would replace
        name = f"{name}-files"
    rules, is_reply = generator.config.text, generator.config.task == "reply"
    return TestSet(
        name,
        tuple(tuple(pair.source[0].split("\t")) if is_reply else pair.source for pair in pairs),
        tuple(normalise_target(pair.target, rules) for pair in pairs),
    )


def searches_of(own: SearchOptions) -> list[SearchOptions]:
    """Returns greedy search, and the recipe's search unless it is the same; without re-ranking. A
    search that samples gets a seed, so that its scores can be repeated."""
    own = own.model_copy(update={"n_best": 1, "rerank_weight": 0.0, "seed": own.seed or 0})
    greedy = own.greedy()
    return [greedy] if own == greedy else [greedy, own]


def answer(
    generator: Generator, sources: Sequence[Sequence[str]], options: SearchOptions
) -> Answers:
    """Answers each source with one search; a source without text gets an empty answer."""
    answerable = [i for i, turns in enumerate(sources) if normalise(turns[-1])]
    found = generator.generate([sources[i] for i in answerable], options)
    texts = [""] * len(sources)
    for i, candidates in zip(answerable, found, strict=True):
        texts[i] = candidates[0].text
    name = "greedy" if options.beam_size == 1 else f"beam{options.beam_size}"
    return Answers("sampling" if options.temperature else name, tuple(texts))


def rows_of(test: TestSet, answered: Sequence[Answers], most: int) -> list[tuple[str, ...]]:
    """Returns source, reference and answers of at most `most` examples, evenly spaced."""
    return [
        (" / ".join(test.sources[i]), test.references[i], *(each.texts[i] for each in answered))
        for i in evenly_spaced(len(test.sources), most).tolist()
    ]


def write_answers(output: Path, test: TestSet, answered: Sequence[Answers]) -> None:
    """Writes sources, references and answers to `output/evaluation`, one per line. Answers of
    earlier searches are deleted: another model may have given them.

    Raises:
        CorpusError: if they cannot be written.
    """
    texts = {
        "source": ["\t".join(turns) for turns in test.sources],
        "reference": test.references,
        **{each.search: each.texts for each in answered},
    }
    folder = output / FOLDER
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for _, path in _answer_files(folder, test):
            path.unlink()
        for name, lines in texts.items():
            content = "".join(f"{' '.join(line.splitlines())}\n" for line in lines)
            (folder / f"{test.name}.{name}{SUFFIX}").write_text(content, encoding="utf-8")


def read_answers(output: Path, test: TestSet) -> list[Answers]:
    """Reads the answers of another run to a test set.

    Raises:
        CorpusError: if it has none, or answered another test set.
    """
    folder = output / FOLDER
    found = [Answers(search, _lines_in(path)) for search, path in _answer_files(folder, test)]
    references = folder / f"{test.name}.reference{SUFFIX}"
    if not (found and references.is_file()):
        raise CorpusError(f"{folder}: has no answers to {test.name}. Run `evaluate` there first.")
    if _lines_in(references) != test.references:
        raise CorpusError(f"{folder}: its {test.name} has other references than this one.")
    return found


def _answer_files(folder: Path, test: TestSet) -> Iterator[tuple[str, Path]]:
    """Yields the searches that answered a test set, with their files."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        name, _, search = path.stem.rpartition(".")
        if name == test.name and _SEARCH.fullmatch(search):
            yield search, path


def _lines_in(path: Path) -> tuple[str, ...]:
    return tuple(line for _, line in read_lines(path))
