"""The length penalty of hypotheses' scores."""

from __future__ import annotations

import numpy as np

from model.types import Float64, Int32


def length_penalty(lengths: Int32, alpha: Float64 | float) -> Float64:
    """Returns GNMT's length penalty `((5 + length) / 6) ** alpha` (Wu et al. 2016, eq. 14), in the
    shape of `lengths`, in tokens, the end included."""
    return np.asarray(((5.0 + lengths) / 6.0) ** alpha, np.float64)
