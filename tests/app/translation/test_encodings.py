from __future__ import annotations

import codecs

import pytest

from app.translation.encodings import decode
from model.errors import InputError


@pytest.mark.parametrize(
    ("data", "language", "text"),
    [
        ("Ähm…".encode(), "de", "Ähm…"),
        (codecs.BOM_UTF8 + "Ähm".encode(), "de", "Ähm"),
        (codecs.BOM_UTF16_LE + "Ähm".encode("utf-16-le"), "de", "Ähm"),
        (codecs.BOM_UTF16_BE + "Ähm".encode("utf-16-be"), "de", "Ähm"),
        ("„Ähm“".encode("cp1252"), "de", "„Ähm“"),
        ("Да".encode("cp1251"), "ru", "Да"),
        ("你好".encode("gb18030"), "zh", "你好"),
        ("你好".encode("gb18030"), "zh-Hans", "你好"),
        ("請問，有人在家嗎？".encode("big5"), "zh", "請問，有人在家嗎？"),
        ("誰かいますか".encode("euc_jp"), "ja", "誰かいますか"),
        ("誰かいますか".encode("cp932"), "ja", "誰かいますか"),
        ("Здесь кто-нибудь есть?".encode("koi8-r"), "ru", "Здесь кто-нибудь есть?"),
        ("Jest tu ktoś?".encode("iso8859-2"), "pl", "Jest tu ktoś?"),
    ],
)
def test_a_file_is_decoded_and_encoded_as_it_was(data: bytes, language: str, text: str) -> None:
    decoded, encoding = decode(data, language)
    assert decoded == text
    assert encoding.encode(decoded) == data


def test_a_translation_that_the_encoding_lacks_is_written_in_utf_8() -> None:
    _, encoding = decode("Ähm".encode("cp1252"), "de")
    assert encoding.encode("Да") == codecs.BOM_UTF8 + "Да".encode()


@pytest.mark.parametrize(
    "data", [b"a\0b", "Hi".encode("utf-16-le"), codecs.BOM_UTF8 + b"\xff", b"\x81\xff \x81"]
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        decode(data, "zh")
