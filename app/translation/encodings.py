"""Encodings of files: the one that a file has, and text in it again."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from model.errors import InputError

#: Marks of byte order. UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Encodings of files that are not Unicode, by the language of the text: those of Windows.
_CODE_PAGES = {
    "cp1250": "bs cs hr hu pl ro sk sl sq",
    "cp1251": "be bg mk ru sr uk",
    "cp1253": "el",
    "cp1254": "az tr",
    "cp1255": "he yi",
    "cp1256": "ar fa ur",
    "cp1257": "et lt lv",
    "cp1258": "vi",
    "cp874": "th",
    "cp932": "ja",
    "cp949": "ko",
    "gb18030": "zh",
}
_CODE_PAGE_OF = {
    language: name for name, languages in _CODE_PAGES.items() for language in languages.split()
}
_OF_WESTERN_EUROPE = "cp1252"


@dataclass(frozen=True)
class Encoding:
    """An encoding.

    Attributes:
        name: Python's.
        mark: bytes before the text.
    """

    name: str
    mark: bytes = b""

    def encode(self, text: str) -> bytes:
        """Encodes a text; in UTF-8 with a mark if it has characters that this encoding lacks."""
        try:
            return self.mark + text.encode(self.name)
        except UnicodeEncodeError:
            return codecs.BOM_UTF8 + text.encode("utf-8", "replace")


def decode(data: bytes, language: str) -> tuple[str, Encoding]:
    """Decodes a file: by its mark, else as UTF-8, else by the Windows code page of `language`.

    Raises:
        InputError: if it is in none of these.
    """
    mark, name = next(((m, n) for m, n in _MARKS if data.startswith(m)), (b"", "utf-8"))
    try:
        text = data[len(mark) :].decode(name)
    except UnicodeDecodeError as error:
        if mark:
            raise InputError(
                f"byte {error.start} is not {name}, which the file begins as"
            ) from None
        name = _CODE_PAGE_OF.get(language, _OF_WESTERN_EUROPE)
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            raise InputError(f"neither UTF-8 nor {name}; save the file as UTF-8") from None
    if "\0" in text:
        raise InputError("zero bytes: no text, or UTF-16 without a mark; save the file as UTF-8")
    return text, Encoding(name, mark)
