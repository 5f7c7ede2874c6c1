"""`evaluate`: answers the test part, scores the answers and writes them to card and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.config import SearchOptions
from model.engine import best_engine, load_engine
from model.folder import WEIGHTS_FILE, load_folder
from model.generator import Generator
from model.networks.tokens import TokenSeq2Seq
from model.tokenizer import normalise_target
from training.errors import CorpusError
from training.fit.baselines import describe_loss, describe_overuse, unigram_entropy
from training.fit.scoring import Scorer
from training.fit.sizing import sized_options
from training.markdown import markdown_table
from training.metrics import (
    corpus_bleu,
    corpus_chrf,
    distinct,
    exact_match,
    most_repeated,
    words_of,
)
from training.model_card import Metrics, write_scores
from training.prepare.prepare import PreparedCorpus, open_prepared
from training.prepare.shards import evenly_spaced
from training.recipe import Recipe

#: The most test examples that are answered; perplexity is computed on all.
MOST_ANSWERS = 5000
#: Answers that the card and the report show.
SAMPLES, REPORTED = 12, 50


@dataclass(frozen=True)
class Answers:
    """Answers to the test part by one search.

    Attributes:
        search: `greedy`, `beam K` or `sampling`.
        texts: one answer for each source.
    """

    search: str
    texts: tuple[str, ...]


def evaluate(recipe: Recipe) -> str:
    """Scores the model that `fit` wrote, adds the scores to its card and writes `report.md`. A
    corpus without a test part is scored on dev, or on train.

    Answers are found by greedy search and by the recipe's own `search`, which becomes the default
    of the model.

    Returns:
        the scores, one a line, and a line for each warning.

    Raises:
        CorpusError: if the model was trained on another corpus.
        FolderError: if there is no model yet.
    """
    corpus = open_prepared(recipe)
    part = next(name for name in ("test", "dev", "train") if len(corpus.part(name)))
    shard = corpus.part(part)
    path = Path(recipe.output) / "model"
    folder = load_folder(path)
    config = folder.config
    if config.training.get("corpus_fingerprint") != corpus.fingerprint:
        raise CorpusError(
            f"{path}: was trained on another corpus than {corpus.path}, whose test part may "
            "contain what the model has learnt. Run `fit` again."
        )
    engine = best_engine(folder)
    generator = Generator(config, folder.tokenizer, load_engine(folder, engine))
    chosen = evenly_spaced(len(shard), MOST_ANSWERS).tolist()
    sources = [shard.source_turns(i) for i in chosen]
    references = [normalise_target(shard.target_text(i), config.text) for i in chosen]
    answered = [_answer(generator, sources, options) for options in _searches(recipe.search)]
    metrics: Metrics = {**config.training["metrics"]}
    metrics |= _prediction_scores(generator, path / WEIGHTS_FILE, corpus, part, recipe)
    metrics["engine"] = engine
    for answers in answered:
        if config.task == "reply":
            found = _reply_scores(answers.texts, references)
        else:
            language = config.languages[-1] if config.languages else ""
            found = _translation_scores(answers.texts, references, language)
        metrics |= {f"{part}_{answers.search}_{name}": score for name, score in found.items()}
    samples = _samples(sources, answered[-1].texts)
    report = _report(config.name, corpus, metrics, sources, references, answered)
    (Path(recipe.output) / "report.md").write_text(report, encoding="utf-8")
    write_scores(path, config, len(corpus.train), metrics, samples, recipe.search)
    warnings = _warnings(part, metrics, answered[0].texts, references)
    return "\n".join([*(f"{name}: {value}" for name, value in metrics.items()), *warnings])


def _searches(own: SearchOptions) -> list[SearchOptions]:
    """Returns greedy search, and the recipe's own unless it is the same; without re-ranking."""
    own = own.model_copy(update={"n_best": 1, "rerank_weight": 0.0})
    greedy = own.greedy()
    return [greedy] if own == greedy else [greedy, own]


