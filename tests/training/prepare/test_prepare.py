from __future__ import annotations

import json
import pickle
import shutil
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.tokenizer import EOS_ID, SEP_ID
from training.errors import CorpusError
from training.files.records import Fault
from training.prepare.inputs import Piece, find_inputs, pieces_of
from training.prepare.prepare import PreparedCorpus, open_prepared, prepare
from training.prepare.shards import Shard
from training.recipe import Recipe

COLOURS = ("red", "green", "blue", "white", "black", "grey", "brown")
THINGS = ("dog", "cat", "house", "tree", "car", "boat", "bird", "horse")


def pairs() -> list[tuple[str, str]]:
    return [(f"a {c} {t}", f"one {t} that is {c}") for c in COLOURS for t in THINGS]


def write_tsv(path: Path, rows: list[tuple[str, str]]) -> None:
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


def recipe_of(folder: Path, *sources: dict[str, Any], **changes: Any) -> Recipe:
    """A recipe for words; `changes` may replace corpus keys, or `task`, `languages` and
    `tokenizer`."""
    tokenizer = {"type": "word", "vocab_size": 64, "shared_vocabulary": False}
    tokenizer |= changes.pop("tokenizer", {})
    task, languages = changes.pop("task", "translate"), changes.pop("languages", [])
    corpus = {"sources": sources, "dev_fraction": 0.2, "test_fraction": 0.2, **changes}
    values = {
        "name": "test",
        "task": task,
        "languages": languages,
        "output": str(folder / "run"),
        "corpus": corpus,
        "tokenizer": tokenizer,
    }
    return Recipe.parse(values, where="test")


def made(folder: Path, *sources: dict[str, Any], **changes: Any) -> PreparedCorpus:
    return prepare(recipe_of(folder, *sources, **changes), folder / "recipe.toml")


def sources_of(shard: Shard) -> list[str]:
    return [shard.source_turns(i)[-1] for i in range(len(shard))]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEQ2SEQ_DATA", str(tmp_path / "data"))
    write_tsv(tmp_path / "pairs.tsv", pairs())
    return tmp_path


PAIRS = {"format": "pairs", "path": "pairs.tsv"}


def test_every_pair_falls_into_one_part(folder: Path) -> None:
    corpus = made(folder, PAIRS)
    found = [sources_of(shard) for shard in (corpus.train, corpus.dev, corpus.test)]
    assert Counter(chain(*found)) == Counter(source for source, _ in pairs())
    assert all(found)


def test_rows_hold_the_ids_of_their_texts(folder: Path) -> None:
    corpus = made(folder, PAIRS)
    everything = np.arange(len(corpus.train))
    sources, targets = corpus.train.sources.take(everything), corpus.train.targets.take(everything)
    for i in range(len(everything)):
        assert list(sources[i]) == corpus.tokenizer.source_ids(corpus.train.source_turns(i))
        assert list(targets[i]) == corpus.tokenizer.target_ids(corpus.train.target_text(i))
        assert sources[i][-1] == EOS_ID
        assert EOS_ID not in targets[i]


def test_all_translations_of_a_source_fall_into_one_part(folder: Path) -> None:
    write_tsv(folder / "pairs.tsv", [*pairs(), *((s.upper(), f"{t} again") for s, t in pairs())])
    corpus = made(folder, PAIRS, tokenizer={"lowercase_source": True})
    parts = [set(map(str.lower, sources_of(each))) for each in (corpus.train, corpus.dev)]
    assert not parts[0] & parts[1]


def test_the_same_corpus_elsewhere_gives_the_same_data(folder: Path) -> None:
    here = made(folder, PAIRS)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(folder / "pairs.tsv", elsewhere)
    assert made(elsewhere, PAIRS).fingerprint == here.fingerprint


def test_tokenizers_never_see_held_out_text(folder: Path) -> None:
    write_tsv(folder / "test.tsv", [("a purple dog", "one dog that is purple")])
    corpus = made(
        folder, {**PAIRS, "split": "train"}, {**PAIRS, "path": "test.tsv", "split": "test"}
    )
    assert 1 in corpus.test.sources.take(np.array([0]))[0]
    assert 1 not in np.concatenate(corpus.train.sources.take(np.arange(len(corpus.train))))


