"""LibreTranslate's protocol, by a server that translates word by word."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from app.main import create_app
from app.schemas.translate import TranslateAnswer
from app.settings import Settings
from model.generator import Generator
from model.text.surface import readings
from model.tokenizer import BOS_ID, EOS_ID
from tests.app.fakes import ENGLISH, GERMAN, Serve, SteppedEngine, chain, loaded, serving
from tests.conftest import wait_until
from tests.engines import TableEngine


@pytest.fixture
def client(translating_client: httpx.Client) -> httpx.Client:
    return translating_client


def translated(client: httpx.Client, **fields: Any) -> Any:
    answer = client.post("/translate", json={"source": "en", "target": "de", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["translatedText"]


def test_a_text_is_translated_sentence_by_sentence(client: httpx.Client) -> None:
    assert translated(client, q="one dogs. two\n\n  cats!") == "eins Hunde. zwei\n\n  Katzen!"


def test_the_cells_of_a_table_are_translated_one_by_one(client: httpx.Client) -> None:
    table = "one\ttwo dogs\t\tcats\n\tnow\t23\t\n"
    assert translated(client, q=table) == "eins\tzwei Hunde\t\tKatzen\n\tjetzt\t23\t\n"


def test_a_long_sentence_is_divided_and_nothing_is_lost(client: httpx.Client) -> None:
    english, german = " ".join(ENGLISH * 8), " ".join(GERMAN * 8)
    assert translated(client, q=english) == german


@pytest.mark.parametrize(
    "fixed", ["https://example.com/a?b=1", "{name}", "%s", "23", "1,000", "example.com2"]
)
def test_what_is_no_word_survives(client: httpx.Client, fixed: str) -> None:
    assert translated(client, q=f"two dogs {fixed} go home!") == f"zwei Hunde {fixed} geh Haus!"


def test_html_keeps_its_tags_round_the_words_that_they_were_round(client: httpx.Client) -> None:
    page = '<p class="a">two <b>red</b> dogs.<br>go&nbsp;home</p><pre>two dogs</pre>'
    expected = '<p class="a">zwei <b>rote</b> Hunde.<br>geh Haus</p><pre>two dogs</pre>'
    assert translated(client, q=page, format="html") == expected


def test_emoji_stay_where_they_are(client: httpx.Client) -> None:
    assert translated(client, q="two dogs 😀!") == "zwei Hunde 😀!"
    assert translated(client, q="two dogs :-) go home <3") == "zwei Hunde :-) geh Haus <3"
    assert translated(client, q="♪ go home 👍🏽 now ♪") == "♪ geh Haus 👍🏽 jetzt ♪"
    html = translated(client, q="• <b>two</b> dogs &#128512; <i>now</i>", format="html")
    assert html == "• <b>zwei</b> Hunde 😀 <i>jetzt</i>"
    assert translated(client, q="two 😀 " * 500) == "zwei 😀 " * 500


def test_a_sentence_with_symbols_is_translated_as_a_whole(client: httpx.Client) -> None:
    body = {"q": "two 😀 red dogs 🍕!", "source": "en", "target": "de", "with_attention": True}
    [sentence] = client.post("/translate", json=body).json()["sentences"]
    assert sentence["source"] == body["q"] and sentence["target"] == "zwei 😀 rote Hunde 🍕!"
    assert sentence["attention"] == [[int(i == j) for j in range(6)] for i in range(6)]


def test_words_of_unknown_scripts_stay_where_they_are(client: httpx.Client) -> None:
    assert translated(client, q="two dogs go Москва now") == "zwei Hunde geh Москва jetzt"
    assert translated(client, q="日本語が話せますか。") == "日本語が話せますか。"
    many = " two дом λόγος" * 12
    assert translated(client, q=many) == many.replace("two", "zwei")
    html = translated(client, q="<b>two</b> <i>λόγος</i> dogs", format="html")
    assert html == "<b>zwei</b> <i>λόγος</i> Hunde"


def test_a_list_is_translated_to_a_list(client: httpx.Client) -> None:
    assert translated(client, q=["two", "", "dogs."]) == ["zwei", "", "Hunde."]


def test_the_texts_of_a_list_are_translated_together(translating: Generator) -> None:
    size = translating.tokenizer.target_vocab_size
    word = translating.tokenizer.target_ids("zwei")
    engine = SteppedEngine(chain(size, BOS_ID, *word, EOS_ID))
    stepped = Generator(translating.config, translating.tokenizer, engine)
    app = create_app(Settings(), load=partial(loaded, stepped))
    both = len(readings("one")) + len(readings("two"))
    with serving(app) as client, ThreadPoolExecutor(1) as thread:
        asking = thread.submit(translated, client, q=["one", "two"])
        wait_until(lambda: app.state.models.default.client.open_requests == both)
        engine.go(100)
        assert asking.result() == ["zwei", "zwei"]


def test_alternatives_are_other_translations(client: httpx.Client) -> None:
    body = {"q": "two dogs", "source": "en", "target": "de", "alternatives": 1}
    answer = client.post("/translate", json=body).json()
    assert answer["translatedText"] == "zwei Hunde"
    assert answer["alternatives"] == ["zwei dogs"]


def test_each_word_tells_what_it_attends_to(client: httpx.Client) -> None:
    body = {"q": "two red dogs", "source": "en", "target": "de", "with_attention": True}
    [sentence] = client.post("/translate", json=body).json()["sentences"]
    assert sentence["target"] == "zwei rote Hunde"
    assert sentence["target_words"] == [[0, 4], [5, 9], [10, 15]]
    assert sentence["attention"] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_an_answer_without_attention_is_as_described(client: httpx.Client) -> None:
    body = {"q": "23", "source": "en", "target": "de", "with_attention": True}
    answer = client.post("/translate", json=body).json()
    sentences = TranslateAnswer.model_validate(answer).sentences
    assert sentences is not None and sentences[0].attention is None


@pytest.mark.parametrize("kind", ["json", "data", "params", "files"])
def test_fields_come_as_json_form_or_query(client: httpx.Client, kind: str) -> None:
    fields: dict[str, Any] = {"q": "two dogs", "source": "en", "target": "de", "unknown": "x"}
    if kind == "files":
        fields = {name: (None, value) for name, value in fields.items()}
    sent: dict[str, Any] = {kind: fields}
    answer = client.post("/translate", **sent)
    assert (answer.status_code, answer.json()["translatedText"]) == (200, "zwei Hunde")


@pytest.mark.parametrize("text", ["Ich weiß nicht, was", "Ich+wei%C3%9F+nicht%2C+was"])
def test_a_form_is_utf8_whether_or_not_it_is_percent_encoded(
    client: httpx.Client, text: str
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post("/translate", content=f"q={text}&target=de", headers=form)
    assert answer.json()["translatedText"] == "Ich weiß nicht, was"  # it is in German


def test_the_language_is_detected(client: httpx.Client) -> None:
    body = {"q": "go home now", "source": "auto", "target": "de"}
    answer = client.post("/translate", json=body).json()
    assert answer["translatedText"] == "geh Haus jetzt"
    assert answer["detectedLanguage"] == client.post("/detect", data={"q": body["q"]}).json()[0]
    assert 90 < answer["detectedLanguage"]["confidence"] < 100  # it may be German
    german = "Ich weiß nicht, was soll es bedeuten"
    both = client.post("/translate", json={**body, "q": ["go home now", german]}).json()
    assert both["translatedText"] == ["geh Haus jetzt", german]
    assert [each["language"] for each in both["detectedLanguage"]] == ["en", "de"]
    found = client.post("/detect", data={"q": "Ich weiß nicht, was soll es bedeuten"}).json()
    assert found[0]["language"] == "de" and found[0]["confidence"] > 90


@pytest.mark.parametrize("language", ["de", "de-AT", "en"])
def test_a_text_in_the_target_language_is_returned(client: httpx.Client, language: str) -> None:
    fields = {"source": language, "target": language[:2]}
    assert translated(client, q="two dogs", **fields) == "two dogs"


def test_a_field_that_is_null_is_unset(client: httpx.Client) -> None:
    unset = dict.fromkeys(("format", "alternatives", "with_attention", "api_key"))
    assert translated(client, q="two dogs", **unset) == "zwei Hunde"


@pytest.mark.parametrize("kind", ["json", "data", "params"])
def test_a_field_that_is_empty_is_unset(client: httpx.Client, kind: str) -> None:
    fields = {"q": "", "source": "", "target": "de", "format": "", "alternatives": ""}
    answer = client.post("/translate", **{kind: fields}).json()  # type: ignore[arg-type]
    assert (answer["translatedText"], "alternatives" in answer) == ("", False)
    assert answer["detectedLanguage"]["language"] == "en"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"target": "de"}, "q"),
        ({"q": None, "target": "de"}, "q: Field required"),
        ({"q": "a"}, "target"),
        ({"q": "a", "target": "de", "source": "fr"}, "'fr'"),
        ({"q": "a", "target": "fr", "source": "fr"}, "'fr'"),
        ({"q": "a", "target": "xx", "source": "en"}, "'xx'"),
        ({"q": "a", "target": "xx", "source": "auto"}, "target: 'xx'"),
        ({"q": ["a"] * 4, "target": "de", "source": "en"}, "at most 3"),
        ({"q": "a", "target": "de", "source": "en", "alternatives": 16}, "at most 15"),
        ({"q": "a", "target": "de", "source": "en", "format": "pdf"}, "format"),
        ({"q": {"a": 1}, "target": "de", "source": "en"}, "q: must be a text or a list"),
        ({"q": ["a", 1], "target": "de", "source": "en"}, "q.1: Input"),
    ],
)
def test_a_wrong_field_is_named(client: httpx.Client, fields: dict[str, Any], word: str) -> None:
    answer = client.post("/translate", json=fields)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"} and word in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[1]", "application/json"),
        (b"\xff", "application/json"),
        (b"[" * 60_000, "application/json"),
        (b"--x\r\n", "multipart/form-data"),
        (b"q" * 100, "multipart/form-data; boundary=x"),
        (b"\0" * 100, "text/plain"),
        (b"q=a&" * 1000, "application/x-www-form-urlencoded"),
        (b"q=a&" * 1500 + b"target=de", "application/x-www-form-urlencoded"),
        (b"q=f\xfcr&target=de", "application/x-www-form-urlencoded"),
        (b"q=f%FCr&target=de", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_none_is_refused(client: httpx.Client, body: bytes, kind: str) -> None:
    answer = client.post("/translate", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400 and isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_json_without_its_content_type_is_told(client: httpx.Client, kind: str) -> None:
    body = b' {"q": "two dogs", "target": "de"}'
    answer = client.post("/translate", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400 and "application/json" in answer.json()["error"]


def test_a_file_that_is_translated_already_is_told(client: httpx.Client) -> None:
    text = b"Ich wei\xc3\x9f nicht, was soll es bedeuten"
    answer = post_file(client, text, "a.txt", source="auto")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("source: the file is already in the target language")


def test_the_languages_are_those_of_the_models(client: httpx.Client) -> None:
    expected = [{"code": "en", "name": "English", "targets": ["de"]}]
    assert client.get("/languages").json() == expected
    settings = client.get("/frontend/settings").json()
    assert settings["language"]["target"] == {"code": "de", "name": "German"}
    assert ".srt" in settings["supportedFilesFormat"]
    assert client.get("/health").json() == {"status": "ok"}
    assert "/translate" in client.get("/spec").json()["paths"]


def test_the_python_client_of_libretranslate_works(client: httpx.Client) -> None:
    api = pytest.importorskip("libretranslatepy").LibreTranslateAPI(str(client.base_url))
    assert api.translate("two dogs", "en", "de") == "zwei Hunde"
    assert api.languages()[0]["code"] == "en"
    assert api.detect("go home now")[0]["language"] == "en"


SRT = """1
00:00:01,000 --> 00:00:02,000
<i>you told me</i>

