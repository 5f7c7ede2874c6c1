"""Training speed: steps/s of our models beside plain PyTorch ones of the same equations and sizes.

    pip install torch; python -m benchmarks.train_step [--repeats 20]
    pip install torch jax; python -m benchmarks.train_step --backends

A step is forward, backward, clipping and Adam on one batch of 64. Runs are interleaved; figures are
medians. The PyTorch models are written as people write them: `nn.LSTM`/`nn.GRU` where a whole
sequence is known, a loop of cells where each step reads the last output. Eager mode.

`--backends` compares our token model on TensorFlow and on JAX instead, as `fit` compiles it: CPU
seconds of a step, each backend in a process of its own. Put them on one core with `taskset -c 0`.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import torch
from torch import nn

from benchmarks.timing import ask
from model import AttentionSeq2Seq, TokenSeq2Seq
from model.config import NetworkConfig
from training.fit.distribution import COMPILES_STEPS
from training.fit.losses import TokenCrossEntropy

BATCH, SOURCE, TARGET = 64, 20, 20
FEATURES, HIDDEN = 16, 128
VOCABULARY, EMBEDDING, ENCODER, DECODER = 8000, 256, 256, 512


class TorchAttentionSeq2Seq(nn.Module):
    """`AttentionSeq2Seq`: bidirectional LSTM, additive attention, LSTM cell fed with its output."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(FEATURES, HIDDEN, batch_first=True, bidirectional=True)
        self.keys = nn.Linear(2 * HIDDEN, HIDDEN, bias=False)
        self.query = nn.Linear(HIDDEN, HIDDEN)
        self.energy = nn.Linear(HIDDEN, 1, bias=False)
        self.cell = nn.LSTMCell(FEATURES + 2 * HIDDEN, HIDDEN)
        self.projection = nn.Linear(HIDDEN, FEATURES)

    def forward(self, source: torch.Tensor) -> torch.Tensor:
        values, _ = self.encoder(source)
        keys = self.keys(values)
        h = c = source.new_zeros(len(source), HIDDEN)
        y = source.new_zeros(len(source), FEATURES)
        outputs = []
        for _ in range(TARGET):
            energies = self.energy(torch.tanh(self.query(h)[:, None] + keys))[:, :, 0]
            weights = torch.softmax(energies, dim=1)
            context = torch.bmm(weights[:, None], values)[:, 0]
            h, c = self.cell(torch.cat([y, context], 1), (h, c))
            y = self.projection(h)
            outputs.append(y)
        return torch.stack(outputs, 1)


class TorchTokenModel(nn.Module):
    """`TokenSeq2Seq`: bidirectional GRU, GRU, general attention, readout, projection."""

    def __init__(self) -> None:
        super().__init__()
        self.source = nn.Embedding(VOCABULARY, EMBEDDING)
        self.target = nn.Embedding(VOCABULARY, EMBEDDING)
        self.encoder = nn.GRU(EMBEDDING, ENCODER, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * ENCODER, DECODER)
        self.decoder = nn.GRU(EMBEDDING, DECODER, batch_first=True)
        self.keys = nn.Linear(2 * ENCODER, DECODER, bias=False)
        self.readout = nn.Linear(DECODER + 2 * ENCODER, DECODER)
        self.projection = nn.Linear(DECODER, VOCABULARY)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        values, last = self.encoder(self.source(source))
        state = torch.tanh(self.bridge(torch.cat([last[0], last[1]], 1)))
        outputs, _ = self.decoder(self.target(target), state[None])
        weights = torch.softmax(torch.bmm(outputs, self.keys(values).transpose(1, 2)), -1)
        seen = torch.cat([torch.bmm(weights, values), outputs], -1)
        return self.projection(torch.tanh(self.readout(seen)))


def keras_step(model: keras.Model, inputs: object, labels: np.ndarray) -> Callable[[], object]:
    return lambda: model.train_on_batch(inputs, labels)


def torch_step(
    model: nn.Module, loss: Callable[[torch.Tensor], torch.Tensor], *inputs: torch.Tensor
) -> Callable[[], object]:
    optimizer = torch.optim.Adam(model.parameters())

    def step() -> float:
        optimizer.zero_grad()
        value = loss(model(*inputs))
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return value.item()

    return step


