"""Protection of what a translation must keep unchanged: addresses, placeholders, markup, numbers,
and words that the model cannot read.

A translation model copies none of these reliably. An address is replaced by a number as a stand-in,
which most models do copy, or can be forced to; a translation is accepted only if it contains all
stand-ins and all numbers.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.translation.words import Span
from model.text.sentences import END_MARKS

#: Chinese, Japanese and Korean characters, which follow an address without a space.
_EAST_ASIAN = "\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef"
_LETTER = rf"[^\W{_EAST_ASIAN}]"
_UNIT = rf"[^\W\d_{_EAST_ASIAN}]{{1,4}}"
_IN_URL = rf'(?:[^\s<>"(){_EAST_ASIAN}]|\([^\s<>"(){_EAST_ASIAN}]{{0,200}}\))'
_CURRENCY = r"[$£¥\u20a0-\u20cf]"
_QUANTITY = r"\d{1,15}+(?:[.,'’\u00a0\u202f]\d{1,15}+){0,5}+"
_AMOUNT = rf"{_QUANTITY}(?:[-–]{_QUANTITY})?"
_MEASURE = r"°[CF]?|[kcm]?m[²³]?|km/h|[km]?g|[cm]?l|[kMGT]B|[kMG]?Hz|[kMG]?Wh?"
_FILE_TYPE = (
    "bat|bin|cfg|conf|cpp|css|csv|dll|docx?|epub|exe|gif|gz|html?|ini|iso|jar|java|jpe?g|js|json|"
    "log|md|mkv|mp[34]|odt|pdf|php|png|pptx?|py|rar|rb|rtf|sh|sql|srt|svg|tar|toml|tsx?|txt|vtt|"
    "wav|webp|xlsx?|xml|ya?ml|zip"
)
#: Addresses, amounts with the sign of a currency or measure, files, paths and names of programs,
#: placeholders, markup, and the substitutes of `html_text`. All repetitions are bounded, since
#: texts may be hostile.
_FIXED = re.compile(
    rf"""
    (?:https?|ftp|file|mailto|tel|urn):{_IN_URL}{{1,2000}}(?<![.,;:!?'"\]}}])
    | (?<!{_LETTER})(?:
      www\.{_IN_URL}{{1,2000}}(?<![.,;:!?'"\]}}])
      | (?<![.+-])(?:{_LETTER}|[.+-]){{1,64}}@(?:{_LETTER}|-){{1,63}}
        (?:\.(?:{_LETTER}|-){{1,63}}){{1,8}}
      | (?<![.-])(?:[a-z0-9-]{{1,63}}\.){{1,4}}
        (?:com|org|net|edu|gov|io|eu|de|fr|uk)(?!{_LETTER})(?:/{_IN_URL}{{0,500}}(?<=[\w/)]))?
      | (?<!\.)\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?!\.?\w)
      | (?:[A-Z]{{1,3}})?{_CURRENCY}[ \u00a0]?{_AMOUNT}(?:[kKmM]|[bB]n?)?(?!{_LETTER})
      | (?<!\d[.,:/'–-]){_AMOUNT}[ \u00a0\u202f]?(?:{_CURRENCY}|{_MEASURE})(?!{_LETTER})
      | (?<![.-])(?:[\w-]{{1,60}}\.){{1,4}}(?:{_FILE_TYPE})(?!{_LETTER})
      | (?<![./~])(?:~(?:/[\w.@+-]{{1,60}}){{1,20}}|\.{{0,2}}(?:/[\w.@+-]{{1,60}}){{2,20}})
        (?<!\.)/?
      | [A-Za-z]:\\[^\s<>"|?*]{{1,200}}(?<![.,;:!?'")\]}}])
      | [^\W_]{{1,40}}(?:_[^\W_]{{1,40}}){{1,10}}(?!{_LETTER})
      | [a-z]{{2,30}}(?:[A-Z][a-z0-9]{{1,30}}){{1,5}}(?!{_LETTER})
      | \$[A-Za-z_]\w{{0,40}} | %[A-Za-z_]\w{{1,40}}%
    )
    """
    r"""
    | \{\{[^{}\n]{0,100}\}\} | \$\{[^{}\n]{0,100}\} | \{[\w.:!\- ]{0,60}\}
    | \[\[[^\[\]\n]{0,100}\]\]
    | %\(\w{1,40}\)[-+#0-9.]{0,6}[a-zA-Z] | %(?:\d\$)?[-+#0-9.]{0,6}[sdifuxXc@](?![A-Za-z]) | %%
    | </?[A-Za-z][^<>\n]{0,500}> | &(?:\#\d{1,7}|\#x[0-9a-fA-F]{1,6}|[A-Za-z]\w{1,30});
    | [\U000f0000-\U000ffffd] | `[^`\n]{1,200}` | (?<!\w)[@\#][A-Za-z_]\w{0,60} | \\[nrt](?![a-z])
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(r"\d+(?:[.,:/'\u00a0\u202f’，．：／٫٬-]\d+)*")
#: A number with separators of thousands, and perhaps a decimal one: `1,000.50`.
_GROUPED = re.compile(r"[1-9]\d{0,2}([.,'’٬ ])\d{3}(?:\1\d{3})*(?:(?!\1)[.,٫]\d+)?")
#: A number with the few letters that make it a word: `21st`, `5km`, `20°C`, `CO2`.
_NUMBER_WORD = re.compile(rf"(?:(?<![^\W\d_]){_UNIT})?{_NUMBER.pattern}(?:°?{_UNIT}(?![^\W\d_]))?")
_WORDS = re.compile(r"\w(?:.*\w)?", re.DOTALL)
#: A character that is no letter, mark, symbol or space.
BLANK = "\0"
#: Two digits: models spell out shorter numbers and split longer ones.
_STAND_INS = ("47", "83", "29", "61", "94", "38", "72", "56")


@dataclass(frozen=True)
class Protected:
    """A sentence with stand-ins.

    Attributes:
        text: the sentence, with stand-ins.
        fixed: stand-in -> the text that it replaces.
        numbers: the other numbers, in order, without separators of thousands.
    """

    text: str
    fixed: dict[str, str]
    numbers: list[str]

    @property
    def is_plain(self) -> bool:
        """Tells whether nothing needs protection."""
        return not self.fixed and not self.numbers

    @property
    def lacks_stand_ins(self) -> bool:
        """Tells whether there are more protected parts than stand-ins."""
        return "" in self.fixed

    @property
    def has_words(self) -> bool:
        """Tells whether there is anything to translate: a letter outside the protected parts."""
        return any(map(str.isalpha, self.text))

    @property
    def required(self) -> list[str]:
        """Returns what a translation of `text` must contain."""
        return [*self.fixed, *self.numbers]

    def restore(self, translation: str) -> str | None:
        """Returns a translation of `text` with its stand-ins replaced by the original text, or None
        if it has lost a stand-in or a number, or has a number both with and without its separator:
        `4.5` and `45`."""
        if self.is_plain:
            return translation
        found = Counter(map(_value, _numbers(translation)))
        wanted = Counter(map(_value, self.numbers))
        others = found.keys() - wanted - self.fixed.keys()
        is_garbled = {*map(_digits, others)} & {*map(_digits, wanted)}
        if wanted - found or is_garbled or any(found[each] != 1 for each in self.fixed):
            return None
        return _NUMBER.sub(
            lambda number: self.fixed.get(_ungrouped(number[0]), number[0]), translation
        )


def protect(
    sentence: str, unreadable: Sequence[Span] = (), *, fixes_numbers: bool = False
) -> Protected:
    """Replaces the fixed parts of a sentence by stand-ins.

    Args:
        sentence: any text.
        unreadable: start and end of other fixed parts, in order, outside of `fixed_spans`.
        fixes_numbers: whether numbers of more than digits are fixed parts too.
    """
    spans = sorted([*fixed_spans(sentence), *unreadable])
    if fixes_numbers:
        found = _NUMBER.finditer(_blank(sentence, spans))
        spans = sorted([*spans, *(match.span() for match in found if not match[0].isdecimal())])
    if not spans:
        return Protected(sentence, {}, _numbers(sentence))
    numbers = _numbers(_blank(sentence, spans))
    free = iter([each for each in _STAND_INS if each not in numbers])
    fixed: dict[str, str] = {}
    text, place = "", 0
    for start, end in spans:
        chosen = next(free, "")
        fixed[chosen] = sentence[start:end]
        before, after = sentence[start - 1 : start], sentence[end : end + 1]
        text += f"{sentence[place:start]}{' ' * before.isalnum()}{chosen}{' ' * after.isalnum()}"
        place = end
    return Protected(text + sentence[place:], fixed, numbers)


def fixed_spans(text: str) -> list[Span]:
    """Returns start and end of each address, placeholder and tag; those without a space between
    them are one part."""
    spans = list[Span]()
    for match in _FIXED.finditer(text):
        start, end = match.span()
        if spans and spans[-1][1] == start:
            start, _ = spans.pop()
        spans.append((start, end))
    return spans


def blank_fixed(text: str) -> str:
    """Returns a text of the same length with `BLANK` in place of the characters of its fixed
    parts."""
    return _FIXED.sub(lambda match: BLANK * len(match[0]), text)


def split_protected(sentence: str, unreadable: Sequence[Span] = ()) -> Iterator[tuple[str, bool]]:
    """Yields the parts of a sentence, which join to the sentence, and whether each is protected.
    For the arguments see `protect`."""
    spans = sorted([*fixed_spans(sentence), *unreadable])
    blank = _blank(sentence, spans)
    spans = sorted([*spans, *(match.span() for match in _NUMBER_WORD.finditer(blank))])
    place = 0
    for start, end in spans:
        if place < start:
            yield sentence[place:start], False
        yield sentence[start:end], True
        place = end
    if place < len(sentence):
        yield sentence[place:], False


def strip_ends(text: str) -> str:
    """Returns `text` from its first letter or digit to its last."""
    found = _WORDS.search(text)
    return found[0] if found else ""


def strip_end_marks(text: str) -> str:
    """Returns `text` without end-of-sentence marks."""
    return text.rstrip(END_MARKS + " ") or text


def _numbers(text: str) -> list[str]:
    """Returns the numbers in a text without separators of thousands."""
    return [*map(_ungrouped, _NUMBER.findall(text))]


def _ungrouped(number: str) -> str:
    """Returns a number in ASCII digits without separators of thousands: `1000.50` for `1,000.50`
    and `1.000,50`."""
    plain = "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char
        for char in unicodedata.normalize("NFKC", number)
    )
    grouped = _GROUPED.fullmatch(plain)
    return plain.replace(grouped[1], "") if grouped else plain


def _value(number: str) -> str:
    """Returns an ungrouped number as every language writes it: `3.5` is `3,5`, `10:30` is
    `10.30`."""
    return re.sub(r"\D", ".", number)


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number)


def _blank(text: str, spans: Sequence[Span]) -> str:
    """Returns a text of the same length with spaces in place of some parts."""
    blank, place = "", 0
    for start, end in spans:
        blank += text[place:start] + " " * (end - start)
        place = end
    return blank + text[place:]
