"""What a model cannot read: emoji, bullets and other symbols, and words in other scripts.

A model that meets a character beyond its vocabulary writes nonsense. Symbols are left out and put
back into the translation. Words are protected as addresses are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from app.translation.left_out import LeftOut
from app.translation.protection import BLANK, blank_fixed
from app.translation.words import Span, word_spans
from model.text.normalise import straighten_quotes
from model.text.scripts import UNSPACED

_NEITHER_WORD_NOR_SPACE = re.compile(r"[^\w\s]|_")
#: What may also follow a digit: variation selectors, the key of a keycap.
_VARIANTS = "\u20e3\ufe0e\ufe0f"
#: What belongs to an emoji before it: these, joiners, tags.
_EXTENDERS = _VARIANTS + "\u200d\U000e0020-\U000e007f"
#: Symbols that make one word of the letters and digits beside them: `AT&T`.
_IN_WORD = re.compile(r"(?<=[^\W_])[&@#*+/=~^°·]+(?=[^\W_])")
#: A text in brackets, which models often lose, or its first or last sentence.
_ENCLOSED = re.compile(r"\s*(\(?)[^()]*+(\)?)[\s.,:;!?…]*")
#: An aside in brackets in a sentence that is complete without it, or another word after a slash or
#: an en dash: `yes/no`.
_ASIDE = re.compile(
    r"\s\([^()\n]{2,200}\)(?![^\s.,;:!?])|^\([^()\n]{2,200}\)\s+(?=\S)"
    r"|(?:(?<=[^\W\d_])|(?<=[^\W\d_]\.))[/–](?!in(?:nen)?\b)[^\W\d_]{2,40}(?!\w)(?:\.(?=\s\S))?"
)
#: Faces made of characters, which models read as marks: `:-)`, `;P`, `<3`, `xD`.
_EMOTICON = re.compile(
    r"(?<!\S)(?:[:;=]['’]?[-o^]?[()\[\]DPpOo/\\|*]{1,5}|<3{1,5}|[xX]D{1,5}|\([-^]?[:;=])"
    r"(?![^\s.,!?])"
)
#: What follows the text of a link in Markdown.
_LINK_TARGET = re.compile(r"\]\([^()\s]{1,500}\)")
#: A sentence is split at no more brackets or asides than this, since its pieces take long.
_MAX_BRACKETS = 12
_WORD = re.compile(rf"[^\s{BLANK}]+")
#: What may be between two words that the model cannot read for them to be one part: marks, or a
#: word of another script without spaces around it.
_WITHIN_PART = re.compile(rf"[\s,.:;!?'’\-、。，：；？！・]*|[^\W{UNSPACED}]+")
_BEFORE_WORDS = re.compile(r"[\s./–,;:!?)\]}…、。，！？]*")


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
        if _has_inner(word[0], symbols):
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


def split_at_brackets(text: str, can_read: Callable[[str], bool]) -> list[tuple[str, bool]]:
    """Splits a text at the brackets that the model cannot read and at links in Markdown, unless
    there are many, and at the brackets at its ends. Returns the pieces, which join to the text, and
    whether each is to be kept.

    Args:
        text: a sentence.
        can_read: tells whether the model can read a text.
    """
    brackets = [link.span() for link in _LINK_TARGET.finditer(text)]
    open_text = _LINK_TARGET.sub(_blanked, text)
    brackets += [
        (start, end)
        for start, end in _symbol_spans(open_text, can_read)
        if any(unicodedata.category(char) in ("Ps", "Pe") for char in open_text[start:end])
        and not _EMOTICON.fullmatch(open_text, start, end)
    ]
    if can_read("()") and (enclosed := _ENCLOSED.fullmatch(_EMOTICON.sub(_blanked, open_text))):
        brackets += [enclosed.span(group) for group in (1, 2) if enclosed[group]]
    if not 0 < len(brackets) <= _MAX_BRACKETS:
        return [(text, False)]
    pieces, place = list[tuple[str, bool]](), 0
    for start, end in sorted(brackets):
        pieces += [(text[place:start], False), (text[start:end], True)]
        place = end
    return [(piece, is_kept) for piece, is_kept in [*pieces, (text[place:], False)] if piece]


def leave_out_asides(text: str) -> LeftOut:
    """Leaves out the asides in a sentence, unless there are many; models confuse them with the rest
    of it."""
    kept, asides, place = "", list[tuple[int, str]](), 0
    for aside in _ASIDE.finditer(blank_fixed(text)):
        start, end = aside.span()
        kept += text[place:start]
        asides.append((len(kept), text[start:end]))
        place = end
    if len(asides) > _MAX_BRACKETS:
        return LeftOut(text, ())
    return LeftOut(kept + text[place:], tuple(asides))


def leave_out_unreadable(
    text: str, can_read: Callable[[str], bool], words: Sequence[Span] = ()
) -> LeftOut:
    """Leaves out the symbols that the model cannot read, and some words.

    Args:
        text: a sentence.
        can_read: tells whether the model can read a text.
        words: start and end of the words, see `unreadable_words`.
    """
    kept, symbols, place = "", list[tuple[int, str]](), 0
    for start, end in sorted([*_symbol_spans(text, can_read), *words]):
        if start < place:  # a mark in a word
            continue
        touches_next = text[end : end + 1].isalnum()
        if not kept and not text[place:start].strip():
            end = len(text) - len(text[end:].lstrip())
        elif not touches_next:
            start = place + len(text[place:start].rstrip())
        kept += text[place:start]
        symbols.append((len(kept), text[start:end]))
        if touches_next and kept[-1:].isalnum():
            kept += " "
        place = end
    return LeftOut(kept + text[place:], tuple(symbols))


def _symbol_spans(text: str, can_read: Callable[[str], bool]) -> Iterator[Span]:
    """Yields start and end of the symbols that the model cannot read, except those in words and
    fixed parts, and of emoticons."""
    open_text = blank_fixed(text)
    for emoticon in _EMOTICON.finditer(open_text):
        yield emoticon.span()
    if can_read(text):
        return
    open_text = _EMOTICON.sub(_blanked, open_text)
    symbols = unreadable_symbols(open_text, can_read)
    if not symbols:
        return

    def blank_word(word: re.Match[str]) -> str:
        return _blanked(word) if _has_inner(word[0], symbols) else word[0]

    symbol = f"[{re.escape(''.join(sorted(symbols)))}]"
    run = re.compile(rf"{symbol}(?:{symbol}|[{_EXTENDERS}])*")
    for match in run.finditer(_WORD.sub(blank_word, open_text)):
        yield match.span()


def _blanked(match: re.Match[str]) -> str:
    return BLANK * len(match[0])


def _has_inner(word: str, symbols: set[str]) -> bool:
    """Tells whether any of `symbols` is part of a word."""
    return any(symbols.intersection(each) for each in _IN_WORD.findall(word))


def split_ends(piece: str) -> tuple[str, str, str]:
    """Splits a piece into the space and marks that belong to the piece before, its words, and the
    space after them."""
    start = _BEFORE_WORDS.match(piece).end()  # type: ignore[union-attr]
    end = max(start, len(piece.rstrip()))
    return piece[:start], piece[start:end], piece[end:]


def unreadable_symbols(text: str, can_read: Callable[[str], bool]) -> set[str]:
    """Returns the symbols, punctuation marks and private characters of a text that the model cannot
    read, neither as written nor in their plain form."""
    return {
        char
        for char in set(_NEITHER_WORD_NOR_SPACE.findall(text))
        if not can_read(char) and (char in _VARIANTS or _is_symbol(char, can_read))
    }


def _is_symbol(char: str, can_read: Callable[[str], bool]) -> bool:
    kind = unicodedata.category(char)
    return kind.startswith(("P", "S", "Co")) and not can_read(_plain_form(char))


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
