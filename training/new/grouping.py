"""Sources of a recipe for paths: files of one format, the two sides of a bitext; and faults for
files that cannot be used. Reads no more than the beginning of a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from model.language_id import base_of
from training.cleaning.languages import can_identify
from training.errors import CorpusError
from training.files.archives import (
    is_archive,
    is_file,
    names_in,
    plain_name,
    without_notes,
)
from training.files.paths import find_files
from training.files.records import Fault, fault_of
from training.formats import FORMATS, Format
from training.new.columns import Detected
from training.new.detect import detect
from training.new.published import published_splits
from training.new.sides import pair_of_moses, side_of
from training.prepare.shards import evenly_spaced
from training.prepare.splits import Split
from training.recipe import SourceConfig

#: Number of files of each suffix in a folder that are inspected for formats.
INSPECTED_FILES = 200
#: Number of sources that the splits in a path may become.
MAX_SOURCES = 100
#: Number of folders of a split that become a source each, as their scores may be compared.
MAX_FOLDERS = 5
_ROLES = ("source", "target")
_NO_SIDE = "has the name of two sides of a translation, but is none of them"
_NO_OTHER_SIDE = "the other side of this translation is missing"
#: Advice for files of other formats, by suffix.
_ADVICE = {
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "Save the sheet as .csv"),
    **dict.fromkeys(
        (".docx", ".doc", ".odt", ".rtf", ".pdf", ".epub", ".md"),
        "Save its text as .txt with one turn per line, or as .tsv with one pair per line",
    ),
    **dict.fromkeys(
        (".html", ".htm"), "Export a chat as JSON; save other texts as .tsv with one pair per line"
    ),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3", ".sql"), "Export its table as .csv"),
    **dict.fromkeys(
        (".mbox", ".eml", ".msg", ".pst"),
        "Save its messages as a .csv with the columns Message-ID, In-Reply-To, From and body",
    ),
    **dict.fromkeys(
        (".sgm", ".sgml"), "Save its segments, one per line, as text: test.en and test.de"
    ),
    **dict.fromkeys((".feather", ".pkl", ".pickle"), "Save it as .parquet: DataFrame.to_parquet"),
    **dict.fromkeys((".7z", ".rar"), "Unpack it and pass its files or folder"),
    **dict.fromkeys(
        (".ttml", ".dfxp", ".smi", ".sup", ".idx", ".stl", ".scc"), "Convert it to .srt"
    ),
    **dict.fromkeys((".po", ".pot", ".xlf", ".xliff", ".sdlxliff", ".tbx"), "Export it as .tmx"),
    **dict.fromkeys(
        (".arb", ".properties", ".strings", ".resx", "strings.xml"), "Export it as .tmx"
    ),
    ".arrow": "Save it as .parquet: Dataset.to_parquet",
    ".log": "If it is a chat, write it to a .txt as WhatsApp does: "
    "[31.12.20, 21:15:03] Anna: Who is there?",
    **dict.fromkeys((".apkg", ".colpkg"), "Export its notes as plain text (.txt)"),
    ".json": "Save it as an array of records, or as .jsonl with one record per line",
}


def sources_of(paths: Sequence[str], languages: tuple[str, ...]) -> Iterator[SourceConfig | Fault]:
    """Yields a source for each path, published split and format, or one for the two sides of a
    bitext; and a fault for each file that cannot be read."""
    if len(paths) == 2 and _are_sides(*map(Path, paths)):
        yield _bitext(paths)
        return
    named = [path for path in paths if is_file(Path(path))]  # a shell may have listed a folder
    groups = [*filter(None, (named, *([path] for path in paths if path not in named)))]
    found = [_files_of(group, languages) for group in groups]
    splits = published_splits([*chain(*found)])
    for group, files in zip(groups, found, strict=True):
        sides, faults = _sides_of(files, languages)
        yield from (_in_split(_bitext(each), splits.get(Path(each[0]))) for each in sides)
        yield from faults
        used = {*chain(*sides), *(fault.origin for fault in faults)}
        codes = {side_of(Path(side)).language for side in chain(*sides)}
        rest = [file for file in files if str(file) not in used]
        lone = {str(file) for file in rest if _is_lone_side(file, codes)}
        texts = {side_of(Path(side)).text for side in chain(*sides)}
        beside = {str(file) for file in rest if side_of(file).text in texts}
        path = group[0] if len(group) == 1 and not used and not lone else ""
        for each in _sources_by_split(path, rest, splits, languages):
            if isinstance(each, SourceConfig) and each.path in beside:
                each = Fault(each.path, _NO_SIDE)
            elif isinstance(each, SourceConfig) and each.format == "lines" and each.path in lone:
                each = Fault(each.path, _NO_OTHER_SIDE)
            yield each


def _files_of(paths: Sequence[str], languages: tuple[str, ...]) -> list[Path]:
    """Returns the files of some paths, with those of archives."""
    found = without_notes([file for path in paths for file in find_files(path, [Path()])[1]])
    return [each for file in found for each in _parts_of(file, languages)]


def _are_sides(*files: Path) -> bool:
    """Tells whether two files are source and target, or in two languages, by the ends of their
    names or, if these are equal, by their folders."""
    one, other = map(side_of, files)
    have_codes = all(side_of(Path(file.name)).language for file in files)
    are_in_two = one.language != other.language and (have_codes or one.text == other.text)
    return (are_in_two or {one.role, other.role} == {*_ROLES}) and all(map(_is_side, files))


def _parts_of(file: Path, languages: tuple[str, ...]) -> list[Path]:
    """Returns a file, or those in an archive, if they have several formats or published splits, or
    are line-aligned."""
    try:
        if not is_archive(file) or pair_of_moses(file):
            return [file]
        members = sorted(file / name for name in without_notes([*names_in(file)]))
    except CorpusError:  # its reader says what is wrong
        return [file]
    formats, _ = _formats_of(_inspected(members))
    has_sides = "lines" in formats and any(_sides_of(members, languages))
    has_splits = len(_divided(str(file), members, published_splits(members))) > 1
    return members if has_sides or len(formats) > 1 or has_splits else [file]


def _is_lone_side(file: Path, codes: set[str]) -> bool:
    """Tells whether a file without another side would have one if it were lines: it is in one of
    the languages that others have, or its suffix is a role."""
    side, suffix = side_of(file), Path(plain_name(file)).suffix
    is_role = bool(side.role) and suffix not in FORMATS["lines"].suffixes
    return is_role or bool(side.language and side.language in codes)


def _sides_of(
    files: Sequence[Path], languages: tuple[str, ...]
) -> tuple[list[list[str]], list[Fault]]:
    """Returns the line-aligned files whose names differ only in a language code or in a role, and
    faults for those of which one cannot be read. A source forms a pair with each of its targets.

    Raises:
        CorpusError: if a name occurs in more than two languages, and `languages` does not choose.
    """
    by_text: dict[tuple[Path, bool], list[Path]] = {}
    for file in files:
        side = side_of(file)
        if side.language or side.role:
            by_text.setdefault((side.text, bool(side.role)), []).append(file)
    pairs, faults = list[list[str]](), list[Fault]()
    for (_, has_roles), group in by_text.items():
        wanted = [file for file in group if _is_wanted(file, languages)]
        names, codes = list(map(str, wanted)), [side_of(file).language for file in wanted]
        sources = [file for file in group if side_of(file).role == "source"]
        is_clear = len(sources) == 1 if has_roles else len(wanted) == len({*codes})
        if len(group) == 1 or not is_clear:
            continue
        try:
            if not all(map(_is_side, wanted)):
                continue
        except CorpusError as error:
            broken = fault_of(error, *names)
            others = (name for name in names if name != broken.origin)
            faults += [broken, *(Fault(each, f"{broken.origin} is left out") for each in others)]
            continue
        if len(wanted) > 2 and not has_roles:
            raise CorpusError(f"{group[0].parent}: {_ask_for_two(codes)}")
        first = str(next(iter(sources or wanted), ""))
        own = [[first, name] for name in names if name != first and first in names]
        pairs += own
        faults += _faults_of_sides(group, languages, is_found=bool(own))
    return pairs, faults


def _ask_for_two(codes: Sequence[str]) -> str:
    return (
        f"has sides in {', '.join(codes)}. Choose source and target, such as --languages "
        f"{codes[0]} {codes[1]}"
    )


def _is_wanted(file: Path, languages: tuple[str, ...]) -> bool:
    """Tells whether a file's name ends in one of two languages, if there are two."""
    code = side_of(file).language
    return len(languages) != 2 or not code or base_of(code) in map(base_of, languages)


