"""Which part an example belongs to: decided by its group alone, the same on every machine."""

from __future__ import annotations

import hashlib
from typing import Literal

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")


def fraction_of(text: str, salt: str) -> float:
    """A number in [0, 1) that depends on `text` and `salt` only."""
    digest = hashlib.sha256(f"{salt}\n{text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_of(group: str, dev_fraction: float, test_fraction: float) -> Split:
    """The part that `group` (a conversation, a film, a source sentence) falls into, whole."""
    place = fraction_of(" ".join(group.lower().split()), "split")
    if place < test_fraction:
        return "test"
    return "dev" if place < test_fraction + dev_fraction else "train"
