"""Estimate of the time that a new recipe takes, before there is a corpus."""

from __future__ import annotations

from model.config import NetworkConfig, NetworkShape
from training.fit.sizing import SizedFitConfig, shape_by_heart, sized_for
from training.metrics import words_of
from training.new.proposal import PIECES_PER_WORD
from training.new.survey import Survey
from training.new.timing import FILLED, measure_speed
from training.recipe import Recipe, TrainingPrecision

#: Examples that `prepare` reads in a second, and the seconds that all commands need at least.
PREPARED_PER_SECOND, LEAST_SECONDS = 4000.0, 60.0
#: Share of the epochs that a run takes: it ends when dev no longer improves, or all is learnt.
EPOCHS_TAKEN = 0.8
HALF_PRECISION: TrainingPrecision = "mixed_bfloat16"
#: A run of fewer seconds is not worth another measurement; half precision has to save a tenth.
WORTH_CHOOSING_SECONDS, WORTH_CHANGING = 300.0, 0.9


def choose_precision(recipe: Recipe, found: Survey) -> tuple[TrainingPrecision, float]:
    """Returns the precision in which `recipe` trains faster on this machine, and about how many
    seconds all commands then take.

    Trains its network for some steps. Half precision pays on GPUs and on processors that multiply
    matrices in it.

    Args:
        recipe: in float32.
        found: its sources.
    """
    seconds = _estimate_seconds(recipe, found)
    if seconds < WORTH_CHOOSING_SECONDS:
        return "float32", seconds
    fit = recipe.fit.model_copy(update={"precision": HALF_PRECISION})
    half_seconds = _estimate_seconds(recipe.model_copy(update={"fit": fit}), found)
    if half_seconds > WORTH_CHANGING * seconds:
        return "float32", seconds
    return HALF_PRECISION, half_seconds


def _estimate_seconds(recipe: Recipe, found: Survey) -> float:
    source_tokens, target_tokens = (
        _mean_tokens([example.source[-1] for example in found.sample]),
        _mean_tokens([example.target for example in found.sample]),
    )
    turns = recipe.tokenizer.context_turns
    source_tokens = min(source_tokens * (1 + turns) // 2, recipe.tokenizer.max_source_tokens)
    tokens = found.examples * (target_tokens + 1)
    options = _options_of(recipe, tokens)
    speed = measure_speed(_network_of(recipe), options, source_tokens, target_tokens)
    trained = speed.seconds_for(tokens * options.epochs * EPOCHS_TAKEN)
    return LEAST_SECONDS + found.examples / PREPARED_PER_SECOND + trained


def _options_of(recipe: Recipe, tokens: int) -> SizedFitConfig:
    return sized_for(
        recipe.fit,
        tokens,
        lambda batch_tokens: max(1, round(tokens / (FILLED * batch_tokens))),
        by_heart=not recipe.corpus.dev_fraction,
    )


def _network_of(recipe: Recipe) -> NetworkConfig:
    shape: NetworkShape = recipe.network
    if not recipe.corpus.dev_fraction:
        shape = shape_by_heart(shape)
    size = recipe.tokenizer.vocab_size
    sizes = {"source_vocab_size": size, "target_vocab_size": size}
    return NetworkConfig.parse({**shape.model_dump(), **sizes}, where="[network]")


def _mean_tokens(texts: list[str]) -> int:
    return max(1, round(PIECES_PER_WORD * sum(len(words_of(text)) for text in texts) / len(texts)))