def _faults_of_sides(
    group: Sequence[Path], languages: tuple[str, ...], *, is_found: bool
) -> Iterator[Fault]:
    """Yields a fault for each side of a text that is in neither of two languages or, unless
    `is_found`, whose other side is missing."""
    known = " or ".join(languages)
    for file in group:
        if not _is_wanted(file, languages):
            yield Fault(str(file), f"is in {side_of(file).language}, not in {known}")
        elif not is_found:
            yield Fault(str(file), _NO_OTHER_SIDE)


def _sources_by_split(
    path: str,
    files: Sequence[Path],
    splits: Mapping[Path, Split],
    languages: tuple[str, ...],
) -> Iterator[SourceConfig | Fault]:
    """Yields what `_sources_by_format` does, for the files of each split."""
    for own_path, own in _divided(path, files, splits):
        is_one = len({splits.get(file) for file in own}) == 1
        for each in _sources_by_format(own_path, own, languages):
            yield _in_split(each, splits.get(own[0]) if is_one else None)


def _in_split(each: SourceConfig | Fault, split: Split | None) -> SourceConfig | Fault:
    """Returns a source with the split that it is published as, if any."""
    if split is None or isinstance(each, Fault):
        return each
    return each.model_copy(update={"split": split})


def _divided(
    path: str, files: Sequence[Path], splits: Mapping[Path, Split]
) -> list[tuple[str, Sequence[Path]]]:
    """Returns the files of each split, with the path of just these or nothing. They stay together
    if they are in one split, or `path` would become more than `MAX_SOURCES` sources."""
    parts: dict[Split | None, list[Path]] = {}
    for file in files:
        parts.setdefault(splits.get(file), []).append(file)
    if len(parts) < 2:
        return [(path, files)]
    groups = [group for own in parts.values() for group in _with_paths(own)]
    count = sum(1 if own_path else len(own) for own_path, own in groups)
    return [(path, files)] if path and count > MAX_SOURCES else groups


