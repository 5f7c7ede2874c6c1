"""Transformer decoder: self-attention or an SSRU over the target's tokens, then attention to the
source."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.layers.attention import MultiHeadAttention
from model.layers.cells import gradient_compiles_in_xla
from model.layers.decoders import Memory
from model.layers.ssru import SSRU
from model.layers.transformer import FeedForward, PositionedInput, Residual
from model.types import Tensor

#: Tokens for which a new history has room.
MIN_HISTORY = 16


class CausalSelfAttention(keras.layers.Layer):
    """Causal self-attention over a target.

    A step caches the keys and values of all positions, concatenated in one history `(rows,
    capacity, 2 * units)`; its initial capacity is `MIN_HISTORY`.

    Args:
        units: size of inputs and outputs.
        heads: divides `units`.
        dropout: rate at the attention weights.

    Call arguments:
        sequence: `(batch, target_len, units)`.

    Returns:
        outputs `(batch, target_len, units)`.
    """

    def __init__(self, units: int, *, heads: int, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = MultiHeadAttention(
            units, heads=heads, dropout=dropout, name="attention", dtype=self.dtype_policy
        )

    def build(self, sequence_shape: Any) -> None:
        self.attention.build(sequence_shape, sequence_shape)
        self.built = True

    def call(self, sequence: Tensor) -> Tensor:
        positions = ops.arange(ops.shape(sequence)[1])
        is_past = positions[:, None] >= positions[None]
        keys = self.attention.project_keys(sequence)
        values = self.attention.project_values(sequence)
        return self.attention(sequence, keys, values, is_past[None])[0]

    def initial_state(self, like: Tensor) -> list[Tensor]:
        """Returns an empty history; `like` `(batch, ...)` gives the batch size and dtype."""
        room = ops.zeros_like(like[:, :1])[:, None]  # B 1 1
        return [ops.tile(room, (1, MIN_HISTORY, 2 * self.attention.units))]

    def step(
        self, inputs: Tensor, state: list[Tensor], position: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Takes one step from `inputs` `(rows, units)` at int32 `position` `(rows,)`, which lies
        within the history. Returns the output `(rows, units)` and the next state."""
        attention = self.attention
        new = [attention.project_keys(inputs), attention.project_values(inputs)]
        places = ops.arange(ops.shape(state[0])[1], dtype="int32")[None]  # 1 P
        is_now = ops.equal(places, position[:, None])[..., None]
        history = ops.where(is_now, ops.concatenate(new, axis=-1)[:, None], state[0])
        is_past = ops.less_equal(places, position[:, None])
        output, _ = attention(inputs, *ops.split(history, 2, axis=-1), is_past)
        return output, [history]