def test_a_published_test_set_stays_whole_and_train_loses_what_it_holds(folder: Path) -> None:
    write_tsv(folder / "test.tsv", [*pairs()[:5], (" ".join(["a red dog"] * 40), "one dog")])
    corpus = made(
        folder,
        {**PAIRS, "split": "train"},
        {**PAIRS, "path": "test.tsv", "split": "test"},
        max_source_tokens=16,
    )
    assert len(corpus.test) == 6
    assert len(corpus.train) + len(corpus.dev) == len(pairs()) - 5
    assert not set(sources_of(corpus.test)) & set(sources_of(corpus.train) + sources_of(corpus.dev))


def test_what_parts_have_in_common_is_counted(folder: Path) -> None:
    write_tsv(folder / "dev.tsv", [*pairs()[4:6], ("a pink dog", "one dog that is pink")])
    write_tsv(folder / "test.tsv", [*pairs()[:5], ("a pink cat", "one cat that is pink")])
    corpus = made(
        folder,
        {**PAIRS, "split": "train"},
        {**PAIRS, "path": "dev.tsv", "split": "dev"},
        {**PAIRS, "path": "test.tsv", "split": "test"},
    )
    assert corpus.report["in_common"] == {
        "pairs: train and dev": 2,
        "pairs: train and test": 5,
        "pairs: dev and test": 1,
        "near duplicates: dev and test": 1,
    }
    assert corpus.report["dropped"] == {"train: also in dev": 1, "train: also in test": 5}
    assert corpus.report["kept"] == {"train": len(pairs()) - 6, "dev": 3, "test": 6}


def test_dev_is_drawn_unless_it_is_given(folder: Path) -> None:
    write_tsv(folder / "dev.tsv", [(f"a {colour} hat", "a hat") for colour in COLOURS[:3]])
    dev = {**PAIRS, "path": "dev.tsv", "split": "dev"}
    corpus = made(folder, {**PAIRS, "split": "train"}, dev)
    assert len(corpus.dev) == 3
    assert len(corpus.train) == len(pairs())
    assert len(corpus.test) == 0


def test_a_source_of_train_stays_whole_beside_one_that_is_divided(folder: Path) -> None:
    hats = [(f"a {colour} hat on a {thing}", "a hat") for colour in COLOURS for thing in THINGS]
    write_tsv(folder / "hats.tsv", hats)
    corpus = made(folder, PAIRS, {**PAIRS, "path": "hats.tsv", "split": "train"})
    alone = made(folder, PAIRS)
    assert sources_of(corpus.dev) == sources_of(alone.dev)
    assert sources_of(corpus.test) == sources_of(alone.test)
    assert len(corpus.train) == len(alone.train) + len(hats)


def test_repeats_are_seen_in_train_only(folder: Path) -> None:
    once = made(folder, PAIRS)
    often = made(folder, {**PAIRS, "repeat": 3})
    assert len(often.train) == 3 * len(once.train)
    assert len(often.dev) == len(once.dev)
    assert len(often.test) == len(once.test)


def test_a_part_of_a_source_is_drawn(folder: Path) -> None:
    whole = made(folder, PAIRS)
    half = made(folder, {**PAIRS, "repeat": 0.5})
    assert 0.2 < len(half.train) / len(whole.train) < 0.8
    assert set(sources_of(half.train)) < set(sources_of(whole.train))
    assert len(half.dev) == len(whole.dev)


def test_a_swapped_source_is_read_backwards(folder: Path) -> None:
    corpus = made(folder, {**PAIRS, "swap": True})
    assert all(source.startswith("one ") for source in sources_of(corpus.train))
    assert corpus.train.target_text(0).startswith("a ")


def films_of_a_table(folder: Path) -> dict[str, Any]:
    rows = [(thing, *pair) for thing in THINGS for pair in pairs() if pair[0].endswith(thing)]
    lines = [f"{film}\t{source}\t{target}\n" for film, source, target in rows]
    (folder / "films.tsv").write_text("film\ten\tde\n" + "".join(lines))
    columns = {"columns": ["en", "de"], "group_column": "film"}
    return {"format": "table", "path": "films.tsv", **columns}