def _with_paths(files: Sequence[Path]) -> list[tuple[str, Sequence[Path]]]:
    """Returns files with the path of just these; if there is none, those of each folder, or of all
    folders of one name if these are many."""
    if path := _path_of(files):
        return [(path, files)]
    folders: dict[Path, list[Path]] = {}
    for file in files:
        folders.setdefault(file.parent, []).append(file)
    if len(folders) > MAX_FOLDERS:
        common = os.path.commonpath([*folders])
        for name in (files[0].parent.name, files[0].name):
            if _names_just(f"{common}/**/{name}", files):
                return [(f"{common}/**/{name}", files)]
    return [(_path_of(own), own) for own in folders.values()]


def _path_of(files: Sequence[Path]) -> str:
    """Returns the path, the folder or the glob of just these files, or nothing."""
    if len(files) == 1:
        return str(files[0])
    folder = os.path.commonpath([file.parent for file in files])
    start, _, end = files[0].name.partition("-")
    paths = (folder, f"{folder}/{start}-*{Path(end).suffix}")
    return next((path for path in paths if _names_just(path, files)), "")


def _names_just(path: str, files: Sequence[Path]) -> bool:
    """Tells whether a source with this path has these files, and no others."""
    with suppress(CorpusError):
        return without_notes(find_files(path, [Path()])[1]) == sorted(files)
    return False


def _sources_by_format(
    path: str, files: Sequence[Path], languages: tuple[str, ...]
) -> Iterator[SourceConfig | Fault]:
    """Yields `path` once for each format found in it whose suffixes no other of these formats has,
    and whose files can be read and have the same columns and languages; for the other formats,
    yields each file. Yields a fault for each file that cannot be read."""
    shown = _inspected(files)
    formats, faults = _formats_of(shown)
    named = []
    for form, members in formats.items():
        suffixes = FORMATS[form].suffixes
        others = chain(*(FORMATS[other].suffixes for other in formats if other != form))
        broken = [Path(fault.origin) for fault in faults]
        has_own = not any(other.endswith(suffixes) for other in others) and (
            {*members} == {*_among(members, suffixes)} and not _among(broken, suffixes)
        )
        is_alike = len({replace(each, languages=()) for each in members.values()}) == 1
        is_alike &= len({frozenset(each.languages) for each in members.values()}) == 1
        if path and ((has_own and is_alike) or len(files) == 1):
            yield _config_of(_first(members), path, languages)
        else:
            named.append(form)
    if named and len(files) > len(shown):
        formats, faults = _formats_of(files)
    for form in named:
        first = _first(formats[form])
        for file, detected in formats[form].items():
            if {*detected.languages} == {*first.languages}:  # both directions of a pair are one
                detected = replace(detected, languages=first.languages)
            yield _config_of(detected, str(file), languages)
    yield from faults
    known = {str(file) for members in formats.values() for file in members}
    known |= {fault.origin for fault in faults}
    yield from _faults_of_others([file for file in shown if str(file) not in known])


