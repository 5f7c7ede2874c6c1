from __future__ import annotations

import io

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from model.config import TextConfig
from model.errors import InputError, TokenizerError
from model.tokenizer import (
    EOS_ID,
    SEP_ID,
    SPECIAL_PIECES,
    IncrementalDetokenizer,
    Tokenizer,
    normalise_source,
    normalise_target,
)
from tests.conftest import train_sentencepiece


def build(model: bytes, **rules: object) -> Tokenizer:
    return Tokenizer(TextConfig.parse(rules, where="test"), model)


def test_a_source_ends_with_the_end_of_sentence(tokenizer_model: bytes) -> None:
    ids = build(tokenizer_model).source_ids("hello there")
    assert ids[-1] == EOS_ID
    assert all(i >= len(SPECIAL_PIECES) for i in ids[:-1])


def test_turns_are_parted_and_the_oldest_left_out(tokenizer_model: bytes) -> None:
    tokenizer = build(tokenizer_model, context_turns=2)
    turns = ["hello", "how are you?", "fine"]
    ids = tokenizer.source_ids(turns)
    assert ids.count(SEP_ID) == 1
    assert ids == tokenizer.source_ids(turns[1:])
    assert ids != tokenizer.source_ids(turns[2:])


def test_a_long_source_keeps_its_end(tokenizer_model: bytes) -> None:
    whole = build(tokenizer_model).source_ids("hello there how are you")
    assert (
        build(tokenizer_model, max_source_tokens=4).source_ids("hello there how are you")
        == whole[-4:]
    )


def test_case_and_spacing_of_a_source_do_not_matter(tokenizer_model: bytes) -> None:
    tokenizer = build(tokenizer_model, lowercase_source=True, plain_punctuation=True)
    assert tokenizer.source_ids("WHAT is Your name ?") == tokenizer.source_ids("what is your name?")


def test_a_source_has_narrow_punctuation_and_a_target_keeps_its_own() -> None:
    rules = TextConfig(lowercase_source=True, plain_punctuation=True)
    assert normalise_source("你好 ！ＯＫ？", rules) == normalise_source("你好!OK?", rules)
    assert normalise_target("你好 ！ＯＫ？", rules) == "你好！OK？"


def test_a_turkish_capital_is_lowered_to_the_letter_that_people_type() -> None:
    assert normalise_source("İyi", TextConfig(lowercase_source=True)) == "iyi"


@pytest.mark.parametrize("text", ["", "  ", "\x00\x1b", "\ud800"])
def test_a_source_without_text_is_refused(tokenizer_model: bytes, text: str) -> None:
    with pytest.raises(InputError, match="no text"):
        build(tokenizer_model).source_ids(text)


def test_special_pieces_cannot_be_typed(tokenizer_model: bytes) -> None:
    ids = build(tokenizer_model).source_ids("<sep></s><s><pad>")
    assert SEP_ID not in ids
    assert ids.count(EOS_ID) == 1


def test_a_target_comes_back_as_it_was(tokenizer_model: bytes) -> None:
    tokenizer = build(tokenizer_model)
    text = "my name is robin"
    assert tokenizer.target_text([2, *tokenizer.target_ids(text), EOS_ID]) == text


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_gives_ids_or_a_clear_refusal(tokenizer_model: bytes, text: str) -> None:
    tokenizer = build(tokenizer_model, lowercase_source=True, plain_punctuation=True)
    try:
        ids = tokenizer.source_ids(text)
    except InputError:
        return
    assert all(0 <= i < tokenizer.source_vocab_size for i in ids)


def test_bytes_that_are_no_tokenizer_are_refused() -> None:
    with pytest.raises(TokenizerError, match="source"):
        build(b"not a model")


@given(data=st.data())
def test_a_growing_text_is_never_taken_back(data: st.DataObject, tokenizer_model: bytes) -> None:
    tokenizer = Tokenizer(TextConfig(), tokenizer_model)
    ids = data.draw(st.lists(st.integers(0, tokenizer.target_vocab_size - 1), max_size=12))
    text, told = IncrementalDetokenizer(tokenizer), ""
    for each in ids:
        told += text.add([each])
        assert tokenizer.target_text(ids).startswith(told)
    assert told + text.finish(tokenizer.target_text(ids)) == tokenizer.target_text(ids)


@pytest.fixture(scope="module")
def byte_tokenizer() -> Tokenizer:
    """A tokenizer that writes characters beyond its vocabulary as bytes."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["hello there"]),
        model_writer=model,
        vocab_size=280,
        hard_vocab_limit=False,
        byte_fallback=True,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        control_symbols=["<sep>"],
        minloglevel=2,
    )
    return Tokenizer(TextConfig(), model.getvalue())


def test_a_character_of_several_pieces_comes_whole(byte_tokenizer: Tokenizer) -> None:
    ids = byte_tokenizer.target_ids("hello \u4f60 t")
    text = IncrementalDetokenizer(byte_tokenizer)
    told = [text.add([each]) for each in ids]
    assert "".join(told) == "hello \u4f60 t"
    assert not any("\N{REPLACEMENT CHARACTER}" in each for each in told)
    assert told.count("\u4f60") == 1


def test_the_bytes_of_a_target_join_to_its_text(byte_tokenizer: Tokenizer) -> None:
    text = "hello \u4f60 t\N{GRINNING FACE}"
    ids = byte_tokenizer.target_ids(text)
    assert b"".join(map(byte_tokenizer.target_bytes, ids)).decode() == f" {text}"


def test_characters_without_a_piece_cannot_be_read(
    byte_tokenizer: Tokenizer, tokenizer_model: bytes
) -> None:
    for tokenizer in (byte_tokenizer, build(tokenizer_model)):
        assert tokenizer.can_read("hello there")
        assert not tokenizer.can_read("hello \N{GRINNING FACE}")


def test_a_letter_is_known_by_its_script() -> None:
    english, russian = "hello there how are you today", "привет как у тебя дела сегодня"
    both = build(train_sentencepiece([english, russian]))
    words = [f"▁word{number}" for number in range(100)]
    one = build(train_sentencepiece([english], vocab_size=150, pieces=[*words, "λ"]))
    assert all(map(both.knows_letter, "éжёＥ"))
    assert not any(map(both.knows_letter, "λ李½"))
    assert all(map(one.knows_letter, "éλ"))
    assert not any(map(one.knows_letter, "όж"))  # one word has given the vocabulary a Greek letter


def test_the_tokens_of_a_target_join_to_its_text(tokenizer_model: bytes) -> None:
    tokenizer = build(tokenizer_model)
    text = "hello, how are you?"
    tokens = [tokenizer.target_token(token) for token in tokenizer.target_ids(text)]
    assert "".join(tokens) == f" {text}"
