"""Texts in JSON and in ICU message patterns: `{n, plural, one {# file} other {# files}}`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from app.translation.words import Span

_START = re.compile(r"\{\s{0,9}\w{1,40}\s{0,9},\s{0,9}(?:plural|select|selectordinal)\s{0,9},")
_BRACE = re.compile(r"[{}]")
#: Longer or more deeply nested patterns are ordinary text.
_MAX_CHARACTERS, _MAX_DEPTH = 4_000, 8
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"(\s*:)?')


def json_values(text: str) -> list[Span] | None:
    """Returns start and end of each string that is a value in a JSON document, or in some lines of
    an object; None if the text is neither."""
    inner = text.strip()
    documents = [inner] * inner.startswith(("{", "[")) + [f"{{{inner.removesuffix(',')}}}"]
    if not inner or not any(map(_is_json, documents)):
        return None
    return [match.span() for match in _JSON_STRING.finditer(text) if not match[1]]


def _is_json(document: str) -> bool:
    try:
        json.loads(document)
    except (ValueError, RecursionError):
        return False
    return True


def parse_json_string(raw: str) -> str:
    """Returns the text of a string in JSON."""
    return str(json.loads(raw))


def json_string(text: str) -> str:
    """Returns a text as a string in JSON."""
    has_surrogate = any("\ud800" <= char <= "\udfff" for char in text)
    return json.dumps(text, ensure_ascii=has_surrogate)


def message_patterns(text: str) -> Iterator[tuple[Span, list[Span]]]:
    """Yields start and end of each pattern in a text, and of each text within it, which may contain
    patterns of its own."""
    place = 0
    while start := _START.search(text, place):
        branches, depth, begin = list[Span](), 1, 0
        place = start.end()
        for brace in _BRACE.finditer(text, place, place + _MAX_CHARACTERS):
            depth += 1 if brace[0] == "{" else -1
            if depth == 2 and brace[0] == "{":
                begin = brace.end()
            elif depth == 1:
                branches.append((begin, brace.start()))
            elif not 0 < depth <= _MAX_DEPTH:
                break
        if depth == 0:
            place = brace.end()
            yield (start.start(), place), branches