class TransformerDecoderLayer(Residual):
    """Self-attention or an SSRU, attention to the source, then an optional feed-forward layer.

    Args:
        units, dropout: as in `Residual`.
        heads: of each attention; divides `units`.
        feed_forward_units: size of the feed-forward layer's hidden layer; 0: no such layer.
        uses_ssru: whether to use an SSRU instead of self-attention.
        attention_dropout: rate at the attention weights.

    Call arguments:
        sequence: `(batch, target_len, units)`.
        keys, values: of the source, as `attend.project_keys` and `attend.project_values` give them.
        mask: bool, `(batch, source_len)`, True at real tokens.

    Returns:
        outputs `(batch, target_len, units)`.
    """

    def __init__(
        self,
        units: int,
        *,
        heads: int,
        feed_forward_units: int,
        uses_ssru: bool,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, dropout=dropout, **kwargs)
        self.uses_ssru = uses_ssru
        policy = self.dtype_policy
        self.past = (
            SSRU(units, name="past", dtype=policy)
            if uses_ssru
            else CausalSelfAttention(
                units, heads=heads, dropout=attention_dropout, name="past", dtype=policy
            )
        )
        self.past_norm = self._norm("past_norm")
        self.attend = MultiHeadAttention(
            units, heads=heads, dropout=attention_dropout, name="attend", dtype=policy
        )
        self.attend_norm = self._norm("attend_norm")
        self.feed_forward: FeedForward | None = None
        if feed_forward_units:
            self.feed_forward = FeedForward(
                units, feed_forward_units, name="feed_forward", dtype=policy
            )
            self.feed_forward_norm = self._norm("feed_forward_norm")

    def build(self, sequence_shape: Any, values_shape: Any) -> None:
        """Builds the weights; `values_shape` ends in encoder_units."""
        shape = (None, None, self.units)
        self.attend.build(shape, values_shape)
        for part in (self.past, self.past_norm, self.attend_norm):
            part.build(shape)
        if self.feed_forward is not None:
            self.feed_forward.build(shape)
            self.feed_forward_norm.build(shape)
        self.built = True

    def call(self, sequence: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        sequence = self.add(sequence, self.past(self.past_norm(sequence)))
        return self._attend_to_source(sequence, keys, values, mask)[0]

    def step(
        self,
        inputs: Tensor,
        state: list[Tensor],
        position: Tensor | None,
        source: tuple[Tensor, Tensor, Tensor],
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Takes one step from `inputs` `(rows, units)`; `source` is keys, values and mask. Returns
        the output `(rows, units)`, attention_weights `(rows, source_len)` and the next state."""
        where = [] if position is None else [position]
        past, state = self.past.step(self.past_norm(inputs), state, *where)
        output, attention_weights = self._attend_to_source(inputs + past, *source)
        return output, attention_weights, state

    def _attend_to_source(
        self, sequence: Tensor, keys: Tensor, values: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        context, weights = self.attend(self.attend_norm(sequence), keys, values, mask)
        sequence = self.add(sequence, context)
        if self.feed_forward is not None:
            sequence = self.add(sequence, self.feed_forward(self.feed_forward_norm(sequence)))
        return sequence, weights


class TransformerDecoder(Residual):
    """A stack of layers: target context, attention to the source, feed-forward.

    The target context comes from causal self-attention, with position encodings, or from an SSRU,
    without them, whose step costs the same at every position (Kim et al. 2019, https://aclanthology.org/D19-5632).

    Args:
        units: size of each layer, an even number.
        readout_units: size of the readout; projected if it differs from `units`.
        depth: number of stacked layers, >= 1.
        heads: of each attention; divides `units`.
        feed_forward_units: size of a feed-forward layer's hidden layer; 0: no such layers.
        uses_ssru: see above.
        dropout: rate on each sublayer's output.
        input_dropout: rate at the input; None: `dropout`.
        attention_dropout: rate at the attention weights.

    Call arguments:
        embedded: `(batch, target_len, features)`.
        memory: the source: keys and values of all layers side by side, `(batch, source_len, depth *
            units)`.
        state: is not read: all targets begin alike.

    Returns:
        readouts `(batch, target_len, readout_units)`.

    Reference: Vaswani et al. 2017, arXiv:1706.03762, section 3.1.
    """

    def __init__(
        self,
        units: int,
        readout_units: int,
        *,
        depth: int = 1,
        heads: int = 4,
        feed_forward_units: int = 1024,
        uses_ssru: bool = False,
        dropout: float = 0.0,
        input_dropout: float | None = None,
        attention_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, dropout=dropout, **kwargs)
        self.readout_units = readout_units
        self.depth = depth
        self.heads = heads
        self.feed_forward_units = feed_forward_units
        self.uses_ssru = uses_ssru
        self.supports_jit = not uses_ssru or gradient_compiles_in_xla(unroll=False)
        self.input_dropout = dropout if input_dropout is None else input_dropout
        self.attention_dropout = attention_dropout
        policy = self.dtype_policy
        self.reader = PositionedInput(
            units, dropout=self.input_dropout, name="reader", dtype=policy
        )
        self.stack = [
            TransformerDecoderLayer(
                units,
                heads=heads,
                feed_forward_units=feed_forward_units,
                uses_ssru=uses_ssru,
                dropout=dropout,
                attention_dropout=attention_dropout,
                name=f"layer_{i}",
                dtype=policy,
            )
            for i in range(depth)
        ]
        self.norm = self._norm("norm")
        self.readout: keras.layers.Dense | None = None
        if readout_units != units:
            self.readout = keras.layers.Dense(readout_units, name="readout", dtype=policy)

    def build(self, embedded_shape: Any, values_shape: Any) -> None:
        """Builds the weights; `embedded_shape` and `values_shape` end in features and
        encoder_units."""
        shape = (None, None, self.units)
        self.reader.build(embedded_shape)
        for layer in self.stack:
            layer.build(shape, values_shape)
        self.norm.build(shape)
        if self.readout is not None:
            self.readout.build(shape)
        self.built = True

    def build_memory(self, outputs: Tensor, mask: Tensor) -> Memory:
        """Builds the memory of encoder outputs `(batch, source_len, encoder_units)`."""
        keys = [layer.attend.project_keys(outputs) for layer in self.stack]
        values = [layer.attend.project_values(outputs) for layer in self.stack]
        return Memory(ops.concatenate(keys, -1), ops.concatenate(values, -1), mask)

    def initial_state(self, encoder_states: list[Tensor]) -> list[Tensor]:
        """Builds the state before the first step; of the encoder's final states `(batch, width)`,
        only the batch counts.

        Returns c of each SSRU `(batch, units)`; or the history of each self-attention `(batch,
        room, 2 * units)`, then the number of tokens read, int32 `(batch,)`.
        """
        like = encoder_states[0]
        state = [each for layer in self.stack for each in layer.past.initial_state(like)]
        if not self.uses_ssru:
            state.append(ops.zeros_like(like[:, 0], dtype="int32"))
        return state

    def allocate_cache(self, state: list[Tensor], steps: int) -> list[Tensor]:
        """Returns `state` with room for at least `steps` tokens in its histories: a power of two,
        so that there are few shapes."""
        if self.uses_ssru:
            return state
        *histories, read = state
        room = max(MIN_HISTORY, 1 << (steps - 1).bit_length())
        missing = room - histories[0].shape[1]
        if missing <= 0:
            return state
        return [*(ops.pad(each, [[0, 0], [0, missing], [0, 0]]) for each in histories), read]

    def call(self, embedded: Tensor, memory: Memory, state: list[Tensor]) -> Tensor:
        positions = None if self.uses_ssru else ops.arange(ops.shape(embedded)[1])
        sequence = self.reader(embedded, positions)
        for layer, source in zip(self.stack, self._sources(memory), strict=True):
            sequence = layer(sequence, *source)
        return self._read_out(sequence)

    def step(
        self, embedded: Tensor, memory: Memory, state: list[Tensor]
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Takes one step from `embedded` `(rows, features)`; `state` has room for it. Returns the
        readout `(rows, readout_units)`, the last layer's attention_weights `(rows, source_len)`,
        their mean over the heads, and the next state."""
        position = None if self.uses_ssru else state[-1]
        output = self.reader(embedded, position)
        next_state: list[Tensor] = []
        for i, (layer, source) in enumerate(zip(self.stack, self._sources(memory), strict=True)):
            output, attention_weights, new = layer.step(output, [state[i]], position, source)
            next_state += new
        if position is not None:
            next_state.append(position + 1)
        return self._read_out(output), attention_weights, next_state

    def _sources(self, memory: Memory) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Returns keys, values and mask of the source for each layer."""
        keys = ops.split(memory.keys, self.depth, axis=-1)
        values = ops.split(memory.values, self.depth, axis=-1)
        return [(*each, memory.mask) for each in zip(keys, values, strict=True)]

    def _read_out(self, sequence: Tensor) -> Tensor:
        outputs = self.norm(sequence)
        return outputs if self.readout is None else self.readout(outputs)

    def get_config(self) -> dict[str, Any]:
        sizes = ("units", "readout_units", "depth", "heads", "feed_forward_units", "uses_ssru")
        names = (*sizes, "dropout", "input_dropout", "attention_dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
