from __future__ import annotations

import re
from typing import Any

from training.evaluation.answers import Answers, TestSet
from training.evaluation.page import Evaluation, render_page
from training.evaluation.significance import Comparison
from training.recipe import Recipe


def page_of(
    task: str, sources: list[str], texts: list[str], *, dev_fraction: float = 0.1, **changes: Any
) -> str:
    form = "exchanges" if task == "reply" else "pairs"
    values = {"name": "a", "task": task, "output": "a"}
    corpus = {"sources": [{"format": form, "path": "a.tsv"}], "dev_fraction": dev_fraction}
    recipe = Recipe.parse({**values, "corpus": corpus}, where="test")
    test_set = TestSet("test", tuple((source,) for source in sources), tuple(texts))
    given: dict[str, Any] = {
        "metrics": {"engine": "onnx"},
        "compared": [],
        "history": [],
        "unseen": {},
        **changes,
    }
    answered = [Answers("greedy", tuple(texts))]
    return render_page(Evaluation(recipe, "0" * 64, test_set, answered, **given))


def test_sources_are_grouped_by_length() -> None:
    page = page_of("translate", ["a", "a b c", "a b c d e f", "a"], ["w x y z"] * 4)
    groups = re.findall(r"<td>(\d+ to \d+) words</td><td class=\"n\">(\d+)</td>", page)
    assert groups[0] == ("1 to 1", "2")
    assert sum(int(count) for _, count in groups) == 4
    assert "100.00" in page


def test_sources_of_one_length_are_one_group() -> None:
    page = page_of("translate", ["a b", "c d"], ["x", "y"])
    assert re.findall(r"(\d+ to \d+) words", page) == ["2 to 2"]


def test_texts_cannot_leave_their_cells() -> None:
    page = page_of("reply", ["<b>hi</b>"], ["<script>"], unseen={"<i>": 2})
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "&lt;i&gt;" in page


def test_the_most_frequent_reply_comes_first() -> None:
    page = page_of("reply", ["a", "b", "c"], ["Yes.", "No.", "No."])
    assert page.index("<td>No.</td>") < page.index("<td>Yes.</td>")


def test_comparisons_and_curves_are_shown() -> None:
    history = [{"train_loss": 3.0, "loss": 2.5}, {"train_loss": 2.0, "loss": 2.25}]
    page = page_of(
        "translate",
        ["a"],
        ["x"],
        compared=[("runs/b greedy", "greedy", Comparison("BLEU", 20.0, 21.5, 0.004))],
        history=history,
    )
    assert "21.50" in page and "0.0040" in page
    assert page.count("<path") > 5
    assert "<h2>Training</h2>" not in page_of("translate", ["a"], ["x"], history=history[:1])


def test_curves_are_named_after_the_scored_split() -> None:
    history = [{"train_loss": 3.0, "loss": 2.5}, {"train_loss": 2.0, "loss": 2.25}]
    assert ">dev<" in page_of("reply", ["a"], ["x"], history=history)
    by_heart = page_of("reply", ["a"], ["x"], history=history, dev_fraction=0.0)
    assert ">train, without dropout<" in by_heart
    assert ">dev<" not in by_heart