def _answer(generator: Generator, sources: Sequence[Any], options: SearchOptions) -> Answers:
    texts = [candidates[0].text for candidates in generator.generate(sources, options)]
    name = "greedy" if options.beam_size == 1 else f"beam{options.beam_size}"
    return Answers("sampling" if options.temperature else name, tuple(texts))


def _prediction_scores(
    generator: Generator, weights: Path, corpus: PreparedCorpus, part: str, recipe: Recipe
) -> Metrics:
    network = TokenSeq2Seq(generator.config.network)
    network.load_weights(weights)
    shard = corpus.part(part)
    score = Scorer(network, sized_options(recipe.fit, corpus.train).batch_tokens)(shard)
    words = sum(len(words_of(shard.target_text(i))) + 1 for i in range(len(shard)))
    vocab_size = network.config.target_vocab_size
    return {
        f"{part}_examples": len(shard),
        f"{part}_loss": round(score.loss, 4),
        f"{part}_unigram_entropy": round(unigram_entropy(corpus.train, shard, vocab_size), 4),
        f"{part}_perplexity": round(score.perplexity, 3),
        f"{part}_perplexity_per_word": round(score.perplexity_per(words), 3),
        f"{part}_token_accuracy": round(score.accuracy, 4),
    }


def _translation_scores(texts: Sequence[str], references: Sequence[str], language: str) -> Metrics:
    bleu, signature = corpus_bleu(texts, references, language=language)
    lowercase_bleu, lowercase_signature = corpus_bleu(
        texts, references, language=language, lowercase=True
    )
    return {
        "exact_match": round(exact_match(texts, references), 3),
        f"BLEU {signature}": round(bleu, 2),
        f"BLEU {lowercase_signature}": round(lowercase_bleu, 2),
        "chrF2": round(corpus_chrf(texts, references), 2),
    }


def _reply_scores(texts: Sequence[str], references: Sequence[str]) -> Metrics:
    return {
        "exact_match": round(exact_match(texts, references), 3),
        "words": round(_mean_words(texts), 2),
        "reference_words": round(_mean_words(references), 2),
        "distinct_1": round(distinct(texts, 1), 2),
        "distinct_2": round(distinct(texts, 2), 2),
        "most_repeated_percent": round(most_repeated(texts), 2),
    }


def _mean_words(texts: Sequence[str]) -> float:
    return sum(len(words_of(text)) for text in texts) / len(texts)


def _warnings(
    part: str, metrics: Metrics, texts: Sequence[str], references: Sequence[str]
) -> list[str]:
    loss, entropy = metrics[f"{part}_loss"], metrics[f"{part}_unigram_entropy"]
    warnings = [*describe_loss(part, loss, entropy), *describe_overuse(texts, references)]
    if part != "test":
        warnings.append(
            f"note: there is no test part. These are scores of the {part} part, which `fit` has "
            "seen: raise corpus.test_fraction to see how the model does with what is new."
        )
    return warnings


def _samples(sources: Sequence[Sequence[str]], texts: Sequence[str]) -> list[tuple[str, str]]:
    return [(" / ".join(sources[i]), texts[i]) for i in evenly_spaced(len(sources), SAMPLES)]


def _report(
    model_name: str,
    corpus: PreparedCorpus,
    metrics: Metrics,
    sources: Sequence[Sequence[str]],
    references: Sequence[str],
    answered: Sequence[Answers],
) -> str:
    header = ("source", "reference", *(answers.search for answers in answered))
    rows = [
        (" / ".join(sources[i]), references[i], *(answers.texts[i] for answers in answered))
        for i in evenly_spaced(len(sources), REPORTED)
    ]
    return (
        f"# {model_name}: evaluation\n\n"
        f"{len(corpus.train):,} training, {len(corpus.dev):,} dev and {len(corpus.test):,} test "
        f"examples (corpus {corpus.fingerprint[:12]}). The {metrics['engine']} engine answered; "
        "losses, in nats a token, and perplexities are the network's own.\n\n"
        f"{markdown_table(('score', 'value'), metrics.items())}\n\n"
        f"{markdown_table(header, rows)}\n"
    )
