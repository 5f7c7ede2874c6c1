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
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from model.errors import InputError
from model.folder import SOURCE_TOKENIZER_FILE, TARGET_TOKENIZER_FILE
from model.tokenizer import EOS_ID, Tokenizer, normalise_source, normalise_target
from training.corpus.files import find_files
from training.corpus.readers import SUFFIXES, read_source
from training.corpus.records import Example, Fault
from training.corpus.shards import Row, Shard, write_shard
from training.corpus.splits import SPLITS, Split, fraction_of, split_of
from training.errors import CorpusError
from training.recipe import Recipe, SourceConfig, data_folder
from training.vocabulary import train_tokenizer

REPORT_FILE = "report.json"
FAULTS_SHOWN = 20


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


@dataclass
class Report:
    """What became of every record."""

    kept: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[str]] = field(default_factory=dict)
    fault_count: int = 0
    faults: list[Fault] = field(default_factory=list)

    def drop(self, rule: str, example: Example) -> None:
        """Counts an example that `rule` refuses, and shows the first few."""
        self.dropped[rule] += 1
        shown = self.samples.setdefault(rule, [])
        if len(shown) < FAULTS_SHOWN:
            shown.append(f"{example.origin}: {example.source[-1][:80]} => {example.target[:80]}")

    def fault(self, fault: Fault) -> None:
        """Counts a record that could not be read, and shows the first few."""
        self.fault_count += 1
        if len(self.faults) < FAULTS_SHOWN:
            self.faults.append(fault)


@dataclass(frozen=True)
class _Input:
    """A source of the recipe and the files that it means."""

    source: SourceConfig
    files: list[Path]
    targets: list[Path]


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
        return open_prepared(recipe)
    partial = path.with_name("data.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    tokenizer = _train_tokenizers(recipe, inputs, partial)
    report = _write_parts(recipe, inputs, tokenizer, partial)
    summary = {
        "made_from": made_from,
        "fingerprint": _fingerprint(partial),
        "kept": dict(report.kept),
        "dropped": dict(report.dropped),
        "dropped_samples": report.samples,
        "faults": report.fault_count,
        "fault_samples": [f"{fault.origin}: {fault.reason}" for fault in report.faults],
    }
    for part in ("train", "dev"):
        if not report.kept[part]:
            raise CorpusError(f"{recipe_path}: nothing is left for {part}. {dict(report.dropped)}")
    (partial / REPORT_FILE).write_text(json.dumps(summary, indent=2, ensure_ascii=True))
    shutil.rmtree(path, ignore_errors=True)
    partial.rename(path)
    return open_prepared(recipe)


def open_prepared(recipe: Recipe) -> PreparedCorpus:
    """Opens what `prepare` made.

    Raises:
        CorpusError: if it is not there or not whole.
    """
    path = Path(recipe.output) / "data"
    try:
        report = json.loads((path / REPORT_FILE).read_text())
        names = [SOURCE_TOKENIZER_FILE]
        names += [] if recipe.tokenizer.shared_vocabulary else [TARGET_TOKENIZER_FILE]
        tokenizer_files = {name: (path / name).read_bytes() for name in names}
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path}: not prepared ({error}). Run `prepare` first.") from None
    return PreparedCorpus(
        path=path,
        tokenizer=Tokenizer(recipe.tokenizer, *tokenizer_files.values()),
        tokenizer_files=tokenizer_files,
        **{part: Shard(path / f"{part}.arrow") for part in SPLITS},
        fingerprint=report["fingerprint"],
        report=report,
    )


def _find(source: SourceConfig, recipe_path: Path) -> _Input:
    roots = [recipe_path.parent.absolute(), data_folder().absolute()]
    files = find_files(source.path, roots)
    wanted = SUFFIXES[source.format]
    if len(files) > 1 and wanted:
        files = [file for file in files if file.name.removesuffix(".gz").endswith(wanted)]
    if not files:
        raise CorpusError(f"{source.path}: holds no file of format '{source.format}' {wanted}")
    targets = find_files(source.target_path, roots) if source.target_path else []
    if targets and len(targets) != len(files):
        raise CorpusError(f"{source.path}: {len(files)} files, but {len(targets)} targets")
    return _Input(source, files, targets)


def _describe_inputs(recipe: Recipe, inputs: list[_Input]) -> dict[str, Any]:
    """All that the data depends on: the recipe's part in it, and each file's place, size, time."""
    files = [file for each in inputs for file in (*each.files, *each.targets)]
    return {
        "corpus": recipe.corpus.model_dump(mode="json"),
        "tokenizer": recipe.tokenizer.model_dump(mode="json"),
        "files": [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files],
    }


def _made_from(path: Path) -> Any:
    try:
        return json.loads((path / REPORT_FILE).read_text())["made_from"]
    except (OSError, ValueError, KeyError):
        return None


