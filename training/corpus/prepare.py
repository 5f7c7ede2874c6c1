"""`prepare`: files -> examples -> splits -> tokenizers -> shards, with a report of what was left.

<output>/data/
  train.arrow dev.arrow test.arrow     see shards.py
  source.spm [target.spm]              tokenizers, trained on the training part only
  report.json                          counts by source, by rule, faults with their place
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from model.errors import InputError, TokenizerError
from model.folder import SOURCE_TOKENIZER_FILE, TARGET_TOKENIZER_FILE
from model.tokenizer import Tokenizer, normalise_source, normalise_target
from training.corpus.cleaning import Cleaner
from training.corpus.files import find_files
from training.corpus.packed import stat_of
from training.corpus.readers import read_source, suffixes_of, wanted_files
from training.corpus.records import Example, Fault
from training.corpus.report import SourceReport, summarise
from training.corpus.shards import Row, Shard, write_shard
from training.corpus.splits import SPLITS, Split, fraction_of, split_of
from training.errors import CorpusError
from training.recipe import Recipe, SourceConfig, data_folder, start_of
from training.vocabulary import train_tokenizer

REPORT_FILE = "report.json"
UNLIMITED = 1_000_000

#: Where examples of a source may fall, by its `split`.
POSSIBLE_PARTS: dict[str, tuple[Split, ...]] = {
    "auto": SPLITS,
    "train": ("train", "dev"),
    "dev": ("dev",),
    "test": ("test",),
}


@dataclass(frozen=True)
class PreparedCorpus:
    """What `fit` and `evaluate` read.

    Attributes:
        path: the folder.
        tokenizer: made of `tokenizer_files` (file name -> contents).
        train, dev, test: its parts; test may be empty.
        fingerprint: sha256 over parts and tokenizers.
        report: counts, for people.
    """

    path: Path
    tokenizer: Tokenizer
    tokenizer_files: dict[str, bytes]
    train: Shard
    dev: Shard
    test: Shard
    fingerprint: str
    report: dict[str, Any]


@dataclass(frozen=True)
class _Input:
    """A source of the recipe and the files that it means, below `root`."""

    source: SourceConfig
    root: Path
    files: list[Path]
    targets: list[Path]

    @property
    def counted_with(self) -> Split:
        """The part in whose pass its faults are counted: each source is read several times."""
        return POSSIBLE_PARTS[self.source.split][0]


def prepare(recipe: Recipe, recipe_path: Path) -> PreparedCorpus:
    """Makes the data that `recipe` describes, unless it is there already.

    Args:
        recipe: what to read and how.
        recipe_path: its file; paths in it are looked up beside it first.

    Raises:
        CorpusError: if a file is missing or broken, or a part comes out empty.
    """
    inputs = [_find(source, recipe_path) for source in recipe.corpus.sources]
    made_from = _describe_inputs(recipe, inputs)
    path = Path(recipe.output) / "data"
    if _made_from(path) == made_from:
        with suppress(CorpusError, TokenizerError):  # broken: made again
            return open_prepared(recipe)
    partial = path.with_name("data.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    start = start_of(recipe)
    tokenizer_files = (
        {name: (start.path / name).read_bytes() for name in _tokenizer_names(recipe)}
        if start
        else _train_tokenizers(recipe, inputs)
    )
    for name, content in tokenizer_files.items():
        (partial / name).write_bytes(content)
    reports = _write_parts(recipe, inputs, tokenizer_files, partial)
    parts = {part: Shard(partial / f"{part}.arrow") for part in SPLITS}
    report = {
        "made_from": made_from,
        "fingerprint": _fingerprint(partial),
        **summarise(reports, parts),
    }
    for part in ("train", "dev"):
        if not report["kept"][part]:
            raise CorpusError(f"{recipe_path}: nothing is left for {part}. {_reasons(report)}")
    (partial / REPORT_FILE).write_text(json.dumps(report, indent=2))
    shutil.rmtree(path, ignore_errors=True)
    partial.rename(path)
    return open_prepared(recipe)


def open_prepared(recipe: Recipe) -> PreparedCorpus:
    """Opens what `prepare` made.

    Raises:
        CorpusError: if it is not there, not whole, or made for another corpus or tokenizer.
    """
    path = Path(recipe.output) / "data"
    try:
        report = json.loads((path / REPORT_FILE).read_text())
        fingerprint, made_from = report["fingerprint"], report["made_from"]
        tokenizer_files = {name: (path / name).read_bytes() for name in _tokenizer_names(recipe)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{path}: not prepared ({error}). Run `prepare` first.") from None
    changed = [key for key, value in _describe(recipe).items() if made_from.get(key) != value]
    if changed:
        raise CorpusError(
            f"{path}: was made before the recipe's {' and '.join(changed)} changed. "
            "Run `prepare` again."
        )
    return PreparedCorpus(
        path=path,
        tokenizer=Tokenizer(recipe.tokenizer, *tokenizer_files.values()),
        tokenizer_files=tokenizer_files,
        **{part: Shard(path / f"{part}.arrow") for part in SPLITS},
        fingerprint=fingerprint,
        report=report,
    )


def _find(source: SourceConfig, recipe_path: Path) -> _Input:
    roots = [recipe_path.parent.resolve(), data_folder().resolve()]
    root, files = find_files(source.path, roots)
    wanted = suffixes_of(source)
    files = wanted_files(files, wanted)
    if not files:
        raise CorpusError(f"{root / source.path}: holds no file that ends in {' or '.join(wanted)}")
    targets = find_files(source.target_path, roots)[1] if source.target_path else []
    if targets and len(targets) != len(files):
        raise CorpusError(
            f"{source.path} has {len(files)} files, but {source.target_path} {len(targets)}"
        )
    return _Input(source, root, files, targets)


def _describe(recipe: Recipe) -> dict[str, Any]:
    """The part of a recipe that the data depends on."""
    return {
        "corpus": recipe.corpus.model_dump(mode="json"),
        "tokenizer": recipe.tokenizer.model_dump(mode="json"),
        "start_from": recipe.start_from,
    }


def _describe_inputs(recipe: Recipe, inputs: list[_Input]) -> dict[str, Any]:
    """All that the data depends on: the recipe's part in it, and each file's place, size, time."""
    files = [file for each in inputs for file in (*each.files, *each.targets)]
    start = Path(recipe.start_from)
    files += [start / name for name in _tokenizer_names(recipe)] if recipe.start_from else []
    stats = ((file, stat_of(file)) for file in files)
    stamps = [[str(file), stat.st_size, stat.st_mtime_ns] for file, stat in stats]
    return {**_describe(recipe), "files": stamps}


def _made_from(path: Path) -> Any:
    try:
        return json.loads((path / REPORT_FILE).read_text())["made_from"]
    except (OSError, ValueError, KeyError):
        return None


def _read_part(recipe: Recipe, each: _Input, wanted: Split) -> Iterator[Example | Fault]:
    """Examples of one source that belong to `wanted`, and its faults."""
    source, corpus = each.source, recipe.corpus
    if wanted not in POSSIBLE_PARTS[source.split]:
        return
    explicit = {other.split for other in corpus.sources}
    dev = 0.0 if "dev" in explicit else corpus.dev_fraction
    test = 0.0 if "test" in explicit or source.split == "train" else corpus.test_fraction
    for record in read_source(source, each.root, each.files, each.targets):
        if isinstance(record, Fault):
            yield record
            continue
        example = _swap(record, recipe) if source.swap else record
        if source.split == wanted != "train":
            yield example
        elif split_of(example.group, dev, test) == wanted:
            yield _with_drawn_context(example, recipe.tokenizer.context_turns)


def _swap(example: Example, recipe: Recipe) -> Example:
    """What stands in the target is the source. A pair's group follows its source."""
    group = example.target if recipe.task == "translate" else example.group
    return Example((example.target,), example.source[-1], group, example.origin)


