from __future__ import annotations

from typing import Any

import pytest
import sentencepiece

from model.config import Task
from model.tokenizer import SPECIAL_PIECES, UNK_ID, Tokenizer
from training.errors import CorpusError
from training.prepare.tokenizer import character_coverage_of, train_tokenizer, uses_byte_fallback
from training.recipe import TokenizerConfig

TEXTS = tuple(
    f"the {colour} {thing} is {place} the house"
    for colour in ("red", "green", "blue", "old", "new")
    for thing in ("dog", "cat", "car", "tree", "bird")
    for place in ("in", "near", "behind")
)


def config(**changes: Any) -> TokenizerConfig:
    return TokenizerConfig.parse({"vocab_size": 60, **changes}, where="test")


@pytest.mark.parametrize("kind", ["unigram", "bpe", "word"])
def test_special_pieces_come_first(kind: str) -> None:
    model = train_tokenizer(TEXTS, config(type=kind))
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert tuple(pieces.id_to_piece(i) for i in range(5)) == SPECIAL_PIECES
    assert pieces.is_control(4)


@pytest.mark.parametrize("kind", ["unigram", "bpe", "word"])
@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1], ("a",)])
def test_a_small_corpus_gives_a_smaller_vocabulary(kind: str, texts: tuple[str, ...]) -> None:
    tokenizer = Tokenizer(config(), train_tokenizer(texts, config(type=kind, vocab_size=5000)))
    assert len(SPECIAL_PIECES) < tokenizer.source_vocab_size < 400
    assert tokenizer.target_text(tokenizer.target_ids(texts[0])) == texts[0]


@pytest.mark.parametrize("kind", ["unigram", "bpe", "word"])
def test_the_same_text_gives_the_same_bytes(kind: str) -> None:
    assert train_tokenizer(TEXTS, config(type=kind)) == train_tokenizer(TEXTS, config(type=kind))


def test_a_vocabulary_is_no_larger_than_asked_for() -> None:
    for kind in ("unigram", "bpe", "word"):
        tokenizer = Tokenizer(config(), train_tokenizer(TEXTS, config(type=kind, vocab_size=40)))
        assert tokenizer.source_vocab_size <= 40


def test_words_stay_whole() -> None:
    tokenizer = Tokenizer(config(), train_tokenizer(TEXTS, config(type="word")))
    assert len(tokenizer.target_ids("the red dog is in the house")) == 7


def test_text_is_taken_as_it_is() -> None:
    text = "The \ufb01rst \u00c9T\u00c9"  # a ligature that NFKC would take apart
    model = train_tokenizer([*TEXTS, *[text] * 20], config(vocab_size=200))
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert pieces.decode(pieces.encode(text)) == text


@pytest.mark.parametrize("kind", ["unigram", "bpe", "word"])
def test_a_rare_letter_of_a_small_alphabet_is_known(kind: str) -> None:
    texts = [*TEXTS * 50, "the \u00c4Q dog"]
    tokenizer = Tokenizer(config(), train_tokenizer(texts, config(type=kind, vocab_size=400)))
    assert UNK_ID not in tokenizer.target_ids("the \u00c4Q dog")


def test_the_rarest_letters_of_a_large_alphabet_are_given_up() -> None:
    many = ["".join(chr(0x4E00 + i) for i in range(100))]
    assert character_coverage_of(many, config(vocab_size=1000)) == 1.0
    assert character_coverage_of(many, config(vocab_size=999)) < 1.0
    assert character_coverage_of(many, config(vocab_size=999, type="word")) == 1.0


def test_the_separator_in_a_text_is_not_the_separator() -> None:
    tokenizer = Tokenizer(config(), train_tokenizer([*TEXTS, "a <sep> b"], config()))
    assert SPECIAL_PIECES.index("<sep>") not in tokenizer.source_ids("a <sep> b")


@pytest.mark.parametrize("texts", [(), ("", ""), ("x" * 5000,)])
def test_no_text_is_refused(texts: tuple[str, ...]) -> None:
    with pytest.raises(CorpusError, match="no text"):
        train_tokenizer(texts, config())


def test_more_characters_than_pieces_are_refused_with_what_to_change() -> None:
    many = ["".join(chr(0x4E00 + i) for i in range(500))]
    with pytest.raises(CorpusError, match=r"tokenizer\.vocab_size"):
        train_tokenizer(many, config(type="unigram", vocab_size=16))


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_with_bytes_no_character_is_lost(kind: str) -> None:
    large = config(type=kind, vocab_size=400)
    plain = Tokenizer(config(), train_tokenizer(TEXTS, large))
    text = "the red 狗 is \N{GRINNING FACE}"
    assert UNK_ID in plain.target_ids(text)
    tokenizer = Tokenizer(config(), train_tokenizer(TEXTS, large, byte_fallback=True))
    assert UNK_ID not in tokenizer.target_ids(text)
    assert tokenizer.target_text(tokenizer.target_ids(text)) == text


@pytest.mark.parametrize(
    ("changes", "task", "expected"),
    [
        ({"vocab_size": 4000}, "translate", True),
        ({"vocab_size": 1000}, "translate", False),
        ({"vocab_size": 4000, "type": "word"}, "translate", False),
        ({"vocab_size": 4000}, "reply", False),
        ({"vocab_size": 1000, "byte_fallback": True}, "reply", True),
        ({"vocab_size": 4000, "byte_fallback": False}, "translate", False),
    ],
)
def test_a_vocabulary_with_room_writes_bytes_in_translation(
    changes: dict[str, Any], task: Task, expected: bool
) -> None:
    assert uses_byte_fallback(config(**changes), task) == expected


@pytest.mark.parametrize("byte_fallback", [True, False])
def test_a_tag_is_one_piece_of_its_own(byte_fallback: bool) -> None:
    tags = ("<2de>", "<2fr>")
    size = config(vocab_size=400)
    model = train_tokenizer(TEXTS, size, byte_fallback=byte_fallback, tags=tags)
    tokenizer = Tokenizer(config(), model)
    assert tokenizer.tags == tags
    pieces = tokenizer.source_pieces(tokenizer.source_ids("<2fr> the red dog"))
    assert pieces.count("<2fr>") == 1
    assert Tokenizer(config(), train_tokenizer(TEXTS, size)).tags == ()
