"""Protection of what a translation must keep as it is: addresses, placeholders, markup, numbers.

A model of words copies none of these reliably. An address gets a number as a stand-in, which most
models do copy, or can be made to; a translation counts only if all stand-ins and all numbers are in
it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from model.text.sentences import END_MARKS

#: Addresses, placeholders of programs, markup, and what `html_text` holds. Bounded: texts may be
#: hostile.
_FIXED = re.compile(
    r"""
    (?:https?|ftp|file|mailto|tel|urn):[^\s<>"]{1,2000}(?<![.,;:!?'")\]}])
    | \bwww\.[^\s<>"]{1,2000}(?<![.,;:!?'")\]}])
    | (?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}
    | (?<![\w.-])(?:[a-z0-9-]{1,63}\.){1,4}(?:com|org|net|edu|gov|io|eu|de|fr|uk)\b
      (?:/[^\s<>"]{0,500}[\w/])?
    | \{\{[^{}\n]{0,100}\}\} | \$\{[^{}\n]{0,100}\} | \{[\w.:!\- ]{0,60}\}
    | \[\[[^\[\]\n]{0,100}\]\]
    | %\(\w{1,40}\)[-+#0-9.]{0,6}[a-zA-Z] | %(?:\d\$)?[-+#0-9.]{0,6}[sdifuxXc@](?![A-Za-z]) | %%
    | </?[A-Za-z][^<>\n]{0,500}> | &(?:\#\d{1,7}|\#x[0-9a-fA-F]{1,6}|[A-Za-z]\w{1,30});
    | [\U000f0000-\U000ffffd] | `[^`\n]{1,200}` | (?<!\w)[@\#][A-Za-z_]\w{0,60} | \\[nrt](?![a-z])
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(r"\d+(?:[.,:/'\u00a0\u202f’-]\d+)*")
_WORDS = re.compile(r"\w(?:.*\w)?", re.DOTALL)
_BETWEEN_DIGITS = re.compile(r"\D+")
#: Two digits: models write shorter numbers as words, and split longer ones.
_STAND_INS = ("47", "83", "29", "61", "94", "38", "72", "56")


@dataclass(frozen=True)
class Protected:
    """A sentence as a model reads it.

    Attributes:
        text: the sentence, with stand-ins.
        fixed: stand-in -> what it stands for.
        numbers: digits of the other numbers -> how often they come.
    """

    text: str
    fixed: dict[str, str]
    numbers: Counter[str]

    @property
    def is_plain(self) -> bool:
        """Tells whether nothing needs protection."""
        return not self.fixed and not self.numbers

    @property
    def has_too_much(self) -> bool:
        """Tells whether there are more fixed parts than stand-ins."""
        return "" in self.fixed

    @property
    def has_words(self) -> bool:
        """Tells whether anything can be translated: a letter outside of what is protected."""
        return any(map(str.isalpha, self.text))

    @property
    def needed(self) -> list[str]:
        """Returns what a translation of `text` must contain."""
        return [*self.fixed, *self.numbers.elements()]

    def restored(self, translation: str) -> str | None:
        """Returns a translation of `text` with what the stand-ins stand for, or None if something
        is lost in it."""
        if self.is_plain:
            return translation
        found = _numbers(translation)
        if self.numbers - found or any(found[each] != 1 for each in self.fixed):
            return None
        return _NUMBER.sub(lambda number: self.fixed.get(number[0], number[0]), translation)


def protect(sentence: str) -> Protected:
    """Returns `sentence` with stand-ins."""
    if not _FIXED.search(sentence):
        return Protected(sentence, {}, _numbers(sentence))
    numbers = _numbers(_FIXED.sub(" ", sentence))
    free = iter([each for each in _STAND_INS if each not in numbers])
    fixed: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        chosen = next(free, "")
        fixed[chosen] = match[0]
        before, after = sentence[: match.start()][-1:], sentence[match.end() :][:1]
        return f"{' ' * before.isalnum()}{chosen}{' ' * after.isalnum()}"

    return Protected(_FIXED.sub(stand_in, sentence), fixed, numbers)


def fixed_spans(text: str) -> list[tuple[int, int]]:
    """Returns start and end of each address, placeholder and tag."""
    return [match.span() for match in _FIXED.finditer(text)]


def parts_of(sentence: str) -> Iterator[tuple[str, bool]]:
    """Yields the parts of a sentence, all of which joined are the sentence: what must stay as it is
    with True, what is to be translated with False."""
    spans = sorted(
        fixed_spans(sentence)
        + [match.span() for match in _NUMBER.finditer(_FIXED.sub(_blank, sentence))]
    )
    place = 0
    for start, end in spans:
        if place < start:
            yield sentence[place:start], False
        yield sentence[start:end], True
        place = end
    if place < len(sentence):
        yield sentence[place:], False


def trimmed(text: str) -> str:
    """Returns `text` from its first letter or digit to its last."""
    found = _WORDS.search(text)
    return found[0] if found else ""


def without_end(text: str) -> str:
    """Returns `text` without the marks of a sentence's end."""
    return text.rstrip(END_MARKS + " ") or text


def _numbers(text: str) -> Counter[str]:
    """Returns the digits of each number in a text, and how often it comes."""
    return Counter(map(_digits, _NUMBER.findall(text)))


def _digits(number: str) -> str:
    """Returns the digits of a number: `1,000.5` is written `1.000,5` elsewhere."""
    return _BETWEEN_DIGITS.sub("", number)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])
