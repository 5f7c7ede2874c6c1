from __future__ import annotations

import random

import pytest

from training.alignment.word_links import Links, TimedText, links_between, stems_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Transformations, transformed!", ["transf", "transf"]),
        ("Où était l'été?", ["ou", "etait", "l", "ete"]),
        ("3.5 dollars in 1984", ["3", "5", "dollar", "in", "1984"]),
        ("你好, ok", ["你", "好", "ok"]),
        ("दिन, दान", ["दिन", "दान"]),
        ("¿...?", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert stems_of(text) == words


def spoken(*texts: str, seconds: float = 2.0) -> list[TimedText]:
    return [TimedText(text, seconds * n, seconds * (n + 1)) for n, text in enumerate(texts)]


def weight(links: Links, source: int, target: int) -> float:
    return float(links.weights[(links.source == source) & (links.target == target)].sum())


def test_names_and_numbers_are_linked_at_first_sight() -> None:
    links = links_between(
        spoken("Then came Amanda", "and 42 others"), spoken("42 andere und", "danach Amanda")
    )
    assert weight(links, 0, 1) > 0.4
    assert weight(links, 1, 0) > 0.4
    assert weight(links, 0, 0) + weight(links, 1, 1) < 0.1


def test_words_that_meet_again_and_again_are_linked_and_those_that_meet_once_are_not() -> None:
    draw = random.Random(1)
    lexicon = [(f"{a}{a}{a}", f"{b}{b}{b}") for a, b in zip("abcdefgh", "stuvwxyz", strict=True)]
    said = [draw.choice(lexicon) for _ in range(80)]
    links = links_between(
        spoken(*(one for one, _ in said), "once"), spoken(*(other for _, other in said), "einmal")
    )
    right = [weight(links, n, n) for n in range(80)]
    assert sum(right) > 0.6 * 80
    assert sum(right) > 0.9 * links.weights.sum()
    assert weight(links, 80, 80) == 0.0


def test_links_come_in_the_order_of_the_source() -> None:
    overlapping = [TimedText("one two three", 0.0, 9.0), TimedText("four five", 1.0, 2.0)]
    links = links_between(overlapping, overlapping)
    assert links.source.tolist() == sorted(links.source)
    assert len(links.source) == 25


@pytest.mark.parametrize("texts", [[], ["?!"]])
def test_no_words_no_links(texts: list[str]) -> None:
    assert len(links_between(spoken(*texts), spoken("word")).weights) == 0
    assert len(links_between(spoken("word"), spoken(*texts)).weights) == 0
