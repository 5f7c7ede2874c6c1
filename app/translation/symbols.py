"""What a model cannot read: emoji, bullets and other symbols, and words in other scripts.

A model that meets a character beyond its vocabulary writes nonsense. Symbols need no translation,
so they stay where they are, and the text between them is translated. Words are protected as
addresses are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from app.translation.protection import BLANK, blank_fixed
from app.translation.words import Span, word_spans
from model.text.normalise import straighten_quotes
from model.text.scripts import UNSPACED

_NEITHER_WORD_NOR_SPACE = re.compile(r"[^\w\s]")
#: What belongs to an emoji before it: joiners, variation selectors, the key of a keycap, tags.
_EXTENDERS = "\u200d\u20e3\ufe0e\ufe0f\U000e0020-\U000e007f"
#: Symbols that make one word of the letters and digits beside them: `AT&T`, `20°C`, `C++`, `£5`.
_IN_WORD = re.compile(
    r"(?<=[^\W_])[&@#*+/=~^°·]+(?=[^\W_])|(?<=[A-Za-z])[+#]+(?![^\W_])"
    r"|[£¥\u20a0-\u20cf](?=\d)|(?<=\d)[£¥\u20a0-\u20cf]"
)
_WORD = re.compile(rf"[^\s{BLANK}]+")
#: What may be between two words that the model cannot read for them to be one part: marks, or a
#: word of another script without spaces around it.
_WITHIN_PART = re.compile(rf"[\s,.:;!?'’\-、。，：；？！・]*|[^\W{UNSPACED}]+")
_BEFORE_WORDS = re.compile(r"[\s.,;:!?)\]}…、。，！？]*")


def unreadable_words(
    text: str, can_read: Callable[[str], bool], knows_letter: Callable[[str], bool]
) -> list[Span]:
    """Returns start and end of the words that the model cannot read, because of their script or of
    a symbol in them. Words that follow each other are one part.

    Args:
        text: a sentence.
        can_read: tells whether the model can read a text.
        knows_letter: tells whether a letter is of a script that the model knows.
    """
    if can_read(text):
        return []
    open_text = blank_fixed(text)
    unknown = {char for char in set(open_text) if _is_letter(char) and not knows_letter(char)}
    symbols = unreadable_symbols(open_text, can_read)
    spans = [
        span for span in word_spans(open_text) if unknown.intersection(open_text[slice(*span)])
    ]
    for word in _WORD.finditer(open_text):
        if any(symbols.intersection(each) for each in _IN_WORD.findall(word[0])):
            inner = [i for i in range(*word.span()) if open_text[i].isalnum() or text[i] in symbols]
            spans.append((inner[0], inner[-1] + 1))
    parts = list[Span]()
    for start, end in sorted(spans):
        if parts and _WITHIN_PART.fullmatch(open_text, parts[-1][1], max(start, parts[-1][1])):
            parts[-1] = parts[-1][0], max(end, parts[-1][1])
        else:
            parts.append((start, end))
    return parts


def _is_letter(char: str) -> bool:
    """Tells whether a character is a letter, or a number other than a digit: `½`."""
    return char.isalnum() and not char.isdecimal()


def split_at_symbols(text: str, can_read: Callable[[str], bool]) -> list[tuple[str, bool]]:
    """Returns the pieces of a text, which join to the text, and whether each is to be kept.

    Args:
        text: a sentence.
        can_read: tells whether the model can read a text.
    """
    symbols = unreadable_symbols(text, can_read)
    if not symbols:
        return [(text, False)]
    open_text = blank_fixed(text)
    run = re.compile(f"[{re.escape(''.join(sorted(symbols)))}{_EXTENDERS}]+")
    pieces, place = list[tuple[str, bool]](), 0
    for word in _WORD.finditer(open_text):
        if any(symbols.intersection(each) for each in _IN_WORD.findall(word[0])):
            continue
        for match in run.finditer(open_text, *word.span()):
            start, end = match.span()
            if place < start:
                pieces.append((text[place:start], False))
            pieces.append((text[start:end], True))
            place = end
    return [*pieces, (text[place:], False)] if place < len(text) else pieces


def split_ends(piece: str) -> tuple[str, str, str]:
    """Splits a piece into the space and marks that belong to the piece before, its words, and the
    space after them."""
    start = _BEFORE_WORDS.match(piece).end()  # type: ignore[union-attr]
    end = max(start, len(piece.rstrip()))
    return piece[:start], piece[start:end], piece[end:]


def unreadable_symbols(text: str, can_read: Callable[[str], bool]) -> set[str]:
    """Returns the symbols and punctuation marks of a text that the model cannot read, neither as
    written nor in their plain form."""
    return {
        char
        for char in set(_NEITHER_WORD_NOR_SPACE.findall(text))
        if unicodedata.category(char)[0] in "PS"
        and not can_read(char)
        and not can_read(_plain_form(char))
    }


def readable_form(text: str, can_read: Callable[[str], bool]) -> str:
    """Returns a text with plain forms in place of what the model cannot read: straight quotes,
    hyphens, ASCII digits, and letters without the marks above and below them."""
    if can_read(text):
        return text
    straight = straighten_quotes(unicodedata.normalize("NFC", text))
    unreadable = (char for char in set(straight) if not can_read(char))
    plain = {ord(char): _plain_form(char) for char in unreadable}
    return straight.translate({char: form for char, form in plain.items() if can_read(form)})


def _plain_form(char: str) -> str:
    """Returns the plain form of a quote, a dash, a digit or a combining mark, else the character
    itself."""
    match unicodedata.category(char):
        case "Pi" | "Pf":
            return straighten_quotes(char) if straighten_quotes(char) != char else '"'
        case "Pd":
            return "-"
        case "Nd":
            return str(unicodedata.decimal(char))
        case "Mn" | "Me":
            return ""
        case _:
            return straighten_quotes(char)
