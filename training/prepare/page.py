"""`report.html`: a self-contained page that presents `report.json`. Its template is
`report.html.jinja`."""

from __future__ import annotations

import re
from typing import Any

import jinja2
from markupsafe import Markup, escape

from training.cleaning.rules import RULES
from training.prepare.advice import examples_in, expectation_of, has_few, notes_of, reasons_of
from training.prepare.charts import curve, histogram
from training.prepare.splits import MIN_EXAMPLES, SPLITS
from training.recipe import Recipe

SAMPLES_OF_A_RULE = 12
SAMPLES_KEPT = 20
_CODE = re.compile("`([^`]+)`")

#: Reasons to drop an example, apart from the rules that a recipe can name.
_OTHER_REASONS = {
    "empty": "a side without any text",
    "source too long": "more tokens than corpus.max_source_tokens or, to be translated, "
    "tokenizer.max_source_tokens",
    "target too long": "more tokens than corpus.max_target_tokens",
    "also in train": "an example that also occurs in train",
    "also in dev": "an example that also occurs in dev",
    "also in test": "an example that also occurs in test",
}
_HOW = {
    "given": "The sources set their splits; nothing was drawn.",
    "fractions": "Drawn by conversation, film or source sentence, in the given fractions.",
    "groups": "Drawn by conversation, film or source sentence, but more than the given "
    "fractions, so that dev and test are large enough to score.",
    "stretches": "Drawn within conversations, films or sources, since there are too few of them: "
    "the last examples are held out. Scores are better than on another film.",
}
_COLOURS = {"source": "var(--blue)", "target": "var(--green)"}


def render_page(report: dict[str, Any], recipe: Recipe) -> str:
    """Renders the page as HTML."""
    notes = notes_of(report, recipe)
    return load_template("training.prepare", "report.html.jinja").render(
        report=report,
        recipe=recipe,
        parts=SPLITS,
        least_examples=MIN_EXAMPLES,
        names=_side_names(recipe),
        notes=notes,
        is_amber=bool(notes) or has_few(report, recipe),
        expectation=expectation_of(report, recipe),
        faults=_faults(report),
        active_rules=[
            rule["rule"]
            for rule in report["made_from"]["corpus"]["rules"]
            if rule["rule"] not in report["inactive_rules"]
        ],
        dropped=_dropped(report),
        how=_HOW[report["drawn"]["how"]],
        in_common=_in_common(report),
        sides=_sides(report, recipe),
        kept_samples=_samples(report, "kept")[:SAMPLES_KEPT],
    )


def load_template(package: str, name: str) -> jinja2.Template:
    """Loads a template of `package`, which may include those of `training.prepare`."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(each, ".") for each in (package, "training.prepare")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["code"] = _with_code
    return environment.get_template(name)


def _with_code(text: str) -> Markup:
    """Returns a sentence with `code` in it as HTML."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def _faults(report: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {"line": line, "place": _short(line, source["folder"])}
        for source in report["sources"]
        for line in source["fault_samples"]
    ]


def _dropped(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns each reason to drop an example with its count, share and samples."""
    reasons = reasons_of(report["dropped"])
    examples = examples_in(report)
    most = max((counts.total() for counts in reasons.values()), default=1)
    return [
        {
            "reason": reason,
            "meaning": _meaning(reason),
            "count": counts.total(),
            "percent": 100 * counts.total() / examples,
            "bar_percent": max(1.0, 100 * counts.total() / most),
            "parts": ", ".join(f"{counts[part]:,} {part}" for part in SPLITS if counts[part]),
            "samples": _samples(report, reason)[:SAMPLES_OF_A_RULE],
        }
        for reason, counts in reasons.items()
    ]


def _meaning(reason: str) -> str:
    if reason in RULES:
        sentence = " ".join((RULES[reason].__doc__ or "").split()).partition(". ")[0]
        return sentence.partition(";")[0].replace("`", "")
    return _OTHER_REASONS.get(reason, "")


def _in_common(report: dict[str, Any]) -> list[dict[str, Any]]:
    found = [(*kind.partition(": "), count) for kind, count in report["in_common"].items()]
    return [{"parts": parts, "what": what, "count": count} for what, _, parts, count in found]


def _sides(report: dict[str, Any], recipe: Recipe) -> list[dict[str, Any]]:
    """Returns lengths and vocabulary of both sides of the training split."""
    tokens, names = report["tokens"], _side_names(recipe)
    limits = {"source": recipe.corpus.max_source_tokens, "target": recipe.corpus.max_target_tokens}
    return [
        {
            **numbers,
            "name": names[side],
            "length_chart": Markup(histogram(numbers["lengths"], limits[side], _COLOURS[side])),
            "piece_chart": Markup(curve(numbers["coverage"], _COLOURS["source"])),
            "unknown": ", ".join(
                f"{tokens[part][side]['unknown_percent']:g} % of {part}"
                for part in SPLITS
                if part in tokens
            ),
        }
        for side, numbers in tokens["train"].items()
    ]


def _side_names(recipe: Recipe) -> dict[str, str]:
    """Returns the displayed names of the sides of an example."""
    if recipe.task == "reply":
        return {"source": "message", "target": "reply"}
    return {"source": "source", "target": "target"}


def _samples(report: dict[str, Any], reason: str) -> list[dict[str, str]]:
    """Returns samples of one reason, alternating between sources and splits."""
    columns = [
        [
            {
                "place": _short(origin, source["folder"]),
                "origin": origin,
                "source": sides[0],
                "target": sides[1],
            }
            for origin, *sides in shown
        ]
        for source in report["sources"]
        for kind, shown in source["samples"].items()
        if kind.rpartition(": ")[2] == reason
    ]
    longest = max(map(len, columns), default=0)
    return [column[i] for i in range(longest) for column in columns if i < len(column)]


def _short(origin: str, folder: str) -> str:
    """Returns a location relative to the folder of its source."""
    return origin.removeprefix(f"{folder}/") if folder else origin
