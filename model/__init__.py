"""What a model is, how it reads text and how it is searched.

Names load on first use: `import model` loads neither Keras nor a framework.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.config import SearchOptions
    from model.generator import Candidate, Generator
    from model.inspection import attention_weights, plot_attention
    from model.networks.tokens import TokenSeq2Seq
    from model.networks.vectors import AttentionSeq2Seq, Seq2Seq, SimpleSeq2Seq

_HOMES = {
    "AttentionSeq2Seq": "model.networks.vectors",
    "Candidate": "model.generator",
    "Generator": "model.generator",
    "SearchOptions": "model.config",
    "Seq2Seq": "model.networks.vectors",
    "SimpleSeq2Seq": "model.networks.vectors",
    "TokenSeq2Seq": "model.networks.tokens",
    "attention_weights": "model.inspection",
    "plot_attention": "model.inspection",
}

__all__ = [
    "AttentionSeq2Seq",
    "Candidate",
    "Generator",
    "SearchOptions",
    "Seq2Seq",
    "SimpleSeq2Seq",
    "TokenSeq2Seq",
    "attention_weights",
    "plot_attention",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'model' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
