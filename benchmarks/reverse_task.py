"""Can it learn to say a sequence of vectors backwards? Attention beside one context vector.

    python -m benchmarks.reverse_task

Both models have the same hidden size, optimizer and number of steps. Prints the mean squared error
on sequences never seen; a forecast of the mean has that of the data, 1/3.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from model import AttentionSeq2Seq, SimpleSeq2Seq

LENGTH, FEATURES, HIDDEN, BATCH = 8, 4, 64, 128


def draw_sequences(count: int, seed: int) -> np.ndarray:
    """Draws numbers, uniform in [-1, 1], `(count, LENGTH, FEATURES)`."""
    return np.random.default_rng(seed).uniform(-1, 1, (count, LENGTH, FEATURES)).astype("float32")


def train(kind: type[keras.Model], epochs: int) -> tuple[float, float]:
    """Trains a model of that kind. Returns its error on new sequences, and the seconds it took."""
    keras.utils.set_random_seed(0)
    options = {"attention": "general"} if kind is AttentionSeq2Seq else {}
    # A last LSTM's output is bounded by 1 in size, and needs a projection to reach it.
    model = keras.Sequential(
        [
            keras.Input((LENGTH, FEATURES)),
            kind(output_dim=HIDDEN, output_length=LENGTH, hidden_dim=HIDDEN, **options),
            keras.layers.Dense(FEATURES),
        ]
    )
    x, new = draw_sequences(20_000, 0), draw_sequences(1000, 1)
    rate = keras.optimizers.schedules.CosineDecay(5e-3, epochs * (len(x) // BATCH))
    model.compile(
        optimizer=keras.optimizers.Adam(rate, clipnorm=1.0), loss="mse", jit_compile=False
    )
    start = time.perf_counter()
    model.fit(x, x[:, ::-1], batch_size=BATCH, epochs=epochs, verbose=0)
    error = float(np.square(model.predict(new, verbose=0) - new[:, ::-1]).mean())
    return error, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    epochs = parser.parse_args().epochs
    print(f"{LENGTH} vectors of {FEATURES}, hidden size {HIDDEN}, {epochs} epochs of 20,000\n")
    print("| model | mean squared error | seconds |\n|---|---|---|")
    for kind in (AttentionSeq2Seq, SimpleSeq2Seq):
        error, seconds = train(kind, epochs)
        print(f"| {kind.__name__} | {error:.6f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
