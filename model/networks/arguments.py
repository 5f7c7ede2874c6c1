"""Checks of the vector models' arguments."""

from __future__ import annotations

import operator
from typing import Any

import keras

from model.layers.cells import STATE_NAMES

BatchShape = tuple[int | None, int | None, int]

#: Of `find_batch_shape`.
SHAPE_OPTIONS = (
    "input_shape",
    "batch_size",
    "batch_input_shape",
    "batch_shape",
    "input_dim",
    "input_length",
)
WEIGHT_OPTIONS = tuple(
    f"{weight}_{kind}"
    for kind in ("initializer", "regularizer")
    for weight in ("kernel", "recurrent", "bias")
)


def check_size(name: str, value: Any) -> int:
    """Returns `value` as a size.

    Raises:
        ValueError: if it is not a positive integer.
    """
    try:
        size = 0 if isinstance(value, bool) else operator.index(value)  # NumPy's integers too
    except TypeError:
        size = 0
    if size < 1:
        raise ValueError(f"{name} must be a positive integer. Received: {name}={value!r}")
    return size


def check_depth(depth: Any) -> tuple[int, int]:
    """Returns `depth` as (encoder, decoder).

    Raises:
        ValueError: if it is neither a size nor a pair of sizes.
    """
    both = depth if isinstance(depth, list | tuple) else (depth, depth)
    if len(both) != 2:
        raise ValueError(f"depth must be a number or (encoder, decoder). Received: depth={depth!r}")
    return check_size("depth", both[0]), check_size("depth", both[1])


def check_cell(cell: Any) -> str:
    """Returns the name of a cell, in lower case.

    Raises:
        ValueError: if the cell is unknown.
    """
    name = cell.lower() if isinstance(cell, str) else cell
    if name not in STATE_NAMES:
        raise ValueError(f"cell must be one of {', '.join(STATE_NAMES)}. Received: {cell!r}")
    return str(name)


def check_weight_options(options: dict[str, Any]) -> dict[str, Any]:
    """Returns the given initializers and regularizers as Keras saves them, so each layer builds
    its own: layers that share one initializer get the same values.

    Raises:
        ValueError: if Keras does not know the initializer or regularizer.
    """
    return {
        name: keras.initializers.serialize(keras.initializers.get(value))
        if name.endswith("initializer")
        else keras.regularizers.serialize(keras.regularizers.get(value))
        for name, value in options.items()
        if value is not None
    }


def find_batch_shape(
    input_shape: tuple[int | None, int] | None = None,
    batch_size: int | None = None,
    batch_input_shape: BatchShape | None = None,
    batch_shape: BatchShape | None = None,
    input_dim: int | None = None,
    input_length: int | None = None,
) -> BatchShape | None:
    """Returns `(batch_size, input_length, input_dim)` from the given arguments; None if there are
    none.

    Raises:
        ValueError: if they are incomplete, not sizes, or contradict each other.
    """
    sizes = {"batch_size": batch_size, "input_length": input_length, "input_dim": input_dim}
    for name, shape in (("batch_input_shape", batch_input_shape), ("batch_shape", batch_shape)):
        if shape is not None:
            return _check_shape(name, shape, sizes)
    if input_shape is not None:
        del sizes["batch_size"]
        shape = _check_shape("input_shape", input_shape, sizes)
        return (_check_optional("batch_size", batch_size), *shape)
    if input_dim is not None:
        size = _check_optional("batch_size", batch_size)
        length = _check_optional("input_length", input_length)
        return size, length, check_size("input_dim", input_dim)
    if input_length is not None or batch_size is not None:
        raise ValueError("input_dim is missing: batch_size and input_length require it")
    return None


def _check_shape(name: str, shape: Any, sizes: dict[str, int | None]) -> Any:
    """Checks a shape of `sizes`, of which those that are not None were given separately, too."""
    if not isinstance(shape, list | tuple) or len(shape) != len(sizes) or shape[-1] is None:
        raise ValueError(f"{name} must be ({', '.join(sizes)}). Received: {name}={shape!r}")
    for (size, given), each in zip(sizes.items(), shape, strict=True):
        if given is not None and given != each:
            raise ValueError(f"{size} contradicts {name}. Received: {size}={given}, {name}={shape}")
    return tuple(
        _check_optional(f"{name}'s {size}", each) for size, each in zip(sizes, shape, strict=True)
    )


def _check_optional(name: str, value: Any) -> int | None:
    return None if value is None else check_size(name, value)
