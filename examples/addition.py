"""Adds numbers, digit by digit: "27+618" -> "645", characters as one-hot vectors.

    python -m examples.addition

Prints the share of sums never seen in training that come out exactly right.
"""

from __future__ import annotations

import argparse

import keras
import numpy as np

from model import AttentionSeq2Seq

CHARACTERS = "0123456789+ "
DIGITS = 3
SOURCE_LENGTH, TARGET_LENGTH = 2 * DIGITS + 1, DIGITS + 1


def one_hot(texts: list[str]) -> np.ndarray:
    """Encodes texts as `(len(texts), length, characters)`."""
    ids = np.array([[CHARACTERS.index(character) for character in text] for text in texts])
    return np.eye(len(CHARACTERS), dtype="float32")[ids]


def draw_sums(count: int, seed: int) -> tuple[list[str], list[str]]:
    """Draws different sums and their results, padded with spaces. The result is written from its
    last digit on, as people add."""
    draw = np.random.default_rng(seed)
    pairs = draw.permutation(10 ** (2 * DIGITS))[:count]
    numbers = [divmod(int(pair), 10**DIGITS) for pair in pairs]
    sources = [f"{a}+{b}".ljust(SOURCE_LENGTH) for a, b in numbers]
    targets = [str(a + b)[::-1].ljust(TARGET_LENGTH) for a, b in numbers]
    return sources, targets


def build() -> keras.Model:
    """Builds attention, and a choice of character at each step."""
    return keras.Sequential(
        [
            keras.Input((SOURCE_LENGTH, len(CHARACTERS))),
            AttentionSeq2Seq(output_dim=64, output_length=TARGET_LENGTH, hidden_dim=96, cell="gru"),
            keras.layers.Dense(len(CHARACTERS), activation="softmax"),
        ]
    )


def main(arguments: list[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=50_000)
    parser.add_argument("--epochs", type=int, default=12)
    options = parser.parse_args(arguments)
    keras.utils.set_random_seed(0)
    sources, targets = draw_sums(options.examples + 1000, seed=0)
    x, y = one_hot(sources), one_hot(targets)
    model = build()
    steps = options.epochs * (options.examples // 128)
    rate = keras.optimizers.schedules.CosineDecay(4e-3, steps)
    model.compile(
        optimizer=keras.optimizers.Adam(rate, clipnorm=1.0),
        loss="categorical_crossentropy",
        jit_compile=False,
    )
    model.fit(x[:-1000], y[:-1000], batch_size=128, epochs=options.epochs, verbose=2)
    found = model.predict(x[-1000:], verbose=0).argmax(-1)
    exact = 100.0 * float((found == y[-1000:].argmax(-1)).all(axis=1).mean())
    for source, ids in zip(sources[-5:], found[-5:], strict=True):
        print(source.strip(), "=", "".join(CHARACTERS[i] for i in ids).strip()[::-1])
    print(f"exactly right: {exact:.1f} % of 1000 sums that were not in training")
    return exact


if __name__ == "__main__":
    main()
