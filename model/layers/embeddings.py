"""Embeddings, and the output projection to scores over a vocabulary."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.types import Tensor


def build_embedding(vocab_size: int, units: int, *, name: str) -> keras.layers.Embedding:
    """Builds a table of `(vocab_size, units)` whose rows are initialized to a norm of about 1.

    If the table is also the output matrix, its logits and gradients are then on the scale of the
    readouts. With Keras' default initializer, U(-0.05, 0.05), they are so small that a tied network
    learns word frequencies and no more.
    """
    return keras.layers.Embedding(
        vocab_size,
        units,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=units**-0.5),
        name=name,
    )


class OutputProjection(keras.layers.Layer):
    """Scores for every word of a vocabulary: `logits = W readout + b`.

    Args:
        vocab_size: columns of the logits.
        tied_to: an embedding whose table serves as W (Press and Wolf 2017, arXiv:1608.05859); its
            units must equal those of the readout. None: W is a separate weight.

    Call arguments:
        readouts: `(..., units)`.
        matrix: `self.matrix()`, precomputed by callers that run many steps.

    Returns:
        logits `(..., vocab_size)`, float32.
    """

    def __init__(
        self, vocab_size: int, tied_to: keras.layers.Embedding | None = None, **kwargs: Any
    ) -> None:
        super().__init__(autocast=False, **kwargs)
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
        """Returns W transposed, `(units, vocab_size)`. On a CPU, multiplying by it is faster than
        by W, and each row's result does not depend on the number of rows."""
        if self.tied_to is not None:
            return ops.transpose(self.tied_to.embeddings)
        return ops.convert_to_tensor(self.kernel)

    def call(self, readouts: Tensor, matrix: Tensor | None = None) -> Tensor:
        matrix = ops.cast(self.matrix() if matrix is None else matrix, readouts.dtype)
        return ops.cast(ops.matmul(readouts, matrix), "float32") + ops.cast(self.bias, "float32")
