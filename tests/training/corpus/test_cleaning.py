from __future__ import annotations

from typing import Any

import pytest

from training.corpus.cleaning import Cleaner, digest_of, is_empty
from training.corpus.shards import Row
from training.corpus.splits import Split
from training.recipe import Recipe


def cleaner(task: str = "translate") -> Cleaner:
    source = {"format": "pairs" if task == "translate" else "exchanges", "path": "a.tsv"}
    corpus = {"sources": [source], "max_source_tokens": 5, "max_target_tokens": 4}
    values = {"name": "a", "task": task, "output": "runs/a", "corpus": corpus}
    return Cleaner(Recipe.parse(values, where="test"))


def row(source_ids: list[int], target_ids: list[int], *turns: str) -> Row:
    return Row(source_ids, target_ids, turns or ("a",), "b", "file:1")


def refusal(judge: Cleaner, each: Row, part: Split, **given: Any) -> str | None:
    options = {"source_len": len(each.source_ids), "is_published": False, **given}
    return judge.refusal(each, part, **options)


@pytest.mark.parametrize("each", [row([3], [7]), row([], [7]), row([7, 3], [])])
def test_an_empty_side_is_refused_everywhere(each: Row) -> None:
    assert is_empty(each)
    assert refusal(cleaner(), each, "train") == "empty side"
    assert refusal(cleaner(), each, "test", is_published=True) == "empty side"


@pytest.mark.parametrize("said", ["", " \t"])
def test_an_unsaid_turn_has_no_reply_though_one_before_it_is_read(said: str) -> None:
    assert refusal(cleaner("reply"), row([7, 3], [8], "hi", said), "train") == "empty side"
    assert refusal(cleaner("reply"), row([7, 3], [8], said, "hi"), "train") is None


def test_limits_count_tokens_and_are_kept_when_just_met() -> None:
    judge = cleaner()
    assert refusal(judge, row([7, 7, 7, 7, 3], [8, 8, 8, 8]), "train") is None
    assert refusal(judge, row([7, 7, 7, 7, 7, 3], [8]), "train") == "source too long"
    assert refusal(judge, row([7, 3], [8] * 5), "train") == "target too long"


def test_what_was_cut_off_a_source_counts() -> None:
    assert refusal(cleaner(), row([7, 3], [8]), "train", source_len=6) == "source too long"


def test_a_published_set_stays_whole() -> None:
    judge = cleaner()
    pair = row([7] * 9 + [3], [8] * 9)
    assert refusal(judge, pair, "test", is_published=True) is None
    short = row([7, 3], [8])
    assert refusal(judge, short, "train") is None
    assert refusal(judge, short, "test", is_published=True) is None
    assert judge.is_in_train(short)
    assert not judge.is_in_train(pair)


def test_a_drawn_set_holds_nothing_of_train() -> None:
    judge = cleaner()
    assert refusal(judge, row([7, 3], [8]), "train") is None
    assert refusal(judge, row([7, 3], [8]), "dev") == "also in train"
    assert refusal(judge, row([7, 3], [9]), "dev") is None


def test_what_train_refused_may_stand_in_dev() -> None:
    judge = cleaner()
    refusal(judge, row([7, 3], [8]), "train", source_len=99)
    assert refusal(judge, row([7, 3], [8]), "dev") is None


def test_pairs_are_learned_once_and_exchanges_as_often_as_they_are_said() -> None:
    pairs, dialogues = cleaner("translate"), cleaner("reply")
    for judge, second in ((pairs, "duplicate"), (dialogues, None)):
        assert refusal(judge, row([7, 3], [8]), "train") is None
        assert refusal(judge, row([7, 3], [8]), "train") == second


def test_a_token_counts_on_its_side_only() -> None:
    assert digest_of(row([7, 8], [9])) != digest_of(row([7], [8, 9]))
    assert digest_of(row([7, 8], [9])) == digest_of(row([7, 8], [9]))
