"""Examples written by models: targets for distillation, and sources by back-translation.

Both are line-based files that a recipe reads. A killed run resumes after the last chunk, if models,
options and texts are the same.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Literal

from sacrebleu.metrics.bleu import BLEU
from tqdm import tqdm

from model.config import ModelConfig
from model.errors import ConfigError
from model.folder import write_durably
from model.generator import Generator
from model.text.normalise import normalise
from model.tokenizer import Tokenizer
from training.cleaning.cleaner import letters_of
from training.errors import CorpusError
from training.files.archives import is_file, stat_of
from training.files.paths import check_not_read, read_lines, writing
from training.metrics import bleu_tokenizer
from training.prepare.inputs import find_inputs
from training.prepare.prepare import PreparedCorpus, open_prepared
from training.prepare.shards import Shard
from training.prepare.sources import NOT_UTF8
from training.recipe import Recipe

#: Number of sources that are answered before their lines are written.
CHUNK = 512
#: Beam size of a teacher.
BEAM = 5

Keep = Literal["best", "oracle"]
Turns = Sequence[str]
Row = tuple[Turns, str]  # turns of a source, target


def distill(
    recipe: Recipe, teachers: Sequence[Path], output: Path, *, keep: Keep = "best", tag: str = ""
) -> str:
    """Writes a student's targets: the answers of its teachers to the training sources, each source
    once (Kim and Rush 2016, arXiv:1606.07947).

    Args:
        recipe: recipe of the teachers, whose prepared data has the sources.
        teachers: model folders.
        output: receives a line per source: its turns and the target, separated by tabs.
        keep: `best`: the best answer of each teacher, one line each if they differ; `oracle`:
            of all beams, the answer closest to the reference by sentence BLEU.
        tag: target tag of the sources to answer, which is not written; empty: all sources, with
            their tags.

    Returns:
        a line that says what was written.

    Raises:
        CorpusError: if the recipe has not been prepared, or the file cannot be written.
        FolderError: if a teacher is broken.
        ConfigError: if a teacher has another task or other languages than the recipe, or the corpus
            or a teacher has no such tag.
    """
    check_output(output)
    loaded = [_load_teacher(path, recipe) for path in teachers]
    corpus = open_prepared(recipe)
    tags = [tag] if tag else corpus.tokenizer.tags
    check_tags(tags, corpus.tokenizer, recipe.output)
    for teacher, path in zip(loaded, teachers, strict=True):
        check_tags(tags, teacher.tokenizer, path)
    metric = BLEU(effective_order=True, tokenize=bleu_tokenizer(recipe.target_language))

    def write(rows: Sequence[Row]) -> Iterator[str]:
        sources = [turns for turns, _ in rows]
        beams = zip(*(_beams(teacher, sources) for teacher in loaded), strict=True)
        for (turns, reference), beam in zip(rows, beams, strict=True):
            for text in _kept(beam, reference, keep, metric):
                yield _line((*turns[:-1], turns[-1].removeprefix(tag), text))

    configs = [teacher.config.model_dump_json() for teacher in loaded]
    made_from = [corpus.fingerprint, keep, tag, *configs]
    rows = (row for row in _distinct(corpus.train) if row[0][-1].startswith(tag))
    written = _write(output, rows, write, made_from)
    return f"{output}: {written:,} examples by {len(loaded)} model{'s' if len(loaded) > 1 else ''}"


def backtranslate(
    model: Path, texts: Path | Recipe, output: Path, *, sample: bool = False, tag: str = ""
) -> str:
    """Writes sources for texts in the target language (Sennrich et al. 2016, arXiv:1511.06709).

    Args:
        model: a model folder of the opposite direction.
        texts: file with one text per line; or a recipe, whose training targets are translated: all
            that neither a dev nor a test example has, without those of sources that have `tag`.
        output: receives a line per text: the model's translation, a tab, the text.
        sample: whether to sample the translation; with much text, more varied sources are better
            (Edunov et al. 2018, arXiv:1808.09381).
        tag: target tag that the model reads before each text; it is not written.

    Returns:
        a line that says what was written, and how many lines were left out because they are not
        UTF-8 text.

    Raises:
        CorpusError: if a file cannot be read or written, the output is the texts, or the recipe has
            not been prepared.
        FolderError: if the model is broken.
        ConfigError: if it has no such tag, or is not of the opposite direction of the recipe.
    """
    check_output(output, () if isinstance(texts, Recipe) else [texts])
    generator = Generator.load(model)
    check_tags([tag] if tag else [], generator.tokenizer, model)
    drawn = {"temperature": 1.0, "seed": 1} if sample else {"beam_size": BEAM}
    options = generator.config.search.greedy().model_copy(update=drawn)
    damaged: list[int] = []
    if isinstance(texts, Recipe):
        if not tag:  # with one, the model may have both directions
            _check_languages(model, generator.config, texts.languages[::-1])
        corpus = open_prepared(texts)
        stamp, found = corpus.fingerprint, _training_targets(corpus, tag)
    else:
        stamp, found = _stamp_of(texts), _texts(texts, damaged)

    def write(rows: Sequence[Row]) -> Iterator[str]:
        found = generator.generate([turns for turns, _ in rows], options)
        for (_, text), candidates in zip(rows, found, strict=True):
            yield _line((candidates[0].text, text))

    made_from = [generator.config.model_dump_json(), options.model_dump_json(), stamp, tag]
    tagged = (((f"{tag} {text}".strip(),), text) for text in found)
    written = _write(output, tagged, write, made_from)
    first = f"; {len(damaged):,} unreadable ({texts}:{damaged[0]}: {NOT_UTF8})" if damaged else ""
    return f"{output}: {written:,} pairs{first}"


def _texts(path: Path, damaged: list[int]) -> Iterator[str]:
    """Yields each text of a file; the numbers of lines that are not text go to `damaged`, since a
    student's corpus would leave them out.

    Raises:
        CorpusError: if it cannot be read, or no line is text.
    """
    is_empty = True
    for number, line in read_lines(path):
        text = normalise(line)
        if "\ufffd" in line:
            damaged.append(number)
        elif text:
            is_empty = False
            yield text
    if is_empty and damaged:
        raise CorpusError(f"{path}:{damaged[0]}: {NOT_UTF8}.")


def _training_targets(corpus: PreparedCorpus, tag: str) -> Iterator[str]:
    """Yields each target of the training split once, except those of sources with `tag`, and those
    that dev or test has: with a new source they would be examples for what is held out."""
    held_out = chain(_rows(corpus.dev), _rows(corpus.test))
    seen = {letters_of(target) or target for _, target in held_out}
    for turns, target in _rows(corpus.train):
        letters = letters_of(target) or target
        if letters not in seen and not (tag and turns[-1].startswith(tag)):
            seen.add(letters)
            yield target


def check_tags(tags: Iterable[str], tokenizer: Tokenizer, owner: Path | str) -> None:
    """Raises a ConfigError if `tokenizer` lacks one of `tags`, which it would read as words."""
    for tag in tags:
        if tag not in tokenizer.tags:
            known = ", ".join(tokenizer.tags) or "none"
            raise ConfigError(f"{owner}: has no tag {tag}; its tags: {known}.")


def _stamp_of(texts: Path) -> str:
    stat = stat_of(texts) if is_file(texts) else None  # else `read_lines` says that there is none
    return f"{texts} {stat and stat.st_size} {stat and stat.st_mtime_ns}"


def check_output(output: Path, read: Iterable[Path] = ()) -> None:
    """Checks the path of a file to write.

    Raises:
        CorpusError: if it is that of a folder or a device, or of one of the files that are `read`.
    """
    if not output.name or (output.exists() and not output.is_file()):
        raise CorpusError(f"{output}: not a file. Choose another output.")
    check_not_read(output, read)


def files_of(recipe: Recipe, recipe_path: Path) -> Iterator[Path]:
    """Yields the files that a recipe depends on, as far as they exist: itself, its corpus and the
    data that `prepare` wrote."""
    yield recipe_path
    yield from (Path(recipe.output) / "data").glob("*")
    with suppress(CorpusError):  # the data are enough to train
        for each in find_inputs(recipe, recipe_path):
            yield from (*each.files, *each.targets, *each.companions)


def _load_teacher(path: Path, recipe: Recipe) -> Generator:
    generator = Generator.load(path)
    config = generator.config
    if config.task != recipe.task:
        raise ConfigError(f"{path}: has task '{config.task}', but the recipe '{recipe.task}'.")
    _check_languages(path, config, recipe.languages)
    return generator


def _beams(teacher: Generator, sources: Sequence[Turns]) -> Iterator[list[str]]:
    """Yields the texts of the teacher's beam for each source, likeliest first."""
    own = teacher.config.search
    size = max(BEAM, own.beam_size)
    beam = {
        "beam_size": size,
        "n_best": size,
        "temperature": 0.0,
        "rerank_weight": 0.0,
        "fallback_reply": "",  # a student learns what the network says
    }
    for candidates in teacher.generate(sources, own.model_copy(update=beam)):
        yield [candidate.text for candidate in candidates]


