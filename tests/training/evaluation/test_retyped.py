from __future__ import annotations

from collections.abc import Sequence

import pytest

from training.evaluation.retyped import (
    RetypedBleu,
    describe_losses,
    same_answers,
    translation_scores,
)

Talks = Sequence[Sequence[str]]


def echo(talks: Talks) -> list[str]:
    return [talk[-1] for talk in talks]


def test_a_model_that_reads_letter_by_letter_changes_its_answers() -> None:
    sources = [("How are you?",), ("I am Anna",), ("hello",)]
    found = same_answers(echo, sources, echo(sources))
    assert found == {"same_without_final_mark_percent": 0.0, "same_in_lower_case_percent": 0.0}


def test_a_model_that_ignores_case_gives_equal_answers() -> None:
    def plain(talks: Talks) -> list[str]:
        return [talk[-1].lower() for talk in talks]

    sources = [("earlier", "I see."), ("I see",)]
    found = same_answers(plain, sources, plain(sources))
    assert found == {"same_without_final_mark_percent": 0.0, "same_in_lower_case_percent": 100.0}


def test_messages_that_nothing_changes_are_not_counted() -> None:
    assert same_answers(echo, [("hello",)], ["hello"]) == {}
    assert same_answers(echo, [("...",)], ["..."]) == {}


@pytest.mark.parametrize("text", ["你好。", "तुम कौन हो।"])
def test_final_marks_of_all_scripts_are_left_out(text: str) -> None:
    assert same_answers(echo, [(text,)], [text]) == {"same_without_final_mark_percent": 0.0}


def test_translations_of_retyped_sentences_are_compared_with_their_references() -> None:
    sources = [("Where are you now?",), ("we are all here",), ("We Are All Here",)]
    references = ["Where are you now?", "we are all there", "we are all here"]
    final, lower = translation_scores(echo, sources, echo(sources), references, language="en")
    assert (final.change, final.original) == ("without_final_mark", 100)  # the first sentence only
    assert final.bleu < 90
    assert lower.change == "in_lower_case"  # the first and the third
    assert lower.original < lower.bleu < 90
    assert translation_scores(echo, [("hello",)], ["hello"], ["hello"], language="en") == []


def test_a_great_loss_is_told() -> None:
    small, great = RetypedBleu("without_final_mark", 29, 30), RetypedBleu("in_lower_case", 20, 31)
    (note,) = describe_losses([small, great])
    assert "BLEU falls from 31.0 to 20.0 in lower case. " in note
    assert describe_losses([small]) == []
    assert describe_losses([RetypedBleu("in_lower_case", 0, 0.5)]) == []
