"""The models of vectors do what users of Keras expect of a model: `make matrix` runs this on each
backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from model import AttentionSeq2Seq, Seq2Seq, SimpleSeq2Seq
from model.config import NetworkConfig
from model.networks.tokens import TokenSeq2Seq

MODELS = [SimpleSeq2Seq, Seq2Seq, AttentionSeq2Seq]
SIZES: dict[str, Any] = {"input_dim": 3, "hidden_dim": 4, "output_dim": 2, "output_length": 2}
every_model = pytest.mark.parametrize("kind", MODELS)


@pytest.fixture
def source() -> np.ndarray:
    keras.utils.set_random_seed(0)
    return np.random.default_rng(0).normal(size=(2, 3, 3)).astype("float32")


@pytest.fixture
def float64_on_jax() -> Iterator[None]:
    """JAX computes in float64 only where it is told to."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    with jax.enable_x64(True):
        yield


def run(model: keras.Model, *inputs: Any, **options: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(model(*inputs, **options)))


def saved_and_loaded(model: keras.Model, path: Path) -> keras.Model:
    model.save(path)
    return keras.saving.load_model(path)


def small_token_network() -> TokenSeq2Seq:
    sizes = {"source_vocab_size": 9, "target_vocab_size": 9, "embedding_units": 4}
    widths = {"encoder_units": 4, "decoder_units": 4}
    return TokenSeq2Seq(NetworkConfig.parse({**sizes, **widths}, where="test"))


@every_model
def test_a_summary_shows_what_is_inside(kind: Any) -> None:
    lines: list[str] = []
    model = keras.Sequential([keras.Input((3, 3)), kind(**SIZES)])
    model.summary(expand_nested=True, print_fn=lambda line, **_: lines.append(line))
    text = "\n".join(lines)
    assert "encoder" in text and "?" not in text
    assert "2, 2" in text


def test_a_summary_shows_what_is_inside_a_token_network() -> None:
    lines: list[str] = []
    network = small_token_network()
    network.summary(expand_nested=True, print_fn=lambda line, **_: lines.append(line))
    assert "decoder" in "\n".join(lines)


@every_model
@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8", "float64"])
def test_sources_may_have_any_dtype(kind: Any, dtype: str) -> None:
    model = kind(**SIZES)
    one_hot = np.eye(3)[[[0, 1, 2], [2, 2, 0]]]
    expected = run(model, one_hot.astype("float32"))
    np.testing.assert_allclose(run(model, one_hot.astype(dtype)), expected, atol=1e-6)


@every_model
def test_what_was_frozen_stays_frozen(kind: Any, tmp_path: Path) -> None:
    sizes = {**SIZES, "input_dim": None}
    model = keras.Sequential([keras.Input((3, 3)), kind(**sizes), keras.layers.Dense(2)])
    model.layers[0].trainable = False
    loaded = saved_and_loaded(model, tmp_path / "frozen.keras")
    clone = keras.models.clone_model(model)
    for each in (model, loaded, clone):
        assert len(each.trainable_weights) == 2
    assert len(kind(**SIZES, trainable=False).trainable_weights) == 0

    part = kind(**SIZES)
    part.encoder.trainable = False
    free = [weight.shape for weight in part.trainable_weights]
    assert len(free) < len(part.weights)
    loaded = saved_and_loaded(part, tmp_path / "part.keras")
    assert [weight.shape for weight in loaded.trainable_weights] == free
    clone = kind.from_config(part.get_config())
    assert [weight.shape for weight in clone.trainable_weights] == free


@every_model
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_bfloat16_is_built_and_runs(kind: Any, cell: str, source: np.ndarray) -> None:
    model = kind(**SIZES, dtype="bfloat16", cell=cell)
    assert {keras.backend.standardize_dtype(each.dtype) for each in model.weights} == {"bfloat16"}
    exact = kind(**SIZES, cell=cell)
    exact.set_weights([each.astype("float32") for each in model.get_weights()])
    found = ops.convert_to_numpy(ops.cast(model(source), "float32"))
    np.testing.assert_allclose(found, run(exact, source), atol=0.05)


@every_model
def test_shapes_are_known_before_the_first_call(kind: Any, source: np.ndarray) -> None:
    model = kind(**SIZES)
    assert model.input_shape == (None, None, 3)
    assert model.output_shape == model.compute_output_shape((None, 7, 3)) == (None, 2, 2)
    assert model.input.shape == (None, None, 3)
    assert model.output.shape == (None, 2, 2)
    around = keras.Model(model.input, keras.layers.Activation("tanh")(model.output))
    np.testing.assert_allclose(run(around, source), np.tanh(run(model, source)), atol=1e-6)
    sizeless = kind(**{**SIZES, "input_dim": None})
    assert sizeless.compute_output_shape((5, 7, 3)) == (5, 2, 2)
    with pytest.raises(ValueError, match="input_dim"):
        _ = sizeless.input
    run(sizeless, source)
    assert sizeless.input_shape == (None, 3, 3)


