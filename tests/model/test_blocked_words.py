from __future__ import annotations

import pytest

from model.blocked_words import MAX_SEQUENCES, forms_of
from model.config import TextConfig
from model.tokenizer import Tokenizer, contains_any
from tests.conftest import train_sentencepiece

TEXTS = ("あなたはバカです。", "このバカ!", "バカンスに行く", "カバとバカ", "カラスはカバです")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    pieces = ("はバ", "カで", "カン", "バカ!")
    return Tokenizer(TextConfig(), train_sentencepiece(TEXTS, vocab_size=60, pieces=pieces))


@pytest.mark.parametrize("text", TEXTS)
def test_a_word_is_blocked_within_japanese_text(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.target_ids(text)
    assert contains_any(ids, forms_of(tokenizer, ("バカ",))) == ("バカ" in text)


def test_a_required_word_may_be_within_japanese_text(tokenizer: Tokenizer) -> None:
    ids = tokenizer.required_ids("バカ", ())
    assert tokenizer.target_text([*tokenizer.target_ids("この"), *ids]) == "このバカ"


def test_a_word_that_has_spaces_around_it_is_blocked_as_a_word(tokenizer: Tokenizer) -> None:
    assert [*forms_of(tokenizer, ("ok",))] == tokenizer.forms("ok")


def test_a_long_word_of_many_segmentations_ends() -> None:
    tokenizer = Tokenizer(
        TextConfig(), train_sentencepiece(TEXTS, vocab_size=60, pieces=("ババ", "バババ"))
    )
    word = "バ" * 60
    forms = forms_of(tokenizer, (word,))
    assert contains_any(tokenizer.target_ids(word), forms)
    assert len(forms) <= MAX_SEQUENCES + len(tokenizer.forms(word))
