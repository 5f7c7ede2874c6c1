"""The public names of Seq2Seq, and the command `seq2seq`.

`from seq2seq import Generator, AttentionSeq2Seq`; names load on first use, as those of `model` do.
"""

from __future__ import annotations

from typing import Any

import model

__version__ = "0.1.0"

__all__ = ["__version__", *model.__all__]


def __getattr__(name: str) -> Any:
    if name not in model.__all__:
        raise AttributeError(f"module 'seq2seq' has no attribute {name!r}")
    return getattr(model, name)


def __dir__() -> list[str]:
    return sorted(__all__)
