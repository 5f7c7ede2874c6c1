"""Detection of a file's encoding, and encoding of its translation."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from model.errors import InputError

#: UTF-32 comes first: its little-endian mark begins with that of UTF-16.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Windows code pages of files that are not in Unicode, by the language of the text.
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
_DEFAULT_CODE_PAGE = "cp1252"


@dataclass(frozen=True)
class Encoding:
    """An encoding.

    Attributes:
        name: Python's name of it.
        bom: bytes before the text.
    """

    name: str
    bom: bytes = b""

    def encode(self, text: str) -> bytes:
        """Encodes a text; as UTF-8 with a byte-order mark if this encoding lacks a character."""
        try:
            return self.bom + text.encode(self.name)
        except UnicodeEncodeError:
            return codecs.BOM_UTF8 + text.encode("utf-8", "replace")


def decode(data: bytes, language: str) -> tuple[str, Encoding]:
    """Decodes a file by its byte-order mark, else as UTF-8, else by the Windows code page of
    `language`.

    Raises:
        InputError: if none of these decodes it.
    """
    bom, name = next(((m, n) for m, n in _BYTE_ORDER_MARKS if data.startswith(m)), (b"", "utf-8"))
    try:
        text = data[len(bom) :].decode(name)
    except UnicodeDecodeError as error:
        if bom:
            raise InputError(
                f"byte {error.start} is not {name}, as the byte-order mark says"
            ) from None
        name = _CODE_PAGE_OF.get(language, _DEFAULT_CODE_PAGE)
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            raise InputError(f"neither UTF-8 nor {name}; save the file as UTF-8") from None
    if "\0" in text:
        raise InputError(
            "zero bytes: not text, or UTF-16 without a byte-order mark; save the file as UTF-8"
        )
    return text, Encoding(name, bom)
