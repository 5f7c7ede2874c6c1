"""Detection of cues in two languages that are shown together, and selection of one of them.

By the scripts of the lines if the languages differ in script, otherwise by the usual languages of
the upper and lower halves of the cues. Pure functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import itemgetter

from model.text.scripts import script_of_letter
from training.cleaning.languages import identify, same_language, script_share, width_of
from training.files.records import Cue, Fault

#: A file shows two languages if at least so many cues, and this share of them, do.
MIN_CUES = 3
MIN_SHARE = 0.3
#: Cues whose languages are identified, which takes time.
SAMPLE_CUES = 30
#: Of the halves whose languages are known, this share must agree.
MIN_AGREEMENT = 0.7
MIN_PROBABILITY = 0.4

#: Share of a line's letters in the scripts of a language from which the line is in that language.
MIN_SCRIPT_SHARE = 0.5
LATIN, EAST_ASIAN = "LATIN", "CJK"

#: The cues that are shown together: of several voices or colours, or in two languages.
_Screen = list[Cue]

_EAST_ASIAN = frozenset(("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "KATAKANA-HIRAGANA"))


def shows_two_languages(found: Sequence[Cue | Fault]) -> bool:
    """Tells whether many cues of a file have lines in two scripts, or halves in two languages."""
    screens = [each for each in _screens_of(found) if not isinstance(each, Fault)]
    mixed = sum(len({script_of(line) for line in _lines_of(each)} - {""}) > 1 for each in screens)
    return _are_enough(mixed, len(screens)) or _halves_of(screens) is not None


def keep_language(found: Sequence[Cue | Fault], language: str) -> list[Cue | Fault]:
    """Returns the cues with only their lines in `language` (ISO 639), if their file shows two.

    Lines without letters stay. A cue without a line in the language is left out.
    """
    screens = list(_screens_of(found))
    select_lines = _line_selector(
        [each for each in screens if not isinstance(each, Fault)], language
    )
    if select_lines is None:
        return list(found)
    kept: list[Cue | Fault] = []
    for each in screens:
        if isinstance(each, Fault):
            kept.append(each)
        else:
            kept += _select_lines(each, select_lines(_lines_of(each)))
    return kept


def script_of(text: str) -> str:
    """Returns the script of most letters of a text, as Unicode names it, or "" without letters. The
    scripts of East Asia count as one."""
    if text.isascii():
        return LATIN if any(map(str.isalpha, text)) else ""
    counts: Counter[str] = Counter()
    for char in filter(str.isalpha, text):
        script = script_of_letter(char)
        counts[EAST_ASIAN if script in _EAST_ASIAN else script] += width_of(char)
    return max(counts, key=lambda script: counts[script]) if counts else ""


def _line_selector(
    screens: list[_Screen], language: str
) -> Callable[[list[str]], list[bool]] | None:
    """Returns a function that tells which lines of a cue are in a language, or None if a file shows
    only one."""
    share = script_share(language)

    def by_script(lines: list[str]) -> list[bool]:
        return [share(line) >= MIN_SCRIPT_SHARE for line in lines]

    if _are_enough(sum(len(set(by_script(_lines_of(each)))) > 1 for each in screens), len(screens)):
        return by_script
    halves = _halves_of(screens)
    if halves is None or not any(same_language(language, each) for each in halves):
        return None
    upper, lower = halves
    return partial(
        _select_half, upper=upper, lower=lower, keeps_upper=same_language(language, upper)
    )


def _screens_of(found: Sequence[Cue | Fault]) -> Iterator[_Screen | Fault]:
    """Yields what is shown together: the cues with the same times, wherever in the file they are. A
    fault comes after the cue before it."""
    timed: list[tuple[tuple[int, int], Cue | Fault]] = []
    for each in found:
        last = timed[-1][0] if timed else (0, 0)
        times = (each.start_ms, each.end_ms) if isinstance(each, Cue) else last
        timed.append((times, each))
    for _, group in groupby(sorted(timed, key=itemgetter(0)), key=itemgetter(0)):
        members = [each for _, each in group]
        if screen := [each for each in members if isinstance(each, Cue)]:
            yield screen
        yield from (each for each in members if isinstance(each, Fault))


def _lines_of(screen: _Screen) -> list[str]:
    return [line for cue in screen for line in cue.text.split("\n")]


def _select_lines(screen: _Screen, is_selected: list[bool]) -> Iterator[Cue]:
    """Yields the cues of a screen with only some of its lines."""
    flags = iter(is_selected)
    for cue in screen:
        text = "\n".join(line for line in cue.text.split("\n") if next(flags))
        if text.strip():
            yield replace(cue, text=text)


def _select_half(lines: list[str], *, upper: str, lower: str, keeps_upper: bool) -> list[bool]:
    """Returns, for each line, whether it is in the wanted half. The middle one of three lines, or a
    single line, belongs to the half in its language."""
    border = len(lines) // 2
    if len(lines) % 2:
        language, probability = identify(lines[border])
        is_upper = same_language(language, upper)
        if len(lines) == 1 and (
            probability < MIN_PROBABILITY or not (is_upper or same_language(language, lower))
        ):
            return [True]
        border += is_upper
    return [(place < border) == keeps_upper for place in range(len(lines))]


def _halves_of(screens: list[_Screen]) -> tuple[str, str] | None:
    """Returns the languages of the upper and lower halves of a file's cues, if they differ."""
    even = [lines for screen in screens if len(lines := _lines_of(screen)) in (2, 4)]
    if not _are_enough(len(even), len(screens)):
        return None
    pairs: Counter[tuple[str, str]] = Counter()
    for lines in even[:: max(1, len(even) // SAMPLE_CUES)]:
        middle = len(lines) // 2
        upper, probability = identify(" ".join(lines[:middle]))
        lower, also = identify(" ".join(lines[middle:]))
        if min(probability, also) >= MIN_PROBABILITY:
            pairs[upper, lower] += 1
    if not pairs:
        return None
    [(pair, times)] = pairs.most_common(1)
    is_consistent = times >= MIN_CUES and times >= MIN_AGREEMENT * pairs.total()
    return pair if is_consistent and not same_language(*pair) else None


def _are_enough(count: int, of: int) -> bool:
    return count >= MIN_CUES and count >= MIN_SHARE * of
