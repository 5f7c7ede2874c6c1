from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from training.prepare import pass2_deduplicate as duplicates
from training.prepare.chunks import write_chunk
from training.prepare.pass1_select import CANDIDATES
from training.prepare.pass2_deduplicate import VERDICTS, deduplicate
from training.prepare.splits import SPLITS

#: (part, given as one, key, near key, talk key)
Candidate = tuple[str, bool, int, int, int]


def verdicts_of(
    folder: Path,
    candidates: Sequence[Candidate],
    *,
    is_bilingual: bool = True,
    rules: frozenset[str] = frozenset({"duplicate", "near_duplicate"}),
) -> tuple[list[str], Counter[str]]:
    chunks = []
    parts = np.array([SPLITS.index(part) for part, *_ in candidates], np.uint8)
    for number, some in enumerate((candidates[:2], [], candidates[2:])):
        columns = [
            pa.array([["a"]] * len(some), pa.list_(pa.string())),
            pa.array(["b"] * len(some), pa.string()),
            pa.array(["f:1"] * len(some), pa.string()),
            pa.array([0] * len(some), pa.uint64()),
            pa.array([each[1] for each in some], pa.bool_()),
            *(pa.array([each[i] for each in some], pa.uint64()) for i in (2, 2, 3, 4)),
        ]
        chunks.append(folder / f"{number}.arrow")
        write_chunk(chunks[-1], CANDIDATES, [pa.record_batch(columns, schema=CANDIDATES)], {})
    found, common = deduplicate(chunks, parts, is_bilingual=is_bilingual, rules=rules)
    return [VERDICTS[verdict] for verdict in found], common


def test_of_equal_pairs_the_first_is_kept(tmp_path: Path) -> None:
    train = [("train", False, key, near, 0) for key, near in ((7, 1), (8, 1), (7, 1), (9, 3))]
    found, _ = verdicts_of(tmp_path, train)
    assert found == ["kept", "near_duplicate", "duplicate", "kept"]
    found, _ = verdicts_of(tmp_path, train, rules=frozenset({"duplicate"}))
    assert found == ["kept", "kept", "duplicate", "kept"]
    assert verdicts_of(tmp_path, train, rules=frozenset())[0] == ["kept"] * 4


def test_a_pair_of_two_parts_stays_in_the_one_that_is_held_out(tmp_path: Path) -> None:
    candidates = [
        ("train", False, 7, 1, 0),
        ("dev", False, 7, 1, 0),
        ("test", False, 7, 1, 0),
        ("train", False, 8, 2, 0),
        ("dev", False, 8, 2, 0),
        ("train", False, 9, 3, 0),
    ]
    found, common = verdicts_of(tmp_path, candidates)
    assert found == ["also in test", "also in test", "kept", "also in dev", "kept", "kept"]
    assert common == {
        "pairs: train and dev": 2,
        "pairs: train and test": 1,
        "pairs: dev and test": 1,
    }


def test_a_drawn_split_loses_near_duplicates_of_train(tmp_path: Path) -> None:
    candidates = [
        ("train", False, 1, 1, 0),
        ("test", False, 2, 1, 0),
        ("train", False, 3, 2, 0),
        ("test", True, 4, 2, 0),
        ("dev", False, 5, 3, 0),
        ("test", False, 6, 3, 0),
    ]
    found, common = verdicts_of(tmp_path, candidates)
    assert found == ["kept", "also in train", "also in test", "kept", "also in test", "kept"]
    assert common == {
        "near duplicates: train and test": 2,
        "near duplicates: dev and test": 1,
    }
    assert verdicts_of(tmp_path, candidates, rules=frozenset({"duplicate"}))[0] == ["kept"] * 6


def test_given_parts_stay_whole(tmp_path: Path) -> None:
    candidates = [
        ("dev", True, 7, 1, 0),
        ("test", True, 7, 1, 0),
        ("test", True, 7, 1, 0),
        ("train", False, 7, 1, 0),
        ("test", False, 8, 2, 0),
        ("dev", True, 8, 2, 0),
    ]
    found, common = verdicts_of(tmp_path, candidates)
    assert found == ["kept", "kept", "kept", "also in test", "also in dev", "kept"]
    assert common["pairs: dev and test"] == 2


def test_what_people_say_often_stays_in_train(tmp_path: Path) -> None:
    exchanges = [
        ("train", False, 7, 1, 0),
        ("train", False, 7, 1, 0),
        ("dev", False, 7, 1, 0),
        ("train", False, 8, 2, 0),
        ("test", True, 8, 2, 0),
    ]
    found, common = verdicts_of(tmp_path, exchanges, is_bilingual=False, rules=frozenset())
    assert found == ["kept", "kept", "also in train", "also in test", "kept"]
    assert common["exchanges: train and dev"] == 2


def test_the_same_conversation_leaves_train(tmp_path: Path) -> None:
    exchanges = [
        ("train", False, 7, 1, 70),
        ("dev", False, 8, 2, 70),
        ("train", False, 9, 3, 71),
        ("train", False, 9, 3, 72),
    ]
    found, common = verdicts_of(tmp_path, exchanges, is_bilingual=False, rules=frozenset())
    assert found == ["also in dev", "kept", "kept", "kept"]
    assert common["conversations: train and dev"] == 1


def test_rounds_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(1)
    candidates = [
        (
            SPLITS[draw.integers(3)],
            bool(draw.integers(2)),
            int(draw.integers(1, 60)),
            int(draw.integers(1, 30)),
            0,
        )
        for _ in range(200)
    ]
    at_once = verdicts_of(tmp_path, candidates)
    monkeypatch.setattr(duplicates, "ROUND_KEYS", 9)
    assert verdicts_of(tmp_path, candidates) == at_once
    assert set(at_once[0]) == set(VERDICTS)


def test_no_candidates_have_no_verdicts() -> None:
    parts = np.zeros(0, np.uint8)
    found, common = deduplicate([], parts, is_bilingual=True, rules=frozenset())
    assert len(found) == 0
    assert not common
