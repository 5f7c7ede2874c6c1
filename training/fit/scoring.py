"""How well a network predicts the next token of examples it does not learn from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from model.engine.compiled import compiled
from training.fit.batches import Batch, plan_batches, read_batches
from training.fit.losses import TokenCrossEntropy
from training.prepare.shards import Shard

Tensor = Any


@dataclass(frozen=True)
class TokenScore:
    """With teacher forcing, over all tokens of a shard, the end of sentence included.

    Attributes:
        loss: mean cross-entropy in nats a token, without label smoothing.
        accuracy: share of tokens that the network finds likeliest.
        tokens: how many there were.
    """

    loss: float
    accuracy: float
    tokens: int

    @property
    def perplexity(self) -> float:
        """exp(loss): how many tokens the network hesitates between."""
        return self.perplexity_per(self.tokens)

    def perplexity_per(self, units: int) -> float:
        """The same for each of `units` words or letters that the tokens make up."""
        return math.exp(min(self.loss * self.tokens / units, 700.0))


class Scorer:
    """Scores shards with a network, as often as asked.

    Args:
        network: see `model.networks.tokens.TokenSeq2Seq`; its weights of the moment count.
        batch_tokens: target tokens of a batch, padding counted.
    """

    def __init__(self, network: keras.Model, batch_tokens: int) -> None:
        self._batch_tokens = batch_tokens
        cross_entropy = TokenCrossEntropy()

        def sums(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            inputs = {"source_ids": batch["source_ids"], "target_ids": batch["target_ids"]}
            logits = network(inputs, training=False)
            right = ops.cast(ops.equal(ops.argmax(logits, -1), batch["labels"]), "float32")
            losses = cross_entropy.call(batch["labels"], logits)
            return ops.sum(losses * batch["weights"]), ops.sum(right * batch["weights"])

        self._sums = compiled(sums, network)

    def __call__(self, shard: Shard) -> TokenScore:
        """Scores every example of `shard`, at least one."""
        plan = plan_batches(shard, self._batch_tokens, seed=0, epoch=0)
        loss = right = tokens = 0.0
        for batch in read_batches(shard, plan, self._batch_tokens):
            batch_loss, batch_right = self._sums(_tensors(batch))
            loss += float(batch_loss)
            right += float(batch_right)
            tokens += float(batch.weights.sum())
        return TokenScore(loss / tokens, right / tokens, int(tokens))


def _tensors(batch: Batch) -> dict[str, Tensor]:
    return {name: ops.convert_to_tensor(array) for name, array in vars(batch).items()}
