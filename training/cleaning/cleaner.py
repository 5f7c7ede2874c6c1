"""Checks of the cleaning rules, which keep an example or name the rule that drops it. Knows no
files."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import regex

from training.cleaning import rules
from training.cleaning.languages import (
    can_identify,
    identify,
    may_seem,
    same_language,
    script_share,
    width_of,
)
from training.cleaning.rules import Rule
from training.errors import RecipeError


@dataclass(slots=True)
class Sides:
    """An example as rules check it.

    Attributes:
        source, target: normalised by `model.text.normalise`; of a dialogue, the turn to answer.
        raw_source, raw_target: as in the file.
    """

    source: str
    target: str
    raw_source: str
    raw_target: str


#: Tells whether a rule drops the example.
Check = Callable[[Sides], bool]

_DAMAGED = re.compile(
    "[\ufffd\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff]"
    "|[\u00c2\u00c3][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122]"
    "|\u00e2\u20ac."
)
_NO_LETTERS = regex.compile(r"[^\p{L}\p{M}]+")
_ASCII_LETTERS = {i: None for i in range(128) if not chr(i).isalpha()}
#: A separator before exactly three digits separates thousands.
_NUMBER = re.compile(r"\d+(?:[.,'\u2019\u00a0\u202f ]\d{3}(?!\d))*")
#: Numbers in another unit on the other side: `28 тысяч` and `28,000`.
_SCALED = re.compile(
    r"\d\s*(?:[万萬億亿千百만억천백兆]|тыс|млн|млрд|миллион|миллиард|lakh|crore|thousand|[mb]illion"
    r"|hundred|tausend|mio|mrd|milliard|mill[eo]n|mille?\b|mil\b|tys|mln|mld)",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\d\s*[:\uff1a.h]\s*\d\d(?!\d)|\d\s*[ap]\.?\s?m\b|\d\s*uhr\b", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
#: Python refuses to parse integers of many digits; it always parses up to this many.
_MOST_DIGITS = sys.int_info.str_digits_check_threshold
_LONGEST_PHRASE = 4
_OPENERS = "\"'([\u201c\u2018\u00ab\u00bf\u00a1"
_WHOLE_SENTENCE = re.compile(
    rf"[{re.escape(_OPENERS)}]*\w.*[.!?\u2026][\"')\]\u201d\u2019\u00bb]*$", re.DOTALL
)

_PROFANITY = (
    "arsehole asshole bastard bitch bollocks bullshit cock cocksucker cunt dickhead fag faggot fuck"
    " fucked fucker fuckers fuckin fucking fucks goddamn jackass motherfucker motherfuckers"
    " motherfucking nigga nigger prick pussy shit shits shitty slut twat wanker whore"
)


class Cleaner:
    """The rules of a recipe that check one example at a time.

    Args:
        chosen: rules, in order; those that compare examples belong to `pass2_deduplicate.py`.
        languages: codes of source and target.
        is_explicit: whether the recipe names its rules: then each of them must be applicable.

    Attributes:
        inactive: default rule that is not applied -> reason.

    Raises:
        RecipeError: if a rule of the recipe cannot be applied.
    """

    def __init__(
        self, chosen: tuple[Rule, ...], languages: tuple[str, ...], *, is_explicit: bool
    ) -> None:
        self.inactive: dict[str, str] = {}
        self._checks: list[tuple[str, Check]] = []
        pair = (languages[0], languages[-1]) if languages else ("", "")
        for rule in chosen:
            if rule.rule not in _CHECKS:
                continue
            reason = _why_inactive(rule, pair)
            if reason and is_explicit:
                raise RecipeError(f"corpus.rules: '{rule.rule}' cannot be applied: {reason}")
            if reason:
                self.inactive[rule.rule] = reason
            else:
                self._checks.append((rule.rule, _CHECKS[rule.rule](rule, pair)))

    def refusal(self, sides: Sides) -> str | None:
        """Returns the first rule that drops an example, or None."""
        for name, drops in self._checks:
            if drops(sides):
                return name
        return None


def letters_of(text: str) -> str:
    """Returns the letters of `text`, with their vowel signs, without case: equal for near
    duplicates."""
    if text.isascii():
        return text.lower().translate(_ASCII_LETTERS)
    return _NO_LETTERS.sub("", text.casefold())


def _unicode(_rule: rules.UnicodeRule, _languages: tuple[str, str]) -> Check:
    return lambda sides: any(
        not text.isascii() and _DAMAGED.search(text)
        for text in (sides.raw_source, sides.raw_target)
    )


def _length(rule: rules.LengthRule, _languages: tuple[str, str]) -> Check:
    def is_wrong(text: str) -> bool:
        words = text.count(" ") + 1
        return len(text) > rule.max_characters or not rule.min_words <= words <= rule.max_words

    return lambda sides: is_wrong(sides.source) or is_wrong(sides.target)


def _ratio(rule: rules.RatioRule, _languages: tuple[str, str]) -> Check:
    def drops(sides: Sides) -> bool:
        shorter, longer = sorted((width_of(sides.source), width_of(sides.target)))
        return longer + rule.margin > rule.max_ratio * (shorter + rule.margin)

    return drops


def _repeats(rule: rules.RepeatsRule, _languages: tuple[str, str]) -> Check:
    run = re.compile(rf"(.)\1{{{rule.max_characters}}}")

    def is_wrong(text: str) -> bool:
        if run.search(text):
            return True
        words = text.lower().split()
        has_many = len(words) - len(set(words)) >= rule.max_phrases
        return has_many and _longest_loop(words) > rule.max_phrases

    return lambda sides: is_wrong(sides.source) or is_wrong(sides.target)


def _longest_loop(words: list[str]) -> int:
    """Counts the repetitions of the phrase that is repeated most often in a row."""
    longest = 1
    for size in range(1, _LONGEST_PHRASE + 1):
        equal = 0
        for word, later in zip(words, words[size:], strict=False):
            equal = equal + 1 if word == later else 0
            longest = max(longest, equal // size + 1)
    return longest


def _numbers(rule: rules.NumbersRule, _languages: tuple[str, str]) -> Check:
    def drops(sides: Sides) -> bool:
        if not (_DIGIT.search(sides.source) or _DIGIT.search(sides.target)):
            return False
        if _SCALED.search(sides.source) or _SCALED.search(sides.target):
            return False
        has_clock = any(_CLOCK.search(text) for text in (sides.source, sides.target))
        source = _numbers_of(sides.source, has_clock)
        target = _numbers_of(sides.target, has_clock)
        missing, added = source - target, target - source
        if missing and added:
            return True
        # `twenty` and 20; `a thousand` and 1,000
        return any(number > rule.max_spelled and number % 100 for number in (missing or added))

    return drops


def _numbers_of(text: str, has_clock: bool) -> Counter[int]:
    """Counts the whole numbers in `text`; if it has a time of day, 14 counts as 2."""
    numbers = (
        int("".join(_DIGIT.findall(found)[:_MOST_DIGITS])) for found in _NUMBER.findall(text)
    )
    if has_clock:
        return Counter(number - 12 if 12 < number <= 24 else number for number in numbers)
    return Counter(numbers)


def _copy(rule: rules.CopyRule, _languages: tuple[str, str]) -> Check:
    def drops(sides: Sides) -> bool:
        if sides.source[:1].casefold() != sides.target[:1].casefold():
            return False
        letters = letters_of(sides.source)
        return len(letters) >= rule.min_letters and letters == letters_of(sides.target)

    return drops


def _sentence(rule: rules.SentenceRule, _languages: tuple[str, str]) -> Check:
    informal = _any_word(rule.informal_words)

    def drops(sides: Sides) -> bool:
        text = sides.target
        is_sentence = _WHOLE_SENTENCE.match(text) and not text.lstrip(_OPENERS)[:1].islower()
        return not is_sentence or bool(informal.search(text))

    return drops


def _any_word(words: Iterable[str]) -> re.Pattern[str]:
    """Returns a pattern of any of the words; without words, it matches nothing."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words)) or '(?!)'})(?!\w)")


