"""Translation of texts, HTML and files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from app.translation.concurrency import run_maybe_in_thread
from app.translation.cue_text import (
    MAX_SPAN_CHARACTERS,
    CueText,
    continues_sentence,
    parse_cue_text,
)
from app.translation.html_text import HtmlText
from app.translation.layout import Translation
from app.translation.parts import Part
from app.translation.plain_text import PlainText
from app.translation.subtitles import SubtitleFile
from app.translation.translator import Translator

#: Longer documents are read and written in a thread.
_LONG_CHARACTERS = 2_000


@dataclass(frozen=True)
class TranslatedText:
    """Translations of a text.

    Attributes:
        texts: the best translation, then the alternatives.
        sentences: each sentence with its best translation.
    """

    texts: list[str]
    sentences: list[tuple[str, Translation]]


async def translate_text(
    translator: Translator,
    source: str,
    parse: Callable[[str], PlainText | HtmlText] = PlainText,
    *,
    alternatives: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> TranslatedText:
    """Translates a plain text, or an HTML document or fragment."""
    is_long = len(source) > _LONG_CHARACTERS
    page = await run_maybe_in_thread(is_long, parse, source)
    found = await translator.translate(
        page.groups, alternatives=alternatives, on_progress=on_progress
    )
    texts = await run_maybe_in_thread(is_long, lambda: [*map(page.render, found.ranked)])
    return TranslatedText(texts, found.sentences)


async def translate_file(
    translator: Translator,
    file: SubtitleFile,
    on_progress: Callable[[int, int], None] | None = None,
) -> str:
    """Returns the translation of a file. Sentences of subtitles that span several cues are
    translated as a whole and distributed over the same cues."""
    if file.file_format == "txt":
        text = file.render([cue.text for cue in file.cues])
        return (await translate_text(translator, text, on_progress=on_progress)).texts[0]
    texts, groups = await asyncio.to_thread(_read, file)
    found = await translator.translate(groups, on_progress=on_progress)
    return await asyncio.to_thread(_serialize, file, texts, found.best)


def _read(file: SubtitleFile) -> tuple[list[CueText], list[list[Part]]]:
    texts = [parse_cue_text(cue.text, file.file_format) for cue in file.cues]
    return texts, list(_groups_of(file, texts))


def _serialize(file: SubtitleFile, texts: Sequence[CueText], parts: Sequence[Part]) -> str:
    left = iter(parts)
    return file.render([text.render(list(islice(left, len(text.utterances)))) for text in texts])


def _groups_of(file: SubtitleFile, texts: Sequence[CueText]) -> Iterator[list[Part]]:
    """Yields the parts of all cues, in groups that form one text."""
    group, characters, end_ms = list[Part](), 0, 0
    for cue, text in zip(file.cues, texts, strict=True):
        for place, utterance in enumerate(text.utterances):
            pause_ms = cue.start_ms - end_ms if place == 0 else 0
            has_room = characters + len(utterance.part.text) <= MAX_SPAN_CHARACTERS
            if group and not (has_room and continues_sentence(group[-1], utterance, pause_ms)):
                yield group
                group, characters = [], 0
            group.append(utterance.part)
            characters += len(utterance.part.text)
        end_ms = cue.end_ms
    if group:
        yield group
