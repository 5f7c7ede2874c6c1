"""Advice on a prepared corpus, in sentences: what a model may learn from it, whether its splits are
large enough, and what to change."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.config import Task
from model.folder import read_config
from training.cleaning.languages import same_language
from training.errors import CorpusError
from training.prepare.drawing import drawn_split, wants_dev
from training.prepare.splits import MIN_EXAMPLES
from training.recipe import Recipe

#: Examples in train below which a model, without `start_from`, learns no more than these sentences.
FEW_EXAMPLES = 1_000
#: Number of examples in train, and what a model learns from fewer, by task.
EXPECTATIONS: dict[Task, tuple[tuple[int, str], ...]] = {
    "reply": (
        (FEW_EXAMPLES, "these sentences, and hardly anything else"),
        (20_000, "commands and fixed phrases, but no free text"),
        (500_000, "one narrow domain, such as small talk"),
    ),
    "translate": (
        (FEW_EXAMPLES, "these sentences, and hardly anything else"),
        (20_000, "sentences much like these"),
        (100_000, "one narrow domain, such as captions"),
    ),
}
BEST_EXPECTATION = "everyday language in short sentences"

#: Maximum shares of dropped examples and of unreadable records without a note.
MANY_DROPPED, MANY_FAULTS = 0.5, 0.01
#: Share of unknown tokens in a part and side; a model can neither read nor write them.
MANY_UNKNOWN_PERCENT = 5.0

_NO_DEV = (
    "There is no dev split, since dev_fraction is 0: `fit` learns the training split by heart. "
    "Raise dev_fraction if the model should answer unseen messages."
)
_LANGUAGES = "Check that `languages` match the files, in the same order (or set `swap`)."
_REMEDIES = {
    "language": _LANGUAGES,
    "script": _LANGUAGES,
    "empty": "One side has no text: check `columns` and `format`.",
    "source too long": "Raise corpus.max_source_tokens and tokenizer.max_source_tokens.",
    "target too long": "Raise corpus.max_target_tokens.",
    "also in train": "Train has the same examples: add other files.",
    "also in dev": "Dev has the same examples: remove its source from the others, or add files.",
    "also in test": "Test has the same examples: remove its source from the others, or add files.",
    "duplicate": "The files repeat themselves: add others.",
    "near_duplicate": "The files repeat themselves: add others.",
}


@dataclass(frozen=True)
class Note:
    """Advice to act on.

    Attributes:
        text: the problem and what to do.
        place: id of the section of the report that shows it; or empty.
    """

    text: str
    place: str = ""


def expectation_of(report: dict[str, Any], recipe: Recipe) -> str:
    """Describes what a model may learn from the training split, and what to do if that is
    little."""
    examples = report["kept"]["train"]
    if recipe.start_from:
        knows = _what_start_knows(recipe)
        return f"{_examples(examples)} to fine-tune the model in start_from, {knows}"
    levels = EXPECTATIONS[recipe.task]
    learns = next((text for most, text in levels if examples < most), BEST_EXPECTATION)
    more = " Add files, or set start_from." if has_few(report, recipe) else ""
    if more and recipe.corpus.dev_fraction and recipe.task == "reply":
        more += (
            " If this is a list of questions and answers, set dev_fraction = 0 and "
            "test_fraction = 0 to learn all of it by heart."
        )
    return f"{_examples(examples)} to train on: expect a model to learn {learns}.{more}"


def _what_start_knows(recipe: Recipe) -> str:
    theirs, ours = read_config(Path(recipe.start_from)).languages, recipe.languages
    if all(map(same_language, theirs, ours)):  # or unknown
        return "which already knows the language."
    known, wanted = " ".join(theirs), " ".join(ours)
    return f"which knows {known}, not {wanted}: leave out start_from, or correct `languages`."


def has_few(report: dict[str, Any], recipe: Recipe) -> bool:
    """Tells whether a model can learn no more than the training split by heart, unless the recipe
    wants just that."""
    is_enough = bool(recipe.start_from) or not wants_dev(recipe.corpus)
    return not is_enough and report["kept"]["train"] < FEW_EXAMPLES


def notes_of(report: dict[str, Any], recipe: Recipe) -> list[Note]:
    """Lists the problems to know or to solve before `fit`, the most serious first."""
    return [
        *_about_unknown_tokens(report, recipe),
        *_about_languages(report, recipe),
        *_about_parts(report, recipe),
        *_about_losses(report),
    ]


def examples_in(report: dict[str, Any]) -> int:
    """Counts the distinct examples that were read."""
    kept = sum(sum(source["kept"].values()) for source in report["sources"])
    return int(kept + sum(report["dropped"].values()))


def reasons_of(dropped: dict[str, int]) -> dict[str, Counter[str]]:
    """Returns reason -> split -> number of examples, the most frequent reason first. Examples that
    a rule drops have no split yet."""
    found: dict[str, Counter[str]] = {}
    for kind, count in dropped.items():
        part, _, reason = kind.rpartition(": ")
        found.setdefault(reason, Counter())[part] += count
    return dict(sorted(found.items(), key=lambda item: -item[1].total()))


def nothing_left(
    part: str, report: dict[str, Any], examples: int, recipe: Recipe, recipe_path: Path
) -> CorpusError:
    """Builds the error for an empty split: numbers, cause and remedy. The report needs `dropped`,
    `faults` and `sources`; `examples` were read."""
    message = f"{recipe_path}: nothing is left for {part}"
    unreadable = f"{report['faults']:,} unreadable{_first_fault(report)}"
    if not examples:
        return CorpusError(f"{message}: no record was read, {unreadable}. Check path and format.")
    reasons = {
        reason: sum(count for of, count in parts.items() if of in ("", part))
        for reason, parts in reasons_of(report["dropped"]).items()
    }
    reasons = {reason: count for reason, count in reasons.items() if count}
    is_drawn = any(source.split == drawn_split(recipe.corpus) for source in recipe.corpus.sources)
    if not reasons and (part == "dev" or is_drawn):
        return CorpusError(
            f"{message}: {_examples(examples)}, too few or too much alike to hold any out; "
            f"{unreadable}. Add files, or set dev_fraction = 0 to learn all of them by heart."
        )
    listed = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
    return CorpusError(
        f"{message}. Of {_examples(examples)}, these were left out: {listed or 'none'}; "
        f"{unreadable}. {_remedy(part, reasons, examples)}"
    )


def _first_fault(report: dict[str, Any]) -> str:
    samples = [sample for each in report["sources"] for sample in each["fault_samples"]]
    return f" ({samples[0]})" if samples else ""


def _remedy(part: str, reasons: dict[str, int], examples: int) -> str:
    if sum(reasons.values()) < examples / 2:
        return f'Add files, or add a source with split = "{part}".'
    cause = max(reasons, key=lambda reason: reasons[reason])
    rule = f"Remove the rule `{cause}` from corpus.rules, or relax it."
    return _REMEDIES.get(cause, rule)


def _examples(count: int) -> str:
    return f"{count:,} example{'' if count == 1 else 's'}"


def _about_parts(report: dict[str, Any], recipe: Recipe) -> list[Note]:
    found = []
    how, groups = report["drawn"]["how"], report["drawn"]["groups"]
    kept = report["kept"]
    if not wants_dev(recipe.corpus):
        found.append(Note(_NO_DEV))
    if not kept["test"]:
        found.append(Note(_why_no_test(recipe)))
    small = [part for part in ("dev", "test") if 0 < kept[part] < MIN_EXAMPLES]
    if small:
        sizes = " and ".join(f"{part} has {_examples(kept[part])}" for part in small)
        found.append(Note(f"{sizes}, so scores are imprecise. {_how_to_enlarge(small, recipe)}"))
    if how == "stretches":
        few = f"{groups:,} conversations, films or sources of such sizes are"
        if groups == 1:
            few = "One conversation, film or source is"
        text = (
            f"{few} too few to hold out a whole one: the last examples become dev and test, "
            "and score better than another film would. Add files."
        )
        found.append(Note(text, "parts"))
    return found


def _how_to_enlarge(small: list[str], recipe: Recipe) -> str:
    given = {source.split for source in recipe.corpus.sources}
    drawn = " and ".join(f"{part}_fraction" for part in small if part not in given)
    if drawn:
        return f"Add files, or raise {drawn}."
    return "Add files to the sources with this `split`."


def _why_no_test(recipe: Recipe) -> str:
    sentence = "There is no test split, so `evaluate` scores examples that `fit` has seen"
    if not recipe.corpus.test_fraction:
        return f'{sentence}: test_fraction is 0. Raise it, or add a source with split = "test".'
    if all(source.split != "auto" for source in recipe.corpus.sources):
        return f'{sentence}: no source has split = "auto" or "test". Add one.'
    return f"{sentence}: all examples drawn for it were dropped again. Add files."


def _about_unknown_tokens(report: dict[str, Any], recipe: Recipe) -> list[Note]:
    share, side = max(
        (sides[side]["unknown_percent"], side)
        for sides in report["tokens"].values()
        for side in ("source", "target")
    )
    if share <= MANY_UNKNOWN_PERCENT:
        return []
    in_train = report["tokens"]["train"][side]["unknown_percent"]
    if recipe.start_from:
        remedy = (
            f"The tokenizer comes from {recipe.start_from}, which was trained on another script or "
            "language: leave out start_from."
        )
    elif in_train <= MANY_UNKNOWN_PERCENT:
        remedy = "Those of train are known: add files, or set tokenizer.byte_fallback = true."
    else:
        unit = "word" if recipe.tokenizer.type == "word" else "character"
        remedy = f"Raise tokenizer.vocab_size, so that there is a piece for every {unit}."
    return [Note(f"{share:.0f}% of the {side} tokens are unknown. {remedy}", "vocabulary")]


def _about_languages(report: dict[str, Any], recipe: Recipe) -> list[Note]:
    inactive = report["inactive_rules"]
    if not (inactive and recipe.languages):
        return []
    rules, reason = " and ".join(f"`{name}`" for name in inactive), next(iter(inactive.values()))
    return [Note(f"`languages`: {reason}, so no text is checked by {rules}.")]


def _about_losses(report: dict[str, Any]) -> list[Note]:
    found = []
    examples, dropped = examples_in(report), sum(report["dropped"].values())
    if dropped > MANY_DROPPED * examples:
        reason, counts = next(iter(reasons_of(report["dropped"]).items()))
        remedy = _REMEDIES.get(reason, "Look at its samples: is the rule right for your text?")
        text = (
            f"{dropped:,} of {examples:,} examples were left out, most of them by `{reason}` "
            f"({counts.total():,}). {remedy}"
        )
        found.append(Note(text, "left-out"))
    faults = report["faults"]
    if faults > MANY_FAULTS * (examples + faults):
        text = (
            f"{faults:,} of {examples + faults:,} records could not be read"
            f"{_first_fault(report)}. Fix the files, or check `format`."
        )
        found.append(Note(text, "unreadable"))
    return found