def _profanity(rule: rules.ProfanityRule, _languages: tuple[str, str]) -> Check:
    words = rule.words or tuple(_PROFANITY.split())
    listed = _any_word(word.casefold() for word in words)
    return lambda sides: any(
        listed.search(text.casefold()) for text in (sides.source, sides.target)
    )


def _script(rule: rules.ScriptRule, languages: tuple[str, str]) -> Check:
    source_share, target_share = map(script_share, languages)
    return lambda sides: (
        source_share(sides.source) < rule.min_share or target_share(sides.target) < rule.min_share
    )


def _language(rule: rules.LanguageRule, languages: tuple[str, str]) -> Check:
    source, target = languages
    are_two = not same_language(source, target)

    def is_wrong(text: str, expected: str, other: str) -> bool:
        if width_of(text) < rule.min_letters:
            return False
        found, probability = identify(text)
        if found == expected or probability < rule.min_probability:
            return False
        is_other_side = are_two and same_language(found, other)
        if may_seem(expected, found) and not is_other_side:
            return False
        return width_of(letters_of(text)) >= rule.min_letters

    return lambda sides: (
        is_wrong(sides.source, source, target) or is_wrong(sides.target, target, source)
    )


def _why_inactive(rule: Rule, languages: tuple[str, str]) -> str:
    if rule.rule not in ("language", "script"):
        return ""
    if not languages[0]:
        return "the recipe names no `languages`"
    unknown = [language for language in languages if not can_identify(language)]
    return f"'{unknown[0]}' is not a known language (ISO 639-1: \"en\")" if unknown else ""


_CHECKS: dict[str, Callable[[Any, tuple[str, str]], Check]] = {
    "unicode": _unicode,
    "length": _length,
    "ratio": _ratio,
    "repeats": _repeats,
    "numbers": _numbers,
    "copy": _copy,
    "sentence": _sentence,
    "profanity": _profanity,
    "script": _script,
    "language": _language,
}
