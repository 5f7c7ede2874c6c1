from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from model import AttentionSeq2Seq, Seq2Seq, SimpleSeq2Seq, attention_weights, plot_attention
from tests.model.layers.twins import sigmoid

MODELS = [SimpleSeq2Seq, Seq2Seq, AttentionSeq2Seq]
SIZES: dict[str, Any] = {"input_dim": 3, "hidden_dim": 4, "output_dim": 2, "output_length": 5}
every_model = pytest.mark.parametrize("kind", MODELS)


@pytest.fixture
def source() -> np.ndarray:
    keras.utils.set_random_seed(0)
    return np.random.default_rng(0).normal(size=(6, 7, 3)).astype("float32")


def run(model: keras.Model, *inputs: Any, **options: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(model(*inputs, **options)))


def arrays(layer: keras.layers.Layer) -> list[np.ndarray]:
    return [np.asarray(ops.convert_to_numpy(weight)) for weight in layer.weights]


def lstm(cell: keras.layers.Layer, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> Any:
    """One step by the equations: gates i, f, o and candidate."""
    kernel, recurrent, bias = arrays(cell)
    i, f, candidate, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
    return sigmoid(o) * np.tanh(c), c


def dense(layer: keras.layers.Layer, x: np.ndarray) -> np.ndarray:
    kernel, bias = arrays(layer)
    return x @ kernel + bias


@pytest.mark.parametrize("peek", [False, True])
@pytest.mark.parametrize("inner", [False, True])
def test_seq2seq_computes_its_equations(source: np.ndarray, peek: bool, inner: bool) -> None:
    model = Seq2Seq(**SIZES, depth=2, peek=peek, inner_broadcast_state=inner)
    zeros = np.zeros((6, 4), "float32")
    states = [(zeros, zeros)] * (1 if inner else 2)

    def climb(cells: list[Any], x: np.ndarray) -> np.ndarray:
        for level, cell in enumerate(cells):
            place = 0 if inner else level
            states[place] = lstm(cell, x, *states[place])
            x = states[place][0]
        return x

    for t in range(7):
        context = climb(model.encoder.cells, source[:, t])
    states = [states[-1]] * len(states)
    y = dense(model.first_output, context)
    for t in range(5):
        seen = np.concatenate([y, context], -1) if peek else y
        y = dense(model.decoder.projection, climb(model.decoder.cells, seen))
        np.testing.assert_allclose(run(model, source)[:, t], y, atol=1e-5)


def test_attention_seq2seq_computes_its_equations(source: np.ndarray) -> None:
    model = AttentionSeq2Seq(**SIZES, bidirectional=False)
    h = c = np.zeros((6, 4), "float32")
    cell = model.encoder.forward_stack[0].cell
    seen = []
    for t in range(7):
        h, c = lstm(cell, source[:, t], h, c)
        seen.append(h)
    values = np.stack(seen, 1)
    attend = model.decoder.attend
    assert attend is not None
    (key_kernel,) = arrays(attend.key_projection)
    vector = np.asarray(ops.convert_to_numpy(attend.energy_vector))
    s = c = np.zeros((6, 4), "float32")
    y = np.zeros((6, 2), "float32")
    weights = attention_weights(model, source)
    for i in range(5):
        query = dense(attend.query_projection, s)
        energies = np.tanh(query[:, None] + values @ key_kernel) @ vector
        alpha = np.exp(energies) / np.exp(energies).sum(-1, keepdims=True)
        np.testing.assert_allclose(weights[:, i], alpha, atol=1e-5)
        v = np.einsum("bj,bju->bu", alpha, values)
        s, c = lstm(model.decoder.cells[0], np.concatenate([y, v], -1), s, c)
        y = dense(model.decoder.projection, s)
        np.testing.assert_allclose(run(model, source)[:, i], y, atol=1e-5)


@every_model
def test_depth_counts_layers(kind: Any) -> None:
    def cells(depth: Any) -> tuple[int, int]:
        model = kind(**SIZES, depth=depth)
        encoder = getattr(model.encoder, "cells", None) or model.encoder.forward_stack
        decoder = getattr(model.decoder, "cells", None) or model.decoder
        return len(encoder), len(decoder)

    assert cells(1) == (1, 1)
    assert cells(3) == (3, 3)
    assert cells((4, 5)) == (4, 5)


@every_model
@pytest.mark.parametrize("unroll", [False, True])
def test_padded_steps_change_nothing(kind: Any, unroll: bool, source: np.ndarray) -> None:
    model = kind(**SIZES, depth=2, unroll=unroll, input_length=7)
    mask = np.arange(7) < np.array([[7], [4], [1], [3], [7], [6]])
    dirty = np.where(mask[:, :, None], source, 9.0).astype("float32")
    expected = run(model, source, mask=mask)
    np.testing.assert_allclose(run(model, dirty, mask=mask), expected, atol=1e-5)
    alone = run(model, source[1:2, :4])
    np.testing.assert_allclose(expected[1:2], alone, atol=1e-5)


@every_model
def test_sources_may_have_any_length(kind: Any, source: np.ndarray) -> None:
    model = kind(**SIZES)
    assert run(model, source[:, :2]).shape == run(model, source).shape == (6, 5, 2)


@every_model
@pytest.mark.parametrize("options", [{}, {"cell": "gru", "depth": (2, 3), "dropout": 0.2}])
def test_a_saved_model_answers_the_same(
    kind: Any, options: dict[str, Any], source: np.ndarray, tmp_path: Path
) -> None:
    model = kind(**SIZES, **options)
    model.compile(optimizer="adam", loss="mse")
    model.fit(source, np.zeros((6, 5, 2)), verbose=0)
    expected = model.predict(source, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(source, verbose=0), expected, atol=1e-5)
    clone = keras.models.clone_model(model)
    assert clone.get_config() == model.get_config()
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(clone.predict(source, verbose=0), expected, atol=1e-5)


@every_model
def test_it_is_a_layer_of_a_bigger_model(kind: Any, tmp_path: Path) -> None:
    sizes = {**SIZES, "input_dim": None}
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(11, 6, mask_zero=True),
            kind(**sizes),
            keras.layers.Dense(9, activation="softmax"),
        ]
    )
    ids = np.random.default_rng(0).integers(1, 11, (4, 6)).astype("int32")
    padded = np.pad(ids, ((0, 0), (0, 3)))
    np.testing.assert_allclose(
        model.predict(padded, verbose=0), model.predict(ids, verbose=0), atol=1e-5
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.fit(ids, np.ones((4, 5), "int32"), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict(ids, verbose=0), model.predict(ids, verbose=0), atol=1e-5
    )


@every_model
def test_a_stateful_model_remembers_until_it_is_reset(kind: Any, source: np.ndarray) -> None:
    model = kind(**SIZES, batch_size=6, stateful=True, depth=2)
    first, second = run(model, source), run(model, source)
    assert np.abs(first - second).max() > 1e-4
    model.reset_states()
    np.testing.assert_allclose(run(model, source), first, atol=1e-5)


@every_model
def test_all_gradients_are_finite_and_all_weights_learn(kind: Any, source: np.ndarray) -> None:
    model = kind(**SIZES, depth=2, dropout=0.1)
    before = [weight.copy() for weight in model.get_weights()]
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    model.fit(source, np.ones((6, 5, 2)), epochs=3, verbose=0)
    for old, new, weight in zip(before, model.get_weights(), model.weights, strict=True):
        assert np.isfinite(new).all()
        is_learnt = "seed" not in weight.path
        assert (np.abs(new - old).max() > 0) == is_learnt, weight.path


@every_model
def test_mixed_precision_answers_nearly_the_same(kind: Any, source: np.ndarray) -> None:
    exact = kind(**SIZES)
    rough = kind(**SIZES, dtype="mixed_bfloat16")
    rough.set_weights(exact.get_weights())
    found = run(rough, source).astype("float32")
    np.testing.assert_allclose(found, run(exact, source), atol=0.05)


def test_a_teacher_is_read_while_training_only(source: np.ndarray) -> None:
    model = Seq2Seq(**SIZES, teacher_force=True)
    draw = np.random.default_rng(1)
    one, other = draw.normal(size=(2, 6, 5, 2)).astype("float32")
    np.testing.assert_array_equal(run(model, [source, one]), run(model, [source, other]))
    taught = run(model, [source, one], training=True)
    changed = run(model, [source, np.concatenate([one[:, :2], other[:, 2:]], 1)], training=True)
    np.testing.assert_allclose(taught[:, :3], changed[:, :3], atol=1e-5)
    assert np.abs(taught[:, 3:] - changed[:, 3:]).max() > 1e-4
    model.compile(optimizer="adam", loss="mse")
    model.fit([source, one], one, verbose=0)


def test_a_state_is_handed_over_only_if_asked(source: np.ndarray) -> None:
    with_state = Seq2Seq(**SIZES, broadcast_state=True)
    without = Seq2Seq(**SIZES, broadcast_state=False)
    without.set_weights(with_state.get_weights())
    assert np.abs(run(with_state, source) - run(without, source)).max() > 1e-4


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="torch.compile needs a compiler")
@every_model
def test_it_learns_in_xla(kind: Any, source: np.ndarray) -> None:
    model = kind(**SIZES, depth=2, unroll=True, input_length=7)
    expected = run(model, source)
    model.compile(optimizer="adam", loss="mse", jit_compile=True)
    np.testing.assert_allclose(model.predict(source, verbose=0), expected, atol=1e-5)
    model.fit(source, np.ones((6, 5, 2)), verbose=0)
    assert np.abs(model.predict(source, verbose=0) - expected).max() > 0


