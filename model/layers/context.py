"""An encoder that turns a sequence of vectors into one vector; its cells may share one state."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.layers.cells import (
    STATE_NAMES,
    CarriedState,
    build_cell,
    draw_dropout_masks_between,
    gradient_compiles_in_xla,
    run_steps,
    step_cells,
    zeros_like,
)
from model.types import Tensor


@keras.saving.register_keras_serializable("seq2seq")
class ContextEncoder(keras.layers.Layer):
    """An encoder that turns a sequence into one vector; its cells may share one state.

    Args:
        units: size of each cell, >= 1.
        depth: number of stacked cells, >= 1.
        cell: `lstm` or `gru`.
        share_state: whether all cells share one state, see `model.layers.cells.step_cells`.
        bidirectional: whether a second stack of cells reads backward; output and state are the
            sums over both directions.
        dropout: rate between cells, one mask for all steps, and on the output, during training.
        unroll: whether to unroll the loop over time.
        stateful: whether to start from the state of the last batch.
        weight_options: initializers and regularizers of each cell, by Keras' argument names.

    Call arguments:
        sequence: `(batch, source_len, features)`, of any dtype.
        mask: bool, `(batch, source_len)`, True at real steps; others are skipped.

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
        bidirectional: bool = False,
        dropout: float = 0.0,
        unroll: bool = False,
        stateful: bool = False,
        weight_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.depth = depth
        self.cell = cell
        self.share_state = share_state
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.unroll = unroll
        self.supports_jit = gradient_compiles_in_xla(unroll=unroll)
        self.stateful = stateful
        self.weight_options = weight_options or {}
        self.cells = [self._build_cell(f"cell_{i}") for i in range(depth)]
        self.backward_cells = [
            self._build_cell(f"backward_cell_{i}") for i in range(depth if bidirectional else 0)
        ]
        self.noise = keras.layers.Dropout(dropout, name="noise", dtype=self.dtype_policy)
        self.carried: CarriedState | None = None

    def _build_cell(self, name: str) -> keras.layers.Layer:
        policy = self.dtype_policy
        return build_cell(self.cell, self.units, name=name, dtype=policy, **self.weight_options)

    @property
    def state_count(self) -> int:
        """Returns the number of tensors in the state of one direction."""
        return len(STATE_NAMES[self.cell]) * (1 if self.share_state else self.depth)

    def build(self, sequence_shape: Any) -> None:
        for cells in (self.cells, self.backward_cells):
            for i, cell in enumerate(cells):
                cell.build((None, self.units if i else sequence_shape[-1]))
        if self.stateful:
            count = self.state_count * (2 if self.bidirectional else 1)
            self.carried = CarriedState(self, count, self.units, sequence_shape[0])
        self.built = True

    def call(
        self, sequence: Tensor, mask: Tensor | None = None, training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        sequence = ops.cast(sequence, self.compute_dtype)
        mask = None if mask is None else ops.cast(mask, "bool")
        directions = [(self.cells, sequence, mask)]
        if self.bidirectional:
            reverse = None if mask is None else ops.flip(mask, axis=1)
            directions.append((self.backward_cells, ops.flip(sequence, axis=1), reverse))
        finals: list[list[Tensor]] = []
        carried = self.carried.read() if self.carried is not None else None
        for i, (cells, each, real) in enumerate(directions):
            own = slice(i * self.state_count, (i + 1) * self.state_count)
            finals.append(self._read(cells, each, real, carried and carried[own], training))
        if self.carried is not None:
            self.carried.write([each for _, *state in finals for each in state])
        output, *state = (sum(pair[1:], pair[0]) for pair in zip(*finals, strict=True))
        return self.noise(output, training=training), state

    def _read(
        self,
        cells: list[keras.layers.Layer],
        sequence: Tensor,
        mask: Tensor | None,
        state: list[Tensor] | None,
        training: bool,
    ) -> list[Tensor]:
        """Returns the last output and the final state of cells that read `sequence` forward."""
        first = sequence[:, 0]
        zeros = zeros_like(first, self.units)
        state = [zeros] * self.state_count if state is None else state
        noise = (
            draw_dropout_masks_between(self.noise, first, self.units, self.depth)
            if training
            else None
        )
        if mask is not None:
            real = ops.cast(mask, sequence.dtype)[:, :, None]
            sequence = ops.concatenate([sequence, real], axis=-1)

        def step(carry: list[Tensor], step_input: Tensor) -> list[Tensor]:
            inputs = step_input if mask is None else step_input[:, :-1]
            output, state = step_cells(
                cells, inputs, carry[1:], noise=noise, share_state=self.share_state
            )
            if mask is None:
                return [output, *state]
            is_real = step_input[:, -1:] > 0
            new = [output, *state]
            return [ops.where(is_real, now, old) for now, old in zip(new, carry, strict=True)]

        history = run_steps(
            step, [zeros, *state], sequence, length=sequence.shape[1], unroll=self.unroll
        )
        return [each[:, -1] for each in history]

    def compute_output_shape(self, sequence_shape: Any) -> tuple[Any, list[Any]]:
        """Returns the shapes of the output and of the final state."""
        vector = (sequence_shape[0], self.units)
        return vector, [vector] * self.state_count

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Returns None: consumers of the outputs get the mask as an argument."""

    def reset_state(self) -> None:
        """Resets the state of a stateful encoder to zeros."""
        if self.carried is not None:
            self.carried.reset()

    def get_config(self) -> dict[str, Any]:
        own = ("units", "depth", "cell", "share_state", "bidirectional", "dropout", "unroll")
        names = (*own, "stateful", "weight_options")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
