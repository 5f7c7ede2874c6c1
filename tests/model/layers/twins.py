"""Layers in NumPy, from the equations of their papers, with the weights of the layers in Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops


def to_numpy(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(energies: np.ndarray) -> np.ndarray:
    powers = np.exp(energies - energies.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def dense(layer: Any, x: np.ndarray) -> np.ndarray:
    """W x + b."""
    product = x @ to_numpy(layer.kernel)
    return product if layer.bias is None else product + to_numpy(layer.bias)


def norm(layer: Any, x: np.ndarray) -> np.ndarray:
    """Ba et al. 2016, arXiv:1607.06450, eq. 4."""
    deviation = np.sqrt(x.var(axis=-1, keepdims=True) + layer.epsilon)
    centred = x - x.mean(axis=-1, keepdims=True)
    return to_numpy(layer.gamma) * centred / deviation + to_numpy(layer.beta)


def multihead(
    layer: Any, query: np.ndarray, values: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Vaswani et al. 2017, arXiv:1706.03762, section 3.2, and the mean of the heads' weights."""
    q, k, v = (
        dense(projection, x)
        for projection, x in (
            (layer.query_projection, query),
            (layer.key_projection, values),
            (layer.value_projection, values),
        )
    )
    outputs, alphas, size = [], [], layer.units // layer.heads
    for start in range(0, layer.units, size):
        part = slice(start, start + size)
        energies = np.einsum("btu,bsu->bts", q[..., part], k[..., part]) / np.sqrt(size)
        alphas.append(softmax(np.where(mask, energies, -np.inf)))
        outputs.append(alphas[-1] @ v[..., part])
    return dense(layer.output_projection, np.concatenate(outputs, -1)), np.mean(alphas, 0)


def ssru(layer: Any, x: np.ndarray) -> np.ndarray:
    """Kim et al. 2019, https://aclanthology.org/D19-5632, eq. 3 to 5."""
    f, candidate = sigmoid(dense(layer.forget, x)), dense(layer.candidate, x)
    c, outputs = np.zeros_like(candidate[:, 0]), []
    for t in range(x.shape[1]):
        c = f[:, t] * c + (1 - f[:, t]) * candidate[:, t]
        outputs.append(np.maximum(c, 0))
    return np.stack(outputs, 1)


def feed_forward(layer: Any, x: np.ndarray) -> np.ndarray:
    """Vaswani et al. 2017, eq. 2."""
    return dense(layer.output_projection, np.maximum(dense(layer.hidden, x), 0))


def positions(length: int, units: int) -> np.ndarray:
    """Vaswani et al. 2017, section 3.5, sines before cosines."""
    angles = np.arange(length)[:, None] / 10_000 ** (np.arange(0, units, 2) / units)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def read_input(layer: Any, x: np.ndarray, *, has_positions: bool) -> np.ndarray:
    """Embeddings, scaled and, if need be, projected, with their positions."""
    scaled = x * np.sqrt(x.shape[-1])
    scaled = scaled if layer.projection is None else dense(layer.projection, scaled)
    return scaled + positions(x.shape[1], layer.units) if has_positions else scaled


def transformer_encoder(encoder: Any, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Vaswani et al. 2017, section 3.1, with the normalisation before each part."""
    x = read_input(encoder.reader, x, has_positions=True)
    for layer in encoder.stack:
        seen = norm(layer.attend_norm, x)
        x = x + multihead(layer.attend, seen, seen, mask[:, None])[0]
        x = x + feed_forward(layer.feed_forward, norm(layer.feed_forward_norm, x))
    return norm(encoder.norm, x)


def transformer_decoder(
    decoder: Any, x: np.ndarray, source: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same, with the targets' past and the source; readouts and the last attention weights."""
    x = read_input(decoder.reader, x, has_positions=not decoder.uses_ssru)
    is_past = np.tril(np.ones((x.shape[1], x.shape[1]), bool))[None]
    for layer in decoder.stack:
        seen = norm(layer.past_norm, x)
        past = layer.past
        x = x + (
            ssru(past, seen)
            if decoder.uses_ssru
            else multihead(past.attention, seen, seen, is_past)[0]
        )
        context, weights = multihead(
            layer.attend, norm(layer.attend_norm, x), source, mask[:, None]
        )
        x = x + context
        if layer.feed_forward is not None:
            x = x + feed_forward(layer.feed_forward, norm(layer.feed_forward_norm, x))
    outputs = norm(decoder.norm, x)
    return (outputs if decoder.readout is None else dense(decoder.readout, outputs)), weights
