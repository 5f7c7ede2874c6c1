from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.errors import RecipeError
from training.fit.loop import Run
from training.prepare.prepare import open_prepared
from training.recipe import Recipe
from training.recipe_file import read_recipe_to_train

MakeRecipe = Callable[..., Recipe]


def embeddings_of(folder: Path, make_recipe: MakeRecipe, **fit: str) -> np.ndarray:
    """The source embeddings before the first step."""
    recipe = make_recipe(folder, **fit)
    return np.array(Run(recipe, open_prepared(recipe)).network.source_embedding.embeddings)


def piece_id(folder: Path, make_recipe: MakeRecipe, word: str) -> int:
    [found, _] = open_prepared(make_recipe(folder)).tokenizer.source_ids([word])
    return found


def test_whole_words_start_from_their_vectors_and_others_as_without_them(
    prepared: Path, make_recipe: MakeRecipe
) -> None:
    path = prepared / "vectors.txt"
    path.write_text("3 2\nand 9 9\none 1 -3\ntwo -1 3\none 8 8\n")  # with word2vec's first line
    plain = embeddings_of(prepared, make_recipe)
    table = embeddings_of(prepared, make_recipe, word_vectors=str(path))
    one, two = (piece_id(prepared, make_recipe, word) for word in ("one", "two"))
    assert table[one, 1] == pytest.approx(-3 * table[one, 0])
    np.testing.assert_allclose(table[one, :2], -table[two, :2])
    assert table[[one, two], :2].std() == pytest.approx(plain.std(), rel=1e-4)
    table[[one, two], :2] = plain[[one, two], :2]
    np.testing.assert_array_equal(table, plain)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("one 1 2\ntwo 1\n", ":2: has 1 numbers, not 2"),
        ("one 1 x\n", ":1: not a word and its vector"),
        ("one 1 nan\n", ":1: not a word and its vector"),
        ("one\n", ":1: not a word and its vector"),
        ("one 2 2\ntwo 2 2\n", "all its numbers are equal"),
        ("one 1 2 3 4 5 6 7 8 9\n", "Set network.embedding_units to at least 9"),
        ("eins 1 2\n", "has no word of the tokenizer's"),
        ("", "has no word of the tokenizer's"),
    ],
)
def test_a_file_of_no_use_is_refused(
    prepared: Path, make_recipe: MakeRecipe, lines: str, message: str
) -> None:
    path = prepared / "vectors.txt"
    path.write_text(lines)
    with pytest.raises(RecipeError, match=message):
        embeddings_of(prepared, make_recipe, word_vectors=str(path))


def test_vectors_are_looked_up_beside_the_recipe(prepared: Path, make_recipe: MakeRecipe) -> None:
    (prepared / "vectors.txt").write_text("one 1 2\n")
    recipe = prepared / "echo.toml"
    recipe.write_text(
        'name = "echo"\ntask = "reply"\noutput = "runs"\n'
        '[corpus]\nsources = [{ format = "exchanges", path = "pairs.tsv" }]\n'
        '[fit]\nword_vectors = "vectors.txt"\n'
    )
    assert read_recipe_to_train(recipe).fit.word_vectors == str(prepared / "vectors.txt")
