"""From files to a model in one go: `new`, `prepare`, `fit`, `evaluate` and `export`.

Each step resumes after it is killed, and so does the whole.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from model.config import Task
from model.errors import FolderError
from model.folder import (
    CONFIG_FILE,
    MEMORY_FILE,
    ModelFolder,
    check_replaceable,
    load_folder,
    load_memory,
    read_config,
    write_folder,
)
from model.translation_memory import MAX_PAIRS, TranslationMemory
from training.errors import CorpusError
from training.evaluation.report import evaluate
from training.export.export import export
from training.files.paths import writing
from training.fit.log import describe_seconds
from training.fit.loop import fit
from training.model_card import is_made_by, memory_files
from training.new.estimate import choose_precision
from training.new.grouping import check_name
from training.new.proposal import propose
from training.new.survey import Survey, survey
from training.new.write import (
    describe,
    describe_called_held_out,
    describe_splits,
    recipe_text,
    valid_name,
)
from training.prepare.advice import expectation_of, notes_of
from training.prepare.prepare import PreparedCorpus, prepare
from training.recipe import Recipe
from training.recipe_file import read_complete_recipe, read_recipe_to_train

RECIPE_FILE = "recipe.toml"
#: Paths for which the recipe was written, one per line. Hidden, since MODEL may lie among them.
PATHS_FILE = ".paths"
#: Hash of the model that the run wrote, by which it knows it again.
MADE_FILE = ".made"
#: Translation memory of that model, before `remember` changed it.
MADE_MEMORY_FILE = ".made-memory.tsv.gz"
RUN_SUFFIX = ".run"

Say = Callable[[str], None]


def write_recipe(
    paths: Sequence[str],
    recipe_path: Path,
    *,
    output: str,
    task: Task | None,
    languages: tuple[str, ...],
    say: Say,
    rename: Callable[[str], str] = str,
) -> Recipe:
    """Writes a recipe for files, and reports its findings and an estimate of the time it takes.

    Args:
        paths: files, folders, globs or archives.
        recipe_path: the file to write.
        output: output folder of the recipe, after which the model is named.
        task: task of the model; None: guessed from the files.
        languages: codes of source and target, or one for replies; empty: detected.
        say: called with each line of the report.
        rename: returns the name of a path in the recipe.

    Raises:
        CorpusError: if the files contain no examples, or the recipe exists or cannot be written.
    """
    check_name(output)
    name = valid_name(Path(output).name.removesuffix(RUN_SUFFIX))
    if recipe_path.exists():
        advice = "Choose a file" if recipe_path.is_dir() else "Delete it, or choose another file"
        raise CorpusError(f"{recipe_path}: already exists. {advice}.")
    found = survey(paths, task=task, languages=languages)
    _say_what_is_found(found, say)
    found = found.renamed(rename)
    proposal = propose(found)
    draft = recipe_path.with_name(f"{recipe_path.name}.partial")
    recipe = _write(draft, recipe_text(name, output, found, proposal))
    precision, seconds = choose_precision(recipe, found)
    if precision != recipe.fit.precision:
        proposal = replace(proposal, fit={**proposal.fit, "precision": precision})
        recipe = _write(draft, recipe_text(name, output, found, proposal))
    draft.rename(recipe_path)
    known = ", ".join(found.languages) or "unknown"
    say(f"{recipe_path}: task {found.task}, languages {known}. {proposal.kind}")
    say(f"all commands together take about {describe_seconds(seconds)} on this machine")
    return recipe


def _say_what_is_found(found: Survey, say: Say) -> None:
    for source in found.sources:
        columns = f" ({', '.join(source.config.columns)})" if source.config.columns else ""
        say(f"{source.config.path}: {source.config.format}{columns}, {describe(source)}")
        if source.fault:
            say(f"  unreadable: {source.fault.origin}: {source.fault.reason}")
    for fault in found.left_out:
        say(f"left out: {fault.origin}: {fault.reason}")
    for line in filter(None, (describe_splits(found), describe_called_held_out(found))):
        say(line)


def _write(path: Path, text: str) -> Recipe:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return read_complete_recipe(path)


def train(
    paths: Sequence[str],
    model: Path,
    *,
    task: Task | None,
    languages: tuple[str, ...],
    say: Say,
) -> str:
    """Makes a model of files, or goes on with it. What it is made of stays beside it, in
    `MODEL.run`, with the recipe and the report. If it is finished, nothing is done again.

    Returns:
        the scores, unless it was finished before, and where the model is.

    Raises:
        CorpusError: if the files hold nothing, or a recipe for other files is there.
        FolderError: if something that is no model, or another model, lies where it is to be
            written, or it cannot be written.
    """
    if not model.name:
        raise CorpusError(f"{model}: not a folder of its own. Choose a new one, such as my-model.")
    check_replaceable(model)
    run = model.with_name(f"{model.name}{RUN_SUFFIX}")
    _check_is_made(model, run)
    recipe = _recipe_of_run(run, paths, task=task, languages=languages, say=say)
    corpus = prepare(recipe, run / RECIPE_FILE)
    program = "chat" if recipe.task == "reply" else "translate"
    command = f"python -m seq2seq {program} {shlex.quote(str(model))}"
    if _is_finished(run, model, recipe, corpus):
        return (
            f"{model}: finished. Neither {run / RECIPE_FILE} nor the files that it names have "
            f"changed since. Try it: {command}"
        )
    _kept_memory(model, run, memory_files(recipe, corpus))  # before hours of training
    say(expectation_of(corpus.report, recipe))
    for note in notes_of(corpus.report, recipe):
        say(f"note: {note.text}")
    say(fit(recipe))
    say(export(recipe, ("float32", "int8")))
    scores = evaluate(recipe)
    made = load_folder(run / "model")
    files = {name: (made.path / name).read_bytes() for name in made.config.sha256}
    write_folder(model, made.config, {**files, **_kept_memory(model, run, files)})
    _note_made(model, run)
    return f"{scores}\n{model}: ready. Try it: {command}"


def _check_is_made(model: Path, run: Path) -> None:
    """Raises a FolderError if `model` is one that the run did not write."""
    if not (model / CONFIG_FILE).exists():
        return
    found, made, last = _hash_of(model), run / MADE_FILE, run / "model"
    if (last / CONFIG_FILE).exists() and found == _hash_of(last):
        _note_made(model, run)  # it may have been killed before it did
        return
    if made.exists() and found == made.read_text(encoding="utf-8"):
        return
    config = read_config(model)
    languages = f", languages {' '.join(config.languages)}" if config.languages else ""
    raise FolderError(
        f"{model}: holds another model ({config.name}, task {config.task}{languages}), which would "
        "be lost. Choose another -o, or move it away."
    )


def _hash_of(model: Path) -> str:
    """Returns a hash of a configuration, but for the translation memory that `remember` changes."""
    config = read_config(model)
    sums = {name: value for name, value in config.sha256.items() if name != MEMORY_FILE}
    document = config.model_copy(update={"sha256": sums}).model_dump_json()
    return hashlib.sha256(document.encode()).hexdigest()


def _note_made(model: Path, run: Path) -> None:
    """Notes which model the run wrote, and its translation memory before `remember` changes it."""
    with writing(run / MADE_FILE):
        memory = TranslationMemory(_memory_of(run / "model"))
        (run / MADE_MEMORY_FILE).write_bytes(memory.to_bytes())
        (run / MADE_FILE).write_text(_hash_of(model), encoding="utf-8")


def _memory_of(path: Path) -> tuple[tuple[str, str], ...]:
    """Returns the pairs that a model remembers; none if there is no model, or it is broken."""
    try:
        memory = load_memory(ModelFolder(path, {"sha256": read_config(path).sha256}))
    except FolderError:
        return ()
    return memory.pairs if memory else ()


def _noted_memory(run: Path) -> frozenset[tuple[str, str]]:
    """Returns the pairs that `_note_made` noted; none if the file is missing or broken."""
    try:
        return frozenset(TranslationMemory.parse((run / MADE_MEMORY_FILE).read_bytes()).pairs)
    except (OSError, EOFError, zlib.error):
        return frozenset()


def _kept_memory(model: Path, run: Path, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns the translation memory for a model that the run makes, as a file: its own pairs,
    which may be among its `files`, and those that `remember` added to or changed in `model`, which
    it replaces. Returns nothing if there are none of these.

    Raises:
        CorpusError: if they are more than a model may keep.
    """
    before, made = _memory_of(model), _noted_memory(run)
    added = [pair for pair in before if pair not in made]
    if not added:
        return {}
    memory = TranslationMemory(added)
    if MEMORY_FILE in files:
        memory = memory.updated(TranslationMemory.parse(files[MEMORY_FILE]).pairs)
    if len(memory) > MAX_PAIRS:
        raise CorpusError(
            f"{model}: would keep {len(memory):,} translations, {len(added):,} of `remember`; at "
            f"most {MAX_PAIRS:,} are possible. Set `memory` for fewer sources in "
            f"{run / RECIPE_FILE}, or remove some by `remember`."
        )
    return {MEMORY_FILE: memory.to_bytes()}


