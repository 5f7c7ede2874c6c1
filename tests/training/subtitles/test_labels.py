from __future__ import annotations

import pytest

from training.files.records import Cue
from training.subtitles.turns import scenes_of

PLAIN = "And this is a plain sentence."


def said(*texts: str) -> list[tuple[str, str]]:
    """Speakers and texts of the turns of a file, whose cues have long pauses between them."""
    cues = [Cue(2500 * place, 2500 * place + 2000, text, place) for place, text in enumerate(texts)]
    return [(turn.speaker, turn.text) for scene in scenes_of(cues) for turn in scene]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("MAN #1: Hi.", "MAN #1"),
        ("TOM & ANN: Hi.", "TOM & ANN"),
        ("TOM/ANN: Hi.", "TOM/ANN"),
        ("TOM, ANN: Hi.", "TOM, ANN"),
        ("Tom & Ann: Hi.", "Tom & Ann"),
        ("911 OPERATOR: Hi.", "911 OPERATOR"),
        ("[MAN]: Hi.", "MAN"),
        ("(MASTER): Hi.", "MASTER"),
        ("[Old man] : Hi.", "Old man"),
        ("- [MAN]: Hi.", "MAN"),
        (">> ANNA: Hi.", "ANNA"),
        ("ANNA\u00a0: Hi.", "ANNA"),
        ("АННА: Hi.", "АННА"),
    ],
)
def test_labels_tell_who_speaks(text: str, name: str) -> None:
    assert said(text, PLAIN) == [(name, "Hi."), ("", PLAIN)]


@pytest.mark.parametrize(
    ("text", "before", "name"),
    [
        ("Okay. LENA: Hello!", "Okay.", "LENA"),
        ("Okay! DR. HALL: Hello!", "Okay!", "DR. HALL"),
        ("I try! (MASTER): Hello!", "I try!", "MASTER"),
        ("I try! [MAN #2]: Hello!", "I try!", "MAN #2"),
    ],
)
def test_a_label_behind_a_sentence_begins_a_turn(text: str, before: str, name: str) -> None:
    assert said(text, PLAIN) == [("", before), (name, "Hello!"), ("", PLAIN)]


@pytest.mark.parametrize(
    "text",
    [
        "Cause of death: drowning.",
        "Rule: never run.",
        "Rule #2: never run.",
        "Golden Rule: never run.",
        "Step 3: add the milk.",
        "Schritt 3: Milch dazu.",
        "C'est-à-dire : jamais.",
        "It is 10:42 pm.",
        "10:42: he leaves.",
        "Remember this: never run.",
        "We have one rule: never run.",
        "Tom, Ann: come here!",
        "I said no. And then: nothing.",
        "The ratio is 3:1 now.",
        "He was told: RUN: they come.",
    ],
)
def test_sentences_with_a_colon_stay_whole(text: str) -> None:
    assert said(text, PLAIN) == [("", text), ("", PLAIN)]


def test_a_label_in_brackets_begins_a_turn_wherever_its_line_begins() -> None:
    assert said("[Tom]: So I\n[Ann]: No", "[Tom]:", PLAIN) == [
        ("Tom", "So I"),
        ("Ann", "No"),
        ("", PLAIN),
    ]


def test_a_numbered_label_without_capitals_comes_again() -> None:
    assert said("Man 1: Who?", "Man 2: Me.", "Man 1: Oh.", "Man 2: Yes.")[:2] == [
        ("Man 1", "Who?"),
        ("Man 2", "Me."),
    ]


def test_capitals_tell_no_name_where_all_is_in_capitals() -> None:
    texts = ["WE HAVE ONE PROBLEM: IT IS GONE.", "THE QUESTION IS: WHO GOES?", "I GO FIRST."]
    assert said(*texts) == [("", text) for text in texts]


def test_in_a_file_in_capitals_labels_come_again_or_follow_arrows() -> None:
    texts = ["MAN: WHO IS IT?", ">> DR. HALL: ME.", "MAN: OH.", "THE QUESTION IS: WHY?"]
    assert said(*texts) == [
        ("MAN", "WHO IS IT?"),
        ("DR. HALL", "ME."),
        ("MAN", "OH."),
        ("", "THE QUESTION IS: WHY?"),
    ]


def test_names_in_japanese_brackets_speak_and_notes_do_not() -> None:
    texts = ["（山本）もしもし。\n（ゆかり）はい、どなた？", "（ゆかり）え？", "（足音）だれ？"]
    assert said(*texts, "（ため息）いや。", "（犬がほえる）うるさい。", "（拍手）") == [
        ("山本", "もしもし。"),
        ("ゆかり", "はい、どなた？"),
        ("ゆかり", "え？"),
        ("", "だれ？"),
        ("", "いや。"),
        ("", "うるさい。"),
    ]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("小红：你好。", "小刚：早上好。"), [("小红", "你好。"), ("小刚", "早上好。")]),
        (
            ("小红:你好。小刚:早！", "小刚:再见。"),
            [("小红", "你好。"), ("小刚", "早！"), ("小刚", "再见。")],
        ),
        (("سلمى: من هناك؟", "كريم: أنا."), [("سلمى", "من هناك؟"), ("كريم", "أنا.")]),
        (("सीमा: कौन है?", "मोहिनी: मैं हूँ।"), [("सीमा", "कौन है?"), ("मोहिनी", "मैं हूँ।")]),
        (("דנה: מי שם?", "רון: אני."), [("דנה", "מי שם?"), ("רון", "אני.")]),
    ],
)
def test_labels_in_scripts_without_capitals(
    texts: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    assert said(*texts) == expected


def test_what_is_said_before_a_colon_stays_in_scripts_without_capitals() -> None:
    texts = [
        "他说：不要走。",
        "问题是：谁去？",
        "他说：好。",
        "现在是3：30。",
        "السؤال: من؟",
        "قال: لا.",
    ]
    assert said(*texts) == [("", text) for text in texts]
