from __future__ import annotations

import pytest
from sacrebleu.metrics.bleu import BLEU

from training.metrics import bleu_tokenizer, corpus_bleu, corpus_ter, distinct, words_of

#: Of each pair, a character or two differ.
CHINESE = ["他昨天去了图书馆。", "我们晚上一起吃饭吧。", "这本书非常有意思。", "请把窗户关上。"]
REFERENCES = ["他昨天去了博物馆。", "我们明天一起吃饭吧。", "这本书十分有意思。", "请把大门关上。"]


def test_chinese_is_scored_by_characters() -> None:
    score, signature = corpus_bleu(CHINESE, REFERENCES, language="zh-CN")
    assert "tok:zh" in signature
    expected = BLEU(tokenize="zh").corpus_score(CHINESE, [REFERENCES]).score
    assert score == pytest.approx(expected)
    assert score > 30
    assert corpus_bleu(CHINESE, REFERENCES)[0] == 0.0


@pytest.mark.parametrize(
    ("language", "name"),
    [("", "13a"), ("de", "13a"), ("zh", "zh"), ("yue", "zh"), ("th", "char"), ("my_MM", "char")],
)
def test_a_language_without_spaces_has_a_tokenizer_of_its_own(language: str, name: str) -> None:
    assert bleu_tokenizer(language) == name


@pytest.mark.parametrize(("language", "library"), [("ja", "ja-mecab"), ("ko", "ko-mecab")])
def test_a_tokenizer_that_needs_a_library_is_taken_where_it_is_installed(
    language: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert bleu_tokenizer(language) == "char"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert bleu_tokenizer(language) == library


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("How are you?", ["How", "are", "you?"]),
        ("我在家。", ["我", "在", "家", "。"]),
        ("Windows很慢", ["Windows", "很", "慢"]),
        ("コーヒー", ["コ", "ー", "ヒ", "ー"]),
        ("น้ำ", ["น้", "ำ"]),
        ("나는 학생이다", ["나는", "학생이다"]),
        ("", []),
    ],
)
def test_words_are_letters_where_no_spaces_part_them(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_distinct_counts_letters_of_chinese() -> None:
    assert distinct(["好好", "好"], 1) == pytest.approx(100 / 3)


def test_ter_counts_edits_by_word() -> None:
    assert corpus_ter(["a b c d"], ["a b c d"]) == 0.0
    assert corpus_ter(["a b x d"], ["a b c d"]) == 25.0
    assert corpus_ter(["c d a b"], ["a b c d"]) == 25.0  # one shift