def _is_finished(run: Path, model: Path, recipe: Recipe, corpus: PreparedCorpus) -> bool:
    """Tells whether `model` is what the run ended with, from the same recipe and data."""
    try:
        config = load_folder(model).config
        if _hash_of(model) != _hash_of(load_folder(run / "model").path):
            return False
    except FolderError:
        return False
    is_same = config.training["corpus_fingerprint"] == corpus.fingerprint
    return is_same and is_made_by(config, recipe)


def _name_in_run(run: Path, path: str) -> str:
    """Returns a path relative to a run if it lies beside the run, so that both may be moved."""
    return os.path.relpath(path, run) if Path(path).is_relative_to(run.parent) else path


def _recipe_of_run(
    run: Path,
    paths: Sequence[str],
    *,
    task: Task | None,
    languages: tuple[str, ...],
    say: Say,
) -> Recipe:
    """Reads the recipe of a run, and writes it first if there is none. Its output is `run`, also if
    the run was begun in another working directory, or has been moved with the files beside it.

    Raises:
        CorpusError: if it is for other files, another task or other languages, or a recipe cannot
            name its files.
    """
    recipe_path, paths_file = run / RECIPE_FILE, run / PATHS_FILE
    absolute = [os.path.abspath(path) for path in paths]  # without `..`, to be compared
    rename = partial(_name_in_run, run.resolve())
    names = "\n".join(map(rename, absolute))
    for path in (*absolute, str(run)):
        check_name(path)
    if not recipe_path.exists():
        with writing(paths_file):
            run.mkdir(parents=True, exist_ok=True)
            paths_file.write_text(names, encoding="utf-8")
        write_recipe(
            absolute,
            recipe_path,
            output=str(run),
            task=task,
            languages=languages,
            say=say,
            rename=rename,
        )
    elif paths_file.exists() and paths_file.read_text(encoding="utf-8") != names:
        raise CorpusError(
            f"{recipe_path}: belongs to other files. Choose another -o, or delete {run} and what "
            "it made."
        )
    else:
        say(f"{run}: resuming the run that was begun there")
    recipe = read_recipe_to_train(recipe_path).model_copy(update={"output": str(run)})
    _check_options(run, recipe, task, languages)
    return recipe


def _check_options(
    run: Path, recipe: Recipe, task: Task | None, languages: tuple[str, ...]
) -> None:
    """Raises a CorpusError if the recipe of a run is for another task or other languages."""
    for option, given, known in (
        ("--task", task, recipe.task),
        ("--languages", " ".join(languages), " ".join(recipe.languages)),
    ):
        if given and given != known:
            raise CorpusError(
                f"{run / RECIPE_FILE}: is for {option} {known}, not {given}. Choose another -o, or "
                f"delete {run} and what it made."
            )
