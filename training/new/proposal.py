"""Settings for an amount of data: vocabulary, network, regularisation, epochs, search.

A small corpus needs few pieces, a small network, strong regularisation and many epochs; a large one
the opposite (Sennrich and Zhang 2019, arXiv:1905.11901, for translation). The numbers follow that
paper and runs on Multi30k and Tatoeba (docs/log.md); those of the largest corpora are not tuned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from model.config import Task, TextConfig
from model.folder import ENGLISH_BASE, TRANSLATORS, find_folder
from model.language_id import base_of
from model.text.normalise import normalise
from training.cleaning.languages import scripts_of
from training.metrics import words_of
from training.new.survey import Survey
from training.variants import Variant

#: Shorter n-grams occur twice in good replies: `I'm` is three pieces.
NO_REPEAT_NGRAM = 4
#: A list of fewer questions and answers is learnt by heart.
MAX_BY_HEART = 2000
#: Minimum share of questions in such a list that occur once.
DISTINCT_SHARE = 0.9
#: The fallback reply of such a model, by language.
FALLBACK_REPLIES = {
    "de": "Das weiß ich leider nicht.",
    "en": "I'm sorry, I don't know that.",
    "es": "Lo siento, eso no lo sé.",
    "fr": "Désolé, je ne le sais pas.",
}
#: Fewer examples in the languages of a bundled model fine-tune that model.
MAX_FINE_TUNED = 100_000
#: Steps over which weights are averaged.
AVERAGED_STEPS = 200
#: For translations only; replies are uncertain enough. Fewer pairs than `MAX_SAMPLED` are cut into
#: other pieces in each epoch.
LABEL_SMOOTHING = 0.1
MAX_SAMPLED, SAMPLED_SHARE = 100_000, 0.2
#: Variations of the sentences to translate: people type without capitals and end marks, and have
#: other names than a corpus.
VARIANTS: tuple[Variant, ...] = ("case", "final_punctuation", "names")
#: Approximate number of pieces per word, to estimate the number of tokens of a text.
PIECES_PER_WORD = 1.4
#: Minimum number of pieces per character: an alphabet of thousands (Chinese) needs a piece for each
#: character, and room for words. Vocabulary sizes are rounded up.
PIECES_PER_CHARACTER, ROUNDED_PIECES = 2, 1000
#: Maximum share of examples above the token limit, and the available limits.
LONGER_SHARE, TOKEN_LIMITS = 0.02, (64, 128, 256)


@dataclass(frozen=True)
class Size:
    """Settings for up to a number of examples.

    Attributes:
        examples: maximum number of examples.
        vocab_size: number of pieces.
        units: units of embedding, encoder (per direction) and decoder.
        dropout: rate of dropout; replies, which are less predictable, need less.
        epochs: maximum number of epochs.
        learning_rate: peak learning rate.
    """

    examples: float
    vocab_size: int
    units: tuple[int, int, int]
    dropout: float
    epochs: int
    learning_rate: float


SIZES: dict[Task, tuple[Size, ...]] = {
    "reply": (
        Size(2_000, 1000, (128, 64, 128), 0.2, 40, 0.003),
        Size(20_000, 2000, (192, 96, 192), 0.2, 20, 0.003),
        Size(100_000, 4000, (256, 128, 256), 0.175, 12, 0.002),
        Size(500_000, 8000, (256, 256, 512), 0.1, 5, 0.001),
        Size(float("inf"), 16_000, (384, 384, 768), 0.05, 3, 0.001),
    ),
    "translate": (
        Size(2_000, 1000, (128, 64, 128), 0.4, 60, 0.003),
        Size(20_000, 2000, (192, 96, 192), 0.4, 40, 0.003),
        Size(100_000, 4000, (256, 128, 256), 0.35, 30, 0.002),
        Size(500_000, 5000, (192, 160, 320), 0.1, 8, 0.003),
        Size(float("inf"), 16_000, (384, 384, 768), 0.1, 5, 0.001),
    ),
}


@dataclass(frozen=True)
class Proposal:
    """Sections of a recipe, and the reason for them.

    Attributes:
        kind: what the recipe does, in a sentence.
        start_from: a model folder, or empty.
        variants: variations of all sources.
        corpus, tokenizer, network, fit, search: keys of these sections.
    """

    kind: str
    start_from: str = ""
    variants: tuple[Variant, ...] = ()
    corpus: dict[str, Any] = field(default_factory=dict)
    tokenizer: dict[str, Any] = field(default_factory=dict)
    network: dict[str, Any] = field(default_factory=dict)
    fit: dict[str, Any] = field(default_factory=dict)
    search: dict[str, Any] = field(default_factory=dict)


def propose(found: Survey) -> Proposal:
    """Returns settings that suit the result of a survey."""
    limits, is_reply = _limits_of(found), found.task == "reply"
    if is_reply and _is_list_of_answers(found):
        fallback = _fallback(found)
        knows = "says where it does not know" if fallback else "has no search.fallback_reply yet"
        return Proposal(
            f"It learns these answers by heart, and {knows}.",
            corpus={"dev_fraction": 0, "test_fraction": 0, **limits},
            tokenizer={"vocab_size": _vocab_size(found, 2000), "lowercase_source": True},
            search={"max_tokens": limits["max_target_tokens"], **fallback},
        )
    search, is_small = _search_of(found.task, limits), found.examples < MAX_FINE_TUNED
    fine_tuning = {
        "batch_tokens": 1024,
        "epochs": 4 if is_reply else 10,
        "learning_rate": 0.0015,
        **_regularisation_of(found),
    }
    if is_reply and is_small and [*map(base_of, found.languages[:1])] == ["en"]:
        return Proposal(
            "It starts from a model that knows everyday English already.",
            start_from=str(ENGLISH_BASE),
            variants=() if _has_history(found) else ("history",),
            corpus=limits,
            fit=fine_tuning,
            search=search,
        )
    if is_small and (translator := _translator_of(found)):
        return Proposal(
            "It starts from a model that translates everyday sentences already.",
            start_from=translator,
            variants=VARIANTS,
            corpus=limits,
            fit=fine_tuning,
            search=search,
        )
    size = next(size for size in SIZES[found.task] if found.examples < size.examples)
    return _from_scratch(found, size, limits)


def _from_scratch(found: Survey, size: Size, limits: dict[str, int]) -> Proposal:
    is_reply = found.task == "reply"
    shares = is_reply or _share_a_script(found.languages)
    embedding, encoder, decoder = size.units
    tokenizer: dict[str, Any] = {
        "vocab_size": _vocab_size(found, size.vocab_size, is_shared=shares),
        "shared_vocabulary": shares,
    }
    if not is_reply and limits["max_source_tokens"] > TextConfig().max_source_tokens:
        tokenizer["max_source_tokens"] = limits["max_source_tokens"]
    if is_reply:
        turns = 2 if _has_history(found) else 1
        tokenizer |= {"lowercase_source": True, "plain_punctuation": True, "context_turns": turns}
    return Proposal(
        "It learns from these texts alone.",
        variants=() if is_reply else VARIANTS,
        corpus=limits,
        tokenizer=tokenizer,
        network={
            "embedding_units": embedding,
            "encoder_units": encoder,
            "decoder_units": decoder,
            "share_embeddings": shares,
            "dropout": size.dropout,
        },
        fit={
            "epochs": size.epochs,
            "learning_rate": size.learning_rate,
            **_regularisation_of(found),
        },
        search=_search_of(found.task, limits),
    )


def _vocab_size(found: Survey, usual: int, *, is_shared: bool = True) -> int:
    """Returns the usual vocabulary size, or one that suits a larger alphabet."""
    sources = set().union(*(normalise(example.source[-1]) for example in found.sample))
    targets = set().union(*(normalise(example.target) for example in found.sample))
    alphabet = len(sources | targets) if is_shared else max(len(sources), len(targets))
    needed = ROUNDED_PIECES * math.ceil(PIECES_PER_CHARACTER * alphabet / ROUNDED_PIECES)
    return max(usual, needed)


def _regularisation_of(found: Survey) -> dict[str, float]:
    options: dict[str, float] = {"average_steps": AVERAGED_STEPS}
    if found.task == "translate":
        options["label_smoothing"] = LABEL_SMOOTHING
        if found.examples < MAX_SAMPLED:
            options["subword_sampling"] = SAMPLED_SHARE
    return options


def _translator_of(found: Survey) -> str:
    """Returns the bundled model that translates between these languages, or nothing."""
    folder = TRANSLATORS.get(tuple(map(base_of, found.languages)))
    return str(folder) if folder and find_folder(folder).is_dir() else ""


def _fallback(found: Survey) -> dict[str, str]:
    """Returns the fallback reply in the language of the replies; if they are too short to tell, of
    the questions."""
    largest = max(found.sources, key=lambda source: source.examples)
    language = next(iter(found.languages or filter(None, largest.languages)), "")
    reply = FALLBACK_REPLIES.get(base_of(language))
    return {"fallback_reply": reply} if reply else {}


def _search_of(task: Task, limits: dict[str, int]) -> dict[str, Any]:
    search: dict[str, Any] = {"max_tokens": limits["max_target_tokens"]}
    if task == "reply":
        return {"no_repeat_ngram": NO_REPEAT_NGRAM, **search}
    return {"beam_size": 4, "length_penalty": 1.0, **search}


def _is_list_of_answers(found: Survey) -> bool:
    """Tells whether the examples are a list of questions and answers: few, no conversations, one
    answer to each, and no others to score a model on."""
    questions = {example.source[-1].lower() for example in found.sample}
    is_certain = len(questions) >= DISTINCT_SHARE * len(found.sample)
    is_all = found.examples_by_split.keys() == {"auto"}
    is_few = found.examples < MAX_BY_HEART
    return is_few and is_certain and is_all and not _has_history(found)


def _has_history(found: Survey) -> bool:
    """Tells whether some messages have turns before them."""
    return any(len(example.source) > 1 for example in found.sample)


def _limits_of(found: Survey) -> dict[str, int]:
    """Returns token limits that few examples exceed."""
    return {
        "max_source_tokens": _limit_of([example.source[-1] for example in found.sample]),
        "max_target_tokens": _limit_of([example.target for example in found.sample]),
    }


def _limit_of(texts: list[str]) -> int:
    tokens = PIECES_PER_WORD * float(
        np.quantile([len(words_of(text)) for text in texts], 1.0 - LONGER_SHARE)
    )
    return next((limit for limit in TOKEN_LIMITS if tokens <= limit), TOKEN_LIMITS[-1])


def _share_a_script(languages: tuple[str, ...]) -> bool:
    """Tells whether source and target can share pieces, because their languages share a script."""
    if len(languages) != 2:
        return True
    source, target = languages
    return bool({*scripts_of(source)} & {*scripts_of(target)})
