from __future__ import annotations

import pytest

from model.config import SearchOptions
from model.known_questions import KnownQuestions

OPEN, PARK, PRINT = "From nine to five.", "Behind the building.", "Ten cents a page."
PAIRS = (
    ("When are you open?", OPEN),
    ("What are your opening hours?", OPEN),
    ("Where can I park?", PARK),
    ("What does printing cost?", PRINT),
)
OPTIONS = SearchOptions(fallback_reply="I don't know.", min_confidence=0.6)


@pytest.fixture(scope="module")
def questions() -> KnownQuestions:
    return KnownQuestions(PAIRS)


@pytest.mark.parametrize(
    "message", ["Where can I park?", "where can i PARK", " Where can I park ??"]
)
def test_a_known_question_is_certain_however_it_is_written(
    questions: KnownQuestions, message: str
) -> None:
    assert questions.confidence(message, PARK) == 1.0


def test_the_nearest_wording_counts(questions: KnownQuestions) -> None:
    assert all(questions.confidence(question, answer) == 1.0 for question, answer in PAIRS)


def test_a_typo_costs_little(questions: KnownQuestions) -> None:
    assert 0.6 < questions.confidence("What does pritning cost?", PRINT) < 1.0


def test_the_reply_to_another_question_is_not_trusted(questions: KnownQuestions) -> None:
    assert questions.confidence("Where can I park?", PRINT) < 0.2


@pytest.mark.parametrize("message", ["asdf", "?!", "...", "🙂", "12", "Who wrote Hamlet?"])
def test_what_is_like_no_question_is_not_trusted(questions: KnownQuestions, message: str) -> None:
    assert all(questions.confidence(message, answer) < 0.5 for _, answer in PAIRS)


def test_a_reply_that_is_no_answer_is_not_trusted(questions: KnownQuestions) -> None:
    assert questions.confidence("Where can I park?", "Behind the the building.") == 0.0


def test_questions_in_any_script_are_known() -> None:
    questions = KnownQuestions([("营业时间是几点?", "九点"), ("停车场在哪里?", "后面")])
    assert questions.confidence("停车场在哪里", "后面") == 1.0
    assert questions.confidence("营业时间是几点?", "后面") < 0.3
    hindi = KnownQuestions([("दिन", "day"), ("दान", "gift")])
    assert hindi.confidence("दिन?", "day") == 1.0
    assert hindi.confidence("दिन", "gift") < 0.5


def test_a_file_of_questions_is_read_as_it_was_written(questions: KnownQuestions) -> None:
    odd = KnownQuestions([*PAIRS, ("One\ttwo\nthree\u2028four?", 'A "quoted" answer.')])
    again = KnownQuestions.parse(odd.to_bytes())
    assert again.to_bytes() == odd.to_bytes()
    assert again.confidence("one two three four", 'A "quoted" answer.') == 1.0


def test_a_reply_of_little_confidence_gives_way(questions: KnownQuestions) -> None:
    refused = questions.check("asdf", PARK, OPTIONS)
    assert (refused.text, refused.confidence, refused.is_fallback) == ("I don't know.", 0.0, True)
    given = questions.check("Where can I park?", PARK, OPTIONS)
    assert (given.text, given.confidence, given.is_fallback) == (PARK, 1.0, False)


def test_the_last_turn_of_a_dialogue_is_the_message(questions: KnownQuestions) -> None:
    turns = ["When are you open?", OPEN, "Where can I park?"]
    assert questions.check(turns, PARK, OPTIONS).text == PARK
    assert questions.check(turns, OPEN, OPTIONS).is_fallback


@pytest.mark.parametrize("changes", [{"fallback_reply": ""}, {"min_confidence": 0.0}])
def test_the_fallback_can_be_turned_off(
    questions: KnownQuestions, changes: dict[str, object]
) -> None:
    found = questions.check("asdf", PARK, OPTIONS.model_copy(update=changes))
    assert (found.text, found.is_fallback) == (PARK, False)
