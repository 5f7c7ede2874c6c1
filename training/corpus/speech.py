"""What is said in a cue, and by whom: without notes for the hard of hearing, songs and credits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from training.corpus.records import Cue
from training.corpus.sentences import is_ended

# Whatever is searched for anywhere in a cue is bounded, or stays on its line: a damaged file may
# hold a cue of any length, and the time must not grow with its square.

#: In round brackets only with a word in it, or none at all: `(2, x)` is said.
_NOTE = re.compile(
    r"\[[^\]]{0,500}\]|\((?=[^()]{0,500}\))(?:[^()]*?[^\W\d_]{2}[^()]*|[^\w()]*)\)"
    r"|（[^）]{0,500}）|【[^】]{0,500}】|［[^］]{0,500}］"
)
#: Between notes, or what stands for notes where the encoding has none: ¶, #, a lone question mark.
_SONG = re.compile(
    r"[♪♫♩♬¶][^♪♫♩♬¶]*[♪♫♩♬¶]|^.*[♪♫♩♬¶].*$"
    r"|^[^\S\n]*(?:#.*#|\*.*\*|\?[^\S\n].*[^\S\n]\?)[^\S\n]*$",
    re.MULTILINE,
)
#: A dash, or the two arrows of American closed captions, before what another person says. Some
#: files have the minus sign for a dash, but before a digit it is what it says.
_DASH = re.compile(r"^\s*(?:[-\u2010-\u2015]|\u2212(?!\d)|>>+)\s*")
_DASH_WITHIN = re.compile(r"(?<=[.?!…\"'”’])\s+(?:[-\u2010-\u2015]|\u2212(?!\d))\s*(?=\w)")
#: A minus, unless the cue has another dash.
_MAY_BE_MINUS = re.compile(r"^\s*[-\u2010-\u2015]\d")
_LABEL = re.compile(r"^([^\W\d_][\w.'’ -]{0,30}?)\s*:(?:\s+|$)")
#: Words before a colon that are said, not the name of who says them.
_NO_NAMES = frozenset(
    "also answer because but example first fact finally here hint imagine listen look no note now "
    "okay or question remember rule second so still then therefore think third well yes yet".split()
)
_SPACES = re.compile(r"[ \t]+")
#: A word or a pair of words that the end of a line parted.
_HYPHEN = re.compile(r"\w--?$")
_ADVERT = re.compile(
    r"""
    www\.|https?://|\w@[\w-]+\.\w|\bopen\ ?subtitles\b|addic7ed|\bsubscene\b|\bpodnapisi\b|\byify\b
    | \b(?:subtitle[sd]?|subs|caption(?:s|ed|ing)|transcri(?:pts?|bed)|translated|re-?synced
      |sync(?:ed|hroni[sz]ed)?|corrected|corrections|ripped|encoded|timed)
      (?:(?:\ and\ |\ ?[&,]\ ?)\w{1,30}){0,5}\ by\b
    | ^[^\w\n]{0,20}(?:subtitles|subs|captions|sync|corrections)\ *:
    | \bdownload(?:ed)?\ from\b|\badvertise\ your\ product\b|\bbecome\ (?:a\ )?vip\b
    | \bcaptioning\ (?:sponsored|made\ possible)\b
    | ^[^\w\n]{0,20}(?:directed|written|produced|screenplay|story|music|edited|photography)\ by\b
    | \b(?:untertitel(?:ung)?|sous-?titr(?:es|age)|subtítulos|sottotitoli|legendas|napisy
      |ondertitel(?:s|ing)|undertekster|titulky|titlovi|feliratok|traduction|traducción|traduzione)
      \ *(?:von\b|par\b|por\b|di\b|by\b|od\b|door\b|af\b|:)
    | (?:субтитры|перевод)\ *:|字幕(?:组|組|制作|製作|翻译|翻譯)|(?:翻译|翻譯|校对|校對)[:：]
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_SITE = re.compile(
    r"^[^\w\n]{0,20}[\w-]{3,}(?:\.[\w-]+)*\.(?:com|org|net|info|tv|me|ru|cn)[^\w\n]{0,20}$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Speech:
    """What one person says in one cue.

    Attributes:
        text: on one line, not empty.
        is_marked: whether a dash or a name tells that somebody else speaks than before.
        speaker: the name, if there is one.
    """

    text: str
    is_marked: bool
    speaker: str


def is_advert(text: str) -> bool:
    """Whether a cue names who made the subtitles or the film, or sells something."""
    return bool(_ADVERT.search(text) or _SITE.search(text))


def speeches_of(cue: Cue) -> Iterator[Speech]:
    """What each person of a cue says."""
    parts: list[Speech] = []
    name, is_marked = cue.speaker, False
    is_alone = "\n" not in cue.text.strip()
    lines = list(_lines_of(cue.text))
    is_talk = sum(bool(_DASH.match(line)) for line in lines) > 1
    for line in lines:
        text = line if _MAY_BE_MINUS.match(line) and not is_talk else _DASH.sub("", line)
        if text != line:
            name, is_marked = "" if parts else cue.speaker, True
        can_begin = text != line or not parts or is_ended(parts[-1].text)
        label, text = _name_and_text(text, is_alone) if can_begin else ("", text)
        if label:
            name, is_marked = label, True
        if not any(map(str.isalnum, text)):
            continue
        if parts and not is_marked:
            parts[-1] = replace(parts[-1], text=joined(parts[-1].text, text))
        else:
            parts.append(Speech(text, is_marked, name))
        is_marked = False
    yield from parts


def joined(first: str, second: str) -> str:
    """Two parts of a text; a word that a hyphen parted is whole again."""
    return f"{first}{'' if _HYPHEN.search(first[-3:]) else ' '}{second}"


def _lines_of(text: str) -> Iterator[str]:
    """Lines as they are said; of `- Well? - Yes.`, two."""
    for line in _NOTE.sub(" ", _SONG.sub(" ", text)).split("\n"):
        line = _SPACES.sub(" ", line).strip()
        yield from _DASH_WITHIN.sub("\n- ", line).split("\n") if _DASH.match(line) else [line]


def _name_and_text(line: str, is_alone: bool) -> tuple[str, str]:
    """The name that a line begins with (`ANNA:`, `Mrs. Smith:`), or none, and the rest.

    Two words that are all of a cue (`Zum Beispiel:`) announce what comes, but for capitals.
    """
    label = _LABEL.match(line)
    if not label or not _is_name(label[1]):
        return "", line
    name, rest = label[1], line[label.end() :]
    return ("", line) if is_alone and not rest and not name.isupper() else (name, rest)


def _is_name(text: str) -> bool:
    """Whether all of it is in capitals, or it is one or two words with a capital each."""
    words = text.split()
    if words[0].lower() in _NO_NAMES:
        return False
    return text.isupper() or (len(words) <= 2 and all(word[0].isupper() for word in words))
