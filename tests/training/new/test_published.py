"""Splits that a corpus is published with stay as they are."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.training.new.test_survey import ENGLISH, GERMAN, write_rows
from training.new.proposal import propose
from training.new.published import called_held_out, published_splits
from training.new.survey import Survey, survey
from training.new.write import describe_called_held_out, describe_splits, recipe_text
from training.recipe_file import read_recipe

SHARD = "-00000-of-00001"


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("train.csv", "val.csv", "test.csv"), ("train", "dev", "test")),
        (
            (f"train{SHARD}.parquet", f"validation{SHARD}-a09b74b3ef9c3b56.parquet"),
            ("train", "dev"),
        ),
        (("de-en/train.jsonl", "de-en/eval.jsonl"), ("train", "test")),
        (("train.en", "train.de", "test_2016_flickr.en.gz"), ("train", "train", "test")),
        (("dialogues_train.txt", "dialogues_validation.txt"), ("train", "dev")),
        (("train-v1.1.json", "dev-v1.1.json"), ("train", "dev")),
        (("en/train.txt", "de/train.txt", "en/tst2012.txt"), ("train", "train", "test")),
        (("train/a.tsv", "train/b.tsv", "test/a.tsv"), ("train", "train", "test")),
        (("train.zip", "test.zip"), ("train", "test")),
        (("train.tsv", "dev.tsv", "more.tsv"), ("train", "dev", "")),
        (
            ("train.lc.norm.tok.en", "val.lc.norm.tok.en", "test_2016_flickr.lc.norm.tok.en"),
            ("train", "dev", "test"),
        ),
        (
            ("train.tok.clean.bpe.32000.en", "newstest2014.tok.bpe.32000.en", "dev.en"),
            ("train", "test", "dev"),
        ),
        (("train_spider.json", "train_others.json", "dev.json"), ("train", "train", "dev")),
        (("training_a.tsv", "training_b.tsv", "test_a.tsv"), ("train", "train", "test")),
        (("train_a.tsv", "test_b.tsv"), ("", "")),
        (("my/train.tsv", "their_test.tsv"), ("", "")),
        (("dev/corpus/train.tsv", "dev/corpus/val.tsv", "test.tsv"), ("train", "dev", "test")),
        (("train/a.tsv", "dev/test/a.tsv"), ("train", "test")),
        (
            ("train/corpus.en", "dev/dev.en", "test/wmt-newstest2014.en"),
            ("train", "dev", "test"),
        ),
        (("train/x.tsv", "val/my_valid.tsv", "test/my_test.tsv"), ("train", "dev", "test")),
        (("train/talk_train.txt", "test/talk_test.txt"), ("train", "test")),
        (
            ("train/a_act_train.txt", "train/a_train.txt", "test/a_test.txt"),
            ("train", "train", "test"),
        ),
        (("train/x.tsv", "test/train_journey.tsv"), ("train", "test")),
        (("Test/Pilot.srt", "Up.srt"), ("", "")),
        (("train/Up.srt", "test/Pilot.srt"), ("train", "test")),
        (("europarl.en", "newstest2014.en", "dev.en"), ("", "test", "dev")),
        (("test.tsv",), ("",)),
        (("tst2012.en", "tst2013.en"), ("", "")),
        (("train-1.tsv", "train-2.tsv"), ("", "")),
        (("anna.txt", "val.txt", "dev.txt"), ("", "", "")),
        (("lines.txt", "test_messages.txt"), ("", "")),
        (("the_night_train.txt", "the_last_test.txt", "the_end.txt"), ("", "", "")),
        (("Train.2008.srt", "Test.Pilot.1938.srt", "Up.2009.srt"), ("", "", "")),
        (("users.json", "channels.json", "training/1.json", "test/1.json"), ("", "", "", "")),
    ],
)
def test_names_tell_the_splits(tmp_path: Path, names: Sequence[str], splits: Sequence[str]) -> None:
    files = [tmp_path / "test" / name for name in names]  # whose own folder tells nothing
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    found = published_splits(files)
    assert tuple(found.get(file, "") for file in files) == tuple(splits)
    assert {*found} - {*called_held_out(files)} == {
        file for file in found if found[file] == "train"
    }


@pytest.mark.parametrize(
    ("members", "sources"),
    [
        (["{}/film/a.tsv", "{}/film 1/a.tsv", "{}/film[2]/a.tsv"], ["test", "train"]),
        (["{}[1].tsv"], ["test[1].tsv", "train[1].tsv"]),
    ],
)
def test_an_archive_keeps_its_splits_whatever_the_names(
    tmp_path: Path, members: Sequence[str], sources: Sequence[str]
) -> None:
    with ZipFile(tmp_path / "c.zip", "w") as archive:
        for name in members:
            for split in ("train", "test"):
                rows = [f"Is {name} number {i} good?\tNo, {split}.\n" for i in range(20)] * 2
                archive.writestr(name.format(split), "".join(rows))
    found = survey([str(tmp_path / "c.zip")], task="reply", languages=("en",))
    assert sorted(splits_of(found)) == [*zip(sources, ("test", "train"), strict=True)]


def test_channels_and_titles_are_not_called_dev_or_test(tmp_path: Path) -> None:
    channels = [
        tmp_path / "slack" / name for name in ("users.json", "channels.json", "test/1.json")
    ]
    films = [tmp_path / "films" / name for name in ("Test/Pilot.srt", "Up.srt")]
    for file in (*channels, *films):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert (called_held_out(channels), called_held_out(films)) == ((), ())
    assert called_held_out([tmp_path / "test.tsv"]) == (tmp_path / "test.tsv",)


def splits_of(found: Survey) -> list[tuple[str, str]]:
    return [(Path(source.config.path).name, source.config.split) for source in found.sources]


@pytest.mark.parametrize(
    ("names", "splits", "said"),
    [
        (("train", "dev", "test"), "train dev test", "30 train, 30 dev, 30 test examples"),
        (("train", "test"), "train test", "30 train, 30 test examples; dev is drawn from train"),
        (("train", "val"), "auto dev", "30 train, 30 dev examples; test is drawn from train"),
        (
            ("train", "test_2016", "test_2017"),
            "train test test",
            "30 train, 60 test examples; dev is drawn from train; 2 test sets are scored as one: "
            "leave one in the recipe to compare scores",
        ),
    ],
)
def test_a_recipe_keeps_the_splits(
    tmp_path: Path, names: Sequence[str], splits: str, said: str
) -> None:
    for name in names:
        write_rows(tmp_path / f"{name}.tsv", ENGLISH, GERMAN)
    found = survey([str(tmp_path / f"{name}.tsv") for name in names], languages=())
    assert describe_splits(found) == f"splits as published: {said}"
    assert found.examples == 30
    (tmp_path / "a.toml").write_text(recipe_text("a", "runs/a", found, propose(found)))
    sources = {
        Path(each.path).stem: each for each in read_recipe(tmp_path / "a.toml").corpus.sources
    }
    assert [sources[name].split for name in names] == splits.split()
    for each in sources.values():
        assert bool(each.variants) == (each.split in ("auto", "train"))


def test_files_that_are_called_like_no_split_are_named(tmp_path: Path) -> None:
    for name in ("train_a", "test_b", "dev_c"):
        write_rows(tmp_path / f"{name}.tsv", ENGLISH, GERMAN)
    found = survey([str(tmp_path)], languages=())
    assert (found.examples, describe_splits(found)) == (90, "")
    assert describe_called_held_out(found).startswith(f"{tmp_path}/dev_c.tsv and 1 more: called")
    (tmp_path / "dev_c.tsv").rename(tmp_path / "dev_a.tsv")
    found = survey([str(tmp_path)], languages=())
    assert found.examples_by_split == {"auto": 60, "dev": 30}
    assert describe_called_held_out(found).startswith(f"{tmp_path}/test_b.tsv: called dev or test")
    (tmp_path / "test_b.tsv").unlink()
    assert not describe_called_held_out(survey([str(tmp_path)], languages=()))


def test_a_split_in_several_files_is_one_source(tmp_path: Path) -> None:
    for name in ("train-1", "train-2", "test/a", "test/b"):
        write_rows(tmp_path / f"{name}.tsv", ENGLISH, GERMAN)
    found = survey([str(tmp_path)], languages=())
    assert splits_of(found) == [("test", "test"), ("train-*.tsv", "train")]
    assert [source.files for source in found.sources] == [2, 2]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("train-1", "test/a"):
            archive.write(tmp_path / f"{name}.tsv", f"data/{name}.tsv")
    found = survey([str(tmp_path / "a.zip")], languages=())
    assert splits_of(found) == [("a.tsv", "test"), ("train-1.tsv", "train")]


def write_tree(folder: Path, names: Sequence[str]) -> str:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_rows(folder / name, ENGLISH, GERMAN, times=1)
    return str(folder)


def write_archive(archive: Path, names: Sequence[str]) -> str:
    row = (archive.parent / "row.tsv", ENGLISH, GERMAN)
    with zipfile.ZipFile(archive, "w") as packed:
        for name in names:
            packed.write(write_rows(*row, times=1), name)
    return str(archive)


DOMAINS = ("it", "law", "koran", "medical", "news", "talks")


def test_many_files_of_a_split_are_one_source(tmp_path: Path) -> None:
    names = [f"{split}/{number}.tsv" for split in ("train", "test") for number in range(200)]
    archive = write_archive(tmp_path / "a.zip", [f"data/{name}" for name in names])
    tree = write_tree(
        tmp_path / "a", [f"{domain}/{name}" for domain in DOMAINS for name in names[::99]]
    )
    for path, splits in (
        (archive, [("test", "test"), ("train", "train")]),
        (tree, [("train", "train"), ("test", "test")]),
    ):
        found = survey([path], languages=())
        assert sorted(splits_of(found)) == sorted(splits)
        assert "test sets" not in describe_splits(found)
    for domain in DOMAINS[2:]:
        shutil.rmtree(Path(tree) / domain)
    assert "; 2 test sets are scored" in describe_splits(survey([tree], languages=()))


def test_splits_that_would_be_too_many_sources_stay_together(tmp_path: Path) -> None:
    names = [f"{number}_{split}.tsv" for split in ("train", "test") for number in range(60)]
    archive = write_archive(tmp_path / "a.zip", names)
    found = survey([archive], languages=())
    assert splits_of(found) == [("a.zip", "auto")]
    said = describe_called_held_out(found)
    assert said.startswith(f"{archive}/0_test.tsv and 59 more: called dev or test")


def test_a_test_set_without_answers_leaves_train_to_be_divided(tmp_path: Path) -> None:
    write_rows(tmp_path / "train.csv", ("id,question,answer", "1,Who is it?,It is me."))
    write_rows(tmp_path / "test.csv", ("id,question", "1,Who is it?"))
    found = survey([str(tmp_path)], languages=())
    assert (splits_of(found), describe_splits(found)) == ([("train.csv", "auto")], "")


def test_a_list_of_answers_with_a_test_set_is_not_learnt_by_heart(tmp_path: Path) -> None:
    for name in ("train", "test"):
        questions = [f"What is the {name} price of number {i}?" for i in range(60)]
        write_rows(tmp_path / f"{name}.tsv", questions, ["It is ten."] * 60, times=1)
    assert "by heart" not in propose(survey([str(tmp_path)], languages=())).kind
    assert "by heart" in propose(survey([str(tmp_path / "train.tsv")], languages=())).kind


def test_the_splits_of_multi30k_and_meld_are_found(data_folder: Path) -> None:
    found = survey([str(data_folder / "multi30k")], languages=("en", "de"))
    assert found.examples_by_split == {"train": 29_000, "dev": 1_014, "test": 1_000}
    found = survey([str(data_folder / "meld")], languages=())
    assert describe_splits(found).endswith("8,951 train, 995 dev, 2,330 test examples")