2
00:00:02,100 --> 00:00:03,000
to go home now!

3
00:00:04,000 --> 00:00:05,000
- two <b>red</b> dogs?
- three cats.
"""
GERMAN_SRT = """1
00:00:01,000 --> 00:00:02,000
<i>du sagtest mir</i>

2
00:00:02,100 --> 00:00:03,000
zu geh Haus jetzt!

3
00:00:04,000 --> 00:00:05,000
- zwei <b>rote</b> Hunde?
- drei Katzen.
"""


def post_file(
    client: httpx.Client, data: str | bytes, name: str = "my film.srt", **fields: Any
) -> httpx.Response:
    fields = {"source": "en", "target": "de", **fields}
    content = data if isinstance(data, bytes) else data.encode()
    return client.post("/translate_file", files={"file": (name, content)}, data=fields)


def test_a_subtitle_file_comes_back_with_its_times_and_tags(client: httpx.Client) -> None:
    answer = post_file(client, SRT)
    assert answer.status_code == 200, answer.text
    file = client.get(answer.json()["translatedFileUrl"])
    assert file.text == GERMAN_SRT
    assert "my%20film.de.srt" in file.headers["content-disposition"]
    assert file.headers["x-content-type-options"] == "nosniff"


def test_a_plain_name_is_one_that_curl_reads(client: httpx.Client) -> None:
    file = client.get(post_file(client, SRT, "film.srt").json()["translatedFileUrl"])
    assert file.headers["content-disposition"] == 'attachment; filename="film.de.srt"'


def test_the_progress_of_a_file_is_told(client: httpx.Client) -> None:
    events = post_file(client, SRT, source="auto", stream="1").text.split("\n\n")
    kinds = [each.split("\n")[0] for each in events if each]
    assert kinds[0] == "event: progress" and kinds[-1] == "event: answer"
    assert '{"done":3,"total":3}' in events[-3]


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (SRT, "film.zip", "must end in"),
        (SRT, "../../etc/passwd", "must end in"),
        ("1\n00:00:x --> 2", "film.srt", "line 2"),
        (b"PK\x03\x04\0\0\0", "film.srt", "zero bytes"),
        ("a\n" * 90_000, "film.srt", "line 1"),
        ("", "film.vtt", "WEBVTT"),
    ],
)
def test_a_file_of_another_kind_is_refused(
    client: httpx.Client, data: str | bytes, name: str, reason: str
) -> None:
    answer = post_file(client, data, name)
    assert answer.status_code == 400 and reason in answer.json()["error"]


def test_a_name_cannot_lead_elsewhere(client: httpx.Client) -> None:
    name = '../a/"x"\r\nSet-Cookie: a=b\r\n.srt'
    answer = post_file(client, SRT, name)
    file = client.get(answer.json()["translatedFileUrl"])
    assert "set-cookie" not in file.headers
    assert "/" not in file.headers["content-disposition"]


def test_a_file_above_the_limit_is_refused_though_a_body_may_be_smaller(
    client: httpx.Client,
) -> None:
    assert post_file(client, "one\n" * 40_000, "a.txt", target="xx").status_code == 400
    assert post_file(client, "one\n" * 60_000, "a.txt").status_code == 413


def test_no_file_and_no_model_are_told(client: httpx.Client) -> None:
    answer = client.post("/translate_file", data={"source": "en", "target": "de"})
    assert answer.status_code == 400 and answer.json()["error"].startswith("file: ")
    assert post_file(client, SRT, target="fr").status_code == 400
    assert client.get("/download_file/abc").status_code == 404


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "target: Field required"),
        ({"target": ["de", "en"]}, "target: "),
        ({"target": "de", "stream": "maybe"}, "stream: "),
    ],
)
def test_a_wrong_field_of_a_file_is_named(
    client: httpx.Client, fields: dict[str, Any], reason: str
) -> None:
    answer = client.post("/translate_file", files={"file": ("a.txt", b"two")}, data=fields)
    assert answer.status_code == 400 and answer.json()["error"].startswith(reason)


def test_a_model_that_replies_translates_nothing(serve: Serve, table_engine: TableEngine) -> None:
    with serve(table_engine) as client:
        assert client.get("/languages").json() == []
        answer = client.post("/translate", json={"q": "a", "target": "de"})
    assert answer.status_code == 400 and "not supported" in answer.json()["error"]


def test_tokens_of_translations_are_counted(client: httpx.Client) -> None:
    def written() -> float:
        name = 'seq2seq_completion_tokens_total{model="words"} '
        lines = client.get("/metrics").text.splitlines()
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    before = written()
    translated(client, q="one two. three")
    assert written() - before >= 4


def test_a_longer_text_takes_more_of_what_a_client_may_use(translating: Generator) -> None:
    settings = Settings(rate_limit_per_minute=0.001, rate_limit_burst=4)
    body = {"source": "en", "target": "de"}
    with serving(create_app(settings, load=partial(loaded, translating)), settings) as client:
        long = client.post("/translate", json={**body, "q": "one two dogs. " * 50})
        assert long.status_code == 200
        refused = client.post("/translate", json={**body, "q": "one"})
    assert refused.status_code == 429 and set(refused.json()) == {"error"}
    assert f"in {refused.headers['retry-after']} s" in refused.json()["error"]


HOSTILE_TEXTS = {
    "one word": "a" * 3_000,
    "no letter": "." * 60_000,
    "short sentences": "two. " * 500,
    "addresses": "http://a " * 6_000,
    "braces": "{" * 60_000,
    "placeholders": "{x}" * 20_000,
    "stand-ins of its own": "475 639 742 417 839 614 278 864 {x} two " * 50,
    "numbers": "1" * 60_000,
    "control characters": "two\0\x1b[31m\u202e dogs",
    "private characters": "\U000f0000\ue000 two",
    "special pieces": "<s> </s> <pad> <unk> <sep> two",
    "emoji": "\U0001f600" * 1_000,
    "combining marks": "e" + "\u0301" * 20_000,
    "escapes": "\\\\u0000 %n%n%n ${jndi:x} ' OR 1=1 -- <script>alert(1)</script>",
}


@pytest.mark.parametrize("kind", ["text", "html"])
@pytest.mark.parametrize("name", HOSTILE_TEXTS)
def test_a_hostile_text_is_translated_or_refused(
    client: httpx.Client, name: str, kind: str
) -> None:
    body = {"q": HOSTILE_TEXTS[name], "source": "en", "target": "de", "format": kind}
    answer = client.post("/translate", json=body)
    assert answer.status_code == 200, answer.text
    assert client.get("/health/ready").json()["rows_in_use"] == 0


@pytest.mark.parametrize(
    "body",
    [
        '{"q": "\\ud800", "source": "en", "target": "de"}',
        '{"q": "two", "source": "en", "target": "de", "alternatives": 1e400}',
        '{"q": "two", "source": "en", "target": "de", "alternatives": -1}',
        '{"q": "two", "source": "en", "target": "de", "alternatives": 99999999999999999999}',
        '{"q": null, "source": "en", "target": "de"}',
        '{"q": "two", "source": "en", "target": "de\\r\\nX: y"}',
        '{"q": "two", "source": "../../etc", "target": "de"}',
        '{"q": [["two"]], "source": "en", "target": "de"}',
    ],
)
def test_a_hostile_field_is_refused(client: httpx.Client, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post("/translate", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("a.srt", gzip.compress(b"a" * 1_000_000), 400),
        ("a.srt", b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>', 400),
        ("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\n" + b"a" * 6_000, 400),
        ("a.srt", b"\xff\xfe\xff", 400),
        ("a.srt", b"99:99:99,999 --> 00:00:00,000\ntwo dogs", 200),
        ("a.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\n" + b"<" * 4_000, 200),
        ("a.ass", b"[Events]\nFormat: Text\nDialogue: two", 400),
        ("a.txt", b"\n" * 150_000, 200),
        ("a" * 5_000 + ".txt", b"two", 400),
        ("\u202ecod.txt", b"two", 200),
    ],
)
def test_a_hostile_file_is_translated_or_refused(
    client: httpx.Client, name: str, data: bytes, status: int
) -> None:
    answer = post_file(client, data, name)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert client.get(answer.json()["translatedFileUrl"]).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"--x\r\n" + b"A: b\r\n" * 9_000,
        b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="q"\r\n\r\n\xff\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\na\r\n' * 1_500 + b"--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\na\r\n' * 3
        + b"--x--\r\n",
        b"--x--\r\n",
        b"",
    ],
)
def test_a_hostile_form_is_refused(client: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.post("/translate_file", content=body, headers=headers)
    assert answer.status_code == 400 and isinstance(answer.json()["error"], str)


@pytest.mark.parametrize(
    ("charset", "name", "status"), [("punycode", b"a.txt", 400), ("utf-7", b"a+2AA-.txt", 200)]
)
def test_a_form_in_an_odd_charset_is_no_fault_of_the_server(
    client: httpx.Client, charset: str, name: bytes, status: int
) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
    fields = [(b"file", b'; filename="%b"' % name, b"two"), (b"source", b"", b"en")]
    content = b"".join(body % each for each in [*fields, (b"target", b"", b"de")]) + b"--x--\r\n"
    headers = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    answer = client.post("/translate_file", content=content, headers=headers)
    assert answer.status_code == status
    if status == 200:
        assert client.get(answer.json()["translatedFileUrl"]).text == "zwei"


def test_a_file_whose_client_hangs_up_is_given_up(client: httpx.Client) -> None:
    text = "two red dogs go home now. " * 5_000
    with client.stream(
        "POST",
        "/translate_file",
        files={"file": ("a.txt", text.encode())},
        data={"source": "en", "target": "de", "stream": "1"},
    ) as answer:
        next(answer.iter_bytes())
    wait_until(lambda: client.get("/health/ready").json()["rows_in_use"] == 0)
