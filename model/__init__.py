"""What a model is, how it reads text and how it is searched.

Names load on first use: `import model` loads neither Keras nor a framework. Where Keras is loaded,
before or after, it knows the networks: `keras.saving.load_model` reads what they were saved to.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from model.registration import register_networks

if TYPE_CHECKING:
    from model.config import NetworkConfig, SearchOptions
    from model.engine.keras import KerasEngine
    from model.generator import Candidate, Generator
    from model.inspection import attention_weights, plot_attention
    from model.networks.tokens import TokenSeq2Seq
    from model.networks.vectors import AttentionSeq2Seq, Seq2Seq, SimpleSeq2Seq
    from model.search.requests import SearchRequest
    from model.search.search import Search

_HOMES = {
    "AttentionSeq2Seq": "model.networks.vectors",
    "Candidate": "model.generator",
    "Generator": "model.generator",
    "KerasEngine": "model.engine.keras",
    "NetworkConfig": "model.config",
    "Search": "model.search.search",
    "SearchOptions": "model.config",
    "SearchRequest": "model.search.requests",
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
    "KerasEngine",
    "NetworkConfig",
    "Search",
    "SearchOptions",
    "SearchRequest",
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


register_networks()
