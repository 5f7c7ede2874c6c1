"""Reader of XCES, the sentence alignments that OPUS ships beside the documents of both languages.

    <cesAlign version="1.0">
      <linkGrp targType="s" fromDoc="de/1994/1/2.xml.gz" toDoc="en/1994/1/3.xml.gz">
        <link id="SL1" xtargets="1 2;1" overlap="0.9" />

https://opus.nlpl.eu, https://www.xces.org
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from training.errors import CorpusError
from training.files.archives import archive_of, is_archive, is_file, names_in
from training.files.records import Example, Fault, Records, fault_of
from training.readers.xml import Handler, read_xml
from training.subtitles.opensubtitles import film_of, read_sentences


@dataclass(frozen=True)
class _LinkGroup:
    """The two documents that the links after it join; `line` is that of the alignment."""

    source: str
    target: str
    line: int


@dataclass(frozen=True)
class _Link:
    """Ids of sentences with the same meaning; `line` is that of the alignment."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class _DocumentPair:
    """The sentences of two documents by their ids, and which of the two is the source."""

    first: dict[str, str]
    second: dict[str, str]
    is_swapped: bool
    group: str

    def pair(self, link: _Link, origin: str) -> Example | Fault | None:
        """Returns the pair that a link joins, or None if a side is empty."""
        texts = []
        for ids, sentences in ((link.source, self.first), (link.target, self.second)):
            missing = [each for each in ids if each not in sentences]
            if missing:
                return Fault(origin, f"links sentence {missing[0]}, which is not in its document")
            texts.append(" ".join(filter(None, (sentences[each] for each in ids))))
        source, target = reversed(texts) if self.is_swapped else texts
        return Example((source,), target, self.group, origin) if source and target else None


def read_xces(path: Path, languages: tuple[str, ...], documents: Sequence[Path] = ()) -> Records:
    """Yields the pairs that an alignment links. A film, or else a document, is a group; a link
    with an empty side is skipped.

    Args:
        path: the alignment.
        languages: of source and target, the first folders of `fromDoc` and `toDoc`, in either
            order; empty: `fromDoc` is the source.
        documents: folders and archives (OPUS: `en.zip`) with the documents; empty: the folder of
            the alignment and the archives in it.

    Raises:
        CorpusError: if the alignment cannot be read.
    """
    locations = tuple(documents) or _default_locations(path)
    sides: _DocumentPair | None = None
    for found in read_xml(path, _Alignment(), "XCES"):
        if isinstance(found, Fault):
            yield found
            continue
        origin = f"{path}:{found.line}"
        if isinstance(found, _LinkGroup):
            sides = yield from _load_documents(found, languages, locations, origin)
        elif not found.source and not found.target:
            yield Fault(origin, 'expected <link xtargets="1 2;1"/>, ids of both documents')
        elif sides and (pair := sides.pair(found, origin)):
            yield pair


class _Alignment(Handler[_LinkGroup | _Link]):
    """Collects documents and their links."""

    _is_root = True

    def start(self, name: str, attributes: dict[str, str], line: int) -> None:
        if self._is_root and name != "cesAlign":
            raise ValueError(f"its root is <{name}>")
        self._is_root = False
        if name == "linkGrp":
            names = (attributes.get("fromDoc", ""), attributes.get("toDoc", ""))
            self.found.append(_LinkGroup(*names, line))
        elif name == "link":
            source, _, target = attributes.get("xtargets", "").partition(";")
            self.found.append(_Link(tuple(source.split()), tuple(target.split()), line))


def _load_documents(
    names: _LinkGroup, languages: tuple[str, ...], locations: tuple[Path, ...], origin: str
) -> Generator[Fault, None, _DocumentPair | None]:
    """Returns the sentences of two documents, or None, after a fault, if one is unreadable."""
    codes = [_language_of(name) for name in (names.source, names.target)]
    is_swapped = bool(languages) and not _match_languages(codes, languages)
    if is_swapped and not _match_languages(codes[::-1], languages):
        reason = f"aligns {names.source} with {names.target}, not {' with '.join(languages)}"
        yield Fault(origin, reason)
        return None
    sides: list[dict[str, str]] = []
    for name in (names.source, names.target):
        file, sentences = locations[0], dict[str, str]()
        try:
            document = _find_document(name, locations)
            if document is None:
                where = " or ".join(str(location) for location in locations[:3])
                yield Fault(origin, f"its document {name} is not in {where}")
                return None
            file = document
            for found in read_sentences(file):
                if isinstance(found, Fault):
                    yield found
                else:
                    sentences[found.id] = found.text
        except CorpusError as error:
            yield fault_of(error, file)
            return None
        sides.append(sentences)
    first, second = sides
    return _DocumentPair(first, second, is_swapped, film_of(names.source))


def _language_of(document: str) -> str:
    return document.split("/")[0].lower().replace("-", "_")


def _match_languages(codes: list[str], languages: tuple[str, ...]) -> bool:
    """Tells whether the codes match the languages; `zh` also matches `zh_cn`."""
    wanted = [language.lower().replace("-", "_") for language in languages]
    return all(
        language in (code, code.split("_")[0]) for code, language in zip(codes, wanted, strict=True)
    )


def _default_locations(path: Path) -> tuple[Path, ...]:
    """Returns the folder or archive of an alignment, and the archives beside it."""
    archive = archive_of(path)
    folder = (archive or path).parent
    beside = sorted(file for file in folder.iterdir() if is_archive(file))
    return (path.parent, *beside) if archive is None else (archive, folder, *beside)


def _find_document(document: str, locations: tuple[Path, ...]) -> Path | None:
    """Returns a document, packed or not, in any folder of OPUS (`OpenSubtitles/raw`), or None."""
    if ".." in document.split("/"):
        return None
    plain = document.removesuffix(".gz")
    bases = (
        base for location in locations for base in _corpus_folders(location, document.split("/")[0])
    )
    files = (base / name for base in bases for name in (document, plain, f"{plain}.gz"))
    return next(filter(is_file, files), None)


@lru_cache(maxsize=64)
def _corpus_folders(location: Path, folder: str) -> tuple[Path, ...]:
    """Returns the parents of `folder`, at most two levels below `location`."""
    if is_archive(location):
        found = {f"/{name}".partition(f"/{folder}/") for name in names_in(location)}
        return tuple(location / before[1:] for before in sorted({b for b, f, _ in found if f}))
    patterns = ("", "*", "*/*")
    found_in = {base for each in patterns for base in (location.glob(each) if each else [location])}
    return tuple(sorted(base for base in found_in if (base / folder).is_dir()))
