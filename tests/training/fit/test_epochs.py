from __future__ import annotations

from pathlib import Path
from typing import Any

from training.fit.epochs import EPOCH_FILE, EpochShards
from training.prepare.prepare import PreparedCorpus, prepare
from training.prepare.shards import Shard
from training.recipe import Recipe

MESSAGES = ("Who is there?", "Where are you going now?", "I don't know.", "Nice weather today.")
MAX_SOURCE_TOKENS = 40


def prepared(
    folder: Path, *, variants: list[str], sample: float, tag: str = ""
) -> tuple[Recipe, PreparedCorpus]:
    """Conversations of three turns; the first source may vary, the second never does."""
    talks = [f"{text}\nYes, {i}.\n{text}\n\n" for i in range(10) for text in MESSAGES]
    for name in ("varied.txt", "plain.txt"):
        (folder / name).write_text("".join(talks))
    values = {
        "name": "talk",
        "task": "reply",
        "languages": ["en"],
        "output": str(folder / "out"),
        "corpus": {
            "dev_fraction": 0.0,
            "test_fraction": 0.0,
            "rules": [],
            "sources": [
                {"format": "lines", "path": "varied.txt", "variants": variants, "target_tag": tag},
                {"format": "lines", "path": "plain.txt"},
            ],
        },
        "tokenizer": {
            "vocab_size": 80,
            "context_turns": 2,
            "max_source_tokens": MAX_SOURCE_TOKENS,
        },
        "fit": {"subword_sampling": sample},
    }
    recipe = Recipe.parse(values, where="test")
    return recipe, prepare(recipe, folder / "talk.toml")


def rows_of(shard: Shard) -> list[dict[str, Any]]:
    return [row for batch in shard.batches() for row in batch.to_pylist()]


def test_what_nothing_varies_is_read_as_it_was_prepared(tmp_path: Path) -> None:
    recipe, corpus = prepared(tmp_path, variants=[], sample=0.0)
    assert EpochShards(recipe, corpus, tmp_path)(3) is corpus.train
    assert not (tmp_path / EPOCH_FILE).exists()


def test_an_epoch_is_the_same_whenever_it_is_drawn(tmp_path: Path) -> None:
    recipe, corpus = prepared(tmp_path, variants=["case", "typos"], sample=0.5)
    shards = EpochShards(recipe, corpus, tmp_path)
    epochs = [rows_of(shards(epoch)) for epoch in (0, 1, 0)]
    assert epochs[0] == epochs[2]
    assert epochs[0] != epochs[1]


def test_only_messages_of_the_sources_that_ask_for_it_are_varied(tmp_path: Path) -> None:
    recipe, corpus = prepared(tmp_path, variants=["final_punctuation", "case"], sample=0.0)
    found = rows_of(EpochShards(recipe, corpus, tmp_path)(0))
    before = rows_of(corpus.train)
    changed = [
        old["source_ids"] != new["source_ids"] for old, new in zip(before, found, strict=True)
    ]
    numbers = [row["source_number"] for row in before]
    assert len(found) == len(before)
    assert {number for number, is_new in zip(numbers, changed, strict=True) if is_new} == {0}
    assert 10 < sum(changed) < numbers.count(0)
    kept = ("target_ids", "source_turns", "target_text", "origin", "source_number")
    for old, new in zip(before, found, strict=True):
        assert [old[name] for name in kept] == [new[name] for name in kept]


def test_a_reply_within_the_context_stays_as_it_is(tmp_path: Path) -> None:
    recipe, corpus = prepared(tmp_path, variants=["case"], sample=0.0)
    shards = EpochShards(recipe, corpus, tmp_path)
    texts = {
        corpus.tokenizer._source.decode(row["source_ids"])
        for row in rows_of(shards(0))
        if len(row["source_turns"]) == 2
    }
    assert any("yes, " in text for text in texts)
    assert all(text.startswith(MESSAGES) for text in texts)


