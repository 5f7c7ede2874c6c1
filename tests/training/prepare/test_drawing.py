"""Small corpora, through all of `prepare`: each part can be scored."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from training.errors import CorpusError
from training.prepare.prepare import PreparedCorpus, prepare
from training.prepare.shards import Shard
from training.recipe import Recipe

WORDS = "red green blue white black dog cat house tree car boat bird horse sees likes finds".split()


def made(
    folder: Path,
    *sources: dict[str, Any],
    task: str = "reply",
    workers: int = 1,
    **keys: Any,
) -> PreparedCorpus:
    values = {
        "name": "small",
        "task": task,
        "output": str(folder / "run"),
        "corpus": {"sources": sources, **keys},
        "tokenizer": {"type": "word", "vocab_size": 64},
    }
    return prepare(Recipe.parse(values, where="test"), folder / "recipe.toml", workers=workers)


def sizes_of(corpus: PreparedCorpus) -> tuple[int, int, int]:
    return len(corpus.train), len(corpus.dev), len(corpus.test)


def origins_of(shard: Shard) -> list[tuple[str, int]]:
    places = (shard.origin(i).rpartition(":") for i in range(len(shard)))
    return [(file, int(line.partition("-")[0])) for file, _, line in places]


def sentence(draw: random.Random) -> str:
    return " ".join(draw.choices(WORDS, k=6))


def write_film(path: Path, scenes: int, turns: int, seed: int) -> None:
    """Scenes of turns of two seconds, ten seconds between them."""
    draw = random.Random(seed)
    cues, second = list[str](), 0
    for _ in range(scenes):
        for _ in range(turns):
            start, end = (f"00:{s // 60:02d}:{s % 60:02d}" for s in (second, second + 1))
            cues.append(f"{len(cues) + 1}\n{start},000 --> {end},500\n- {sentence(draw)}.\n")
            second += 2
        second += 10
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(cues), encoding="utf-8")


def films(folder: Path, count: int, scenes: int = 12, turns: int = 8) -> dict[str, Any]:
    for number in range(count):
        write_film(folder / "Été à Köln" / f"film {number}.srt", scenes, turns, number)
    return {"format": "subtitles", "path": "Été à Köln"}


def pairs(folder: Path, count: int) -> dict[str, Any]:
    draw = random.Random(count)
    rows = [(sentence(draw), sentence(draw)) for _ in range(count)]
    (folder / "pairs.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows))
    return {"format": "pairs", "path": "pairs.tsv"}


@pytest.mark.parametrize("count", [3, 5, 10])
def test_whole_films_are_held_out_where_there_are_three(tmp_path: Path, count: int) -> None:
    corpus = made(tmp_path, films(tmp_path, count))
    parts = (corpus.train, corpus.dev, corpus.test)
    held = [{file for file, _ in origins_of(part)} for part in parts]
    assert all(held)
    assert sum(map(len, held)) == count
    assert len(held[0]) == count - 2
    assert corpus.report["drawn"] == {"how": "groups", "groups": count}


@pytest.mark.parametrize("count", [1, 2])
def test_the_last_scenes_are_held_out_of_fewer_films(tmp_path: Path, count: int) -> None:
    corpus = made(tmp_path, films(tmp_path, count, turns=8))
    train, dev, test = map(origins_of, (corpus.train, corpus.dev, corpus.test))
    assert max(train) < min(dev) <= max(dev) < min(test)
    assert min(len(dev), len(test)) >= sum(map(len, (train, dev, test))) / 10
    assert len(train) > len(dev) + len(test)
    for part in (corpus.dev, corpus.test):  # a scene has 7 exchanges, the first without context
        assert len(part) % 7 == 0
        assert len(part.source_turns(0)) == 1


def test_a_film_without_scenes_is_held_out_too(tmp_path: Path) -> None:
    corpus = made(tmp_path, films(tmp_path, 1, scenes=1, turns=100))
    assert sizes_of(corpus) == (79, 10, 10)


@pytest.mark.parametrize(("count", "least"), [(3, 1), (20, 2), (50, 5), (100, 10), (200, 20)])
def test_few_pairs_have_a_tenth_in_dev_and_test(tmp_path: Path, count: int, least: int) -> None:
    corpus = made(tmp_path, pairs(tmp_path, count), task="translate", rules=[])
    assert sizes_of(corpus) == (count - 2 * least, least, least)


def test_a_table_of_questions_has_all_parts(tmp_path: Path) -> None:
    draw = random.Random(1)
    rows = [f"{i},{sentence(draw)},{sentence(draw)}" for i in range(300)]
    (tmp_path / "faq.csv").write_text("\n".join(["id,question,answer", *rows]))
    source = {"format": "table", "path": "faq.csv", "columns": ["question", "answer"]}
    assert sizes_of(made(tmp_path, source)) == (240, 30, 30)
    assert sizes_of(made(tmp_path, source, test_fraction=0.0)) == (270, 30, 0)


def test_a_large_corpus_is_drawn_by_its_fractions(tmp_path: Path) -> None:
    source = pairs(tmp_path, 2000)
    corpus = made(tmp_path, source, task="translate", dev_fraction=0.1, test_fraction=0.05)
    assert corpus.report["drawn"] == {"how": "fractions", "groups": 0}
    assert len(corpus.dev) / 2000 == pytest.approx(0.1, abs=0.03)
    assert len(corpus.test) / 2000 == pytest.approx(0.05, abs=0.03)


def test_what_is_given_as_a_part_stays_in_it(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "dev", "test")):
        write_film(tmp_path / part / "film.srt", 1, 9, number)
    sources = [
        {"format": "subtitles", "path": part, "split": part} for part in ("train", "dev", "test")
    ]
    corpus = made(tmp_path, *sources)
    assert sizes_of(corpus) == (8, 8, 8)
    assert corpus.report["drawn"]["how"] == "given"


def test_dev_alone_is_drawn_where_test_is_given(tmp_path: Path) -> None:
    write_film(tmp_path / "test.srt", 1, 9, 99)
    test = {"format": "subtitles", "path": "test.srt", "split": "test"}
    train = {**films(tmp_path, 1), "split": "train"}
    corpus = made(tmp_path, train, test)
    assert len(corpus.test) == 8
    assert len(corpus.dev) >= 8


def test_duplicates_do_not_empty_a_part(tmp_path: Path) -> None:
    """Half of the conversations say what train says too; they are taken out of dev and test."""
    draw = random.Random(3)
    talks = [["hello", "hi"] if i % 2 else [sentence(draw), sentence(draw)] for i in range(400)]
    lines = (json.dumps({"turns": turns}) for turns in talks)
    (tmp_path / "talks.jsonl").write_text("\n".join(lines))
    corpus = made(tmp_path, {"format": "jsonl", "path": "talks.jsonl"})
    assert corpus.report["drawn"]["how"] == "groups"
    kept = sum(sizes_of(corpus))
    assert min(len(corpus.dev), len(corpus.test)) >= min(50, kept / 10)


def test_a_film_that_is_there_twice_does_not_empty_train(tmp_path: Path) -> None:
    source = films(tmp_path, 3)
    for number in (1, 2):  # whichever is held out, train would lose the others
        write_film(tmp_path / source["path"] / f"film {number}.srt", 20, 8, seed=7)
    corpus = made(tmp_path, source)
    assert len(corpus.train) >= max(len(corpus.dev), len(corpus.test)) / 2
    assert min(len(corpus.dev), len(corpus.test)) > 0


def test_parts_do_not_depend_on_processes_or_folders(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    first = made(here, films(here, 5))
    assert made(there, films(there, 5), workers=2).fingerprint == first.fingerprint


def test_too_few_examples_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"nothing is left for dev.* Add files"):
        made(tmp_path, pairs(tmp_path, 2), task="translate", rules=[])
