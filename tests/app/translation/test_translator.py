"""What a model reads of a text, and how much of it at a time."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from app.decoding.served_model import ServedModel
from app.errors import Overloaded
from app.settings import Settings
from app.translation import translator
from app.translation.layout import Translation
from app.translation.left_out import LeftOut
from app.translation.parts import Part, Tag
from app.translation.reading import SourceReader
from app.translation.translator import Translated, Translator
from app.translation.words import Span
from model.config import ModelConfig, NetworkConfig, SearchOptions
from model.search.requests import Hypothesis, SearchRequest
from model.text.normalise import straighten_quotes
from model.tokenizer import UNK_ID, Tokenizer
from model.translation_memory import TranslationMemory
from tests.app.fakes import word_tokenizer


class EchoClient:
    """Answers with the source, keeps what it has read, and counts the requests that are open at a
    time."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.read = list[str]()
        self.open = self.most_open = 0

    def capacity(self, request: SearchRequest) -> int:
        return 1 if request.required else 40

    async def submit(self, request: SearchRequest, **options: Any) -> tuple[Hypothesis, ...]:
        self.read.append(self.tokenizer.target_text(request.source_ids))
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        await asyncio.sleep(0.01)
        self.open -= 1
        attention = np.eye(len(request.source_ids), dtype=np.float32)
        tokens = tuple(request.source_ids[:-1])
        return (Hypothesis(tokens, 0.0, 0.0, "stop", attention_weights=attention),)


@pytest.mark.parametrize(
    "text",
    [
        "one 😀 " * 60,
        "one {x} " * 20,
        "one ⟦two⟧ " * 6,
        "one two three " * 20,
        "".join(f"one ⟦two {number}⟧. " for number in range(20)),
    ],
)
def test_the_pieces_of_a_sentence_are_translated_together(text: str) -> None:
    client = EchoClient(word_tokenizer())
    assert translate(text, client) == text
    assert client.most_open == 4  # half of 16 rows, with beams of 2


def test_a_sentence_that_occurs_again_is_translated_once() -> None:
    client = EchoClient(word_tokenizer())
    text = "One. (25. Two three) One." * 300
    assert translate(text, client) == text
    assert len(client.read) < 12


def test_a_sentence_in_another_context_is_translated_again() -> None:
    client = EchoClient(word_tokenizer(context_turns=2))
    translate("One. Two. One. Two.", client)
    assert client.read == ["One.", "One. Two.", "Two. One."]


def test_a_sentence_is_read_after_the_readable_text_of_those_before_it() -> None:
    client = EchoClient(word_tokenizer(context_turns=2))
    translate("One дом 😀 “two”. Three.", client)
    assert client.read == ['One 475 "two".', 'One "two". Three.']


def test_a_mark_without_a_space_after_it_is_read_with_one() -> None:
    client = EchoClient(word_tokenizer())
    translate("One two,three four!one two.", client)
    assert client.read == ["One two, three four! one two."]


def test_abbreviations_are_read_in_full() -> None:
    client = EchoClient(word_tokenizer())
    translate("Two, e. g. red.", client)
    translate("Dogs, etc.", client)
    translate("DOGS, E.G. RED.", client)
    translate("Go, No. 25 is red. No. I.e. two.", client)
    assert client.read == [
        "Two, for example red.",
        "Dogs, and so on.",
        "Dogs, for example red.",
        "Go, number 25 is red.",
        "No.",
        "That is two.",
    ]


def test_a_tag_stays_at_its_word_after_an_abbreviation() -> None:
    text = "Two, e. g. red dogs."
    tags = Tag(11, "<b>", "open", "b"), Tag(14, "</b>", "close", "b")
    found = translated(Part(text, tags), EchoClient(word_tokenizer()))
    assert found.best[0].serialize(str) == "Two, for example <b>red</b> dogs."


def test_capitals_are_read_in_lower_case_and_written_again() -> None:
    client = EchoClient(word_tokenizer())
    text = "ONE TWO 😀 THREE http://one.two/x. One. ONE {two}"
    assert translate(text, client) == text
    assert client.read == ["One two three 475.", "One.", "One 475"]


