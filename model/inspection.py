"""Attention weights of a model, its soft alignment, as numbers and as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from model.networks.vectors import AttentionSeq2Seq
from model.types import Float32, Float64

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def attention_weights(model: keras.Model, inputs: Any, mask: Any = None) -> Float32 | Float64:
    """Returns the attention of each output to each step of the source, as in prediction: with the
    mask of the input and the current state of a stateful model, which is not changed.

    Args:
        model: an `AttentionSeq2Seq`, or a model with one inside; built.
        inputs: inputs of `model`.
        mask: bool, `(batch, source_len)`, True at real steps; None: the one that Keras carries.

    Returns:
        `(batch, output_length, source_len)`, rows sum to 1, 0 at masked steps.

    Raises:
        ValueError: if `model` is not built, does not contain exactly one `AttentionSeq2Seq`, or
            does not call it exactly once.
    """
    if not model.built:
        raise ValueError(f"attention_weights needs a built model. Call {model.name} once before")
    layer = _attention_model_in(model)
    attended, seen = layer.attended, []

    def record(*args: Any, **kwargs: Any) -> Any:
        outputs, weights = attended(*args, **kwargs)
        seen.append(weights)
        return outputs, weights

    before = [(each, ops.copy(each)) for each in kept_state(model)]
    layer.attended = record  # type: ignore[method-assign]
    try:
        model(inputs, training=False, **({} if mask is None else {"mask": mask}))
    finally:
        del layer.attended
        for variable, value in before:
            variable.assign(value)
    if len(seen) != 1:
        raise ValueError(
            f"attention_weights needs a model that calls its AttentionSeq2Seq once. {model.name} "
            f"called it {len(seen)} times"
        )
    exact = "float64" if layer.compute_dtype == "float64" else "float32"
    return np.asarray(ops.convert_to_numpy(ops.cast(seen[0], exact)))


def _attention_model_in(model: keras.Model) -> AttentionSeq2Seq:
    layers = {
        id(each): each for each in model._flatten_layers() if isinstance(each, AttentionSeq2Seq)
    }
    if len(layers) != 1:
        raise ValueError(
            "attention_weights needs a model with one AttentionSeq2Seq inside. Received: "
            f"{model.name}, which has {len(layers)}"
        )
    return next(iter(layers.values()))


def kept_state(model: keras.Model) -> list[Any]:
    """Returns the variables that a call of `model` may change: seeds, and the states of stateful
    layers, which Keras does not list among the variables of a layer."""
    states = [
        state
        for layer in model._flatten_layers()
        for state in keras.tree.flatten(getattr(layer, "states", None))
        if isinstance(state, keras.Variable)
    ]
    return [*model.non_trainable_variables, *states]


def plot_attention(
    weights: Float32,
    source: Sequence[str] | None = None,
    target: Sequence[str] | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Plots a soft alignment: a row for each output, a column for each source step, darker for more
    attention. Needs matplotlib.

    Args:
        weights: `(target_len, source_len)`, one example of `attention_weights`.
        source, target: names of the columns and of the rows.
        axes: axes to draw on; None: those of a new figure.

    Returns:
        the axes; `axes.figure.savefig("alignment.png")` saves the plot.

    Raises:
        ValueError: if the number of names does not match the rows or columns.
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
