from __future__ import annotations

from pathlib import Path

import pytest

from model.generator import Generator
from model.lines import answer_lines, translate_lines
from model.translation_memory import TranslationMemory

FIRST, SECOND, THIRD = "I am tired.", "Where are you?", "She has two brothers."


@pytest.fixture(scope="module")
def generator() -> Generator:
    """A translator without its memory."""
    whole = Generator.load(Path(__file__).parents[2] / "models" / "en-de")
    return Generator(whole.config, whole.tokenizer, whole.engine)


@pytest.mark.parametrize("window", [1, 2, 4096])
def test_each_sentence_of_a_line_is_translated(generator: Generator, window: int) -> None:
    template = generator.template()
    one, two, three = answer_lines(generator, [FIRST, SECOND, THIRD], template)
    lines = [
        f"{FIRST} {SECOND}",
        "",
        THIRD,
        f" {SECOND}  {FIRST} {THIRD} ",
        f" - {FIRST} – {SECOND}",
    ]
    found = [*translate_lines(generator, lines, template, window=window)]
    assert found == [f"{one} {two}", "", three, f"{two}  {one} {three}", f"- {one} – {two}"]


def test_a_sentence_without_letters_is_no_source(generator: Generator) -> None:
    (one,) = answer_lines(generator, [FIRST], generator.template())
    lines = ["---", " ♪ 10:30 \U0001f600", "  ", f"... {FIRST} ?!"]
    found = translate_lines(generator, lines, generator.template())
    assert [*found] == ["---", "♪ 10:30 \U0001f600", "", f"... {one} ?!"]


def test_a_line_with_a_sentence_that_is_too_long_is_named(generator: Generator) -> None:
    long = "word " * 200 + "."
    lines = [f"{FIRST} {SECOND}", f"{FIRST} {long} {SECOND} {long}", THIRD, long]
    truncated: list[int] = []
    found = translate_lines(generator, lines, generator.template(), truncated=truncated)
    assert len([*found]) == 4
    assert truncated == [2, 4]


def test_a_tab_ends_the_context_of_a_sentence(generator: Generator) -> None:
    line, template = f"{FIRST} {SECOND}\t{THIRD}", generator.template()
    (whole,) = answer_lines(generator, [line], template)
    assert [*translate_lines(generator, [line], template)] == [whole]


def test_the_translation_of_a_sentence_has_its_form(generator: Generator) -> None:
    template = generator.template()
    (whole,) = answer_lines(generator, [FIRST], template)
    lines = [FIRST.upper(), f"{SECOND} {FIRST.upper()}"]
    capitals, both = translate_lines(generator, lines, template)
    assert capitals == whole.upper()
    assert both.endswith(f" {whole.upper()}")
    (unended,) = translate_lines(generator, [FIRST.removesuffix(".")], template)
    assert not unended.endswith(".")


def test_a_sentence_of_the_memory_is_not_searched(generator: Generator) -> None:
    template = generator.template()
    memory = TranslationMemory([("I am tired", "Ich bin so müde"), ("a b", "A B")])
    knowing = Generator(
        generator.config, generator.tokenizer, generator.engine, translation_memory=memory
    )
    (two,) = answer_lines(generator, [SECOND], template)
    lines = [f"I’M TIRED. {FIRST.upper()}", f"{FIRST} {SECOND}", "a\tb"]
    one, both, tabs = translate_lines(knowing, lines, template)
    assert one.endswith("ICH BIN SO MÜDE.")
    assert both == f"Ich bin so müde. {two}"
    assert tabs != "A B"
    assert next(answer_lines(knowing, [FIRST], template)) != "Ich bin so müde."


def test_a_short_text_without_an_end_mark_is_read_with_each(generator: Generator) -> None:
    lines = ["how are you", "good morning", "Hello", "no", "dog", "OK"]
    found = [*translate_lines(generator, lines, generator.template())]
    assert [text.casefold() for text in found] == [
        *("wie geht es dir", "guten morgen", "hallo", "nein", "hund", "okay")
    ]
