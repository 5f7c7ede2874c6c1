"""Text colours that identify speakers, in SubRip (`<font color>`) and WebVTT (`<c.yellow>`).

Teletext and British broadcasters give each speaker a colour. Others colour the word that is being
spoken, or a stressed word: their colours begin and end within a sentence, and are ignored here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from model.text.sentences import is_ended

#: The least share of coloured parts that are lines or sentences if colours identify speakers.
MIN_WHOLE_SHARE = 0.75

_TAG = re.compile(
    r"<(?:(?P<close>/)(?:font|c)|font(?P<font>\s[^>]{0,200})|c(?P<classes>(?:\.[^\s.>]{1,40})*)(?:\s[^>]*)?)>",
    re.IGNORECASE,
)
_COLOUR = re.compile(r"color\s*=\s*[\"']?\s*([#\w]{1,30})", re.IGNORECASE)
#: WebVTT's own classes, and those of a video site except the two greys that show the confidence of
#: its automatic captions.
_CLASS = re.compile(
    r"\.(white|lime|cyan|red|yellow|magenta|blue|black|color(?!e5e5e5|cccccc)[0-9a-f]{6})(?=\.|$)",
    re.IGNORECASE,
)
_OTHER_TAG = re.compile(r"<[^>]*>|\{[^}]*\}")
_LINE_END = re.compile(r"[ \t]*\n")
#: Before the first word of a line.
_LINE_START = re.compile(r"(?:^|\n)[\s\u2010-\u2015\uff0d>-]*$")


def runs_of(markup: str) -> Iterator[tuple[str, str]]:
    """Yields the parts of a cue's markup in one colour, each after its colour, in lower case; "" is
    the player's default."""
    colours: list[str] = []
    colour, run, place = "", "", 0
    for tag in _TAG.finditer(markup):
        run += markup[place : tag.start()]
        place = tag.end()
        if not tag["close"]:
            colours.append(_colour_of(tag) or (colours[-1] if colours else ""))
        elif colours:
            colours.pop()
        now = colours[-1] if colours else ""
        if now != colour:
            yield colour, run
            colour, run = now, ""
    yield colour, run + markup[place:]


def speakers_of(markup: str) -> Iterator[tuple[str, str]]:
    """Yields the parts of a cue's markup like `runs_of`, but keeps a word in another colour with
    its sentence."""
    parts: list[tuple[str, str]] = []
    before = ""
    for colour, run in runs_of(markup):
        plain = _OTHER_TAG.sub("", run)
        if parts and not _is_border(before, plain):
            parts[-1] = (parts[-1][0], parts[-1][1] + run)
        else:
            parts.append((colour, run))
        before = (before + plain)[-200:]
    yield from parts


def colours_tell_speakers(cues: Iterable[str]) -> bool:
    """Tells whether the coloured parts of a file are whole lines or sentences.

    Args:
        cues: the markup of each.
    """
    coloured, whole = 0, 0
    for markup in cues:
        if "<" not in markup:
            continue
        runs = [(colour, _OTHER_TAG.sub("", run)) for colour, run in runs_of(markup)]
        before = ""
        for place, (colour, run) in enumerate(runs):
            after = "".join(text for _, text in runs[place + 1 : place + 3])
            if colour and run.strip():
                coloured += 1
                whole += _is_border(before, run) and _is_border(before + run, after)
            before = (before + run)[-200:]
    return coloured > 0 and whole >= MIN_WHOLE_SHARE * coloured


def _is_border(before: str, after: str) -> bool:
    """Tells whether a line or a sentence ends between two parts of a cue."""
    return bool(
        not after.strip()
        or _LINE_END.match(after)
        or _LINE_START.search(before)
        or is_ended(before)
    )


def _colour_of(tag: re.Match[str]) -> str:
    found = _COLOUR.search(tag["font"]) if tag["font"] else _CLASS.search(tag["classes"] or "")
    return found[1].lower() if found else ""
