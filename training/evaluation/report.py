"""`evaluate`: answers the test set, scores it, and tells the model's card and a report of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.config import SearchOptions
from model.folder import WEIGHTS_FILE
from model.generator import Generator
from model.networks.tokens import TokenSeq2Seq
from model.tokenizer import normalise_target
from training.corpus.prepare import PreparedCorpus, open_prepared
from training.corpus.shards import Shard, spread
from training.errors import CorpusError
from training.evaluation.metrics import (
    corpus_bleu,
    corpus_chrf,
    distinct,
    exact_match,
    most_repeated,
)
from training.packing import Metrics, write_scores
from training.recipe import Recipe
from training.scoring import Scorer

#: At most this many test examples are answered; all of them count for the perplexity.
MOST_ANSWERS = 5000
#: Of them, so many stand in the card and in the report.
SAMPLES, REPORTED = 12, 50


@dataclass(frozen=True)
class Answers:
    """The test set answered one way.

    Attributes:
        search: `greedy` or `beam K`.
        texts: one answer for each source.
    """

    search: str
    texts: tuple[str, ...]


def evaluate(recipe: Recipe) -> str:
    """Scores the model that `fit` wrote, adds the scores to its card and writes `report.md`.

    Returns:
        the scores, one a line.

    Raises:
        CorpusError: if the corpus has no test part.
        FolderError: if there is no model yet.
    """
    corpus = open_prepared(recipe)
    if not len(corpus.test):
        raise CorpusError(f"{corpus.path}: has no test part. Set test_fraction, prepare again.")
    path = Path(recipe.output) / "model"
    generator = Generator.load(path)
    config = generator.config
    if config.training.get("corpus_fingerprint") != corpus.fingerprint:
        raise CorpusError(
            f"{path}: was trained on another corpus than lies in {corpus.path}, so that its test "
            "part may hold what the model has learnt. Run `fit` again."
        )
    chosen = spread(len(corpus.test), MOST_ANSWERS).tolist()
    sources = [corpus.test.source_turns(i) for i in chosen]
    references = [normalise_target(corpus.test.target_text(i), config.text) for i in chosen]
    answered = [_answer(generator, sources, beam_size) for beam_size in (1, 4)]
    metrics: Metrics = {**config.training["metrics"]}
    metrics |= _prediction_scores(generator, path / WEIGHTS_FILE, corpus.test, recipe)
    for answers in answered:
        scores = _reply_scores if config.task == "reply" else _translation_scores
        found = scores(answers.texts, references)
        metrics |= {f"test_{answers.search}_{name}": score for name, score in found.items()}
    samples = _samples(sources, answered[0].texts)
    report = _report(config.name, corpus, metrics, sources, references, answered)
    (Path(recipe.output) / "report.md").write_text(report, encoding="utf-8")
    write_scores(path, config, len(corpus.train), metrics, samples)
    return "\n".join(f"{name}: {value}" for name, value in metrics.items())


def _answer(generator: Generator, sources: Sequence[Any], beam_size: int) -> Answers:
    defaults = generator.config.search.model_dump()
    options = SearchOptions(**{**defaults, "beam_size": beam_size, "n_best": 1})
    texts = [candidates[0].text for candidates in generator.generate(sources, options)]
    return Answers("greedy" if beam_size == 1 else f"beam{beam_size}", tuple(texts))


def _prediction_scores(generator: Generator, weights: Path, test: Shard, recipe: Recipe) -> Metrics:
    network = TokenSeq2Seq(generator.config.network)
    network.load_weights(weights)
    score = Scorer(network, recipe.fit.batch_tokens)(test)
    words = sum(len(test.target_text(i).split()) + 1 for i in range(len(test)))
    return {
        "test_examples": len(test),
        "test_perplexity": round(score.perplexity, 3),
        "test_perplexity_per_word": round(score.perplexity_per(words), 3),
        "test_token_accuracy": round(score.accuracy, 4),
    }


def _translation_scores(texts: Sequence[str], references: Sequence[str]) -> Metrics:
    bleu, signature = corpus_bleu(texts, references)
    lowercase_bleu, lowercase_signature = corpus_bleu(texts, references, lowercase=True)
    return {
        "exact_match": round(exact_match(texts, references), 3),
        f"BLEU {signature}": round(bleu, 2),
        f"BLEU {lowercase_signature}": round(lowercase_bleu, 2),
        "chrF2": round(corpus_chrf(texts, references), 2),
    }


def _reply_scores(texts: Sequence[str], references: Sequence[str]) -> Metrics:
    return {
        "words": round(sum(len(text.split()) for text in texts) / len(texts), 2),
        "reference_words": round(sum(len(t.split()) for t in references) / len(references), 2),
        "distinct_1": round(distinct(texts, 1), 2),
        "distinct_2": round(distinct(texts, 2), 2),
        "most_repeated_percent": round(most_repeated(texts), 2),
    }


def _samples(sources: Sequence[Sequence[str]], texts: Sequence[str]) -> list[tuple[str, str]]:
    return [(" / ".join(sources[i]), texts[i]) for i in spread(len(sources), SAMPLES)]


def _report(
    model_name: str,
    corpus: PreparedCorpus,
    metrics: Metrics,
    sources: Sequence[Sequence[str]],
    references: Sequence[str],
    answered: Sequence[Answers],
) -> str:
    scores = "\n".join(f"| {name} | {value} |" for name, value in metrics.items())
    header = " | ".join(answers.search for answers in answered)
    rows = "\n".join(
        f"| {' / '.join(sources[i])} | {references[i]} | "
        + " | ".join(answers.texts[i] for answers in answered)
        + " |"
        for i in spread(len(sources), REPORTED)
    )
    return (
        f"# {model_name}: evaluation\n\n"
        f"{len(corpus.train):,} training, {len(corpus.dev):,} dev and {len(corpus.test):,} test "
        f"examples (corpus {corpus.fingerprint[:12]}).\n\n"
        f"| score | value |\n|---|---|\n{scores}\n\n"
        f"| source | reference | {header} |\n|---|---|{'---|' * len(answered)}\n{rows}\n"
    )
