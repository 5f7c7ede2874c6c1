from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.files.encodings import GUESSED, decode

TIME = "1\n00:00:01,000 --> 00:00:02,000\n"
SAID = {
    "cp1252": "Où est le café de la forêt\u00a0? Là-bas, après l’église.",
    "cp1250": "Ne želim više čekati. Hoćeš li me povesti kući, molim te?",
    "cp1251": "Я не знаю, где он. Пойдём домой.",
    "koi8-r": "Я не знаю, где он. Пойдём домой.",
    "cp1256": "لا أعرف أين هو الآن، هل نعود إلى البيت؟",
    "iso8859-15": "C'était une œuvre très chère\u00a0: dix € la soirée.",
    "gb18030": "我不知道他在哪里，我们回家吧。",
    "big5hkscs": "我不知道他在哪裡，我們回家吧。",
    "cp932": "彼がどこにいるのか知らない。家に帰ろう。",
    "iso2022_jp": "彼がどこにいるのか知らない。家に帰ろう。",
    "cp866": "Я не знаю, где он. Пойдём домой.",
    "mac-roman": "Où est le café de la forêt? Là-bas, après l’église.",
}


@pytest.mark.parametrize("encoding", SAID)
def test_two_sentences_tell_the_encoding(encoding: str) -> None:
    text = TIME + SAID[encoding]
    assert decode(text.encode(encoding))[0] == text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding_and_is_no_text(encoding: str) -> None:
    for text in (*SAID.values(), "x"):
        assert decode(text.encode(encoding))[0] == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_zero_bytes_tell_units_of_two_or_four(encoding: str) -> None:
    for text in (*SAID.values(), "x"):
        assert decode((TIME + text).encode(encoding)) == (TIME + text, encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "cp1251", "gb18030"])
def test_what_was_encoded_twice_is_decoded_twice(encoding: str) -> None:
    text = SAID[encoding]
    once = "".join(bytes([each]).decode("cp1252", "ignore") or chr(each) for each in text.encode())
    assert decode(once.encode())[0] == text


def test_a_few_damaged_bytes_leave_utf8_what_it_is() -> None:
    sound = SAID["cp1251"] * 3
    assert decode(sound.encode() + b"\xd0") == (sound + "\ufffd", "utf-8")


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
@pytest.mark.parametrize("tail", ["", "\n"])  # an even number of bytes is also UTF-16
def test_a_zero_byte_costs_a_character(encoding: str, tail: str) -> None:
    text = (TIME + SAID["cp1252"]) * 3 + tail
    damaged = text.replace("café", "caf\0", 1)
    assert decode(damaged.encode(encoding))[0] == damaged.replace("\0", "\ufffd")


def test_quotes_of_windows_are_no_control_characters() -> None:
    text = TIME + "It is what they call \u201ca film\u201d \u2014 and it\u2019s a long one."
    assert decode(text.encode("cp1252"))[0] == text


@pytest.mark.parametrize("content", [b"\0", b"\0" * 40, b"\0" + b"\xd8" * 9])
def test_bytes_that_are_no_text_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"zero bytes|encoding"):
        decode(content)


@pytest.mark.parametrize(
    "content", [b"%PDF-1.4 \xe2\xe3\xcf\xd3 obj", b"PK\x03\x04\xfa\xff\x17\x91"]
)
def test_other_files_are_told_by_their_kind(content: bytes) -> None:
    with pytest.raises(ValueError, match="application/"):
        decode(content)


@pytest.mark.parametrize("encoding", GUESSED)
def test_every_guess_is_a_codec(encoding: str) -> None:
    assert "a".encode(encoding) == b"a"


@given(st.text())
def test_utf8_is_read_as_it_is(text: str) -> None:
    text = text.replace("\0", "").removeprefix("\ufeff")
    assert decode(text.encode("utf-8", "replace"))[0] == text.encode("utf-8", "replace").decode()


@given(st.binary(max_size=200))
def test_wild_bytes_are_text_or_refused(content: bytes) -> None:
    try:
        decode(content)[0].encode()
    except ValueError as error:
        assert str(error)