def _with_drawn_context(example: Example, most_turns: int) -> Example:
    """`example` with its last 1 to `most_turns` turns of context, drawn by its origin: a model must
    answer a message with and without a history."""
    turns = 1 + int(fraction_of(example.origin, "context") * most_turns) if most_turns > 1 else 1
    return Example(example.source[-turns:], example.target, example.group, example.origin)


def _tokenizer_names(recipe: Recipe) -> list[str]:
    is_joint = recipe.tokenizer.shared_vocabulary
    return [SOURCE_TOKENIZER_FILE] if is_joint else [SOURCE_TOKENIZER_FILE, TARGET_TOKENIZER_FILE]


def _train_tokenizers(recipe: Recipe, inputs: list[_Input]) -> dict[str, bytes]:
    """File name -> contents. They see the training part only."""
    rules = recipe.tokenizer

    def texts(*sides: str) -> Iterator[str]:
        for example in _train_examples(recipe, inputs):
            if "source" in sides:
                yield normalise_source(example.source[-1], rules)
            if "target" in sides:
                yield normalise_target(example.target, rules)

    if rules.shared_vocabulary:
        joint = train_tokenizer(_watched(texts("source", "target"), "tokenizer"), rules)
        return {SOURCE_TOKENIZER_FILE: joint}
    return {
        SOURCE_TOKENIZER_FILE: train_tokenizer(_watched(texts("source"), "source"), rules),
        TARGET_TOKENIZER_FILE: train_tokenizer(_watched(texts("target"), "target"), rules),
    }


