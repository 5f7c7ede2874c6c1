"""Text to token ids and back, with SentencePiece. Reads no folder and knows no network."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING

from model.errors import InputError, TokenizerError
from model.text.normalise import narrow_punctuation, normalise, plain_punctuation
from model.text.scripts import is_unspaced, script_of_letter

if TYPE_CHECKING:
    import sentencepiece

    from model.config import TextConfig

#: The first ids of every tokenizer, in this order; `<sep>` separates the turns of a dialogue.
SPECIAL_PIECES = ("<pad>", "<unk>", "<s>", "</s>", "<sep>")
#: SentencePiece's mark for a leading space of a piece.
SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
PAD_ID, UNK_ID, BOS_ID, EOS_ID, SEP_ID = range(5)

#: Number of segmentations to sample from, and the exponent of their probabilities.
SAMPLED_SEGMENTATIONS, SAMPLING_ALPHA = 16, 0.2

#: Share of the pieces with letters from which their script is known. Fewer are of foreign words in
#: the training data.
MIN_SCRIPT_SHARE = 0.01

#: Python's lower case of the Turkish capital of `i`.
_LOWERED_I_WITH_DOT = "\u0130".lower()

_TAG = re.compile(r"\u2581?(<[a-z0-9_-]+>)")


@dataclass(frozen=True)
class Source:
    """The part of a text or a dialogue that a model reads.

    Attributes:
        ids: its tokens, with the end-of-sentence id last.
        dropped_tokens: number of oldest tokens dropped from the turns that are read.
        dropped_turns: number of older turns dropped as a whole.
    """

    ids: list[int]
    dropped_tokens: int = 0
    dropped_turns: int = 0


class Tokenizer:
    """A source and a target vocabulary, and the rules that normalise texts.

    Args:
        text: the rules.
        source_model: bytes of a SentencePiece model.
        target_model: the same for the target; None: the source model is used for both.

    Raises:
        TokenizerError: if the bytes are not a SentencePiece model, or its first ids are not
            `SPECIAL_PIECES`.
    """

    def __init__(
        self, text: TextConfig, source_model: bytes, target_model: bytes | None = None
    ) -> None:
        self.text = text
        self._source = _load(source_model, "source")
        self._target = self._source if target_model is None else _load(target_model, "target")

    @property
    def source_vocab_size(self) -> int:
        return int(self._source.get_piece_size())

    @property
    def target_vocab_size(self) -> int:
        return int(self._target.get_piece_size())

    @cached_property
    def target_texts(self) -> dict[int, str]:
        """Returns the text of each target id, with its leading space; special and byte pieces have
        none."""
        target = self._target
        ids = range(len(SPECIAL_PIECES), self.target_vocab_size)
        return {i: self.target_token(i) for i in ids if not target.is_byte(i)}

    @property
    def tags(self) -> tuple[str, ...]:
        """Returns the tags with which sources of the training data began, such as `<2de>`."""
        found: dict[str, None] = {}  # in the order of the pieces; a word begins with a space
        for i in range(len(SPECIAL_PIECES), self.source_vocab_size):
            tag = _TAG.fullmatch(self._source.id_to_piece(i))
            if self._source.is_byte(i) or not tag:
                break
            found[tag[1]] = None
        return tuple(found)

    def source_ids(self, turns: str | Sequence[str]) -> list[int]:
        """Returns the ids of `read_source`."""
        return self.read_source(turns).ids

    def read_source(self, turns: str | Sequence[str]) -> Source:
        """Encodes a source.

        `turns` is one text, or a dialogue, oldest turn first: its last `context_turns` are read.
        Beyond `max_source_tokens` the oldest tokens are dropped.

        Raises:
            InputError: if there is no text, only spaces or control characters.
        """
        texts = [turns] if isinstance(turns, str) else turns
        spoken = self._spoken(texts)
        recent = spoken[-self.text.context_turns :]
        ids = _join([self._source.encode(turn) for turn in recent])
        if not ids:
            raise InputError("the message has no text: only spaces or control characters")
        kept = ids[-self.text.max_source_tokens :]
        return Source(kept, len(ids) - len(kept), len(spoken) - len(recent))

    def _spoken(self, turns: Sequence[str]) -> list[str]:
        """Returns the turns that have any text, as the source tokenizer reads them."""
        plain = [normalise_source(turn, self.text) for turn in turns]
        return [turn for turn in plain if turn.strip()]

    @cached_property
    def _source_characters(self) -> frozenset[str]:
        """Returns the characters that are source pieces, with or without a leading space."""
        pieces = (self._source.id_to_piece(i) for i in range(self.source_vocab_size))
        return frozenset(" ").union(p[-1] for p in pieces if len(p.removeprefix(SPACE)) == 1)

    def can_read(self, text: str) -> bool:
        """Tells whether the source vocabulary has a piece for each character of a text."""
        return self._source_characters.issuperset(normalise_source(text, self.text))

    @cached_property
    def _source_scripts(self) -> frozenset[str]:
        """Returns the scripts of the source vocabulary."""
        ids = range(len(SPECIAL_PIECES), self.source_vocab_size)
        pieces = (self._source.id_to_piece(i) for i in ids if not self._source.is_byte(i))
        counts = Counter(map(_script_of, pieces))
        del counts[""]
        fewest = MIN_SCRIPT_SHARE * counts.total()
        return frozenset(script for script, count in counts.items() if count >= fewest)

    def knows_letter(self, letter: str) -> bool:
        """Tells whether the source vocabulary has a piece for a letter, or knows its script."""
        if self.can_read(letter):
            return True
        return _script_of(normalise_source(letter, self.text)) in self._source_scripts

    def target_ids(self, text: str) -> list[int]:
        """Encodes a target, without begin and end of sentence. May return no ids."""
        return list(self._target.encode(normalise_target(text, self.text)))

    def constraint_ids(self, text: str, blocked: Sequence[Sequence[int]]) -> list[int]:
        """Encodes a target text that an answer must contain, as at least one id.

        Raises:
            InputError: if it has no text, or contains a sequence of `blocked` or characters that no
                answer can contain.
        """
        ids = self.target_ids(text)
        if not ids:
            raise InputError("has no text")
        if UNK_ID in ids:
            raise InputError("contains characters that this model cannot write")
        if contains_any(ids, blocked):
            raise InputError("contains a blocked word")
        return ids

    def required_ids(self, text: str, blocked: Sequence[Sequence[int]]) -> list[int]:
        """Encodes a target text that an answer must contain anywhere, as `constraint_ids` does; in
        a script without spaces between words, without a space before it if that is a token."""
        ids = self.constraint_ids(text, blocked)
        has_space = len(ids) > 1 and self.target_token(ids[0]) == " "
        return ids[1:] if has_space and is_unspaced(text[:1]) else ids

    def whole_source_ids(
        self, sources: Sequence[Sequence[str]], *, draw: Random | None = None
    ) -> list[list[int]]:
        """Encodes many sources at once, as `source_ids` does, but without cutting them; a source
        without text becomes an empty list.

        Args:
            sources: turns of each source.
            draw: samples the segmentation of each text among the likeliest ones, for training (Kudo
                2018, arXiv:1804.10959); unigram models only.
        """
        recent = [self._spoken(turns)[-self.text.context_turns :] for turns in sources]
        each_turn = iter(_encode_all(self._source, [t for turns in recent for t in turns], draw))
        return [_join([next(each_turn) for _ in turns]) for turns in recent]

    def many_target_ids(
        self, texts: Sequence[str], *, draw: Random | None = None
    ) -> list[list[int]]:
        """Encodes many targets at once, as `target_ids` does; for `draw`, see
        `whole_source_ids`."""
        return _encode_all(
            self._target, [normalise_target(text, self.text) for text in texts], draw
        )

    def forms(self, word: str) -> list[list[int]]:
        """Encodes a target word or phrase as given, in lower case and capitalised, each distinct
        form once.

        Raises:
            InputError: if it has no text.
        """
        found = {}
        for form in (word, word.lower(), word.capitalize()):
            ids = self.target_ids(form)
            if not ids:
                raise InputError("has no text")
            found[tuple(ids)] = ids
        return list(found.values())

    def target_text(self, ids: Sequence[int]) -> str:
        """Decodes target ids to text, without special ids."""
        return str(self._target.decode([int(i) for i in ids if i >= len(SPECIAL_PIECES)]))

    def source_pieces(self, ids: Sequence[int]) -> list[str]:
        """Returns the pieces of source ids, for example for an attention plot."""
        return list(self._source.id_to_piece([int(i) for i in ids]))

    def target_pieces(self, ids: Sequence[int]) -> list[str]:
        """Returns the pieces of target ids."""
        return list(self._target.id_to_piece([int(i) for i in ids]))

    def target_token(self, token: int) -> str:
        """Returns the text of one target id, with its leading space."""
        return str(self._target.id_to_piece(int(token))).replace(SPACE, " ")

    def target_bytes(self, token: int) -> bytes:
        """Returns the bytes of one target id, with its leading space. A character that is no piece
        is made of byte pieces such as `<0xF0>`."""
        text = self.target_token(token)
        return bytes.fromhex(text[3:5]) if self._target.is_byte(int(token)) else text.encode()


class IncrementalDetokenizer:
    """Decoder of target ids that arrive in parts, for streaming.

    The first bytes of a character made of several pieces are held back until it is complete.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._text = ""

    def add(self, ids: Sequence[int]) -> str:
        """Adds ids and returns the new final text."""
        self._ids += ids
        return self.finish(
            self._tokenizer.target_text(self._ids).rstrip("\N{REPLACEMENT CHARACTER}")
        )

    def finish(self, text: str) -> str:
        """Returns the rest of `text`, which must begin with the text returned so far."""
        further = text[len(self._text) :] if text.startswith(self._text) else ""
        self._text += further
        return further


