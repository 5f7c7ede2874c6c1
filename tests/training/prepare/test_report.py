from __future__ import annotations

import json

from training.prepare.report import SAMPLES_SHOWN, Tally


def tally_of(numbers: range) -> Tally:
    tally = Tally()
    for i in numbers:
        tally.add("even" if i % 2 == 0 else "odd", f"f:{i}", f"source {i}", "x" * 1000)
    return tally


def test_counts_and_samples_do_not_depend_on_the_pieces() -> None:
    whole = tally_of(range(1000))
    pieces = [tally_of(range(i, i + 100)) for i in reversed(range(0, 1000, 100))]
    added = Tally()
    for piece in pieces:
        added.merge(Tally.from_json(json.loads(json.dumps(piece.to_json()))))
    assert json.dumps(added.to_json()) == json.dumps(whole.to_json())
    assert whole.counts == {"even": 500, "odd": 500}


def test_samples_are_few_short_and_drawn_from_everywhere() -> None:
    samples = tally_of(range(1000)).to_json()["samples"]["even"]
    assert len(samples) == SAMPLES_SHOWN
    origins = [int(origin.removeprefix("f:")) for _, origin, _, _ in samples]
    assert max(origins) > 500 > min(origins)
    assert all(len(target) <= 200 for *_, target in samples)
