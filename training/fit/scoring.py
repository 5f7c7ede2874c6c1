"""Scores of a network's next-token predictions on held-out examples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras
from keras import ops

from model.engine.compiled import compiled
from model.types import Tensor
from training.fit.batches import plan_batches, read_batches
from training.fit.distribution import ONE_DEVICE, Devices
from training.fit.losses import TokenCrossEntropy
from training.fit.shapes import UNPLANNED, Shapes
from training.prepare.shards import Shard


@dataclass(frozen=True)
class TokenScore:
    """Score with teacher forcing over all tokens of a shard, the end of sentence included.

    Attributes:
        loss: mean cross-entropy in nats per token, without label smoothing.
        accuracy: share of tokens with the highest predicted probability.
        tokens: number of tokens.
    """

    loss: float
    accuracy: float
    tokens: int

    @property
    def perplexity(self) -> float:
        """Returns exp(loss), the effective number of equally likely next tokens."""
        return self.perplexity_per(self.tokens)

    def perplexity_per(self, units: int) -> float:
        """Returns the perplexity per word or letter, for a text of `units` words or letters."""
        return math.exp(min(self.loss * self.tokens / units, 700.0))


class Scorer:
    """Scorer of shards with the current weights of a network.

    Args:
        network: a `TokenSeq2Seq`.
        batch_tokens: target tokens of a batch, padding included.
        shapes: shapes of batches.
        devices: devices that hold the network.
    """

    def __init__(
        self,
        network: keras.Model,
        batch_tokens: int,
        shapes: Shapes = UNPLANNED,
        devices: Devices = ONE_DEVICE,
    ) -> None:
        self._batch_tokens = batch_tokens
        self._shapes = shapes
        self._devices = devices
        cross_entropy = TokenCrossEntropy()

        def sums(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            inputs = {"source_ids": batch["source_ids"], "target_ids": batch["target_ids"]}
            logits = network(inputs, training=False)
            correct = ops.cast(ops.equal(ops.argmax(logits, -1), batch["labels"]), "float32")
            losses = cross_entropy.call(batch["labels"], logits)
            return ops.sum(losses * batch["weights"]), ops.sum(correct * batch["weights"])

        self._sums = compiled(sums, network)

    def __call__(self, shard: Shard) -> TokenScore:
        """Scores every example of `shard`, at least one."""
        shapes, share = self._shapes, self._devices.share
        plan = plan_batches(shard, self._batch_tokens, seed=0, epoch=0, shapes=shapes)
        loss = correct = 0.0
        tokens = 0
        for batch in read_batches(shard, plan, self._batch_tokens, shapes, share):
            arrays = {**batch.inputs, "labels": batch.labels, "weights": batch.weights}
            tensors = {name: self._devices.to_tensor(array) for name, array in arrays.items()}
            batch_loss, batch_correct = self._sums(tensors)
            loss += float(batch_loss)
            correct += float(batch_correct)
            tokens += batch.tokens
        return TokenScore(loss / tokens, correct / tokens, tokens)
