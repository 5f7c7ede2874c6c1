from __future__ import annotations

import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.errors import CorpusError
from training.formats import FORMATS, Format
from training.new.detect import Detected, detect

XML = '<cesAlign><linkGrp fromDoc="de/1.xml" toDoc="en/1.xml"/></cesAlign>'
NAMES = {"cornell": "movie_conversations.txt", "parquet": "a.parquet", "discord": "a.csv"}
#: Formats whose files do not say which they are: two of the same language, or a line-aligned one.
UNSURE = {"bitext": "lines", "moses": "lines", "pairs": "exchanges", "subtitle-pairs": "subtitles"}


@pytest.mark.parametrize("form", FORMATS)
def test_the_example_of_a_format_is_recognised(tmp_path: Path, form: Format) -> None:
    info = FORMATS[form]
    suffix = {"table": ".csv"}.get(form) or (*info.suffixes, ".txt")[0]
    file = tmp_path / NAMES.get(form, f"a{suffix}")
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist([{"text": info.example}]), file)
    else:
        file.write_text(info.example)
    found = detect(file)
    assert found is not None
    assert found.format == UNSURE.get(form, form)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.csv", "id,Question,Answer\n1,Who?,Me.\n", Detected("table", ("Question", "Answer"))),
        ("a.csv", "1;Who is it?;It is me.\n2;Why so?;No.\n", Detected("table", ("2", "3"))),
        ("a.txt", "Who is it?;It is me.\nWhy so?;No idea.\n", Detected("table", ("1", "2"))),
        ("a.txt", "Who is it?\nMe; who else?\n", Detected("lines")),
        (
            "a.csv",
            "No,Utterance,Dialogue_ID,Time\n1,Who is it?,7,1:00\n2,It is me.,7,1:02\n",
            Detected("table", ("Utterance",), "Dialogue_ID"),
        ),
        (
            "a.csv",
            "conv_id,prompt_text,utterance\n7,I saw the fireworks.,When?\n"
            "7,I saw the fireworks.,Now.\n8,I lost my old dog.,Oh no.\n8\n",
            Detected("table", ("utterance",), "conv_id"),
        ),
        ("a.csv", "id,text,text\n1,Who is it?,It is me.\n", Detected("table", ("2", "3"))),
        ("a.csv", "sep=,\n", None),
        ("a.csv", "sep=,\nen,fr\nYes.,Oui.\n", Detected("table", ("en", "fr"))),
        ("a.tsv", "question\tanswer\nWho?\tMe.\n", Detected("table", ("question", "answer"))),
        ("a.txt", "Question\tAnswer\nWho?\tMe.\n", Detected("table", ("Question", "Answer"))),
        ("a.txt", 'Who?\t"Me, of course."\nWhy?\tSo.\n', Detected("table", ("1", "2"))),
        ("a.tsv", 'Who?\t"Me, of course."\nWhy?\tSo.\n', Detected("exchanges")),
        ("a.tsv", "1\tGood day\t7\tGuten Tag\n2\tYes\t9\tJa\n", Detected("table", ("2", "4"))),
        ("a.tsv", "12\ttwelve\n13\tthirteen\n", Detected("exchanges")),
        ("a.txt", "#separator:Comma\n#html:true\nYes.,Ja.\n", Detected("pairs")),
        ("a.csv", ",en,de\n0,Yes.,Ja.\n1,No.,Nein.\n", Detected("table", ("en", "de"))),
        ("a.csv", "text.en,text.de\nYes.,Ja.\n", Detected("table", ("text.en", "text.de"))),
        ("a.csv", "id,en,de,note\n1,Yes.,Ja.,Nobody knows.\n", Detected("table", ("en", "de"))),
        ("a.jsonl", '{"prompt": "a", "chosen": "b"}', Detected("jsonl", ("prompt", "chosen"))),
        ("a.txt", "1 x 3\tthree\n2 x 3\tsix\n3 x 3\tnine\n", Detected("exchanges")),
        ("a.csv", "2021-03-04,Who is it,It is me\n", Detected("table", ("2", "3"))),
        ("a.csv", "It is me.,Yes.\nWho?,Me.\n", Detected("table", ("1", "2"))),
        (
            "a.csv",
            "date,question,answer\n2020-01-01 10:00,Who?,Me.\n2020-01-02 10:00,Why?,So.\n",
            Detected("table", ("question", "answer")),
        ),
        ("a.tsv", "Who\u2028is it?\tMe.\nWhy\x0bnot?\tSo.\n", Detected("exchanges")),
        ("a.tsv", "en\tde\nYes.\tJa.\n", Detected("table", ("en", "de"))),
        ("a.tsv", "Frage\tAntwort\nWer?\tIch.\n", Detected("table", ("Frage", "Antwort"))),
        ("a.tsv", "0.98\tYes.\tJa.\n1\tNo.\tNein.\n", Detected("table", ("2", "3"))),
        (
            "a.csv",
            "created,message,reply_text\nTue Oct 31 22:10:47 +0000 2017,Who?,Me.\n",
            Detected("table", ("message", "reply_text")),
        ),
        ("a.tsv", "Who?\tMe.\t0.9\nWhy?\tSo.\t1\n", Detected("table", ("1", "2"))),
        (
            "a.tsv",
            "http://a.org/en\thttps://a.org/de\tYes.\tJa.\n",
            Detected("table", ("3", "4")),
        ),
        ("a.csv", "Ответ;Вопрос\nЯ.;Кто?\n", Detected("table", ("Вопрос", "Ответ"))),
        (
            "a.jsonl",
            '{"Answer": "Me.", "Question": "Who?"}',
            Detected("jsonl", ("Question", "Answer")),
        ),
        ("a.json", '[\n{"id": 1, "q": "Who?", "a": "Me."}]', Detected("jsonl", ("q", "a"))),
        (
            "a.json",
            '{"intents": [{"tag": "hi", "text": ["Hi"], "responses": ["Hello"]}]}',
            Detected("jsonl", ("text", "responses")),
        ),
        (
            "a.csv",
            "tweet_id,author_id,text,response_tweet_id,in_response_to_tweet_id\n"
            "1,7,Who?,2,\n2,8,Me.,,1\n",
            Detected(
                "table",
                ("text",),
                reply_columns=("tweet_id", "in_response_to_tweet_id", "author_id"),
            ),
        ),
        (
            "a.csv",
            "Message-ID,In-Reply-To,From,Body\n<1@a>,,a@b.org,Who?\n",
            Detected("table", ("Body",), reply_columns=("Message-ID", "In-Reply-To", "From")),
        ),
        (
            "RC_2015-01",
            '{"author": "x", "body": "Who?", "id": "a", "parent_id": "t3_b", "replies": 2}',
            Detected("jsonl", ("body",), reply_columns=("id", "parent_id", "author")),
        ),
        ("a.jsonl", '{"id": 1, "parent_id": 2, "text": "Who?", "replies": []}', Detected("jsonl")),
        ("a.json", '{"messages": [{"user": "u", "assistant": "a"}]}', Detected("jsonl")),
        ("a.txt", "[00:01.000 --> 00:02.000]  Who?\n", Detected("subtitles")),
        ("a.txt", "[10][20]Who?\n[30][40]/Me.\n", Detected("subtitles")),
        ("a.srt.txt", FORMATS["subtitles"].example, Detected("subtitles")),
        ("a.txt", "{25}{50}Who is it?\n{60}{80}It is me.\n", Detected("subtitles")),
        ("a.txt", '{"source": "Who?", "target": "Me."}\n', Detected("jsonl")),
        ("a.tmx", '<tuv xml:lang="en-GB"/><tuv xml:lang="de"/>', None),
        ("a.bin", "\x00\x01\x02\x03", None),
        ("a.txt", "", None),
    ],
)
def test_tables_tell_their_columns(
    tmp_path: Path, name: str, text: str, expected: Detected | None
) -> None:
    file = tmp_path / name
    file.write_text(text)
    found = detect(file)
    if name.endswith(".tmx"):
        expected = Detected("tmx", languages=("en", "de"))
    assert found == expected


