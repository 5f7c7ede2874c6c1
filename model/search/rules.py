"""The options of requests as an array, one record for each.

Requests come and go between any two steps. An array is copied at once, and shows quickly which
features no request uses; objects would have to be read again, one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.search.requests import SearchRequest

Rules = NDArray[np.void]
Floats = NDArray[np.float64]

#: Bits of `uses`: the features of a request that cost time.
DRAWS, DIVERSITY, ATTENTION, COVERAGE, NGRAMS, MIN_TOKENS, PENALTY, BLOCKED, PREFIX = (
    1 << place for place in range(9)
)

#: Most fields are those of `SearchOptions`.
RULE = np.dtype(
    [
        ("uses", np.int32),
        ("source_length", np.int32),
        ("phrases", np.int32),  # required ones
        ("greatest_penalty", np.float64),  # length penalty of `max_tokens`
        ("beam_size", np.int32),
        ("max_tokens", np.int32),
        ("min_tokens", np.int32),
        ("no_repeat_ngram", np.int32),
        ("length_penalty", np.float64),
        ("coverage_penalty", np.float64),
        ("diversity", np.float64),
        ("repetition_penalty", np.float64),
        ("temperature", np.float64),
        ("top_k", np.int32),
        ("top_p", np.float64),
    ]
)
_BYTES = np.dtype((np.void, RULE.itemsize))


def rules_of(requests: Sequence[SearchRequest]) -> Rules:
    """Builds a record for each request, `(G,)`."""
    rules = np.array([_rule(request) for request in requests], RULE)
    rules["greatest_penalty"] = penalty(rules["max_tokens"], rules["length_penalty"])
    return rules


def joined(rules: Rules, more: Rules) -> Rules:
    """Concatenates both, `(G + H,)` of `(G,)` and `(H,)`; as bytes, since NumPy takes ten times as
    long for records."""
    return np.concatenate([rules.view(_BYTES), more.view(_BYTES)]).view(RULE)


def all_uses(rules: Rules) -> int:
    """Returns the features that any of the requests `(G,)` uses, as bits."""
    return int(np.bitwise_or.reduce(rules["uses"]))


def penalty(lengths: NDArray[np.int32], alpha: Floats | float) -> Floats:
    """Returns GNMT's length penalty `((5 + length) / 6) ** alpha` (Wu et al. 2016, eq. 14), in the
    shape of `lengths`, in tokens, the end included."""
    return np.asarray(((5.0 + lengths) / 6.0) ** alpha, np.float64)


def _rule(request: SearchRequest) -> tuple[float, ...]:
    options = request.options
    uses = (
        (options.temperature > 0 and DRAWS)
        | (options.diversity > 0 and DIVERSITY)
        | (request.follows_attention and ATTENTION)
        | (options.coverage_penalty > 0 and COVERAGE)
        | (options.no_repeat_ngram > 0 and NGRAMS)
        | (options.min_tokens > 0 and MIN_TOKENS)
        | (options.repetition_penalty != 1.0 and PENALTY)
        | (bool(request.blocked) and BLOCKED)
        | (bool(request.prefix_ids) and PREFIX)
    )
    return (
        uses,
        len(request.source_ids),
        len(request.required),
        0.0,  # the greatest penalty: computed for all at once
        options.beam_size,
        options.max_tokens,
        options.min_tokens,
        options.no_repeat_ngram,
        options.length_penalty,
        options.coverage_penalty,
        options.diversity,
        options.repetition_penalty,
        options.temperature,
        options.top_k,
        options.top_p,
    )
