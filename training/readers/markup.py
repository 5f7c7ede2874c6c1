"""HTML in texts of exports: posts of forums, tickets of help desks, cards of Anki."""

from __future__ import annotations

import html
import re

_BLOCKS = (
    "p|br|hr|div|section|center|li|ul|ol|dl|dd|dt|h[1-6]|pre|blockquote|table|tbody|thead|tr|td|th"
)
_OTHERS = (
    "a|b|i|u|s|em|strong|small|big|sub|sup|span|font|code|kbd|tt|img|ruby|rb|rt|rp|mark|del|ins"
    "|strike|abbr|cite|q"
)
_REST = r"(?:\s+[\w:-]+=[^<>]*)?\s*/?>"  # attributes, unlike `a <b and b> c`
_BLOCK = re.compile(rf"</?(?:{_BLOCKS}){_REST}", re.IGNORECASE)
_TAG = re.compile(rf"</?(?:{_OTHERS}){_REST}", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d+|#x[\da-f]+);", re.IGNORECASE)


def without_html(text: str) -> str:
    """Returns a text without the tags and entities of HTML; one without any as it is."""
    if "<" not in text and "&" not in text:
        return text
    if not any(pattern.search(text) for pattern in (_BLOCK, _TAG, _ENTITY)):
        return text
    return " ".join(html.unescape(_TAG.sub("", _BLOCK.sub(" ", text))).split())
