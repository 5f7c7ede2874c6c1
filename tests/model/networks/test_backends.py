"""The same weights say the same on TensorFlow, JAX and PyTorch: `make matrix` runs this on each.

Each network's answer was written once, on TensorFlow, into `answers.json` beside this file:
`python tests/model/networks/test_backends.py` writes it anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from model import AttentionSeq2Seq, Seq2Seq, SimpleSeq2Seq, TokenSeq2Seq
from model.config import NetworkConfig

ANSWERS = Path(__file__).with_name("answers.json")
SIZES = {"input_dim": 3, "hidden_dim": 4, "output_dim": 2, "output_length": 3, "depth": 2}
PARTS: list[dict[str, object]] = [
    {"cell": "gru", "attention": "general"},
    {"cell": "lstm", "attention": "additive", "encoder_layers": 2, "decoder_layers": 2},
    {"cell": "gru", "attention": "multihead", "input_feeding": True, "tie_output": False},
    {"cell": "lstm", "attention": "dot", "bidirectional": False, "encoder_units": 8},
    {"cell": "gru", "attention": "concat", "share_embeddings": True},
    {"encoder": "transformer", "decoder": "ssru", "encoder_layers": 2},
    {"encoder": "transformer", "decoder": "transformer", "decoder_layers": 2, "heads": 2},
    {"encoder": "transformer", "cell": "lstm", "attention": "general"},
    {"residual": True, "layer_norm": True, "encoder_layers": 3, "decoder_layers": 3},
]


def token_answer(parts: dict[str, object]) -> np.ndarray:
    """Logits of a source with padding and a target."""
    sizes = {"source_vocab_size": 12, "target_vocab_size": 12, "embedding_units": 4}
    widths = {"encoder_units": 4, "decoder_units": 8}
    network = TokenSeq2Seq(NetworkConfig.parse({**sizes, **widths, **parts}, where="test"))
    set_weights(network)
    source_ids = np.array([[5, 6, 7, 8], [9, 10, 0, 0]], "int32")
    target_ids = np.array([[2, 6], [2, 11]], "int32")
    return answer_of(network, {"source_ids": source_ids, "target_ids": target_ids})


def vector_answer(kind: Callable[..., keras.Model], **options: object) -> np.ndarray:
    """Outputs for a source with padding."""
    model = kind(**SIZES, **options)
    source = np.sin(np.arange(24, dtype="float32")).reshape(2, 4, 3)
    mask = np.array([[True] * 4, [True, True, False, False]])
    answer_of(model, source, mask=mask)  # builds
    set_weights(model)
    return answer_of(model, source, mask=mask)


def set_weights(model: keras.Model) -> None:
    """Numbers that depend on a weight's place and shape only."""
    for i, weight in enumerate(model.trainable_weights):
        weight.assign(np.random.default_rng(i).normal(scale=0.7, size=weight.shape))


def answer_of(model: keras.Model, *inputs: object, **options: object) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(model(*inputs, **options)))


CASES: dict[str, Callable[[], np.ndarray]] = {
    **{" ".join(map(str, parts.values())): partial(token_answer, parts) for parts in PARTS},
    **{
        f"{kind.__name__} {cell}": partial(vector_answer, kind, cell=cell)
        for kind in (SimpleSeq2Seq, Seq2Seq, AttentionSeq2Seq)
        for cell in ("lstm", "gru")
    },
}


@pytest.mark.parametrize("case", CASES)
def test_every_backend_says_the_same(case: str) -> None:
    expected = np.array(json.loads(ANSWERS.read_text())[case])
    np.testing.assert_allclose(CASES[case](), expected, atol=1e-4)


if __name__ == "__main__":
    answers = {case: answer().round(6).tolist() for case, answer in CASES.items()}
    ANSWERS.write_text(json.dumps(answers, indent=1) + "\n")
