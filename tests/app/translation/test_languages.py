from __future__ import annotations

import unicodedata

import pytest

from app.translation.languages import detect
from training.cleaning.languages import identify

VIETNAMESE = "Tôi không biết anh ấy đang nói về cái gì"
KOREAN = "나는 그가 무슨 말을 하는지 모르겠어요"


@pytest.mark.parametrize(("text", "language"), [(VIETNAMESE, "vi"), (KOREAN, "ko")])
def test_a_decomposed_text_is_in_the_same_language(text: str, language: str) -> None:
    decomposed = unicodedata.normalize("NFD", text)
    served = ["en", "ja", "ko", "ru", "vi"]
    assert detect(decomposed, served) == detect(text, served)
    assert identify(decomposed) == identify(text)
    assert identify(text)[0] == language
