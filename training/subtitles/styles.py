"""Detection of speech in SubStation, by styles and tags, as against signs and songs."""

from __future__ import annotations

import re
from functools import lru_cache

#: Words in the names of styles whose events are not speech.
_NON_SPEECH_WORDS = frozenset(
    "credit credits ed ending eyecatch insert kara karaoke logo lyric lyrics note notes op opening "
    "romaji sign signs song songs staff title titles ts typeset typesetting".split()
)
#: `OPRomaji` has two words, and so have `OP-romaji` and `op_romaji2`.
_NAME_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
#: Times of syllables: `{\k20}`, `{\an8\kf15}`
_KARAOKE = re.compile(r"\{[^}]{0,500}\\(?:[kK]|kf|ko|kt)\d")


def is_speech(style: str, text: str) -> bool:
    """Tells whether an event is speech, by the name of its style and the tags in its text."""
    return _is_speech_style(style) and not ("\\" in text and _KARAOKE.search(text))


@lru_cache(maxsize=1000)
def _is_speech_style(style: str) -> bool:
    words = [word.lower() for word in _NAME_WORD.findall(style)]
    return words[:2] == ["sub", "title"] or not _NON_SPEECH_WORDS.intersection(words)
