"""The options of requests as a structured array, one record per request.

An array shows quickly which features no request uses; objects would have to be read one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from model.search.requests import SearchRequest
from model.types import Float64, Int32

OptionsTable = NDArray[np.void]

#: Bits of `features`: features of a request that cost time.
SAMPLING, DIVERSITY, ATTENTION, COVERAGE, NGRAMS, MIN_TOKENS, REPETITION, BLOCKED, PREFIX = (
    1 << place for place in range(9)
)

#: The numbers of `SearchOptions` that a search reads from the table. They are not derived from that
#: class, as pydantic would take 10 MiB of a worker.
NUMBERS: dict[str, type[np.generic]] = {
    "beam_size": np.int32,
    "length_penalty": np.float64,
    "min_tokens": np.int32,
    "max_tokens": np.int32,
    "coverage_penalty": np.float64,
    "diversity": np.float64,
    "no_repeat_ngram": np.int32,
    "repetition_penalty": np.float64,
    "temperature": np.float64,
    "top_k": np.int32,
    "top_p": np.float64,
}

OPTIONS_DTYPE = np.dtype(
    [
        ("features", np.int32),
        ("source_length", np.int32),
        ("phrases", np.int32),  # number of required phrases
        ("max_length_penalty", np.float64),  # length penalty of `max_tokens`
        *NUMBERS.items(),
    ]
)

#: Returns these numbers.
_numbers = attrgetter(*NUMBERS)


def options_table(requests: Sequence[SearchRequest]) -> OptionsTable:
    """Builds one record per request, `(G,)`."""
    table = np.array([_record(request) for request in requests], OPTIONS_DTYPE)
    table["max_length_penalty"] = length_penalty(table["max_tokens"], table["length_penalty"])
    return table


def length_penalty(lengths: Int32, alpha: Float64 | float) -> Float64:
    """Returns GNMT's length penalty `((5 + length) / 6) ** alpha` (Wu et al. 2016, eq. 14), in the
    shape of `lengths`, in tokens, the end included."""
    return np.asarray(((5.0 + lengths) / 6.0) ** alpha, np.float64)


def all_features(table: OptionsTable) -> int:
    """Returns the features that any of the requests `(G,)` uses, as bits."""
    return int(np.bitwise_or.reduce(table["features"]))


def _record(request: SearchRequest) -> tuple[float, ...]:
    options = request.options
    features = (
        (options.temperature > 0 and SAMPLING)
        | (options.diversity > 0 and DIVERSITY)
        | (request.needs_attention and ATTENTION)
        | (options.coverage_penalty > 0 and COVERAGE)
        | (options.no_repeat_ngram > 0 and NGRAMS)
        | (options.min_tokens > 0 and MIN_TOKENS)
        | (options.repetition_penalty != 1.0 and REPETITION)
        | (bool(request.blocked) and BLOCKED)
        | (bool(request.prefix_ids) and PREFIX)
    )
    own = len(request.source_ids), len(request.required)
    return (features, *own, 0.0, *_numbers(options))  # 0: computed for all at once
