"""Byte-order marks, by which a file says how it is encoded."""

from __future__ import annotations

import codecs

#: UTF-32 first: its little-endian mark begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def encoding_of_mark(content: bytes) -> tuple[bytes, str] | None:
    """Returns the byte-order mark at the beginning of `content` with its encoding, if any."""
    return next((pair for pair in MARKS if content.startswith(pair[0])), None)
