"""The arguments of the models of vectors: their order, their kinds, what each does."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from model import AttentionSeq2Seq, Seq2Seq, SimpleSeq2Seq

MODELS = [SimpleSeq2Seq, Seq2Seq, AttentionSeq2Seq]
SIZES: dict[str, Any] = {"input_dim": 3, "hidden_dim": 4, "output_dim": 2, "output_length": 2}
every_model = pytest.mark.parametrize("kind", MODELS)
with_feedback = pytest.mark.parametrize("kind", [Seq2Seq, AttentionSeq2Seq])


@pytest.fixture
def source() -> np.ndarray:
    keras.utils.set_random_seed(0)
    return np.random.default_rng(0).normal(size=(2, 3, 3)).astype("float32")


def run(model: keras.Model, *inputs: Any, **options: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(model(*inputs, **options)))


def test_positional_arguments_come_in_the_order_of_the_add_on() -> None:
    simple = SimpleSeq2Seq(20, 8, 10, (7, 5), 16, None, None, None, 3, 0.1, False, False)
    assert (simple.hidden_dim, simple.batch_shape) == (10, (16, 7, 5))
    assert (simple.depth, simple.dropout) == ((3, 3), 0.1)
    plain = Seq2Seq(20, 8, (16, 7, 5), None, None, None, None, 10, 2, False)
    assert (plain.hidden_dim, plain.batch_shape) == (10, (16, 7, 5))
    assert (plain.depth, plain.broadcast_state) == ((2, 2), False)
    attending = AttentionSeq2Seq(20, 8, None, 16, (7, 5), None, None, 10, 2, False)
    assert (attending.hidden_dim, attending.batch_shape) == (10, (16, 7, 5))
    assert (attending.depth, attending.bidirectional) == ((2, 2), False)


@every_model
def test_numbers_of_numpy_and_names_in_capitals_are_taken(kind: Any) -> None:
    sizes = {name: np.int64(size) for name, size in SIZES.items()}
    model = kind(**sizes, cell="GRU", depth=np.int32(2))
    assert model.get_config() == {
        **kind(**SIZES, cell="gru", depth=2, name=model.name).get_config()
    }
    assert kind(output_dim=2, output_length=2, batch_shape=(5, 4, 3)).batch_shape == (5, 4, 3)
    assert kind(output_dim=2, output_length=2).hidden_dim == 2


@every_model
def test_no_output_length_means_as_many_as_the_source_has(kind: Any, source: np.ndarray) -> None:
    model = kind(**{**SIZES, "output_length": None})
    outputs = run(model, source)
    assert outputs.shape == (2, 3, 2)
    assert model.output_shape == (None, None, 2)
    fixed = kind(**{**SIZES, "output_length": 3})
    fixed.set_weights(model.get_weights())
    np.testing.assert_allclose(run(fixed, source), outputs, atol=1e-6)


@with_feedback
def test_no_output_length_means_as_many_as_the_target_has(kind: Any, source: np.ndarray) -> None:
    model = kind(**{**SIZES, "output_length": None}, teacher_force=True)
    target = np.ones((2, 5, 2), "float32")
    for training in (False, True):
        assert run(model, [source, target], training=training).shape == (2, 5, 2)


@with_feedback
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_a_teacher_is_read_while_training_only(kind: Any, dtype: str, source: np.ndarray) -> None:
    model = kind(**SIZES, teacher_force=True)
    one, other = np.zeros((2, 2, 2), dtype), np.ones((2, 2, 2), dtype)
    np.testing.assert_allclose(run(model, [source, one]), run(model, [source, other]), atol=1e-6)
    taught = [run(model, [source, each], training=True) for each in (one, other)]
    np.testing.assert_allclose(taught[0][:, 0], taught[1][:, 0], atol=1e-6)
    assert np.abs(taught[0][:, 1] - taught[1][:, 1]).max() > 1e-4


@with_feedback
def test_an_activation_is_applied_before_an_output_is_fed_back(
    kind: Any, source: np.ndarray
) -> None:
    model = kind(**SIZES, activation="softmax")
    outputs = run(model, source)
    np.testing.assert_allclose(outputs.sum(-1), 1.0, atol=1e-5)
    plain = kind(**SIZES)
    plain.set_weights(model.get_weights())
    logits = run(plain, source)
    powers = np.exp(logits)
    expected = powers / powers.sum(-1, keepdims=True)
    np.testing.assert_allclose(outputs[:, 0], expected[:, 0], atol=1e-5)
    assert np.abs(outputs[:, 1] - expected[:, 1]).max() > 1e-5
    assert kind.from_config(model.get_config()).activation == "softmax"


def test_outputs_of_the_simple_model_are_bounded_by_its_activation() -> None:
    source = np.ones((1, 3, 3), "float32")
    bounded, free = SimpleSeq2Seq(**SIZES), SimpleSeq2Seq(**SIZES, activation="linear")
    for model in (bounded, free):
        model.set_weights([np.full_like(weight, 3.0) for weight in model.get_weights()])
    assert 0.9 < run(bounded, source).max() < 1
    assert run(free, source).max() > 1


def test_a_bidirectional_context_is_the_sum_of_both_directions(source: np.ndarray) -> None:
    mask = np.array([[True, True, False], [True, True, True]])
    both = Seq2Seq(**SIZES, bidirectional=True, depth=2, inner_broadcast_state=False)
    one = Seq2Seq(**SIZES, depth=2, inner_broadcast_state=False)
    context, states = both.encoder(source, mask=mask)

    def alone(cells: list[Any], inputs: np.ndarray, mask: np.ndarray) -> Any:
        for cell, given in zip(one.encoder.cells, cells, strict=True):
            cell.set_weights(given.get_weights())
        return one.encoder(inputs, mask=mask)

    forward = alone(both.encoder.cells, source, mask)
    backward = alone(both.encoder.backward_cells, source[:, ::-1], mask[:, ::-1])
    np.testing.assert_allclose(
        ops.convert_to_numpy(context), ops.convert_to_numpy(forward[0] + backward[0]), atol=1e-6
    )
    for state, a, b in zip(states, forward[1], backward[1], strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(state), ops.convert_to_numpy(a + b), atol=1e-6
        )
    padded = np.pad(source[:, :2], ((0, 0), (0, 4), (0, 0)), constant_values=9)
    real = np.arange(6) < np.array([[2], [2]])
    np.testing.assert_allclose(run(both, padded, mask=real), run(both, source[:, :2]), atol=1e-6)


def test_a_stateful_bidirectional_model_remembers(source: np.ndarray) -> None:
    model = Seq2Seq(**SIZES, bidirectional=True, batch_size=2, stateful=True)
    first, second = run(model, source), run(model, source)
    assert np.abs(first - second).max() > 1e-5
    model.reset_states()
    np.testing.assert_allclose(run(model, source), first, atol=1e-6)


@every_model
def test_initializers_and_regularizers_reach_the_weights(kind: Any) -> None:
    options = {
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.1),
        "recurrent_initializer": "identity",
        "bias_initializer": "ones",
        "kernel_regularizer": keras.regularizers.L2(0.1),
    }
    model = kind(**SIZES, depth=2, cell="gru", **options)
    assert len(model.losses) >= 4
    assert kind.from_config(model.get_config()).get_config() == model.get_config()
    cells = [each for each in model._flatten_layers() if isinstance(each, keras.layers.GRUCell)]
    kernels = [ops.convert_to_numpy(each.kernel) for each in cells]
    same_shape = [a.shape == b.shape and np.allclose(a, b) for a in kernels for b in kernels]
    assert sum(same_shape) == len(kernels)  # each drew its own numbers
    assert all((ops.convert_to_numpy(each.bias) == 1).all() for each in cells)


@every_model
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_dim": 0}, "hidden_dim"),
        ({"output_length": 0}, "output_length"),
        ({"cell": 3}, "cell must be one of gru, lstm"),
        ({"batch_shape": 3}, "batch_shape must be"),
        ({"input_shape": (-1, 3)}, "input_shape's input_length"),
        ({"input_shape": (None, 3), "input_length": 7}, "input_length contradicts input_shape"),
        ({"batch_shape": (2, 4, 3), "input_dim": 5}, "input_dim contradicts batch_shape"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_wrong_arguments_are_named(kind: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**{**SIZES, **arguments})
