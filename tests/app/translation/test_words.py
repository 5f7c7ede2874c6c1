from __future__ import annotations

import numpy as np
import pytest

from app.translation.words import break_spans, word_attention, word_spans


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't go, it's 3.5 km!", ["Don't", "go", ",", "it's", "3.5", "km", "!"]),
        ("你好，Tom。", ["你", "好", "，", "Tom", "。"]),
        ("ครับ", ["ค", "รั", "บ"]),
        ("यह अच्छा है।", ["यह", "अच्छा", "है", "।"]),
        ("", []),
    ],
)
def test_words_are_found_in_every_script(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in word_spans(text)] == words


def test_a_line_breaks_at_spaces_and_between_chinese_characters_but_not_before_a_comma() -> None:
    assert break_spans("go home") == [(2, 3)]
    assert break_spans("你好，再见") == [(1, 1), (3, 3), (4, 4)]


def test_the_attention_of_pieces_becomes_that_of_words() -> None:
    weights = np.array(
        [[0.1, 0.0, 0.8, 0.1], [0.3, 0.3, 0.2, 0.2], [0.4, 0.4, 0.1, 0.1]], np.float32
    )
    found = word_attention(
        "the cat", ["▁th", "e", "▁cat"], "Katze die", ["▁Katze", "▁d", "ie"], weights
    )
    assert np.allclose(found, [[0.1, 0.8], [0.7, 0.15]])