def test_abbreviations_that_are_no_words_are_kept() -> None:
    class LowerCaseClient(EchoClient):
        async def submit(self, request: SearchRequest, **options: Any) -> tuple[Hypothesis, ...]:
            (echo,) = await super().submit(request, **options)
            text = self.tokenizer.target_text(echo.tokens)
            tokens = self.tokenizer.source_ids(text if "475" in text else text.lower())
            return (replace(echo, tokens=tuple(tokens[:-1])),)

    client = LowerCaseClient(word_tokenizer())
    memory = TranslationMemory([("ruby", "Rubin")])
    assert translate("One PDF is TWO.", client, memory) == "One PDF is TWO."
    assert client.read == ["One PDF is TWO.", "One 475 is TWO."]
    assert translate("RUBY and USB-C two.", client, memory) == "RUBY and USB-C two."
    assert translate("PDF", client, memory) == "PDF"
    assert translate("HTML", client, memory) == "HTML"
    assert translate("One U.S. two.", client, memory) == "One U.S. two."
    assert translate("Two U.S.", client, memory) == "Two U.S."
    assert translate("One TWO RUBY.", client, memory) == "One two ruby."
    assert translate("One PDF-Two.", client, memory) == "One PDF Two."
    assert translate("One II two XIV.", client, memory) == "One ii two xiv."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PDF", [(0, 3)]),
        ("HTML", [(0, 4)]),
        ("RUBYS", []),
        ("TWO PDF", []),
        ("a RUBYS", [(2, 7)]),
        ("U.S. or I.E. two", [(0, 4)]),
    ],
)
def test_a_text_in_capitals_is_an_abbreviation_if_short_or_without_vowels(
    text: str, expected: list[Span]
) -> None:
    reader = SourceReader(word_tokenizer(), Settings(), None, "en")
    assert reader.abbreviations(text) == expected


def test_a_short_text_without_an_end_mark_has_its_likeliest_translation() -> None:
    class QuestionClient(EchoClient):
        async def submit(self, request: SearchRequest, **options: Any) -> tuple[Hypothesis, ...]:
            (echo,) = await super().submit(request, **options)
            is_question = self.tokenizer.target_text(echo.tokens).endswith("?")
            tokens = echo.tokens[1:] if is_question else echo.tokens[:1]
            return (replace(echo, tokens=tokens, score=float(is_question)),)

    client = QuestionClient(word_tokenizer())
    assert translate("one two", client) == "two"
    assert sorted(client.read) == ["one two", "one two.", "one two?"]


