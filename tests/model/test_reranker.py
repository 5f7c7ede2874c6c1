from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.config import ModelConfig, SearchOptions
from model.errors import ConfigError
from model.folder import load_folder, write_folder
from model.generator import Generator
from model.reranker import Kind, reranked, reranking_kind
from model.search.requests import Hypothesis, SearchRequest
from tests.engines import TableEngine
from tests.model.search.test_search import GARDEN_PATH, A, B, run

BEAM = SearchOptions(beam_size=4, n_best=4, max_tokens=8, length_penalty=0.0)


@pytest.fixture(scope="module")
def reverse_folder(tmp_path_factory: pytest.TempPathFactory, exported_folder: Path) -> Path:
    """The same weights, said to be those of a reverse model."""
    folder = load_folder(exported_folder)
    path = tmp_path_factory.mktemp("models") / "reverse"
    files = {name: (exported_folder / name).read_bytes() for name in folder.config.sha256}
    write_folder(path, folder.config.model_copy(update={"reverse": True}), files)
    return path


def logprob(generator: Generator, source_ids: list[int], target_ids: list[int]) -> float:
    """By steps of the engine, without a search."""
    engine, total = generator.engine, 0.0
    lengths = np.array([len(source_ids)], np.int32)
    encoded = engine.encode(np.array([source_ids], np.int32), lengths, np.zeros(1, bool))
    table, first = engine.new_table(1, use_shortlist=False), np.zeros(1, np.intp)
    table.insert(first, encoded, first)
    for last, token in zip([2, *target_ids], [*target_ids, 3], strict=True):
        step = table.step(None, np.array([[last]], np.int32), 10_000)
        total += float(step.logprobs[0, 0, step.tokens[0, 0] == token][0])
    return total


@pytest.mark.parametrize("kind", ["reverse", "language"])
def test_scores_are_those_of_both_models(
    exported_folder: Path, reverse_folder: Path, kind: str
) -> None:
    second = reverse_folder if kind == "reverse" else exported_folder
    generator = Generator.load(exported_folder, "onnx", rerank_model=second)
    (plain,) = generator.generate(["hello there"], BEAM)
    options = BEAM.model_copy(update={"rerank_weight": 0.7})
    (ranked,) = generator.generate(["hello there"], options)
    assert {each.tokens for each in ranked} == {each.tokens for each in plain}
    before = {each.tokens: each.score for each in plain}
    tokenizer = generator.tokenizer
    for each in ranked:
        text = tokenizer.target_text(each.tokens)
        if kind == "reverse":
            other = logprob(
                generator, tokenizer.source_ids(text), tokenizer.target_ids("hello there")
            )
        else:
            other = -logprob(generator, [3], tokenizer.target_ids(text))
        assert each.score == pytest.approx(before[each.tokens] + 0.7 * other, abs=1e-3)


def test_all_of_the_beam_is_ranked(exported_folder: Path, reverse_folder: Path) -> None:
    generator = Generator.load(exported_folder, "onnx", rerank_model=reverse_folder)
    options = BEAM.model_copy(update={"rerank_weight": 2.0})
    sources = ["hello there", "what is your name?", "i like films"]
    every = generator.generate(sources, options)
    best = generator.generate(sources, options.model_copy(update={"n_best": 1}))
    assert [found[0] for found in every] == [found[0] for found in best]
    assert all(len(found) == 1 for found in best)


@pytest.mark.parametrize(
    ("options", "has_second"), [({"rerank_weight": 1.0}, False), ({"rerank_weight": 1.0}, True)]
)
def test_what_cannot_be_reranked_is_refused(
    exported_folder: Path, options: dict[str, float], has_second: bool
) -> None:
    second = exported_folder if has_second else None
    generator = Generator.load(exported_folder, "onnx", rerank_model=second)
    beam_size = 1 if has_second else 4
    with pytest.raises(ConfigError, match="needs a second model"):
        generator.generate(["hello"], SearchOptions(beam_size=beam_size, **options))


@pytest.fixture
def named(untrained_folder: Path) -> Callable[..., ModelConfig]:
    config = load_folder(untrained_folder).config
    return lambda **changes: config.model_copy(update=changes)


def test_a_folder_tells_what_it_can_rank(named: Callable[..., ModelConfig]) -> None:
    german = {"task": "translate", "languages": ("en", "de")}
    english = {"task": "translate", "languages": ("de", "en")}
    assert reranking_kind(named(), named(reverse=True)) == "reverse"
    assert reranking_kind(named(), named()) == "language"
    assert reranking_kind(named(**german), named(**english)) == "reverse"
    assert reranking_kind(named(**german), named(**german)) == "language"
    with pytest.raises(ConfigError, match="of task 'translate' cannot re-rank one of task 'reply'"):
        reranking_kind(named(), named(**german))
    with pytest.raises(ConfigError, match="languages"):
        reranking_kind(named(), named(languages=("fr",)))


def beam_of_the_garden_path() -> tuple[Hypothesis, ...]:
    options = SearchOptions(beam_size=2, n_best=2, length_penalty=0.0)
    return run(TableEngine(GARDEN_PATH), [SearchRequest(0, (0,), options)])[0]


def test_who_explains_the_source_comes_first() -> None:
    # "B" 0.36 before "A" 0.24; the source is 0.1 likely after B, and 0.5 after A: 0.036 and 0.12.
    found = beam_of_the_garden_path()
    assert [each.tokens for each in found] == [(B,), (A,)]
    ranked = reranked(found, [math.log(0.1), math.log(0.5)], kind="reverse", weight=1.0, alpha=0.0)
    assert [each.tokens for each in ranked] == [(A,), (B,)]
    assert [math.exp(each.score) for each in ranked] == pytest.approx([0.12, 0.036], rel=1e-5)
    assert [each.logprob for each in ranked] == [found[1].logprob, found[0].logprob]


def test_who_is_likely_anyhow_comes_last() -> None:
    # "B" is 0.8 likely after nothing at all, "A" 0.2: 0.36 / 0.8 = 0.45 and 0.24 / 0.2 = 1.2.
    ranked = reranked(
        beam_of_the_garden_path(),
        [math.log(0.8), math.log(0.2)],
        kind="language",
        weight=1.0,
        alpha=0.0,
    )
    assert [each.tokens for each in ranked] == [(A,), (B,)]
    assert [math.exp(each.score) for each in ranked] == pytest.approx([1.2, 0.45], rel=1e-5)


@given(st.sampled_from(["reverse", "language"]), st.lists(st.floats(-50, 0), min_size=2))
def test_no_weight_changes_nothing(kind: Kind, logprobs: list[float]) -> None:
    found = beam_of_the_garden_path()
    assert reranked(found, logprobs[:2], kind=kind, weight=0.0, alpha=0.6) == found


def test_cut_hypotheses_stay_last() -> None:
    found = [Hypothesis((A,), -1.0, -1.0, "stop"), Hypothesis((B,), -1.0, -1.0, "length")]
    ranked = reranked(found, [-9.0, -1.0], kind="reverse", weight=1.0, alpha=0.0)
    assert [each.finish_reason for each in ranked] == ["stop", "length"]
