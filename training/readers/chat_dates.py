"""Dates and times of chat exports, in the style of the phone's region. Pure functions.

A single `03/04/21` may be in March or in April: all dates of a file together decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise

DAY_SECONDS = 86_400
#: Added to years of two digits.
CENTURY = 2000

DateOrder = tuple[int, int, int]
#: Positions of year, month and day in a date.
YEAR_FIRST: DateOrder = (0, 1, 2)
DAY_FIRST: DateOrder = (2, 1, 0)
MONTH_FIRST: DateOrder = (2, 0, 1)

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
#: AM and PM markers without spaces and points; most of them from Unicode's CLDR.
_AM_MARKERS = frozenset(
    "am πμ 오전 上午 午前 凌晨 早上 ص de vorm ap öö sa fm dop dopoledne पूर्वाह्न לפנהצ קמ".split()
)
_PM_MARKERS = frozenset(
    "pm μμ 오후 下午 午後 中午 晚上 م du nachm ip ös ch em odp odpoledne अपराह्न אחהצ ptg".split()
)

#: A word or two beside the time: an AM or PM marker, or `at`, `à`, `klo`, ...
_MARKER = r"(?:[^\s\d,،:;()<>\[\]–—-]{1,10}\s?){1,2}"
#: A date and a time; `match.groups()` are the arguments of `stamp_of`.
STAMP = (
    r"(\d{1,4})\s?([./년年-])\s?(\d{1,2}|[A-Za-z]{3})\s?[./월月-]\s?(\d{1,4})(?:[.일日]|\sг\.)?"
    rf"(?:[,،]\s?|\s|T)({_MARKER})?"
    rf"(\d{{1,2}})[:.](\d{{2}})(?:[:.](\d{{2}}))?(?:\s?({_MARKER}))?"
)
_STAMP = re.compile(STAMP)
_MARKER_PUNCTUATION = re.compile(r"[\s.'\"’”״׳]")


@dataclass(frozen=True)
class Stamp:
    """A date and time whose order of day, month and year is not yet known.

    Attributes:
        numbers: of the date, in the order of the file.
        separator: between the numbers.
        seconds: since midnight.
        is_twelve_hour: the clock counts twelve hours.
    """

    numbers: tuple[int, int, int]
    separator: str
    seconds: int
    is_twelve_hour: bool


def parse_stamp(text: str) -> Stamp:
    """Returns the stamp that `text` begins with.

    Raises:
        ValueError: if it begins with none.
    """
    found = _STAMP.match(text)
    if not found:
        raise ValueError(f"expected a date and a time. Received: {text[:40]}")
    return stamp_of(*found.groups(default=""))


def stamp_of(*groups: str) -> Stamp:
    """Returns the stamp of the groups of `STAMP`: the date, and the time with a word on each side.

    Raises:
        ValueError: if there is no such time or month.
    """
    first, separator, second, third, marker_before, hours, minutes, seconds, marker_after = groups
    if second.isalpha():
        month = _MONTHS.index(second.lower()) + 1
        numbers = (_year(third), month, int(first))
    else:
        numbers = (int(first), int(second), int(third))
    markers = {
        _MARKER_PUNCTUATION.sub("", each).casefold() for each in (marker_before, marker_after)
    }
    is_am, is_pm = bool(markers & _AM_MARKERS), bool(markers & _PM_MARKERS)
    hour, minute, seconds_part = int(hours), int(minutes), int(seconds or 0)
    if (is_am or is_pm) and hour <= 12:
        hour = hour % 12 + 12 * is_pm
    if hour > 23 or minute > 59 or seconds_part > 59:
        raise ValueError(f"there is no time {hours}:{minutes}{seconds and ':'}{seconds}")
    time = (hour * 60 + minute) * 60 + seconds_part
    return Stamp(numbers, separator, time, is_am or is_pm)


def order_of(stamps: Iterable[Stamp]) -> DateOrder:
    """Returns the order of year, month and day in a file whose messages are in order of time.

    It is the order with the fewest impossible dates; among equals, the one with the fewest steps
    back in time; among these, the usual one: the day first, or the month first if dates have
    slashes and the clock counts twelve hours.
    """
    found = [next(same) for _, same in groupby(stamps, lambda stamp: stamp.numbers)]
    is_american = any(stamp.separator == "/" and stamp.is_twelve_hour for stamp in found)
    usual = (MONTH_FIRST, DAY_FIRST) if is_american else (DAY_FIRST, MONTH_FIRST)

    def rank(order: DateOrder) -> tuple[int, int]:
        days = [day for stamp in found if (day := _day_of(stamp, order))]
        return len(found) - len(days), sum(later < day for day, later in pairwise(days))

    return min((*usual, YEAR_FIRST), key=rank)


def seconds_of(stamp: Stamp, order: DateOrder) -> int:
    """Returns the seconds since the first day of the calendar, in the file's own time zone.

    Raises:
        ValueError: if there is no such date.
    """
    day = _day_of(stamp, order)
    if not day:
        raise ValueError(f"there is no date {stamp.separator.join(map(str, stamp.numbers))}")
    return day * DAY_SECONDS + stamp.seconds


def _day_of(stamp: Stamp, order: DateOrder) -> int:
    """Returns the number of a stamp's day in the calendar, from 1; 0 if there is no such day."""
    year, month, day = (stamp.numbers[place] for place in order)
    try:
        return date(_year(str(year)), month, day).toordinal()
    except ValueError:
        return 0


def _year(digits: str) -> int:
    return int(digits) + (CENTURY if int(digits) < 100 else 0)
