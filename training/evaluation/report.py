"""`evaluate`: answers a test set, scores the answers, and writes them to files and to a page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from model.engine import EngineName, best_engine, load_engine
from model.engine.keras import load_network
from model.folder import ModelFolder, load_folder
from model.generator import Generator
from training.errors import CorpusError
from training.evaluation.answers import (
    FOLDER,
    Answers,
    TestSet,
    answer,
    examples_of,
    read_answers,
    read_test_set,
    rows_of,
    searches_of,
    write_answers,
)
from training.evaluation.page import Evaluation, render_page
from training.evaluation.replies import own_repeats, unseen_words
from training.evaluation.retyped import describe_losses, same_answers, translation_scores
from training.evaluation.significance import Comparison, compare
from training.fallback import fallback_of
from training.files.paths import writing
from training.fit.baselines import describe_loss, describe_overuse, unigram_entropy
from training.fit.checkpoints import read_history
from training.fit.loop import CHECKPOINT_FILE
from training.fit.scoring import Scorer
from training.fit.shapes import shapes_for
from training.fit.sizing import MAX_BATCH_TOKENS
from training.markdown import markdown_table
from training.metrics import (
    corpus_bleu,
    corpus_chrf,
    corpus_ter,
    distinct,
    exact_match,
    most_repeated,
    words_of,
)
from training.model_card import Metrics, write_scores
from training.prepare.prepare import PreparedCorpus, open_prepared
from training.recipe import Recipe

#: Maximum number of test examples that are answered; perplexity is computed on all.
MAX_ANSWERS = 5000
#: Number of answers in the card and in the report.
SAMPLES, REPORTED = 12, 50


def evaluate(
    recipe: Recipe,
    *,
    test: tuple[Path, Path] | None = None,
    against: Path | None = None,
    engine: EngineName = "auto",
) -> str:
    """Scores the model that `fit` wrote, on the test split (else dev, else train) or on files.

    Answers with greedy search and with the recipe's search are stored in `evaluation/`, with a
    page. Scores of the test split go to the model card and to `report.md`, and the recipe's search
    becomes the default of the model.

    Args:
        test: two line-aligned files with sources and references to use instead.
        against: `output` of another run on the same test set, or of this one before a change.

    Returns:
        the scores, one per line, and a line for each comparison and warning.

    Raises:
        CorpusError: if the model was trained on another corpus, or files do not fit.
        FolderError: if there is no model yet.
        EngineError: if the engine cannot run here.
    """
    corpus = open_prepared(recipe)
    folder, generator, name = _load(recipe, corpus, engine)
    part = next(part for part in ("test", "dev", "train") if len(corpus.part(part)))
    if test:
        test_set = read_test_set(*test, generator)
    else:
        test_set = examples_of(corpus.part(part), part, generator, MAX_ANSWERS)
    others = read_answers(against, test_set) if against else []
    answered = [answer(generator, test_set.sources, each) for each in searches_of(recipe.search)]
    write_answers(Path(recipe.output), test_set, answered)
    unseen = unseen_words(corpus.train, answered[-1].texts)
    further, warnings = _scores_of_search(generator, test_set, answered[-1], unseen, recipe)
    metrics = {**_scores(test_set, answered, recipe), **further, "engine": name}
    named = [(f"{against} {each.search}", each) for each in others]
    compared = _compare(test_set, answered, named, recipe)
    if not test:
        metrics = _add_to_card(folder, corpus, part, metrics, answered[-1], test_set, recipe)
        warnings += _warnings(part, metrics, answered[0].texts, test_set.references)
    history = read_history(Path(recipe.output) / "checkpoints" / CHECKPOINT_FILE)
    done = Evaluation(
        recipe, corpus.fingerprint, test_set, answered, metrics, compared, history, unseen
    )
    _write_files(done, "" if test else _report(folder.config.name, corpus, done))
    lines = [f"{name}: {value}" for name, value in metrics.items()]
    return "\n".join([*lines, *(_describe(*each) for each in compared), *warnings])


def _load(
    recipe: Recipe, corpus: PreparedCorpus, engine: EngineName
) -> tuple[ModelFolder, Generator, EngineName]:
    """Loads the model of a run; returns it with the name of its engine.

    Raises:
        CorpusError: if it was trained on another corpus.
    """
    path = Path(recipe.output) / "model"
    folder = load_folder(path)
    if folder.config.training.get("corpus_fingerprint") != corpus.fingerprint:
        raise CorpusError(
            f"{path}: was trained on another corpus than {corpus.path}, whose test split may "
            "contain what the model has learnt. Run `fit` again."
        )
    name = best_engine(folder) if engine == "auto" else engine
    return folder, Generator(folder.config, folder.tokenizer, load_engine(folder, name)), name


def _scores(test_set: TestSet, answered: Sequence[Answers], recipe: Recipe) -> Metrics:
    """Returns the scores of the answers of each search."""
    score = _reply_scores
    if recipe.task == "translate":
        score = partial(_translation_scores, language=recipe.target_language)
    return {
        f"{test_set.name}_{answers.search}_{name}": value
        for answers in answered
        for name, value in score(answers.texts, test_set.references).items()
    }


def _scores_of_search(
    generator: Generator, test_set: TestSet, own: Answers, unseen: dict[str, int], recipe: Recipe
) -> tuple[Metrics, list[str]]:
    """Returns further scores of the recipe's search, whose answers are `own`, and a note on those
    of retyped sources if they are much worse."""
    options, metrics, notes = searches_of(recipe.search)[-1], dict[str, float](), list[str]()

    def answer_all(sources: Sequence[Sequence[str]]) -> Sequence[str]:
        return answer(generator, sources, options).texts

    if recipe.task == "reply":
        words = max(1, sum(len(words_of(text)) for text in own.texts))
        metrics |= same_answers(answer_all, test_set.sources, own.texts)
        metrics["own_repeats_percent"] = own_repeats(answer_all, test_set.sources)
        metrics["unseen_words_percent"] = round(100.0 * sum(unseen.values()) / words, 3)
    else:
        retyped = translation_scores(
            answer_all,
            test_set.sources,
            own.texts,
            test_set.references,
            language=recipe.target_language,
        )
        metrics |= {f"BLEU_{each.change}": each.bleu for each in retyped}
        notes = describe_losses(retyped)
    return {f"{test_set.name}_{own.search}_{name}": value for name, value in metrics.items()}, notes


def _add_to_card(
    folder: ModelFolder,
    corpus: PreparedCorpus,
    part: str,
    metrics: Metrics,
    own: Answers,
    test_set: TestSet,
    recipe: Recipe,
) -> Metrics:
    """Writes all scores to the model card and returns them."""
    predicted = _prediction_scores(folder, corpus, part)
    metrics = {**folder.config.training["metrics"], **predicted, **metrics}
    samples = [(row[0], row[-1]) for row in rows_of(test_set, [own], SAMPLES)]
    fallback = fallback_of(recipe, corpus)
    write_scores(folder.path, folder.config, len(corpus.train), metrics, samples, fallback)
    return metrics


def _prediction_scores(folder: ModelFolder, corpus: PreparedCorpus, part: str) -> Metrics:
    network = load_network(folder)  # in float32, whatever `fit` trained in
    shard = corpus.part(part)
    score = Scorer(network, MAX_BATCH_TOKENS, shapes_for(shard))(shard)
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
        "TER": round(corpus_ter(texts, references), 2),
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


def _compare(
    test_set: TestSet,
    answered: Sequence[Answers],
    others: Sequence[tuple[str, Answers]],
    recipe: Recipe,
) -> list[tuple[str, str, Comparison]]:
    """Compares the recipe's search with greedy search and with the named answers of another run.
    Returns the names of baseline and system with their scores by each metric."""
    own, language = answered[-1], recipe.target_language
    return [
        (name, own.search, found)
        for name, each in [*((each.search, each) for each in answered[:-1]), *others]
        for found in compare(each.texts, own.texts, test_set.references, language=language)
    ]


def _describe(baseline: str, system: str, found: Comparison) -> str:
    return (
        f"{system} against {baseline}: {found.metric} {found.score:.2f} against "
        f"{found.baseline:.2f}, p = {found.p_value:.4f}"
    )


def _warnings(
    part: str, metrics: Metrics, texts: Sequence[str], references: Sequence[str]
) -> list[str]:
    loss, entropy = metrics[f"{part}_loss"], metrics[f"{part}_unigram_entropy"]
    warnings = [*describe_loss(part, loss, entropy), *describe_overuse(texts, references)]
    if part != "test":
        warnings.append(
            f"note: there is no test split. These are scores of the {part} split, which `fit` has "
            "seen: raise corpus.test_fraction to see how the model handles unseen examples."
        )
    return warnings


def _write_files(done: Evaluation, report: str) -> None:
    """Writes the page, and the report unless it is empty."""
    output = Path(done.recipe.output)
    files = {output / FOLDER / f"{done.test_set.name}.html": render_page(done)}
    files |= {output / "report.md": report} if report else {}
    for path, text in files.items():
        with writing(path):
            path.write_text(text, encoding="utf-8")


def _report(model_name: str, corpus: PreparedCorpus, done: Evaluation) -> str:
    """Returns the contents of `report.md`."""
    header = ("source", "reference", *(answers.search for answers in done.answered))
    return (
        f"# {model_name}: evaluation\n\n"
        f"{len(corpus.train):,} training, {len(corpus.dev):,} dev and {len(corpus.test):,} test "
        f"examples (corpus {corpus.fingerprint[:12]}). The {done.metrics['engine']} engine "
        "answered; losses, in nats a token, and perplexities are the network's own.\n\n"
        f"{markdown_table(('score', 'value'), done.metrics.items())}\n\n"
        f"{markdown_table(header, rows_of(done.test_set, done.answered, REPORTED))}\n"
    )
