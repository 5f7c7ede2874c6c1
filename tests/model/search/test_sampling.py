"""Draws at random, by their frequencies."""

from __future__ import annotations

import numpy as np
import pytest

from model.config import SearchOptions
from model.search.requests import SearchRequest
from tests.engines import TableEngine
from tests.model.search.test_search import EOS, A, B, run

# Says one of six things and ends.
CHANCES = np.array([0.4, 0.2, 0.0, 0.0, 0.25, 0.1, 0.05])
TABLE = np.zeros((7, 7))
TABLE[:, EOS] = 1.0
TABLE[3] = CHANCES


def frequencies(**options: float) -> np.ndarray:
    """How often each token came first in 64 x 60 draws."""
    requests = [
        SearchRequest(i, (0,), SearchOptions(beam_size=64, n_best=64, seed=i, **options))
        for i in range(60)
    ]
    answers = run(TableEngine(TABLE), requests)
    firsts = [each.tokens[0] for hypotheses in answers.values() for each in hypotheses]
    assert len(firsts) == 64 * 60
    return np.bincount(firsts, minlength=7) / len(firsts)


def test_the_smallest_temperature_draws_the_likeliest() -> None:
    found = frequencies(temperature=5e-324)
    assert found[CHANCES.argmax()] == 1.0


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_a_temperature_shapes_the_chances(temperature: float) -> None:
    expected = CHANCES ** (1 / temperature)
    expected /= expected.sum()
    np.testing.assert_allclose(frequencies(temperature=temperature), expected, atol=0.03)


def test_top_k_draws_among_the_likeliest() -> None:
    expected = np.where(CHANCES >= 0.2, CHANCES, 0.0)
    np.testing.assert_allclose(
        frequencies(temperature=1.0, top_k=3), expected / expected.sum(), atol=0.03
    )


def test_top_p_draws_among_those_that_reach_a_share() -> None:
    expected = np.where(CHANCES >= 0.25, CHANCES, 0.0)  # 0.4 and 0.25 reach 0.6
    np.testing.assert_allclose(
        frequencies(temperature=1.0, top_p=0.6), expected / expected.sum(), atol=0.03
    )


def test_a_seed_repeats_its_draws_and_none_does_not() -> None:
    def draws(seed: int | None) -> list[tuple[int, ...]]:
        table = np.full((7, 7), 1 / 7)
        options = SearchOptions(temperature=1.0, beam_size=8, n_best=8, seed=seed, max_tokens=20)
        answers = run(TableEngine(table), [SearchRequest(0, (0,), options)])[0]
        return [each.tokens for each in answers]

    assert draws(3) == draws(3)
    assert len({tuple(draws(None)) for _ in range(3)}) == 3


def test_sources_with_one_seed_draw_different_numbers() -> None:
    options = SearchOptions(temperature=1.0, beam_size=1, seed=1, max_tokens=20)
    sources = [(0,), (1,), (0, 1), (2, 1)]
    requests = [SearchRequest(i, source, options) for i, source in enumerate(sources)]
    answers = run(TableEngine(*np.full((3, 7, 7), 1 / 7)), requests)
    assert len({hypotheses[0].tokens for hypotheses in answers.values()}) == len(sources)


def test_the_score_of_a_draw_is_the_models_own() -> None:
    options = SearchOptions(temperature=2.0, beam_size=8, n_best=8, seed=1, length_penalty=0.0)
    for each in run(TableEngine(TABLE), [SearchRequest(0, (0,), options)])[0]:
        assert np.exp(each.score) == pytest.approx(CHANCES[each.tokens[0]], rel=1e-5)
        assert each.tokens[0] in {A, B, 4, 5, 6}
