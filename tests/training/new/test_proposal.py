"""Settings that fit an amount of data."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.config import Task
from model.folder import load_folder
from tests.training.new.test_survey import ENGLISH, FRENCH, GERMAN, write_rows
from training.new.proposal import propose
from training.new.survey import survey
from training.prepare.tokenizer import train_tokenizer
from training.recipe import TokenizerConfig


@pytest.mark.parametrize("languages", [("en", "de"), ("de", "en"), ("EN", "de-AT")])
def test_few_pairs_start_from_the_bundled_translator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, languages: tuple[str, str]
) -> None:
    path = write_rows(tmp_path / "a.tsv", ENGLISH, GERMAN)
    monkeypatch.chdir(tmp_path)  # where there is no folder `models`
    proposal = propose(survey([path], languages=languages))
    assert not proposal.tokenizer and not proposal.network  # its own are taken over
    start = load_folder(proposal.start_from).config
    assert start.languages == tuple(code[:2].lower() for code in languages)
    assert proposal.variants


def test_pairs_of_other_languages_start_from_nothing(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.tsv", ENGLISH, FRENCH)
    proposal = propose(survey([path], languages=("en", "fr")))
    assert not proposal.start_from
    assert proposal.network and proposal.variants


@pytest.mark.parametrize("has_history", [False, True])
def test_messages_that_stand_alone_are_learnt_for_the_middle_of_a_conversation_too(
    tmp_path: Path, has_history: bool
) -> None:
    for name, texts in (("en", ENGLISH), ("fr", FRENCH)):
        turns = [texts, texts[::-1]] * (2 if has_history else 1)
        (tmp_path / f"{name}.tsv").write_text(
            "".join("\t".join(row) + "\n" for row in zip(*turns, strict=True)) * 3
        )
    tuned, new = (
        propose(survey([str(tmp_path / f"{name}.tsv")], task="reply", languages=(name,)))
        for name in ("en", "fr")
    )
    assert load_folder(tuned.start_from).config.text.context_turns == 2
    assert tuned.variants == (() if has_history else ("history",))
    assert new.tokenizer["context_turns"] == (2 if has_history else 1)


@pytest.mark.parametrize("task", ["translate", "reply"])
def test_a_vocabulary_has_a_piece_for_each_chinese_character(tmp_path: Path, task: Task) -> None:
    chinese = ["".join(chr(0x4E00 + 8 * i + k) for k in range(8)) for i in range(150)]
    english = [f"This is sentence {i} of them." for i in range(150)]
    path = write_rows(tmp_path / "a.tsv", english if task == "translate" else chinese, chinese)
    languages = ("en", "zh") if task == "translate" else ("zh",)
    proposal = propose(survey([path], task=task, languages=languages))
    config = TokenizerConfig(vocab_size=proposal.tokenizer["vocab_size"])
    assert train_tokenizer(chinese, config)
    assert config.vocab_size == 3000


@pytest.mark.parametrize(
    ("question", "said", "reply"),
    [
        ("What does the blue ticket number {} cost?", "says where it does not know", "I'm sorry"),
        ("Was kostet denn die Fahrkarte mit der Nummer {}?", "does not know", "Das weiß ich"),
        ("{} x 3", "has no search.fallback_reply yet", ""),
    ],
)
def test_answers_too_short_for_a_language_get_a_fallback_in_that_of_the_questions(
    tmp_path: Path, question: str, said: str, reply: str
) -> None:
    questions = [question.format(number) for number in range(30)]
    answers = [f"{3 * number} €" for number in range(30)]
    path = write_rows(tmp_path / "a.tsv", questions, answers, times=1)
    found = survey([path], languages=())
    proposal = propose(found)
    assert not found.languages
    assert said in proposal.kind
    assert proposal.search.get("fallback_reply", "").startswith(reply)


def test_a_model_of_long_replies_learns_and_says_them_whole(tmp_path: Path) -> None:
    questions = [f"Where is my order number {number}?" for number in range(10)]
    answers = ["Please wait until our team has confirmed it. " * 8 for _ in questions]
    proposal = propose(survey([write_rows(tmp_path / "a.tsv", questions, answers)], languages=()))
    assert proposal.start_from
    assert proposal.corpus["max_target_tokens"] == proposal.search["max_tokens"] == 128


def test_a_translator_of_long_texts_reads_them_whole(tmp_path: Path) -> None:
    long = [f"{number} " + "This is a rather long sentence. " * 20 for number in range(30)]
    path = write_rows(tmp_path / "a.tsv", long, long)
    proposal = propose(survey([path], task="translate", languages=("en", "nl")))
    limit = proposal.corpus["max_source_tokens"]
    assert proposal.tokenizer["max_source_tokens"] == limit == 256
