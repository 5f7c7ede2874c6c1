from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.readers.detokenising import detokenised


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("- How 'd you score that ?", "- How'd you score that?"),
        ("I do n't know , it 's late ...", "I don't know, it's late..."),
        ("Wie geht 's ?", "Wie geht's?"),
        ("L' homme qu' il a vu ( hier ) .", "L'homme qu'il a vu (hier)."),
        ('" Yes , " he said . " No ! "', '"Yes," he said. "No!"'),
        ("The dogs ' owners", "The dogs' owners"),
        ('" It goes on .', '"It goes on.'),
        ("« Oui »", "«Oui»"),
        ("¿ Qué ?", "¿Qué?"),
        ("... and then", "...and then"),
        ("我 很 好 。", "我很好。"),
        ("It costs $ 5 .", "It costs $5."),
        ("", ""),
    ],
)
def test_spaces_are_where_they_are_usual(tokens: str, text: str) -> None:
    assert detokenised(tokens.split()) == text


@given(st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1)))
def test_nothing_but_spaces_is_added(tokens: list[str]) -> None:
    assert detokenised(tokens).replace(" ", "") == "".join(tokens)
