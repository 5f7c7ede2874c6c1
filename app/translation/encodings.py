"""Detection of a file's encoding, and encoding of its translation."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from dataclasses import dataclass

from model.errors import InputError
from model.language_id import base_of, known_languages, predict
from model.text.encodings import encoding_of_mark
from model.text.normalise import normalise

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
#: Other encodings in which subtitles of a language occur.
_OTHER_ENCODINGS = {
    **dict.fromkeys(("cs", "hu", "pl", "sk", "sl"), ("iso8859-2",)),
    "ja": ("euc_jis_2004",),
    "ru": ("koi8-r", "iso8859-5", "cp866"),
    "uk": ("koi8-u",),
    "zh": ("big5hkscs",),
}
#: Number of characters by which the language of a text is identified, and that are searched.
_IDENTIFIED_CHARACTERS, _READ_CHARACTERS = 400, 20_000
_ASCII = re.compile(r"[\x00-\x7f]+")


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
    """Decodes a file by its byte-order mark, else as UTF-8, else in that encoding of `language` in
    which the text is likeliest in this language.

    Args:
        data: contents of the file.
        language: language of its text, as the model names it.

    Raises:
        InputError: if none of these decodes it.
    """
    bom, name = encoding_of_mark(data) or (b"", "utf-8")
    try:
        text = data[len(bom) :].decode(name)
    except UnicodeDecodeError as error:
        if bom:
            raise InputError(
                f"byte {error.start} is not {name}, as the byte-order mark says"
            ) from None
        text, name = _decode_by_language(data, base_of(language))
    if "\0" in text:
        raise InputError(
            "zero bytes: not text, or UTF-16 without a byte-order mark; save the file as UTF-8"
        )
    return text, Encoding(name, bom)


def _decode_by_language(data: bytes, language: str) -> tuple[str, str]:
    """Returns the text of a file that is not in Unicode, and its encoding."""
    code_page = _CODE_PAGE_OF.get(language, _DEFAULT_CODE_PAGE)
    names = (code_page, *_OTHER_ENCODINGS.get(language, ()))
    decoded = []
    for name in names:
        with suppress(UnicodeDecodeError):
            decoded.append((data.decode(name), name))
    if not decoded:
        raise InputError(f"neither UTF-8 nor {' nor '.join(names)}; save the file as UTF-8")
    if len(decoded) == 1:
        return decoded[0]
    return max(decoded, key=lambda each: _likelihood(each[0], language))


def _likelihood(text: str, language: str) -> float:
    """Returns the probability that a text is in a language, by its characters beyond ASCII."""
    words = normalise(_ASCII.sub(" ", text[:_READ_CHARACTERS]))[:_IDENTIFIED_CHARACTERS]
    found = predict(words, len(known_languages())) if words else []
    return next((probability for probability, code in found if code == language), 0.0)
