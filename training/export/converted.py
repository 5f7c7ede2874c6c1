"""Conversion of a network to CTranslate2, which runs Transformers on CPUs and GPUs.

CTranslate2 is optional: `pip install ctranslate2`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from model.config import NetworkConfig
from model.errors import EngineError
from model.layers.cells import NORM_EPSILON
from model.layers.transformer import sinusoids
from model.networks.tokens import TokenSeq2Seq
from model.tokenizer import BOS_ID, EOS_ID, UNK_ID
from model.types import Array, Float32, Int32
from training.export.linear import array

#: Number of written position encodings, which limits the length of sources and targets.
POSITIONS = 1024


def converted_files(
    network: TokenSeq2Seq, source_pieces: Sequence[str], target_pieces: Sequence[str]
) -> dict[str, bytes]:
    """Returns file name -> contents of the model folder, in float32; CTranslate2 quantizes it when
    it is loaded (`compute_type="int8"`). Sources end with the piece of `EOS_ID`.

    Args:
        network: a Transformer encoder and a Transformer decoder of the same size.
        source_pieces, target_pieces: pieces of the tokenizer, by id.

    Raises:
        EngineError: if CTranslate2 is not installed or does not support the network.
    """
    _check_convertible(network.config)
    spec = _spec(network)
    spec.register_source_vocabulary(list(source_pieces))
    spec.register_target_vocabulary(list(target_pieces))
    spec.config.bos_token = spec.config.decoder_start_token = target_pieces[BOS_ID]
    spec.config.eos_token = target_pieces[EOS_ID]
    spec.config.unk_token = target_pieces[UNK_ID]
    spec.config.layer_norm_epsilon = NORM_EPSILON
    spec.validate()
    with tempfile.TemporaryDirectory() as folder:
        spec.save(folder)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def difference_of(
    network: TokenSeq2Seq,
    files: dict[str, bytes],
    pieces: tuple[Sequence[str], Sequence[str]],
    examples: Sequence[tuple[Int32, Int32]],
) -> float:
    """Returns the largest difference, in nats, between the log-probabilities that the network and
    the model in `files` give to each target token of `examples`, (source, target) ids. `pieces` are
    those of source and target."""
    source_pieces, target_pieces = pieces
    with tempfile.TemporaryDirectory() as folder:
        for name, contents in files.items():
            Path(folder, name).write_bytes(contents)
        translator = _ctranslate2().Translator(folder, device="cpu", compute_type="float32")
        scored = translator.score_batch(
            [[source_pieces[i] for i in source] for source, _ in examples],
            [[target_pieces[i] for i in target] for _, target in examples],
        )
    distances = [
        np.abs(_logprobs(network, source, target) - np.array(found.log_probs)).max()
        for (source, target), found in zip(examples, scored, strict=True)
    ]
    return float(max(distances))


def _logprobs(network: TokenSeq2Seq, source: Int32, target: Int32) -> Float32:
    """Returns the log-probabilities of a target's tokens and of its end."""
    read, labels = np.append(np.int32(BOS_ID), target), np.append(target, np.int32(EOS_ID))
    inputs = {"source_ids": source[None], "target_ids": read[None]}
    logits = network({name: ops.convert_to_tensor(ids) for name, ids in inputs.items()})
    logprobs: Float32 = array(ops.log_softmax(logits, axis=-1))[0]
    return logprobs[np.arange(len(labels)), labels]


def _check_convertible(config: NetworkConfig) -> None:
    """Raises an EngineError if CTranslate2 does not support the network."""
    if (config.encoder, config.decoder) != ("transformer", "transformer"):
        raise EngineError(
            "CTranslate2 needs a Transformer encoder and a Transformer decoder. Received: "
            f"encoder = '{config.encoder}', decoder = '{config.decoder}'"
        )
    sizes = (config.embedding_units, config.encoder_units, config.decoder_units)
    if len(set(sizes)) > 1 or not config.decoder_feed_forward_units:
        raise EngineError(
            "CTranslate2 needs embedding_units, encoder_units and decoder_units to be equal, and "
            f"feed-forward layers. Received: {sizes} and decoder_feed_forward_units = "
            f"{config.decoder_feed_forward_units}"
        )


def _ctranslate2() -> Any:
    try:
        import ctranslate2
    except ImportError:
        raise EngineError(
            "CTranslate2 is not installed. Install it with `pip install ctranslate2`."
        ) from None
    return ctranslate2


def _spec(network: TokenSeq2Seq) -> Any:
    encoder, decoder, config = network.encoder, network.decoder, network.config
    transformer = _ctranslate2().specs.TransformerSpec
    depth = (config.encoder_layers, config.decoder_layers)
    spec = transformer.from_config(depth, config.heads, pre_norm=True)
    positions: Array = array(sinusoids(np.arange(POSITIONS), config.encoder_units))
    sides = (
        (spec.encoder, encoder, spec.encoder.embeddings[0], network.source_embedding),
        (spec.decoder, decoder, spec.decoder.embeddings, network.target_embedding),
    )
    for side, layers, table, embedding in sides:
        table.weight = array(embedding.embeddings)
        side.position_encodings.encodings = positions
        _copy_norm(side.layer_norm, layers.norm)
        for target, layer in zip(side.layer, layers.stack, strict=True):
            _copy_layer(target, layer)
    spec.decoder.projection.weight = np.ascontiguousarray(array(network.projection.matrix()).T)
    spec.decoder.projection.bias = array(network.projection.bias)
    return spec


def _copy_layer(target: Any, layer: Any) -> None:
    has_source = hasattr(layer, "past")
    own = layer.past.attention if has_source else layer.attend
    query, key, value, output = _projections(own)
    _copy_dense(target.self_attention.linear[0], query, key, value)
    _copy_dense(target.self_attention.linear[1], output)
    _copy_norm(
        target.self_attention.layer_norm, layer.past_norm if has_source else layer.attend_norm
    )
    if has_source:
        query, key, value, output = _projections(layer.attend)
        _copy_dense(target.attention.linear[0], query)
        _copy_dense(target.attention.linear[1], key, value)
        _copy_dense(target.attention.linear[2], output)
        _copy_norm(target.attention.layer_norm, layer.attend_norm)
    _copy_norm(target.ffn.layer_norm, layer.feed_forward_norm)
    _copy_dense(target.ffn.linear_0, layer.feed_forward.hidden)
    _copy_dense(target.ffn.linear_1, layer.feed_forward.output_projection)


def _projections(attention: Any) -> Iterator[Any]:
    for name in ("query", "key", "value", "output"):
        yield getattr(attention, f"{name}_projection")


def _copy_dense(target: Any, *layers: Any) -> None:
    """Copies layers, side by side."""
    target.weight = np.concatenate([array(each.kernel).T for each in layers])
    target.bias = np.concatenate([array(each.bias) for each in layers])


def _copy_norm(target: Any, layer: Any) -> None:
    target.gamma, target.beta = array(layer.gamma), array(layer.beta)
