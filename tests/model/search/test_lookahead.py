"""What an engine takes ahead changes no answer, whatever is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.config import SearchOptions
from model.contract import Bool, Int32, Sequel, State, StepResult, Steps
from model.engine import load_engine
from model.engine.onnx import OnnxEngine
from model.folder import load_folder
from model.search.beam import Search
from model.search.requests import Hypothesis, SearchRequest
from model.tokenizer import BOS_ID, EOS_ID, UNK_ID
from tests.model.search import test_beam
from tests.model.search.test_beam import CHATTERBOX, A, B, TableEngine

SOURCE = [6, 7, 8, 9, 3]
#: Ways to ask, of which some let the search choose otherwise than was foreseen.
ASKED: dict[str, dict[str, Any]] = {
    "greedy": {"options": SearchOptions()},
    "long": {"options": SearchOptions(max_tokens=50)},
    "two tokens": {"options": SearchOptions(max_tokens=2)},
    "one token": {"options": SearchOptions(max_tokens=1)},
    "never ends": {"options": SearchOptions(min_tokens=20, max_tokens=20)},
    "beam": {"options": SearchOptions(beam_size=4, n_best=4)},
    "beam, repeats nothing": {"options": SearchOptions(beam_size=3, no_repeat_ngram=1)},
    "repeats no pair": {"options": SearchOptions(no_repeat_ngram=2, max_tokens=30)},
    "coverage": {"options": SearchOptions(beam_size=2, coverage_penalty=1.0)},
    "diversity": {"options": SearchOptions(beam_size=3, diversity=0.5)},
    "repetition": {"options": SearchOptions(repetition_penalty=1.3)},
    "drawn": {"options": SearchOptions(temperature=1.0, seed=3)},
    "begins so": {"options": SearchOptions(), "prefix_ids": [9, 8]},
    "required": {"options": SearchOptions(beam_size=4), "required": [[9, 8]]},
    "attention": {"options": SearchOptions(), "wants_attention": True},
}


class Counted:
    """An engine whose calls are counted. `plain` hides that it can look ahead."""

    def __init__(self, engine: OnnxEngine) -> None:
        self._engine = engine
        self.calls: Counter[str] = Counter()

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> State:
        return self._engine.encode(source_ids, source_lengths, use_shortlist)

    def step(self, *args: Any, **options: Any) -> StepResult:
        self.calls["step"] += 1
        return self._engine.step(*args, **options)

    def join(self, *args: Any) -> State:
        return self._engine.join(*args)


class CountedAhead(Counted):
    """One that can look ahead."""

    def step_ahead(self, *args: Any) -> Steps:
        self.calls["ahead"] += 1
        return self._engine.step_ahead(*args)


@pytest.fixture(scope="module")
def engine(exported_folder: Path) -> Iterator[OnnxEngine]:
    loaded = load_engine(load_folder(exported_folder), "onnx-int8")
    assert isinstance(loaded, OnnxEngine)
    yield loaded


def search(engine: Any) -> Search:
    return Search(engine, bos_id=BOS_ID, eos_id=EOS_ID, blocked_ids=(UNK_ID,))


def answer(engine: Any, request: SearchRequest) -> tuple[Hypothesis, ...]:
    running = search(engine)
    running.add([request])
    while not (done := running.step()):
        pass
    return done[0][1]


@pytest.mark.parametrize("asked", ASKED)
def test_answers_are_those_of_single_steps(engine: OnnxEngine, asked: str) -> None:
    request = SearchRequest(0, SOURCE, **ASKED[asked])
    plain, ahead = answer(Counted(engine), request), answer(CountedAhead(engine), request)
    assert ahead == plain
    for one, other in zip(ahead, plain, strict=True):
        if request.wants_attention:
            np.testing.assert_array_equal(one.attention_weights, other.attention_weights)


def test_what_was_said_may_be_blocked(engine: OnnxEngine) -> None:
    said = answer(Counted(engine), SearchRequest(0, SOURCE, SearchOptions(min_tokens=5)))[0].tokens
    for beam_size in (1, 3):
        options = SearchOptions(beam_size=beam_size, min_tokens=5)
        request = SearchRequest(0, SOURCE, options, blocked=[[said[2]], said[3:5]])
        assert answer(CountedAhead(engine), request) == answer(Counted(engine), request)


#: With rules, each step is looked at; a lone greedy request without any strides.
RULES = {"min_tokens": 30, "no_repeat_ngram": 4, "max_tokens": 30}
NO_RULES = {"max_tokens": 100}


@pytest.mark.parametrize(
    ("beam_size", "rules"),
    [(1, NO_RULES), *((size, {"min_tokens": 40, "max_tokens": 40}) for size in (1, 4))],
    ids=str,
)
def test_few_calls_take_many_steps(
    engine: OnnxEngine, beam_size: int, rules: dict[str, int]
) -> None:
    counted = CountedAhead(engine)
    options = SearchOptions(beam_size=beam_size, **rules)
    found = answer(counted, SearchRequest(0, SOURCE, options))
    assert len(found[0].tokens) >= 40
    assert counted.calls.total() <= 20  # a beam stops where its guess was wrong


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize(
    ("rules", "steps"), [(RULES, 1), (RULES, 2), (RULES, 5), (NO_RULES, 1), (NO_RULES, 2)], ids=str
)
def test_others_may_join_at_any_time(
    engine: OnnxEngine, beam_size: int, rules: dict[str, int], steps: int
) -> None:
    options = SearchOptions(beam_size=beam_size, **rules)
    requests = [SearchRequest(key, SOURCE[key:], options) for key in range(2)]
    running = search(CountedAhead(engine))
    running.add(requests[:1])
    done: dict[Any, Any] = {}
    for _ in range(steps):
        done |= dict(running.step())
    if beam_size == 1 and rules is NO_RULES:
        assert len(running.agreed({0: 0})[0]) > 10 * steps
    running.add(requests[1:])
    while not running.is_idle:
        done |= dict(running.step())
    for request in requests:
        assert [each.tokens for each in done[request.key]] == [
            each.tokens for each in answer(Counted(engine), request)
        ]


class OfTwoRows(TableEngine):
    """Takes three steps ahead, the last of them from what another row has said. Where rows are
    doubled, and two tokens equally likely, the copy may come first."""

    def step_ahead(self, state: Any, sequel: Sequel) -> Steps:
        read = [sequel.tokens, np.array([A], np.int32), np.array([B], np.int32)]
        read = read[: sequel.most_steps]
        results = [self.step(state, sequel.parents, each, sequel.top_k) for each in read]
        return Steps(
            np.stack([each.tokens for each in results]),
            np.stack([each.logprobs for each in results]),
            np.stack([each.attention_weights[:, :1] for each in results]),
            np.array([[0], [1]])[: len(read) - 1],
            np.array([[A], [A]], np.int32)[: len(read) - 1],
            lambda place: results[place].state,
        )


def test_what_another_row_says_is_not_taken() -> None:
    request = SearchRequest("only", (0,), SearchOptions(max_tokens=7))
    assert test_beam.run(OfTwoRows(CHATTERBOX), [request]) == test_beam.run(
        TableEngine(CHATTERBOX), [request]
    )
