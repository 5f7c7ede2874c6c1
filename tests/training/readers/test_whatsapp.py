from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.errors import CorpusError
from training.files.records import Example, Fault
from training.readers.chats import ChatOptions
from training.readers.whatsapp import read_whatsapp

KEEP = ChatOptions(keep_names=True)


def read(path: Path, *lines: str, options: ChatOptions = KEEP) -> list[Example | Fault]:
    path.write_text("\n".join(lines), encoding="utf-8")
    return list(read_whatsapp(path, options))


@pytest.mark.parametrize(
    "head",
    [
        "12/31/20, 9:15 PM - ",
        "12/31/20, 9:15\u202fPM - ",
        "[12/31/20, 9:15:03 PM] ",
        "\u200e[12/31/20, 9:15:03\u202fPM] ",
        "[31.12.20, 21:15:03] ",
        "31.12.20, 21:15 - ",
        "31.12.20, 21:15 – ",
        "31/12/2020 21:15 - ",
        "31/12/2020 à 21:15 - ",
        "31/12/2020, 9:15 p.\u00a0m. - ",
        "2020-12-31, 9:15 p.m. - ",
        "2020-12-31 21:15 - ",
        "2020/12/31, 9:15 pm - ",
        "[31.12.2020 klo 21.15.03] ",
        "2020. 12. 31. 오후 9:15, ",
        "[2020. 12. 31. 오후 9:15:03] ",
        "2020년 12월 31일 오후 9:15, ",
        "[2020/12/31 下午9:15:03] ",
        "[2020/12/31, 21:15:03] ",
        "\u200f[٣١\u200f/١٢\u200f/٢٠٢٠, ٩:١٥:٠٣ م] ",
        "12/31/2020 21:15:48: ",
        "2020/12/31 21:15 - ",
    ],
)
def test_every_style_of_date_begins_a_message(tmp_path: Path, head: str) -> None:
    path = tmp_path / "_chat.txt"
    found = read(path, f"{head}Anna: Who is there?", "Hello?", f"{head}Ben: It is me: Ben.")
    assert found == [Example(("Who is there? Hello?",), "It is me: Ben.", f"{path}:1", f"{path}:3")]


@pytest.mark.parametrize(
    "notice",
    [
        "Messages and calls are end-to-end encrypted. No one outside of this chat can read them.",
        "Anna added Ben",
        'Anna changed the subject from "A: b" to "C: d"',
        "Anna changed the subject to “Trip: May”",
        "Anna: \u200eimage omitted",
        "Anna: \u200eBild weggelassen",
        "Anna: \u200e何か",
        "Anna: \u200e<attached: 00001-PHOTO.jpg>",
        "Anna: image omitted",
        "Anna: Bild weggelassen",
        "Anna: imagen omitida",
        "Anna: <Media omitted>",
        "Anna: <Medien ausgeschlossen>",
        "Anna: <Multimedia omitido>",
        "Anna: IMG-20201231-WA0001.jpg (file attached)",
        "Anna: IMG-20201231-WA0001.jpg (Datei angehängt)",
        "Anna: This message was deleted.",
        "Anna: You deleted this message",
        "Anna: Diese Nachricht wurde gelöscht.",
        "Anna: Missed voice call",
        "Anna: null",
        "Anna: location: https://maps.google.com/?q=1.0,2.0",
        "Anna: ",
        "Anna:",
        "Family: Messages and calls are end-to-end encrypted. Only people in this chat can read.",
    ],
)
def test_what_the_app_writes_is_left_out(tmp_path: Path, notice: str) -> None:
    head = "31/12/20, 21:15 - "
    found = read(tmp_path / "a.txt", f"{head}Anna: hi", f"{head}{notice}", f"{head}Ben: hello")
    assert [(each.source, each.target) for each in found if isinstance(each, Example)] == [
        (("hi",), "hello")
    ]
    assert len(found) == 1


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("yes \u200e<This message was edited>", "yes"),
        ("yes <Diese Nachricht wurde bearbeitet.>", "yes"),
        ("look \u200e<attached: 0001-PHOTO.jpg>", "look"),
        ("IMG-1.jpg (file attached)\nlook", "look"),
        ("I <3 you", "I <3 you"),
        ("my video call was missed", "my video call was missed"),
        ("end-to-end encrypted", "end-to-end encrypted"),
    ],
)
def test_what_a_person_wrote_is_kept(tmp_path: Path, written: str, text: str) -> None:
    head = "31/12/20, 21:15 - "
    [example] = read(tmp_path / "a.txt", f"{head}Anna: hi", f"{head}Ben: {written}")
    assert isinstance(example, Example)
    assert example.target == text


def test_what_looks_like_another_style_is_a_part_of_a_message(tmp_path: Path) -> None:
    [example] = read(
        tmp_path / "a.txt",
        "[31.12.20, 21:15:03] Anna: He wrote:",
        "12/31/20, 9:15 PM - Carl: no",
        "[31.12.20, 21:16:03] Ben: Oh.",
    )
    assert isinstance(example, Example)
    assert example.source == ("He wrote: 12/31/20, 9:15 PM - Carl: no",)


def test_the_order_of_dates_is_that_of_the_whole_file(tmp_path: Path) -> None:
    found = read(
        tmp_path / "a.txt",
        "03/04/21, 10:00 - Anna: a",
        "03/04/21, 11:00 - Ben: b",
        "04/04/21, 10:00 - Anna: c",
        "25/04/21, 10:00 - Ben: d",
    )
    # Were it the month that is first, the last date would be none.
    assert [each.target for each in found if isinstance(each, Example)] == ["b"]
    assert len(found) == 1


def test_a_message_without_a_possible_date_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    head = "31.12.20, 21:15 - "
    lines = [f"{head}Anna: a", f"{head}Ben: b", "31.12.20, 29:15 - Anna: c", "rest"]
    example, fault = read(path, *lines, f"{head}Ben: d")
    assert isinstance(example, Example)
    assert fault == Fault(f"{path}:3", "there is no time 29:15")


def test_text_before_the_first_message_is_one_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    fault, example = read(
        path, "Notes", "more", "31.12.20, 21:15 - Anna: a", "31.12.20, 21:15 - Ben: b"
    )
    assert fault == Fault(f"{path}:1", "expected a date, a time and a sender")
    assert isinstance(example, Example)


def test_names_are_hidden_by_default(tmp_path: Path) -> None:
    lines = [
        "[31.12.20, 21:15:03] Anna: hi @\u2068Ben K\u2069",
        "[31.12.20, 21:15:04] ~ Ben: Anna!",
    ]
    [example] = read(tmp_path / "a.txt", *lines, options=ChatOptions())
    assert isinstance(example, Example)
    assert (example.source, example.target) == (("hi @name",), "@name!")


@pytest.mark.parametrize("text", ["", "hello\nworld", "1,2,3\n"])
def test_another_file_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(CorpusError, match="not a WhatsApp chat"):
        read(tmp_path / "a.txt", text)


@settings(max_examples=80)
@given(
    pieces=st.lists(
        st.text(max_size=10)
        | st.sampled_from(
            ["31/12/20, 21:15 - ", "99/99/99, 21:15 - ", "A: ", "\n", "\u200e", "<a b>"]
        )
    )
)
def test_wild_texts_are_faults_at_worst(tmp_path: Path, pieces: list[str]) -> None:
    path = tmp_path / "a.txt"
    content = "31/12/20, 21:15 - A: b\n" + "".join(pieces)
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    for record in read_whatsapp(path, ChatOptions()):
        assert record.origin.startswith(f"{path}:")