def _examples(
    recipe: Recipe, each: _Input, on_fault: Callable[[Fault], None]
) -> Iterator[tuple[Split, Example]]:
    """Examples of one source with the part that each belongs to."""
    source, corpus = each.source, recipe.corpus
    explicit = {other.split for other in corpus.sources}
    dev = 0.0 if "dev" in explicit else corpus.dev_fraction
    test = 0.0 if "test" in explicit else corpus.test_fraction
    for record in read_source(source, each.files, each.targets):
        if isinstance(record, Fault):
            on_fault(record)
            continue
        if source.swap:
            record = Example((record.target,), record.source[-1], record.target, record.origin)
        if source.split in ("dev", "test"):
            yield source.split, record
        else:
            part = split_of(record.group, dev, test if source.split == "auto" else 0.0)
            yield part, _with_drawn_context(record, recipe.tokenizer.context_turns)


def _with_drawn_context(example: Example, most_turns: int) -> Example:
    """`example` with its last 1 to `most_turns` turns of context, drawn by its origin: a model must
    answer a message with and without a history."""
    turns = 1 + int(fraction_of(example.origin, "context") * most_turns)
    return Example(example.source[-turns:], example.target, example.group, example.origin)


def _train_tokenizers(recipe: Recipe, inputs: list[_Input], folder: Path) -> Tokenizer:
    rules = recipe.tokenizer

    def texts(side: str) -> Iterator[str]:
        for each in inputs:
            for part, example in _examples(recipe, each, on_fault=lambda _: None):
                if part == "train" and side == "source":
                    yield normalise_source(example.source[-1], rules)
                if part == "train" and side == "target":
                    yield normalise_target(example.target, rules)

    if rules.shared_vocabulary:
        both = (text for side in ("source", "target") for text in texts(side))
        models = [train_tokenizer(tqdm(both, desc="tokenizer", unit=" texts", disable=None), rules)]
    else:
        models = [
            train_tokenizer(tqdm(texts(side), desc=f"{side} tokenizer", unit=" texts", disable=None), rules)
            for side in ("source", "target")
        ]
    names = (SOURCE_TOKENIZER_FILE, TARGET_TOKENIZER_FILE)
    for name, model in zip(names, models, strict=False):
        (folder / name).write_bytes(model)
    return Tokenizer(rules, *models)


def _write_parts(
    recipe: Recipe, inputs: list[_Input], tokenizer: Tokenizer, folder: Path
) -> Report:
    """Writes train first: an example of a drawn dev or test part that also stands there, word for
    word, is left out of them."""
    report = Report()
    seen: set[bytes] = set()
    for part in SPLITS:
        rows = _rows(recipe, inputs, tokenizer, part, seen, report)
        progress = tqdm(rows, desc=part, unit=" examples", disable=None)
        report.kept[part] = write_shard(folder / f"{part}.arrow", progress)
    return report


def _rows(
    recipe: Recipe,
    inputs: list[_Input],
    tokenizer: Tokenizer,
    wanted: Split,
    seen: set[bytes],
    report: Report,
) -> Iterator[Row]:
    on_fault = report.fault if wanted == "train" else lambda _: None
    for each in inputs:
        is_published = each.source.split == wanted != "train"
        for part, example in _examples(recipe, each, on_fault):
            if part != wanted:
                continue
            row = _tokenise(example, tokenizer)
            rule = _refusing_rule(row, recipe, seen, wanted) if row else "no text"
            if row is None or (rule and not is_published):
                report.drop(f"{wanted}: {rule}", example)
                continue
            if wanted == "train":
                seen.add(_digest(row))
            yield from [row] * (each.source.repeat if wanted == "train" else 1)


def _tokenise(example: Example, tokenizer: Tokenizer) -> Row | None:
    try:
        source_ids = tokenizer.source_ids(example.source)
    except InputError:
        return None
    target_ids = tokenizer.target_ids(example.target)
    if not target_ids:
        return None
    return Row(source_ids, target_ids, example.source, example.target, example.origin)


def _refusing_rule(row: Row, recipe: Recipe, seen: set[bytes], part: Split) -> str | None:
    """The rule by which `row` is left out, or None. Published dev and test sets know no rules."""
    corpus = recipe.corpus
    if len(row.source_ids) > corpus.max_source_tokens:
        return "source too long"
    if len(row.target_ids) > corpus.max_target_tokens:
        return "target too long"
    if part != "train" and _digest(row) in seen:
        return "also in train"
    if recipe.task == "translate" and part == "train" and _digest(row) in seen:
        return "duplicate"
    return None


def _digest(row: Row) -> bytes:
    ids = (*row.source_ids, EOS_ID, *row.target_ids)
    return hashlib.blake2b(repr(ids).encode(), digest_size=8).digest()


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
