"""`prepare`: files -> examples -> splits -> tokenizers -> shards, with a report.

<output>/data/
  train.arrow dev.arrow test.arrow     see shards.py
  source.spm [target.spm]              tokenizers, trained on the training split only
  report.json report.html              counts by source and rule, faults with their location

Three passes over pieces of the corpus: pass1_select.py, pass2_deduplicate.py (called by drawing.py)
and pass3_tokenise.py. The first and the last write a chunk per piece to `data.partial`, so that a
killed run can resume. Results do not depend on the number of processes or machines.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from model.engine.cores import usable_cores
from model.errors import TokenizerError
from model.folder import (
    SOURCE_TOKENIZER_FILE,
    TARGET_TOKENIZER_FILE,
    ModelFolder,
    write_durably,
)
from model.tokenizer import Tokenizer, normalise_source, normalise_target
from training.errors import CorpusError
from training.files.locks import locked
from training.files.paths import writing
from training.prepare.advice import examples_in, nothing_left
from training.prepare.chunks import chunk_path, open_chunk, read_stats
from training.prepare.cluster import Cluster
from training.prepare.drawing import Chunk, DrawnSplits, draw_splits, drawn_split, wants_dev
from training.prepare.inputs import Input, find_inputs, pieces_of, stamps_of, total_bytes
from training.prepare.page import render_page
from training.prepare.parallel import run_all
from training.prepare.pass1_select import Select, cleaners_of
from training.prepare.pass2_deduplicate import KEPT, VERDICTS
from training.prepare.pass3_tokenise import Candidates, Tokenise
from training.prepare.report import count_all
from training.prepare.shards import Shard, write_shard
from training.prepare.splits import DEV, SPLITS, TRAIN
from training.prepare.tokenizer import MAX_SENTENCES, train_tokenizer, uses_byte_fallback
from training.recipe import Recipe
from training.recipe_file import start_of

REPORT_FILE, PAGE_FILE = "report.json", "report.html"
#: Version of the folder's format.
FORMAT = 4
#: Version of how files are cut into pieces, and of the candidates of each, which a killed run needs
#: to resume.
PIECES = 3
#: Below this, starting processes takes longer than the work.
SMALL_CORPUS_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class PreparedCorpus:
    """Prepared data, as `fit` and `evaluate` read it.

    Attributes:
        path: the folder.
        tokenizer: built from `tokenizer_files` (file name -> contents).
        train, dev, test: the splits; dev and test may be empty.
        fingerprint: sha256 over splits and tokenizers.
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

    def part(self, name: str) -> Shard:
        """Returns the split with this name."""
        return {"train": self.train, "dev": self.dev, "test": self.test}[name]

    def check_tokenizers(self, folder: ModelFolder, advice: str) -> None:
        """Raises a CorpusError, which ends with `advice`, if a model has another tokenizer, with
        other ids."""
        for name, content in self.tokenizer_files.items():
            if folder.sha256.get(name) != hashlib.sha256(content).hexdigest():
                raise CorpusError(
                    f"{self.path / name}: is not the tokenizer of {folder.path}. {advice}"
                )


