"""Sequences of ids that no answer may contain: blocked words, and earlier replies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from model.config import SearchOptions
from model.tokenizer import EOS_ID, Tokenizer


def blocked_sequences(
    tokenizer: Tokenizer, options: SearchOptions, turns: Sequence[str] = ()
) -> list[list[int]]:
    """Returns the sequences that `options` block.

    Args:
        tokenizer: tokenizer of the model.
        options: options of the search; they block all forms of `blocked_words` and, with
            `no_repeat_reply`, the earlier replies.
        turns: turns of the dialogue, oldest first; the last one is the user's.

    Raises:
        InputError: if a word has no text.
    """
    sequences = [*forms_of(tokenizer, options.blocked_words)]
    if options.no_repeat_reply:
        replies = map(tokenizer.target_ids, turns[-2::-2])
        sequences += [[*ids, EOS_ID] for ids in replies if ids]
    return sequences


@lru_cache(maxsize=16)
def forms_of(tokenizer: Tokenizer, words: tuple[str, ...]) -> tuple[list[int], ...]:
    """Returns the ids of all forms of `words`, see `Tokenizer.forms`. They are cached, since the
    words of a model are the same in each request.

    Raises:
        InputError: if a word has no text.
    """
    return tuple(ids for word in words for ids in tokenizer.forms(word))