def films_of_subtitles(folder: Path) -> dict[str, Any]:
    for thing in THINGS:
        said = [pair for pair in pairs() if pair[0].endswith(thing)]
        for language, texts in zip(("en", "de"), zip(*said, strict=True), strict=True):
            cues = [f"00:00:0{i},000 --> 00:00:0{i},900\n{text}." for i, text in enumerate(texts)]
            (folder / thing).mkdir(exist_ok=True)
            (folder / thing / f"{language}.srt").write_text("\n\n".join(cues))
    return {"format": "subtitle-pairs", "path": "*/en.srt", "target_path": "*/de.srt"}


@pytest.mark.parametrize("films", [films_of_a_table, films_of_subtitles])
def test_a_film_is_not_torn_apart_by_a_swap(
    folder: Path, films: Callable[[Path], dict[str, Any]]
) -> None:
    corpus = made(folder, {**films(folder), "swap": True}, dev_fraction=0.3, test_fraction=0.3)
    parts = [sources_of(shard) for shard in (corpus.train, corpus.dev, corpus.test)]
    assert sum(map(len, parts)) == len(pairs())
    things = [{next(t for t in THINGS if t in source) for source in part} for part in parts]
    assert all(things)
    assert sum(map(len, things)) == len(THINGS)


def test_translations_into_one_source_stay_together_after_a_swap(folder: Path) -> None:
    write_tsv(folder / "pairs.tsv", [*pairs(), *((f"{s} again", t) for s, t in pairs())])
    corpus = made(folder, {**PAIRS, "swap": True})
    parts = [set(sources_of(shard)) for shard in (corpus.train, corpus.dev, corpus.test)]
    assert sum(map(len, parts)) == len(pairs())


def test_a_source_of_one_tag_says_what_its_target_is_like(folder: Path) -> None:
    tagged = {"format": "pairs", "path": "pairs.tsv", "target_tag": "<2de>"}
    other = {"format": "pairs", "path": "pairs.tsv", "target_tag": "<2xx>", "swap": True}
    corpus = made(folder, tagged, other)
    assert corpus.tokenizer.tags == ("<2de>", "<2xx>")
    for shard in (corpus.train, corpus.dev, corpus.test):
        ids = shard.sources.take(np.arange(len(shard)))
        for i, source in enumerate(sources_of(shard)):
            tag = "<2de>" if source.startswith("<2de> a ") else "<2xx>"
            assert source.startswith((f"{tag} a ", f"{tag} one "))
            assert corpus.tokenizer.source_pieces(ids[i].tolist())[0] == f"\u2581{tag}"


def test_each_direction_of_a_corpus_is_checked_by_its_own_languages(folder: Path) -> None:
    rows = [(f"Where is the {c} dog?", f"Wo ist der Hund, {t}?") for c in COLOURS for t in THINGS]
    write_tsv(folder / "both.tsv", rows)
    there = {"format": "pairs", "path": "both.tsv", "split": "train", "target_tag": "<2de>"}
    back = {**there, "target_tag": "<2en>", "swap": True}
    dev: dict[str, Any] = {**PAIRS, "split": "dev"}
    held_out = [dev, {**PAIRS, "split": "test", "swap": True}]
    chosen = {"languages": ["en", "de"], "rules": ["language"]}
    with pytest.raises(CorpusError, match=r"nothing is left for train.*56 language"):
        made(folder, back, *held_out, **chosen)
    corpus = made(folder, there, {**back, "languages": ["en", "de"]}, *held_out, **chosen)
    assert len(corpus.train) == 2 * len(rows)


