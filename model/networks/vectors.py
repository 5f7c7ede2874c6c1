"""Sequences of vectors in, sequences of vectors out: the models of the Keras `seq2seq` add-on.

`SimpleSeq2Seq`, `Seq2Seq` and `AttentionSeq2Seq` are Keras 3 models: compile and fit them as they
are, or use them as a layer of a bigger model. Masks of their input are respected.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.layers.cells import STATE_NAMES, build_recurrent, drop_features, zeros_like
from model.layers.encoders import ContextEncoder, RecurrentEncoder
from model.layers.feedback import FeedbackDecoder

Tensor = Any
Depth = int | tuple[int, int]


class VectorModel(keras.Model):
    """What the three models share: their arguments.

    Args:
        output_dim: size of each output vector, >= 1.
        output_length: how many there are, >= 1.
        hidden_dim: size of each cell; None: `output_dim`.
        input_shape: `(input_length, input_dim)`; the length may be None.
        batch_size: fixes the batch; a stateful model needs that.
        batch_input_shape: `(batch_size, input_length, input_dim)`, instead of the two before.
        input_dim, input_length: the same, one by one.
        depth: layers of encoder and of decoder, or `(encoder, decoder)`.
        dropout: rate at each layer's input while training.
        unroll: whether each step becomes a piece of graph of its own.
        stateful: begin each batch where the last one ended, row by row; see `reset_states`.
        cell: `lstm` or `gru`.

    Call arguments:
        inputs: `(batch, input_length, input_dim)`.
        mask: bool, `(batch, input_length)`, True at real steps.

    Returns:
        `(batch, output_length, output_dim)`.

    Raises:
        ValueError: if a size is missing or wrong; the message names the argument.
    """

    def __init__(
        self,
        output_dim: int,
        output_length: int,
        hidden_dim: int | None = None,
        input_shape: tuple[int | None, int] | None = None,
        batch_size: int | None = None,
        batch_input_shape: tuple[int | None, int | None, int] | None = None,
        input_dim: int | None = None,
        input_length: int | None = None,
        depth: Depth = 1,
        dropout: float = 0.0,
        unroll: bool = False,
        stateful: bool = False,
        cell: str = "lstm",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_dim = check_size("output_dim", output_dim)
        self.output_length = check_size("output_length", output_length)
        self.hidden_dim = check_size("hidden_dim", hidden_dim or output_dim)
        self.depth = check_depth(depth)
        self.dropout = dropout
        self.unroll = unroll
        self.stateful = stateful
        if cell not in STATE_NAMES:
            raise ValueError(f"cell must be one of {', '.join(STATE_NAMES)}. Received: {cell!r}")
        self.cell = cell
        self.batch_shape = find_batch_shape(
            input_shape, batch_size, batch_input_shape, input_dim, input_length
        )
        if stateful and (self.batch_shape is None or self.batch_shape[0] is None):
            raise ValueError(
                "a stateful model needs a fixed batch size. Give batch_size and an input shape, or "
                f"batch_input_shape. Received: batch_input_shape={self.batch_shape}"
            )

    def build_now(self) -> None:
        """Makes the weights, if the input shape is known. Called last by each `__init__`."""
        if self.batch_shape is not None:
            self.build(self.batch_shape)

    def check_input(self, shape: Any) -> tuple[int | None, int | None, int]:
        """The shape of one source as `(batch, length, features)`.

        Raises:
            ValueError: if it is no sequence of vectors.
        """
        if len(shape) != 3 or shape[-1] is None:
            raise ValueError(
                f"{type(self).__name__} reads sequences of vectors, (batch, input_length, "
                f"input_dim) with input_dim known. Received: input shape {tuple(shape)}"
            )
        return shape[0], shape[1], shape[2]

    def reset_states(self) -> None:
        """Lets a stateful model begin with zeros again."""
        for layer in self.layers:
            if hasattr(layer, "reset_state"):
                layer.reset_state()

    def get_config(self) -> dict[str, Any]:
        own = ("name", "output_dim", "output_length", "hidden_dim")
        own_options = ("depth", "dropout", "unroll", "stateful", "cell")
        return {
            **{name: getattr(self, name) for name in (*own, *own_options)},
            "batch_input_shape": self.batch_shape,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
        }


@keras.saving.register_keras_serializable("seq2seq")
class SimpleSeq2Seq(VectorModel):
    """Reads the source into one vector, and reads that vector at every step of the target.

        C = encoder(X), the last output;   y = decoder(C, C, ..., C)

    Encoder and decoder are plain stacks; the decoder's top layer has `output_dim` units and its
    output is y. Nothing else passes between them: use it where source and target elements have no
    order in common. Arguments as in `VectorModel`.
    """

    def __init__(self, output_dim: int, output_length: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(output_dim, output_length, *args, **kwargs)
        common: dict[str, Any] = {
            "cell": self.cell,
            "unroll": self.unroll,
            "stateful": self.stateful,
        }
        policy = self.dtype_policy
        self.encoder = RecurrentEncoder(
            self.hidden_dim,
            layers=self.depth[0],
            bidirectional=False,
            dropout=self.dropout,
            name="encoder",
            dtype=policy,
            **common,
        )
        widths = [self.hidden_dim] * (self.depth[1] - 1) + [self.output_dim]
        self.decoder = [
            build_recurrent(name=f"decoder_{i}", units=width, dtype=policy, **common)
            for i, width in enumerate(widths)
        ]
        self.noise = keras.layers.Dropout(self.dropout, name="noise", dtype=policy)
        self.build_now()

    def build(self, input_shape: Any) -> None:
        batch_size, length, features = self.check_input(input_shape)
        self.encoder.build((batch_size, length, features))
        width = self.hidden_dim
        for layer in self.decoder:
            layer.build((batch_size, self.output_length, width))
            width = layer.units
        self.built = True

    def call(self, inputs: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        _, states = self.encoder(inputs, mask=mask, training=training)
        sequence = ops.repeat(states[0][:, None], self.output_length, axis=1)
        for layer in self.decoder:
            sequence = drop_features(self.noise, sequence, training)
            sequence, *_ = layer(sequence, training=training)
        return sequence

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Every output is real."""


