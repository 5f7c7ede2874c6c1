"""What a model looked at: its soft alignment, as numbers and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from model.networks.vectors import AttentionSeq2Seq

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def attention_weights(
    model: AttentionSeq2Seq, inputs: Any, mask: Any = None
) -> NDArray[np.float32]:
    """How much each output of `model` looked at each step of its source.

    Args:
        model: built.
        inputs: `(batch, source_len, features)`.
        mask: bool, `(batch, source_len)`, True at real steps.

    Returns:
        `(batch, output_length, source_len)`, rows sum to 1, 0 at masked steps.
    """
    _, weights = model.attended(ops.convert_to_tensor(inputs), mask)
    return np.asarray(ops.convert_to_numpy(weights), np.float32)


def plot_attention(
    weights: NDArray[np.float32],
    source: Sequence[str] | None = None,
    target: Sequence[str] | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Draws a soft alignment: a row for each output, a column for each source step, dark where it
    looked. Needs matplotlib.

    Args:
        weights: `(target_len, source_len)`, one example of `attention_weights`.
        source, target: names of the columns and of the rows.
        axes: where to draw; None: on a new figure.

    Returns:
        the axes; `axes.figure.savefig("alignment.png")` keeps them.

    Raises:
        ValueError: if the names are not as many as the rows and columns.
    """
    import matplotlib.pyplot as plt

    if weights.ndim != 2:
        raise ValueError(f"weights must be (target_len, source_len). Received: {weights.shape}")
    for names, size, side in (
        (source, weights.shape[1], "source"),
        (target, len(weights), "target"),
    ):
        if names is not None and len(names) != size:
            raise ValueError(f"{side} must have {size} names. Received: {len(names)}")
    axes = plt.subplots()[1] if axes is None else axes
    axes.imshow(weights, cmap="Greys", vmin=0.0, vmax=1.0, aspect="auto")
    if source is not None:
        axes.set_xticks(range(len(source)), source, rotation=90)
    if target is not None:
        axes.set_yticks(range(len(target)), target)
    axes.set_xlabel("source")
    axes.set_ylabel("target")
    return axes
