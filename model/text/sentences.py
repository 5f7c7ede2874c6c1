"""Ends of sentences in all scripts, the same for training and serving. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

#: Question and exclamation marks: Latin, full-width, Arabic, Ethiopic, Greek.
QUESTION_EXCLAMATION_MARKS = "?!？！؟⸮‽‼⁇⁈⁉﹖﹗፧\u037e"
#: Marks that end a sentence without a space after them.
WIDE_MARKS = "。！？｡︒"
#: All marks that end a sentence; besides the above: Latin, Devanagari, Urdu, Ethiopic, Burmese,
#: Khmer, Tibetan and Armenian full stops.
END_MARKS = ".…" + QUESTION_EXCLAMATION_MARKS + WIDE_MARKS + "．।॥۔።။។៕།༎։"
#: Quotes and brackets that may follow.
CLOSERS = "\"'”’»)\\]」』）›"
#: Quotes, brackets and inverted marks that may precede the first word.
OPENERS = "\"'“”„‘‚«»‹›(（\\[「『¿¡…."
#: The most characters of a full stop with the quotes and spaces after it: a text may be very long.
MAX_END_CHARACTERS = 40

_END = re.compile(rf"[{END_MARKS}][{CLOSERS}]*\s*$")
_QUESTION = re.compile(rf"[?？؟⸮⁇﹖፧\u037e][{CLOSERS}]*$")
_QUESTION_OR_EXCLAMATION = re.compile(rf"[{QUESTION_EXCLAMATION_MARKS}][{CLOSERS}]*$")
#: Languages in which `3.` is an ordinal number.
_WITH_ORDINALS = frozenset("bs cs da de et fi fo hr hu is lv nb nn no pl sk sl sr tr".split())
#: Words with a full stop that ends no sentence, for a text whose language is unknown.
_ABBREVIATIONS = "Mrs? Ms Dr St vs Prof Sra? Mme bzw ca Nr No"
#: The same for a known language (ISO 639).
_ABBREVIATIONS_OF = {
    "cs": "např tzv tj atd apod popř resp Ing Mgr Bc MUDr JUDr Dr Prof Doc sv str obr",
    "da": "bl ca dvs evt fx ifm inkl jf kl mht mv osv pga Hr Fr Dr Prof",
    "de": "bzw ca d\\.h z\\.B u\\.a usw evtl ggf vgl inkl sog Hr Fr Dr Prof St Dipl Ing Hrsg Str",
    "en": "Mrs? Ms Dr St vs Prof Jr Sr Rev Gen Col Capt Lt Sgt Sen Gov Hon Mt Messrs e\\.g i\\.e",
    "es": "Sra?s? Srta Dra? Prof Ud Uds Vd D D\\.ª Dña Lic Ing Gral etc p\\.ej pág núm aprox",
    "fr": "MM? Mmes? Mlles? Dr Pr Me St Ste av env cf p\\.ex",
    "it": "Sig Sig\\.ra Dott Dott\\.ssa Prof Ing Avv Arch ecc pag es",
    "nl": "bijv bv dhr mevr mw Dr Prof Ir Mr ca d\\.w\\.z o\\.a m\\.a\\.w nl resp",
    "pl": "np tzn tj itd itp prof dr mgr inż św ul m\\.in ok",
    "pt": "Sra?s? Dra? Prof Profa Exmo Av Eng aprox pág p\\.ex",
    "ru": "г гг ул д т\\.е т\\.д т\\.п т\\.к др пр им стр руб тыс млн млрд акад проф",
    "sv": "bl\\.a ca d\\.v\\.s dvs e\\.d el f\\.d fr\\.o\\.m m\\.m osv t\\.ex t\\.o\\.m Dr Prof St",
}
#: Words that are abbreviations before a number only: `No. 5`, but `No. I won't.`
_BEFORE_NUMBERS = "No Nos Nr Nrn pp? vol fig art ch chap sec S Abs Kap Bd n núm nº č str рис"
#: The space before a sentence, and a dash (of a list, or of another speaker), a number of a list,
#: such as `1)` or `(a)`, or a box (`[x]`), with the space after it. `1.` may be an ordinal number
#: in some languages.
_LEAD = re.compile(
    r"\s*(?:(?:[-‐‑–—−]|\(?(?:\d{1,3}|[^\W\d_])\))\s+(?=\S))?(?:\[[ xX]\]\s+(?=\S))?"
)
_LEAD_WITHOUT_ORDINALS = re.compile(rf"\s*\d{{1,3}}\.\s+(?=\S)|{_LEAD.pattern}")
_BEFORE_WORD = r"(?:^|[\s(\"'“„«.])"
#: What continues a sentence after a quote: a comma, a Japanese particle (`「はい。」と言った`).
_AFTER_QUOTE = "[、，のをがにだ]|と|って|など|なんて"
_ORDINAL = re.compile(r"(?<!\d)(?<!\d[.,])\d{1,2}\.\s+$")
_NUMBERED = re.compile(
    rf"{_BEFORE_WORD}(?:{_BEFORE_NUMBERS.replace(' ', '|')})\.\s+$", re.IGNORECASE
)
#: A full stop after an initial, or two: `J. Jones`, `z. B.`, but also `up to x. Now`.
_INITIAL = re.compile(r"(?:^|[\s(\"'“„«])([^\W\d_]\. ?)?([^\W\d_])\.\s+$")


def is_ended(text: str) -> bool:
    """Tells whether a text ends with the end of a sentence."""
    return bool(_END.search(text[-MAX_END_CHARACTERS:]))


def is_question(text: str) -> bool:
    """Tells whether a text ends with a question mark."""
    return bool(_QUESTION.search(text[-MAX_END_CHARACTERS:]))


def is_question_or_exclamation(text: str) -> bool:
    """Tells whether a text ends with a question or an exclamation mark."""
    return bool(_QUESTION_OR_EXCLAMATION.search(text[-MAX_END_CHARACTERS:]))


def sentences_of(text: str) -> Iterator[str]:
    """Yields the sentences of a text, in order, without the spaces between them."""
    start = 0
    for end in _ends_of(text, ""):
        yield text[start:end].strip()
        start = end
    yield text[start:].strip()


def sentence_spans(text: str, language: str = "") -> Iterator[tuple[int, int]]:
    """Yields start and end of each sentence of a text, without the white space around it and the
    dash, number or box of a list before it.

    Args:
        text: may have several lines; a line break alone ends no sentence.
        language: ISO 639 code, for abbreviations, ordinal numbers and marks that have another
            meaning elsewhere; empty if it is unknown.
    """
    base = language.partition("-")[0].lower()
    leads = _LEAD if not base or base in _WITH_ORDINALS else _LEAD_WITHOUT_ORDINALS
    start = 0
    for end in (*_ends_of(text, base), len(text)):
        part = text[start:end]
        if part.strip():
            lead = leads.match(part).end()  # type: ignore[union-attr]
            yield start + lead, start + len(part.rstrip())
        start = end


def _ends_of(text: str, language: str) -> Iterator[int]:
    """Yields where sentences end, white space after them included, but for the last. A small letter
    begins one only where the text has no other, after a question or an exclamation mark."""
    start, has_capitals = 0, not text.islower()
    for mark in _ends(language).finditer(text):
        end = text[max(start, mark.end() - MAX_END_CHARACTERS) : mark.end()]
        rest = text[mark.end() : mark.end() + 2]
        if not rest or _is_abbreviation(end, rest, language):
            continue
        if rest[0].islower() and (
            has_capitals or end.rstrip()[-1] not in QUESTION_EXCLAMATION_MARKS
        ):
            continue
        yield mark.end()
        start = mark.end()


@cache
def _ends(language: str) -> re.Pattern[str]:
    marks = END_MARKS + (";" if language == "el" else "")  # the Greek question mark
    unspaced = rf"(?:(?<=[{WIDE_MARKS}])[{CLOSERS}]*+|[{CLOSERS}]*+(?<=[」』]))"
    is_quoted = rf"(?<=[{CLOSERS}])(?:{_AFTER_QUOTE})"
    return re.compile(rf"(?<![{marks}])[{marks}]++(?:[{CLOSERS}]*+\s+|{unspaced}(?!{is_quoted}))")


@cache
def _abbreviation(language: str) -> re.Pattern[str]:
    """Returns the pattern of a full stop that ends nothing: `Mr. Smith`"""
    words = _ABBREVIATIONS_OF.get(language, _ABBREVIATIONS).split()
    return re.compile(rf"{_BEFORE_WORD}(?:{'|'.join(words)})\.\s+$")


def _is_abbreviation(end: str, rest: str, language: str) -> bool:
    """Tells whether the full stop at the end belongs to an abbreviation, by the text around it."""
    initial = _INITIAL.search(end)
    if initial:
        return initial[2].isupper() or initial[1] is not None or rest[1:2] == "."
    if language in _WITH_ORDINALS and _ORDINAL.search(end):
        return True
    if language and rest[0].isdigit() and _NUMBERED.search(end):
        return True
    return bool(_abbreviation(language).search(end))