def test_a_pair_is_learnt_in_neither_direction_if_it_is_held_out(folder: Path) -> None:
    there = {"format": "pairs", "path": "pairs.tsv", "target_tag": "<2de>"}
    back = {**there, "target_tag": "<2en>", "swap": True}
    published = [{**there, "path": f"{split}.tsv", "split": split} for split in ("dev", "test")]
    write_tsv(folder / "dev.tsv", pairs()[:6])
    write_tsv(folder / "test.tsv", [(target, source) for source, target in pairs()[6:12]])
    drawn = made(folder, there, back, dev_fraction=0.3, test_fraction=0.3)
    given = made(folder, *({**each, "split": "train"} for each in (there, back)), *published)
    for corpus in (drawn, given):
        train, dev, test = map(colours_and_things, (corpus.train, corpus.dev, corpus.test))
        assert all((train, dev, test))
        assert not train & dev
        assert not train & test
        assert not dev & test
    assert len(given.train) == 2 * (len(pairs()) - 12)
    assert len(drawn.train) < 2 * len(pairs())


def colours_and_things(shard: Shard) -> set[frozenset[str]]:
    """Returns what the pairs of a split are about, which is the same in both directions."""
    return {frozenset({*COLOURS, *THINGS} & {*source.split()}) for source in sources_of(shard)}


def test_what_is_drawn_in_training_needs_no_new_data(folder: Path) -> None:
    source = {"format": "exchanges", "path": "pairs.tsv"}
    made(folder, source, task="reply")
    open_prepared(recipe_of(folder, {**source, "variants": ["case"]}, task="reply"))
    with pytest.raises(CorpusError, match="corpus changed"):
        open_prepared(recipe_of(folder, {**source, "repeat": 2}, task="reply"))


@pytest.mark.parametrize("corpus_limits", [{"max_source_tokens": 5}, {}])
def test_a_long_source_to_translate_is_left_out_rather_than_cut(
    folder: Path, corpus_limits: dict[str, int]
) -> None:
    write_tsv(folder / "pairs.tsv", [*pairs(), (" ".join(["a red dog"] * 3), "three dogs")])
    limits = {"max_source_tokens": 5}
    corpus = made(folder, {**PAIRS, "split": "train"}, tokenizer=limits, **corpus_limits)
    assert "three dogs" not in [corpus.train.target_text(i) for i in range(len(corpus.train))]
    assert sum(corpus.report["dropped"].values()) == 1


@pytest.fixture
def talks(folder: Path) -> dict[str, Any]:
    talks = [[f"{thing} {colour} {i}" for i in range(6)] for thing in THINGS for colour in COLOURS]
    text = "\n".join(json.dumps({"turns": talk}) for talk in talks)
    (folder / "talks.jsonl").write_text(text)
    return {"format": "jsonl", "path": "talks.jsonl"}


def test_replies_are_learned_with_and_without_a_history(
    folder: Path, talks: dict[str, Any]
) -> None:
    rules = {"context_turns": 3, "shared_vocabulary": True}
    corpus = made(folder, talks, task="reply", tokenizer=rules)
    turns = Counter(len(corpus.train.source_turns(i)) for i in range(len(corpus.train)))
    assert set(turns) == {1, 2, 3}
    assert turns[1] > turns[2] > 0
    ids = corpus.train.sources.take(np.arange(len(corpus.train)))
    assert sum(SEP_ID in each for each in ids) == turns[2] + turns[3]


def test_conversations_written_by_hand_keep_their_history(folder: Path) -> None:
    talks = [
        f"{thing}\n> What about it?\n{colour}\n> I see.\n" for thing in THINGS for colour in COLOURS
    ]
    (folder / "talks.txt").write_text("\n".join(talks))
    source = {"format": "conversations", "path": "talks.txt", "split": "train"}
    rules = {"context_turns": 2, "shared_vocabulary": True}
    train = made(folder, source, task="reply", tokenizer=rules).train
    for i in range(len(train)):
        turns = train.source_turns(i)
        assert len(turns) == (1 if turns[-1] in THINGS else 2)


def test_a_conversation_is_never_torn_apart(folder: Path, talks: dict[str, Any]) -> None:
    corpus = made(folder, talks, task="reply", tokenizer={"shared_vocabulary": True})
    origins = [
        {shard.origin(i).rpartition(":")[0] for i in range(len(shard))}
        for shard in (corpus.train, corpus.dev, corpus.test)
    ]
    assert not origins[0] & origins[1]
    assert not origins[0] & origins[2]
    assert not origins[1] & origins[2]


