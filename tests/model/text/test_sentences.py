from __future__ import annotations

from time import process_time

import pytest

from model.text.sentences import (
    is_ended,
    is_question,
    is_question_or_exclamation,
    sentence_spans,
    sentences_of,
)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It is over. Go home!", ["It is over.", "Go home!"]),
        ("„Wer?“ Niemand.", ["„Wer?“ Niemand."]),
        ('"Who?" Nobody.', ['"Who?"', "Nobody."]),
        ("Mr. Smith met J. Jones.", ["Mr. Smith met J. Jones."]),
        ("Das ist z. B. Gold, z.B. 0,1.", ["Das ist z. B. Gold, z.B. 0,1."]),
        ("It costs 3.5 dollars.", ["It costs 3.5 dollars."]),
        ("Take all up to x. Then go.", ["Take all up to x.", "Then go."]),
        ("Well... that was it.", ["Well... that was it."]),
        ("你好。再见！", ["你好。", "再见！"]),
        ("「行くの？」うん。", ["「行くの？」", "うん。"]),
        ("「本当？」と彼は言った。「うん！」", ["「本当？」と彼は言った。", "「うん！」"]),
        ("（拍手。）次へ。", ["（拍手。）", "次へ。"]),
        (
            "他说：“走吧。”然后走了。“好！”“好。”",
            ["他说：“走吧。”", "然后走了。", "“好！”", "“好。”"],
        ),
        ("“真的吗？”，他问。", ["“真的吗？”，他问。"]),
        ("はい｡いいえ｡", ["はい｡", "いいえ｡"]),
        ("यह अच्छा है। वह गया।", ["यह अच्छा है।", "वह गया।"]),
        ("وہ گیا۔ کیوں؟ پتہ نہیں۔", ["وہ گیا۔", "کیوں؟", "پتہ نہیں۔"]),
        ("Really‽ Yes⁉ No.", ["Really‽", "Yes⁉", "No."]),
        ("እሺ። የት፧ እዚያ።", ["እሺ።", "የት፧", "እዚያ።"]),
        ("ဟုတ်ကဲ့။ သွားမယ်။", ["ဟုတ်ကဲ့။", "သွားမယ်။"]),
        ("hi! how are you? fine, e.g. today.", ["hi!", "how are you?", "fine, e.g. today."]),
        ("Yahoo! is a company.", ["Yahoo! is a company."]),
        ("“stop!” he said.", ["“stop!” he said."]),
        ("no end", ["no end"]),
    ],
)
def test_sentences_end_in_every_script(text: str, sentences: list[str]) -> None:
    assert list(sentences_of(text)) == sentences


@pytest.mark.parametrize(
    ("language", "text", "sentences"),
    [
        ("de", "Am 3. Oktober. Er kam.", ["Am 3. Oktober.", "Er kam."]),
        ("en", "He is 3. He is small.", ["He is 3.", "He is small."]),
        ("en", "No. I won't.", ["No.", "I won't."]),
        ("en", "See No. 5 now.", ["See No. 5 now."]),
        ("de-AT", "Das ist ca. Hundert. Ja.", ["Das ist ca. Hundert.", "Ja."]),
        ("ru", "Это стоит 5 руб. Дорого.", ["Это стоит 5 руб. Дорого."]),
        ("el", "Τι κάνεις; Καλά.", ["Τι κάνεις;", "Καλά."]),
        ("", "  Ah.\n\nWho?  ", ["Ah.", "Who?"]),
        ("", " \n", []),
        ("", " - Ah. – Who? -4 - ", ["Ah.", "Who?", "-4 -"]),
        ("", "1) Ah. (b) Who? (Ah) 1.5) who?", ["Ah.", "Who?", "(Ah) 1.5) who?"]),
        ("en", "12. mix the eggs. 1.5 spoons", ["mix the eggs.", "1.5 spoons"]),
        ("de", "1. mai 2020", ["1. mai 2020"]),  # an ordinal number
    ],
)
def test_the_language_decides_what_a_full_stop_is(
    language: str, text: str, sentences: list[str]
) -> None:
    assert [text[start:end] for start, end in sentence_spans(text, language)] == sentences


@pytest.mark.parametrize(
    "mark", [".", "…", "?", "。", "｡", "！", "؟", "۔", "।", "‽", "።", "။", "։"]
)
def test_a_mark_ends_a_text_also_inside_quotes(mark: str) -> None:
    assert is_ended(f"abc{mark}")
    assert is_ended(f'"abc{mark}" ')
    assert not is_ended(f"abc{mark} d")


def test_questions_and_exclamations_are_told_apart() -> None:
    assert is_question("Who؟") and is_question("誰？」") and not is_question("Oh!")
    assert (
        is_question_or_exclamation("Oh!")
        and is_question_or_exclamation("Who?")
        and not is_question_or_exclamation("Oh.")
    )


@pytest.mark.parametrize("text", ["a. a" * 250_000, "." * 1_000_000 + "a", '."' * 500_000 + "a"])
def test_a_text_of_a_million_characters_takes_no_long(text: str) -> None:
    start = process_time()
    assert "".join(sentences_of(text)).replace(" ", "") == text.replace(" ", "")
    assert process_time() - start < 3
