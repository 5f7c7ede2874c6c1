"""Sheets that people fill in without knowing who answered, and what their marks say.

A sheet is a table with tabs. `judge.tsv` has each reply once, in random order; its judge writes 1
or 0 under `fitting` and `grammatical`. `prefer.tsv` has two replies to each message, in random
order; its judge writes A, B or = under `preferred`. `key.json` tells who answered.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.chat.measures import kappa

JUDGE, PREFER, KEY = "judge.tsv", "prefer.tsv", "key.json"
EQUAL = "="

Kind = Literal["message", "conversation"]

#: A sheet's columns for marks, and the marks that they take.
MARKS = {"fitting": "01", "grammatical": "01", "preferred": f"AB{EQUAL}"}


@dataclass(frozen=True)
class Answer:
    """A reply of a system.

    Attributes:
        system: who replied.
        kind: of what the message is a part.
        topic: of the message, or the conversation's number.
        turns: of the conversation until then, a person's and the system's in turn.
        reply: to the last of them.
    """

    system: str
    kind: Kind
    topic: str
    turns: tuple[str, ...]
    reply: str


def write_sheets(folder: Path, answers: Sequence[Answer], *, seed: int) -> None:
    """Writes the sheets and their key. The first system meets each of the others in `prefer.tsv`,
    over single messages."""
    rng = random.Random(seed)
    shuffled = rng.sample(answers, len(answers))
    rows = [[_shown(answer.turns), answer.reply, "", ""] for answer in shuffled]
    _write(folder / JUDGE, ["conversation", "reply", "fitting", "grammatical"], rows)
    pairs = _pairs(answers, rng)
    rows = [
        [_shown(a.turns), a.reply, b.reply, EQUAL if a.reply == b.reply else ""] for a, b in pairs
    ]
    if rows:
        _write(folder / PREFER, ["conversation", "A", "B", "preferred"], rows)
    key = {
        JUDGE: [
            {"system": each.system, "kind": each.kind, "topic": each.topic} for each in shuffled
        ],
        PREFER: [{"A": a.system, "B": b.system} for a, b in pairs],
    }
    (folder / KEY).write_text(json.dumps(key, indent=0) + "\n", "utf-8")


def score_sheets(key_file: Path, sheets: Sequence[Path]) -> str:
    """Describes what sheets of one kind say of each system, and how far their judges agree.

    Raises:
        SystemExit: if a mark is missing or unknown.
    """
    key = json.loads(key_file.read_text("utf-8"))
    tables = [_read(sheet) for sheet in sheets]
    if "preferred" in tables[0][0]:
        lines = _preferences(key[PREFER], tables)
    else:
        lines = _shares(key[JUDGE], tables)
    lines.append("")
    for column in [column for column in MARKS if column in tables[0][0]]:
        one, *others = [[row[column] for row in table] for table in tables]
        for number, other in enumerate(others, 2):
            agreed = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
            beyond = f"kappa {kappa(one, other):.2f}"
            lines.append(f"{column}: judges 1 and {number} agree in {agreed:.1%}, {beyond}")
    return "\n".join(lines)


def _shares(key: list[dict[str, str]], tables: list[list[dict[str, str]]]) -> list[str]:
    """Returns a table of the shares of fitting and of grammatical replies, for each judge."""
    lines = [
        "| judge | system | to | replies | fitting | grammatical |",
        "|---|---|---|---|---|---|",
    ]
    groups = dict.fromkeys((each["system"], each["kind"]) for each in key)
    for judge, table in enumerate(tables, 1):
        for system, kind in sorted(groups):
            rows = [
                row
                for each, row in zip(key, table, strict=True)
                if (each["system"], each["kind"]) == (system, kind)
            ]
            fitting, grammatical = (
                sum(row[column] == "1" for row in rows) / len(rows)
                for column in ("fitting", "grammatical")
            )
            lines.append(
                f"| {judge} | {system} | {kind}s | {len(rows)} "
                f"| {fitting:.1%} | {grammatical:.1%} |"
            )
    return lines


def _preferences(key: list[dict[str, str]], tables: list[list[dict[str, str]]]) -> list[str]:
    """Returns a table of which of two systems is preferred how often, for each judge."""
    lines = ["| judge | one | preferred | other | preferred | equal |", "|---|---|---|---|---|---|"]
    meetings = sorted({tuple(sorted(each.values())) for each in key})
    for judge, table in enumerate(tables, 1):
        for one, other in meetings:
            winners = Counter(
                each.get(row["preferred"], EQUAL)
                for each, row in zip(key, table, strict=True)
                if set(each.values()) == {one, other}
            )
            lines.append(
                f"| {judge} | {one} | {winners[one]} | {other} | {winners[other]} "
                f"| {winners[EQUAL]} |"
            )
    return lines


def _pairs(answers: Sequence[Answer], rng: random.Random) -> list[tuple[Answer, Answer]]:
    """Returns pairs of replies to one message, of the first system and another, either way."""
    by_system: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        if answer.kind == "message":
            by_system[answer.system].append(answer)
    first, *others = by_system.values()
    pairs = [pair for other in others for pair in zip(first, other, strict=True)]
    rng.shuffle(pairs)
    return [pair if rng.random() < 0.5 else pair[::-1] for pair in pairs]


def _shown(turns: Sequence[str]) -> str:
    """Returns turns on one line, each with its speaker."""
    return " / ".join(f"{'PB'[place % 2]}: {turn}" for place, turn in enumerate(turns))


def _write(path: Path, header: list[str], rows: list[list[str]]) -> None:
    lines = ["\t".join(["number", *header])]
    lines += ["\t".join([str(number), *row]) for number, row in enumerate(rows, 1)]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _read(path: Path) -> list[dict[str, str]]:
    header, *lines = path.read_text("utf-8").splitlines()
    columns = header.split("\t")
    table = [dict(zip(columns, line.split("\t"), strict=False)) for line in lines]
    for row in table:
        for column in (each for each in MARKS if each in columns):
            mark = row[column] = row.get(column, "").strip()
            if len(mark) != 1 or mark not in MARKS[column]:
                raise SystemExit(f"{path}, number {row['number']}: {column} is {mark!r}")
    return table
