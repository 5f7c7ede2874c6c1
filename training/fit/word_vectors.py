"""Initialisation of embeddings with word vectors, such as GloVe (Pennington et al. 2014)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from model.networks.tokens import TokenSeq2Seq
from model.tokenizer import SPACE, Tokenizer
from training.errors import RecipeError
from training.files.paths import read_lines

#: Pieces that are not text, such as `</s>`.
_IS_SPECIAL = re.compile("<.+>")


def start_from_word_vectors(network: TokenSeq2Seq, tokenizer: Tokenizer, path: Path) -> None:
    """Initialises source pieces that are whole words with the vectors of these words.

    The vectors are scaled to the standard deviation of a new embedding and fill its first columns.
    If a word occurs twice in the file, the first occurrence is used; of `Paris` and `paris`, the
    spelling of the piece.

    Args:
        path: file with a word and its numbers on each line, separated by spaces; word2vec's first
            line, with two numbers, is skipped.

    Raises:
        RecipeError: if a line is not a word and a finite vector, the vectors are wider than the
            embedding or all equal, or no piece is among the words.
        CorpusError: if the file cannot be read.
    """
    table = np.array(network.source_embedding.embeddings)
    words = _words_by_id(tokenizer)
    forms = {form for word in words.values() for form in (word, word.lower())}
    found = _read_vectors(path, forms, most=table.shape[1])
    chosen = {
        i: found[form]
        for i, word in words.items()
        for form in (word.lower(), word)
        if form in found
    }
    if not chosen:
        raise RecipeError(f"{path}: has no word of the tokenizer's {len(words):,} words.")
    vectors = np.stack([*chosen.values()])
    if not vectors.std():
        raise RecipeError(f"{path}: all its numbers are equal.")
    vectors *= table.std() / vectors.std()
    table[[*chosen], : vectors.shape[1]] = vectors
    network.source_embedding.embeddings.assign(table)


def _words_by_id(tokenizer: Tokenizer) -> dict[int, str]:
    """Returns the pieces that are words or symbols, without their leading space, by id."""
    pieces = tokenizer.source_pieces(range(tokenizer.source_vocab_size))
    words = {
        i: piece.removeprefix(SPACE)
        for i, piece in enumerate(pieces)
        if piece.startswith(SPACE) or not piece.isalnum()
    }
    return {i: word for i, word in words.items() if word and not _IS_SPECIAL.fullmatch(word)}


def _read_vectors(path: Path, words: set[str], *, most: int) -> dict[str, np.ndarray]:
    """Reads the vectors of `words`, of at most `most` numbers each, from a file with other words
    too."""
    vectors: dict[str, np.ndarray] = {}
    width = 0
    for number, line in read_lines(path):
        word, *numbers = line.rstrip().split(" ")
        if number == 1 and len(numbers) == 1:
            continue
        if word not in words or word in vectors:
            continue
        vector = _vector(numbers)
        if vector is None:
            raise RecipeError(f"{path}:{number}: not a word and its vector")
        width = width or len(vector)
        if len(vector) != width:
            raise RecipeError(f"{path}:{number}: has {len(vector)} numbers, not {width}")
        if width > most:
            raise RecipeError(
                f"{path}: its vectors have {width} numbers. Set network.embedding_units to at "
                f"least {width}."
            )
        vectors[word] = vector
    return vectors


def _vector(numbers: list[str]) -> np.ndarray | None:
    try:
        vector = np.array(numbers, np.float32)
    except ValueError:
        return None
    return vector if vector.size and np.isfinite(vector).all() else None
