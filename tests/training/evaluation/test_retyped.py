from __future__ import annotations

from collections.abc import Sequence

from training.evaluation.retyped import describe_losses, same_answers, translation_scores

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


def test_translations_of_retyped_sentences_are_compared_with_their_references() -> None:
    sources = [("Where are you now?",), ("we are all here",), ("We Are All Here",)]
    references = ["Where are you now?", "we are all there", "we are all here"]
    found = translation_scores(echo, sources, references, language="en")
    assert found["BLEU_without_final_mark"] < 90  # of the first sentence only
    assert found["BLEU_in_lower_case"] > 60  # of the first and the third
    assert translation_scores(echo, [("hello",)], ["hello"], language="en") == {}


def test_a_great_loss_is_told() -> None:
    metrics = {
        "test_greedy_BLEU nrefs:1|case:mixed": 30.0,
        "test_greedy_BLEU_without_final_mark": 29.0,
        "test_greedy_BLEU_in_lower_case": 20.0,
        "engine": "keras",
    }
    (note,) = describe_losses(metrics, "test_greedy_")
    assert "BLEU of 30.0 falls to 20.0 in lower case. " in note
    assert describe_losses(metrics, "test_beam4_") == []
