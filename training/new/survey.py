"""Survey of files: their formats, their languages and the number of their examples."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from random import Random

from model.config import Task
from model.language_id import base_of
from training.cleaning.cleaner import letters_of
from training.cleaning.languages import can_identify, identify, may_seem, same_language, width_of
from training.errors import CorpusError, MisalignedError
from training.files.archives import is_archive, names_in
from training.files.encodings import decode
from training.files.line_ranges import line_ranges
from training.files.paths import read_bytes
from training.files.records import Example, Fault, fault_of
from training.formats import FORMATS
from training.new.grouping import sources_of
from training.new.published import called_held_out
from training.new.sides import side_of
from training.prepare.inputs import PIECE_RECORDS, Input, find_input, pieces_of, total_bytes
from training.prepare.shards import evenly_spaced
from training.prepare.sources import line_files_of
from training.readers.pairs import read_bitext
from training.recipe import SourceConfig
from training.recipe_file import folders_of

#: Number of files in a folder that are inspected for encodings.
DECODED_FILES = 20
#: Number of examples of a source that are read; the rest is estimated from its size.
MAX_READ = 300_000
#: Number of examples that are kept to measure lengths and languages.
SAMPLED = 4000
#: Number of reasons that are given if nothing can be read.
SHOWN = 3
#: Number of texts per side whose language is identified.
IDENTIFIED = 300
#: Minimum number of examples whose languages can exclude a source.
MIN_IDENTIFIED = 20
#: Advice for a translation from files of which each is one side, by format.
_ADVICE_ON_SIDES = {
    "lines": " If they are the two sides, name them by their languages: train.en and train.de.",
    "subtitles": " If they are films in two languages, write a recipe of format subtitle-pairs.",
}
#: Minimum probability of a text's language, and minimum share of texts in the main language.
MIN_PROBABILITY, MIN_SHARE = 0.5, 0.5
#: Minimum width of the letters of a text in a language: that of `3 €` is French, says fastText.
MIN_LETTERS = 3


@dataclass(frozen=True)
class SurveyedSource:
    """Files of one format.

    Attributes:
        config: source of a recipe.
        files: number of files.
        size: unpacked size of the files in bytes.
        encodings: encodings of the files, most frequent first.
        examples: number of examples; if `is_estimate`, by their share of the files' bytes, which
            counts markup as text.
        faults: number of unreadable records.
        fault: the first of these.
        sample: some examples.
        languages: languages of source and target, as far as known.
        called_held_out: files that are called dev or test.
    """

    config: SourceConfig
    files: int
    size: int
    encodings: tuple[str, ...]
    examples: int
    is_estimate: bool
    faults: int
    fault: Fault | None
    sample: tuple[Example, ...]
    languages: tuple[str, str]
    called_held_out: tuple[Path, ...]

    @property
    def is_bilingual(self) -> bool:
        """Tells whether sources and targets are in two known languages."""
        source, target = self.languages
        return bool(source and target) and not same_language(source, target)


@dataclass(frozen=True)
class Survey:
    """Result of a survey.

    Attributes:
        task: task that can be trained on the files.
        languages: languages of source and target, or one for replies; empty if unknown.
        sources: sources for a recipe.
        left_out: files that cannot be used, or not for this task and these languages.
    """

    task: Task
    languages: tuple[str, ...]
    sources: tuple[SurveyedSource, ...]
    left_out: tuple[Fault, ...] = ()

    def renamed(self, rename: Callable[[str], str]) -> Survey:
        """Returns a survey with other paths in its sources."""
        sources = []
        for source in self.sources:
            paths = {"path": source.config.path, "target_path": source.config.target_path}
            update = {key: rename(path) for key, path in paths.items() if path}
            config = source.config.model_copy(update=update)
            sources.append(replace(source, config=config))
        return replace(self, sources=tuple(sources))

    @property
    def examples(self) -> int:
        """Returns the number of examples that are not published for dev or test."""
        return sum(self.examples_by_split.get(split, 0) for split in ("auto", "train"))

    @property
    def examples_by_split(self) -> dict[str, int]:
        """Returns the number of examples of each `split` that sources have."""
        counts = Counter[str]()
        for source in self.sources:
            counts[source.config.split] += source.examples
        return dict(counts)

    @property
    def sample(self) -> list[Example]:
        """Returns some examples of each source."""
        return [example for source in self.sources for example in source.sample]


def survey(paths: Sequence[str], *, task: Task | None = None, languages: tuple[str, ...]) -> Survey:
    """Inspects files.

    Args:
        paths: files, folders, globs or archives.
        task: task of the model; None: guessed from the languages, else from the files.
        languages: codes of source and target, or one for replies; empty: detected.

    Raises:
        CorpusError: if nothing in them can be read, or not for this task, or `languages` do not fit
            it.
    """
    inspected = [
        each if isinstance(each, Fault) else _inspect_pairs(each, languages)
        for each in sources_of(paths, languages)
    ]
    sources = [each for each in inspected if isinstance(each, SurveyedSource)]
    found = [source for source in sources if source.examples]
    left_out = [each for each in inspected if isinstance(each, Fault)]
    empty = [source for source in sources if not source.examples]
    left_out += [each.fault or Fault(each.config.path, "contains no example") for each in empty]
    if not found:
        raise CorpusError(_describe_nothing(paths, left_out))
    if task is None:
        task = "translate" if len(languages) == 2 else _task_of(found)
    if len(languages) not in (0, 2 if task == "translate" else 1):
        raise CorpusError(
            "--languages: a translation needs two codes, for source and target, and replies need "
            f"one. Received: {' '.join(languages)}"
        )
    fitting = [_for_task(source, task) for source in found]
    usable = [source for source in fitting if task in FORMATS[source.config.format].tasks]
    if not usable:
        formats = ", ".join(sorted({source.config.format for source in found}))
        advice = _ADVICE_ON_SIDES.get(found[0].config.format, "")
        raise CorpusError(f"files of format {formats} cannot train task '{task}'.{advice}")
    if not languages:
        languages = _languages_of(usable, task)
    reasons = [(source, _reason_against(source, task, languages)) for source in fitting]
    left_out += [Fault(source.config.path, reason) for source, reason in reasons if reason]
    used = [source for source, reason in reasons if not reason]
    if not used:
        raise CorpusError(f"{left_out[-1].origin}: {left_out[-1].reason}. Correct --languages.")
    turned = (_swap_if_reversed(source, task, languages) for source in _with_splits(used))
    return Survey(task, languages, tuple(turned), tuple(left_out))


def _with_splits(sources: Sequence[SurveyedSource]) -> Iterator[SurveyedSource]:
    """Yields sources with the splits that a recipe needs to keep those of dev and test: the others
    are for training or, if there is no test, divided. If all or none are for dev or test, there are
    no splits to keep."""
    published = {source.config.split for source in sources}
    held_out = published & {"dev", "test"}
    keeps = held_out and published != held_out
    others = "train" if keeps and "test" in held_out else "auto"
    for source in sources:
        split = source.config.split if keeps and source.config.split in held_out else others
        yield replace(source, config=source.config.model_copy(update={"split": split}))


def _reason_against(source: SurveyedSource, task: Task, languages: tuple[str, ...]) -> str:
    """Returns why a source cannot train this task in these languages, or nothing."""
    config = source.config
    if task not in FORMATS[config.format].tasks:
        return f"{config.format} is not for {task}"
    named = config.languages or _named_languages(config)
    is_other = named and _pair_in(source) != {*map(base_of, languages)}
    if is_other or (task == "translate" and _seems_other(source, languages)):
        advice = f" in {' and '.join(config.columns)} (a recipe may name other columns)"
        found = f"{'-'.join(named or source.languages)}{advice if config.columns else ''}"
        return f"is {found}, not {'-'.join(languages)}"
    return ""


def _seems_other(source: SurveyedSource, languages: tuple[str, ...]) -> bool:
    """Tells whether enough examples show that they are in two other languages."""
    is_known = source.is_bilingual and all(map(can_identify, languages))
    return (
        is_known
        and len(source.sample) >= MIN_IDENTIFIED
        and not any(
            all(map(may_seem, each, source.languages)) for each in (languages, languages[::-1])
        )
    )


def _pair_in(source: SurveyedSource) -> frozenset[str]:
    """Returns the languages of a source, in no order."""
    return frozenset(map(base_of, source.config.languages or source.languages))


def _describe_nothing(paths: Sequence[str], left_out: Sequence[Fault]) -> str:
    """Describes why no example was found, and what to do."""
    reasons = dict[str, str]()
    for fault in left_out:
        reasons.setdefault(fault.reason, f"{fault.origin}: {fault.reason.removesuffix('.')}")
    advice = (
        "docs/corpora.md shows each format. The name of a plain text ends in .txt or the code of "
        "its language: train.en"
    )
    reason = ". ".join([*reasons.values()][:SHOWN]) or advice
    return f"{', '.join(paths)}: no file of a known format contains an example. {reason}."


def _inspect_pairs(config: SourceConfig, languages: tuple[str, ...]) -> SurveyedSource | Fault:
    """Reads a source; if nothing is found in records, once more by the `languages` that may be the
    names of their fields. Returns a fault for files that are not line-aligned but should be."""
    try:
        found = _inspect(config)
    except MisalignedError as error:
        sides = config.path, config.target_path or config.path
        return fault_of(error, *(Path.cwd() / side for side in sides))
    if found.examples or len(languages) != 2 or config.format not in ("jsonl", "parquet"):
        return found
    return _inspect(config.model_copy(update={"languages": languages}))


def _inspect(config: SourceConfig) -> SurveyedSource:
    """Reads a source."""
    given = find_input(config, folders_of(Path("recipe.toml")))
    draw, sample = Random(0), list[Example]()
    count = faults = text_bytes = 0
    first: Fault | None = None
    records = (record for piece in pieces_of([given]) for record in piece.read([given]))
    for record in records:
        if isinstance(record, Example) and not (
            record.source[-1].strip() and record.target.strip()
        ):
            record = Fault(record.origin, "one of its sides is empty")
        if isinstance(record, Fault):
            faults += 1
            first = first or record
            continue
        count += 1
        text_bytes += len(f"{record.source[-1]}{record.target}".encode("utf-8", "replace"))
        if len(sample) < SAMPLED:
            sample.append(record)
        elif (place := draw.randrange(count)) < SAMPLED:
            sample[place] = record
        if count == MAX_READ:
            break
    size = total_bytes([given])
    is_estimate = next(records, None) is not None
    if is_estimate:
        count = max(count, round(count * size / text_bytes))
        _check_ends(given)
    return SurveyedSource(
        config=config,
        files=len(given.files) + len(given.targets),
        size=size,
        encodings=_encodings_of(given),
        examples=count,
        is_estimate=is_estimate,
        faults=faults,
        fault=first,
        sample=tuple(sample),
        languages=_named_languages(config)
        or (
            _language_of([each.source[-1] for each in sample]),
            _language_of([each.target for each in sample]),
        ),
        called_held_out=called_held_out([*chain(*map(_members_of, given.files))]),
    )


def _members_of(file: Path) -> list[Path]:
    """Returns a file, or those in an archive that can be read."""
    with suppress(CorpusError):
        if is_archive(file):
            return [file / name for name in names_in(file)]
    return [file]


def _named_languages(config: SourceConfig) -> tuple[str, str] | None:
    """Returns the languages that the names of both sides of a bitext have."""
    source, target = (side_of(Path(path)).language for path in (config.path, config.target_path))
    return (source, target) if source and target and config.target_path else None


def _check_ends(given: Input) -> None:
    """Raises a MisalignedError if two line-aligned files, which are not packed, differ in
    length. Reads only their last lines."""
    sides = line_files_of(given.source, given.files, given.targets)
    if len(sides) == 2:
        *_, last = line_ranges(sides, PIECE_RECORDS)
        deque(read_bitext(*sides, *last), maxlen=0)


def _encodings_of(given: Input) -> tuple[str, ...]:
    """Returns the encodings of some files of a format that may be in any."""
    if given.source.format not in ("subtitles", "subtitle-pairs"):
        return ()
    files = [given.files[i] for i in evenly_spaced(len(given.files), DECODED_FILES)]
    counts = Counter(_encoding_of(file) for file in files)
    return tuple(name for name, _ in counts.most_common() if name)


def _encoding_of(file: Path) -> str:
    try:
        return decode(read_bytes(file))[1]
    except (CorpusError, ValueError):  # the survey counts it as a fault
        return ""


def _language_of(texts: Sequence[str]) -> str:
    """Returns the language of most of the longest texts, or nothing."""
    longest = sorted(texts, key=len)[-IDENTIFIED:]
    texts = [text for text in longest if width_of(letters_of(text)) >= MIN_LETTERS]
    found = [identify(" ".join(text.split())) for text in texts]
    counts = Counter(language for language, probability in found if probability >= MIN_PROBABILITY)
    language, count = next(iter(counts.most_common(1)), ("", 0))
    return language if count > MIN_SHARE * len(longest) else ""


def _task_of(sources: Sequence[SurveyedSource]) -> Task:
    """Returns the task of most examples: to translate, if they are in two languages or their format
    says so."""
    counts: Counter[Task] = Counter()
    for source in sources:
        tasks = FORMATS[source.config.format].tasks
        can_translate = "translate" in tasks or source.config.format == "exchanges"
        is_bilingual = can_translate and (source.is_bilingual or "reply" not in tasks)
        counts["translate" if is_bilingual else "reply"] += source.examples
    return counts.most_common(1)[0][0]


def _for_task(source: SurveyedSource, task: Task) -> SurveyedSource:
    """Returns a source of lines with tabs as pairs, if it is to be translated."""
    if task == "translate" and source.config.format == "exchanges":
        return _inspect(source.config.model_copy(update={"format": "pairs"}))
    return source


def _languages_of(sources: Sequence[SurveyedSource], task: Task) -> tuple[str, ...]:
    """Returns the languages of most examples, in the order of the largest of their sources, or
    nothing."""
    counts: Counter[frozenset[str]] = Counter()
    for source in sources:
        counts[_pair_in(source)] += source.examples
    most = counts.most_common(1)[0][0]
    largest = max(
        (source for source in sources if _pair_in(source) == most),
        key=lambda source: source.examples,
    )
    if task == "translate":
        pair = largest.config.languages or largest.languages
        return tuple(pair) if all(pair) else ()
    return (largest.languages[1],) if largest.languages[1] else ()


def _swap_if_reversed(
    source: SurveyedSource, task: Task, languages: tuple[str, ...]
) -> SurveyedSource:
    """Returns a source that is swapped if its sides are in the other order."""
    if task != "translate" or len(languages) != 2 or source.config.languages:
        return source
    found = tuple(map(base_of, source.languages))
    if found != tuple(map(base_of, languages[::-1])):
        return source
    config = source.config.model_copy(update={"swap": True})
    return replace(source, config=config)
