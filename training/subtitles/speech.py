"""Speech and speakers of a cue, without notes for the hard of hearing, songs and credits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import regex

from model.text.sentences import (
    CLOSERS,
    END_MARKS,
    OPENERS,
    QUESTION_EXCLAMATION_MARKS,
    WIDE_MARKS,
    is_ended,
)
from training.files.records import Cue
from training.subtitles.labels import (
    LABEL_START,
    NO_LABELS,
    Labels,
    mark_bracketed,
    name_and_rest,
    split_at_labels,
)

# Every pattern that may match anywhere in a cue is bounded, or stays on its line: a damaged file
# may have a cue of any length, and the time must not grow with its square.

#: A note in round brackets has a word (or `O.S.`), or no letter or digit: `(2, x)` is spoken. For
#: `regex`, unlike `re`, the vowel signs of Hindi are part of a word.
_NOTE = regex.compile(
    r"\[[^\]]{0,500}\]|\((?=[^()]{0,500}\))(?:[^()]*?[^\W\d_]\.?[^\W\d_][^()]*|[^\w()]*)\)"
    r"|（[^）]{0,500}）|【[^】]{0,500}】|［[^］]{0,500}］"
)
#: Text between musical notes, or their substitutes in old encodings: ¶, #, a lone question mark.
_SONG = re.compile(
    r"[♪♫♩♬¶][^♪♫♩♬¶]*[♪♫♩♬¶]|^.*[♪♫♩♬¶].*$"
    r"|^[^\S\n]*(?:#.*#|\*.*\*|\?[^\S\n].*[^\S\n]\?)[^\S\n]*$",
    re.MULTILINE,
)
_HYPHENS = "\\-\u2010\u2011\ufe63\uff0d"
#: A dash, or the two arrows of American closed captions, before another speaker's text. Some files
#: use the minus sign as a dash, but before a digit it is a minus.
_ANY_DASH = rf"(?:[{_HYPHENS}\u2012-\u2015\ufe58]|\u2212(?!\d))"
_DASH = re.compile(rf"^\s*(?:{_ANY_DASH}|>>+)\s*")
_BEGINS = rf"(?=[{OPENERS}]{{0,5}}\w)"
#: In a line that begins with a dash, each that follows the end of a sentence.
_DASH_WITHIN = re.compile(
    rf"(?<=[{END_MARKS}{CLOSERS}])\s+{_ANY_DASH}\s*{_BEGINS}"
    rf"|(?:(?<=[?!…{WIDE_MARKS}])|(?<=\w\w\.))[{_HYPHENS}](?=[{OPENERS}]{{0,5}}[^\W\d_])"
)
#: In another line, where a hyphen is at the word, or follows a question: `Who? -Me.`, `Who? - Me.`
_DASH_AFTER_ANOTHER = re.compile(
    rf"(?:(?<=[{END_MARKS}])\s+[{_HYPHENS}]|(?<=[{QUESTION_EXCLAMATION_MARKS}])\s+{_ANY_DASH}\s+)"
    rf"(?=[{OPENERS}]{{0,5}}[^\W\d_])"
)
_ARROWS_WITHIN = re.compile(r"(?<=\S)\s+(>>+)\s*(?=\S)")
#: A minus, unless the cue has another dash.
_MAY_BE_MINUS = re.compile(rf"^\s*{_ANY_DASH}\d")
#: The reading of a word, after it: `海(うみ)`
_READING = re.compile(r"(?<=[\u3400-\u9fff々])[（(][\u3041-\u3096\u30a1-\u30fa・ー]{1,20}[）)]")
_SPACES = re.compile(r"[ \t]+")
#: A word or a pair of words that a line break divides.
_HYPHEN = re.compile(r"\w--?$")
_CHINESE_OR_JAPANESE = r"[\p{Han}\p{Hiragana}\p{Katakana}ー「『（]"
#: What follows a mark of Chinese or Japanese without a space.
_AFTER_WIDE_MARK = regex.compile(rf"[、，；：{WIDE_MARKS}」』）]\n{_CHINESE_OR_JAPANESE}")
_WITHIN_SENTENCE = regex.compile(rf"{_CHINESE_OR_JAPANESE}\n{_CHINESE_OR_JAPANESE}")
_ADVERT = re.compile(
    r"""
    www\.|https?://|\w@[\w-]+\.\w|\#xywh=|\bopen[\ -]?subtitles\b|\bamara\.org\b
    | addic7ed|\bsubscene\b|\bpodnapisi\b|\byify\b
    | \b(?:subtitle[sd]?|subs|caption(?:s|ed|ing)|transcri(?:pts?|bed)|translated|re-?synced
      |sync(?:ed|hroni[sz]ed)?|corrected|corrections|ripped|encoded|timed)
      (?:(?:\ and\ |\ ?[&,]\ ?)\w{1,30}){0,5}\ by\b
    | ^[^\w\n]{0,20}(?:subtitles|subs|captions|sync|corrections)\ *:
    | \bdownload(?:ed)?\ from\b|\badvertise\ your\ product\b|\bbecome\ (?:a\ )?vip\b
    | \bcaptioning\ (?:sponsored|made\ possible)\b
    | ^[^\w\n]{0,20}(?:directed|written|produced|screenplay|story|music|edited|photography)\ by\b
    | \b(?:untertitel(?:ung)?|sous-?titr(?:es|age)|subtítulos|sottotitoli|legendas|napisy
      |ondertitel(?:s|ing)|undertekster|titulky|titlovi|feliratok|traduction|traducción|traduzione
      |traduzido|legendado|ondertiteld|tekstning|przetłumaczył[ao]?|çeviri|altyazı)
      \ *(?:von\b|im\ auftrag\b|par\b|por\b|di\b|by\b|od\b|door\b|af\b|:)
    | (?:субтитры|перевод)\ *(?::|(?:сделал|создавал|подогнал|делал)а?\b)
    | 字幕(?:组|組|制作|製作|翻译|翻譯)|(?:字幕|翻译|翻譯|校对|校對)[:：]
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_SITE = re.compile(
    r"^[^\w\n]{0,20}[\w-]{3,}(?:\.[\w-]+)*\.(?:com|org|net|info|tv|me|ru|cn)[^\w\n]{0,20}$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Speech:
    """The speech of one person in one cue.

    Attributes:
        text: on one line, not empty.
        is_marked: a dash or a name marks a change of speakers before it.
        speaker: the name, if there is one.
    """

    text: str
    is_marked: bool
    speaker: str


def is_advert(text: str) -> bool:
    """Tells whether a cue credits the makers of the subtitles or the film, or advertises."""
    return bool(_ADVERT.search(text) or _SITE.search(text))


def speeches_of(cue: Cue, labels: Labels = NO_LABELS) -> Iterator[Speech]:
    """Yields the speech of each person in a cue; `labels` are those of its file."""
    parts: list[Speech] = []
    name, is_marked = cue.speaker, False
    is_alone = "\n" not in cue.text.strip()
    lines = list(_lines_of(cue.text, labels))
    is_dialogue = sum(bool(_DASH.match(line)) for line in lines) > 1
    for line in lines:
        text = line if _MAY_BE_MINUS.match(line) and not is_dialogue else _DASH.sub("", line)
        if text != line:
            name, is_marked = "" if parts else cue.speaker, True
        is_labelled = text.startswith(LABEL_START)
        can_begin = is_labelled or text != line or not parts or is_ended(parts[-1].text)
        label, text = _name_and_text(line, text, labels, is_alone) if can_begin else ("", text)
        if label:
            name, is_marked = label, True
        if not any(map(str.isalnum, text)):
            continue
        if parts and not is_marked:
            parts[-1] = replace(parts[-1], text=join_texts(parts[-1].text, text))
        else:
            parts.append(Speech(text, is_marked, name))
        is_marked = False
    yield from parts


def join_texts(first: str, second: str) -> str:
    """Returns two parts of a text as one; a word divided by a hyphen becomes whole again.

    Chinese and Japanese have no space after a mark, and none within a sentence. Without a full stop
    at the end, the two parts may be two sentences, which only a space then separates.
    """
    border = f"{first[-1:]}\n{second[:1]}"
    is_one = (
        _HYPHEN.search(first[-3:])
        or _AFTER_WIDE_MARK.match(border)
        or (second.endswith("。") and _WITHIN_SENTENCE.match(border))
    )
    return f"{first}{'' if is_one else ' '}{second}"


def _lines_of(text: str, labels: Labels) -> Iterator[str]:
    """Yields the spoken lines of a text; `- Well? - Yes.` gives two."""
    text = _READING.sub("", mark_bracketed(text, labels))
    for line in _NOTE.sub(" ", _SONG.sub(" ", text)).split("\n"):
        line = _SPACES.sub(" ", line).strip()
        within = _DASH_WITHIN if _DASH.match(line) else _DASH_AFTER_ANOTHER
        separated = _ARROWS_WITHIN.sub(r"\n\1 ", within.sub("\n- ", line))
        for part in separated.split("\n"):
            yield from split_at_labels(part, labels)


def _name_and_text(line: str, text: str, labels: Labels, is_alone: bool) -> tuple[str, str]:
    """Returns the name at the start of a line's text (`ANNA:`, `Mrs. Smith:`), or "", and the rest.

    A name that is a whole cue (`Zum Beispiel:`) introduces the next cue, unless it is in capitals.
    """
    name, rest = name_and_rest(text, labels, after_arrows=line.lstrip().startswith(">>"))
    announces = is_alone and not rest and not name.isupper() and not text.startswith(LABEL_START)
    return ("", text) if announces else (name, rest)