def prepare(
    recipe: Recipe,
    recipe_path: Path,
    *,
    workers: int | None = None,
    cluster: Cluster | None = None,
    strict: bool = False,
) -> PreparedCorpus:
    """Prepares the data that `recipe` describes, unless it is already prepared.

    Args:
        recipe: what to read and how.
        recipe_path: its file; relative paths are looked up first in its folder.
        workers: number of processes; default: one per core, or one for a small corpus.
        cluster: cluster to run on instead; all its machines must see the files and the output.
        strict: whether an unreadable record is an error; otherwise it is counted and skipped.

    Raises:
        CorpusError: if a file is missing, broken or cannot be written, a split is empty, or the
            output folder contains other data; when strict, also if a record cannot be read.
        RecipeError: if a rule that the recipe names cannot be applied.
        BusyError: if another process uses the output folder.
    """
    inputs = find_inputs(recipe, recipe_path)
    inactive = dict(
        rule for cleaner in cleaners_of(recipe).values() for rule in cleaner.inactive.items()
    )
    made_from = _describe_inputs(recipe, inputs)
    path = Path(recipe.output) / "data"
    if _made_from(path) == made_from:
        shutil.rmtree(path / "work", ignore_errors=True)
        with suppress(CorpusError):  # broken: prepare it again
            prepared = open_prepared(recipe)
            if not (strict and prepared.report["faults"]):
                return prepared
    if workers is None:
        workers = 1 if total_bytes(inputs) < SMALL_CORPUS_BYTES else usable_cores()
    run_jobs = cluster.run_all if cluster else partial(run_all, workers=workers)
    folder = path.with_name("data.partial").absolute()  # a cluster uses other folders
    _check_own(path)
    with writing(path), locked(path.parent):
        _start_folder(folder, made_from)
        made = _Preparation(recipe, inputs, folder, run_jobs, strict).make(recipe_path)
        header = {"format": FORMAT, "made_from": made_from, "inactive_rules": inactive}
        _complete(folder, path, recipe, {**header, **made})
    return open_prepared(recipe)


def _check_own(path: Path) -> None:
    """Raises a CorpusError if `path`, which will be replaced, has no report, but contains something
    that `prepare` has not written. A folder that it began to delete has only its own files."""
    own = {"work", REPORT_FILE, PAGE_FILE, SOURCE_TOKENIZER_FILE, TARGET_TOKENIZER_FILE}
    own |= {f"{part}.arrow" for part in SPLITS}
    names = sorted(each.name for each in path.iterdir()) if path.is_dir() else []
    other = next((name for name in names if name not in own), None)
    if other and REPORT_FILE not in names:
        raise CorpusError(
            f"{path}: contains {other}, which was not written by `prepare`, so it is not "
            "overwritten. Choose another `output`."
        )


def _start_folder(folder: Path, made_from: dict[str, Any]) -> None:
    """Empties `folder`, unless it contains a killed run over the same files and pieces."""
    begun_from = {**made_from, "pieces": PIECES}
    if _made_from(folder / "work") != begun_from:
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "work").mkdir(parents=True)
        _write_json(folder / "work" / REPORT_FILE, {"made_from": begun_from})


def _complete(folder: Path, path: Path, recipe: Recipe, report: dict[str, Any]) -> None:
    """Writes the report to `folder` and renames it to `path`."""
    write_durably(folder / PAGE_FILE, render_page(report, recipe).encode())
    _write_json(folder / REPORT_FILE, report)
    shutil.rmtree(path, ignore_errors=True)
    folder.rename(path)
    shutil.rmtree(path / "work")