@every_model
def test_a_part_of_the_graph_is_a_model(kind: Any, source: np.ndarray) -> None:
    model = kind(**SIZES)
    assert model.output is not None
    part = keras.Model(model.input, keras.tree.flatten(model.encoder.output)[0])
    expected = ops.convert_to_numpy(keras.tree.flatten(model.encoder(source))[0])
    np.testing.assert_allclose(run(part, source), expected, atol=1e-6)


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras 3.15 exports no model from PyTorch to it"
)
@every_model
@pytest.mark.filterwarnings("ignore:.*jax2tf|.*native_serialization:DeprecationWarning")  # Keras'
def test_a_loaded_model_is_exported_before_it_is_called(
    kind: Any, source: np.ndarray, tmp_path: Path
) -> None:
    import tensorflow as tf

    model = kind(**SIZES)
    loaded = saved_and_loaded(model, tmp_path / "model.keras")
    loaded.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    found = exported.serve(source)
    np.testing.assert_allclose(found, run(model, source), atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's loops alone")
@pytest.mark.parametrize("kind", [Seq2Seq, AttentionSeq2Seq])
def test_a_loop_is_not_exported_to_onnx_on_tensorflow(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported: list[Any] = []
    monkeypatch.setattr(keras.Model, "export", lambda *_, **options: exported.append(options))
    with pytest.raises(ValueError, match="unroll=True"):
        kind(**SIZES).export(tmp_path / "model.onnx", format="onnx")
    assert not exported
    kind(**SIZES, input_length=3, unroll=True).export(tmp_path / "model.onnx", format="onnx")
    assert exported


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's loops alone")
@every_model
@pytest.mark.filterwarnings("ignore")  # PyTorch's, of its own exporters
def test_a_loop_is_exported_to_onnx_for_one_length_on_pytorch(
    kind: Any, source: np.ndarray, tmp_path: Path
) -> None:
    import onnxruntime

    path = tmp_path / "model.onnx"
    with pytest.raises(ValueError, match="input_length"):
        kind(**SIZES).export(path, format="onnx")
    model = kind(**SIZES, input_length=3)
    model.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path)
    (found,) = session.run(None, {session.get_inputs()[0].name: source})
    np.testing.assert_allclose(found, run(model, source), atol=1e-6)


@every_model
@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method:UserWarning")
def test_a_quantized_model_is_saved_and_loaded(
    kind: Any, source: np.ndarray, tmp_path: Path
) -> None:
    model = kind(**SIZES)
    exact = run(model, source)
    model.quantize("int8")
    expected = run(model, source)
    loaded = saved_and_loaded(model, tmp_path / "model.keras")
    np.testing.assert_allclose(run(loaded, source), expected, atol=1e-6)
    np.testing.assert_allclose(expected, exact, atol=0.05)
    kinds = [{each.dtype for each in which.weights} for which in (model, loaded)]
    assert kinds[0] == kinds[1]
    assert ("int8" in kinds[0]) == (kind is not SimpleSeq2Seq)  # Keras quantizes no recurrent layer


@every_model
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_h5_file_is_loaded(kind: Any, source: np.ndarray, tmp_path: Path) -> None:
    model = kind(**SIZES)
    loaded = saved_and_loaded(model, tmp_path / "model.h5")
    assert type(loaded) is kind
    np.testing.assert_allclose(run(loaded, source), run(model, source), atol=1e-6)


def test_a_token_network_is_loaded(tmp_path: Path) -> None:
    network = small_token_network()
    network.encoder.trainable = False
    loaded = saved_and_loaded(network, tmp_path / "network.keras")
    ids = np.array([[5, 6, 0]], "int32")
    inputs = {"source_ids": ids, "target_ids": ids}
    np.testing.assert_allclose(run(loaded, inputs), run(network, inputs), atol=1e-6)
    assert len(loaded.trainable_weights) == len(network.trainable_weights)


@every_model
def test_dropout_leaves_the_source_whole(kind: Any) -> None:
    keras.utils.set_random_seed(0)
    source = np.ones((64, 2, 1), "float32")
    model = kind(**{**SIZES, "input_dim": 1}, dropout=0.6)
    layer = model.encoder
    if isinstance(model, Seq2Seq):  # its encoder drops what it returns: the context
        context = ops.convert_to_numpy(layer(source, training=True)[0])
        kept = ops.convert_to_numpy(layer(source)[0]) / 0.4
        assert np.all(np.isclose(context, 0) | np.isclose(context, kept, atol=1e-5))
        assert 0.3 < np.isclose(context, 0).mean() < 0.9
    else:
        first, second = (ops.convert_to_numpy(layer(source, training=t)[0]) for t in (True, False))
        np.testing.assert_allclose(first, second, atol=1e-6)
    noisy, quiet = run(model, source, training=True), run(model, source)
    assert np.abs(noisy - quiet).max() > 1e-4
    deep = kind(**{**SIZES, "input_dim": 1}, dropout=0.6, depth=2)
    assert np.abs(run(deep, source, training=True) - run(deep, source)).max() > 1e-4


@every_model
@pytest.mark.usefixtures("float64_on_jax")
def test_float64_is_computed_in_float64(kind: Any, source: np.ndarray) -> None:
    model = kind(**SIZES, dtype="float64")
    exact = source.astype("float64")
    assert run(model, exact).dtype == np.float64
    if isinstance(model, AttentionSeq2Seq):
        _, weights = model.attended(ops.convert_to_tensor(exact))
        sums = np.asarray(ops.convert_to_numpy(weights)).sum(-1)
        np.testing.assert_allclose(sums, 1.0, atol=1e-14)


@every_model
def test_a_source_of_other_width_is_named(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"expected shape=\(None, None, 3\)"):
        kind(**SIZES)(np.zeros((2, 3, 4), "float32"))


def test_a_smaller_batch_is_named_by_a_stateful_model() -> None:
    model = Seq2Seq(**SIZES, batch_size=4, stateful=True)
    with pytest.raises(ValueError, match=r"expected shape=\(4, None, 3\)"):
        model(np.zeros((2, 3, 3), "float32"))
