"""Tokenizers from text."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator

import sentencepiece

from model.tokenizer import BOS_ID, EOS_ID, PAD_ID, SPECIAL_PIECES, UNK_ID
from training.errors import CorpusError
from training.recipe import TokenizerConfig

_SMALLER_SIZE = re.compile(r"<= (\d+)")


def train_tokenizer(sentences: Iterable[str], config: TokenizerConfig) -> bytes:
    """A SentencePiece model (Kudo and Richardson 2018, arXiv:1808.06226) of at most
    `config.vocab_size` pieces, `SPECIAL_PIECES` first.

    Args:
        sentences: plain text, as `model.tokenizer` makes it; read once.
        config: size and type.

    Raises:
        CorpusError: if the text is too small for any tokenizer.
    """
    kept = list(sentences)
    size = config.vocab_size
    while True:
        try:
            return _train(kept, config.type, size)
        except RuntimeError as error:
            # Too little text for so many pieces: SentencePiece says how many it is good for.
            found = _SMALLER_SIZE.search(str(error))
            smaller = int(found[1]) if found else size // 2
            if not kept or smaller >= size or smaller <= len(SPECIAL_PIECES):
                raise CorpusError(f"no tokenizer can be trained on this text: {error}") from None
            size = smaller


def _train(sentences: list[str], kind: str, size: int) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=_short_enough(sentences),
        model_writer=model,
        model_type=kind,
        vocab_size=size,
        hard_vocab_limit=False,
        character_coverage=0.9995,
        pad_id=PAD_ID,
        unk_id=UNK_ID,
        bos_id=BOS_ID,
        eos_id=EOS_ID,
        control_symbols=[SPECIAL_PIECES[-1]],
        normalization_rule_name="identity",
        input_sentence_size=2_000_000,
        shuffle_input_sentence=True,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def _short_enough(sentences: Iterable[str]) -> Iterator[str]:
    """SentencePiece leaves out longer sentences with a warning for each; they teach nothing new."""
    return (sentence for sentence in sentences if 0 < len(sentence.encode()) <= 4192)
