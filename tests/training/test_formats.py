"""The example of every format, as the docs show it, is read by its reader."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.errors import ConfigError
from training.files.records import Example
from training.formats import FORMATS, Format
from training.prepare.sources import read_source
from training.recipe import SourceConfig

LINES = """L194 +++$+++ u0 +++$+++ m0 +++$+++ A +++$+++ Who is there?
L195 +++$+++ u2 +++$+++ m0 +++$+++ B +++$+++ It is me.
"""
KEYS: dict[str, dict[str, object]] = {
    "bitext": {"target_path": "b.txt"},
    "subtitle-pairs": {"target_path": "a.srt"},
    "moses": {"languages": ("de", "en")},
    "tmx": {"languages": ("en", "de")},
    "parquet": {"languages": ("en", "de")},
    "table": {"columns": ("question", "answer")},
}
NAMES = {
    "discord": "a.csv",
    "cornell": "movie_conversations.txt",
    "moses": "a.de-en.de",
    "bitext": "a.txt",
    "table": "a.csv",
}


@pytest.mark.parametrize("form", FORMATS)
def test_the_example_of_a_format_is_read(tmp_path: Path, form: Format) -> None:
    info = FORMATS[form]
    file = tmp_path / NAMES.get(form, f"a{(*info.suffixes, '')[0]}")
    text = f"<tmx><body>{info.example}</body></tmx>" if form == "tmx" else info.example
    if form == "parquet":
        pair = {"en": "Who is there?", "de": "Wer ist da?"}
        pq.write_table(pa.Table.from_pylist([{"translation": pair}]), file)
    else:
        file.write_text(text)
    for name in ("de", "en"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.xml").write_text('<text><s id="1">Oh!</s><s id="2">Ah!</s></text>')
    (tmp_path / "movie_lines.txt").write_text(LINES)
    for name in ("a.de-en.en", "b.txt"):
        (tmp_path / name).write_text("Who is there?")
    source = SourceConfig.model_validate({"format": form, "path": ".", **KEYS.get(form, {})})
    other = file if form == "subtitle-pairs" else tmp_path / "b.txt"
    found = list(read_source(source, tmp_path, [file], [other]))
    assert found
    assert all(isinstance(each, Example) for each in found), found


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"format": "tmx"}, "format 'tmx' needs `languages`"),
        ({"format": "tmx", "languages": ["en"]}, "two codes"),
        ({"format": "table"}, "format 'table' needs `columns`"),
        ({"format": "table", "columns": ["text"]}, "needs `group_column`"),
        (
            {"format": "lines", "columns": ["a", "b"]},
            "`columns` is for format jsonl and table and parquet, not for lines",
        ),
        ({"format": "jsonl", "scene_pause": 2.0}, "`scene_pause` is for format subtitles"),
        ({"format": "jsonl", "keep_language": "en"}, "`keep_language` is for format subtitles"),
        ({"format": "subtitles", "keep_language": "xx"}, "unknown language 'xx'"),
        ({"format": "pairs", "target_path": "b"}, "`target_path` is for format bitext"),
        ({"format": "pairs", "min_score": 0.5}, "`min_score` is for format subtitle-pairs"),
        ({"format": "subtitle-pairs"}, "format 'subtitle-pairs' needs `target_path`"),
        ({"format": "bitext"}, "format 'bitext' needs `target_path`"),
    ],
)
def test_keys_that_do_not_fit_the_format_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SourceConfig.parse({"path": "a", **keys}, where="recipe")
    assert message in str(caught.value)
