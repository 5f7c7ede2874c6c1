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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.translation.words import Span
from model.text.sentences import END_MARKS

#: Characters that stand for what is kept or translated apart: U+F0000 to U+FFFFD.
FIRST_SUBSTITUTE, MAX_SUBSTITUTES = 0xF0000, 65_534
#: Chinese, Japanese and Korean characters, which follow an address without a space.
_EAST_ASIAN = "\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef"
_LETTER = rf"[^\W{_EAST_ASIAN}]"
_UNIT = rf"[^\W\d_{_EAST_ASIAN}]{{1,4}}"
_IN_URL = rf'(?:[^\s<>"(){_EAST_ASIAN}]|\([^\s<>"(){_EAST_ASIAN}]{{0,200}}\))'
_CURRENCY = r"[$£¥\u20a0-\u20cf]"
_QUANTITY = r"\d{1,15}+(?:[.,'’\u00a0\u202f]\d{1,15}+){0,5}+"
_SIGN = r"(?<![\w.)])[-−–+±]"
_AMOUNT = rf"(?:{_SIGN})?{_QUANTITY}(?:[-–]{_QUANTITY})?"
_MEASURE = (
    r"°[CF]?|[℃℉]|[kcm]?m(?:[²³]|/[hs])?|[km]?g|[cm]?l|[kMGT]i?B|[kMG]?Hz|[kMG]?Wh?|[km]?V|mAh?|"
    r"[mµn]s|min|hrs?|h|mph|ft|lbs?|oz|px|dpi|fps|[kMG]bps|[hk]?Pa|dB|kcal"
)
_CURRENCY_CODE = "AUD|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HUF|INR|JPY|NOK|NZD|PLN|RUB|SEK|USD"
#: A letter of a script with capitals, whose words are not written together with numbers.
_CASED = "[A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u052f]"
#: Letters of abbreviations that are no words: `TCP/IP`, but not `AND/OR`.
_CONSONANT = "[B-DF-HJ-NP-TV-XZ]"
_FILE_TYPE = (
    "bat|bin|cfg|conf|cpp|css|csv|dll|docx?|epub|exe|gif|gz|html?|ini|iso|jar|java|jpe?g|js|json|"
    "log|md|mkv|mp[34]|odt|pdf|php|png|pptx?|py|rar|rb|rtf|sh|sql|srt|svg|tar|toml|tsx?|txt|vtt|"
    "wav|webp|xlsx?|xml|ya?ml|zip"
)
#: Addresses, amounts with a sign, currency or measure, telephone numbers, words with digits or `+`,
#: files, paths, names and options of programs, placeholders, markup, and substitutes. All
#: repetitions are bounded, since texts may be hostile.
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
      | (?:(?:[A-Z]{{1,3}})?{_CURRENCY}|(?:{_CURRENCY_CODE}))[ \u00a0]?{_AMOUNT}
        (?:[kKmM]|[bB]n?)?(?!{_LETTER})
      | (?<!\d[.,:/'–-]){_AMOUNT}
        [ \u00a0\u202f]?(?:{_CURRENCY}|{_CURRENCY_CODE}|{_MEASURE})(?!['’]?{_LETTER})
      | (?<!\d[.,:/'–-])(?<!\d){_QUANTITY}–{_QUANTITY}(?![\w–])
      | (?<![\d.,:/'–-])\d{{1,2}}[:.]\d\d[-–]\d{{1,2}}[:.]\d\d(?!\d)
      | \+\d{{1,4}}(?:[ /.-]?\(?\d{{1,6}}\)?){{2,7}}+(?!\w)
      | (?<!\d[.,:/'–-])\d{{2,6}}(?:[ ]\d{{2,6}}){{2,8}}+(?!\w)
      | {_SIGN}{_QUANTITY}(?!\w)
      | (?<![.-])(?:[\w-]{{1,60}}\.){{1,4}}(?:{_FILE_TYPE})(?!{_LETTER})
      | (?<![./~])(?:~(?:/[\w.@+-]{{1,60}}){{1,20}}|\.{{0,2}}(?:/[\w.@+-]{{1,60}}){{2,20}})
        (?<!\.)/?
      | [A-Za-z]:\\[^\s<>"|?*]{{1,200}}(?<![.,;:!?'")\]}}])
      | [^\W_]{{1,40}}(?:_[^\W_]{{1,40}}){{1,10}}(?:\(\))?(?!{_LETTER})
      | [a-z]{{2,30}}(?:[A-Z][a-z0-9]{{1,30}}){{1,5}}(?:\(\))?(?!{_LETTER})
      | [A-Za-z][\w.]{{0,60}}+\(\) | (?<![-!])--[A-Za-z][\w-]{{1,40}}(?<!-)
      | (?<![.-]){_CASED}{{1,10}}[\d²³₀-₉][^\W_{_EAST_ASIAN}]{{0,20}}
        (?:\.\d{{1,9}}){{0,4}}(?!{_LETTER})
      | (?:[A-Z][A-Za-z]?[\U000f0000-\U000ffffd]){{1,8}}(?:[A-Z][a-z]?(?!{_LETTER}))?
      | (?:[A-Za-z]{{1,2}}(?:/[A-Za-z]){{1,3}}|[A-Za-z]{{2,11}}(?<!e)/[hs])(?![\w/])
      | (?=(?:[A-Z]{{2,4}}/)?{_CONSONANT}{{2,4}}(?![A-Z]))[A-Z]{{2,4}}/[A-Z]{{2,4}}(?![\w/])
      | [A-Z]{{1,10}}-\d{{1,6}}(?!{_LETTER}) | 0x[0-9A-Fa-f]{{1,16}}(?!{_LETTER})
      | \d{{1,9}}(?:\.\d{{1,9}}){{1,4}}-[A-Za-z]{{1,10}}\.?\d{{1,9}}(?!\.?\w)
      | \d{{1,4}}(?![AP]M)[A-Z][A-Z\d]{{0,6}}(?!{_LETTER})
      | [A-Za-z]{{1,12}}(?:\+\+|\#)(?!{_LETTER})
      | (?:[A-Za-z0-9]{{1,12}}\+){{1,4}}[A-Za-z0-9]{{1,12}}(?!{_LETTER})
      | \$[A-Za-z_]\w{{0,40}} | %[A-Za-z_]\w{{1,40}}%
    )
    """
    r"""
    | \{\{[^{}\n]{0,100}\}\} | \$\{[^{}\n]{0,100}\} | \{[\w.:!\- ]{0,60}\}
    | \{\w{1,40},[ ]?(?:plural|select|selectordinal|number|date|time)\b
      (?:[^{}\n]{0,200}+\{[^{}\n]{0,300}\}){0,12}+[^{}\n]{0,200}\}
    | \{%[^{}\n]{0,200}%\} | <%[^<>\n]{0,200}%> | __[A-Z][A-Z0-9_]{0,60}__
    | \[\[[^\[\]\n]{0,100}\]\] | (?<![\w:]):[A-Za-z_]\w{1,60}:?
    | %\(\w{1,40}\)[-+#0-9.]{0,6}[a-zA-Z] | %(?:\d\$)?[-+#0-9.]{0,6}[sdifuxXcn@](?![A-Za-z]) | %%
    | (?<!\d)%\d{1,2}(?!\w)
    | <!--[^\n]{0,500}?--> | </?[A-Za-z][^<>\n]{0,500}> | </?\d{1,3}/?>
    | &(?:\#\d{1,7}|\#x[0-9a-fA-F]{1,6}|[A-Za-z]\w{1,30});
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
_MARKS = re.compile(r"[^\w\s]{0,3}")
_SINGLE_QUOTES = re.compile("'{2}|‘’|‚[‘’]")
_DOUBLE = '"«»“”„'
_SINGLE = "'‘’‚"
_QUOTED = re.compile(
    rf"[{_DOUBLE}][^{_DOUBLE}\n]{{1,100}}[{_DOUBLE}]|"
    rf"(?<!\w)[{_SINGLE}][^{_SINGLE}\n]{{1,100}}[{_SINGLE}](?!\w)"
)
#: A character that is no letter, mark, symbol or space.
BLANK = "\0"
#: The hyphen of a compound such as `B2B-Kunde`, whose stand-in is read as a word of its own.
_COMPOUND = re.compile(rf"(?<=\w)-(?={_CASED})")
#: A space between a stand-in and a word that touched what it replaces.
_ADDED_SPACE = re.compile(f" ?{BLANK} ?")
#: The end of a sentence after an abbreviation that ends with a full stop, too: `U.S.`
_SECOND_FULL_STOP = re.compile(r"(?<=[^\W\d_]\.[^\W\d_]\.)\.(?!\.)")
_END_OF_WORD = re.compile(rf"{_CASED}\d")
#: What models of German and English write after a stand-in, which may be a time.
_TIME = re.compile(r"\b(\d{3}) (?:Uhr|[Oo]['’]clock)\b")
#: Three digits: models spell out shorter numbers, or read them as times, and split longer ones.
STAND_INS = ("475", "639", "742", "417", "839", "614", "278", "864")


@dataclass(frozen=True)
class Protected:
    """A sentence with stand-ins.

    Attributes:
        text: the sentence, with stand-ins.
        fixed: stand-in -> the text that comes in its place, with `BLANK` where it touches a word.
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
        if it has lost or repeated a stand-in or a number, has a number both with and without its
        separator (`4.5` and `45`), or one as a part of a word, or a part of a stand-in."""
        if self.is_plain:
            return translation
        found = Counter(map(_value, _numbers(translation)))
        wanted = Counter(map(_value, self.required))
        is_lost = any(found[each] != count for each, count in wanted.items())
        others = found.keys() - wanted.keys()
        if is_lost or self._are_garbled(others) or self._has_new_words_with_digits(translation):
            return None
        if not _TIME.search(self.text):
            translation = _TIME.sub(self._without_oclock, translation)
        restored = _NUMBER.sub(
            lambda number: self.fixed.get(_ungrouped(number[0]), number[0]), translation
        )
        return _SECOND_FULL_STOP.sub("", _ADDED_SPACE.sub("", restored))

    def _without_oclock(self, time: re.Match[str]) -> str:
        fixed = self.fixed.get(time[1], "0")
        return time[0] if _NUMBER.fullmatch(fixed) else time[1]

    def _are_garbled(self, others: Iterable[str]) -> bool:
        """Tells whether any of the other numbers has the digits of a number or of a part of it,
        only those of a stand-in, or a stand-in or its beginning among its own."""
        digits = {
            part for each in self.numbers for part in (_digits(each), *_value(each).split("."))
        }
        return any(
            other in digits
            or any(
                {*other} <= {*each} or each in other or other.startswith(each[:2])
                for each in self.fixed
            )
            for other in map(_digits, others)
        )

    def _has_new_words_with_digits(self, translation: str) -> bool:
        """Tells whether a number has become the end of a word, or a stand-in any part of one."""
        if _END_OF_WORD.search(translation) and not _END_OF_WORD.search(self.text):
            return True
        return any(re.search(f"{each}{_CASED}", translation) for each in self.fixed)


def protect(
    sentence: str,
    unreadable: Sequence[Span] = (),
    known: Mapping[Span, str] | None = None,
    *,
    fixes_numbers: bool = False,
) -> Protected:
    """Replaces the fixed parts of a sentence by stand-ins.

    Args:
        sentence: any text.
        unreadable: start and end of other fixed parts, in order, outside of `fixed_spans`.
        known: start and end of parts whose translation is known -> the translation.
        fixes_numbers: whether numbers of more than digits are fixed parts too.
    """
    known = known or {}
    spans = disjoint([*known, *fixed_spans(sentence), *unreadable])
    if fixes_numbers:
        found = _NUMBER.finditer(_blank(sentence, spans))
        spans = sorted([*spans, *(match.span() for match in found if not match[0].isdecimal())])
    if not spans:
        return Protected(sentence, {}, _numbers(sentence))
    numbers = _numbers(_blank(sentence, spans))
    free = iter([each for each in STAND_INS if each not in numbers])
    fixed: dict[str, str] = {}
    text, place = "", 0
    for start, end in spans:
        chosen = next(free, "")
        before, after = sentence[start - 1 : start], sentence[end : end + 1]
        added = [BLANK * bool(re.match(_CASED, each)) for each in (before, after)]
        fixed[chosen] = known.get((start, end), sentence[start:end]).join(added)
        text += f"{sentence[place:start]}{' ' * before.isalnum()}{chosen}{' ' * after.isalnum()}"
        place = end
        if _COMPOUND.match(sentence, end):
            text, place = f"{text} ", end + 1
    return Protected(text + sentence[place:], fixed, numbers)


def fixed_spans(text: str) -> list[Span]:
    """Returns start and end of each address, placeholder and tag; those with only marks between
    them are one part: `{hours}:{minutes}`. Single quotes, which models lose, belong to them."""
    spans = list[Span]()
    for match in _FIXED.finditer(text):
        start, end = match.span()
        if spans and _MARKS.fullmatch(text, spans[-1][1], start):
            start, _ = spans.pop()
        if _SINGLE_QUOTES.fullmatch(text[start - 1 : start] + text[end : end + 1]):
            start, end = start - 1, end + 1
        spans.append((start, end))
    return spans


def quoted_spans(text: str) -> list[Span]:
    """Returns start and end of each text in quotation marks, with these."""
    return [match.span() for match in _QUOTED.finditer(text)]


def is_quoted_in(text: str, quote: str) -> bool:
    """Tells whether `quote` is in quotation marks in a text."""
    marks = f"[{_DOUBLE}{_SINGLE}]"
    return bool(re.search(rf"{marks}{re.escape(quote)}[,.!?]?{marks}", text))


def disjoint(spans: Iterable[Span]) -> list[Span]:
    """Returns spans in order, without those that overlap an earlier one."""
    found = list[Span]()
    for start, end in sorted(spans):
        if not found or found[-1][1] <= start:
            found.append((start, end))
    return found


def blank_fixed(text: str) -> str:
    """Returns a text of the same length with `BLANK` in place of the characters of its fixed
    parts."""
    return _FIXED.sub(lambda match: BLANK * len(match[0]), text)


def split_protected(
    sentence: str, unreadable: Sequence[Span] = (), known: Mapping[Span, str] | None = None
) -> Iterator[tuple[str, bool]]:
    """Yields the parts of a sentence, of which those that are known are translated, and whether
    each is protected. For the arguments see `protect`."""
    known = known or {}
    spans = disjoint([*known, *fixed_spans(sentence), *unreadable])
    blank = _blank(sentence, spans)
    spans = sorted([*spans, *(match.span() for match in _NUMBER_WORD.finditer(blank))])
    place = 0
    for start, end in spans:
        if place < start:
            yield sentence[place:start], False
        yield known.get((start, end), sentence[start:end]), True
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
