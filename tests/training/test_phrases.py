from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from model.errors import ConfigError
from training.errors import CorpusError
from training.phrases import extract_phrases
from training.prepare.prepare import prepare
from training.recipe import Recipe

NOUNS = {"dog": "Hund", "cow": "Kuh", "house": "Haus", "sea": "Meer", "car": "Auto", "key": "Ding"}
OPENERS = {"now": "jetzt", "maybe": "vielleicht", "": ""}
STARTS = {"my": "mein", "your": "dein", "our": "unser", "this": "dies"}
VERBS = {"is": "ist", "isn't": "ist nicht", "was": "war", "wasn't": "war nicht"}
ENDS = {"old": "alt", "red": "rot", "here": "hier", "big": "groß"}


def drawn_pairs(count: int = 150) -> list[tuple[str, str]]:
    draw = random.Random(0)
    chosen = [
        [draw.choice([*words.items()]) for words in (OPENERS, STARTS, NOUNS, VERBS, ENDS)]
        for _ in range(count)
    ]
    sides = [[" ".join(pair[i] for pair in words).strip() for words in chosen] for i in (0, 1)]
    return [
        (f"{a[0].upper()}{a[1:]}.", f"{b[0].upper()}{b[1:]}.") for a, b in zip(*sides, strict=True)
    ]


def prepared(folder: Path, pairs: list[tuple[str, str]], **corpus: Any) -> Recipe:
    (folder / "pairs.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in pairs))
    values = {
        "name": "phrases",
        "task": "translate",
        "languages": ["en", "de"],
        "output": str(folder / "out"),
        "corpus": {
            "dev_fraction": 0.0,
            "test_fraction": 0.0,
            "rules": [],
            "sources": [{"format": "pairs", "path": "pairs.tsv", **corpus}],
        },
        "tokenizer": {"vocab_size": 80},
    }
    recipe = Recipe.parse(values, where="test")
    prepare(recipe, folder / "phrases.toml")
    return recipe


def phrases_of(recipe: Recipe, folder: Path, **options: Any) -> dict[str, str]:
    extract_phrases(recipe, folder / "phrases.tsv", **options)
    lines = (folder / "phrases.tsv").read_text("utf-8").splitlines()
    return dict(line.split("\t") for line in lines)


def test_words_and_phrases_have_their_translations(tmp_path: Path) -> None:
    found = phrases_of(prepared(tmp_path, drawn_pairs()), tmp_path)
    assert {**NOUNS, "was": "war", "red": "rot"}.items() <= found.items()
    assert found["this house"] == "dies Haus"  # though it often begins a sentence
    assert all(len(phrase.split()) <= 3 for phrase in found)


def test_no_phrase_has_marks_or_half_of_a_contraction(tmp_path: Path) -> None:
    found = phrases_of(prepared(tmp_path, drawn_pairs()), tmp_path)
    assert found["dog isn't"] == "Hund ist nicht"
    assert not any("." in phrase for phrase in found)
    assert not {"isn", "t", "'t"} & {word for phrase in found for word in phrase.split()}


def test_only_the_sources_with_a_tag_are_read(tmp_path: Path) -> None:
    recipe = prepared(tmp_path, drawn_pairs(), target_tag="<2de>")
    assert NOUNS.items() <= phrases_of(recipe, tmp_path, tag="<2de>").items()
    with pytest.raises(ConfigError, match="has no tag <2fr>; its tags: <2de>"):
        extract_phrases(recipe, tmp_path / "phrases.tsv", tag="<2fr>")


def test_a_corpus_without_words_is_named(tmp_path: Path) -> None:
    recipe = prepared(tmp_path, [(f"{i} {i + 1}", f"{i + 1} {i}") for i in range(50)])
    with pytest.raises(CorpusError, match=r"phrases\.tsv: no phrase"):
        extract_phrases(recipe, tmp_path / "phrases.tsv")
    chat = recipe.model_copy(update={"task": "reply"})
    with pytest.raises(ConfigError, match="task 'translate'"):
        extract_phrases(chat, tmp_path / "phrases.tsv")
