from __future__ import annotations

from random import Random
from typing import get_args

import pytest

from training.variants import OPENERS, Variant, vary

TEXT = "I don't know. How are you today?"


def variants_of(text: str, *variants: Variant, language: str = "en") -> set[str]:
    """All variants in 500 draws."""
    return {vary(text, variants, language, Random(seed)) for seed in range(500)}


def test_a_seed_gives_the_same_variant_in_any_order_of_names() -> None:
    names = get_args(Variant)
    for seed in range(20):
        first = vary(TEXT, names, "en", Random(seed))
        assert vary(TEXT, names[::-1], "en", Random(seed)) == first


def test_case_varies_nothing_but_case() -> None:
    found = variants_of(TEXT, "case")
    assert {TEXT, TEXT.lower(), TEXT.upper()} <= found
    assert {each.lower() for each in found} == {TEXT.lower()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who?", {"Who", "Who?", "Who??"}),
        ("I see.", {"I see", "I see.", "I see!"}),
        ("I see", {"I see", "I see.", "I see!"}),
        ("Tu viens ?", {"Tu viens ?", "Tu viens", "Tu viens?", "Tu viens??"}),
        ("你好。", {"你好。", "你好"}),
        ("你好", {"你好"}),
        ("?!", {"?!"}),
    ],
)
def test_final_punctuation_comes_and_goes(text: str, expected: set[str]) -> None:
    assert variants_of(text, "final_punctuation") == expected


def test_apostrophes_are_left_out_within_words_only() -> None:
    assert variants_of("'I don't'", "apostrophes") == {"'I don't'", "'I dont'"}


def test_openers_are_those_of_the_language() -> None:
    for language, openers in OPENERS.items():
        found = variants_of("Who is it?", "openers", language=language)
        assert found == {"Who is it?", *(f"{opener}who is it?" for opener in openers)}


def test_a_typo_is_in_one_longer_word() -> None:
    found = variants_of("Was it here", "typos")
    assert {"Was it here", "Was it hree", "Was it ere", "Was it hhere"} <= found
    assert all(each.startswith("Was it ") for each in found)


def test_a_text_without_words_stays() -> None:
    assert variants_of(":-)", "typos", "apostrophes", "case") == {":-)"}
