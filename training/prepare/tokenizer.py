"""Training of tokenizers."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence

import sentencepiece

from model.config import Task
from model.tokenizer import BOS_ID, EOS_ID, PAD_ID, SPECIAL_PIECES, UNK_ID
from training.errors import CorpusError
from training.recipe import TokenizerConfig

#: More sentences do not improve a tokenizer, and each takes about 2 KB of memory.
MAX_SENTENCES = 250_000
#: Smaller vocabularies get no byte pieces, unless a recipe sets `byte_fallback`.
MIN_PIECES_WITH_BYTES = 2000
#: SentencePiece skips longer sentences, with a warning for each.
MAX_BYTES = 4192

#: An alphabet of at most this share of the vocabulary is kept whole.
SMALL_ALPHABET = 0.1
#: Of a larger one (Chinese, or with stray emoji) the rarest characters become unknown.
LARGE_ALPHABET_COVERAGE = 0.9995

_SMALLER_SIZE = re.compile(r"<= (\d+)")


def train_tokenizer(
    sentences: Iterable[str],
    config: TokenizerConfig,
    *,
    byte_fallback: bool = False,
    tags: Sequence[str] = (),
) -> bytes:
    """Trains a SentencePiece model (Kudo and Richardson 2018, arXiv:1808.06226) of at most
    `config.vocab_size` pieces, `SPECIAL_PIECES` first. The same text gives the same bytes.

    Args:
        sentences: plain text, as `model.tokenizer` normalises it; read once. More than
            `MAX_SENTENCES` take much memory. Empty and very long ones are skipped.
        config: size and type.
        byte_fallback: whether to add 256 pieces, of bytes, for characters without a piece.
        tags: texts that are always a single piece.

    Raises:
        CorpusError: if there is no text, or it has more characters than `config.vocab_size`.
    """
    drawn = [text for text in sentences if 0 < len(text.encode()) <= MAX_BYTES]
    coverage = character_coverage_of(drawn, config)
    if not drawn:
        raise CorpusError("there is no text to train a tokenizer on: nothing is left for train")
    size = config.vocab_size
    while True:
        try:
            return _train(drawn, config.type, size, coverage, byte_fallback, tags)
        except RuntimeError as error:
            # Too little text for so many pieces: the message names the possible size.
            most = _SMALLER_SIZE.search(str(error))
            if not most or not len(SPECIAL_PIECES) < int(most[1]) < size:
                raise CorpusError(
                    f"no {config.type} tokenizer of {size} pieces can be trained on "
                    f"{len(drawn):,} texts: {error}. Change tokenizer.vocab_size or the corpus."
                ) from None
            size = int(most[1])


def character_coverage_of(sentences: list[str], config: TokenizerConfig) -> float:
    """Returns the share of characters that get their own piece. In a small alphabet all do:
    otherwise rare capitals, digits and umlauts would be lost, and whole words with them."""
    if config.type == "word":
        return 1.0  # its pieces are words, not characters
    alphabet = set().union(*sentences)
    is_small = len(alphabet) <= SMALL_ALPHABET * config.vocab_size
    return 1.0 if is_small else LARGE_ALPHABET_COVERAGE


def uses_byte_fallback(config: TokenizerConfig, task: Task) -> bool:
    """Tells whether characters without a piece are written as bytes: as set in `config`, else for
    translation, where names and symbols must not be lost, with a large enough vocabulary."""
    if config.byte_fallback is None:
        is_roomy = config.vocab_size >= MIN_PIECES_WITH_BYTES and config.type != "word"
        return is_roomy and task == "translate"
    return config.byte_fallback


def _train(
    sentences: list[str],
    kind: str,
    size: int,
    coverage: float,
    byte_fallback: bool,
    tags: Sequence[str],
) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        model_type=kind,
        vocab_size=size,
        hard_vocab_limit=False,
        byte_fallback=byte_fallback,
        character_coverage=coverage,
        pad_id=PAD_ID,
        unk_id=UNK_ID,
        bos_id=BOS_ID,
        eos_id=EOS_ID,
        control_symbols=[SPECIAL_PIECES[-1]],
        user_defined_symbols=list(tags),
        normalization_rule_name="identity",
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()