def _train_examples(recipe: Recipe, inputs: list[_Input]) -> Iterator[Example]:
    for each in inputs:
        for record in _read_part(recipe, each, "train"):
            if isinstance(record, Example):
                yield record


def _write_parts(
    recipe: Recipe, inputs: list[_Input], tokenizer_files: dict[str, bytes], folder: Path
) -> list[SourceReport]:
    """Writes train first: an example of a drawn dev or test part that also stands there, word for
    word, is left out of them."""
    reports = [SourceReport(each.source) for each in inputs]
    cleaner = Cleaner(recipe)
    unlimited = recipe.tokenizer.model_copy(update={"max_source_tokens": UNLIMITED})
    tokenise = _Tokenise(recipe, Tokenizer(unlimited, *tokenizer_files.values()))
    for part in SPLITS:
        rows = (
            row
            for each, report in zip(inputs, reports, strict=True)
            for row in _rows_of(recipe, each, part, tokenise, cleaner, report)
        )
        write_shard(folder / f"{part}.arrow", _watched(rows, part))
    return reports


@dataclass(frozen=True)
class _Tokenise:
    """From an example to a row."""

    recipe: Recipe
    tokenizer: Tokenizer  # with no limit

    def __call__(self, example: Example) -> tuple[Row, int]:
        """The row as a model will read it, and the source tokens that count for the limit: all
        of a text to translate, as many as are read of a dialogue."""
        try:
            whole = self.tokenizer.source_ids(example.source)
        except InputError:
            whole = []
        source_ids = whole[-self.recipe.tokenizer.max_source_tokens :]
        target_ids = self.tokenizer.target_ids(example.target)
        row = Row(source_ids, target_ids, example.source, example.target, example.origin)
        return row, len(whole if self.recipe.task == "translate" else source_ids)


def _rows_of(
    recipe: Recipe,
    each: _Input,
    part: Split,
    tokenise: _Tokenise,
    cleaner: Cleaner,
    report: SourceReport,
) -> Iterator[Row]:
    is_published = each.source.split == part != "train"
    for record in _read_part(recipe, each, part):
        if isinstance(record, Fault):
            if part == each.counted_with:
                report.fault(record)
            continue
        row, source_len = tokenise(record)
        rule = cleaner.refusal(row, part, source_len=source_len, is_published=is_published)
        if rule:
            report.drop(part, rule, record)
            continue
        report.keep(part, is_in_train=is_published and cleaner.is_in_train(row))
        yield from [row] * (_times(record, each.source.repeat) if part == "train" else 1)


def _times(example: Example, repeat: float) -> int:
    """How often `example` is seen: what is left of `repeat` beyond whole times is its chance of
    being seen once more."""
    times = int(repeat)
    return times + (fraction_of(example.origin, "repeat") < repeat - times)


def _watched(items: Iterator[Any], name: str) -> Iterator[Any]:
    yield from tqdm(items, desc=name, unit=" texts", disable=None)


def _reasons(report: dict[str, Any]) -> str:
    dropped = (f"{count} {rule}" for rule, count in report["dropped"].items())
    return "Left out: " + ", ".join([*dropped, f"{report['faults']} unreadable"]) + "."


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
