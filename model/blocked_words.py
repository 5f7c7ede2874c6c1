"""Sequences of ids that no answer may contain: blocked words, and earlier replies."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice

from model.config import SearchOptions
from model.errors import InputError
from model.text.scripts import is_unspaced
from model.tokenizer import EOS_ID, UNK_ID, Tokenizer, normalise_target

#: Most sequences of pieces that are blocked for a word within other text, and most beginnings of
#: such sequences that are continued: a long word has more segmentations than can be listed.
MAX_SEQUENCES, MAX_BEGINNINGS = 4000, 1000


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


def has_blocked_words(tokenizer: Tokenizer, options: SearchOptions, text: str) -> bool:
    """Tells whether a target that no search has written has `blocked_words`.

    Raises:
        InputError: if a word has no text.
    """
    ids = tokenizer.target_ids(text) if options.blocked_words else []
    return any(
        ids[start : start + len(form)] == form
        for form in map(list, forms_of(tokenizer, options.blocked_words))
        if UNK_ID not in form
        for start in range(len(ids))
    )


@lru_cache(maxsize=16)
def forms_of(tokenizer: Tokenizer, words: tuple[str, ...]) -> tuple[list[int], ...]:
    """Returns the ids of all forms of `words`, see `Tokenizer.forms`. They are cached, since the
    words of a model are the same in each request.

    A word in a script without spaces is found within other text too, where its first and last piece
    may have more characters.

    Raises:
        InputError: if a word has no text.
    """
    found: list[list[int]] = []
    for word in words:
        try:
            found += tokenizer.forms(word)
        except InputError as error:
            raise InputError(f"blocked word {word!r} {error}") from None
    for word in filter(is_unspaced, words):
        text = normalise_target(word, tokenizer.text)
        found += islice(_sequences_with(text, tokenizer.target_texts), MAX_SEQUENCES)
    return tuple(found)


def _sequences_with(word: str, texts: Mapping[int, str]) -> Iterator[list[int]]:
    """Yields the sequences of tokens whose text contains `word`, but not without the first or the
    last token; short ones first. `texts` has the text of each token, none empty."""
    begun = deque[tuple[list[int], str]]()  # tokens, and what is left of the word
    for token, text in texts.items():
        if word[0] not in text:
            continue
        if word in text:
            yield [token]
            continue
        sizes = range(1, min(len(word), len(text) + 1))
        begun += (([token], word[size:]) for size in sizes if text.endswith(word[:size]))
    following = defaultdict[str, list[tuple[int, str]]](list)
    for token, text in texts.items():
        if text[0] in word:
            following[text[0]].append((token, text))
    for _ in range(MAX_BEGINNINGS):
        if not begun:
            return
        tokens, rest = begun.popleft()
        for token, text in following[rest[0]]:
            if text.startswith(rest):
                yield [*tokens, token]
            elif rest.startswith(text):
                begun.append(([*tokens, token], rest[len(text) :]))
