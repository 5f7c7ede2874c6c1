"""Base of the vector models: their arguments, their shapes, their export."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.networks.arguments import (
    SHAPE_OPTIONS,
    WEIGHT_OPTIONS,
    BatchShape,
    check_cell,
    check_depth,
    check_size,
    check_weight_options,
    find_batch_shape,
)
from model.networks.base import Network
from model.types import Tensor

Depth = int | tuple[int, int]


class VectorModel(Network):
    """Base of the three models.

    Args:
        output_dim: size of each output vector, >= 1.
        output_length: number of outputs, >= 1; None: with `teacher_force` the length of the target,
            else that of the source.
        hidden_dim: size of each cell; None: `output_dim`.
        input_shape: `(input_length, input_dim)`; the length may be None.
        batch_size: a fixed batch size; required for stateful models.
        batch_input_shape, batch_shape: `(batch_size, input_length, input_dim)`, instead of the two
            above.
        input_dim, input_length: the same, given separately.
        depth: layers of encoder and of decoder, or `(encoder, decoder)`.
        dropout: rate between layers, and between encoder and decoder, during training.
        unroll: whether to unroll the loop over time.
        stateful: whether each batch starts from the state of the last one, row by row; see
            `reset_state`.
        cell: `lstm` or `gru`.
        teacher_force, activation: see the models that take them.
        kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
        recurrent_regularizer, bias_regularizer: of the cells' weights, as in `keras.layers.LSTM`;
            those of kernel and bias also apply to the layer that outputs y.
        name, dtype, trainable: as in any Keras layer.

    Call arguments:
        inputs: `(batch, input_length, input_dim)`, of any dtype; a list of source and target with
            `teacher_force`.
        mask: bool, `(batch, input_length)`, True at real steps.

    Returns:
        `(batch, output_length, output_dim)`.

    Raises:
        ValueError: if a size is missing or wrong; the message names the argument.
    """

    def __init__(
        self,
        output_dim: int,
        output_length: int | None,
        *,
        hidden_dim: int | None = None,
        depth: Depth = 1,
        dropout: float = 0.0,
        unroll: bool = False,
        stateful: bool = False,
        cell: str = "lstm",
        teacher_force: bool = False,
        activation: Any = None,
        **kwargs: Any,
    ) -> None:
        shape, weight_options = (
            {name: kwargs.pop(name, None) for name in names}
            for names in (SHAPE_OPTIONS, WEIGHT_OPTIONS)
        )
        super().__init__(**kwargs)
        self.output_dim = check_size("output_dim", output_dim)
        self.output_length = (
            None if output_length is None else check_size("output_length", output_length)
        )
        self.hidden_dim = check_size("hidden_dim", output_dim if hidden_dim is None else hidden_dim)
        self.depth = check_depth(depth)
        self.dropout = dropout
        self.unroll = unroll
        self.stateful = stateful
        self.cell = check_cell(cell)
        self.teacher_force = teacher_force
        self.activation = keras.activations.serialize(keras.activations.get(activation))
        self.weight_options = check_weight_options(weight_options)
        self.batch_shape = find_batch_shape(**shape)
        self._check_batch_is_fixed_if_stateful()

    def _check_batch_is_fixed_if_stateful(self) -> None:
        if self.stateful and (self.batch_shape is None or self.batch_shape[0] is None):
            raise ValueError(
                "a stateful model needs a fixed batch size. Give batch_size and an input shape, or "
                f"batch_shape. Received: batch_shape={self.batch_shape}"
            )

    def recurrent_options(self) -> dict[str, Any]:
        """Returns the arguments shared by all recurrent layers."""
        return {
            "cell": self.cell,
            "unroll": self.unroll,
            "dropout": self.dropout,
            "weight_options": self.weight_options,
            "dtype": self.dtype_policy,
        }

    def build_if_shape_known(self) -> None:
        """Builds the weights if the input shape is known. Call it last in `__init__`."""
        if self.batch_shape is not None:
            self.build(self._with_target(self.batch_shape))

    def _with_target(self, source: BatchShape) -> Any:
        """Returns `source`, with the target's shape if there is one."""
        target = (source[0], self.output_length, self.output_dim)
        return [source, target] if self.teacher_force else source

    def build(self, input_shape: Any) -> None:
        source = input_shape[0] if self.teacher_force else input_shape
        if len(source) != 3 or source[-1] is None:
            raise ValueError(
                f"{type(self).__name__} reads sequences of vectors, (batch, input_length, "
                f"input_dim) with input_dim known. Received: input shape {tuple(source)}"
            )
        batch_size, length, features = source
        self.build_layers(batch_size, length, features)
        spec = keras.InputSpec(shape=(batch_size if self.stateful else None, None, features))
        target = keras.InputSpec(ndim=3, axes={-1: self.output_dim})
        self.input_spec = [spec, target] if self.teacher_force else spec
        self.source_shape = (batch_size if self.stateful else None, length, features)
        self.built = True
        self.apply_layer_settings()

    def build_layers(self, batch_size: int | None, length: int | None, features: int) -> None:
        """Builds the layers for sources `(batch_size, length, features)`."""
        raise NotImplementedError

    def read(self, inputs: Any, mask: Any) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Returns source, target (or None) and the source's mask (or None), in the dtypes of the
        layers."""
        source, target = inputs if self.teacher_force else (inputs, None)
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        return (
            ops.cast(source, self.compute_dtype),
            None if target is None else ops.cast(target, self.compute_dtype),
            None if mask is None else ops.cast(mask, "bool"),
        )

    def output_length_like(self, source: Tensor, target: Tensor | None) -> Tensor | None:
        """Returns a sequence as long as the outputs, or None if `output_length` is fixed."""
        if self.output_length is not None:
            return None
        return source if target is None else target

    def reset_state(self) -> None:
        """Resets the state of a stateful model to zeros."""
        for layer in self.layers:
            if hasattr(layer, "reset_state"):
                layer.reset_state()

    reset_states = reset_state  # the add-on's name for it

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Returns None: no output is padding."""

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Returns `(batch, output_length, output_dim)`."""
        source, target = input_shape if self.teacher_force else (input_shape, None)
        length = self.output_length or (source if target is None else target)[1]
        return (source[0], length, self.output_dim)

    @property
    def input(self) -> Any:
        """Returns the symbolic input, as a functional model has it; with `teacher_force` a list of
        source and target."""
        return self._graph()[0]

    @property
    def output(self) -> Any:
        """Returns the symbolic output for `input`."""
        return self._graph()[1]

    @property
    def input_shape(self) -> Any:
        """Returns `(batch, input_length, input_dim)`, None for any size."""
        return self._with_target(self._known_shape())

    @property
    def output_shape(self) -> Any:
        """Returns `(batch, output_length, output_dim)`, None for any size."""
        return self.compute_output_shape(self.input_shape)

    def _known_shape(self) -> BatchShape:
        shape = self.batch_shape or getattr(self, "source_shape", None)
        if shape is None:
            raise ValueError(
                f"the input shape of {self.name} is not known yet. Pass input_dim to the "
                "constructor, or call the model first"
            )
        return shape

    def _graph(self) -> tuple[Any, Any]:
        if "symbolic_graph" not in self.__dict__:
            shapes = self._with_target(self._known_shape())
            dtype = self.variable_dtype
            inputs: Any = (
                [keras.Input(batch_shape=shape, dtype=dtype) for shape in shapes]
                if self.teacher_force
                else keras.Input(batch_shape=shapes, dtype=dtype)
            )
            self.symbolic_graph = (inputs, self.call(inputs))
        return self.symbolic_graph

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Exports as `keras.Model.export` does, but also before the first call, with the input
        shape given to the constructor.

        Raises:
            ValueError: if the format is `onnx` and Keras would write a file that no ONNX runtime
                loads (TensorFlow loops without `unroll`) or that is correct for one source length
                only (PyTorch loops without `input_length`).
        """
        if input_signature is None:
            shapes = self.input_shape if self.teacher_force else [self.input_shape]
            specs = [keras.InputSpec(shape=shape, dtype=self.input_dtype) for shape in shapes]
            input_signature = [specs] if self.teacher_force else specs
        if format == "onnx":
            self._check_onnx(input_signature)
        super().export(
            filepath, format=format, verbose=verbose, input_signature=input_signature, **kwargs
        )

    def _check_onnx(self, input_signature: Any) -> None:
        name = type(self).__name__
        if not all(getattr(layer, "supports_jit", True) for layer in self.layers):
            raise ValueError(
                f"{name} on TensorFlow can be exported to ONNX only if it is created with "
                "unroll=True and an input_length. Create one, and copy the weights with set_weights"
            )
        lengths = [spec.shape[1] for spec in keras.tree.flatten(input_signature)]
        if keras.backend.backend() == "torch" and None in lengths:
            raise ValueError(
                f"{name} on PyTorch is exported to ONNX for a single length. Create it with an "
                "input_length, or pass an input_signature without unknown lengths"
            )

    def get_config(self) -> dict[str, Any]:
        own = ("output_dim", "output_length", "hidden_dim", "batch_shape", "depth", "dropout")
        options = ("unroll", "stateful", "cell", "activation")
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in (*own, *options)},
            **{name: self.weight_options.get(name) for name in WEIGHT_OPTIONS},
        }
