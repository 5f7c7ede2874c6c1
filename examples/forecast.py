"""Forecasts a number series: 40 steps of a noisy mixture of waves -> the next 10.

    python -m examples.forecast

Prints the error beside that of two forecasts without a model.
"""

from __future__ import annotations

import argparse

import keras
import numpy as np

from model import Seq2Seq

SEEN, AHEAD = 40, 10


def draw_series(count: int, seed: int) -> np.ndarray:
    """Draws two waves of random period, phase and size, and noise: `(count, SEEN + AHEAD, 1)`."""
    draw = np.random.default_rng(seed)
    time = np.arange(SEEN + AHEAD)
    series = np.zeros((count, SEEN + AHEAD))
    for _ in range(2):
        period = draw.uniform(8, 30, (count, 1))
        phase = draw.uniform(0, 1, (count, 1))
        size = draw.uniform(0.3, 1, (count, 1))
        series += size * np.sin(2 * np.pi * (time / period + phase))
    noisy = series + draw.normal(scale=0.02, size=series.shape)
    return noisy[:, :, None].astype("float32")


def main(arguments: list[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args(arguments)
    keras.utils.set_random_seed(0)
    series = draw_series(options.examples + 1000, seed=0)
    past, future = series[:, :SEEN], series[:, SEEN:]
    model = Seq2Seq(
        input_dim=1, input_length=SEEN, hidden_dim=96, output_length=AHEAD, output_dim=1, peek=True
    )
    steps = options.epochs * (options.examples // 128)
    rate = keras.optimizers.schedules.CosineDecay(4e-3, steps)
    model.compile(
        optimizer=keras.optimizers.Adam(rate, clipnorm=1.0), loss="mse", jit_compile=False
    )
    model.fit(past[:-1000], future[:-1000], batch_size=128, epochs=options.epochs, verbose=2)
    unseen, truth = past[-1000:], future[-1000:]
    error = float(np.square(model.predict(unseen, verbose=0) - truth).mean())
    last = float(np.square(unseen[:, -1:] - truth).mean())
    mean = float(np.square(unseen.mean(axis=1, keepdims=True) - truth).mean())
    print(f"mean squared error of 1000 new series: {error:.4f}")
    print(f"repeating the last value: {last:.4f}; the mean so far: {mean:.4f}")
    return error


if __name__ == "__main__":
    main()