def test_a_parquet_file_tells_its_columns(tmp_path: Path) -> None:
    for row, expected in (
        ({"messages": ["Who?", "Me."]}, Detected("parquet")),
        ({"Q": "Who?", "A": "Me."}, Detected("parquet", ("Q", "A"))),
        (
            {
                "message_id": "1",
                "parent_id": "",
                "user_id": "7",
                "text": "Who?",
                "role": "prompter",
            },
            Detected("parquet", ("text",), reply_columns=("message_id", "parent_id", "user_id")),
        ),
    ):
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
        assert detect(tmp_path / "a.parquet") == expected


def test_an_archive_is_what_it_contains(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt.jpg", b"\x00")
        archive.writestr("films/one.srt", FORMATS["subtitles"].example)
    assert detect(tmp_path / "a.zip") == Detected("subtitles")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("README.txt", "It has films.\nThey are old.\n")
        archive.writestr("films/one.srt", FORMATS["subtitles"].example)
    assert detect(tmp_path / "b.zip") == Detected("subtitles")
    with zipfile.ZipFile(tmp_path / "X.en-pt_BR.txt.zip", "w") as archive:
        archive.writestr("X.en-pt_BR.en", "Who is there?\n")
        archive.writestr("X.en-pt_BR.pt_BR", "Quem é?\n")
    assert detect(tmp_path / "X.en-pt_BR.txt.zip") == Detected("moses", languages=("en", "pt_BR"))
    for name in ("X.de-en.txt.zip", "de-en.txt.zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("X.de-en.de", "Wer ist da?\n")
            archive.writestr("X.de-en.en", "Who is there?\n")
        assert detect(tmp_path / name) == Detected("moses", languages=("de", "en"))


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


def test_conversations_in_one_line_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dialogues.txt").write_text("Hi . __eou__ Hello . __eou__\n")
    with pytest.raises(CorpusError, match=r"has __eou__ between the turns of a line\..* sed 's/ "):
        detect(tmp_path / "dialogues.txt")


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


@pytest.mark.parametrize("separator", [" ||| ", " = "])
def test_two_texts_in_each_line_are_refused(tmp_path: Path, separator: str) -> None:
    (tmp_path / "a.txt").write_text(f"Yes.{separator}Ja.\nNo.{separator}Nein.\n")
    with pytest.raises(CorpusError, match=r"a\.txt: has .* once in each line\. .*\\t"):
        detect(tmp_path / "a.txt")


def test_names_of_speakers_are_not_to_be_learnt(tmp_path: Path) -> None:
    (tmp_path / "faq.txt").write_text("Q: Who is it?\nA: It is me.\n\nQ: Why?\nA: Why not?\n")
    with pytest.raises(CorpusError, match=r"faq\.txt: its lines begin with names \(Q:, A:\)"):
        detect(tmp_path / "faq.txt")
    (tmp_path / "talk.txt").write_text("Well: who is it?\nIt is me.\nListen: why?\nWhy not?\n")
    assert detect(tmp_path / "talk.txt") == Detected("lines")
    (tmp_path / "irc.txt").write_text("<ann> Who is there?\n<ben> It is me.\n" * 10)
    with pytest.raises(CorpusError, match=r"begin with names \(<ann>, <ben>\), which .*\[:>\]"):
        detect(tmp_path / "irc.txt")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("1 i like tea.\n2 i run a lot.\n3 hi there\thello\n1 so long\tbye now\n", "their numbers"),
        ("1. What is it?\n2. A stone.\n3. A large one.\n", "their numbers"),
        ("<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n", "im_start"),
        ("### Human: Hi.### Assistant: Hello.\n", "### Human and other marks of prompts"),
        ("From: Ann\nTo: Ben\n\nWho is it?\n\nFrom: Ben\nTo: Ann\n\nMe.\n", "names .From:, To:."),
    ],
)
def test_numbers_and_marks_are_not_learnt(tmp_path: Path, lines: str, reason: str) -> None:
    (tmp_path / "a.txt").write_text(lines)
    with pytest.raises(CorpusError, match=rf"a\.txt: .*{reason}.* would be learnt\."):
        detect(tmp_path / "a.txt")


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


@pytest.mark.parametrize("name", ["film.tsv", "film.csv"])
def test_a_table_with_times_is_no_chat(tmp_path: Path, name: str) -> None:
    rows = "0:15\tWho is there?\tWer ist da?\n1:07\tIt is me in 2024.\tIch bin es.\n"
    (tmp_path / name).write_text(f"time\tsource\ttarget\n{rows}")
    assert detect(tmp_path / name) == Detected("table", ("source", "target"))
