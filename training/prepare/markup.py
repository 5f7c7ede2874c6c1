"""Pieces of HTML for `page.py`: the style sheet, sections, tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5c6675; --line: #dfe3e8;
  --paper: #fff; --card: #f6f7f9; --blue: #2f6fde; --orange: #d9822b; --green: #2d8a5b;
  --amber: #b5730c; --amber-card: #fff5e3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #9aa4b2; --line: #323a46;
  --paper: #14181f; --card: #1c222b; --blue: #6ea0ff; --orange: #f0a35a; --green: #5cc792;
  --amber: #f0b35a; --amber-card: #2a2213; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 68rem; padding: 2rem 1.5rem 5rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.7rem; margin: 0 } h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem }
h3 { font-size: .95rem; margin: 0 0 .4rem }
p { margin: .3rem 0 .8rem; color: var(--soft); max-width: 48rem }
a { color: var(--blue); text-decoration: none } a:hover { text-decoration: underline }
.verdict { background: var(--card); border-left: 4px solid var(--green); border-radius: .6rem;
  padding: .9rem 1.2rem; margin-top: 1.4rem }
.verdict.amber { background: var(--amber-card); border-color: var(--amber) }
.verdict b { font-size: 1.1rem } .verdict p { color: var(--ink); margin: .2rem 0 0 }
.verdict ul { margin: .6rem 0 0; padding-left: 1.2rem } .verdict li { margin: .25rem 0 }
.numbers { display: flex; flex-wrap: wrap; gap: .8rem; margin-top: 1.4rem }
.number { background: var(--card); border-radius: .6rem; padding: .7rem 1.1rem; min-width: 8.5rem }
.number.amber { background: var(--amber-card) } .number.amber b { color: var(--amber) }
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


def section(title: str, body: str, about: str = "", place: str = "") -> str:
    """Builds a section of headline, paragraph and body; nothing without a body."""
    text = f"<p>{about}</p>" if about else ""
    name = f' id="{place}"' if place else ""
    return f"<h2{name}>{title}</h2>{text}{body}" if body else ""


def number_card(count: int, text: str, *, place: str = "", is_amber: bool = False) -> str:
    """Builds a card of a large number and its caption, a link to section `place` if given."""
    shown = f'<a href="#{place}">{text}</a>' if place else text
    kind = " amber" if is_amber else ""
    return f'<div class="number{kind}"><b>{count:,}</b><span>{shown}</span></div>'


def table(head: Row, rows: Iterable[Row], numbers: Iterable[int] = ()) -> str:
    """Builds a table of HTML cells; columns of `numbers` are right-aligned."""
    right = set(numbers)
    classes = [' class="n"' if i in right else "" for i in range(len(head))]
    top = "".join(f"<th{kind}>{name}</th>" for kind, name in zip(classes, head, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(classes, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{top}</tr>{body}</table></div>'
