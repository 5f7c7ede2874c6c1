"""Sides of a translation, by the names of files: languages, and what is source and what target."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from training.cleaning.languages import can_identify
from training.files.archives import names_in, plain_name

_REGION = r"(?:_[A-Za-z]{2,4}|-[A-Z]{2}|-[A-Z][a-z]{3})?"  # or a script
_CODE = rf"[a-z]{{2,3}}{_REGION}"
_PAIR_OF_LANGUAGES = re.compile(rf"(?:^|[.-])({_CODE})-({_CODE})(?:\.txt)?\.zip$")
#: Names that end in a language code.
_SIDES = (
    re.compile(rf"(.*)\.((?i:[a-z]{{2,3}}){_REGION})"),
    re.compile(r"(?:(.*?)[._-])??((?i:[a-z]{2})(?:[_-](?:[A-Z]{2}|[A-Z][a-z]{3}))?)(?i:\.txt)"),
)
#: Names of a side, before its language code or in its place: `newstest2021.en-de.ref.A.de`,
#: `train.src`, `src-train.txt`.
_ROLE = r"(?P<role>src|source|tgt|trg|target|ref|reference)"
_ROLES = (
    re.compile(rf"(?:(?P<text>.*)[._-])?{_ROLE}(?:[._-]?[\da-z])?(?:\.txt)?", re.IGNORECASE),
    re.compile(rf"{_ROLE}[._-](?P<text>[^.]*)(?:\.txt)?", re.IGNORECASE),
)
_LANGUAGE = re.compile(rf"[a-z]{{2}}{_REGION}")


def is_language(name: str) -> bool:
    """Tells whether a name is the code of a language, and nothing else."""
    return bool(_LANGUAGE.fullmatch(name)) and can_identify(name)


def pair_of_moses(archive: Path) -> tuple[str, ...]:
    """Returns the languages of an archive in format `moses`, by its name; of others, nothing.

    Raises:
        CorpusError: if it cannot be read.
    """
    pair = _PAIR_OF_LANGUAGES.search(archive.name)
    if pair and any(name.endswith(f".{pair[1]}") for name in names_in(archive)):
        return pair[1], pair[2]
    return ()


@dataclass(frozen=True)
class Side:
    """What the path of a file tells of it as a side of a translation.

    Attributes:
        text: path without the language and the role, the same for both sides.
        language: code; empty if there is none.
        role: `source` or `target`; empty if there is none.
    """

    text: Path
    language: str = ""
    role: str = ""


def side_of(path: Path) -> Side:
    """Returns what the path of a file tells of it as a side: the language code at the end of its
    name (`train.de`, `train_de.txt`, `de.txt`), or else the name of its folder (`de/train.txt`),
    and the role before it or in its place (`test.ref.A.de`, `train.src`, `src-train.txt`)."""
    name = path.name[: len(plain_name(path))]
    folder, language, role = path.parent, "", ""
    matches = filter(None, (pattern.fullmatch(name) for pattern in _SIDES))
    if found := next((each for each in matches if can_identify(each[2])), None):
        name, language = found[1] or "", found[2]
    elif is_language(folder.name):
        folder, language = folder.parent, folder.name
    if found := next(filter(None, (pattern.fullmatch(name) for pattern in _ROLES)), None):
        name = found["text"] or ""
        role = "source" if found["role"].lower() in ("src", "source") else "target"
    return Side(folder / name.lower(), language, role) if language or role else Side(path)