def normalise_source(text: str, rules: TextConfig) -> str:
    """Returns `text` as the source tokenizer reads it."""
    plain = narrow_punctuation(normalise_target(text, rules))
    if rules.lowercase_source:
        return plain.lower().replace(_LOWERED_I_WITH_DOT, "i")
    return plain


def normalise_target(text: str, rules: TextConfig) -> str:
    """Returns `text` as the target tokenizer reads it."""
    plain = normalise(text)
    return normalise(plain_punctuation(plain)) if rules.plain_punctuation else plain


def _script_of(text: str) -> str:
    """Returns the script of the first letter of a text; "" if it has none."""
    return next((script_of_letter(char) for char in text if char.isalpha()), "")


def contains_any(ids: Sequence[int], sequences: Iterable[Sequence[int]]) -> bool:
    """Tells whether `ids` contains any of `sequences`, none of which is empty."""
    whole = tuple(ids)
    sought = {tuple(each) for each in sequences}
    sizes = {len(each) for each in sought}
    return any(
        whole[start : start + size] in sought
        for size in sizes
        for start in range(len(whole) - size + 1)
    )


def _encode_all(
    processor: sentencepiece.SentencePieceProcessor, texts: list[str], draw: Random | None
) -> list[list[int]]:
    if draw is None:
        return list(processor.encode(texts, num_threads=1))
    return [_sample_segmentation(processor, text, draw) for text in texts]


