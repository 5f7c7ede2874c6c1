"""The nodes of each kind of decoder."""

from __future__ import annotations

from model.layers.transformer_decoder import TransformerDecoder
from model.networks.tokens import TokenSeq2Seq
from training.export.calibration import Ranges
from training.export.decoder import DecoderGraph
from training.export.recurrent_decoder import RecurrentDecoderGraph
from training.export.transformer_decoder import TransformerDecoderGraph


def decoder_graph(network: TokenSeq2Seq, precision: str, ranges: Ranges) -> DecoderGraph:
    """Returns the nodes of the decoder of `network`; `ranges` are those of its activations."""
    is_transformer = isinstance(network.decoder, TransformerDecoder)
    kind = TransformerDecoderGraph if is_transformer else RecurrentDecoderGraph
    return kind(network, precision, ranges)
