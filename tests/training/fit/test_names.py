from __future__ import annotations

from random import Random

import pytest

from training.fit.names import Names, with_names

PAIRS = [
    ("Tom laughs.", "Tom lacht."),
    ("This is Mary's dog.", "Das ist Marys Hund."),
    ("We like Boston, and they like Boston too.", "Wir mögen Boston, und sie mögen Boston auch."),
    ("Hand me the salt.", "Hand aufs Herz."),
    ("The left hand is cold.", "Die linke Seite ist kalt."),
    ("Jonas and Ágnes are here.", "Jonas und Ágnes sind da."),
]


@pytest.fixture
def names() -> Names:
    return Names(PAIRS)


def replaced(pair: tuple[str, str], names: dict[str, str]) -> tuple[str, str]:
    return with_names(pair[0], names), with_names(pair[1], names)


def test_both_sides_get_the_same_new_name(names: Names) -> None:
    for seed in range(50):
        found = names.draw_for(PAIRS[0], Random(seed))
        assert found.keys() == {"Tom"}
        assert replaced(PAIRS[0], found) == (f"{found['Tom']} laughs.", f"{found['Tom']} lacht.")


def test_every_occurrence_is_replaced() -> None:
    found = replaced(PAIRS[2], {"Boston": "Linz"})
    assert found == (
        "We like Linz, and they like Linz too.",
        "Wir mögen Linz, und sie mögen Linz auch.",
    )


def test_a_name_keeps_its_genitive(names: Names) -> None:
    drawn = {names.draw_for(PAIRS[1], Random(seed))["Mary"] for seed in range(100)}
    assert len(drawn) > 4
    assert not any(name.endswith("s") for name in drawn)  # Jonas' Hund
    assert replaced(PAIRS[1], {"Mary": "Eva"}) == ("This is Eva's dog.", "Das ist Evas Hund.")


def test_names_are_also_invented(names: Names) -> None:
    known = {"Tom", "Mary", "Boston", "Jonas", "Ágnes"}
    drawn = {names.draw_for(PAIRS[0], Random(seed))["Tom"] for seed in range(100)}
    assert drawn & known
    assert drawn - known


def test_a_word_that_occurs_in_lower_case_is_no_name(names: Names) -> None:
    assert not names.draw_for(PAIRS[3], Random(0))


@pytest.mark.parametrize("pairs", [[], [("it is here", "es ist da")]])
def test_without_names_nothing_changes(pairs: list[tuple[str, str]]) -> None:
    assert not Names(pairs).draw_for(("Tom laughs.", "Tom lacht."), Random(0))


def test_a_genitive_needs_no_name_that_can_have_one() -> None:
    pairs = [("Alex saw Alexs.", "Alexs sah Alex.")]
    for seed in range(20):
        assert Names(pairs).draw_for(pairs[0], Random(seed)).keys() == {"Alex", "Alexs"}