def open_prepared(recipe: Recipe) -> PreparedCorpus:
    """Opens the data that `prepare` wrote.

    Raises:
        CorpusError: if it is missing, incomplete, written by another release, or for another corpus
            or tokenizer.
    """
    path = Path(recipe.output) / "data"
    try:
        report = json.loads((path / REPORT_FILE).read_text())
        if report.get("format") != FORMAT:
            raise CorpusError(f"{path}: was made by another release. Run `prepare` again.")
        fingerprint, made_from = report["fingerprint"], report["made_from"]
        tokenizer_files = {name: (path / name).read_bytes() for name in _tokenizer_sides(recipe)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CorpusError(
            f"{path.resolve()}: not prepared ({reason}). Run `prepare` first, in this folder."
        ) from None
    changed = [key for key, value in _describe(recipe).items() if made_from.get(key) != value]
    if changed:
        raise CorpusError(
            f"{path}: was made before the recipe's {' and '.join(changed)} changed. "
            "Run `prepare` again."
        )
    try:
        tokenizer = Tokenizer(recipe.tokenizer, *tokenizer_files.values())
    except TokenizerError as error:
        raise CorpusError(f"{path}: {error}. Prepare again.") from None
    return PreparedCorpus(
        path=path,
        tokenizer=tokenizer,
        tokenizer_files=tokenizer_files,
        **{part: Shard(path / f"{part}.arrow") for part in SPLITS},
        fingerprint=fingerprint,
        report=report,
    )


@dataclass(frozen=True)
class _Preparation:
    """The passes of a run, each of which resumes from the files in `folder`."""

    recipe: Recipe
    inputs: list[Input]
    folder: Path
    run_jobs: Callable[[Any, Iterator[Any]], Iterator[int]]
    is_strict: bool

    def make(self, recipe_path: Path) -> dict[str, Any]:
        """Writes shards and tokenizers. Returns the report."""
        chunks = self._select()
        drawn = draw_splits(self.recipe, chunks)
        self._check_splits(drawn, recipe_path)
        tokenizers = self._tokenizers(drawn)
        tokenised = self._tokenise(drawn, tokenizers)
        kept = {part: write_shard(self._shard(part), _batches(tokenised, part)) for part in SPLITS}
        report = {
            "fingerprint": self._fingerprint(),
            "kept": kept,  # with repeats
            **count_all(self.inputs, [*(chunk.path for chunk in chunks), *tokenised]),
            "drawn": {"how": drawn.how, "groups": drawn.groups},
            "in_common": dict(drawn.common),
        }
        for part in (SPLITS[number] for number in self._required_splits()):
            if not report["kept"][part]:
                raise nothing_left(part, report, examples_in(report), self.recipe, recipe_path)
        return report

    def _required_splits(self) -> list[int]:
        """Returns the splits that must not be empty: train, and dev unless the recipe wants
        none."""
        return [TRAIN, DEV] if wants_dev(self.recipe.corpus) else [TRAIN]

    def _check_splits(self, drawn: DrawnSplits, recipe_path: Path) -> None:
        """Raises a CorpusError if a required split is empty, which says what dropped its
        examples."""
        counts = drawn.counts()
        for part in self._required_splits():
            if counts[part, KEPT]:
                continue
            report = count_all(self.inputs, [chunk.path for chunk in drawn.chunks])
            examples = int(counts.sum()) + sum(report["dropped"].values())
            for (number, verdict), count in np.ndenumerate(counts):
                if count and verdict != KEPT:
                    report["dropped"][f"{SPLITS[number]}: {VERDICTS[verdict]}"] = int(count)
            raise nothing_left(SPLITS[part], report, examples, self.recipe, recipe_path)

    def _select(self) -> list[Chunk]:
        job = Select(self.recipe, self.inputs, self._work_folder("candidates"), self.is_strict)
        pieces = self._run("read", job, pieces_of(self.inputs))
        return [self._chunk(chunk_path(job.folder, number)) for number in range(pieces)]

    def _chunk(self, path: Path) -> Chunk:
        stats = read_stats(path)
        split = self.inputs[stats["input"]].source.split
        return Chunk(path, stats["rows"], split, split == drawn_split(self.recipe.corpus))

    def _tokenise(self, drawn: DrawnSplits, tokenizers: dict[str, bytes]) -> list[Path]:
        folder = self._work_folder("rows")
        job = Tokenise(self.recipe, self.inputs, tuple(tokenizers.values()), folder)
        tasks = (Candidates(number, *each) for number, each in enumerate(drawn.each_chunk()))
        pieces = self._run("tokenise", job, tasks)
        return [chunk_path(folder, number) for number in range(pieces)]

    def _run(self, name: str, job: Any, tasks: Iterator[Any]) -> int:
        """Runs a job that returns numbers of examples; returns the number of tasks."""
        done = 0
        with tqdm(desc=name, unit=" examples", disable=None) as bar:
            for examples in self.run_jobs(job, tasks):
                bar.update(examples)
                done += 1
        return done

    def _tokenizers(self, drawn: DrawnSplits) -> dict[str, bytes]:
        """Writes missing tokenizers; returns file name -> contents of all tokenizers."""
        start = start_of(self.recipe)
        for name, sides in _tokenizer_sides(self.recipe).items():
            path = self.folder / name
            if path.exists():
                continue
            if start:
                write_durably(path, (start.path / name).read_bytes())
            else:
                write_durably(path, self._train_tokenizer(drawn, sides))
        return {name: (self.folder / name).read_bytes() for name in _tokenizer_sides(self.recipe)}

    def _train_tokenizer(self, drawn: DrawnSplits, sides: tuple[str, ...]) -> bytes:
        config = self.recipe.tokenizer
        tags = {each.target_tag for each in self.recipe.corpus.sources if each.target_tag}
        return train_tokenizer(
            _sample(self.recipe, drawn, sides),
            config,
            byte_fallback=uses_byte_fallback(config, self.recipe.task),
            tags=sorted(tags) if "source" in sides else (),
        )

    def _work_folder(self, name: str) -> Path:
        folder = self.folder / "work" / name
        folder.mkdir(exist_ok=True)
        return folder

    def _shard(self, part: str) -> Path:
        return self.folder / f"{part}.arrow"

    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        shards = [self._shard(part).name for part in SPLITS]
        for name in sorted([*shards, *_tokenizer_sides(self.recipe)]):
            with (self.folder / name).open("rb") as file:
                digest.update(name.encode() + hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


def _sample(recipe: Recipe, drawn: DrawnSplits, sides: tuple[str, ...]) -> Iterator[str]:
    """Yields normalised texts of the training split: all, or about `MAX_SENTENCES` that are drawn
    by their keys."""
    rules = recipe.tokenizer
    share = min(1.0, MAX_SENTENCES / len(sides) / max(1, int(drawn.counts()[:, KEPT].sum())))
    for path, parts, verdicts in drawn.each_chunk():
        table = open_chunk(path).get_batch(0)
        is_drawn = table["key"].to_numpy() >> np.uint64(32) < share * 2**32
        chosen = np.flatnonzero((parts == TRAIN) & (verdicts == KEPT) & is_drawn)
        texts = table.select(["source_turns", "target_text"]).take(pa.array(chosen))
        for turns, target in zip(*(column.to_pylist() for column in texts.columns), strict=True):
            if "source" in sides:
                yield normalise_source(turns[-1], rules)
            if "target" in sides:
                yield normalise_target(target, rules)


def _batches(chunks: list[Path], part: str) -> Iterator[pa.RecordBatch]:
    """Yields the batches of one split, each as often as it is repeated."""
    for path in chunks:
        reader = open_chunk(path)
        for number, (name, times) in enumerate(read_stats(path)["order"]):
            if name == part:
                for _ in range(times):
                    yield reader.get_batch(number)


def _describe(recipe: Recipe) -> dict[str, Any]:
    """Returns the part of a recipe that the data depends on."""
    rules = [rule.model_dump(mode="json") for rule in recipe.rules]
    of_training = {"sources": {"__all__": {"variants", "memory"}}}
    corpus = recipe.corpus.model_dump(mode="json", exclude=of_training)
    return {
        "task": recipe.task,
        "languages": list(recipe.languages),
        "corpus": {**corpus, "rules": rules},
        "tokenizer": recipe.tokenizer.model_dump(mode="json"),
        "start_from": recipe.start_from,
    }


def _describe_inputs(recipe: Recipe, inputs: list[Input]) -> dict[str, Any]:
    """Returns everything that the data depends on: parts of the recipe, and path, size and
    modification time of each file."""
    start = Path(recipe.start_from)
    names = _tokenizer_sides(recipe) if recipe.start_from else []
    stamps = stamps_of(inputs, [start / name for name in names])
    return {"format": FORMAT, **_describe(recipe), "files": stamps}


def _made_from(path: Path) -> Any:
    try:
        return json.loads((path / REPORT_FILE).read_text())["made_from"]
    except (OSError, ValueError, KeyError):
        return None


def _tokenizer_sides(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    """Returns the file of each tokenizer with the sides of examples that it tokenises."""
    if recipe.tokenizer.shared_vocabulary:
        return {SOURCE_TOKENIZER_FILE: ("source", "target")}
    return {SOURCE_TOKENIZER_FILE: ("source",), TARGET_TOKENIZER_FILE: ("target",)}


def _write_json(path: Path, values: dict[str, Any]) -> None:
    write_durably(path, json.dumps(values, indent=2).encode())
