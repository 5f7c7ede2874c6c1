"""Detokenisation, for OPUS' tokenised files without spaces. Pure functions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

#: Tokens without a space before them, and tokens without one after them.
_CLOSING = re.compile(r"[.,;:?!%)\]}»”’…。、，．！？；：）］｝」』】]+$")
_OPENING = frozenset("( [ { « “ „ ‚ ‘ ¿ ¡ $ £ （ ［ ｛ 「 『 【".split())
#: What tokenisers split from the word before: don 't, it 's, I 'll, do n't, geht 's.
_CLITIC = re.compile(r"(?:['’](?:s|t|m|d|re|ve|ll)|n['’]t)$", re.IGNORECASE)
#: What French and Italian tokenisers split from the word after: l' homme, qu' il, dell' acqua.
_ELISION = re.compile(r"[^\W\d_]{0,6}(?:[^\W\d_s]|^s)['’]$", re.IGNORECASE)
_VOWEL = re.compile(r"[aeiouyhàâäáèéêëìîïíòôöóùûüúœæ]", re.IGNORECASE)
_DOTS = ("...", "…")
_QUOTES = ('"', "'")
#: Scripts without spaces: Thai, Lao, Burmese, Khmer, kana, Chinese characters, wide forms.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]"
)


def detokenised(tokens: Sequence[str]) -> str:
    """Returns the sentence of some tokens, with the usual spaces.

    Straight quotation marks open and close in turn; a single one opens if it is first. The habits
    of one language (a space before a French question mark) are not restored.
    """
    text, attaches_next = "", True
    open_quotes: set[str] = set()
    remaining = Counter(tokens)
    for place, token in enumerate(tokens):
        remaining[token] -= 1
        closes = token in _QUOTES and (token in open_quotes or (place > 0 and not remaining[token]))
        if not (attaches_next or closes or _attaches_left(text, token)):
            text += " "
        text += token
        following = tokens[place + 1] if place + 1 < len(tokens) else ""
        attaches_next = token in _OPENING or (place == 0 and token in _DOTS)
        if closes:
            open_quotes.discard(token)
        elif token in _QUOTES:
            open_quotes.add(token)
            attaches_next = True
        elif _ELISION.match(token) and _VOWEL.match(following):
            attaches_next = True
    return text


def _attaches_left(text: str, token: str) -> bool:
    if _CLOSING.match(token) or _CLITIC.match(token):
        return True
    return bool(_UNSPACED.match(token[:1]) and _UNSPACED.match(text[-1:]))
