"""Shortlists hold what a corpus says beside a word, and what it says most often."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.engine.keras import load_network
from model.engine.onnx import OnnxEngine
from model.engine.shortlist import Shortlist, ShortlistColumns
from model.errors import FolderError
from model.folder import load_folder
from model.tokenizer import BOS_ID
from model.types import Int32
from training.export.calibration import Ranges
from training.export.export import graph_files, shortlist_files
from training.export.shortlist import build_shortlist, list_proposals, translation_table
from training.prepare.prepare import open_prepared
from training.recipe import Recipe


def ids(*values: int) -> Int32:
    return np.array(values, np.int32)


def test_words_that_stand_together_are_likely() -> None:
    # 1 goes with 11 and 2 with 12; 10 stands everywhere, beside 0.
    sources = [ids(0, 1), ids(0, 2), ids(0, 1, 2), ids(0)]
    targets = [ids(10, 11), ids(10, 12), ids(10, 11, 12), ids(10)]
    pairs, chances = translation_table(sources, targets, 20)
    table = {(int(p) // 20, int(p) % 20): float(c) for p, c in zip(pairs, chances, strict=True)}
    assert table[1, 11] > 0.7
    assert table[2, 12] > 0.7
    assert table[0, 10] > 0.7
    for source in range(3):
        own = [chance for (s, _), chance in table.items() if s == source]
        np.testing.assert_allclose(sum(own), 1.0)


def test_proposals_leave_out_what_every_source_has() -> None:
    frequent = ids(10, 11, 12, *range(10), *range(13, 20))
    proposals = list_proposals([ids(1)], [ids(10, 11)], 3, frequent, always=1)
    assert proposals[1, 0] == 11
    assert set(proposals[1, 1:]) == {10}
    assert set(proposals[2]) == {10}


@pytest.fixture
def shortlist() -> Shortlist:
    draw = np.random.default_rng(0)
    return Shortlist(
        frequent=draw.permutation(50).astype(np.int32),
        likely=draw.integers(0, 50, (30, 4)).astype(np.int32),
        always=5,
        size=12,
        columns=draw.integers(-63, 64, (51, 8)).astype(np.int8),
        scales=np.ones(51, np.float32),
        bias=np.arange(51, dtype=np.float32),
    )


def test_every_source_has_equally_many_candidates(shortlist: Shortlist) -> None:
    sources = np.array([[3, 4, 5, 6], [7, 0, 0, 0]], np.int32)
    found = shortlist.candidates(sources, np.array([4, 1]))
    assert found["candidates"].shape == (2, 12)
    columns = ShortlistColumns(shortlist).columns_for(found["candidates"])
    for row, tokens in enumerate(found["candidates"]):
        assert (np.diff(tokens) > 0).all() and tokens[-1] == 50
        assert set(shortlist.frequent[:5]) <= set(tokens)
        np.testing.assert_array_equal(columns[row], shortlist.columns[tokens].T)
        np.testing.assert_array_equal(found["bias"][row, 0], tokens)
    assert set(shortlist.likely[7]) <= set(found["candidates"][1])
    # The likeliest of each source token come first.
    assert set(shortlist.likely[[3, 4, 5, 6], 0]) <= set(found["candidates"][0])


def test_words_that_are_left_out_keep_their_probability(
    fitted: Path, make_recipe: Callable[..., Recipe]
) -> None:
    train = open_prepared(make_recipe(fitted)).train
    network = load_network(load_folder(fitted / "model"))
    ranges = Ranges(network)
    graphs, few = graph_files(network, "int8", ranges), build_shortlist(network, train, 8, ranges)
    engine = OnnxEngine(
        *graphs.values(), shortlist=tuple(shortlist_files(network, few, ranges).values())
    )
    sources = np.stack(train.sources.take(np.arange(20)))
    rows, lengths = np.arange(20), np.full(20, sources.shape[1])
    found = []
    for use_shortlist in (False, True):
        table = engine.new_table(1, use_shortlist=use_shortlist)
        table.insert(rows, engine.encode(sources, lengths, np.full(20, use_shortlist)), rows)
        found.append(table.step(None, np.full((20, 1), BOS_ID, np.int32), 20))
    free, held = found
    for row in rows:
        places = {token: place for place, token in enumerate(free.tokens[row, 0].tolist())}
        kept = [places[token] for token in held.tokens[row, 0].tolist()]
        assert len(kept) == 7
        expected = free.logprobs[row, 0, kept]
        assert np.exp(expected).sum() < 0.95  # others have some
        assert held.logprobs[row, 0] == pytest.approx(expected, abs=0.1)


def test_columns_follow_the_candidates_of_their_slots(shortlist: Shortlist) -> None:
    columns = ShortlistColumns(shortlist)
    candidates = np.stack([shortlist.tokens(np.array([token], np.int32)) for token in (3, 4, 5, 6)])
    for slots in ([0], [0, 1, 2], [1, 0], [3, 2, 1]):
        now = candidates[slots]
        columns.invalidate(np.arange(len(slots)))
        np.testing.assert_array_equal(
            columns.columns_for(now), shortlist.columns[now].transpose(0, 2, 1)
        )


def test_a_shortlist_is_stored_whole(shortlist: Shortlist) -> None:
    again = Shortlist.from_bytes(shortlist.to_bytes())
    np.testing.assert_array_equal(again.likely, shortlist.likely)
    assert (again.always, again.size) == (5, 12)


def test_a_damaged_shortlist_is_refused(shortlist: Shortlist) -> None:
    whole = shortlist.to_bytes()
    array, arrays = io.BytesIO(), io.BytesIO()
    np.save(array, shortlist.bias)
    zeros: dict[str, Any] = {each.name: np.zeros((2, 2)) for each in fields(shortlist)}
    np.savez(arrays, **zeros)
    cut = [whole[:size] for size in range(0, len(whole), 7)]
    for stored in (b"no arrays", array.getvalue(), arrays.getvalue(), *cut):
        with pytest.raises(FolderError, match="export it again"):
            Shortlist.from_bytes(stored)


def test_no_damaged_number_of_a_shortlist_is_read(shortlist: Shortlist) -> None:
    whole, refused = shortlist.to_bytes(), 0
    places = range(0, len(whole), 3)
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 255
        try:
            found = Shortlist.from_bytes(bytes(damaged))
        except FolderError:
            refused += 1
        else:
            np.testing.assert_array_equal(found.columns, shortlist.columns)
            np.testing.assert_array_equal(found.likely, shortlist.likely)
    assert refused > len(places) / 2