def _check_languages(path: Path, config: ModelConfig, needed: tuple[str, ...]) -> None:
    """Raises a ConfigError if a model has other languages; unknown ones may be the same."""
    if config.languages and needed and config.languages != needed:
        theirs, ours = " ".join(config.languages), " ".join(needed)
        raise ConfigError(f"{path}: has languages {theirs}, but {ours} are needed for the recipe.")


def _kept(beams: Sequence[Sequence[str]], reference: str, keep: Keep, metric: BLEU) -> list[str]:
    if keep == "best":
        return list(dict.fromkeys(beam[0] for beam in beams))
    texts = dict.fromkeys(text for beam in beams for text in beam)
    return [max(texts, key=lambda text: metric.sentence_score(text, [reference]).score)]


def _distinct(train: Shard) -> Iterator[Row]:
    """Yields each source once, with its first target."""
    seen: set[int] = set()
    for turns, target in _rows(train):
        key = hash(tuple(turns))
        if key not in seen:
            seen.add(key)
            yield turns, target


def _rows(part: Shard) -> Iterator[Row]:
    """Yields turns and target of each example."""
    for batch in part.batches():
        columns = (batch[name].to_pylist() for name in ("source_turns", "target_text"))
        yield from zip(*columns, strict=True)


def _write(
    output: Path,
    rows: Iterable[Row],
    write: Callable[[Sequence[Row]], Iterator[str]],
    made_from: Iterable[str],
) -> int:
    """Writes the lines of all rows, chunk by chunk, to a file next to `output`, which is written
    when they are complete. Returns the number of lines.

    The partial file is named after `made_from`, so that no run continues with the lines of another.
    Each chunk ends with an empty line, so that a resumed run knows how many are complete; these
    lines are left out of `output`.
    """
    digest = hashlib.sha256("\0".join(made_from).encode()).hexdigest()[:8]
    partial = output.with_name(f"{output.name}.{digest}.partial")
    with writing(output):
        chunks = enumerate(_chunks(rows))
        first = next(chunks, None)  # if nothing can be read, no file is begun
        if first is None:
            raise CorpusError(f"{output}: there is nothing to write, since nothing was read.")
        output.parent.mkdir(parents=True, exist_ok=True)
        done = _cut_after_last_chunk(partial)
        with partial.open("a", encoding="utf-8") as file, tqdm(unit=" texts", disable=None) as bar:
            for number, chunk in chain([first], chunks):
                if number >= done:
                    file.write("".join(write(chunk)) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                bar.update(len(chunk))
        lines = [line for line in partial.read_text(encoding="utf-8").split("\n") if line]
        write_durably(output, "".join(f"{line}\n" for line in lines).encode())
        partial.unlink()
    return len(lines)


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk


def _cut_after_last_chunk(partial: Path) -> int:
    """Truncates a file after its last complete chunk, if it exists; returns the number of
    chunks."""
    content = partial.read_bytes() if partial.exists() else b""
    whole = content.rfind(b"\n\n") + 2 if b"\n\n" in content else 0
    if whole != len(content):
        with partial.open("r+b") as file:
            file.truncate(whole)
    return content[:whole].count(b"\n\n")


def _line(texts: Sequence[str]) -> str:
    return "\t".join(" ".join(text.split()) for text in texts) + "\n"
