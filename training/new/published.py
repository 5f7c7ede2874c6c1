"""Published splits of a corpus, by the names of its files and folders: `train.en` and
`test_2016_flickr.en`, `validation-00000-of-00001.parquet`, `test/news.tsv`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from training.files.archives import plain_name
from training.formats import FORMATS
from training.new.sides import side_of
from training.prepare.splits import Split
from training.readers.slack import PEOPLE, is_list_of_export

#: What names call the splits: the words of Hugging Face's `datasets`, and those of WMT and IWSLT.
_WORDS: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("dev", "val", "valid", "validation", "newsdev"), "dev"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation"), "test"),
    **dict.fromkeys(("devtest", "newstest"), "test"),
}
_ANY_WORD = re.compile("|".join(_WORDS), re.IGNORECASE)
_SHARD = re.compile(r"-\d{5}-of-\d{5}(-[0-9a-f]{16})?$")
_SUFFIXES = frozenset(suffix for info in FORMATS.values() for suffix in info.suffixes)


class _Label(NamedTuple):
    """A split in a path, and the words before and after it in the name; none in that of a
    folder."""

    split: Split
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    def is_like(self, other: _Label) -> bool:
        """Tells whether both have the same words before, and one has all that follow the other:
        `train.tok.clean.bpe` and `newstest2014.tok.bpe`."""
        one, two = {*self.after}, {*other.after}
        return self.before == other.before and (one <= two or two <= one)


_TRAIN, _TEST = _Label("train"), _Label("test")


def published_splits(files: Sequence[Path]) -> dict[Path, Split]:
    """Returns the splits of the files whose names, or the names of whose folders, tell them.

    There are none without files to train on: those that are called so or, beside a `test.tsv`, any
    others. The name of a file for dev or test is that of one for train, but for the split and words
    that only one of them has after it: `Test Pilot` and `Train to Busan` are titles.
    """
    labels = _labels_of(files)
    trained = {label for label in labels.values() if label.split == "train"}
    if not trained and (_TEST not in labels.values() or len(labels) == len(files)):
        return {}  # without a test, `Val` and `Dev` may be people
    known = trained or {_TEST}
    found = {file: label.split for file, label in labels.items() if any(map(label.is_like, known))}
    return found if {*found.values()} != {"train"} else {}


def called_held_out(files: Sequence[Path]) -> tuple[Path, ...]:
    """Returns the files that are called dev or test, whether or not they are such a split."""
    return tuple(file for file, label in _labels_of(files).items() if label.split != "train")


def _labels_of(files: Sequence[Path]) -> dict[Path, _Label]:
    """Returns the labels of the files that have one, below the folder of them all: that of the own
    name if it is called train or like a name for another split, or that of the nearest folder.
    Channels of Slack are none, nor are folders of subtitles if nothing is called train."""
    if any(file.name == PEOPLE and is_list_of_export(file) for file in files):
        return {}
    named = [file for file in files if _ANY_WORD.search(str(file))]
    if not named:  # as in an archive of half a million films
        return {}
    common = os.path.commonpath({os.path.abspath(file.parent) for file in files})
    paths = [Path(os.path.abspath(file)).relative_to(common) for file in named]
    by_name, by_folder = [*map(_label_of_name, paths)], [*map(_label_of_folder, paths)]
    known = {*filter(None, by_name)}
    trained = {label for label in known if label.split == "train"}
    found = dict[Path, _Label]()
    for file, own, folder in zip(named, by_name, by_folder, strict=True):
        others = (known if own in trained else trained) - {own}
        is_own = own and (own == _TRAIN or any(map(own.is_like, others)))
        if label := own if is_own else folder or own:
            found[file] = label
    if any(label.split == "train" for label in found.values()):
        return found
    return {file: label for file, label in found.items() if not _is_subtitles(file)}


def _label_of_folder(path: Path) -> _Label | None:
    """Returns the label of the nearest folder that has one."""
    splits = (_WORDS.get(plain_name(folder)) for folder in path.parents)
    return next((_Label(split) for split in splits if split), None)


def _label_of_name(path: Path) -> _Label | None:
    if _is_subtitles(path):  # their names are titles
        return None
    side = side_of(path)
    name = side.text.name if side.language or side.role else plain_name(path)
    name = name.removesuffix(suffix) if (suffix := Path(name).suffix) in _SUFFIXES else name
    words = tuple(re.findall(r"[^\W\d_]+", _SHARD.sub("", name)))
    place = next((i for i, word in enumerate(words) if word in _WORDS), None)
    if place is None:
        return None
    return _Label(_WORDS[words[place]], words[:place], words[place + 1 :])


def _is_subtitles(file: Path) -> bool:
    return plain_name(file).endswith(FORMATS["subtitles"].suffixes)
