"""What is found by looking up, against what is found by comparing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model.search.blocked import BlockedBatch, BlockedSequences

#: So few that sequences are said often.
TOKENS = st.integers(4, 6)
SEQUENCES = st.lists(st.lists(TOKENS, min_size=1, max_size=4), max_size=12)
#: What each hypothesis of a request has said.
BEAM = st.lists(st.lists(TOKENS, max_size=6), min_size=1, max_size=3)


@settings(max_examples=300)
@given(requests=st.lists(st.tuples(SEQUENCES, BEAM), min_size=1, max_size=4))
def test_a_sequence_is_found_before_its_last_token(
    requests: list[tuple[list[list[int]], list[list[int]]]],
) -> None:
    blocked = BlockedBatch([BlockedSequences.build(sequences) for sequences, _ in requests])
    rows = [(place, said) for place, (_, beam) in enumerate(requests) for said in beam]
    longest = 1 + max(len(said) for _, said in rows)
    # What follows a row's own tokens means nothing: it must not be read.
    tokens = np.array([[*s] + [4] * (longest - len(s)) for _, s in rows], np.int32)
    places = np.array([place for place, _ in rows])
    lengths = np.array([len(said) for _, said in rows], np.int32)
    last_tokens = np.array([(said or [4])[-1] for _, said in rows], np.int32)
    found, last = blocked.completions(tokens, lengths, last_tokens, places)
    singles = blocked.singles(places)
    candidates = np.tile(np.arange(9, dtype=np.int32), (len(rows), 1))
    barred = np.zeros(candidates.shape, bool) if singles is None else singles.contains(candidates)
    assert singles is None or singles.max_per_row == barred.sum(axis=1).max()
    for row, (place, said) in enumerate(rows):
        sequences = requests[place][0]
        assert set(np.flatnonzero(barred[row])) == {s[0] for s in sequences if len(s) == 1}
        expected = {
            s[-1]
            for s in sequences
            if len(s) > 1 and said[len(said) - len(s) + 1 :] == s[:-1] and len(said) >= len(s) - 1
        }
        assert set(last[found == row].tolist()) == expected
