from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import CorpusError
from training.new.columns import Detected
from training.new.detect import detect


@pytest.mark.parametrize(
    ("app", "lines"),
    [
        (
            "LINE",
            "2024/05/01(水)\n21:03\t花子\t元気?\n21:04\t\t通話\n午後9:05\t花子\tうん\n",
        ),
        ("LINE", "Wed, 5/1/2024\n09:03 PM\tAnna\tHello!\n09:04PM\tBen\tHi.\n"),
        (
            "KakaoTalk for PCs",
            "--- 2024년 5월 1일 ---\n[홍길동] [오후 9:03] 안녕\n[김] [9:04 PM] 네\n",
        ),
    ],
)
def test_a_chat_that_no_reader_knows_is_refused(tmp_path: Path, app: str, lines: str) -> None:
    (tmp_path / "chat.txt").write_text(lines)
    with pytest.raises(CorpusError, match=rf"chat\.txt: is a chat exported from {app}, which"):
        detect(tmp_path / "chat.txt")


def test_conversations_in_cells_and_in_translations_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dialogues.txt").write_text("Hi . __eou__ Hello . __eou__\n")
    assert detect(tmp_path / "dialogues.txt") == Detected("lines")
    rows = 9 * "Hi . __eou__ Hello . __eou__,Bye .\n"
    (tmp_path / "train.csv").write_text(f"Context,Utterance\n{rows}")
    (tmp_path / "train.en").write_text("Hi . __eou__ Hello . __eou__\n")
    for name in ("train.csv", "train.en"):
        with pytest.raises(CorpusError, match=r"has __eou__ between turns, which would be learnt"):
            detect(tmp_path / name)


@pytest.mark.parametrize(
    "lines",
    [
        "21:15 <anna> Who is there?\n21:16 <ben> It is me.\n",
        "00:01:02\tAnna:\tWho is there?\n00:01:05\tBen:\tIt is me.\n",
        "[12/31/2020 9:15 PM] anna\nWho is there?\nHello?\n\n[12/31/2020 9:16 PM] ben\nMe.\n",
        "Dec 31, 2020  9:15:03 PM\nAnna\nWho is there?\n\nDec 31, 2020  9:16:03 PM\nBen\nMe.\n",
    ],
)
def test_times_are_not_to_be_learnt(tmp_path: Path, lines: str) -> None:
    (tmp_path / "log.txt").write_text(lines)
    with pytest.raises(CorpusError, match=r"log\.txt: its lines begin with times, which would be"):
        detect(tmp_path / "log.txt")


@pytest.mark.parametrize("separator", [" ||| ", " = ", " - "])
def test_two_texts_in_each_line_are_refused(tmp_path: Path, separator: str) -> None:
    (tmp_path / "a.txt").write_text(f"Yes.{separator}Ja.\nNo.{separator}Nein.\n")
    with pytest.raises(CorpusError, match=r"a\.txt: has .* once in each line\. .*\\t"):
        detect(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("1 i like tea.\n2 i run a lot.\n3 hi there\thello\n1 so long\tbye now\n", "their numbers"),
        ("1. What is it?\n2. A stone.\n3. A large one.\n", "their numbers"),
        (9 * "Q: What is it?\tA: A stone.\n" + "Well?\n", "Q: and A: before its texts"),
        ("What is it?\tlabels:A stone.\nHow large?\tlabels:Very.\n", "labels: before its texts"),
        ("- What is it?\n- A stone.\n- A large one.\n", "- before its texts"),
        ("Q1: What is it?\nA1: A stone.\n\nQ2: How large is it?\nA2: Very.\n", "their numbers"),
        ("<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n", "im_start"),
        ("### Human: Hi.### Assistant: Hello.\n", "### Human and other marks of prompts"),
        (
            "From: Ann\nTo: Ben\n\nWho is it?\n\nFrom: Ben\nTo: Ann\n\nMe.\n",
            "heads of e-mails .From, To.",
        ),
    ],
)
def test_numbers_and_marks_are_not_learnt(tmp_path: Path, lines: str, reason: str) -> None:
    (tmp_path / "a.txt").write_text(lines)
    with pytest.raises(CorpusError, match=rf"a\.txt: .*{reason}.* would be learnt\."):
        detect(tmp_path / "a.txt")


def test_quotation_marks_around_all_cells_are_not_learnt(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('"Yes."\t"Ja."\n"No."\t"Nein."\n')
    with pytest.raises(CorpusError, match=r"quotation marks, which .* Rename it to \.csv"):
        detect(tmp_path / "a.tsv")
    (tmp_path / "a.tsv").rename(tmp_path / "a.csv")
    assert detect(tmp_path / "a.csv") == Detected("table", ("1", "2"))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.csv", "Käse;Schön\n"),
        ("a.de", "Schönes Wetter!\n"),
        ("a.tsv", "Schönes Wetter!\tGrüße aus Köln\n"),
    ],
)
def test_a_text_in_another_encoding_is_not_read_in_part(
    tmp_path: Path, name: str, line: str
) -> None:
    text = "Frage;Antwort\n" + 5 * line
    (tmp_path / name).write_text(text, "cp1252")
    with pytest.raises(CorpusError, match=r"is in cp1252, not in UTF-8\. .* iconv -f cp1252 -t"):
        detect(tmp_path / name)
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / name).write_text(text, encoding)
        assert detect(tmp_path / name)
    plain = 50 * line.encode("ascii", "ignore")
    (tmp_path / name).write_bytes(plain + line.encode("cp1252"))  # of which its reader tells
    assert detect(tmp_path / name)


@pytest.mark.parametrize(
    ("rows", "column"),
    [
        ("Speaker,Line\nANNA,Who is it?\nBEN,It is me.\nANNA,Why?\nBEN,So.\n", "Speaker"),
        ("From,Date,Text\nAnn,1 May 2020,Who?\nBen,1 May 2020,Me.\nAnn,2 May 2020,Oh.\n", "From"),
        ("1,eng,Who is it?\n2,eng,It is me.\n3,eng,Why?\n", "2"),
        ("1,eng,Who is it?\n2,eng,It is me.\n3,deu,Wer?\n4,deu,Ich.\n", "2"),
    ],
)
def test_speakers_and_other_labels_are_not_answered(tmp_path: Path, rows: str, column: str) -> None:
    (tmp_path / "script.csv").write_text(rows)
    with pytest.raises(CorpusError, match=rf"script\.csv: its column {column} has speakers or"):
        detect(tmp_path / "script.csv")


def test_sentences_with_several_translations_are_no_labels(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("english,german\nGo.,Geh.\nGo.,Geht.\nHi.,Hallo.\nHi.,Hi.\n")
    assert detect(tmp_path / "a.csv") == Detected("table", ("english", "german"))


def test_messages_of_a_user_are_answered(tmp_path: Path) -> None:
    (tmp_path / "chat.csv").write_text("user,bot\nWho is it?,It is me.\nWhere are you?,Here.\n")
    assert detect(tmp_path / "chat.csv") == Detected("table", ("user", "bot"))
