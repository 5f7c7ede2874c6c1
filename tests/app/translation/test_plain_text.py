from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translation.parts import Part
from app.translation.plain_text import PlainText


def texts_of(source: str) -> list[list[str]]:
    return [[part.text for part in group] for group in PlainText(source).groups]


@pytest.mark.parametrize(
    ("source", "groups"),
    [
        ("One two.\n\n Three \r\n", [["One two."], ["Three"]]),
        ("\tone\t\t two \t\n", [["one"], ["two"]]),
        ("one\x0c two\u2028\n", [["one"], ["two"]]),
        ("# One\n## Two", [["One"], ["Two"]]),
        (
            "- One two three\n* [ ] Two\n2. Three\nIV. Four",
            [["One two three"], ["Two"], ["Three"], ["Four"]],
        ),
        ("12 cups\n-5 degrees\n#films", [["12 cups"], ["-5 degrees"], ["#films"]]),
        ('"a b" = "One";\nkey=Two\nmsgid "Three"', [["One"], ["Two"], ["Three"]]),
        ('"A": "B" and C\na="b" or c', [['"B" and C'], ['"b" or c']]),
        ("One\n```\nx = 5\n```\nTwo", [["One"], ["Two"]]),
        ("~~~js\n```\nx = 5\n~~~\nOne ```x``` two", [["One ```x``` two"]]),
        ("> ```\n> x", []),
        ("$ pip install x\n$5 are enough", [["$5 are enough"]]),
    ],
)
def test_marks_and_code_are_no_text(source: str, groups: list[list[str]]) -> None:
    assert texts_of(source) == groups


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("One <b>two</b> three", "One two three"),
        ('Click <a href="x">here</a>, <0>or</0> there.', "Click here, or there."),
        ("Hello <name>, it is <b>late</i>", "Hello <name>, it is <b>late</i>"),
        ("`<b>` and `</b>`", "`<b>` and `</b>`"),
        ("one < two > three<br/>", "one < two > three<br/>"),
    ],
)
def test_tags_of_elements_are_no_text(source: str, text: str) -> None:
    page = PlainText(source)
    assert texts_of(source) == [[text]]
    assert page.render([part for group in page.groups for part in group]) == source


@pytest.mark.parametrize(
    "lines",
    [
        ["I went to the shop,", "because I was hungry."],
        ["> The meeting is at ten and we", "> will need the big room."],
        ["This line is as long as any other in this", "House, and so is the sentence"],
        ["- fixed a bug that", "  caused crashes on Windows"],
        ["> i think that it", "> is faster on my Mac"],
        ["iPhone users in", "many countries are happy"],
        ["msgid Hello there my friend", "and so on"],
    ],
)
def test_the_lines_of_a_wrapped_paragraph_are_one_text(lines: list[str]) -> None:
    assert texts_of("\n".join(lines)) == [
        [line.removeprefix("msgid ").strip("-> ") for line in lines]
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ["I went to the shop.", "because I was hungry."],
        ["I bought for the party:", "milk and bread"],
        ["where are you now", "how is the weather"],
        ["where are you now", "how is the weather", "Come in."],
        ["> Will you come to the party", "yes I will"],
        ["Milk", "bread"],
        ["I)", "hello there"],
        ["I)", "x" * 45],
        ["msgid ", "hello world Foo"],
        ["Roses are red,", "Violets are blue,"],
        ["I went to the shop,", "", "because I was hungry."],
        ["one two three\tfour", "five"],
        ["Is this line longer than " + "x" * 120, "Yes"],
    ],
)
def test_other_lines_are_texts_of_their_own(lines: list[str]) -> None:
    assert all(len(group) == 1 for group in texts_of("\n".join(lines)))


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("You have {n, plural, one {# file} other {# files}}.", ["You have X.", "file", "files"]),
        ("{a, select,\n  x {A {n, plural, =1{dog} other{{n} dogs}} b}\n}", ["X", "A X b", "dog"]),
        (
            "`{n, plural, other {a}}`\n```\n{n, plural, other {b}}\n```\n$ {n, plural, other {c}}",
            ["`{n, plural, other {a}}`"],
        ),
        ("{n, plural, one {dog", ["{n, plural, one {dog"]),
        ("{n, plural, " * 300 + "a {dog} " + "}" * 300, []),
        ("\U000f0001 {n, plural, other {a}}", ["\U000f0001 {n, plural, other {a}}"]),
    ],
)
def test_the_texts_of_a_message_pattern_are_texts_of_their_own(
    source: str, texts: list[str]
) -> None:
    page = PlainText(source)
    found = [part for group in page.groups for part in group]
    assert [part.text.replace("\U000f0000", "X") for part in found][: len(texts)] == texts
    assert page.render(found) == source
    translated = page.render([Part(part.text.replace("dog", "Hund")) for part in found])
    assert translated == source.replace("dog", "Hund")


def test_only_so_many_patterns_have_substitutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.translation.plain_text.MAX_SUBSTITUTES", 2)
    pattern = "{n, plural, other {dog}}"
    page = PlainText(3 * pattern)
    found = [part for group in page.groups for part in group]
    assert [part.text for part in found] == [f"\U000f0000\U000f0001{pattern}", "dog", "dog"]
    assert page.render(found) == 3 * pattern


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            '{"dog": "dog", "b": ["dog", 5, true, null]}',
            '{"dog": "Hund", "b": ["Hund", 5, true, null]}',
        ),
        (
            '  "a b": "a \\"dog\\"\\ndog",\n  "b": 1,\n',
            '  "a b": "a \\"Hund\\"\\nHund",\n  "b": 1,\n',
        ),
        ('{"a": "\\u00e4 dog \\ud800"}', '{"a": "\\u00e4 Hund \\ud800"}'),
        ('["{n, plural, other {dog}}"]', '["{n, plural, other {Hund}}"]'),
        ("[dog]", "[Hund]"),
        ("[" * 9_000, "[" * 9_000),
        ('key="dog"\nmsgid "dog"\n"dog" = "dog";', 'key="Hund"\nmsgid "Hund"\n"dog" = "Hund";'),
    ],
)
def test_only_the_values_of_a_file_of_texts_change(source: str, expected: str) -> None:
    page = PlainText(source)
    found = [part for group in page.groups for part in group]
    assert not any('"' in part.text.replace('"dog"', "") for part in found)
    assert page.render([Part(part.text.replace("dog", "Hund")) for part in found]) == expected


@given(st.text(alphabet='aB 1.:#>-`~\n\t\r"=$', max_size=60))
def test_every_character_but_the_texts_stays(source: str) -> None:
    page = PlainText(source)
    assert page.render([part for group in page.groups for part in group]) == source
