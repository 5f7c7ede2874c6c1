"""Answers of a network during training: their BLEU, and a check that they differ."""

from __future__ import annotations

from model.engine.keras import KerasEngine
from model.generator import Generator
from model.networks.tokens import TokenSeq2Seq
from model.tokenizer import normalise_target
from training.fit.baselines import describe_overuse
from training.metrics import corpus_bleu
from training.model_card import describe_model
from training.prepare.prepare import PreparedCorpus
from training.prepare.shards import Shard, evenly_spaced
from training.recipe import Recipe

#: Number of sources that are answered for BLEU at the end of each epoch.
SCORED_ANSWERS = 500
#: Number of sources that are answered at the end of a run, to check that the answers differ.
SAMPLED_ANSWERS = 128


def bleu_of(network: TokenSeq2Seq, recipe: Recipe, corpus: PreparedCorpus, shard: Shard) -> float:
    """Returns the BLEU of greedy answers to at most `SCORED_ANSWERS` sources of `shard`."""
    texts, references = _answers(network, recipe, corpus, shard, SCORED_ANSWERS)
    return corpus_bleu(texts, references, language=recipe.target_language)[0]


def check_answers(
    network: TokenSeq2Seq, recipe: Recipe, corpus: PreparedCorpus, shard: Shard
) -> list[str]:
    """Answers a few sources of `shard`; returns a warning if the answers are suspicious."""
    return describe_overuse(*_answers(network, recipe, corpus, shard, SAMPLED_ANSWERS))


def _answers(
    network: TokenSeq2Seq, recipe: Recipe, corpus: PreparedCorpus, shard: Shard, most: int
) -> tuple[list[str], list[str]]:
    """Returns greedy answers and references of sources of `shard`, evenly spaced."""
    copied = TokenSeq2Seq(network.config)  # an engine may change how layers compute
    copied.set_weights(network.get_weights())
    config = describe_model(recipe, corpus, network.config, {})
    generator = Generator(config, corpus.tokenizer, KerasEngine(copied))
    chosen = evenly_spaced(len(shard), most).tolist()
    found = generator.generate([shard.source_turns(i) for i in chosen], config.search.greedy())
    references = [normalise_target(shard.target_text(i), config.text) for i in chosen]
    return [candidates[0].text for candidates in found], references
