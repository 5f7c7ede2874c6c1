"""`report.html`: what `report.json` says, for people, on one page that needs nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from training.corpus.charts import bar, curve, histogram
from training.corpus.rules import RULES
from training.corpus.splits import SPLITS
from training.recipe import Recipe

SAMPLES_OF_A_RULE = 12
SAMPLES_KEPT = 20

#: What drops an example, but for the rules that a recipe can name.
_OTHER_REASONS = {
    "empty": "a side without any text",
    "source too long": "more tokens than corpus.max_source_tokens",
    "target too long": "more tokens than corpus.max_target_tokens",
    "also in train": "an exchange that stands in train as well",
    "also in dev": "stands in dev as well",
    "also in test": "stands in test as well",
}

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5c6675; --line: #dfe3e8;
  --paper: #fff; --card: #f6f7f9; --blue: #2f6fde; --orange: #d9822b; --green: #2d8a5b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #9aa4b2; --line: #323a46;
  --paper: #14181f; --card: #1c222b; --blue: #6ea0ff; --orange: #f0a35a; --green: #5cc792; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 68rem; padding: 2rem 1.5rem 5rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.7rem; margin: 0 } h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem }
h3 { font-size: .95rem; margin: 0 0 .4rem }
p { margin: .3rem 0 .8rem; color: var(--soft); max-width: 48rem }
.numbers { display: flex; flex-wrap: wrap; gap: .8rem; margin-top: 1.4rem }
.number { background: var(--card); border-radius: .6rem; padding: .7rem 1.1rem; min-width: 8.5rem }
.number b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums }
.number span { color: var(--soft); font-size: .85rem }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem }
.chart { background: var(--card); border-radius: .6rem; padding: .9rem 1.1rem }
.chart svg { width: 100%; height: auto; display: block }
.chart p { font-size: .85rem; margin: .3rem 0 0 }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th { text-align: left; color: var(--soft); font-weight: 500; border-bottom: 1px solid var(--line) }
td, th { padding: .35rem .7rem .35rem 0; vertical-align: top }
tr + tr td { border-top: 1px solid var(--line) }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td.origin { color: var(--soft); font: 12px ui-monospace, monospace; width: 22%;
  overflow-wrap: anywhere }
td.text { width: 39%; overflow-wrap: anywhere }
.bar { background: var(--line); border-radius: 3px; height: .55rem; min-width: 9rem;
  margin-top: .45rem }
.bar i { display: block; height: 100%; border-radius: 3px; background: var(--orange) }
details { border-top: 1px solid var(--line); padding: .5rem 0 }
summary { cursor: pointer; font-weight: 600 } summary span { color: var(--soft); font-weight: 400 }
.scroll { overflow-x: auto }
"""

Row = Sequence[str]


def render_page(report: dict[str, Any], recipe: Recipe) -> str:
    """The whole page, in HTML."""
    languages = " → ".join(recipe.languages) or "no languages named"
    parts = (
        _numbers(report),
        _section("What was left out, and why", _dropped(report), _about_rules(report)),
        _section("Sources", _sources(report)),
        _section("Parts in common", _common(report), _ABOUT_COMMON),
        _section("Lengths", _lengths(report, recipe), "In tokens, of the training part."),
        _section("Vocabulary", _vocabulary(report), _ABOUT_VOCABULARY),
        _section("Samples that were kept", _kept_samples(report)),
        _section("Samples that were left out", _dropped_samples(report)),
        _section("Records that could not be read", _faults(report)),
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width">'
        f"<title>{escape(recipe.name)}: corpus</title><style>{_STYLE}</style>"
        f"<h1>{escape(recipe.name)}</h1><p>Task <b>{recipe.task}</b>, {escape(languages)}. "
        f"Fingerprint {report['fingerprint'][:12]}.</p>{''.join(parts)}</html>\n"
    )


def _section(title: str, body: str, about: str = "") -> str:
    text = f"<p>{about}</p>" if about else ""
    return f"<h2>{title}</h2>{text}{body}" if body else ""


def _numbers(report: dict[str, Any]) -> str:
    dropped = sum(report["dropped"].values())
    numbers = [(report["kept"][part], f"rows of {part}") for part in SPLITS]
    numbers += [(dropped, "examples left out"), (report["faults"], "records unreadable")]
    boxes = (
        f'<div class="number"><b>{count:,}</b><span>{text}</span></div>' for count, text in numbers
    )
    return f'<div class="numbers">{"".join(boxes)}</div>'


def _by_reason(report: dict[str, Any]) -> dict[str, Counter[str]]:
    """Reason -> part -> examples, the most frequent reason first."""
    found: dict[str, Counter[str]] = {}
    for kind, count in report["dropped"].items():
        part, _, reason = kind.partition(": ")
        found.setdefault(reason, Counter())[part] += count
    return dict(sorted(found.items(), key=lambda item: -item[1].total()))


