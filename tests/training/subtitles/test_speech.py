from __future__ import annotations

from time import process_time

import pytest

from training.files.records import Cue
from training.subtitles.labels import labels_of
from training.subtitles.speech import Speech, is_advert, join_texts, speeches_of


def speeches(text: str, speaker: str = "") -> list[Speech]:
    return list(speeches_of(Cue(0, 1000, text, 1, speaker)))


@pytest.mark.parametrize(
    "text",
    [
        "[door slams]\nI am\nhere.",
        "(SIGHS) I am here.",
        "(O.S.) I am here.",
        "I am (chuckles)\nhere.",
        "[a door\nslams] I am here.",
        "（ため息）I am here.",
        "(हँसी) I am here.",
        "♪ la la\nla la ♪\nI am here.",
        "I am here.\n♪ la la la",
        "# la la la #\nI am here.",
        "? la la la ?\nI am here.",
        "* la la la *\nI am here.",
    ],
)
def test_notes_and_songs_are_not_said(text: str) -> None:
    assert speeches(text) == [Speech("I am here.", False, "")]


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("良い", "天気ですね。", "良い天気ですね。"),
        ("もしもし。", "佐藤です", "もしもし。佐藤です"),
        ("我是王明，", "你呢", "我是王明，你呢"),
        ("行きましょう", "時間がない", "行きましょう 時間がない"),
        ("iPhoneと", "Androidです。", "iPhoneと Androidです。"),
        ("나는 어제", "잤다.", "나는 어제 잤다."),
    ],
)
def test_lines_of_japanese_are_joined_without_a_space(first: str, second: str, joined: str) -> None:
    assert join_texts(first, second) == joined


@pytest.mark.parametrize(
    "text",
    ["(SIGHS)", "[music]", "♪ la la ♪", "...", "-", "?!", "(?)", "ANNA:", "- (laughs)\n- [sobs]"],
)
def test_a_cue_without_a_word_says_nothing(text: str) -> None:
    assert speeches(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "- Who is it?\n- It is\nme.",
        "-Who is it?\n-It is me.",
        "– Who is it?\n– It is me.",
        "- Who is it? - It is me.",
        "<< Who is it?\n>> It is me.".replace("<<", ">>"),
        ">> Who is it? >> It is me.",
        "-Who is it?-It is me.",
        *(f"{dash} Who is it?\n{dash}It is me." for dash in "‐‑‒–—―−﹘﹣－"),
    ],
)
def test_dashes_part_two_speakers(text: str) -> None:
    assert speeches(text) == [Speech("Who is it?", True, ""), Speech("It is me.", True, "")]


@pytest.mark.parametrize("text", ["Who is it? -It is me.", "Who is it?\n- It is me."])
def test_only_the_second_speaker_may_have_a_dash(text: str) -> None:
    assert speeches(text) == [Speech("Who is it?", False, ""), Speech("It is me.", True, "")]


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("- ¿Vienes? - ¡No, me quedo!", "¿Vienes?", "¡No, me quedo!"),
        ("-¿Vienes? -¿Adónde?", "¿Vienes?", "¿Adónde?"),
        ("-Sí. -¿De verdad?", "Sí.", "¿De verdad?"),
        ('–"Who?" –"Me."', '"Who?"', '"Me."'),
        ("— «Кто?» — «Я.»", "«Кто?»", "«Я.»"),
        ("-Who? -…me.", "Who?", "…me."),
        ("- (low) Who? - (loud) Me.", "Who?", "Me."),
        ("- Who? - [sighs] Me.", "Who?", "Me."),
        ("－誰？－私。", "誰？", "私。"),
        ("-谁？ -我。", "谁？", "我。"),
        ("- कौन है? - मैं हूँ।", "कौन है?", "मैं हूँ।"),
        ("- वह गया। - कहाँ?", "वह गया।", "कहाँ?"),
    ],
)
def test_a_dash_within_a_line_may_precede_whatever_begins_a_sentence(
    text: str, first: str, second: str
) -> None:
    assert speeches(text) == [Speech(first, True, ""), Speech(second, True, "")]


@pytest.mark.parametrize(
    "text",
    ["-20 degrees.", "\u221220 degrees.", "The answer is\n-1/3 or so.", "It is cold. \u22125!"],
)
def test_a_minus_is_no_dash(text: str) -> None:
    assert speeches(text) == [Speech(text.replace("\n", " "), False, "")]


@pytest.mark.parametrize("text", ["-20 euros.\n-Never!", "- 20 euros.\n- Never!"])
def test_a_dash_before_a_number_has_another_in_its_cue(text: str) -> None:
    assert speeches(text) == [Speech("20 euros.", True, ""), Speech("Never!", True, "")]


def test_a_minus_behind_a_dash_stays() -> None:
    assert speeches("- How cold?\n- \u22125. \u22126!") == [
        Speech("How cold?", True, ""),
        Speech("\u22125. \u22126!", True, ""),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "I am twenty-one - or so.",
        "Well - no.",
        "It is 5-10 degrees",
        "I - I don't know.",
        "A well-known man.",
        "Colder still. -5, to be exact.",
        "We need freedom. - Georg Cantor",
        "这是——我不知道。",
    ],
)
def test_other_dashes_are_text(text: str) -> None:
    assert speeches(text) == [Speech(text, False, "")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ANNA: Hi.", "ANNA"),
        ("ANNA:\nHi.", "ANNA"),
        ("MAN 2: Hi.", "MAN 2"),
        ("DR. O'NEIL: Hi.", "DR. O'NEIL"),
        ("Mrs. Smith: Hi.", "Mrs. Smith"),
        ("- Anna: Hi.", "Anna"),
        ("(on radio) ANNA: Hi.", "ANNA"),
        ("АННА: Hi.", "АННА"),
    ],
)
def test_names_before_a_colon_are_speakers(text: str, name: str) -> None:
    assert speeches(text) == [Speech("Hi.", True, name)]


