"""The surface form of a sentence: in capitals, or without its end mark. Pure functions.

Models of sentences learn well-formed ones: they take `GOOD MORNING` for a rare name, `how are you`
for a part of a sentence, and complete `Save file` to a statement. So capitals are read in lower
case, short texts with end marks too, and a translation is written in the form of its source.
"""

from __future__ import annotations

import re

from model.text.scripts import is_unspaced
from model.text.sentences import END_MARKS, is_ended

#: Fewer letters in capitals are an initial.
_MIN_CAPITALS = 2
_FIRST_LETTER = re.compile(r"[^\W\d_]")
#: A single mark at the end, which is not the second full stop of `e.g.` either.
_END_MARK = re.compile(rf"(?<=[^\W\d_]{{2}})\s?[{END_MARKS}]$")
_MARK_AFTER_DIGIT = re.compile(rf"(?<=\d)\s?[{END_MARKS}]$")
#: Marks at the end of a text, which it has in every language with spaces.
_MARKS = re.compile(r"(?<=[^\W_])\s?([.]{3,}|[!?…,:;]+|[.])$")
#: Of these, marks in whose use languages differ: `Komm her!` is `Come here.`, and Greeks ask with
#: a semicolon.
_EQUAL_MARKS = ({".", "!"}, {"?", ";"})
#: German quotation marks of which one is straight.
_MIXED_QUOTES = re.compile(r'(?:„([^„“”"]*)"|(?<!\S)"([^\s„“”"][^„“”"]*)“)(?!\w)')
#: Longer words in capitals are no abbreviations.
MAX_ABBREVIATION = 3
#: Longer texts without an end mark are translated as well as with one.
_MAX_SHORT_WORDS = 5
#: Fewer words with capitals may be a name, or German nouns.
_MIN_TITLE_WORDS = 5


def is_in_capitals(text: str) -> bool:
    """Tells whether a text has letters, all of them capitals."""
    return text.isupper() and sum(map(str.isalpha, text)) >= _MIN_CAPITALS


def without_capitals(text: str) -> str:
    """Returns a text in capitals, or one whose words begin with capitals, in lower case, but for
    its first letter; other texts as they are."""
    if not is_in_capitals(text) and not (len(text.split()) >= _MIN_TITLE_WORDS and _is_title(text)):
        return text
    return _FIRST_LETTER.sub(lambda first: first[0].upper(), text.lower(), count=1)


def _is_title(text: str) -> bool:
    """Tells whether all words of a text begin with capitals."""
    return all(word[0].isupper() for word in text.split())


def readings(text: str) -> list[str]:
    """Returns the sentences that a text may be, without capitals; its likeliest translation tells
    which it is. A few words without an end mark may be a part of a sentence, a title, a statement
    or a question: `how are you` is one and `dog` is none. A few capitals may be an abbreviation:
    `OK`."""
    plain = without_capitals(text)
    is_short = text[-1:].isalpha() and len(text.split()) <= _MAX_SHORT_WORDS
    others = list[str]()
    if is_short and not is_unspaced(text[-1]):
        title = plain.lower() if _is_title(plain) and " " in plain else f"{plain}."
        others = [plain[:1].lower() + plain[1:], title, f"{plain}?"]
    is_abbreviation = plain != text and len(text) <= MAX_ABBREVIATION
    return [*dict.fromkeys([plain, *others, *([text] if is_abbreviation else [])])]


def is_name(text: str, translation: str) -> bool:
    """Tells whether a text of several words is a name, which its translation copies, and not to be
    read in lower case."""
    return " " in text and translation == text


def in_form_of(source: str, translation: str) -> str:
    """Returns a translation in the form of its source: in capitals or with a capital at its start,
    and with the marks at its end. Quotation marks become those of one language."""
    translation = _with_marks_of(source, _MIXED_QUOTES.sub(_in_german_quotes, translation))
    if source[:1].isupper():
        translation = translation[:1].upper() + translation[1:]
    return translation.upper() if is_in_capitals(source) else translation


def _in_german_quotes(quote: re.Match[str]) -> str:
    return f"„{quote[1] or quote[2] or ''}“"


def _with_marks_of(source: str, translation: str) -> str:
    wanted, found = _MARKS.search(source), _MARKS.search(translation)
    if wanted is None and is_ended(source):
        return translation
    if wanted is None:
        translation = _END_MARK.sub("", translation)
        return _MARK_AFTER_DIGIT.sub("", translation) if source[-1:].isdigit() else translation
    if found is None:
        has_none = translation[-1:].isalnum() and not is_unspaced(translation[-1])
        return translation + wanted[1] * has_none
    if wanted[1] == found[1] or {wanted[1], found[1]} in _EQUAL_MARKS:
        return translation
    return translation[: found.start()] + wanted[1]
