"""The page in a browser: journeys of people, with the keyboard, on a phone, in the dark."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.routes.page import STATIC
from app.settings import Settings
from model.tokenizer import BOS_ID, Tokenizer
from tests.app.fakes import REPLY, Serve, SteppedEngine, chain
from tests.app.routes.test_translate import GERMAN_SRT, SRT
from tests.conftest import PATIENCE_SECONDS
from tests.engines import TableEngine

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

#: Of a server that translates both ways.
TWO_LANGUAGES = [
    {"code": "de", "name": "German", "targets": ["en", "de"]},
    {"code": "en", "name": "English", "targets": ["de", "en"]},
]

Page = Any
Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium here")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any) -> Visit:
    """Opens the page of a server; at the end of a `with` it must have asked nobody else, and have
    written nothing to the console but failures of the network."""

    @contextmanager
    def run(client: httpx.Client, **context: Any) -> Iterator[Page]:
        own = browser.new_context(viewport={"width": 1200, "height": 800}, **context)
        page = own.new_page()
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        others, complaints = list[str](), list[str]()
        base = str(client.base_url)
        page.on(
            "request", lambda r: None if r.url.startswith((base, "blob:")) else others.append(r.url)
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console", lambda m: None if "Failed to load" in m.text else complaints.append(m.text)
        )
        page.goto(base)
        page.wait_for_selector("#chat-model option", state="attached")
        yield page
        assert (others, complaints) == ([], [])
        own.close()

    return run


def last_reply(page: Page) -> Any:
    return page.locator(".it").last.locator("p")


def test_the_first_visit_leads_to_a_reply(visit: Visit, client: httpx.Client) -> None:
    with visit(client) as page:
        page.get_by_role("button", name="How are you?").click()
        playwright.expect(last_reply(page)).to_have_text(REPLY)
        assert page.locator("#message").evaluate("e => e === document.activeElement")
        page.keyboard.type("hello")
        page.keyboard.press("Enter")
        playwright.expect(page.locator(".it")).to_have_count(2)
        page.get_by_role("button", name="New conversation").click()
        playwright.expect(page.locator(".it")).to_have_count(0)


@pytest.fixture
def half_replied(
    visit: Visit, serve: Serve, tokenizer: Tokenizer
) -> Iterator[tuple[Page, SteppedEngine]]:
    """The page after the first words of a reply, and the engine that can go on with it."""
    pieces = tokenizer.target_ids(REPLY)
    engine = SteppedEngine(chain(tokenizer.target_vocab_size, BOS_ID, *pieces))
    with serve(engine) as client, visit(client) as page:
        page.fill("#message", "hello")
        page.keyboard.press("Enter")
        engine.go(2)
        playwright.expect(last_reply(page)).not_to_have_text("")
        yield page, engine


def test_a_stream_can_be_stopped(half_replied: tuple[Page, SteppedEngine]) -> None:
    page, engine = half_replied
    page.keyboard.press("Escape")
    playwright.expect(page.locator(".it .note")).to_have_text("stopped")
    playwright.expect(page.locator("#send")).to_have_text("Send")
    engine.go(100)


def test_a_new_conversation_begins_without_the_reply_that_it_stopped(
    half_replied: tuple[Page, SteppedEngine],
) -> None:
    page, engine = half_replied
    page.get_by_role("button", name="New conversation").click()
    playwright.expect(page.locator("#send")).to_have_text("Send")
    engine.go(100)
    page.fill("#message", "goodbye")
    with page.expect_request("**/reply") as sent:
        page.keyboard.press("Enter")
    assert [turn["content"] for turn in sent.value.post_data_json["messages"]] == ["goodbye"]


def test_a_translation_model_is_sent_one_message_at_a_time(
    visit: Visit, translating_client: httpx.Client
) -> None:
    with visit(translating_client) as page:
        playwright.expect(page.locator("#translate")).to_be_visible()  # nobody talks here
        page.click("#tab-chat")
        for message, translation in (("two dogs", "zwei Hunde"), ("red cats", "rote Katzen")):
            page.fill("#message", message)
            page.keyboard.press("Enter")
            playwright.expect(last_reply(page)).to_have_text(translation)


def test_a_long_conversation_fits_the_limit_of_the_server(
    visit: Visit, serve: Serve, table_engine: TableEngine
) -> None:
    with serve(table_engine, Settings(max_messages=2)) as client, visit(client) as page:
        for turn in range(1, 4):
            page.fill("#message", "hello")
            page.keyboard.press("Enter")
            playwright.expect(page.locator(".it:not(.waiting):not(.failed)")).to_have_count(turn)


def test_the_model_answers_by_its_own_search_unless_told_otherwise(
    visit: Visit, client: httpx.Client
) -> None:
    with visit(client) as page:
        for choice, sent in (("Default", None), ("Beam", "beam")):
            page.get_by_text(choice, exact=True).click()
            page.fill("#message", "hello")
            with page.expect_request("**/reply") as request:
                page.keyboard.press("Enter")
            assert request.value.post_data_json.get("decoding") == sent
            playwright.expect(page.locator("#send")).to_have_text("Send")


def test_candidates_are_compared_and_one_is_taken(visit: Visit, client: httpx.Client) -> None:
    with visit(client) as page:
        page.get_by_text("Beam").click()
        page.fill("#message", "hello")
        page.get_by_role("button", name="Send").click()
        second = page.locator(".choices label").nth(1)
        assert float(second.locator(".score").inner_text().replace("−", "-")) < 0
        second.click()
        playwright.expect(last_reply(page)).to_have_text(second.locator("span").first.inner_text())


def test_a_translation_lights_up_where_its_words_come_from(
    visit: Visit, translating_client: httpx.Client
) -> None:
    with visit(translating_client) as page:
        page.get_by_role("tab", name="Translate").click()
        page.fill("#source-text", "two red dogs. go home!")
        page.locator("#target-words .word", has_text="rote").hover()
        weight = "e => getComputedStyle(e).getPropertyValue('--weight')"
        lit = page.locator("#source-words .word", has_text="red")
        assert float(lit.evaluate(weight)) == 1
        assert not page.locator("#source-words .word", has_text="two").evaluate(weight)
        page.locator("#target-words .word").first.focus()
        page.keyboard.press("ArrowRight")
        playwright.expect(page.locator("#announcer")).to_have_text("rote: red")


def test_on_a_phone_a_tapped_word_keeps_its_place_and_shows_its_source(
    visit: Visit, translating_client: httpx.Client
) -> None:
    with visit(translating_client, has_touch=True) as page:
        page.set_viewport_size({"width": 320, "height": 740})
        page.get_by_role("tab", name="Translate").click()
        page.fill("#source-text", "two red dogs.\n" * 100)
        word = page.locator("#target-words .word").last
        word.scroll_into_view_if_needed()
        before = word.bounding_box()
        word.tap()
        playwright.expect(page.locator("#source-words .word").last).to_be_in_viewport()
        assert abs(word.bounding_box()["y"] - before["y"]) < 5


def test_a_text_that_is_deleted_is_no_longer_being_translated(
    visit: Visit, translating_client: httpx.Client
) -> None:
    with visit(translating_client) as page:
        page.route("**/translate", lambda route: None)
        page.get_by_role("tab", name="Translate").click()
        page.fill("#source-text", "two red dogs.")
        playwright.expect(page.locator("#translate-state")).to_have_text("Translating…")
        page.fill("#source-text", "")
        playwright.expect(page.locator("#translate-state")).to_have_text("")


@pytest.fixture
def translated(visit: Visit, translating_client: httpx.Client) -> Iterator[Page]:
    """The page with the translation of "two red dogs"."""
    with visit(translating_client) as page:
        page.get_by_role("tab", name="Translate").click()
        page.fill("#source-text", "two red dogs")
        playwright.expect(page.locator("#target-words")).to_have_text("zwei rote Hunde")
        yield page


def test_a_text_that_is_refused_has_no_translation_of_another(translated: Page) -> None:
    page = translated
    page.fill("#source-text", "two red dogs" * 10_000)
    playwright.expect(page.locator("#translate-state")).to_contain_text("must be at most")
    playwright.expect(page.locator("#copy")).to_be_disabled()
    page.hover("#target-words")
    playwright.expect(page.locator("#source-text")).to_be_visible()


def test_a_text_that_is_being_typed_is_not_hidden_by_the_words_of_the_one_before(
    translated: Page,
) -> None:
    page = translated
    page.route("**/translate", lambda route: None)  # a slow answer
    page.fill("#source-text", "two red dogs go home")
    page.hover("#target-words .word")
    playwright.expect(page.locator("#source-text")).to_be_visible()
    page.unroute("**/translate")


def test_codes_that_the_browser_does_not_know_stand_for_themselves(
    visit: Visit, translating_client: httpx.Client
) -> None:
    languages = [{"code": "en_GB", "name": "English", "targets": ["x"]}]
    with visit(translating_client) as page:
        page.route("**/languages", lambda route: route.fulfill(json=languages))
        page.reload()
        options = page.locator("#translate option")
        playwright.expect(options).to_have_text(["Detect", "British English", "x"])


def test_a_text_is_not_translated_into_its_own_language_unasked(
    visit: Visit, translating_client: httpx.Client
) -> None:
    def translate(route: Any) -> None:
        found = {"language": "en", "confidence": 90}
        target = route.request.post_data_json["target"]
        route.fulfill(json={"translatedText": target, "detectedLanguage": found, "sentences": []})

    with visit(translating_client) as page:
        page.route("**/languages", lambda route: route.fulfill(json=TWO_LANGUAGES))
        page.route("**/translate", translate)
        page.reload()
        page.get_by_role("tab", name="Translate").click()
        target = page.locator("#translate .target")
        playwright.expect(target).to_have_value("en")
        page.fill("#source-text", "two red dogs.")
        playwright.expect(page.locator("#target-words")).to_have_text("de")
        playwright.expect(target).to_have_value("de")
        target.select_option("en")
        playwright.expect(page.locator("#target-words")).to_have_text("en")


def test_words_after_an_emoji_are_found(visit: Visit, translating_client: httpx.Client) -> None:
    with visit(translating_client) as page:
        page.get_by_role("tab", name="Translate").click()
        page.fill("#source-text", "😀 red dogs.")
        words = page.locator("#source-words .word")
        playwright.expect(words).to_have_text(["😀", "red", "dogs", "."])


def test_hebrew_is_written_from_right_to_left(visit: Visit, client: httpx.Client) -> None:
    with visit(client) as page:
        page.fill("#message", "שלום!")
        direction = "e => getComputedStyle(e).direction"
        assert page.locator("#message").evaluate(direction) == "rtl"
        page.keyboard.press("Enter")
        assert page.locator(".you").evaluate(direction) == "rtl"
        playwright.expect(last_reply(page)).to_have_text(REPLY)
        assert last_reply(page).evaluate(direction) == "ltr"


def test_a_long_text_is_translated_whole(visit: Visit, translating_client: httpx.Client) -> None:
    with visit(translating_client) as page:
        page.get_by_role("tab", name="Translate").click()
        page.fill("#source-text", "two red dogs. go home!\n" * 200)
        playwright.expect(page.locator("#target-words")).to_have_text(
            "zwei rote Hunde. geh Haus!\n" * 200
        )
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 1200


def test_a_file_is_dropped_in_and_given_back(
    visit: Visit, translating_client: httpx.Client
) -> None:
    with visit(translating_client) as page:
        page.get_by_role("tab", name="Subtitles").click()
        file = {"name": "film.srt", "mimeType": "text/plain", "buffer": SRT.encode()}
        page.set_input_files("#file", file)
        playwright.expect(page.locator("#job-state")).to_have_text("Done")
        playwright.expect(page.locator("#preview tbody tr").first).to_contain_text("du sagtest mir")
        save = page.get_by_role("link", name="Save")
        assert save.get_attribute("href").startswith("blob:")  # the server keeps it ten minutes
        with page.expect_download() as download:
            save.click()
        assert download.value.suggested_filename == "film.de.srt"
        assert download.value.path().read_text() == GERMAN_SRT
        page.set_input_files("#file", {**file, "buffer": SRT.encode("utf-16")})
        playwright.expect(page.locator("#preview")).to_be_visible()
        playwright.expect(page.locator("#preview tbody tr").first).to_contain_text("du sagtest mir")
        page.set_input_files("#file", {**file, "buffer": b"1\n00:00:x --> 2"})
        playwright.expect(page.locator("#job-state")).to_contain_text("line 2")


def test_the_language_of_a_file_is_detected_though_an_emoji_is_cut(
    visit: Visit, translating_client: httpx.Client
) -> None:
    with visit(translating_client) as page:
        page.get_by_role("tab", name="Subtitles").click()
        text = ("two red dogs " * 200)[:1999] + "\U0001f600"  # the language of 2,000 is detected
        file = {"name": "a.txt", "mimeType": "text/plain", "buffer": text.encode()}
        page.set_input_files("#file", file)
        playwright.expect(page.locator("#job-state")).to_have_text("Done")


def test_a_file_is_named_after_the_language_that_it_was_translated_into(
    visit: Visit, translating_client: httpx.Client
) -> None:
    held = list[Any]()
    with visit(translating_client) as page:
        page.route("**/languages", lambda route: route.fulfill(json=TWO_LANGUAGES))
        page.route("**/download_file/*", lambda route: held.append(route))
        page.reload()
        page.get_by_role("tab", name="Subtitles").click()
        page.select_option("#subtitles .source", "en")
        page.select_option("#subtitles .target", "de")
        file = {"name": "film.srt", "mimeType": "text/plain", "buffer": SRT.encode()}
        with page.expect_request("**/download_file/*"):
            page.set_input_files("#file", file)
        page.select_option("#subtitles .target", "en")
        held[0].continue_()
        playwright.expect(page.locator("#download")).to_have_attribute("download", "film.de.srt")


def test_a_translated_file_that_is_lost_is_told(
    visit: Visit, translating_client: httpx.Client
) -> None:
    with visit(translating_client) as page:
        lost = {"error": "there is no such file"}
        page.route("**/download_file/*", lambda route: route.fulfill(status=404, json=lost))
        page.get_by_role("tab", name="Subtitles").click()
        file = {"name": "film.srt", "mimeType": "text/plain", "buffer": SRT.encode()}
        page.set_input_files("#file", file)
        playwright.expect(page.locator("#job-state")).to_have_text("there is no such file")
        playwright.expect(page.locator("#download")).to_be_hidden()


def test_a_file_is_not_translated_into_its_own_language_unasked(
    visit: Visit, translating_client: httpx.Client
) -> None:
    found = [{"language": "en", "confidence": 90}]
    with visit(translating_client) as page:
        page.route("**/languages", lambda route: route.fulfill(json=TWO_LANGUAGES))
        page.route("**/detect", lambda route: route.fulfill(json=found))
        page.route("**/translate_file", lambda route: route.abort())
        page.reload()
        page.get_by_role("tab", name="Subtitles").click()
        file = {"name": "film.srt", "mimeType": "text/plain", "buffer": SRT.encode()}
        with page.expect_request("**/translate_file"):
            page.set_input_files("#file", file)
        playwright.expect(page.locator("#subtitles .target")).to_have_value("de")


def test_the_keyboard_reaches_everything_and_is_trapped_nowhere(
    visit: Visit, client: httpx.Client
) -> None:
    with visit(client) as page:
        reached = []
        for _ in range(14):
            page.keyboard.press("Tab")
            reached.append(
                page.evaluate("() => document.activeElement.id || document.activeElement.value")
            )
        assert {"tab-chat", "theme", "log", "message", "send", "default", "chat-model"} <= set(
            reached
        )
        page.locator("#tab-chat").focus()
        page.keyboard.press("ArrowRight")
        playwright.expect(page.locator("#translate")).to_be_visible()
        assert page.evaluate("() => location.hash") == "#translate"


def test_a_message_that_is_refused_is_there_to_be_edited(
    visit: Visit, client: httpx.Client
) -> None:
    with visit(client) as page:
        page.fill("#message", "hello " * 1_000)
        page.keyboard.press("Enter")
        refusal = page.locator(".failed p")
        playwright.expect(refusal).to_have_text("must have at most 4000 characters. Received: 5999")
        playwright.expect(refusal).to_be_in_viewport(ratio=0.9)
        playwright.expect(page.locator("#announcer")).to_contain_text("4000 characters")
        assert page.locator("#message").bounding_box()["height"] > 100


def test_a_reply_that_is_cut_is_not_taken_for_a_whole_one(
    visit: Visit, client: httpx.Client
) -> None:
    events = 'event: delta\ndata: {"text":"Half of"}\n\n'
    with visit(client) as page:
        page.route("**/reply", lambda r: r.fulfill(body=events, content_type="text/event-stream"))
        page.fill("#message", "hello")
        page.keyboard.press("Enter")
        playwright.expect(page.locator(".failed p")).to_have_text("The server does not answer.")
        assert page.input_value("#message") == "hello"


@pytest.mark.parametrize("width", [320, 360])
def test_a_phone_needs_no_sideways_scrolling(
    visit: Visit, translating_client: httpx.Client, width: int
) -> None:
    with visit(translating_client, has_touch=True) as page:
        page.set_viewport_size({"width": width, "height": 740})
        for tab in ("Chat", "Translate", "Subtitles"):
            page.get_by_role("tab", name=tab).click()
            assert page.evaluate("() => document.documentElement.scrollWidth") == width
            small = page.locator("button:visible, select:visible").evaluate_all(
                "all => all.filter(e => e.getBoundingClientRect().height < 30).map(e => e.id)"
            )
            assert small == []


def test_a_long_word_of_a_file_leaves_room_for_its_translation(
    visit: Visit, translating_client: httpx.Client
) -> None:
    srt = SRT.replace("told", "told" * 40)
    with visit(translating_client) as page:
        page.set_viewport_size({"width": 320, "height": 740})
        page.get_by_role("tab", name="Subtitles").click()
        file = {"name": "film.srt", "mimeType": "text/plain", "buffer": srt.encode()}
        page.set_input_files("#file", file)
        source, target = (page.locator("#preview th").nth(place) for place in (1, 2))
        playwright.expect(target).to_be_visible()
        assert source.bounding_box()["width"] == target.bounding_box()["width"]


def test_the_dark_is_dark_and_stays(visit: Visit, client: httpx.Client) -> None:
    colour = "() => getComputedStyle(document.body).backgroundColor"
    with visit(client, color_scheme="dark") as page:
        assert page.evaluate(colour) == "rgb(23, 23, 22)"
        page.get_by_role("button", name="Theme").click()
        assert page.evaluate(colour) == "rgb(250, 249, 246)"
        page.reload()
        assert page.evaluate(colour) == "rgb(250, 249, 246)"


def test_a_server_that_is_lost_and_comes_back_is_told(visit: Visit, client: httpx.Client) -> None:
    with visit(client) as page:
        page.route("**/*", lambda route: route.abort())
        page.fill("#message", "hello")
        page.keyboard.press("Enter")
        playwright.expect(page.locator("#banner")).to_contain_text("does not answer")
        playwright.expect(page.locator("#message")).to_have_value("hello")
        page.unroute("**/*")
        playwright.expect(page.locator("#banner")).to_be_hidden()
        page.locator("#message").focus()
        page.keyboard.press("Enter")
        playwright.expect(last_reply(page)).to_have_text(REPLY)


def test_a_server_that_is_too_busy_for_the_page_is_asked_again(
    visit: Visit, client: httpx.Client
) -> None:
    with visit(client) as page:
        page.route("**/v1/models", lambda route: route.fulfill(status=503))
        page.reload()
        playwright.expect(page.locator("#banner")).to_contain_text("does not answer")
        page.unroute("**/v1/models")
        page.get_by_role("button", name="How are you?").click()
        playwright.expect(last_reply(page)).to_have_text(REPLY)
        playwright.expect(page.locator("#banner")).to_be_hidden()


def test_a_key_is_asked_for_where_the_server_needs_one(
    browser: Any, serve: Serve, table_engine: TableEngine, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text(f"{hashlib.sha256(b'secret').hexdigest()} alice\n")
    with serve(table_engine, Settings(api_keys=keys)) as client:
        page = browser.new_page()
        page.goto(str(client.base_url))
        page.get_by_label("API key").fill("wrong")
        page.keyboard.press("Enter")
        page.get_by_label("API key").fill("sec\u200bret")  # no header can have it
        page.keyboard.press("Enter")
        playwright.expect(page.locator("#key-dialog")).to_be_visible()
        page.get_by_label("API key").fill("secret")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="How are you?").click()
        playwright.expect(last_reply(page)).to_have_text(REPLY)
        page.close()


def test_a_browser_that_stores_nothing_can_use_the_page(visit: Visit, client: httpx.Client) -> None:
    with visit(client) as page:
        for storage in ("sessionStorage", "localStorage"):
            denied = "{ get() { throw new DOMException('denied', 'SecurityError'); } }"
            page.add_init_script(f"Object.defineProperty(window, '{storage}', {denied})")
        page.reload()
        page.get_by_role("button", name="How are you?").click()
        playwright.expect(last_reply(page)).to_have_text(REPLY)
        can_store = "() => { try { return Boolean(localStorage); } catch { return false; } }"
        assert page.evaluate(can_store) is False


def test_without_a_model_that_translates_the_page_says_so(
    visit: Visit, client: httpx.Client
) -> None:
    with visit(client) as page:
        page.get_by_role("tab", name="Translate").click()
        playwright.expect(page.locator("#translate .none")).to_be_visible()
        playwright.expect(page.locator("#translate .pair")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(
    visit: Visit, client: httpx.Client, translating_client: httpx.Client, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for server, tab in (
        (client, "Chat"),
        (translating_client, "Translate"),
        (translating_client, "Subtitles"),
    ):
        with visit(server, color_scheme=scheme, bypass_csp=True) as page:
            page.get_by_role("tab", name=tab).click()
            if tab == "Chat":
                page.get_by_text("Beam").click()
                page.fill("#message", "hello")
                page.keyboard.press("Enter")
                page.wait_for_selector(".choices")
            found = axe.run(page).response["violations"]
            serious = [each for each in found if each["impact"] in ("serious", "critical")]
            assert serious == [], [(e["id"], e["nodes"][0]["html"]) for e in serious]


def test_the_first_load_is_small() -> None:
    loaded = [file for file in STATIC.iterdir() if not file.name.startswith("docs")]
    assert sum(file.stat().st_size for file in loaded) <= 150_000


def test_the_page_of_the_api_loads_nothing_from_elsewhere(
    browser: Any, client: httpx.Client
) -> None:
    pytest.importorskip("fastapi_swagger")
    page = browser.new_page()
    urls = list[str]()
    page.on("request", lambda request: urls.append(request.url))
    page.goto(str(client.base_url.join("/docs")))
    page.wait_for_selector("text=/translate_file")
    assert all(url.startswith((str(client.base_url), "data:")) for url in urls)
    page.close()


@pytest.mark.parametrize(
    "path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/static/"]
)
def test_no_other_file_is_served(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/static/api.js"])
def test_browsers_never_use_an_old_file_unasked(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["cache-control"] == "no-cache"
    if path != "/":
        headers = {"If-None-Match": answer.headers["etag"]}
        assert client.get(path, headers=headers).status_code == 304


def test_the_page_may_load_nothing_from_elsewhere(client: httpx.Client) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "http" not in policy and "unsafe" not in policy
