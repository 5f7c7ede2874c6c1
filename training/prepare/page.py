"""`report.html`: a self-contained page that shows `report.json` to people."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Any, NamedTuple

from training.cleaning.rules import RULES
from training.prepare.advice import examples_in, expectation_of, has_few, notes_of, reasons_of
from training.prepare.charts import bar, curve, histogram
from training.prepare.markup import STYLE, number_card, section, table
from training.prepare.splits import LEAST_EXAMPLES, SPLITS
from training.recipe import Recipe

SAMPLES_OF_A_RULE = 12
SAMPLES_KEPT = 20
_CODE = re.compile("`([^`]+)`")

#: Reasons to drop an example, apart from the rules that a recipe can name.
_OTHER_REASONS = {
    "empty": "a side without any text",
    "source too long": "more tokens than corpus.max_source_tokens",
    "target too long": "more tokens than corpus.max_target_tokens",
    "also in train": "an exchange that train has too",
    "also in dev": "an example that dev has too",
    "also in test": "an example that test has too",
}


class Sample(NamedTuple):
    """An example to show: its place, relative and in full, and its sides."""

    place: str
    origin: str
    source: str
    target: str


def render_page(report: dict[str, Any], recipe: Recipe) -> str:
    """Builds the whole page, in HTML."""
    languages = " → ".join(recipe.languages) or "no languages named"
    parts = (
        _verdict(report, recipe),
        _numbers(report),
        section("Records that could not be read", _faults(report), _ABOUT_FAULTS, "unreadable"),
        section("What was left out, and why", _dropped(report), _about_rules(report), "left-out"),
        section("Sources", _sources(report)),
        section("Parts", _common(report), _HOW[report["drawn"]["how"]], "parts"),
        section("Lengths", _lengths(report, recipe), "In tokens, of the training part."),
        section("Vocabulary", _vocabulary(report, recipe), _ABOUT_VOCABULARY, "vocabulary"),
        section("Samples that were kept", _kept_samples(report, recipe)),
        section("Samples that were left out", _dropped_samples(report, recipe)),
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width">'
        f"<title>{escape(recipe.name)}: corpus</title><style>{STYLE}</style>"
        f"<h1>{escape(recipe.name)}</h1><p>Task <b>{recipe.task}</b>, {escape(languages)}. "
        f"Fingerprint {report['fingerprint'][:12]}.</p>{''.join(parts)}</html>\n"
    )


def _verdict(report: dict[str, Any], recipe: Recipe) -> str:
    notes = notes_of(report, recipe)
    items = "".join(
        f"<li>{_to_html(note.text)}"
        + (f' <a href="#{note.place}">Look</a>' if note.place else "")
        + "</li>"
        for note in notes
    )
    is_amber = bool(notes) or has_few(report, recipe)
    text = expectation_of(report, recipe)
    if not is_amber:
        text += " Dev and test are large enough to be scored."
    return (
        f'<div class="verdict{" amber" if is_amber else ""}">'
        f"<b>{'Before you train' if is_amber else 'Ready to train'}</b>"
        f"<p>{text}</p>{f'<ul>{items}</ul>' if items else ''}</div>"
    )


def _to_html(text: str) -> str:
    """Converts a sentence with `code` in it to HTML."""
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))


def _numbers(report: dict[str, Any]) -> str:
    kept, faults = report["kept"], report["faults"]
    boxes = [
        number_card(
            kept[part],
            f"rows of {part}",
            is_amber=part != "train" and kept[part] < LEAST_EXAMPLES,
        )
        for part in SPLITS
    ]
    boxes.append(
        number_card(sum(report["dropped"].values()), "examples left out", place="left-out")
    )
    boxes.append(number_card(faults, "records unreadable", place="unreadable" if faults else ""))
    return f'<div class="numbers">{"".join(boxes)}</div>'


_ABOUT_FAULTS = "Each is skipped; the rest of its file is used. Mend these first."


def _faults(report: dict[str, Any]) -> str:
    rows = [
        (f'<span title="{escape(line)}">{escape(_short(line, source["folder"]))}</span>',)
        for source in report["sources"]
        for line in source["fault_samples"]
    ]
    return table(("place and reason",), rows) if rows else ""


def _dropped(report: dict[str, Any]) -> str:
    reasons = reasons_of(report["dropped"])
    examples = examples_in(report)
    most = max((counts.total() for counts in reasons.values()), default=1)
    rows = [
        (
            f"<b>{escape(reason)}</b>",
            _meaning(reason),
            f"{counts.total():,}",
            f"{100 * counts.total() / examples:.2f} %",
            bar(counts.total() / most),
            ", ".join(f"{counts[part]:,} {part}" for part in SPLITS if counts[part]),
        )
        for reason, counts in reasons.items()
    ]
    head = ("rule", "drops", "examples", "share", "", "of parts")
    return table(head, rows, numbers=(2, 3, 5)) if rows else "<p>Nothing.</p>"


def _meaning(reason: str) -> str:
    if reason in RULES:
        sentence = " ".join((RULES[reason].__doc__ or "").split()).partition(". ")[0]
        return escape(sentence.partition(";")[0].replace("`", ""))
    return _OTHER_REASONS.get(reason, "")


def _about_rules(report: dict[str, Any]) -> str:
    applied = [rule["rule"] for rule in report["made_from"]["corpus"]["rules"]]
    inactive = report["inactive_rules"]
    text = f"Rules: {', '.join(name for name in applied if name not in inactive) or 'none'}."
    for name, reason in inactive.items():
        text += f" <b>Not applied: {name}</b> ({escape(reason)})."
    return text


def _sources(report: dict[str, Any]) -> str:
    rows = []
    for each in report["sources"]:
        source, kept = each["source"], each["kept"]
        repeat = f" &times; {source['repeat']:g}" if source["repeat"] != 1 else ""
        rows.append(
            (
                f"<b>{escape(source['path'])}</b> {escape(source['target_path'])}",
                f"{source['format']}{repeat}",
                source["split"],
                *(f"{kept.get(part, 0):,}" for part in SPLITS),
                f"{sum(each['dropped'].values()):,}",
                f"{each['faults']:,}",
            )
        )
    head = ("path", "format", "split", *SPLITS, "left out", "unreadable")
    return table(head, rows, numbers=range(3, 8))


_HOW = {
    "given": "Each part was given by its sources; nothing was drawn.",
    "fractions": "Drawn by conversation, film or source sentence, as many as the fractions say.",
    "groups": "Drawn by conversation, film or source sentence, more of them than the fractions "
    "say, so that dev and test can be scored.",
    "stretches": "Drawn within conversations, films or sources, since there are too few of them: "
    "the last examples are held out. Scores are better than on another film.",
}
_ABOUT_COMMON = (
    "A model must not be tested on what it has learnt. These are examples of the first part that "
    "the other part has too, word for word. They were dropped from one of the two parts, unless "
    "both were given whole."
)


def _common(report: dict[str, Any]) -> str:
    rows = []
    for kind, count in report["in_common"].items():
        what, _, parts = kind.partition(": ")
        if count:
            rows.append((parts, what, f"{count:,}"))
    total = sum(report["in_common"].values())
    shown = table(("parts", "what is equal", "examples"), rows, numbers=(2,)) if rows else ""
    return (
        f"<details{' open' if rows else ''}><summary>What parts had in common "
        f"<span>{total:,}</span></summary><p>{_ABOUT_COMMON}</p>{shown}</details>"
    )


def _lengths(report: dict[str, Any], recipe: Recipe) -> str:
    train = report["tokens"].get("train", {})
    names = _side_names(recipe)
    limits = {"source": recipe.corpus.max_source_tokens, "target": recipe.corpus.max_target_tokens}
    charts = (
        f'<div class="chart"><h3>{names[side]}</h3>'
        f"{histogram(numbers['lengths'], limits[side], f'var(--{colour})')}"
        f"<p>mean {numbers['mean']}, median {numbers['median']}, 95 % up to "
        f"{numbers['percentile_95']}, longest {numbers['longest']}; "
        f"{numbers['total']:,} tokens</p></div>"
        for (side, numbers), colour in zip(train.items(), ("blue", "green"), strict=False)
    )
    return f'<div class="charts">{"".join(charts)}</div>'


_ABOUT_VOCABULARY = (
    "The share of the text that the most frequent pieces make up, and the number of pieces that "
    "training sees at all, or often enough to learn their meaning."
)


def _vocabulary(report: dict[str, Any], recipe: Recipe) -> str:
    charts = []
    for side, numbers in report["tokens"].get("train", {}).items():
        unknown = ", ".join(
            f"{report['tokens'][part][side]['unknown_percent']:g} % of {part}"
            for part in SPLITS
            if part in report["tokens"]
        )
        charts.append(
            f'<div class="chart"><h3>{_side_names(recipe)[side]}</h3>'
            f"{curve(numbers['coverage'], 'var(--blue)')}"
            f"<p>{numbers['pieces']:,} pieces; {numbers['pieces_seen']:,} seen, "
            f"{numbers['pieces_seen_100_times']:,} of them 100 times or more. "
            f"Unknown tokens: {unknown}.</p></div>"
        )
    return f'<div class="charts">{"".join(charts)}</div>'


def _side_names(recipe: Recipe) -> dict[str, str]:
    """Returns the displayed names of the sides of an example."""
    if recipe.task == "reply":
        return {"source": "message", "target": "reply"}
    return {"source": "source", "target": "target"}


def _samples(report: dict[str, Any], reason: str) -> list[Sample]:
    """Returns samples of one reason, alternating between sources and parts."""
    columns = [
        [Sample(_short(origin, source["folder"]), origin, *sides) for origin, *sides in shown]
        for source in report["sources"]
        for kind, shown in source["samples"].items()
        if kind.rpartition(": ")[2] == reason
    ]
    longest = max(map(len, columns), default=0)
    return [column[i] for i in range(longest) for column in columns if i < len(column)]


def _short(origin: str, folder: str) -> str:
    """Returns a place relative to the folder of its source."""
    return origin.removeprefix(f"{folder}/") if folder else origin


def _kept_samples(report: dict[str, Any], recipe: Recipe) -> str:
    return _sample_table(_samples(report, "kept")[:SAMPLES_KEPT], recipe)


def _dropped_samples(report: dict[str, Any], recipe: Recipe) -> str:
    return "".join(
        f"<details{' open' if number == 0 else ''}><summary>{escape(reason)} "
        f"<span>{counts.total():,}</span></summary>"
        f"{_sample_table(_samples(report, reason)[:SAMPLES_OF_A_RULE], recipe)}</details>"
        for number, (reason, counts) in enumerate(reasons_of(report["dropped"]).items())
    )


def _sample_table(samples: Iterable[Sample], recipe: Recipe) -> str:
    names = _side_names(recipe)
    head = f"<tr><th>place</th><th>{names['source']}</th><th>{names['target']}</th></tr>"
    rows = "".join(
        f'<tr><td class="origin" title="{escape(each.origin)}">{escape(each.place)}</td>'
        f'<td class="text">{escape(each.source)}</td>'
        f'<td class="text">{escape(each.target)}</td></tr>'
        for each in samples
    )
    return f'<div class="scroll"><table>{head}{rows}</table></div>'
