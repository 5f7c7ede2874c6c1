"""What a model reads of a sentence: its tokens, with stand-ins, without symbols and capitals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from app.settings import Settings
from app.translation.left_out import LeftOut
from app.translation.protection import Protected, blank_fixed, disjoint, protect
from app.translation.symbols import leave_out_unreadable, readable_form, unreadable_words
from app.translation.words import Span, word_spans
from model.errors import InputError
from model.text.surface import MAX_ABBREVIATION, is_in_capitals, readings, without_capitals
from model.tokenizer import Tokenizer
from model.translation_memory import TranslationMemory

#: Maximum number of required numbers and stand-ins: each takes a part of the beam.
_MAX_REQUIRED_WORDS = 4
#: A mark between words without the space after it, with which a model reads both.
_MARK_WITHOUT_SPACE = re.compile(r"(?<=[^\W\d_]{2})[,;!?](?=[^\W\d_]{2})")
#: What is read in place of abbreviations, of which models have learnt few, by language.
_LONG_FORMS = {
    "de": {
        "bzw.": "oder",
        "ca.": "ungefähr",
        "d.h.": "das heißt",
        "evtl.": "vielleicht",
        "ggf.": "vielleicht",
        "hr.": "Herr",
        "inkl.": "mit",
        "nr.": "Nummer",
        "u.a.": "unter anderem",
        "usw.": "und so weiter",
        "z.b.": "zum Beispiel",
    },
    "en": {
        "e.g.": "for example",
        "etc.": "and so on",
        "i.e.": "that is",
        "no.": "number",
        "vs.": "against",
    },
}
_SHORT_FORM = re.compile(r"(?<![\w.])(?:[a-z]\. ?[a-z]|[a-z]{2,6})\.(?=\s|$|,)", re.IGNORECASE)
#: `PDF`, `USB-C`, `CDs`, the first part of `PDF-Datei`; no Roman numeral. `U.S.`
_ABBREVIATION = re.compile(
    r"(?<![\w.])(?:[A-ZÀ-ÖØ-Þ]\.){2,4}(?!\w)|"
    r"(?<![\w'’-])(?![IVX]+\b)([A-ZÀ-ÖØ-Þ]{2,5})(?:-[A-Z]{1,5}(?!\w))*+s?(?![\w'’])"
)
_VOWEL = re.compile("[AEIOUYÀ-Ý]")


@dataclass(frozen=True)
class EncodedSource:
    """A sentence as the model reads it.

    Attributes:
        protected: the sentence and its protected parts.
        left_out: the sentence with stand-ins, and its symbols.
        turns: the sentence, after its context.
        source_ids: its tokens; empty if there is nothing to translate.
    """

    protected: Protected
    left_out: LeftOut
    turns: list[str]
    source_ids: list[int]


class SourceReader:
    """Reads sentences as a model does. Knows no search.

    Args:
        tokenizer: of the model.
        settings: settings of the server, for its limits.
        memory: translation memory of the model, if it has one.
        language: language of the sentences.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        settings: Settings,
        memory: TranslationMemory | None,
        language: str,
    ) -> None:
        self._long_forms = _LONG_FORMS.get(language.partition("-")[0].lower(), {})
        self._tokenizer = tokenizer
        self._memory = memory
        self._settings = settings

    def encode(
        self,
        text: str,
        context: list[str],
        known: Mapping[Span, str] | None = None,
        *,
        fixes_more: bool = False,
    ) -> EncodedSource | None:
        """Encodes a sentence, after its context if there is room; None if it is too long. A single
        character is never too long.

        Args:
            text: the sentence.
            context: the sentences before it.
            known: see `protect`.
            fixes_more: whether all `words_to_keep`, and numbers of more than digits, get stand-ins.
        """
        words = self.words_to_keep(text) if fixes_more else self.unreadable_words(text)
        protected = protect(
            text,
            words if len(words) <= _MAX_REQUIRED_WORDS else (),
            known,
            fixes_numbers=fixes_more,
        )
        nothing = EncodedSource(protected, LeftOut(protected.text, ()), [text], [])
        if not protected.has_words:
            return nothing
        if protected.lacks_stand_ins or len(protected.text) > self._settings.max_message_characters:
            return None
        left_out = self._leave_out_unreadable(protected.text)
        alone = [without_capitals(self._readable(left_out))]
        for turns in ([*context, *alone], alone) if context else (alone,):
            try:
                source = self._tokenizer.read_source(turns)
            except InputError:  # there is nothing to read
                return nothing
            if not source.dropped_tokens or len(text) == 1:
                return EncodedSource(protected, left_out, turns, source.ids)
        return None

    def other_readings(self, source: EncodedSource) -> Iterator[EncodedSource]:
        """Yields the other readings of an encoded sentence, see `model.text.surface`."""
        if not source.source_ids:
            return
        for reading in readings(self._readable(source.left_out))[1:]:
            turns = [*source.turns[:-1], reading]
            read = self._tokenizer.read_source(turns)
            if not read.dropped_tokens:
                yield replace(source, turns=turns, source_ids=read.ids)

    def context(self, text: str) -> str:
        """Returns what the model reads of a sentence before another."""
        return without_capitals(self._readable(self._leave_out_unreadable(text)))

    def stretched(self, source: EncodedSource) -> str:
        """Returns what is left of a sentence, with abbreviations as long as what is read in their
        place, so that its words can be found by the number of characters before them."""

        def stretch(short: re.Match[str]) -> str:
            read, written = (each.replace(" ", "") for each in (self._long_form(short), short[0]))
            return short[0][0] * (1 + len(read) - len(written)) + short[0][1:]

        return _SHORT_FORM.sub(stretch, source.left_out.text)

    def required(self, protected: Protected) -> list[list[int]]:
        """Returns the tokens that a translation must contain to keep the protected parts; none if
        there are too many, or the model cannot write them."""
        needed = protected.required
        if len(needed) > min(_MAX_REQUIRED_WORDS, self._settings.max_required_words):
            return []
        try:
            return [self._tokenizer.constraint_ids(each, ()) for each in needed]
        except InputError:
            return []

    def unreadable_words(self, text: str) -> list[Span]:
        """Returns start and end of the words that the model cannot read, see `symbols`."""
        return unreadable_words(text, self._tokenizer.can_read, self._tokenizer.knows_letter)

    def words_to_keep(self, text: str) -> list[Span]:
        """Returns start and end of the words that the model cannot read, of abbreviations, and of
        words with letters that it has not learnt: `naïve`."""
        rare = [
            (start, end)
            for start, end in word_spans(blank_fixed(text))
            if text[start].isalpha() and not self._tokenizer.can_read(text[start:end])
        ]
        return disjoint([*self.unreadable_words(text), *self.abbreviations(text), *rare])

    def abbreviations(self, text: str) -> list[Span]:
        """Returns start and end of short words in capitals, which neither the model nor its memory
        has as words: `PDF`, but not `NEVER`. In a text of capitals there are none, unless it is as
        short as one (`PDF`) or cannot be spoken (`HTML`)."""
        if len(text) > MAX_ABBREVIATION and is_in_capitals(text) and _VOWEL.search(text):
            return []
        found = _ABBREVIATION.finditer(blank_fixed(text))
        return [match.span() for match in found if not self._is_word(match[1] or match[0])]

    def _is_word(self, capitals: str) -> bool:
        """Tells whether a word in capitals is one that the model has as a token of its own in some
        form, or that the memory has, or that is read in full."""
        if capitals.lower() in self._long_forms:
            return True
        forms = capitals, capitals.lower(), capitals.capitalize()
        is_token = any(len(self._tokenizer.source_ids(form)) <= 2 for form in forms)  # and the end
        return is_token or bool(self._memory and self._memory.find(capitals.lower()))

    def _leave_out_unreadable(self, text: str) -> LeftOut:
        words = self.unreadable_words(text)
        return leave_out_unreadable(text, self._tokenizer.can_read, words)

    def _readable(self, left_out: LeftOut) -> str:
        text = readable_form(left_out.text, self._tokenizer.can_read)
        return _SHORT_FORM.sub(self._long_form, _MARK_WITHOUT_SPACE.sub(r"\g<0> ", text))

    def _long_form(self, short: re.Match[str]) -> str:
        """Returns what is read in place of a word with a full stop, which may also end the text.
        `No.` is a number only before one."""
        key, rest = short[0].replace(" ", "").lower(), short.string[short.end() :].lstrip()
        long = self._long_forms.get(key)
        if long is None or (key in ("no.", "nr.") and not rest[:1].isdigit()):
            return short[0]
        if is_in_capitals(short.string):
            long = long.upper()
        elif short.start() == 0 and short[0][0].isupper():
            long = long[:1].upper() + long[1:]
        return long if rest else f"{long}."
