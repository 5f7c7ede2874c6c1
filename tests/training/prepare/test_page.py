from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from training.prepare.charts import curve, histogram
from training.prepare.page import render_page
from training.prepare.prepare import prepare
from training.recipe import Recipe


class Page(HTMLParser):
    """Text of a page, and the tags that stay open in it."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, _: object) -> None:
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, *_: object) -> None:
        """Is closed at once."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("corpus")
    lines = [f"we see <b>{word}</b> & more\twir sehen {word}" for word in "abcdefghijklmnop"]
    lines += ["no tab", "the same thing twice\tthe same thing twice", lines[0]]
    (folder / "pairs.tsv").write_text("\n".join(lines))
    source = {"format": "pairs", "path": "pairs.tsv"}
    values = {
        "name": "a-corpus",
        "task": "translate",
        "languages": ["xx", "de"],
        "output": str(folder / "run"),
        "corpus": {"sources": [source], "dev_fraction": 0.2, "test_fraction": 0.1},
        "tokenizer": {"type": "word", "vocab_size": 64},
    }
    recipe = Recipe.parse(values, where="test")
    corpus = prepare(recipe, folder / "recipe.toml")
    content = (corpus.path / "report.html").read_text(encoding="utf-8")
    assert content == render_page(corpus.report, recipe)
    return content


def test_the_page_is_well_formed_and_needs_nothing_else(content: str) -> None:
    page = Page()
    page.feed(content)
    assert page.open == []
    assert not re.search(r"src=|href=(?!\"#)|url\(|@import|<script", content)


def test_the_page_tells_counts_reasons_samples_and_places(content: str) -> None:
    page = Page()
    page.feed(content)
    text = " ".join(page.texts)
    for said in (
        "a-corpus",
        "rows of train",
        "copy",
        "duplicate",
        "a target that equals its source",
        "the same thing twice",
        "pairs.tsv:18",
        "pairs.tsv:17: expected source TAB target",
        "Not applied: language",
        "'xx' is not a known language",
        "Before you train",
        "examples to train on",
        "dev has",
        "Details",
        "Examples in two splits",
        "we see <b>a</b> & more",
    ):
        assert said in text, said
    assert "we see <b>a</b>" not in content


def test_every_link_has_its_section(content: str) -> None:
    links = re.findall(r'href="#([^"]+)"', content)
    assert {"left-out", "unreadable"} <= set(links)
    for place in links:
        assert content.count(f'id="{place}"') == 1, place


def test_what_cannot_be_read_comes_before_the_samples(content: str) -> None:
    titles = re.findall(r"<h2[^>]*>([^<]+)</h2>", content)
    assert titles[0] == "Unreadable records"
    assert titles[-2:] == ["Kept samples", "Dropped samples"]
    assert content.index('class="verdict amber"') < content.index("<h2")


def test_what_parts_have_in_common_is_folded_up_if_it_is_nothing(content: str) -> None:
    assert "<details><summary>Examples in two splits <span>0</span>" in content


@pytest.mark.parametrize(
    ("task", "sides"), [("translate", ("source", "target")), ("reply", ("message", "reply"))]
)
def test_places_are_short_and_sides_are_named(
    tmp_path: Path, task: str, sides: tuple[str, str]
) -> None:
    folder = tmp_path / "a folder" / "below"
    folder.mkdir(parents=True)
    lines = [f"do we see {word}\twe see {word}" for word in "abcdefghijklmnop"]
    (folder / "one.tsv").write_text("\n".join([*lines, "no tab"]))
    source = {"format": "pairs" if task == "translate" else "exchanges", "path": "a folder"}
    values = {
        "name": "short",
        "task": task,
        "output": str(tmp_path / "run"),
        "corpus": {"sources": [source]},
        "tokenizer": {"type": "word", "vocab_size": 64},
    }
    corpus = prepare(Recipe.parse(values, where="test"), tmp_path / "recipe.toml")
    page = (corpus.path / "report.html").read_text(encoding="utf-8")
    assert re.search(r'title="a folder/below/one\.tsv:\d+">one\.tsv:\d+<', page)
    assert 'title="a folder/below/one.tsv:17: ' in page
    assert ">one.tsv:17: " in page
    assert "<th>place</th><th>{}</th><th>{}</th>".format(*sides) in page
    assert f"<h3>{sides[0]}</h3>" in page


def test_axes_say_what_they_count() -> None:
    assert "examples" in histogram([0, 5], 64, "red")
    assert "8 lengths a bar" in histogram([1] * 500, 600, "red")
    assert "tokens" in histogram([0, 5], 64, "red")
    assert "share of all tokens" in curve([[1, 0.0], [10, 50.0]], "red")


def test_a_histogram_has_a_bar_for_each_length_and_shows_its_limit() -> None:
    drawn = histogram([0, 5, 0, 10], 2, "red")
    heights = [float(height) for height in re.findall(r'height="([\d.]+)" fill', drawn)]
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2)
    assert "dasharray" in drawn
    assert "dasharray" not in histogram([0, 5, 0, 10], 64, "red")


def test_many_lengths_share_bars() -> None:
    assert 30 < histogram([1] * 500, 600, "red").count("<rect") <= 64


def test_a_curve_goes_through_its_points() -> None:
    drawn = curve([[1, 0.0], [10, 50.0], [100, 100.0]], "red")
    places = re.findall(r"[ML]([\d.]+) ([\d.]+)", drawn.partition('fill="none"')[0])[-3:]
    xs, ys = zip(*[(float(x), float(y)) for x, y in places], strict=True)
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.2)