@pytest.mark.parametrize("kind", [Seq2Seq, AttentionSeq2Seq])
def test_xla_is_not_chosen_where_it_cannot_learn(kind: Any) -> None:
    can_learn = keras.backend.backend() != "tensorflow"
    assert kind(**SIZES).decoder.supports_jit == can_learn
    assert kind(**SIZES, unroll=True, input_length=7).decoder.supports_jit


def test_an_alignment_is_drawn(source: np.ndarray) -> None:
    weights = attention_weights(AttentionSeq2Seq(**SIZES), source)[0]
    axes = plot_attention(weights, source=list("abcdefg"), target=list("vwxyz"))
    assert [each.get_text() for each in axes.get_xticklabels()] == list("abcdefg")
    assert [each.get_text() for each in axes.get_yticklabels()] == list("vwxyz")
    np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), weights)


@pytest.mark.parametrize("attention", ["additive", "dot", "general", "concat", "multihead"])
def test_attention_weights_are_a_distribution_over_real_steps(
    attention: str, source: np.ndarray
) -> None:
    model = AttentionSeq2Seq(**SIZES, attention=attention)
    mask = np.arange(7) < np.array([[7], [4], [1], [3], [7], [6]])
    weights = attention_weights(model, source, mask)
    assert weights.shape == (6, 5, 7)
    np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-5)
    assert not weights[~np.broadcast_to(mask[:, None], weights.shape)].any()


@every_model
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output_dim": 0}, "output_dim"),
        ({"output_length": 2.5}, "output_length"),
        ({"hidden_dim": -1}, "hidden_dim"),
        ({"depth": (1, 2, 3)}, "depth"),
        ({"depth": 0}, "depth"),
        ({"cell": "rnn"}, "cell must be one of gru, lstm"),
        ({"input_shape": (3,)}, "input_shape must be"),
        ({"batch_input_shape": (None, 7)}, "batch_input_shape must be"),
        ({"input_dim": None, "input_length": 7}, "input_dim is missing"),
        ({"stateful": True}, "fixed batch size"),
    ],
)
def test_wrong_arguments_are_named(kind: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**{**SIZES, **arguments})


@every_model
def test_a_source_of_another_rank_is_refused(kind: Any) -> None:
    model = kind(output_dim=2, output_length=5)
    with pytest.raises(ValueError, match="sequences of vectors"):
        model(np.zeros((4, 3), "float32"))
