"""Detection of encodings: from bytes to text. Knows no file and no format.

It tries, from certain to uncertain: a byte-order mark; zero bytes, which only UTF-16 and UTF-32
have; UTF-8, whose rules other text breaks; and then a guess by the frequency of letter sequences.
"""

from __future__ import annotations

import re

import chardet

from model.text.encodings import encoding_of_mark

#: Encodings that are guessed: those of subtitles in the wild. Of two that differ only in a few
#: characters, the larger one is listed (cp1252, not latin-1; gb18030, not gb2312).
GUESSED = (
    "cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp866 cp874 "
    "iso8859-2 iso8859-5 iso8859-7 iso8859-9 iso8859-15 koi8-r koi8-u mac-roman "
    "big5hkscs cp949 cp932 euc_jis_2004 gb18030 iso2022_jp_2".split()
)
WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
#: UTF-8 with a few damaged bytes is still UTF-8: at least this many sound characters for each.
SOUND_FOR_EACH_DAMAGED = 4
#: Zero bytes that are rarer are damage: in UTF-16, times and line breaks alone have more.
OTHER_FOR_EACH_ZERO = 200

_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
#: Control characters in ISO 8859, but quotes and dashes in the Windows code pages.
_CONTROLS_OF_ISO = re.compile(b"[\x80-\x9f]")
#: The rules of UTF-8 hold for ISO 2022, whose characters are ASCII after this.
_ESCAPE_OF_ISO_2022 = b"\x1b$"
#: Bytes without a character in cp1252, in the form of the error handler `surrogateescape`.
_NOT_IN_CP1252 = {byte: 0xDC00 + byte for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}


def decode(content: bytes) -> tuple[str, str]:
    """Decodes the contents of a file. Returns the text, without a byte-order mark and with U+FFFD
    for invalid bytes, and Python's name of its encoding.

    Raises:
        ValueError: if it is no text in a known encoding.
    """
    marked = encoding_of_mark(content)
    if marked:
        mark, encoding = marked
        return content[len(mark) :].decode(encoding, errors="replace"), encoding
    zeros = content.count(b"\0")
    if zeros * OTHER_FOR_EACH_ZERO > len(content):
        return _decode_wide(content)
    text = None if _ESCAPE_OF_ISO_2022 in content else _decode_utf8(content)
    text, encoding = (text, "utf-8") if text is not None else _decode_by_guess(content)
    return text.replace("\0", "\ufffd"), encoding


def _decode_wide(content: bytes) -> tuple[str, str]:
    """Decodes in units of 2 or 4 bytes, in the way that gives most ASCII: every text has lines,
    digits and spaces, and swapped bytes turn them into rare characters."""
    readings = []
    for encoding in WIDE:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if text and "\0" not in text:
            readings.append((len(_BEYOND_ASCII.sub("", text)) / len(text), text, encoding))
    if not readings:
        raise ValueError("it contains zero bytes, which text does not")
    _, text, encoding = max(readings)
    return text, encoding


def _decode_utf8(content: bytes) -> str | None:
    try:
        return _undo_second_encoding(content.decode("utf-8"))
    except UnicodeDecodeError:
        text = content.decode("utf-8", errors="replace")
    damaged = text.count("\ufffd")
    sound = len(_BEYOND_ASCII.findall(text)) - damaged
    return text if sound >= SOUND_FOR_EACH_DAMAGED * damaged else None


def _undo_second_encoding(text: str) -> str:
    """Returns what was encoded as UTF-8, taken for cp1252 and encoded again (`fÃ¼r`); another text
    as it is."""
    try:
        bytes_of_first = text.translate(_NOT_IN_CP1252).encode("cp1252", "surrogateescape")
        return bytes_of_first.decode("utf-8")
    except UnicodeError:
        return text


def _decode_by_guess(content: bytes) -> tuple[str, str]:
    is_iso = not _CONTROLS_OF_ISO.search(content)
    choices = [each for each in GUESSED if is_iso or not each.startswith("iso8859")]
    found = chardet.detect(
        content.replace(b"\0", b""),
        max_bytes=len(content),
        compat_names=False,
        include_encodings=choices,
        no_match_encoding="cp1252",
    )
    encoding = found["encoding"]
    if encoding is None:
        kind = found.get("mime_type") or "unknown bytes"
        raise ValueError(f"its encoding is not known ({kind})")
    return content.decode(encoding, errors="replace"), encoding