def vector_steps() -> dict[str, Callable[[], object]]:
    """Builds steps of `AttentionSeq2Seq`, vectors to vectors."""
    x = np.random.default_rng(0).normal(size=(BATCH, SOURCE, FEATURES)).astype("float32")
    ours = AttentionSeq2Seq(
        input_dim=FEATURES, output_dim=FEATURES, output_length=TARGET, hidden_dim=HIDDEN
    )
    optimizer = keras.optimizers.Adam(global_clipnorm=1.0)
    ours.compile(optimizer=optimizer, loss="mse", jit_compile=COMPILES_STEPS)
    tensor = torch.from_numpy(x)
    peer = torch_step(TorchAttentionSeq2Seq(), lambda y: nn.functional.mse_loss(y, tensor), tensor)
    return {"ours": keras_step(ours, x, x), "torch": peer}


def token_steps() -> dict[str, Callable[[], object]]:
    """Builds steps of `TokenSeq2Seq`, ids to logits, no dropout."""
    draw = np.random.default_rng(0)
    source = draw.integers(5, VOCABULARY, (BATCH, SOURCE)).astype("int32")
    target = draw.integers(5, VOCABULARY, (BATCH, TARGET)).astype("int32")
    config = NetworkConfig(
        source_vocab_size=VOCABULARY,
        target_vocab_size=VOCABULARY,
        embedding_units=EMBEDDING,
        encoder_units=ENCODER,
        decoder_units=DECODER,
        tie_output=False,
        dropout=0.0,
    )
    ours = TokenSeq2Seq(config)
    optimizer = keras.optimizers.Adam(global_clipnorm=1.0)
    ours.compile(optimizer=optimizer, loss=TokenCrossEntropy(), jit_compile=COMPILES_STEPS)
    ids, labels = torch.from_numpy(source).long(), torch.from_numpy(target).long()
    peer = torch_step(
        TorchTokenModel(),
        lambda logits: nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten()),
        ids,
        labels,
    )
    inputs = {"source_ids": source, "target_ids": target}
    return {"ours": keras_step(ours, inputs, target), "torch": peer}


def median_seconds(steps: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Returns the median seconds of a step of each, in turn, after three that do not count."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(repeats + 3):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if turn >= 3:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in times.items()}


def train_on_request() -> None:
    """Trains the token model for a step for each line of standard input; prints CPU seconds."""
    step = token_steps()["ours"]
    for _ in sys.stdin:
        start = time.process_time()
        step()
        print(time.process_time() - start, flush=True)


def backend_seconds(repeats: int) -> dict[str, float]:
    """Returns the median CPU seconds of a step on each backend, in turn, after three that do not
    count."""
    processes = {
        backend: subprocess.Popen(
            [sys.executable, "-m", "benchmarks.train_step", "--on-request"],
            env={**os.environ, "KERAS_BACKEND": backend},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for backend in ("tensorflow", "jax")
    }
    times: dict[str, list[float]] = {backend: [] for backend in processes}
    for turn in range(repeats + 3):
        for backend, process in processes.items():
            seconds = float(ask(process))
            if turn >= 3:
                times[backend].append(seconds)
    for process in processes.values():
        process.communicate()
    return {backend: statistics.median(each) for backend, each in times.items()}


def print_backends(repeats: int) -> None:
    print("| TokenSeq2Seq on | CPU seconds a step | times TensorFlow's |\n|---|---|---|")
    seconds = backend_seconds(repeats)
    for backend, each in seconds.items():
        print(f"| {backend} | {each:.3f} | {each / seconds['tensorflow']:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--backends", action="store_true", help="TensorFlow beside JAX")
    parser.add_argument("--on-request", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.on_request:
        train_on_request()
    elif chosen.backends:
        print_backends(chosen.repeats)
    else:
        print_peers(chosen.repeats)


def print_peers(repeats: int) -> None:
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, Keras {keras.__version__} on "
        f"{keras.backend.backend()}, PyTorch {torch.__version__}; batch {BATCH}, {SOURCE} and "
        f"{TARGET} steps\n"
    )
    print("| model | ours / PyTorch | ours, steps/s | PyTorch, steps/s |\n|---|---|---|---|")
    for name, steps in (("AttentionSeq2Seq", vector_steps()), ("TokenSeq2Seq", token_steps())):
        seconds = median_seconds(steps, repeats)
        ratio = seconds["torch"] / seconds["ours"]
        print(
            f"| {name} | {ratio:.2f}x | {1 / seconds['ours']:.2f} | {1 / seconds['torch']:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