class LossyClient(EchoClient):
    """Loses the separators of numbers, and refuses a search that needs more room than there is."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        self.open_required = 0

    async def submit(self, request: SearchRequest, **options: Any) -> tuple[Hypothesis, ...]:
        if request.required and self.open_required == self.capacity(request):
            raise Overloaded("the queue is full")
        self.open_required += bool(request.required)
        await super().submit(request, **options)
        self.open_required -= bool(request.required)
        text = self.tokenizer.target_text(request.source_ids)
        tokens = tuple(self.tokenizer.target_ids(re.sub(r"(?<=\d)\.(?=\d)", "", text)))
        return (Hypothesis(tokens, 0.0, 0.0, "stop"),)


def test_a_number_that_loses_its_separator_gets_a_stand_in() -> None:
    client = LossyClient(word_tokenizer())
    assert translate("One 20.50 two 10.", client) == "One 20.50 two 10."
    assert client.read == ["One 20.50 two 10.", "One 475 two 10."]


def test_a_text_is_not_refused_because_of_its_own_searches() -> None:
    text = " ".join(f"One {number}.50 two." for number in range(10, 40))
    assert translate(text, LossyClient(word_tokenizer())) == text


@pytest.mark.parametrize("nothing", ["", ".", "?!"])
def test_a_sentence_stays_if_its_translation_has_no_words(nothing: str) -> None:
    class SilentClient(EchoClient):
        async def submit(self, request: SearchRequest, **options: Any) -> tuple[Hypothesis, ...]:
            return (Hypothesis(tuple(self.tokenizer.target_ids(nothing)), 0.0, 0.0, "stop"),)

    for text in ("One 😀 two", "One..."):
        assert translate(text, SilentClient(word_tokenizer())) == text


@pytest.mark.parametrize(
    ("max_tokens", "halves"), [(25, ["one two" + " one two" * 2] * 2), (26, [])]
)
def test_a_sentence_is_divided_if_its_translation_is_cut_but_not_if_that_repeats_itself(
    max_tokens: int, halves: list[str]
) -> None:
    class CutClient(EchoClient):
        async def submit(self, request: SearchRequest, **options: Any) -> tuple[Hypothesis, ...]:
            await super().submit(request, **options)
            tokens = (request.source_ids[0],) * max_tokens
            return (Hypothesis(tokens, 0.0, 0.0, "length"),)

    client = CutClient(word_tokenizer())
    text = "one two" + " one two" * 5
    translate(text, client)
    assert client.read == [text, *halves]


@pytest.mark.parametrize(("text", "is_long"), [("one 😀 ", False), ("one " + "😀 " * 200, True)])
def test_the_event_loop_is_free_while_a_long_sentence_is_restored(
    text: str, is_long: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = list[threading.Thread]()

    def put_back(left_out: LeftOut, translation: Translation) -> Translation:
        threads.append(threading.current_thread())
        return original(left_out, translation)

    original = LeftOut.put_back
    monkeypatch.setattr(LeftOut, "put_back", put_back)
    translate(text, EchoClient(word_tokenizer()))
    [thread] = threads
    assert (thread is not threading.main_thread()) == is_long


def test_a_very_long_sentence_is_not_divided_into_all_its_pieces_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class CountingClient(EchoClient):
        most_tasks = 0

        async def submit(self, request: SearchRequest, **options: Any) -> tuple[Hypothesis, ...]:
            self.most_tasks = max(self.most_tasks, len(asyncio.all_tasks()))
            return await super().submit(request, **options)

    monkeypatch.setattr(translator, "_MAX_TREE_CHARACTERS", 200)
    client, text = CountingClient(word_tokenizer()), "one {x} " * 200
    assert translate(text, client) == text
    assert client.most_tasks < 25 < len(client.read)


@pytest.mark.parametrize("work", ["lay_out", "concatenate", "join"])
def test_the_event_loop_is_free_while_a_long_text_is_put_together(
    work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_loop, in_threads = [0], [0]
    original = getattr(translator, work)

    def watched(pieces: Sequence[Any], *others: Any) -> Any:
        size = sum(len(getattr(piece, "text", piece)) for piece in pieces)
        is_on_loop = threading.current_thread() is threading.main_thread()
        (on_loop if is_on_loop else in_threads).append(size)
        return original(pieces, *others)

    monkeypatch.setattr(translator, work, watched)
    translate("one ⟦two⟧ " + "one " * 700, EchoClient(word_tokenizer()))
    assert max(on_loop) <= 250 < max(in_threads)


def test_a_sentence_of_the_memory_needs_no_search() -> None:
    client = EchoClient(word_tokenizer())
    memory = TranslationMemory([("one two", "zwei eins"), ("three", "drei")])
    text = "One two. Three? {one} ⟦three⟧ one two"
    assert translate(text, client, memory) == "Zwei eins. Drei? {one} ⟦drei⟧ zwei eins"
    assert not client.read


@pytest.mark.parametrize(
    "marks", ["→ {}", "**{}**", "{{one}}{}?", "• 😀 {}…", "'{}'", "one@two.de {}"]
)
def test_the_memory_has_the_words_between_marks_and_fixed_parts(marks: str) -> None:
    client = EchoClient(word_tokenizer())
    memory = TranslationMemory([("one two", "zwei eins")])
    assert translate(marks.format("One two"), client, memory) == marks.format("Zwei eins")
    assert translate("$one `one two`", client, memory) == "$one `one two`"
    assert not client.read


@pytest.mark.parametrize("quotes", ['""', "''", "“”", "‘’", "«»"])
@pytest.mark.parametrize("loses_quotes", [False, True])
def test_quotes_that_the_memory_has_are_translated_by_it(quotes: str, loses_quotes: bool) -> None:
    class QuoteClient(EchoClient):
        async def submit(self, request: SearchRequest, **options: Any) -> tuple[Hypothesis, ...]:
            (echo,) = await super().submit(request, **options)
            text = self.tokenizer.target_text(echo.tokens)
            lossy = re.sub("[\"']", "", text) if loses_quotes else text
            return (replace(echo, tokens=tuple(self.tokenizer.source_ids(lossy)[:-1])),)

    client = QuoteClient(word_tokenizer())
    memory = TranslationMemory([("two", "zwei")])
    marks = quotes if loses_quotes else straighten_quotes(quotes).translate({171: 34, 187: 34})
    found = translate(f"One {quotes[0]}two{quotes[1]} three.", client, memory)
    assert found == f"One {marks[0]}zwei{marks[1]} three."
    assert translate('"two" / "two!"', client, memory) == '"zwei" / "zwei!"'


def test_alternatives_to_the_translation_of_the_memory_are_searched() -> None:
    client = EchoClient(word_tokenizer())
    memory = TranslationMemory([("one", "eins")])
    found = translated(Part("one"), client, memory, alternatives=1)
    assert [ranked[0].text for ranked in found.ranked] == ["eins", "one"]


def test_tags_between_words_need_the_links_of_a_search() -> None:
    client = EchoClient(word_tokenizer())
    memory = TranslationMemory([("one two", "zwei eins drei"), ("two one", "eins zwei")])

    def tagged(text: str, start: int, end: int) -> str:
        tags = Tag(start, "<b>", "open", "b"), Tag(end, "</b>", "close", "b")
        return translated(Part(text, tags), client, memory).best[0].serialize(str)

    assert tagged("one two", 0, 7) == "<b>zwei eins drei</b>"
    assert tagged("two one", 0, 3) == "<b>eins</b> zwei"  # word for word
    assert not client.read
    assert tagged("one two", 0, 3) == "<b>one</b> two"

    comment = Tag(3, "<!-- -->", "empty", "!--")
    known = translated(Part("one two", (comment,)), EchoClient(word_tokenizer()), memory)
    assert known.best[0].text == "zwei eins drei"


def test_a_word_of_which_the_model_writes_only_a_part_of_a_letter_is_kept() -> None:
    class CuttingClient(EchoClient):
        async def submit(self, request: SearchRequest, **options: Any) -> tuple[Hypothesis, ...]:
            (echo,) = await super().submit(request, **options)
            _, half = self.tokenizer.target_ids("\N{REPLACEMENT CHARACTER}")
            return (replace(echo, tokens=tuple(half if i == UNK_ID else i for i in echo.tokens)),)

    client = CuttingClient(word_tokenizer())
    assert translate("One naïve two.", client) == "One naïve two."
    assert client.read == ["One nave two.", "One 475 two."]


def test_a_sentence_is_translated_without_its_asides_which_return_to_it() -> None:
    client = EchoClient(word_tokenizer())
    memory = TranslationMemory([("three", "drei")])
    assert translate("One (Three) two (three).", client, memory) == "One (Drei) two (drei)."
    assert client.read == ["One two."]
    client.read.clear()
    assert translate("One/Three two/three.", client, memory) == "One/Drei two/drei."
    assert client.read == ["One two."]
    tags = Tag(0, "<b>", "open", "b"), Tag(3, "</b>", "close", "b")
    found = translated(Part("one (three two) two one", tags), client, memory)
    assert found.best[0].serialize(str) == "<b>one</b> (three two) two one"
    for text in ("one two(s) {x} (1)", "(one two)", "One :(", "one (two) " * 20):
        assert translate(text, EchoClient(word_tokenizer())) == text


def test_a_translation_of_the_memory_has_no_blocked_words() -> None:
    client = EchoClient(word_tokenizer())
    memory = TranslationMemory([("one two", "two three"), ("three", "drei")])
    options = SearchOptions(beam_size=2, blocked_words=("Two",))
    found = translated(Part("one two. Three."), client, memory, options=options)
    assert found.best[0].text == "one two. Drei."


def translate(text: str, client: EchoClient, memory: TranslationMemory | None = None) -> str:
    return translated(Part(text), client, memory).best[0].text


def translated(
    part: Part,
    client: EchoClient,
    memory: TranslationMemory | None = None,
    *,
    alternatives: int = 0,
    options: SearchOptions | None = None,
) -> Translated:
    tokenizer = client.tokenizer
    size = tokenizer.source_vocab_size
    config = ModelConfig(
        name="echo",
        task="translate",
        languages=("en", "de"),
        network=NetworkConfig(source_vocab_size=size, target_vocab_size=size),
        text=tokenizer.text,
        search=options or SearchOptions(beam_size=2),
    )
    model = ServedModel(config, tokenizer, cast("Any", client), translation_memory=memory)
    settings = Settings(max_rows=16, max_beam_size=4)
    own = Translator(model, settings, source="en")
    return asyncio.run(own.translate([[part]], alternatives=alternatives))
