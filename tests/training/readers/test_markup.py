from __future__ import annotations

import pytest

from training.readers.markup import without_html


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>How <b>are</b> you?</p>\n<p>Ann &amp; Ben</p>", "How are you? Ann & Ben"),
        ('See <a href="https://a.org/?b=1&c=2">the page</a>.<br/>Bye', "See the page. Bye"),
        ("I&#x27;m <i>here</i>,&nbsp;Ann.", "I'm here, Ann."),
        ("1 &lt; 2", "1 < 2"),
        ("1 < 2 > 0,  a<b and b>a & so on", "1 < 2 > 0,  a<b and b>a & so on"),
        ("List<T> & <person>  <3", "List<T> & <person>  <3"),
    ],
)
def test_only_tags_and_entities_are_removed(text: str, expected: str) -> None:
    assert without_html(text) == expected