def test_the_history_of_a_given_test_set_is_whole(folder: Path, talks: dict[str, Any]) -> None:
    test = {**talks, "path": "test.jsonl", "split": "test"}
    (folder / "test.jsonl").write_text(json.dumps({"turns": ["a", "b", "c", "d"]}))
    rules = {"context_turns": 2, "shared_vocabulary": True}
    corpus = made(folder, talks, test, task="reply", tokenizer=rules)
    assert [len(corpus.test.source_turns(i)) for i in range(3)] == [1, 2, 3]


def test_the_report_counts_every_record(folder: Path) -> None:
    bad = [("", "nothing"), ("something", ""), *pairs()[:2]]
    write_tsv(folder / "pairs.tsv", [*pairs(), *bad])
    with (folder / "pairs.tsv").open("ab") as file:
        file.write(b"no tab\ncaf\xe9\tcoffee\n")
    report = made(folder, {**PAIRS, "split": "train"}).report
    [source] = report["sources"]
    assert source["faults"] == report["faults"] == 2
    assert source["fault_samples"][0] == "pairs.tsv:61: expected source TAB target"
    assert sum(source["dropped"].values()) == 4
    assert sum(source["kept"].values()) == len(pairs())
    assert report["tokens"]["train"]["source"]["longest"] == 4
    assert {rule.rpartition(": ")[2] for rule in source["dropped"]} == {"empty", "duplicate"}
    assert source["dropped"].keys() < source["samples"].keys()


def test_strict_stops_at_what_cannot_be_read(folder: Path) -> None:
    with (folder / "pairs.tsv").open("a") as file:
        file.write("no tab\n")
    assert made(folder, PAIRS).report["faults"] == 1
    for _ in range(2):  # whatever is there already
        with pytest.raises(CorpusError, match=r"pairs\.tsv:57: expected source TAB target"):
            prepare(recipe_of(folder, PAIRS), folder / "recipe.toml", strict=True)


def test_a_piece_survives_its_way_to_another_process(folder: Path) -> None:
    inputs = find_inputs(recipe_of(folder, PAIRS), folder / "recipe.toml")
    [piece] = pieces_of(inputs)
    records = list(piece.read(inputs))
    large = Piece(7, 0, (0, 1), records=[*records, Fault("pairs.tsv:1", "no tab")])
    for each in (piece, large):
        assert pickle.loads(pickle.dumps(each)) == each
    assert len(records) == len(pairs())


def test_data_of_an_older_release_are_refused(folder: Path) -> None:
    corpus = made(folder, PAIRS)
    report = {key: value for key, value in corpus.report.items() if key != "format"}
    (corpus.path / "report.json").write_text(json.dumps(report))
    with pytest.raises(CorpusError, match=r"another release\. Run `prepare` again"):
        open_prepared(recipe_of(folder, PAIRS))


def test_the_same_recipe_and_files_keep_the_data(folder: Path) -> None:
    first = made(folder, PAIRS)
    stamp = (first.path / "train.arrow").stat().st_mtime_ns
    again = made(folder, PAIRS)
    assert (again.path / "train.arrow").stat().st_mtime_ns == stamp
    assert again.fingerprint == first.fingerprint


def test_changed_files_make_the_data_anew(folder: Path) -> None:
    first = made(folder, PAIRS)
    write_tsv(folder / "pairs.tsv", [*pairs(), ("a pink dog", "one dog that is pink")])
    assert made(folder, PAIRS).fingerprint != first.fingerprint
    assert not list(folder.glob("run/*.partial"))


@pytest.mark.parametrize(("form", "task"), [("moses", "translate"), ("cornell", "reply")])
def test_a_changed_file_beside_the_named_one_makes_the_data_anew(
    folder: Path, form: str, task: str
) -> None:
    source, beside = write_beside(folder, form, "I see")
    corpus = made(folder, source, task=task, rules=[])
    assert str(folder / beside) in {file for file, *_ in corpus.report["made_from"]["files"]}
    write_beside(folder, form, "You hear")
    assert made(folder, source, task=task, rules=[]).fingerprint != corpus.fingerprint


