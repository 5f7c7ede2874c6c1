"""Ids to vectors, and vectors back to scores over a vocabulary."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.types import Tensor


def build_embedding(vocab_size: int, units: int, *, name: str) -> keras.layers.Embedding:
    """Builds a table of `(vocab_size, units)` whose rows have a norm of about 1 at first.

    A table that is also the output matrix then gives logits, and passes back gradients, of the size
    of its readouts. Keras' own initialiser, U(-0.05, 0.05), makes both so small that a tied network
    learns word frequencies and stays there.
    """
    return keras.layers.Embedding(
        vocab_size,
        units,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=units**-0.5),
        name=name,
    )


class OutputProjection(keras.layers.Layer):
    """Scores of every word of a vocabulary: `logits = W readout + b`.

    Args:
        vocab_size: columns of the logits.
        tied_to: an embedding whose table serves as W (Press and Wolf 2017, arXiv:1608.05859); its
            units must be those of the readout. None: W is a weight of its own.

    Call arguments:
        readouts: `(..., units)`.
        matrix: `self.matrix()`, for a caller that multiplies many times.

    Returns:
        logits `(..., vocab_size)`.
    """

    def __init__(
        self, vocab_size: int, tied_to: keras.layers.Embedding | None = None, **kwargs: Any
    ) -> None:
        super().__init__(
            autocast=False, **kwargs
        )  # a caller may want exact logits of rough readouts
        self.vocab_size = vocab_size
        self.tied_to = tied_to

    def build(self, readouts_shape: Any) -> None:
        if self.tied_to is None:
            self.kernel = self.add_weight(
                shape=(readouts_shape[-1], self.vocab_size),
                initializer=keras.initializers.RandomNormal(stddev=readouts_shape[-1] ** -0.5),
                name="kernel",
            )
        self.bias = self.add_weight(shape=(self.vocab_size,), initializer="zeros", name="bias")
        self.built = True

    def matrix(self) -> Tensor:
        """Returns W transposed, `(units, vocab_size)`. On a CPU a product with it is faster than
        one with W, and its rows do not depend on their number."""
        if self.tied_to is not None:
            return ops.transpose(self.tied_to.embeddings)
        return ops.convert_to_tensor(self.kernel)

    def call(self, readouts: Tensor, matrix: Tensor | None = None) -> Tensor:
        matrix = ops.cast(self.matrix() if matrix is None else matrix, readouts.dtype)
        return ops.matmul(readouts, matrix) + ops.cast(self.bias, readouts.dtype)
