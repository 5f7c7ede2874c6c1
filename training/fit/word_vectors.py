"""Embeddings that start from word vectors, such as GloVe's (Pennington et al. 2014)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model.networks.tokens import TokenSeq2Seq
from model.tokenizer import Tokenizer
from training.errors import RecipeError
from training.files.paths import read_lines

#: SentencePiece's mark of a space.
SPACE = "\N{LOWER ONE EIGHTH BLOCK}"


def start_from_word_vectors(network: TokenSeq2Seq, tokenizer: Tokenizer, path: Path) -> int:
    """Gives source pieces that are whole words the vectors of these words.

    They are scaled to the spread of an embedding at its start, and fill its first columns. Of a
    word that the file has twice the first counts, and of `Paris` and `paris` the one that is spelt
    as the piece is.

    Args:
        path: a word and its numbers in each line, separated by spaces; word2vec's first line, of
            two numbers, is passed over.

    Returns:
        the number of pieces with a vector.

    Raises:
        RecipeError: if a line is none of a word and its vector, the vectors are wider than the
            embedding, or no piece is among the words.
        CorpusError: if the file cannot be read.
    """
    table = np.array(network.source_embedding.embeddings)
    ids = _ids_of_words(tokenizer)
    found = _read_vectors(path, {word.lower() for word in ids} | {*ids}, most=table.shape[1])
    chosen = {
        i: found[form] for word, i in ids.items() for form in (word.lower(), word) if form in found
    }
    if not chosen:
        raise RecipeError(f"{path}: has no word of the tokenizer's {len(ids):,} words.")
    vectors = np.stack([*chosen.values()])
    vectors *= table.std() / vectors.std()
    table[[*chosen], : vectors.shape[1]] = vectors
    network.source_embedding.embeddings.assign(table)
    return len(chosen)


def _ids_of_words(tokenizer: Tokenizer) -> dict[str, int]:
    """Returns the pieces that are whole words or signs, without their space."""
    pieces = tokenizer.source_pieces(range(tokenizer.source_vocab_size))
    return {
        piece.removeprefix(SPACE): i
        for i, piece in enumerate(pieces)
        if piece.startswith(SPACE) or not piece.isalnum()
    }


def _read_vectors(path: Path, words: set[str], *, most: int) -> dict[str, np.ndarray]:
    """Reads the vectors of `words`, of at most `most` numbers, from a file that has others too."""
    vectors: dict[str, np.ndarray] = {}
    width = 0
    for number, line in read_lines(path):
        word, *numbers = line.rstrip().split(" ")
        if number == 1 and len(numbers) == 1:
            continue
        if word not in words or word in vectors:
            continue
        try:
            vector = np.array(numbers, np.float32)
        except ValueError:
            raise RecipeError(f"{path}:{number}: not a word and its vector") from None
        width = width or len(vector)
        if len(vector) != width or not width:
            raise RecipeError(f"{path}:{number}: has {len(vector)} numbers, not {width}")
        if width > most:
            raise RecipeError(
                f"{path}: its vectors have {width} numbers. Set network.embedding_units to at "
                f"least {width}."
            )
        vectors[word] = vector
    return vectors
