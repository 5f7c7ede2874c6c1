"""Speaker labels (`ANNA: Hi.`, `[MAN]: Hi.`, a name in Japanese brackets). Pure functions.

A label in Latin, Greek or Cyrillic letters is recognised by its capitals. In a file that is all in
capitals, or in a script without capitals, labels are the short words that come before a colon
repeatedly (`labels_of`).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from model.text.sentences import CLOSERS, END_MARKS, WIDE_MARKS
from training.files.records import Cue
from training.subtitles.label_words import CASELESS_NON_NAMES, NON_NAMES, TOPICS

#: Marks before and after a label that has been recognised.
LABEL_START, LABEL_END = "\x02", "\x03"
#: A candidate that comes so often is a label; if this share of cues has one, all of them are.
MIN_OCCURRENCES = 2
MIN_SHARE = 0.2
#: A text with a smaller share of lower-case letters is all in capitals.
MAX_LOWERCASE_SHARE = 0.1
MAX_LABEL_CHARACTERS = 32
MAX_LABEL_WORDS = 5
#: The most words and characters of a label in a script without capitals.
MAX_CASELESS_WORDS = 2
MAX_CASELESS_CHARACTERS = 16

_TITLES = (
    "mr mrs ms dr st prof sgt lt capt col gen maj cpl pvt det insp rev fr sr sra jr mme mlle m hr "
    "gov sen rep"
)
_LABEL = re.compile(rf"([^:：\n]{{1,{MAX_LABEL_CHARACTERS}}}?)[^\S\n]*([:：])[^\S\n]*")
#: After the end of a sentence: `Okay. LENA: Hello!`
_AFTER_SENTENCE = rf"(?:(?<=[{END_MARKS}{CLOSERS}])[ \t]+|(?<=[{WIDE_MARKS}」』]))"
_LABEL_WITHIN = re.compile(
    rf"{_AFTER_SENTENCE}(?=((?:(?:{_TITLES.replace(' ', '|')})\.[ ])?"
    rf"[^\s:：{END_MARKS}][^:：\n{END_MARKS}]{{0,{MAX_LABEL_CHARACTERS}}})[:：])",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"[^\W\d_]{2,} #?\d{1,2}")
_TITLE_END = re.compile(rf"(?:^|\s)(?:{_TITLES.replace(' ', '|')})\.$", re.IGNORECASE)
_DASHED_START = r"(?:^[ \t]*(?:[\u2010-\u2015\u2212\ufe58\ufe63\uff0d-][ \t]*|>>+[ \t]*)?)"
#: `[MAN]: Hi.`, at the start of a line or after a sentence.
_BRACKETED = re.compile(
    rf"({_DASHED_START}|{_AFTER_SENTENCE})"
    rf"[\[(（［【]([^\[\]()（）［］【】\n:：]{{1,{MAX_LABEL_CHARACTERS}}})"
    r"(?:[:：][ \t]*[\])）］】][ \t]*[:：]?|[\])）］】][ \t]*[:：])[ \t]*",
    re.MULTILINE,
)
#: A name in brackets without a colon, before speech.
_JAPANESE = re.compile(
    rf"({_DASHED_START}|(?<=[{WIDE_MARKS}]))[（(]([^\s（）()]{{1,10}})[）)]"
    r"(?=[ \t]*\n?[ \t]*[^\s（(])",
    re.MULTILINE,
)
#: A remark after the name: `ANNA (softly): Hi.`
_ASIDE = re.compile(r"[(（\[][^()（）\[\]\n]{0,50}[)）\]]")
_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa]")
_HIRAGANA = re.compile(r"[\u3041-\u3096]")
_EAST_ASIAN = re.compile(r"[々〆\u3041-\u3096\u30a1-\u30ff\u3400-\u9fffA-ZＡ-Ｚ0-9０-９・＝]+")
#: Ends of Japanese and Chinese notes on sounds and facial expressions.
_NOTE_END = re.compile(
    r"(?:[鳴歌雷音声聲語息曲笑泣哭咳涙汗怒拍叫唸拝嘆叹]|爆発|発砲|銃撃|合唱|演奏|着信|通知"
    r"|汽笛|警報|回想|拍手|音楽|音乐|音樂|沈黙|無言|深呼吸|掌声|掌聲|敲门|敲門|电话|電話"
    r"|チャイム|ノック|ベル|サイレン|ブザー|アラーム|クラクション|BGM|くしゃみ|いびき|せき|しゃっくり|げっぷ)$"
)
#: Ends of a Chinese or Japanese clause before a colon: to say, is, as follows, particles.
_CLAUSE_END = re.compile(
    r"[说說道问問是想叫喊写寫看听聽讲講下はがをにでともてただるすいくうつむぶ]$"
)
#: Hiragana that may follow a name within a longer label: `田中と佐藤`, `花子ちゃん`.
_SUFFIXES = re.compile(r"(?<=.)(?:ちゃん|さん|くん|さま|たち|と(?=.))")


@dataclass(frozen=True)
class Labels:
    """The speaker labels of a file.

    Attributes:
        capitals_tell: a label in capitals is a name, since the file is not all in capitals.
        names: labels before a colon that are known because they recur.
        in_brackets: names in brackets without a colon.
    """

    capitals_tell: bool = True
    names: frozenset[str] = frozenset()
    in_brackets: frozenset[str] = frozenset()


NO_LABELS = Labels()


def labels_of(cues: Iterable[Cue]) -> Labels:
    """Returns the speaker labels of a file, from all its cues."""
    texts = [cue.text for cue in cues]
    together = "\n".join(texts)
    return Labels(
        capitals_tell=not _is_all_capitals(together),
        names=frozenset(_recurring_names(texts)),
        in_brackets=frozenset(_bracketed_names(texts, is_japanese=bool(_KANA.search(together)))),
    )


def mark_bracketed(text: str, labels: Labels) -> str:
    """Returns a cue's text with its labels in brackets between `LABEL_START` and `LABEL_END`, each
    at the start of a line."""
    text = text.replace(LABEL_START, " ").replace(LABEL_END, " ")
    text = _BRACKETED.sub(
        lambda match: _mark_label(match) if _has_label_characters(match[2]) else match[0], text
    )
    if not labels.in_brackets:
        return text
    return _JAPANESE.sub(
        lambda match: _mark_label(match) if match[2] in labels.in_brackets else match[0], text
    )


def _mark_label(match: re.Match[str]) -> str:
    line_break = "\n" if match.start() and match.string[match.start() - 1] != "\n" else ""
    return f"{match[1].strip() or line_break}{LABEL_START}{match[2].strip()}{LABEL_END}"


def split_at_labels(line: str, labels: Labels) -> list[str]:
    """Returns the parts of a line, each but the first with a label at its start."""
    if ":" not in line and "：" not in line:
        return [line]
    parts, start = [], 0
    for match in _LABEL_WITHIN.finditer(line):
        name = match[1].strip()
        if _TITLE_END.search(line[max(0, match.start() - 8) : match.start()]):
            continue
        is_known = name in labels.names
        in_capitals = labels.capitals_tell and name.isupper() and is_name(name, labels)
        if (is_known or in_capitals) and name_and_rest(line[match.end() :], labels)[0]:
            parts.append(line[start : match.start()])
            start = match.end()
    return [*parts, line[start:]]


def name_and_rest(line: str, labels: Labels, *, after_arrows: bool = False) -> tuple[str, str]:
    """Returns the name that a line begins with, or "", and the rest of the line.

    Args:
        line: without the dash or the arrows before it.
        labels: of its file.
        after_arrows: `>>` is before it, so a name may follow even in a file all in capitals.
    """
    if line.startswith(LABEL_START):
        name, _, rest = line[1:].partition(LABEL_END)
        return name, rest.strip()
    match = _LABEL.match(line)
    if not match or not is_name(match[1], labels, after_arrows=after_arrows):
        return "", line
    rest = line[match.end() :]
    is_separated = not rest or match[2] == "：" or line[match.end() - 1].isspace()
    if not is_separated and (not is_caseless(match[1]) or rest[0].isdigit() or rest[0] == "/"):
        return "", line
    return match[1], rest


def is_name(text: str, labels: Labels, *, after_arrows: bool = False) -> bool:
    """Tells whether the words before a colon name a speaker: they are in capitals, or, for each of
    several people, one or two capitalised words; or they are among the file's labels."""
    if not _is_label(text):
        return False
    if text in labels.names:
        return True
    if is_caseless(text):
        return False
    if text.isupper():
        return labels.capitals_tell or (after_arrows and len(text.split()) <= 3)
    return "," not in text and all(map(_is_capitalised, re.split(r"[&/+]", text)))


