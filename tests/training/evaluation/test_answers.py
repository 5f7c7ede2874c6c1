from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import CorpusError
from training.evaluation.answers import Answers, TestSet, read_answers, write_answers

ASKED = TestSet("test", (("a", "b"), ("c",)), ("B", "C"))


def test_answers_are_kept_and_read_again(tmp_path: Path) -> None:
    answered = [Answers("beam4", ("x", "")), Answers("greedy", ("y\nz", "w"))]
    write_answers(tmp_path, ASKED, answered)
    kept = tmp_path / "evaluation"
    assert (kept / "test.source.txt").read_text() == "a\tb\nc\n"
    assert (kept / "test.reference.txt").read_text() == "B\nC\n"
    assert read_answers(tmp_path, ASKED) == [
        Answers("beam4", ("x", "")),
        Answers("greedy", ("y z", "w")),
    ]


def test_answers_to_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="has no answers to test"):
        read_answers(tmp_path, ASKED)
    write_answers(tmp_path, ASKED, [Answers("greedy", ("x", "y"))])
    with pytest.raises(CorpusError, match="other references"):
        read_answers(tmp_path, TestSet("test", ASKED.sources, ("B", "D")))
