from __future__ import annotations

import weakref

import pytest

from app.errors import InvalidField
from app.requests import search_options, source_of
from app.settings import Settings
from model.config import SearchOptions, TextConfig
from model.tokenizer import Tokenizer

LIMITS = Settings(max_beam_size=8, max_reply_tokens=100, max_message_characters=10, max_messages=2)


def test_without_wishes_the_models_defaults_hold() -> None:
    defaults = SearchOptions(beam_size=5, n_best=2, length_penalty=1.0, min_tokens=1, max_tokens=9)
    assert search_options(defaults, LIMITS) == defaults


def test_options_of_callers_are_not_kept() -> None:
    found = [
        weakref.ref(search_options(SearchOptions(), LIMITS, blocked_words=(f"word {each}",)))
        for each in range(200)
    ]
    assert sum(each() is not None for each in found) <= 64


def test_defaults_beyond_the_servers_limits_are_cut() -> None:
    defaults = SearchOptions(beam_size=12, n_best=12, min_tokens=150, max_tokens=200)
    options = search_options(defaults, LIMITS)
    assert (options.beam_size, options.n_best) == (8, 8)
    assert (options.min_tokens, options.max_tokens) == (100, 100)


@pytest.mark.parametrize(("field", "value"), [("beam_size", 9), ("n_best", 9), ("max_tokens", 101)])
def test_a_wish_beyond_the_servers_limit_names_its_field(field: str, value: int) -> None:
    with pytest.raises(InvalidField, match=f"^{field}: .*Received: ") as caught:
        search_options(SearchOptions(), LIMITS, **{field: value})
    assert caught.value.field == field


def test_a_dialogue_becomes_the_ids_of_its_turns(tokenizer: Tokenizer) -> None:
    ids = source_of(["hello", "i am"], ["a", "b"], tokenizer, LIMITS, "reply").ids
    assert ids == tokenizer.source_ids(["hello", "i am"])


@pytest.mark.parametrize(
    ("turns", "field"),
    [
        (["hello"] * 3, "messages"),
        (["hello", "x" * 11], "messages.1"),
        (["hello", " \t\u200b"], "messages.1"),
    ],
)
def test_a_wrong_turn_names_its_place(turns: list[str], field: str, tokenizer: Tokenizer) -> None:
    fields = [f"messages.{place}" for place in range(len(turns))]
    with pytest.raises(InvalidField) as caught:
        source_of(turns, fields, tokenizer, LIMITS, "reply")
    assert caught.value.field == field


def test_a_dialogue_of_too_many_turns_is_told_what_to_leave_out(tokenizer: Tokenizer) -> None:
    with pytest.raises(InvalidField, match="at most 2 turns on this server; leave out the oldest"):
        source_of(["hello"] * 3, ["messages.0"] * 3, tokenizer, LIMITS, "reply")


def test_what_a_dialogue_is_too_long_for_is_counted(tokenizer_model: bytes) -> None:
    short = Tokenizer(TextConfig(context_turns=2, max_source_tokens=4), tokenizer_model)
    turns, limits = ["hello"] * 3 + ["i am fine"], Settings()
    whole = Tokenizer(TextConfig(context_turns=2), tokenizer_model).source_ids(turns)
    source = source_of(turns, ["message"] * 4, short, limits, "reply")
    assert source.ids == whole[-4:]
    assert (source.dropped_tokens, source.dropped_turns) == (len(whole) - 4, 2)


@pytest.mark.parametrize("turns", [["i am fine, thank you"], ["hello", "i am fine, thank you"]])
def test_a_sentence_to_translate_that_would_be_cut_is_refused(
    tokenizer_model: bytes, turns: list[str]
) -> None:
    short = Tokenizer(TextConfig(context_turns=2, max_source_tokens=6), tokenizer_model)
    fields = [f"messages.{place}" for place in range(len(turns))]
    reason = "is too long: this model reads 6 tokens; POST /translate divides long texts"
    with pytest.raises(InvalidField, match=reason) as caught:
        source_of(turns, fields, short, Settings(), "translate")
    assert caught.value.field == fields[-1]


@pytest.mark.parametrize(
    ("turns", "read"),
    [
        (["no", "hello", "hello"], ["hello", "hello"]),  # the model reads two
        (["no", "i am fine", "hello"], ["hello"]),  # there is no room for more
    ],
)
def test_a_translator_reads_the_last_sentence_of_a_dialogue(
    tokenizer_model: bytes, turns: list[str], read: list[str]
) -> None:
    short = Tokenizer(TextConfig(context_turns=2, max_source_tokens=6), tokenizer_model)
    source = source_of(turns, ["messages"] * 3, short, Settings(), "translate")
    assert source.ids == short.source_ids(read)
    assert (source.dropped_tokens, source.dropped_turns) == (0, 3 - len(read))