def is_caseless(text: str) -> bool:
    """Tells whether a text is in letters without capitals."""
    return _has_letter(text) and text.lower() == text.upper()


def _is_label(text: str) -> bool:
    """Tells whether words may be a label, by their characters and their number."""
    words = [word for word in re.split(r"[\s&/,+]+", text) if word]
    if (
        not words
        or len(words) > MAX_LABEL_WORDS
        or text[0] in ".'’-"
        or not _has_label_characters(text)
    ):
        return False
    if any(word.endswith(".") and not _is_title(word) for word in words):
        return False
    plain = [word.lower() for word in words]
    is_letter = len(text) == 1  # of questions and answers: `Q:`, `A:`
    return is_letter or (plain[0] not in NON_NAMES and not TOPICS.intersection(plain))


def _has_label_characters(text: str) -> bool:
    """Tells whether a text has a letter, and only characters that a label may have."""
    return _has_letter(text) and all(
        char.isalnum() or char in " .'’#&/,+-・" or _is_vowel_sign(char) for char in text
    )


def _is_title(word: str) -> bool:
    return len(word) <= 2 or word[:-1].lower() in _TITLES.split()


def _is_capitalised(text: str) -> bool:
    """Tells whether a text is one or two capitalised words. A name with a number (`Man 1`) must
    recur in its file instead: `Schritt 1` is usually none."""
    words = text.split()
    return 1 <= len(words) <= 2 and all(word[0].isupper() for word in words)


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))