def write_beside(folder: Path, form: str, reply: str) -> tuple[dict[str, Any], str]:
    """A corpus in two files, of which a recipe names one. Returns the source and the other."""
    rows = [(source, f"{reply} {target}") for source, target in pairs()]
    if form == "moses":
        (folder / "a.en").write_text("".join(f"{source}\n" for source, _ in rows))
        (folder / "a.de").write_text("".join(f"{target}\n" for _, target in rows))
        return {"format": "moses", "path": "a.en", "languages": ["en", "de"]}, "a.de"
    names, lines = "", ""
    for i, turns in enumerate(rows):
        names += f"u0 +++$+++ u1 +++$+++ m{i} +++$+++ ['L{i}0', 'L{i}1']\n"
        for number, text in enumerate(turns):
            lines += f"L{i}{number} +++$+++ u{number} +++$+++ m{i} +++$+++ ANNA +++$+++ {text}\n"
    (folder / "movie_conversations.txt").write_text(names)
    (folder / "movie_lines.txt").write_text(lines)
    return {"format": "cornell", "path": "movie_conversations.txt"}, "movie_lines.txt"


def test_broken_data_are_made_anew(folder: Path) -> None:
    first = made(folder, PAIRS)
    (first.path / "dev.arrow").unlink()
    assert made(folder, PAIRS).fingerprint == first.fingerprint


def test_an_interrupted_run_leaves_nothing_that_looks_whole(folder: Path) -> None:
    (folder / "run" / "data.partial").mkdir(parents=True)
    (folder / "run" / "data.partial" / "rest").write_text("")
    with pytest.raises(CorpusError, match="Run `prepare` first"):
        open_prepared(recipe_of(folder, PAIRS))
    assert not (made(folder, PAIRS).path / "rest").exists()


def test_data_of_another_tokenizer_are_refused(folder: Path) -> None:
    made(folder, PAIRS)
    changed = recipe_of(folder, PAIRS, tokenizer={"lowercase_source": True})
    with pytest.raises(CorpusError, match="the recipe's tokenizer changed"):
        open_prepared(changed)


def test_a_broken_tokenizer_is_named_with_its_folder(folder: Path) -> None:
    corpus = made(folder, PAIRS)
    (corpus.path / "source.spm").write_bytes(b"broken")
    with pytest.raises(CorpusError, match=r"data: .*not a SentencePiece model.*Prepare again\."):
        open_prepared(recipe_of(folder, PAIRS))


def test_an_empty_train_part_is_refused(folder: Path) -> None:
    with pytest.raises(CorpusError, match="nothing is left for train"):
        made(folder, PAIRS, max_target_tokens=2)


def test_a_recipe_may_want_no_dev_part(folder: Path) -> None:
    corpus = made(folder, PAIRS, dev_fraction=0.0)
    assert len(corpus.dev) == 0
    assert len(corpus.train) > 0


def test_an_empty_file_is_refused(folder: Path) -> None:
    (folder / "pairs.tsv").write_text("")
    with pytest.raises(CorpusError, match="nothing is left for train"):
        made(folder, PAIRS)


def test_other_files_of_a_folder_are_left_alone(folder: Path) -> None:
    many = folder / "many"
    many.mkdir()
    shutil.move(folder / "pairs.tsv", many)
    (many / "LICENSE").write_text("a\tb")
    (many / "notes.md").write_text("c\td")
    corpus = made(folder, {**PAIRS, "path": "many"})
    assert corpus.report["kept"]["train"] < len(pairs())
    assert corpus.report["faults"] == 0


def test_a_folder_without_a_fitting_file_is_refused(folder: Path) -> None:
    (folder / "many").mkdir()
    for name in ("a.md", "b.md"):
        (folder / "many" / name).write_text("")
    with pytest.raises(CorpusError, match=r"no file that ends in \.tsv or \.txt"):
        made(folder, {**PAIRS, "path": "many"})


def test_the_data_folder_is_looked_up_after_the_recipes_own(folder: Path) -> None:
    (folder / "data").mkdir()
    shutil.move(folder / "pairs.tsv", folder / "data")
    assert len(made(folder, PAIRS).train) > 0
