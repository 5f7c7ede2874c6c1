"""Named rules: an example is kept, or there is a reason why not. Knows no files."""

from __future__ import annotations

import hashlib

from training.corpus.shards import Row
from training.corpus.splits import Split
from training.recipe import Recipe


class Cleaner:
    """Decides on one example after the other; those of train come first.

    Args:
        recipe: limits and task.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._corpus = recipe.corpus
        self._is_bilingual = recipe.task == "translate"
        self._train: set[bytes] = set()

    def refusal(self, row: Row, part: Split, *, source_len: int, is_published: bool) -> str | None:
        """The rule by which `row` is left out of `part`, or None.

        Args:
            row: the example; one of train that is kept is remembered.
            part: where it would stand.
            source_len: tokens of its source, those counted that no longer fit.
            is_published: it belongs to a given dev or test set, which stays whole but for empty
                sides.
        """
        if is_empty(row):
            return "empty side"
        if is_published:
            return None
        if source_len > self._corpus.max_source_tokens:
            return "source too long"
        if len(row.target_ids) > self._corpus.max_target_tokens:
            return "target too long"
        if part != "train":
            return "also in train" if self.is_in_train(row) else None
        if self._is_bilingual and self.is_in_train(row):
            return "duplicate"
        self._train.add(digest_of(row))
        return None

    def is_in_train(self, row: Row) -> bool:
        """An example of train that was kept has the same tokens."""
        return digest_of(row) in self._train


def is_empty(row: Row) -> bool:
    """Nothing but the end of sentence is left of a side, or of the turn that is answered: its reply
    would pass for one to the turn before."""
    is_unsaid = not row.source_turns[-1].strip()
    return is_unsaid or len(row.source_ids) < 2 or not row.target_ids


def digest_of(row: Row) -> bytes:
    """Equal for rows of equal tokens."""
    ids = f"{row.source_ids} {row.target_ids}"
    return hashlib.blake2b(ids.encode(), digest_size=8).digest()