def _sample_segmentation(
    processor: sentencepiece.SentencePieceProcessor, text: str, draw: Random
) -> list[int]:
    """Samples a segmentation. SentencePiece's own samples are not reproducible across processes."""
    candidates = processor.nbest_encode(text, nbest_size=SAMPLED_SEGMENTATIONS)
    scores = [sum(map(processor.get_score, ids)) for ids in candidates]
    weights = [math.exp(SAMPLING_ALPHA * (score - scores[0])) for score in scores]
    return list(draw.choices(candidates, weights)[0])


def _join(turns: Sequence[list[int]]) -> list[int]:
    """Joins turns with separators and appends the end of sentence; empty if all turns are."""
    ids: list[int] = []
    for turn in turns:
        ids += [SEP_ID, *turn] if ids else turn
    return [*ids, EOS_ID] if ids else []


def _load(model: bytes, side: str) -> sentencepiece.SentencePieceProcessor:
    import sentencepiece  # only here: a process that decodes has no tokenizer

    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    except RuntimeError as error:
        raise TokenizerError(
            f"the {side} tokenizer is not a SentencePiece model: {error}"
        ) from None
    found = tuple(processor.id_to_piece(i) for i in range(min(len(SPECIAL_PIECES), len(processor))))
    if found != SPECIAL_PIECES:
        raise TokenizerError(
            f"the {side} tokenizer must begin with {SPECIAL_PIECES}. Received: {found}"
        )
    return processor
