from __future__ import annotations

import argparse

import pytest

from app.schemas.reply import ReplyRequest
from model.config import Document, SearchOptions
from model.flags import OneLineParser, add_flags, flag_rows, given
from model.search.options import RequestOptions

#: Fields of a request that say what is answered, and in which form.
NO_OPTIONS = {"model", "message", "messages", "batch", "with_attention", "stream"}


@pytest.fixture
def parser() -> argparse.ArgumentParser:
    parser = OneLineParser()
    add_flags(parser, RequestOptions, SearchOptions)
    return parser


def test_every_option_of_a_request_is_a_flag() -> None:
    flags = {*RequestOptions.model_fields, *SearchOptions.model_fields}
    assert flags == {*ReplyRequest.model_fields} - NO_OPTIONS


@pytest.mark.parametrize("document", [RequestOptions, SearchOptions])
def test_options_of_a_request_have_the_meanings_and_bounds_of_the_document(
    document: type[Document],
) -> None:
    body = ReplyRequest.model_json_schema()["properties"]
    for name, own in document.model_json_schema()["properties"].items():
        kinds = [kind for kind in own.get("anyOf", [own]) if kind["type"] != "null"]
        given, null = body[name]["anyOf"]
        assert body[name]["description"] == own["description"]
        assert null == {"type": "null"} and body[name]["default"] is None
        assert given.items() <= kinds[0].items()
        assert {*kinds[0]} - {*given} <= {"default", "description", "title"}


def test_values_have_the_types_of_their_fields(parser: argparse.ArgumentParser) -> None:
    line = "--beam-size 3 --top-p 0.5 --no-shortlist --seed 7 --blocked-word a --blocked-word b"
    chosen = parser.parse_args([*line.split(), "--prefix", "i am", "--decoding", "sample"])
    assert given(chosen, SearchOptions) == {
        "beam_size": 3,
        "top_p": 0.5,
        "shortlist": False,
        "seed": 7,
        "blocked_words": ["a", "b"],
    }
    options = RequestOptions(**given(chosen, RequestOptions))
    assert (options.prefix, options.decoding) == ("i am", "sample")


def test_what_is_not_given_is_left_out(parser: argparse.ArgumentParser) -> None:
    chosen = parser.parse_args([])
    assert given(chosen, SearchOptions) == given(chosen, RequestOptions) == {}


def test_each_flag_has_a_meaning(parser: argparse.ArgumentParser) -> None:
    rows = dict(flag_rows(RequestOptions, SearchOptions))
    assert {"--beam-size N", "--top-p X", "--blocked-word TEXT", "--prefix TEXT"} <= rows.keys()
    assert "--decoding greedy|beam|sample" in rows and "--shortlist, --no-shortlist" in rows
    assert all(rows.values())
    assert all(flag.split()[0].rstrip(",") in parser.format_help() for flag in rows)
