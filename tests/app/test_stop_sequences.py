from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.stop_sequences import StopFilter, cut_at_stop

TEXTS = st.text("ab.", max_size=12)


def test_a_text_ends_before_the_first_stop_sequence() -> None:
    assert cut_at_stop("one. two? three", ["?", "."]) == "one"
    assert cut_at_stop("one", ["."]) == "one"
    assert cut_at_stop("one", []) == "one"


def test_the_begin_of_a_stop_sequence_is_held_back() -> None:
    shown = StopFilter(["\n\nUser:"])
    assert shown.add("hello\n") == "hello"
    assert shown.add("\nUs") == ""
    assert shown.add("a") == "\n\nUsa"
    assert shown.finish() == ""


@given(parts=st.lists(TEXTS), stops=st.lists(TEXTS.filter(bool), max_size=3))
def test_a_growing_text_is_cut_as_a_whole_one(parts: list[str], stops: list[str]) -> None:
    shown = StopFilter(stops)
    told = "".join(shown.add(part) for part in parts) + shown.finish()
    assert told == cut_at_stop("".join(parts), stops)
