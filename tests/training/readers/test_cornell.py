from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import CorpusError
from training.files.records import Example, Fault
from training.readers.cornell import read_cornell

SEPARATOR = " +++$+++ "
LINES = (
    ("L1", "u0", "m0", "ANNA", "Who knows?"),
    ("L2", "u1", "m0", "BEN", "A caf\u00e9 \u2013 there."),
    ("L3", "u0", "m0", "ANNA", ""),
    ("L4", "u2", "m1", "CLEO", "Good."),
    ("L5", "u3", "m1", "DAN", "Bye."),
)
CONVERSATIONS = (
    ("u0", "u1", "m0", "['L1', 'L2', 'L3']"),
    ("u2", "u3", "m1", "['L4', 'L9']"),
    ("u2", "u3", "m1", "['L4', 'L5']"),
)


@pytest.fixture(params=["utf-8", "utf-8-sig", "cp1252"])
def corpus(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    for name, rows in (("lines", LINES), ("conversations", CONVERSATIONS)):
        text = "".join(SEPARATOR.join(row) + "\r\n" for row in rows)
        (tmp_path / f"movie_{name}.txt").write_bytes(text.encode(request.param))
    return tmp_path / "movie_conversations.txt"


def test_conversations_take_their_lines_in_any_usual_encoding(corpus: Path) -> None:
    assert list(read_cornell(corpus)) == [
        Example(("Who knows?",), "A caf\u00e9 \u2013 there.", "m0", f"{corpus}:1:2"),
        Example(("Who knows?", "A caf\u00e9 \u2013 there."), "", "m0", f"{corpus}:1:3"),
        Fault(f"{corpus}:2", "expected two users, a film and names of known lines"),
        Example(("Good.",), "Bye.", "m1", f"{corpus}:3:2"),
    ]


def test_a_line_with_too_few_columns_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "movie_lines.txt").write_text("L1 +++$+++ u0\n")
    path = tmp_path / "movie_conversations.txt"
    path.write_text("u0 +++$+++ u1\n")
    records = list(read_cornell(path))
    assert [record.origin for record in records] == [
        f"{tmp_path / 'movie_lines.txt'}:1",
        f"{path}:1",
    ]
    assert all(isinstance(record, Fault) for record in records)


def test_missing_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "movie_conversations.txt"
    path.write_text("")
    with pytest.raises(CorpusError, match=r"beside movie_lines\.txt"):
        list(read_cornell(path))


def test_damaged_bytes_leave_the_rest_of_utf8_as_it_is(tmp_path: Path) -> None:
    lines = "".join(SEPARATOR.join(row) + "\n" for row in LINES)
    conversations = "".join(SEPARATOR.join(row) + "\n" for row in CONVERSATIONS)
    (tmp_path / "movie_lines.txt").write_bytes(lines.encode().replace(b"Good", b"G\xe9d"))
    path = tmp_path / "movie_conversations.txt"
    path.write_text(conversations)
    texts = [each.target for each in read_cornell(path) if isinstance(each, Example)]
    assert texts[0] == "A caf\u00e9 \u2013 there."
