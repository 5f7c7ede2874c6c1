"""Vector-to-vector sequence models: those of the Keras `seq2seq` add-on.

`SimpleSeq2Seq`, `Seq2Seq` and `AttentionSeq2Seq` are Keras 3 models: compile and fit them
directly, or use them as layers of a larger model. They respect input masks. Their positional
arguments follow the add-on's order, which differs between the models.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.layers.cells import STATE_NAMES, build_recurrent, drop_features, zeros_like
from model.layers.context import ContextEncoder
from model.layers.encoders import RecurrentEncoder
from model.layers.feedback import FeedbackDecoder, dense_options
from model.networks.arguments import BatchShape
from model.networks.vector_base import Depth, VectorModel
from model.types import Tensor


@keras.saving.register_keras_serializable("seq2seq")
class SimpleSeq2Seq(VectorModel):
    """A model that encodes the source as one vector and feeds it to every step of the target.

        C = encoder(X), the last output;   y = decoder(C, C, ..., C)

    Encoder and decoder are plain stacks; the decoder's top layer has `output_dim` units and its
    output is y. Nothing else connects them: use it if source and target elements are not in
    the same order. Arguments as in `VectorModel`, and:

    Args:
        activation: of the decoder's top layer. None: the cell's own, `tanh`, which keeps y in
            (-1, 1).
    """

    def __init__(
        self,
        output_dim: int,
        output_length: int | None,
        hidden_dim: int | None = None,
        input_shape: tuple[int | None, int] | None = None,
        batch_size: int | None = None,
        batch_input_shape: BatchShape | None = None,
        input_dim: int | None = None,
        input_length: int | None = None,
        depth: Depth = 1,
        dropout: float = 0.0,
        unroll: bool = False,
        stateful: bool = False,
        *,
        activation: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            output_dim,
            output_length,
            hidden_dim=hidden_dim,
            input_shape=input_shape,
            batch_size=batch_size,
            batch_input_shape=batch_input_shape,
            input_dim=input_dim,
            input_length=input_length,
            depth=depth,
            dropout=dropout,
            unroll=unroll,
            stateful=stateful,
            activation="tanh" if activation is None else activation,
            teacher_force=False,
            **kwargs,
        )
        self._add_layers()
        self.build_if_shape_known()

    def _add_layers(self) -> None:
        self.encoder = RecurrentEncoder(
            self.hidden_dim,
            depth=self.depth[0],
            bidirectional=False,
            input_dropout=0.0,
            stateful=self.stateful,
            name="encoder",
            **self.recurrent_options(),
        )
        self.decoder = self._decoder()
        self.noise = keras.layers.Dropout(self.dropout, name="noise", dtype=self.dtype_policy)

    def _decoder(self) -> list[keras.layers.RNN]:
        """Builds a stack of plain layers; the top one has the units and the activation of y."""
        options: dict[str, Any] = {
            "cell": self.cell,
            "unroll": self.unroll,
            "stateful": self.stateful,
            "dtype": self.dtype_policy,
            **self.weight_options,
        }
        lower = [
            build_recurrent(name=f"decoder_{i}", units=self.hidden_dim, **options)
            for i in range(self.depth[1] - 1)
        ]
        name = f"decoder_{len(lower)}"
        top = build_recurrent(
            name=name, units=self.output_dim, activation=self.activation, **options
        )
        return [*lower, top]

    def build_layers(self, batch_size: int | None, length: int | None, features: int) -> None:
        self.encoder.build((batch_size, length, features))
        width = self.hidden_dim
        for layer in self.decoder:
            layer.build((batch_size, self.output_length or length, width))
            width = layer.units
        self.noise.build((batch_size, self.output_length or length, self.hidden_dim))

    def call(self, inputs: Tensor, mask: Tensor | None = None, training: bool = False) -> Tensor:
        source, _, mask = self.read(inputs, mask)
        _, states = self.encoder(source, mask=mask, training=training)
        context = states[0][:, None]
        if self.output_length is None:
            sequence = context + ops.zeros_like(source[:, :, :1])
        else:
            sequence = ops.repeat(context, self.output_length, axis=1)
        for layer in self.decoder:
            sequence = drop_features(self.noise, sequence, training)
            sequence, *_ = layer(sequence, training=training)
        return sequence


@keras.saving.register_keras_serializable("seq2seq")
class Seq2Seq(VectorModel):
    """A model that feeds each output back as the next input (Sutskever et al. 2014,
    arXiv:1409.3215).

        C, s_0 = encoder(X);   y_t = decoder(s_{t-1}, y_{t-1}),   y_0 = W C + b

    With `peek`, the decoder sees the context at every step (Cho et al. 2014, arXiv:1406.1078):
    y_t = decoder(s_{t-1}, [y_{t-1}; C]). Arguments as in `VectorModel`, and:

    Args:
        broadcast_state: whether the encoder's final state (h and c) is the decoder's initial state.
            If each has several states, every decoder cell gets the encoder's top one.
        inner_broadcast_state: whether the cells of a stack share one state, which passes up the
            stack within a step and from the top cell to the bottom cell of the next step.
        teacher_force: whether the input is `[source, target]`, target `(batch, output_length,
            output_dim)`; in training, the decoder reads the target's y_{t-1}, otherwise its own.
        peek: see above.
        bidirectional: whether the encoder reads in both directions; C and s_0 are the sums.
        activation: of each y before it is fed back, such as `softmax`; None: none.
    """

    def __init__(
        self,
        output_dim: int,
        output_length: int | None,
        batch_input_shape: BatchShape | None = None,
        input_shape: tuple[int | None, int] | None = None,
        batch_size: int | None = None,
        input_dim: int | None = None,
        input_length: int | None = None,
        hidden_dim: int | None = None,
        depth: Depth = 1,
        broadcast_state: bool = True,
        unroll: bool = False,
        stateful: bool = False,
        inner_broadcast_state: bool = True,
        teacher_force: bool = False,
        peek: bool = False,
        dropout: float = 0.0,
        *,
        bidirectional: bool = False,
        activation: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            output_dim,
            output_length,
            hidden_dim=hidden_dim,
            input_shape=input_shape,
            batch_size=batch_size,
            batch_input_shape=batch_input_shape,
            input_dim=input_dim,
            input_length=input_length,
            depth=depth,
            dropout=dropout,
            unroll=unroll,
            stateful=stateful,
            teacher_force=teacher_force,
            activation=activation,
            **kwargs,
        )
        self.broadcast_state = broadcast_state
        self.inner_broadcast_state = inner_broadcast_state
        self.peek = peek
        self.bidirectional = bidirectional
        self._add_layers()
        self.build_if_shape_known()

    def _add_layers(self) -> None:
        common = {**self.recurrent_options(), "share_state": self.inner_broadcast_state}
        self.encoder = ContextEncoder(
            self.hidden_dim,
            depth=self.depth[0],
            bidirectional=self.bidirectional,
            stateful=self.stateful,
            name="encoder",
            **common,
        )
        self.first_output = keras.layers.Dense(
            self.output_dim,
            name="first_output",
            dtype=self.dtype_policy,
            **dense_options(self.weight_options),
        )
        self.decoder = FeedbackDecoder(
            self.output_dim,
            self.hidden_dim,
            self.output_length,
            depth=self.depth[1],
            activation=self.activation,
            stateful=self.stateful and not self.broadcast_state,
            name="decoder",
            **common,
        )

    def build_layers(self, batch_size: int | None, length: int | None, features: int) -> None:
        context = (batch_size, self.hidden_dim)
        self.encoder.build((batch_size, length, features))
        self.first_output.build(context)
        self.decoder.build((batch_size, self.output_dim), context if self.peek else None)

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Tensor:
        source, teacher, mask = self.read(inputs, mask)
        context, states = self.encoder(source, mask=mask, training=training)
        return self.decoder(
            self.first_output(context),
            state=self._initial_state(states) if self.broadcast_state else None,
            peeked=context if self.peek else None,
            teacher=teacher,
            length_like=self.output_length_like(source, teacher),
            training=training,
        )

    def _initial_state(self, states: list[Tensor]) -> list[Tensor]:
        top = states[-len(STATE_NAMES[self.cell]) :]
        return top * (self.decoder.state_count // len(top))

    def get_config(self) -> dict[str, Any]:
        own = ("broadcast_state", "inner_broadcast_state", "teacher_force", "peek", "bidirectional")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@keras.saving.register_keras_serializable("seq2seq")
class AttentionSeq2Seq(VectorModel):
    """A model that attends to the source for each output (Bahdanau et al. 2015, arXiv:1409.0473).

        H = encoder(X);   y_i = decoder(s_{i-1}, [y_{i-1}; v_i])
        v_i = sum_j alpha_ij H_j,   alpha_i = softmax_j a(s_{i-1}, H_j)

    y_0 and s_0 are zeros: the decoder does not get the encoder's state.
    Arguments as in `VectorModel`, and:

    Args:
        bidirectional: whether the encoder reads in both directions, `hidden_dim` each.
        attention: a, one of `additive`, `dot`, `general`, `concat`, `multihead`.
        teacher_force: whether the input is `[source, target]`, target `(batch, output_length,
            output_dim)`; in training, the decoder reads the target's y_{i-1}, otherwise its own.
        activation: of each y before it is fed back, such as `softmax`; None: none.
        return_attention_scores: whether to return alpha `(batch, output_length, input_length)`
            after the outputs.
    """

    def __init__(
        self,
        output_dim: int,
        output_length: int | None,
        batch_input_shape: BatchShape | None = None,
        batch_size: int | None = None,
        input_shape: tuple[int | None, int] | None = None,
        input_length: int | None = None,
        input_dim: int | None = None,
        hidden_dim: int | None = None,
        depth: Depth = 1,
        bidirectional: bool = True,
        unroll: bool = False,
        stateful: bool = False,
        dropout: float = 0.0,
        *,
        attention: str = "additive",
        teacher_force: bool = False,
        activation: Any = None,
        return_attention_scores: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            output_dim,
            output_length,
            hidden_dim=hidden_dim,
            input_shape=input_shape,
            batch_size=batch_size,
            batch_input_shape=batch_input_shape,
            input_dim=input_dim,
            input_length=input_length,
            depth=depth,
            dropout=dropout,
            unroll=unroll,
            stateful=stateful,
            teacher_force=teacher_force,
            activation=activation,
            **kwargs,
        )
        self.bidirectional = bidirectional
        self.attention = attention
        self.return_attention_scores = return_attention_scores
        self._add_layers()
        self.build_if_shape_known()

    def _add_layers(self) -> None:
        common = {**self.recurrent_options(), "stateful": self.stateful}
        self.encoder = RecurrentEncoder(
            self.hidden_dim,
            depth=self.depth[0],
            bidirectional=self.bidirectional,
            input_dropout=0.0,
            name="encoder",
            **common,
        )
        self.decoder = FeedbackDecoder(
            self.output_dim,
            # dot products need queries as wide as the encoder's outputs
            self.encoder.width if self.attention == "dot" else self.hidden_dim,
            self.output_length,
            depth=self.depth[1],
            attention=self.attention,
            activation=self.activation,
            name="decoder",
            **common,
        )

    def build_layers(self, batch_size: int | None, length: int | None, features: int) -> None:
        self.encoder.build((batch_size, length, features))
        values = (batch_size, length, self.encoder.width)
        self.decoder.build((batch_size, self.output_dim), values_shape=values)

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        outputs, weights = self.attended(inputs, mask, training)
        return (outputs, weights) if self.return_attention_scores else outputs

    def attended(
        self, inputs: Any, mask: Any = None, training: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Returns the outputs and alpha, `(batch, output_length, input_length)`."""
        source, teacher, mask = self.read(inputs, mask)
        values, _ = self.encoder(source, mask=mask, training=training)
        return self.decoder(
            zeros_like(values[:, 0], self.output_dim),
            values=values,
            mask=mask,
            teacher=teacher,
            length_like=self.output_length_like(source, teacher),
            training=training,
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns the shape of the outputs, and of alpha if it is returned."""
        outputs = super().compute_output_shape(input_shape)
        source = input_shape[0] if self.teacher_force else input_shape
        alpha = (*outputs[:2], source[1])
        return (outputs, alpha) if self.return_attention_scores else outputs

    def get_config(self) -> dict[str, Any]:
        own = ("bidirectional", "attention", "teacher_force", "return_attention_scores")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