def _among(files: Iterable[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """Returns the files, and archives, that a folder of a format with these suffixes includes."""
    return [file for file in files if plain_name(file).endswith(suffixes) or is_archive(file)]


def _inspected(files: Sequence[Path]) -> list[Path]:
    """Returns, in order, at most `INSPECTED_FILES` evenly spaced files of each suffix."""
    alike: dict[str, list[int]] = {}
    for i, file in enumerate(files):
        alike.setdefault(Path(plain_name(file)).suffix, []).append(i)
    spaced = ([own[i] for i in evenly_spaced(len(own), INSPECTED_FILES)] for own in alike.values())
    return [files[i] for i in sorted(chain(*spaced))]


def _faults_of_others(files: Sequence[Path]) -> Iterator[Fault]:
    """Yields a fault for each kind of file that another program can turn into a known format."""
    for suffix, advice in _ADVICE.items():
        names = [str(file) for file in files if plain_name(file).endswith(suffix)]
        if names:
            more = f". So for {len(names) - 1:,} more" if len(names) > 1 else ""
            yield Fault(names[0], f"{advice}{more}")


def _formats_of(
    files: Sequence[Path],
) -> tuple[dict[Format, dict[Path, Detected]], list[Fault]]:
    """Returns the files of each format, with what was detected in them, and faults for those that
    cannot be read."""
    formats: dict[Format, dict[Path, Detected]] = {}
    faults = []
    for file in files:
        try:
            detected = detect(file)
        except CorpusError as error:
            faults.append(fault_of(error, file))
            continue
        if detected:
            formats.setdefault(detected.format, {})[file] = detected
    return formats, faults


def _first(members: dict[Path, Detected]) -> Detected:
    return next(iter(members.values()))


def _bitext(sides: Sequence[str]) -> SourceConfig:
    for side in sides:
        check_name(side)
    return SourceConfig(format="bitext", path=sides[0], target_path=sides[1])


def _is_side(file: Path) -> bool:
    if not is_file(file):
        return False
    side, detected = side_of(file), detect(file)
    return bool((side.language or side.role) and detected and detected.format == "lines")


def check_name(path: str) -> None:
    """Raises a CorpusError if a recipe cannot name a path."""
    if any("\ud800" <= character <= "\udfff" for character in path):  # Python's for such bytes
        raise CorpusError(f"{path}: its name is not UTF-8, which recipes require. Rename it.")


def _config_of(detected: Detected, path: str, languages: tuple[str, ...]) -> SourceConfig | Fault:
    check_name(path)
    if len(codes := detected.columns) > 2 and all(map(can_identify, codes)):
        wanted = tuple(code for code in codes if base_of(code) in map(base_of, languages))
        if len(wanted) != 2:
            return Fault(path, _ask_for_two(codes))
        detected = replace(detected, columns=wanted)
    values: dict[str, Any] = {"format": detected.format, "path": path}
    values |= {key: getattr(detected, key) for key in ("columns", "group_column", "reply_columns")}
    if detected.languages or detected.format in ("moses", "tmx", "xces"):  # others are swapped
        values["languages"] = _pair_of(detected, languages)
    if "languages" in FORMATS[detected.format].needs and len(values["languages"]) != 2:
        return Fault(path, "does not name two languages. Set --languages to its two")
    return SourceConfig.parse(values, where=path)


def _pair_of(detected: Detected, languages: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the languages of source and target, in the order of `languages` if there are two."""
    codes = detected.languages  # as the files have them: `en` for `en-GB`
    for ordered in (codes, codes[::-1]):
        if list(map(base_of, ordered)) == list(map(base_of, languages)):
            return ordered
    return languages if len(languages) == 2 and detected.format != "moses" else codes