def _is_vowel_sign(char: str) -> bool:
    """Tells whether a character is a vowel sign or a joiner, which are no letters."""
    return unicodedata.category(char)[0] == "M" or char in "\u200c\u200d"


def _is_all_capitals(text: str) -> bool:
    capitals = sum(map(str.isupper, text))
    small = sum(map(str.islower, text))
    letters = sum(map(str.isalpha, text))
    return small < MAX_LOWERCASE_SHARE * (capitals + small) and 2 * capitals > letters


def _recurring_names(texts: list[str]) -> Iterator[str]:
    """Yields the candidates that recur; and, if many cues have one, all others of the same kind:
    those without capitals, or, if enough of them recur, those in capitals."""
    found = Counter(name for text in texts for name in _candidates(text))
    caseless = sum(times for name, times in found.items() if is_caseless(name))
    again = sum(times for times in found.values() if times >= MIN_OCCURRENCES)
    enough = MIN_SHARE * len(texts)
    for name, times in found.items():
        labelled = caseless if is_caseless(name) else again if name.isupper() else 0
        if times >= MIN_OCCURRENCES or labelled >= enough:
            yield name


def _candidates(text: str) -> Iterator[str]:
    """Yields the words before a colon at the start of a line that may be a name."""
    for line in text.split("\n"):
        if ":" not in line and "：" not in line:
            continue
        line = _ASIDE.sub("", line)
        match = _LABEL.match(line.lstrip(" \t-‐‑‒–—―−﹘﹣－>"))
        if not match or not _is_label(match[1]):
            continue
        name = match[1]
        if is_caseless(name):
            if _is_caseless_name(name) and line[-1] not in ":：":
                yield name
        elif (name.isupper() and len(re.split(r"[\s&/,+]+", name)) <= 3) or _NUMBERED.fullmatch(
            name
        ):
            yield name


def _is_caseless_name(text: str) -> bool:
    words = text.split()
    return (
        len(words) <= MAX_CASELESS_WORDS
        and len(text) <= (MAX_CASELESS_CHARACTERS if not _EAST_ASIAN.fullmatch(text) else 6)
        and not CASELESS_NON_NAMES.intersection(words)
        and not (_EAST_ASIAN.fullmatch(text) and _CLAUSE_END.search(text))
    )


def _bracketed_names(texts: list[str], *, is_japanese: bool) -> Iterator[str]:
    """Yields names in brackets before speech, as in Japanese files, but no notes.

    A name in Chinese characters or katakana need not recur in a Japanese file; others must. Notes
    are recognised by their ends (a sound, laughter) and by hiragana, since verbs and particles are
    written in it.
    """
    found = Counter(
        match[2]
        for text in texts
        if "）" in text or ")" in text
        for match in _JAPANESE.finditer(text)
    )
    for name, times in found.items():
        if not _EAST_ASIAN.fullmatch(name) or _NOTE_END.search(name) or not _has_letter(name):
            continue
        has_grammar = bool(_HIRAGANA.search(_SUFFIXES.sub("", name)))
        is_all_hiragana = bool(re.fullmatch(r"[\u3041-\u3096ー]{2,6}", name))
        may_recur = not has_grammar or (is_all_hiragana and not _CLAUSE_END.search(name))
        if name.isascii():
            continue
        if (times >= MIN_OCCURRENCES and may_recur) or (is_japanese and not has_grammar):
            yield name