def _dropped(report: dict[str, Any]) -> str:
    reasons = _by_reason(report)
    examples = sum(report["dropped"].values()) + sum(
        sum(source["kept"].values()) for source in report["sources"]
    )
    most = max((counts.total() for counts in reasons.values()), default=1)
    rows = [
        (
            f"<b>{escape(reason)}</b>",
            _meaning(reason),
            f"{counts.total():,}",
            f"{100 * counts.total() / examples:.2f} %",
            bar(counts.total() / most),
            *(f"{counts[part]:,}" if counts[part] else "" for part in SPLITS),
        )
        for reason, counts in reasons.items()
    ]
    head = ("rule", "drops", "examples", "share", "", *SPLITS)
    return _table(head, rows, numbers=(2, 3, 5, 6, 7)) if rows else "<p>Nothing.</p>"


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
    return _table(head, rows, numbers=range(3, 8))


_ABOUT_COMMON = (
    "A model must not be tested on what it has learnt. Counted are examples of the first part that "
    "the other part has too, word for word; all but those between two parts that were given whole "
    "were then taken out of one of them."
)


def _common(report: dict[str, Any]) -> str:
    rows = []
    for kind, count in report["in_common"].items():
        what, _, parts = kind.partition(": ")
        rows.append((parts, what, f"{count:,}"))
    return _table(("parts", "what is equal", "examples"), rows, numbers=(2,))


def _lengths(report: dict[str, Any], recipe: Recipe) -> str:
    train = report["tokens"].get("train", {})
    limits = {"source": recipe.corpus.max_source_tokens, "target": recipe.corpus.max_target_tokens}
    charts = (
        f'<div class="chart"><h3>{side}</h3>'
        f"{histogram(numbers['lengths'], limits[side], f'var(--{colour})')}"
        f"<p>mean {numbers['mean']}, median {numbers['median']}, 95 % up to "
        f"{numbers['percentile_95']}, longest {numbers['longest']}; "
        f"{numbers['total']:,} tokens</p></div>"
        for (side, numbers), colour in zip(train.items(), ("blue", "green"), strict=False)
    )
    return f'<div class="charts">{"".join(charts)}</div>'


_ABOUT_VOCABULARY = (
    "How much of all text the most frequent pieces are; and how many pieces training sees at all, "
    "or often enough to learn what they mean."
)


def _vocabulary(report: dict[str, Any]) -> str:
    charts = []
    for side, numbers in report["tokens"].get("train", {}).items():
        unknown = ", ".join(
            f"{report['tokens'][part][side]['unknown_percent']:g} % of {part}"
            for part in SPLITS
            if part in report["tokens"]
        )
        charts.append(
            f'<div class="chart"><h3>{side}</h3>{curve(numbers["coverage"], "var(--blue)")}'
            f"<p>{numbers['pieces']:,} pieces; {numbers['pieces_seen']:,} seen, "
            f"{numbers['pieces_seen_100_times']:,} of them 100 times or more. "
            f"Unknown tokens: {unknown}.</p></div>"
        )
    return f'<div class="charts">{"".join(charts)}</div>'


def _samples(report: dict[str, Any], reason: str) -> list[Row]:
    """Origin, source and target of examples of all sources and parts in turn."""
    columns = [
        shown
        for source in report["sources"]
        for kind, shown in source["samples"].items()
        if kind.partition(": ")[2] == reason
    ]
    longest = max(map(len, columns), default=0)
    return [column[i] for i in range(longest) for column in columns if i < len(column)]


def _kept_samples(report: dict[str, Any]) -> str:
    return _sample_table(_samples(report, "kept")[:SAMPLES_KEPT])


def _dropped_samples(report: dict[str, Any]) -> str:
    return "".join(
        f"<details{' open' if number == 0 else ''}><summary>{escape(reason)} "
        f"<span>{counts.total():,}</span></summary>"
        f"{_sample_table(_samples(report, reason)[:SAMPLES_OF_A_RULE])}</details>"
        for number, (reason, counts) in enumerate(_by_reason(report).items())
    )


def _sample_table(samples: Iterable[Row]) -> str:
    rows = "".join(
        f'<tr><td class="origin">{escape(origin)}</td><td class="text">{escape(source)}</td>'
        f'<td class="text">{escape(target)}</td></tr>'
        for origin, source, target in samples
    )
    return f'<div class="scroll"><table>{rows}</table></div>'


def _faults(report: dict[str, Any]) -> str:
    shown = [line for source in report["sources"] for line in source["fault_samples"]]
    rows = "".join(f'<tr><td class="origin">{escape(line)}</td></tr>' for line in shown)
    return f"<table>{rows}</table>" if rows else ""


def _table(head: Row, rows: Iterable[Row], numbers: Iterable[int]) -> str:
    """Cells are HTML already."""
    right = set(numbers)
    classes = ['class="n"' if i in right else "" for i in range(len(head))]
    top = "".join(f"<th {kind}>{name}</th>" for kind, name in zip(classes, head, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td {kind}>{cell}</td>" for kind, cell in zip(classes, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{top}</tr>{body}</table></div>'
