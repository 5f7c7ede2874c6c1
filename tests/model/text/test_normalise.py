from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.text.normalise import normalise, plain_punctuation

anything = st.text(st.characters(codec=None), max_size=40)


@given(anything)
def test_a_second_call_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(anything)
def test_the_result_can_be_encoded_and_stands_on_one_line(text: str) -> None:
    plain = normalise(text)
    plain.encode("utf-8")
    assert len(plain.splitlines()) <= 1
    assert not any(unicodedata.category(character) == "Cc" for character in plain)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  two\t\nwords ", "two words"),
        ("\ufeffＨｅｌｌｏ", "Hello"),
        ("a\x00b\ud800c", "abc"),
        ("e\u0301", "é"),
        ("نمی\u200cشود", "نمی\u200cشود"),
        ("ｵﾏｴ、ＯＫ？（笑）", "オマエ、OK？（笑）"),
        ("你好，５０％！", "你好，50%！"),
        ("ＯＫ！？", "OK!?"),
        ("네ㄳ ㅋㅋㅠ", "네ㄳ ㅋㅋㅠ"),
        ("น้ำ", "น้ำ"),
    ],
)
def test_normalise(text: str, plain: str) -> None:
    assert normalise(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("what ' s that ?", "what's that?"),
        ("I do n't know .", "I don't know."),
        ("Well , yes !", "Well, yes!"),
        ("“It’s” fine…", '"It\'s" fine...'),
        ("the dogs ' bowl", "the dogs ' bowl"),
    ],
)
def test_plain_punctuation(text: str, plain: str) -> None:
    assert plain_punctuation(text) == plain
