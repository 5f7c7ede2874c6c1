"""Cleaning rules as documents: names and settings. Their checks are in `cleaner.py` and
`pass2_deduplicate.py`."""

from __future__ import annotations

import difflib
from collections import Counter
from typing import Any

from pydantic import Field

from model.config import Document, Task


class Rule(Document):
    """One entry of `corpus.rules`: its name in `RULES` and its settings, which have defaults."""

    rule: str


class UnicodeRule(Rule):
    """damaged text: U+FFFD, private or unassigned characters, UTF-8 that was decoded as cp1252
    (`Ã¤`). All later rules and the tokenizer see texts in NFKC, except for Chinese and Japanese
    punctuation and a few letters, without invisible characters"""


class LengthRule(Rule):
    """a side that is too short or too long, before it is tokenised"""

    min_words: int = Field(1, ge=1, description="minimum number of words per side")
    max_words: int = Field(200, ge=1, description="maximum number of words per side")
    max_characters: int = Field(1000, ge=1, description="maximum number of characters per side")


class RatioRule(Rule):
    """sides whose lengths in characters differ too much; a Chinese character counts as three, a
    kana or Hangul syllable as two"""

    max_ratio: float = Field(
        3.0, ge=1.0, description="maximum ratio of the longer side to the shorter"
    )
    margin: int = Field(15, ge=0, description="characters added to both lengths")


class RepeatsRule(Rule):
    """one character, or one phrase of up to four words, repeated in a row"""

    max_characters: int = Field(10, ge=1, description="maximum number of equal characters in a row")
    max_phrases: int = Field(4, ge=1, description="maximum number of equal phrases in a row")


class NumbersRule(Rule):
    """sides whose numbers differ; 1,000 and a thousand are equal"""

    max_spelled: int = Field(
        100,
        ge=0,
        description="up to this number, one side may spell out what the other writes in digits",
    )


class ScriptRule(Rule):
    """a side in a script that its language is not written in; needs `languages`"""

    min_share: float = Field(
        0.5, gt=0.0, le=1.0, description="minimum share of its letters in the right script"
    )


class LanguageRule(Rule):
    """a side in a language other than its own in `languages`, identified by fastText's lid.176
    (Joulin et al. 2017, arXiv:1607.01759). Danish passes for Norwegian and vice versa, Dutch for
    Afrikaans, Spanish for Galician and Czech for Slovak, unless it is the other side's language"""

    min_probability: float = Field(
        0.7, gt=0.0, lt=1.0, description="minimum probability of the other language"
    )
    min_letters: int = Field(10, ge=1, description="shorter sides are not checked")


class CopyRule(Rule):
    """a target that equals its source except for case, punctuation and digits"""

    min_letters: int = Field(
        12, ge=1, description="shorter targets are kept, since they may be names"
    )


class ProfanityRule(Rule):
    """a side that contains a listed word; off by default"""

    words: tuple[str, ...] = Field(
        (), description="words or phrases, case-insensitive; unset: a short English list"
    )


class SentenceRule(Rule):
    """a target that is not a sentence: it does not begin with a capital letter or a digit, or does
    not end with `.`, `!`, `?` or `…`; off by default, and only for scripts with capital letters"""

    informal_words: tuple[str, ...] = Field(
        (), description="case-sensitive words (`i`, `lol`) that no target may contain"
    )


class DuplicateRule(Rule):
    """an example that equals an earlier one, as the model reads it"""


class NearDuplicateRule(Rule):
    """an example that equals an earlier one except for case, punctuation, digits and spaces"""


#: In the order of application, cheap rules first, whatever the order in a recipe.
RULES: dict[str, type[Rule]] = {
    "unicode": UnicodeRule,
    "length": LengthRule,
    "ratio": RatioRule,
    "repeats": RepeatsRule,
    "numbers": NumbersRule,
    "copy": CopyRule,
    "sentence": SentenceRule,
    "profanity": ProfanityRule,
    "script": ScriptRule,
    "language": LanguageRule,
    "duplicate": DuplicateRule,
    "near_duplicate": NearDuplicateRule,
}

#: Rules of a recipe without `rules`. Exchanges may repeat, since people repeat themselves.
DEFAULT_RULES: dict[Task, tuple[str, ...]] = {
    "reply": ("unicode", "length", "repeats", "script", "language"),
    "translate": tuple(name for name in RULES if name not in ("profanity", "sentence")),
}


def parse_rules(entries: Any) -> Any:
    """Parses the entries of a recipe: `"ratio"`, or `{rule = "ratio", max_ratio = 2.5}`.

    Raises:
        ValueError: if a name is unknown (the message suggests the nearest) or occurs twice, or a
            setting is wrong.
    """
    if not isinstance(entries, list | tuple):
        return entries
    rules = [_parse_rule(entry) for entry in entries]
    twice = [name for name, count in Counter(rule.rule for rule in rules).items() if count > 1]
    if twice:
        raise ValueError(f"'{twice[0]}' occurs twice")
    return tuple(sorted(rules, key=lambda rule: list(RULES).index(rule.rule)))


def default_rules(task: Task) -> tuple[Rule, ...]:
    """Returns the rules of a recipe without `rules`."""
    return tuple(parse_rules(list(DEFAULT_RULES[task])))


def _parse_rule(entry: Any) -> Rule:
    if isinstance(entry, Rule):
        return entry
    values = {"rule": entry} if isinstance(entry, str) else entry
    name = values.get("rule") if isinstance(values, dict) else None
    if not isinstance(name, str):
        raise ValueError(f'expected "ratio" or {{rule = "ratio", ...}}. Received: {entry!r}')
    if name not in RULES:
        nearest = difflib.get_close_matches(name, RULES, n=1, cutoff=0.5)
        hint = f"did you mean '{nearest[0]}'?" if nearest else f"known are {', '.join(RULES)}"
        raise ValueError(f"unknown rule '{name}'; {hint}")
    return RULES[name].parse(values, where=name)