@pytest.mark.parametrize(
    "text",
    [
        "Here is the thing: no.",
        "Listen: no.",
        "It is 10:30 now.",
        "Zum Beispiel:",
        "It is at (2, x).",
        "I saw Diary of a\nWimpy Kid: The Long Haul.",
    ],
)
def test_other_words_before_a_colon_are_said(text: str) -> None:
    assert speeches(text) == [Speech(text.replace("\n", " "), False, "")]


@pytest.mark.parametrize("text", ["- I - I am well-known.", "-The U.S.-China talks."])
def test_a_pause_or_a_compound_behind_a_dash_is_text(text: str) -> None:
    assert speeches(text) == [Speech(text[1:].strip(), True, "")]


def test_how_a_word_is_read_is_not_said() -> None:
    assert speeches("海（うみ）へ行(い)く？") == [Speech("海へ行く？", False, "")]


def test_two_names_are_two_speakers() -> None:
    assert speeches("ANNA: Hi.\nBOB: Oh.\nYou.") == [
        Speech("Hi.", True, "ANNA"),
        Speech("Oh. You.", True, "BOB"),
    ]


def test_the_speaker_of_the_cue_is_known() -> None:
    assert speeches("Hi.\nBOB: Oh.", "Ann") == [
        Speech("Hi.", False, "Ann"),
        Speech("Oh.", True, "BOB"),
    ]


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ("half-", "blood", "half-blood"),
        ("cry--", "it", "cry--it"),
        ("so", "it", "so it"),
        ("so -", "it", "so - it"),
    ],
)
def test_a_parted_word_is_whole_again(first: str, second: str, text: str) -> None:
    assert join_texts(first, second) == text


@pytest.mark.parametrize(
    "text",
    [
        "Downloaded from www.example.org",
        "Subtitles by nobody",
        "Sync and corrections by somebody",
        "-- sync, corrected by somebody --",
        "Translated by: X",
        "Captioning sponsored by\nCBS",
        "Advertise your product or brand here",
        "Directed by\nJohn Ford",
        "Untertitel von Anna",
        "Sous-titres : Anne",
        "Субтитры: Анна",
        "翻译：小王",
        "Addic7ed",
        "Open Subtitles",
        "OpenSubtitles presents",
        "addic7ed.com",
        "Write to me: someone@example.org",
        "Watch any video online with Open-SUBTITLES\nFree Browser extension",
        "Subtítulos realizados por la comunidad de Amara.org",
        "Untertitel im Auftrag des ZDF, 2018",
        "Субтитры сделал DimaTorzok",
        "Traduzido por Zé",
        "字幕：Zither Harp",
        "sprite.jpg#xywh=160,0,160,90",
    ],
)
def test_credits_and_adverts_are_known(text: str) -> None:
    assert is_advert(text)


@pytest.mark.parametrize(
    "text",
    [
        "Who directed it?",
        "I was transcribing all night.",
        "The film has no subtitles.",
        "I bought it at amazon.com, you know.",
        "He translated it for me.",
        "Time goes by.",
        "Translation: he is late.",
    ],
)
def test_what_people_say_is_no_advert(text: str) -> None:
    assert not is_advert(text)


@pytest.mark.parametrize(
    "text",
    [
        "subs" + "anda" * 12_000,
        "subs," + "a," * 20_000,
        "subs," * 10_000,
        "[" * 50_000,
        "（" * 50_000,
        "(" * 50_000,
        "(" + "1 " * 25_000,
        "(" + "a" * 50_000,
        "♪ " * 20_000,
        "A" * 50_000,
        "-" * 50_000,
        "\n" * 50_000 + "a",
        "-\n" * 25_000,
        "?\n" * 25_000,
        "# \n" * 15_000,
        " " * 50_000 + "a",
        "- ." * 20_000,
        ". -" * 20_000,
        "- a. " + "[A" * 25_000,
        "a: " * 20_000,
        "A. B" * 15_000 + ":",
        "：" * 50_000,
        "海（" * 25_000,
    ],
    ids=lambda text: repr(text[:8]),
)
def test_no_text_takes_long(text: str) -> None:
    start = process_time()
    assert not is_advert(text)
    assert len(speeches(text)) <= 20_000
    assert (
        process_time() - start < 2
    )  # a few tenths at most; many seconds where it grows by the square


@pytest.mark.parametrize(
    "piece",
    [" ", "- ", ">> ", "a: ", ". A", "?-a", "[a", "（", "海(う", "A. B: ", "\u300d", "\x02"],
)
def test_a_line_of_200_000_characters_takes_no_long(piece: str) -> None:
    line = "- " + piece * (200_000 // len(piece)) + "x"
    labels = labels_of([Cue(0, 1, line, 1)])
    start = process_time()
    list(speeches_of(Cue(0, 1, line, 1), labels))
    assert process_time() - start < 5


def test_a_cue_of_many_lines_takes_no_long() -> None:
    start = process_time()
    [speech] = speeches("a\n" * 20_000)
    assert speech.text == " ".join("a" * 20_000)
    assert process_time() - start < 2
