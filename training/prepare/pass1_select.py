"""First pass: cleans records one by one and writes candidates, each with the hash of its group and
the keys by which the second pass finds duplicates."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from model.text.normalise import normalise
from model.tokenizer import normalise_source, normalise_target
from training.cleaning.cleaner import Cleaner, Sides, letters_of
from training.errors import CorpusError
from training.files.records import Example, Fault
from training.prepare.chunks import chunk_path, is_complete, read_stats, write_chunk
from training.prepare.inputs import Input, Piece
from training.prepare.report import Tally
from training.prepare.splits import fraction_of, place_of
from training.recipe import Recipe

CANDIDATES = pa.schema(
    {
        "source_turns": pa.list_(pa.string()),
        "target_text": pa.string(),
        "origin": pa.string(),
        "place": pa.uint64(),  # hash of the group, by which parts are drawn
        "is_published": pa.bool_(),
        "key": pa.uint64(),  # hash of source and target as the model reads them
        "pair_key": pa.uint64(),  # hash of a pair in either direction, without its tag; else 0
        "near_key": pa.uint64(),  # hash of their letters
        "talk_key": pa.uint64(),  # hash of a reply with two or more turns before it; else 0
    }
)


#: The values of a candidate, in the order of `CANDIDATES`.
_Row = tuple[Any, ...]


@dataclass
class Select:
    """Job of the first pass: writes the candidates of a piece to `folder`, unless they exist
    already. What a job loads lazily, as a language model, each process loads for itself. When
    strict, an unreadable record is an error."""

    recipe: Recipe
    inputs: list[Input]
    folder: Path
    is_strict: bool = False

    def __call__(self, piece: Piece) -> int:
        """Writes the candidates of `piece` and returns the number of records read.

        Raises:
            CorpusError: if a file cannot be read, or, when strict, a record.
        """
        path = chunk_path(self.folder, piece.number)
        if is_complete(path) and not (
            self.is_strict and "fault" in read_stats(path)["tally"]["counts"]
        ):
            return 0
        rows, tally, read = list[_Row](), Tally(), 0
        for record in piece.read(self.inputs):
            read += 1
            if isinstance(record, Fault):
                if self.is_strict:
                    raise CorpusError(f"{record.origin}: {record.reason}")
                tally.add("fault", record.origin, record.reason)
            else:
                rows += self._select(record, self.inputs[piece.input], tally)
        stats = {"input": piece.input, "tally": tally.to_json(), "rows": len(rows)}
        write_chunk(path, CANDIDATES, [_batch_of(rows)], stats)
        return read

    def _select(self, record: Example, given: Input, tally: Tally) -> Iterator[_Row]:
        """Yields the row of a record, unless it is dropped."""
        example = _swap(record, self._is_bilingual) if given.source.swap else record
        is_published = given.source.split in ("dev", "test")
        used = example.source if is_published else self._draw_context(example, given)
        turns = tuple(normalise(turn) for turn in used)
        target = normalise(example.target)
        rule: str | None
        if not turns[-1] or not target:
            rule = "empty"
        else:
            sides = Sides(turns[-1], target, used[-1], example.target)
            cleaner = self._cleaners[self.recipe.languages_of(given.source)]
            rule = None if is_published else cleaner.refusal(sides)
        if rule:
            tally.add(rule, example.origin, used[-1], example.target)
            return
        if given.source.target_tag:
            turns = (*turns[:-1], f"{given.source.target_tag} {turns[-1]}")
        place = place_of(example.group)
        keys = self._keys(example, turns, target)
        yield turns, target, example.origin, place, is_published, *keys

    def _draw_context(self, example: Example, given: Input) -> tuple[str, ...]:
        """Returns the last 1 to `context_turns` turns, a number drawn from the example's origin: a
        model must answer messages with and without a history. Conversations that were written by
        hand begin with those that need none, so they keep all turns."""
        most = self.recipe.tokenizer.context_turns
        if most > 1 and given.source.format != "conversations":
            most = 1 + int(fraction_of(example.origin, "context") * most)
        return example.source[-most:]

    def _keys(self, example: Example, turns: tuple[str, ...], target: str) -> Iterator[int]:
        rules = self.recipe.tokenizer
        source = "\n".join(normalise_source(turn, rules) for turn in turns)
        target = normalise_target(target, rules)
        key = _hash(f"{source}\t{target}")
        yield key
        sides = (example.source[-1], target) if self._is_bilingual else ()
        pair = "\t".join(sorted(normalise_source(text, rules) for text in sides))
        yield _hash(pair) if pair else 0
        letters = letters_of(source), letters_of(target)
        yield _hash("\t".join(letters)) if all(letters) else key
        is_talk = not self._is_bilingual and len(example.source) > 1
        yield _hash("\n".join((*example.source, example.target))) if is_talk else 0

    @cached_property
    def _is_bilingual(self) -> bool:
        return self.recipe.task == "translate"

    @cached_property
    def _cleaners(self) -> dict[tuple[str, ...], Cleaner]:
        return cleaners_of(self.recipe)


def cleaners_of(recipe: Recipe) -> dict[tuple[str, ...], Cleaner]:
    """Builds a cleaner for the languages of each source of `recipe`, with its rules or the default
    rules of its task.

    Raises:
        RecipeError: if a rule named in the recipe cannot be applied.
    """
    is_explicit = recipe.corpus.rules is not None
    languages = dict.fromkeys(map(recipe.languages_of, recipe.corpus.sources))
    return {each: Cleaner(recipe.rules, each, is_explicit=is_explicit) for each in languages}


def _batch_of(rows: list[_Row]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else ((),) * len(CANDIDATES)
    arrays = [pa.array(*each) for each in zip(columns, CANDIDATES.types, strict=True)]
    return pa.record_batch(arrays, schema=CANDIDATES)


def _swap(example: Example, is_bilingual: bool) -> Example:
    """Exchanges source and target. A pair whose group is its source gets the new source as its
    group; films and conversations keep theirs."""
    stands_alone = is_bilingual and example.group == example.source[-1]
    group = example.target if stands_alone else example.group
    return Example((example.target,), example.source[-1], group, example.origin)


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
