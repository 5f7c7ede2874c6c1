from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.readers.chat_dates import (
    DAY_FIRST,
    DAY_SECONDS,
    MONTH_FIRST,
    YEAR_FIRST,
    order_of,
    parse_stamp,
    seconds_of,
)

#: How phones write a moment: what `strftime` makes, and the order that its numbers have.
STYLES = {
    "%d.%m.%y, %H:%M": DAY_FIRST,
    "%d/%m/%Y, %H:%M": DAY_FIRST,
    "%d/%m/%Y %H:%M:%S": DAY_FIRST,
    "%d/%m/%Y à %H:%M": DAY_FIRST,
    "%d.%m.%Y klo %H.%M.%S": DAY_FIRST,
    "%d-%m-%Y %H:%M": DAY_FIRST,
    "%d/%m/%Y, %I:%M %p": DAY_FIRST,
    "%m/%d/%y, %I:%M %p": MONTH_FIRST,
    "%m/%d/%y, %I:%M:%S\u202f%p": MONTH_FIRST,
    "%m/%d/%Y, %H:%M": MONTH_FIRST,
    "%Y-%m-%d, %I:%M %p": YEAR_FIRST,
    "%Y/%m/%d %H:%M": YEAR_FIRST,
    "%y/%m/%d %H:%M": YEAR_FIRST,
    "%Y. %m. %d. %p %I:%M": YEAR_FIRST,
    "%Y年%m月%d日 %p%I:%M:%S": YEAR_FIRST,
    "%Y-%m-%dT%H:%M:%S.1230000+00:00": YEAR_FIRST,
}
MARKERS = [("AM", "PM"), ("a.m.", "p.m."), ("a. m.", "p. m."), ("오전", "오후"), ("上午", "下午")]

MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)).map(
    lambda moment: moment.replace(second=0, microsecond=0)
)


def written(moment: datetime, style: str, markers: tuple[str, str] = ("AM", "PM")) -> str:
    return moment.strftime(style.replace("%p", markers[moment.hour >= 12]))


@given(
    first=MOMENTS,
    hours=st.lists(st.integers(0, 30 * 24), max_size=8),
    style=st.sampled_from(list(STYLES)),
    markers=st.sampled_from(MARKERS),
)
def test_all_styles_are_read_in_the_order_that_the_whole_file_tells(
    first: datetime, hours: list[int], style: str, markers: tuple[str, str]
) -> None:
    # Two months in steps of five days hold every order's impossible dates and steps back.
    moments = [first + timedelta(days=5 * step) for step in range(80)]
    for each in hours:
        moments.append(moments[-1] + timedelta(hours=each))
    stamps = [parse_stamp(written(moment, style, markers)) for moment in moments]
    order = order_of(stamps)
    assert order == STYLES[style]
    assert [seconds_of(stamp, order) for stamp in stamps] == [
        moment.toordinal() * DAY_SECONDS + moment.hour * 3600 + moment.minute * 60
        for moment in moments
    ]


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["03.04.21, 10:00"], DAY_FIRST),
        (["03/04/21, 10:00"], DAY_FIRST),
        (["3/4/21, 10:00 AM"], MONTH_FIRST),
        (["3/4/21, 10:00 AM", "25/4/21, 10:00 AM"], DAY_FIRST),
        (["1/2/21, 10:00", "2/1/21, 10:00"], MONTH_FIRST),  # the day first would go back
        (["20/12/30 10:00", "20/12/31 10:00", "21/01/01 10:00"], YEAR_FIRST),
        ([], DAY_FIRST),
    ],
)
def test_an_ambiguous_date_is_read_as_its_neighbours_are(
    texts: list[str], order: tuple[int, int, int]
) -> None:
    assert order_of(map(parse_stamp, texts)) == order


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("1/2/21, 12:05 AM", 0),
        ("1/2/21, 12:05 PM", 12),
        ("1/2/21, 9:05 p.\u00a0m.", 21),
        ("1/2/21, 9:05 م", 21),
        ("١/٢/٢٠٢١, ٩:٠٥ ص", 9),
        ("1.2.21, 9:05 nachm.", 21),
        ("2021/2/1 晚上9:05", 21),
        ("1/2/21, 21:05 PM", 21),
        ("01-Feb-21 09:05 PM", 21),
        ("1.02.21 г., 21:05", 21),
    ],
)
def test_clocks_of_twelve_hours_have_markers_of_many_languages(text: str, hour: int) -> None:
    assert parse_stamp(text).seconds == hour * 3600 + 5 * 60


@pytest.mark.parametrize(
    "text", ["", "hello", "1/2/21", "1/2/21, 25:00", "1/2/21, 10:61", "01-Foo-21 10:00"]
)
def test_what_is_no_date_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"date|time|list"):
        parse_stamp(text)


def test_a_day_that_no_month_has_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"there is no date 31\.2\.21"):
        seconds_of(parse_stamp("31.2.21, 10:00"), DAY_FIRST)
