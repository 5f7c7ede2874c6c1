from __future__ import annotations

import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.formats import FORMATS, Format
from training.new.columns import Detected
from training.new.detect import detect

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
        ("a.txt", "Room 1 is free.\n" + 9 * "Who is it?\n", Detected("lines")),
        ("a.txt", "Q: Who is it?\nA: It is me.\n\nQ: Why?\nA: So.\n", Detected("transcript")),
        ("a.txt", "<ann> Who is it?\n<ben> It is me.\n" * 3, Detected("transcript")),
        ("a.txt", "Ann: Who is it?\nBen: Me.\nYes, me.\n" * 3, Detected("transcript")),
        ("a.txt", "Agent: Who is it?\nCustomer: It is me.\n", Detected("transcript")),
        ("a.txt", "Word: a sign\nLetter: part of it\nMark: a sign, too\n", Detected("lines")),
        ("a.txt", "Well: who is it?\nMe.\nListen: why?\nWhy not?\n", Detected("lines")),
        ("a.en", "Ann: Who is it?\nBen: It is me.\n" * 3, Detected("lines")),
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
        (
            "a.csv",
            "Ticket ID,Subject,Comment\n7,No light,Who is it?\n7,No light,Me.\n8,Rain,Oh no.\n",
            Detected("table", ("Comment",), "Ticket ID"),
        ),
        (
            "a.csv",
            "chat_id,question_long,reply\n7,Who is it that is there?,Me.\n8,Where are you?,In.\n",
            Detected("table", ("question_long", "reply")),
        ),
        (
            "a.csv",
            "Source (EN),Target (DE),Note\nYes.,Ja.,Seen by Anna\nNo.,Nein.,Seen by Ben\n",
            Detected("table", ("Source (EN)", "Target (DE)")),
        ),
        (
            "a.csv",
            "Source (EN),Target (DE)\nYes.,Ja.\nYes.,Ja!\nYes.,Jawohl.\n",
            Detected("table", ("Source (EN)", "Target (DE)")),
        ),
        (
            "a.csv",
            "chatgpt_provided,ask,reply\nyes,Who is it?,It is me.\nyes,Where is it?,It is here.\n",
            Detected("table", ("ask", "reply")),
        ),
        (
            "a.csv",
            "#,Our question,Our answer\n1,Who is it?,It is me.\n2,Why is it so?,No idea.\n",
            Detected("table", ("Our question", "Our answer")),
        ),
        (
            "a.csv",
            "key,Source String,Translation,Context\n1,Yes.,Ja.,It is shown on page 1.\n",
            Detected("table", ("Source String", "Translation")),
        ),
        ("a.csv", "lp,src,mt,ref\nen-de,Yes.,Ja!,Ja.\n", Detected("table", ("src", "ref"))),
        (
            "a.jsonl",
            '{"src_lang": "en", "src_text": "Yes.", "tgt_text": "Ja."}',
            Detected("jsonl", ("src_text", "tgt_text")),
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
        ("a.jsonl", '{"id": 1, "en": "a", "de": "b"}', Detected("jsonl", ("en", "de"))),
        (
            "a.txt",
            "OK\nNO WAY\nOK\nIt is me.\nNO WAY\n你好\n你好\nHm.\n" * 2 + 20 * "a\n",
            Detected("lines"),
        ),
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
            {"id": 1, "translation": {"en": "Yes.", "de": "Ja."}},
            Detected("parquet", languages=("en", "de")),
        ),
        ({"translation": {"en": "Yes.", "de": "Ja.", "fr": "Oui."}}, Detected("parquet")),
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


@pytest.mark.parametrize("name", ["film.tsv", "film.csv"])
def test_a_table_with_times_is_no_chat(tmp_path: Path, name: str) -> None:
    rows = "0:15\tWho is there?\tWer ist da?\n1:07\tIt is me in 2024.\tIch bin es.\n"
    (tmp_path / name).write_text(f"time\tsource\ttarget\n{rows}")
    assert detect(tmp_path / name) == Detected("table", ("source", "target"))