@keras.saving.register_keras_serializable("seq2seq")
class Seq2Seq(VectorModel):
    """Feeds each output back as the next input (Sutskever et al. 2014, arXiv:1409.3215).

        C, s_0 = encoder(X);   y_t = decoder(s_{t-1}, y_{t-1}),   y_0 = W C + b

    With `peek`, the decoder sees the context at every step (Cho et al. 2014, arXiv:1406.1078):
    y_t = decoder(s_{t-1}, [y_{t-1}; C]). Arguments as in `VectorModel`, and:

    Args:
        broadcast_state: the encoder's final state (h and c) is the decoder's first. With several
            states a side, the top ones of the encoder go to all of the decoder's.
        inner_broadcast_state: the cells of a stack share one state, which goes up the stack within
            a step and from its top to the bottom of the next; else each has its own.
        teacher_force: takes `[source, target]`, target `(batch, output_length, output_dim)`; while
            training, the decoder reads the target's y_{t-1}, otherwise its own.
        peek: see above.
    """

    def __init__(
        self,
        output_dim: int,
        output_length: int,
        *args: Any,
        broadcast_state: bool = True,
        inner_broadcast_state: bool = True,
        teacher_force: bool = False,
        peek: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(output_dim, output_length, *args, **kwargs)
        self.broadcast_state = broadcast_state
        self.inner_broadcast_state = inner_broadcast_state
        self.teacher_force = teacher_force
        self.peek = peek
        common: dict[str, Any] = {
            "cell": self.cell,
            "share_state": inner_broadcast_state,
            "dropout": self.dropout,
            "unroll": self.unroll,
            "dtype": self.dtype_policy,
        }
        self.encoder = ContextEncoder(
            self.hidden_dim,
            depth=self.depth[0],
            stateful=self.stateful,
            name="encoder",
            **common,
        )
        self.first_output = keras.layers.Dense(
            output_dim, name="first_output", dtype=self.dtype_policy
        )
        self.decoder = FeedbackDecoder(
            output_dim,
            self.hidden_dim,
            output_length,
            depth=self.depth[1],
            stateful=self.stateful and not broadcast_state,
            name="decoder",
            **common,
        )
        self.build_now()

    def build_now(self) -> None:
        if self.batch_shape is not None and self.teacher_force:
            self.build(
                [self.batch_shape, (self.batch_shape[0], self.output_length, self.output_dim)]
            )
        else:
            super().build_now()

    def build(self, input_shape: Any) -> None:
        source = input_shape[0] if self.teacher_force else input_shape
        batch_size, length, features = self.check_input(source)
        context = (batch_size, self.hidden_dim)
        self.encoder.build((batch_size, length, features))
        self.first_output.build(context)
        self.decoder.build((batch_size, self.output_dim), context if self.peek else None)
        self.built = True

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Tensor:
        source, teacher = inputs if self.teacher_force else (inputs, None)
        source_mask = mask[0] if isinstance(mask, list | tuple) else mask
        context, states = self.encoder(source, mask=source_mask, training=training)
        outputs, _ = self.decoder(
            self.first_output(context),
            state=self._handed_over(states) if self.broadcast_state else None,
            peeked=context if self.peek else None,
            teacher=teacher,
            training=training,
        )
        return outputs

    def _handed_over(self, states: list[Tensor]) -> list[Tensor]:
        top = states[-len(STATE_NAMES[self.cell]) :]
        return top * (self.decoder.state_count // len(top))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Every output is real."""

    def get_config(self) -> dict[str, Any]:
        own = ("broadcast_state", "inner_broadcast_state", "teacher_force", "peek")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@keras.saving.register_keras_serializable("seq2seq")
class AttentionSeq2Seq(VectorModel):
    """Looks at all of the source for each output (Bahdanau et al. 2015, arXiv:1409.0473).

        H = encoder(X);   y_i = decoder(s_{i-1}, [y_{i-1}; v_i])
        v_i = sum_j alpha_ij H_j,   alpha_i = softmax_j a(s_{i-1}, H_j)

    y_0 and s_0 are zeros: no state is handed over. Arguments as in `VectorModel`, and:

    Args:
        bidirectional: whether the encoder reads in both directions, `hidden_dim` each.
        attention: a, one of `additive`, `dot`, `general`, `concat`, `multihead`.
    """

    def __init__(
        self,
        output_dim: int,
        output_length: int,
        *args: Any,
        bidirectional: bool = True,
        attention: str = "additive",
        **kwargs: Any,
    ) -> None:
        super().__init__(output_dim, output_length, *args, **kwargs)
        self.bidirectional = bidirectional
        self.attention = attention
        common: dict[str, Any] = {
            "cell": self.cell,
            "dropout": self.dropout,
            "unroll": self.unroll,
            "stateful": self.stateful,
            "dtype": self.dtype_policy,
        }
        self.encoder = RecurrentEncoder(
            self.hidden_dim,
            layers=self.depth[0],
            bidirectional=bidirectional,
            name="encoder",
            **common,
        )
        self.decoder = FeedbackDecoder(
            output_dim,
            # dot products need queries as wide as the encoder's outputs
            self.encoder.width if attention == "dot" else self.hidden_dim,
            output_length,
            depth=self.depth[1],
            attention=attention,
            name="decoder",
            **common,
        )
        self.build_now()

    def build(self, input_shape: Any) -> None:
        batch_size, length, features = self.check_input(input_shape)
        self.encoder.build((batch_size, length, features))
        values = (batch_size, length, self.encoder.width)
        self.decoder.build((batch_size, self.output_dim), values_shape=values)
        self.built = True

    def call(self, inputs: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        return self.attended(inputs, mask, training)[0]

    def attended(
        self, inputs: Tensor, mask: Tensor | None = None, training: bool = False
    ) -> tuple[Tensor, Tensor]:
        """What `call` returns, and alpha: `(batch, output_length, input_length)`."""
        values, _ = self.encoder(inputs, mask=mask, training=training)
        first = zeros_like(values[:, 0], self.output_dim)
        return self.decoder(first, values=values, mask=mask, training=training)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Every output is real."""

    def get_config(self) -> dict[str, Any]:
        own = ("bidirectional", "attention")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def check_size(name: str, value: Any) -> int:
    """`value` as a size.

    Raises:
        ValueError: if it is no whole number from 1 up.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number from 1 up. Received: {name}={value!r}")
    return value


def check_depth(depth: Any) -> tuple[int, int]:
    """`depth` as (encoder, decoder)."""
    both = depth if isinstance(depth, list | tuple) else (depth, depth)
    if len(both) != 2:
        raise ValueError(f"depth must be a number or (encoder, decoder). Received: depth={depth!r}")
    return check_size("depth", both[0]), check_size("depth", both[1])


def find_batch_shape(
    input_shape: tuple[int | None, int] | None,
    batch_size: int | None,
    batch_input_shape: tuple[int | None, int | None, int] | None,
    input_dim: int | None,
    input_length: int | None,
) -> tuple[int | None, int | None, int] | None:
    """`(batch_size, input_length, input_dim)` from whichever arguments were given; None if none.

    Raises:
        ValueError: if they are incomplete.
    """
    if batch_input_shape is not None:
        if len(batch_input_shape) != 3 or batch_input_shape[-1] is None:
            raise ValueError(
                "batch_input_shape must be (batch_size, input_length, input_dim). Received: "
                f"batch_input_shape={batch_input_shape}"
            )
        return tuple(batch_input_shape)  # type: ignore[return-value]
    if input_shape is not None:
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise ValueError(
                "input_shape must be (input_length, input_dim). Received: "
                f"input_shape={input_shape}"
            )
        return (batch_size, *input_shape)
    if input_dim is not None:
        return (batch_size, input_length, check_size("input_dim", input_dim))
    if input_length is not None or batch_size is not None:
        raise ValueError("input_dim is missing: batch_size and input_length need it beside them")
    return None
