"""What the translation memory of a model knows of a text: all of it, its words, or its quotes."""

from __future__ import annotations

import re

from app.decoding.served_model import ServedModel
from app.translation.protection import blank_fixed, quoted_spans
from app.translation.words import Span
from model.blocked_words import has_blocked_words
from model.translation_memory import MAX_CHARACTERS

#: The words of a text, from the first to the last.
_WORDS = re.compile(r"[^\W_](?:.*[^\W_])?", re.DOTALL)


class KnownTranslations:
    """Looks texts up in the translation memory of a model, which may have none."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model

    def of_text(self, text: str) -> str | None:
        """Returns the translation of a text, or of its words without the marks and fixed parts
        around them; None if there is none."""
        known = self._find(text)
        if known is not None or len(text) > MAX_CHARACTERS:
            return known
        words = _WORDS.search(blank_fixed(text))
        if words is None:
            return None
        start, end = words.span()
        inner = self._find(text[start:end])
        return inner and text[:start] + inner + text[end:]

    def of_quotes(self, text: str) -> tuple[dict[Span, str], dict[Span, str]]:
        """Returns the translations of the words of the quotes in a text that are known, by their
        place, and the same with their quotation marks."""
        inner, outer = dict[Span, str](), dict[Span, str]()
        for start, end in quoted_spans(text):
            words = _WORDS.search(text, start, end)
            if words and (found := self._find(words[0])):
                inner[words.span()] = found
                outer[start, end] = text[start : words.start()] + found + text[words.end() : end]
        return inner, outer

    def _find(self, text: str) -> str | None:
        """Returns the translation in the memory, unless it has blocked words."""
        memory, options = self._model.translation_memory, self._model.config.search
        known = memory.find(text) if memory else None
        is_blocked = known and has_blocked_words(self._model.tokenizer, options, known)
        return None if is_blocked else known