def test_messages_without_a_history_get_the_reply_of_another(tmp_path: Path) -> None:
    recipe, corpus = prepared(tmp_path, variants=["history"], sample=0.0)
    found, before = rows_of(EpochShards(recipe, corpus, tmp_path)(0)), rows_of(corpus.train)
    replies = {row["target_text"] for row in before}
    added = 0
    for old, new in zip(before, found, strict=True):
        text, whole = (corpus.tokenizer._source.decode(row["source_ids"]) for row in (old, new))
        if whole != text:
            added += 1
            assert old["source_number"] == 0 and len(old["source_turns"]) == 1
            assert whole.removesuffix(text).strip() in replies
    assert 0 < added < len(before) / 2


def test_a_tag_stays_as_it_is(tmp_path: Path) -> None:
    variants = ["case", "openers", "typos"]
    recipe, corpus = prepared(tmp_path, variants=variants, sample=0.0, tag="<formal>")
    tag_id = corpus.tokenizer._source.piece_to_id("<formal>")
    for row in rows_of(EpochShards(recipe, corpus, tmp_path)(0)):
        assert row["source_ids"].count(tag_id) == (row["source_number"] == 0)


def test_pieces_are_drawn_on_both_sides_and_say_the_same(tmp_path: Path) -> None:
    recipe, corpus = prepared(tmp_path, variants=[], sample=1.0)
    found, before = rows_of(EpochShards(recipe, corpus, tmp_path)(0)), rows_of(corpus.train)
    for side in ("source_ids", "target_ids"):
        assert any(old[side] != new[side] for old, new in zip(before, found, strict=True))
    for old, new in zip(before, found, strict=True):
        assert corpus.tokenizer.target_text(new["target_ids"]) == old["target_text"]
        assert len(new["source_ids"]) <= MAX_SOURCE_TOKENS


def prepared_pairs(
    folder: Path, pairs: list[str], max_source_tokens: int, **source: Any
) -> tuple[Recipe, PreparedCorpus]:
    (folder / "pairs.tsv").write_text("".join(f"{pair}\n" for pair in pairs))
    values = {
        "name": "sentences",
        "task": "translate",
        "languages": ["en", "de"],
        "output": str(folder / "out"),
        "corpus": {
            "dev_fraction": 0.0,
            "test_fraction": 0.0,
            "rules": [],
            "sources": [{"format": "pairs", "path": "pairs.tsv", **source}],
        },
        "tokenizer": {
            "vocab_size": 400,
            "byte_fallback": True,
            "max_source_tokens": max_source_tokens,
        },
    }
    recipe = Recipe.parse(values, where="test")
    return recipe, prepare(recipe, folder / "sentences.toml")


def test_sentences_are_varied_but_never_cut(tmp_path: Path) -> None:
    words = ("alpha", "beta", "gamma", "delta")
    pairs = [f"We saw {word} {i}.\tWir sahen {word} {i}." for i in range(20) for word in words]
    recipe, corpus = prepared_pairs(tmp_path, pairs, 14, variants=["case"])
    decode = corpus.tokenizer._source.decode
    found = [
        (row["source_turns"][-1], decode(row["source_ids"]))
        for epoch in range(4)
        for row in rows_of(EpochShards(recipe, corpus, tmp_path)(epoch))
    ]
    assert any(read == text.lower() for text, read in found)
    assert all(read.lower() == text.lower() for text, read in found)
    assert 0.5 < sum(read == text for text, read in found) / len(found) < 0.95
    in_capitals = [corpus.tokenizer.whole_source_ids([[text.upper()]])[0] for text, _ in found]
    assert max(map(len, in_capitals)) > 14  # these would be cut


def test_names_change_on_both_sides(tmp_path: Path) -> None:
    people = ("Anna", "Boris", "Clemens", "Dorothea")
    pairs = [f"I saw {name} at {i}.\tIch sah {name} um {i}." for i in range(20) for name in people]
    recipe, corpus = prepared_pairs(tmp_path, pairs, 24, variants=["names"], target_tag="<2de>")
    tokenizer, changed = corpus.tokenizer, set()
    for row in rows_of(EpochShards(recipe, corpus, tmp_path)(0)):
        source = tokenizer._source.decode(row["source_ids"]).removeprefix("<2de>").strip()
        name, number = source.removeprefix("I saw ").removesuffix(".").split(" at ")
        assert tokenizer.target_text(row["target_ids"]) == f"Ich sah {name} um {number}."
        changed.add(name not in row["target_text"])
    assert changed == {True, False}
