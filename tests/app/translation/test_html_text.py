from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translation.html_text import HtmlText
from app.translation.parts import Part
from app.translation.protection import fixed_spans

PAGE = """<!DOCTYPE html>
<html><head><title>A &amp; B</title><style>p > b { color: red }</style></head>
<body><p class='x'>One <b>two</b><br/>three <a href="a>b">four</A>.</p>
<!-- no --><ul><li>Run <code>ls</code> now<li>x < y</ul><script>if (a<b) { "<p>" }</script>
<p translate="no">Seq2Seq</p> tail</body></html>"""


def test_every_byte_that_is_not_translated_stays() -> None:
    page = HtmlText(PAGE)
    assert page.render(page.parts) == PAGE.replace("x < y", "x &lt; y")


def test_text_is_read_by_paragraph_without_entities_and_without_what_is_no_text() -> None:
    texts = [part.text for part in HtmlText(PAGE).parts if part.text.strip()]
    assert texts[:3] == ["A & B", "One two", "three four."]
    assert texts[-2:] == ["x < y", " tail"]
    assert not any(word in "".join(texts) for word in ("color", "ls", "if (", "Seq2Seq"))


def test_a_comment_ends_no_sentence() -> None:
    source = "<p>Hello, <!-- -->Tom<!-- x -->!</p><!-- y -->"
    page = HtmlText(source)
    assert [part.text for part in page.parts] == ["Hello, Tom!", ""]
    assert page.render(page.parts) == source


@pytest.mark.parametrize(
    ("source", "fixed"),
    [
        ("H<sub>2</sub>O", "H<sub>2</sub>O"),
        ("50 m<sup>2</sup>", "50 m<sup>2</sup>"),
        (
            'it.<sup class="a"><a href="#1">[1]</a></sup>',
            '<sup class="a"><a href="#1">[1]</a></sup>',
        ),
        ("the 1<sup>st</sup>", None),
    ],
)
def test_numbers_above_or_below_the_line_stay_at_what_they_belong_to(
    source: str, fixed: str | None
) -> None:
    page = HtmlText(source)
    [part] = page.parts
    assert page.render(page.parts) == source
    kept = [part.text[slice(*span)] for span in fixed_spans(part.text)]
    assert [page.render([Part(text)]) for text in kept] == [fixed] * (fixed is not None)


def test_what_is_written_instead_is_escaped() -> None:
    page = HtmlText("<p>a</p>")
    [part] = page.parts
    assert page.render([type(part)("1 < 2 & 3")]) == "<p>1 &lt; 2 &amp; 3</p>"


def test_of_many_elements_that_are_never_closed_only_the_first_are_looked_for() -> None:
    begun = "".join(f"<x{place} translate=no>" for place in range(100))
    page = HtmlText(f"{begun}<y translate=no>one</y><script>two</script>")
    assert [part.text for part in page.parts] == ["one"]


@given(st.text(alphabet="<>/!-ab =\"'&;\U000f0000", max_size=60))
def test_any_text_comes_back(source: str) -> None:
    def plain(text: str) -> str:
        for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
            text = text.replace(entity, character)
        return text

    page = HtmlText(source)
    assert plain(page.render(page.parts)) == plain(source)


@pytest.mark.parametrize(
    "piece",
    """<!--|<a |</|<a href="|<![CDATA[|&|<script>|<code>|<?|<a x='|<code><b translate=no>|<b>|<a'"
    |<sup>|<sup><a >1""".strip().split("|"),
)
def test_a_hostile_page_takes_no_long(piece: str) -> None:
    start = process_time()
    HtmlText(piece * (65_536 // len(piece)))
    assert process_time() - start < 3
