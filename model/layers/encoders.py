"""Sequence in, one output for each position and the final states out."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.layers.cells import (
    CELLS,
    STATE_NAMES,
    Carried,
    advance,
    build_recurrent,
    draw_noise,
    drop_features,
    learns_in_xla,
    run_steps,
    zeros_like,
)

Tensor = Any


class RecurrentEncoder(keras.layers.Layer):
    """A stack of LSTM or GRU layers, uni- or bidirectional.

    Between layers, and before the first, one dropout mask serves all positions of a sequence
    (Gal and Ghahramani 2016, arXiv:1512.05287).

    Args:
        units: size of each direction, >= 1.
        layers: how many, >= 1.
        cell: `gru` or `lstm`.
        bidirectional: whether a second direction reads from the end.
        dropout: rate at each layer's input.
        unroll, stateful: as in Keras' own layers.

    Call arguments:
        sequence: `(batch, source_len, features)`.
        mask: bool, `(batch, source_len)`, True at real tokens. Padding changes no real output.
            None: all are real.

    Returns:
        outputs `(batch, source_len, width)`, width being `units` or twice that; the top layer's
        final states, a list of `(batch, width)`: [h], or [h, c] of an LSTM.
    """

    def __init__(
        self,
        units: int,
        *,
        layers: int = 1,
        cell: str = "gru",
        bidirectional: bool = True,
        dropout: float = 0.0,
        unroll: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.layers = layers
        self.cell = cell
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.unroll = unroll
        self.stateful = stateful
        self.forward_stack = [self._build_layer(f"forward_{i}") for i in range(layers)]
        self.backward_stack = [
            self._build_layer(f"backward_{i}", go_backwards=True)
            for i in range(layers if bidirectional else 0)
        ]
        self.noise = keras.layers.Dropout(dropout, name="noise", dtype=self.dtype_policy)

    def _build_layer(self, name: str, **options: bool) -> keras.layers.RNN:
        return build_recurrent(
            self.cell,
            self.units,
            unroll=self.unroll,
            stateful=self.stateful,
            name=name,
            dtype=self.dtype_policy,
            **options,
        )

    @property
    def width(self) -> int:
        """Size of one output."""
        return self.units * (2 if self.bidirectional else 1)

    def build(self, sequence_shape: Any) -> None:
        batch_size, _, features = sequence_shape
        for stack in (self.forward_stack, self.backward_stack):
            for i, layer in enumerate(stack):
                layer.build((batch_size, None, self.width if i else features))
        self.built = True

    def call(
        self, sequence: Tensor, mask: Tensor | None = None, training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        states: list[Tensor] = []
        for i, forward in enumerate(self.forward_stack):
            sequence = drop_features(self.noise, sequence, training)
            outputs, *states = forward(sequence, mask=mask, training=training)
            if self.bidirectional:
                backward = self.backward_stack[i]
                reverse, *others = backward(sequence, mask=mask, training=training)
                outputs = ops.concatenate([outputs, ops.flip(reverse, axis=1)], axis=-1)
                pairs = zip(states, others, strict=True)
                states = [ops.concatenate(pair, axis=-1) for pair in pairs]
            sequence = outputs
        return sequence, states

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Who reads the outputs is given the mask as an argument."""

    def reset_state(self) -> None:
        """Lets stateful layers begin with zeros again."""
        for layer in (*self.forward_stack, *self.backward_stack):
            layer.reset_state()

    def get_config(self) -> dict[str, Any]:
        own = ("units", "layers", "cell", "bidirectional", "dropout", "unroll", "stateful")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


class ContextEncoder(keras.layers.Layer):
    """Reads a sequence into one vector, with cells that may share one state.

    Args:
        units: size of each cell, >= 1.
        depth: cells one above the other, >= 1.
        cell: `lstm` or `gru`.
        share_state: all cells read and write one state, see `model.layers.cells.advance`.
        dropout: rate at each cell's input while training, one mask for all steps.
        unroll: whether each step becomes a piece of graph of its own.
        stateful: begin where the last batch ended.

    Call arguments:
        sequence: `(batch, source_len, features)`.
        mask: bool, `(batch, source_len)`, True at real steps, which alone are read.

    Returns:
        the top cell's last output `(batch, units)`; the final state, h (and c) of each cell in
        turn, of one with `share_state`, each `(batch, units)`.
    """

    def __init__(
        self,
        units: int,
        *,
        depth: int = 1,
        cell: str = "lstm",
        share_state: bool = False,
        dropout: float = 0.0,
        unroll: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.depth = depth
        self.cell = cell
        self.share_state = share_state
        self.dropout = dropout
        self.unroll = unroll
        self.supports_jit = learns_in_xla(unroll=unroll)
        self.stateful = stateful
        policy = self.dtype_policy
        self.cells = [CELLS[cell](units, name=f"cell_{i}", dtype=policy) for i in range(depth)]
        self.noise = keras.layers.Dropout(dropout, name="noise", dtype=policy)
        self.carried: Carried | None = None

    @property
    def state_count(self) -> int:
        """How many tensors a state has."""
        return len(STATE_NAMES[self.cell]) * (1 if self.share_state else self.depth)

    def build(self, sequence_shape: Any) -> None:
        features = sequence_shape[-1]
        for cell in self.cells:
            cell.build((None, features))
            features = self.units
        if self.stateful:
            self.carried = Carried(self, self.state_count, self.units, sequence_shape[0])
        self.built = True

    def call(
        self, sequence: Tensor, mask: Tensor | None = None, training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        first = sequence[:, 0]
        zeros = zeros_like(first, self.units)
        state = self.carried.read() if self.carried else [zeros] * self.state_count
        widths = [first.shape[-1], *[self.units] * (self.depth - 1)]
        noise = draw_noise(self.noise, first, *widths) if training else None
        if mask is not None:
            real = ops.cast(mask, sequence.dtype)[:, :, None]
            sequence = ops.concatenate([sequence, real], axis=-1)

        def step(carry: list[Tensor], step_input: Tensor) -> list[Tensor]:
            inputs = step_input if mask is None else step_input[:, :-1]
            output, state = advance(
                self.cells, inputs, carry[1:], noise=noise, share_state=self.share_state
            )
            if mask is None:
                return [output, *state]
            is_real = step_input[:, -1:] > 0
            new = [output, *state]
            return [ops.where(is_real, now, old) for now, old in zip(new, carry, strict=True)]

        history = run_steps(
            step, [zeros, *state], sequence, length=sequence.shape[1], unroll=self.unroll
        )
        output, *state = (each[:, -1] for each in history)
        if self.carried is not None:
            self.carried.write(state)
        return output, state

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Who reads the outputs is given the mask as an argument."""

    def reset_state(self) -> None:
        """Lets a stateful encoder begin with zeros again."""
        if self.carried is not None:
            self.carried.reset()

    def get_config(self) -> dict[str, Any]:
        own = ("units", "depth", "cell", "share_state", "dropout", "unroll", "stateful")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
