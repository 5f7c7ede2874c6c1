"""The surface form of a sentence: in capitals, or without its final full stop. Pure functions.

Models of sentences learn well-formed ones: they take `GOOD MORNING` for a rare name and complete
`Save file` to a statement. So capitals are read in lower case, and a translation is written in the
form of its source.
"""

from __future__ import annotations

import re

from model.text.sentences import is_ended

#: Fewer letters in capitals are an initial.
_MIN_CAPITALS = 2
_FIRST_LETTER = re.compile(r"[^\W\d_]")
#: A single full stop at the end, which is not the second of `e.g.` either.
_FULL_STOP = re.compile(r"(?<=[^\W\d_]{2})[.。।۔]$")


def is_in_capitals(text: str) -> bool:
    """Tells whether a text has letters, all of them capitals."""
    return text.isupper() and sum(map(str.isalpha, text)) >= _MIN_CAPITALS


def without_capitals(text: str) -> str:
    """Returns a text in capitals in lower case, but for its first letter; other texts as they
    are."""
    if not is_in_capitals(text):
        return text
    return _FIRST_LETTER.sub(lambda first: first[0].upper(), text.lower(), count=1)


def in_form_of(source: str, translation: str) -> str:
    """Returns a translation in the form of its source: in capitals or with a capital at its start,
    and without a final full stop where the source ends with none."""
    if not is_ended(source):
        translation = _FULL_STOP.sub("", translation)
    if source[:1].isupper():
        translation = translation[:1].upper() + translation[1:]
    return translation.upper() if is_in_capitals(source) else translation
