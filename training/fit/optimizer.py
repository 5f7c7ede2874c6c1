"""Optimizer and loss of a run, and its averaged weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from training.fit.distribution import COMPILES_STEPS
from training.fit.losses import TokenCrossEntropy
from training.fit.schedules import WarmUpAndDecay
from training.fit.sizing import SizedFitConfig

#: Names of weights without weight decay: biases, and normalisation scales.
UNDECAYED = ("bias", "gamma", "beta")


class AveragingAdam(keras.optimizers.Adam):
    """Adam whose moving average spans a ninth of the steps so far, at most `1 / (1 - ema_momentum)`
    steps, so that the first weights are forgotten in short runs too."""

    @property
    def ema_momentum(self) -> Any:
        """Returns the momentum of the average at this step, a tensor."""
        # Keras averages after each batch, also of those whose gradients are accumulated.
        steps = keras.ops.cast(self._iterations, "float32")
        return keras.ops.minimum(self._max_momentum, (1.0 + steps) / (10.0 + steps))

    @ema_momentum.setter
    def ema_momentum(self, momentum: float) -> None:
        self._max_momentum = momentum


def compile_network(network: keras.Model, options: SizedFitConfig, total_steps: int) -> None:
    """Compiles a network for training; `total_steps` as in `build_optimizer`."""
    network.compile(
        optimizer=build_optimizer(options, total_steps),
        loss=TokenCrossEntropy(options.label_smoothing),
        jit_compile=COMPILES_STEPS,
    )


def build_optimizer(options: SizedFitConfig, total_steps: int) -> keras.optimizers.Optimizer:
    """Builds Adam (Kingma and Ba 2015, arXiv:1412.6980) with decoupled weight decay (Loshchilov and
    Hutter 2019, arXiv:1711.05101). The learning rate follows from the batches of the whole run,
    `total_steps`."""
    schedule = WarmUpAndDecay(
        options.learning_rate,
        warmup_steps=options.warmup_steps,
        total_steps=total_steps,
        decay=options.decay,
    )
    optimizer = AveragingAdam(
        schedule,
        weight_decay=options.weight_decay or None,
        global_clipnorm=options.clip_norm,
        gradient_accumulation_steps=options.accumulate if options.accumulate > 1 else None,
        use_ema=options.average_steps > 1,
        ema_momentum=1.0 - 1.0 / max(options.average_steps, 1),
    )
    optimizer.exclude_from_weight_decay(var_names=UNDECAYED)
    return optimizer


@contextmanager
def averaged_weights(network: keras.Model) -> Iterator[None]:
    """Sets the weights of a network to their averages while the context is open, if its optimizer
    keeps any (Polyak and Juditsky 1992)."""
    optimizer = network.optimizer
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # where losses are scaled
    if not optimizer.use_ema:
        yield
        return
    current = network.get_weights()
    optimizer.finalize_variable_values(network.trainable_variables)
    try:
        yield
    finally:
        network.set_weights(current)
