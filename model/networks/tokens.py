"""TokenSeq2Seq: the encoder-decoder for text, from ids to logits."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.config import NetworkConfig
from model.layers.decoders import AttentionDecoder, Memory
from model.layers.embeddings import OutputProjection, build_embedding
from model.layers.encoders import RecurrentEncoder
from model.layers.transformer import TransformerEncoder
from model.layers.transformer_decoder import TransformerDecoder
from model.networks.base import Network
from model.types import Tensor

PAD_ID = 0


@keras.saving.register_keras_serializable("seq2seq")
class TokenSeq2Seq(Network):
    """Embeddings, an encoder, a decoder that attends to it, and an output projection.

    Args:
        config: its layers and their sizes.

    Call arguments:
        inputs: `{"source_ids": (batch, source_len), "target_ids": (batch, target_len)}`, int32,
            padded at the right with `PAD_ID`; `target_ids` is the decoder input (teacher forcing):
            it starts with the begin-of-sentence id.

    Returns:
        logits `(batch, target_len, target_vocab_size)`, float32.
    """

    def __init__(self, config: NetworkConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        units = config.embedding_units
        self.source_embedding = build_embedding(
            config.source_vocab_size, units, name="source_embedding"
        )
        self.target_embedding = (
            self.source_embedding
            if config.share_embeddings
            else build_embedding(config.target_vocab_size, units, name="target_embedding")
        )
        self.word_noise = keras.layers.Dropout(
            config.word_dropout, noise_shape=(None, None, 1), name="word_noise"
        )
        self.encoder = build_encoder(config)
        self.decoder = build_decoder(config)
        self.readout_noise = keras.layers.Dropout(config.readout_dropout, name="readout_noise")
        self.projection = OutputProjection(
            config.target_vocab_size,
            tied_to=self.target_embedding if config.tie_output else None,
            name="projection",
        )
        self._build_layers()

    def _build_layers(self) -> None:
        embedded = (None, None, self.config.embedding_units)
        outputs = (None, None, self.encoder.width)
        self.source_embedding.build((None, None))
        if not self.config.share_embeddings:
            self.target_embedding.build((None, None))
        self.encoder.build(embedded)
        self.decoder.build(embedded, outputs)
        self.projection.build((None, None, self.decoder.readout_units))
        self.built = True
        self.apply_layer_settings()

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        readouts = self.readouts(inputs, training)
        return self._logits(self.readout_noise(readouts, training=training))

    def readouts(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """Returns what the output projection reads for `inputs` as of a call, `(batch, target_len,
        readout_units)`."""
        source_ids = inputs["source_ids"]
        memory, state = self.encode(source_ids, ops.not_equal(source_ids, PAD_ID), training)
        embedded = self._embed(self.target_embedding, inputs["target_ids"], training)
        return self.decoder(embedded, memory, state, training=training)

    def encode(
        self, source_ids: Tensor, mask: Tensor, training: bool = False
    ) -> tuple[Memory, list[Tensor]]:
        """Encodes sources `(batch, source_len)`, with `mask` True at real tokens. Returns the
        memory and the decoder's initial state."""
        embedded = self._embed(self.source_embedding, source_ids, training)
        outputs, states = self.encoder(embedded, mask, training=training)
        return self.decoder.build_memory(outputs, mask), self.decoder.initial_state(states)

    def step(
        self,
        tokens: Tensor,
        memory: Memory,
        state: list[Tensor],
        projection: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Reads one token per row, `(batch,)`; `projection` is `self.projection.matrix()`,
        precomputed by callers that run many steps. Returns logits `(batch, target_vocab_size)`,
        attention_weights `(batch, source_len)` and the next state."""
        embedded = self.target_embedding(tokens)
        readout, attention_weights, state = self.decoder.step(embedded, memory, state)
        exact = ops.cast(readout, "float32")  # the sum over a vocabulary needs it
        return self._logits(exact, projection), attention_weights, state

    def _embed(self, table: keras.layers.Embedding, ids: Tensor, training: bool) -> Tensor:
        return self.word_noise(table(ids), training=training)

    def _logits(self, readouts: Tensor, projection: Tensor | None = None) -> Tensor:
        return self.projection(readouts, projection)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "config": self.config.model_dump(mode="json")}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Network:
        parts = NetworkConfig.parse(config["config"], where="TokenSeq2Seq")
        return super().from_config({**config, "config": parts})


def build_encoder(config: NetworkConfig) -> RecurrentEncoder | TransformerEncoder:
    """Builds the encoder described by `config`."""
    options: dict[str, Any] = {
        "depth": config.encoder_layers,
        "dropout": config.dropout,
        "input_dropout": config.embedding_dropout,
        "name": "encoder",
    }
    if config.encoder == "transformer":
        return TransformerEncoder(
            config.encoder_units,
            heads=config.heads,
            feed_forward_units=config.encoder_feed_forward_units,
            attention_dropout=config.attention_dropout,
            **options,
        )
    return RecurrentEncoder(
        config.encoder_units,
        cell=config.cell,
        bidirectional=config.bidirectional,
        recurrent_dropout=config.recurrent_dropout,
        residual=config.residual,
        layer_norm=config.layer_norm,
        **options,
    )


def build_decoder(config: NetworkConfig) -> AttentionDecoder | TransformerDecoder:
    """Builds the decoder described by `config`."""
    readout_units = config.embedding_units if config.tie_output else config.decoder_units
    options: dict[str, Any] = {
        "depth": config.decoder_layers,
        "heads": config.heads,
        "dropout": config.dropout,
        "input_dropout": config.embedding_dropout,
        "attention_dropout": config.attention_dropout,
        "name": "decoder",
    }
    if config.decoder != "recurrent":
        return TransformerDecoder(
            config.decoder_units,
            readout_units,
            feed_forward_units=config.decoder_feed_forward_units,
            uses_ssru=config.decoder == "ssru",
            **options,
        )
    return AttentionDecoder(
        config.decoder_units,
        readout_units,
        cell=config.cell,
        attention=config.attention,
        input_feeding=config.input_feeding,
        recurrent_dropout=config.recurrent_dropout,
        residual=config.residual,
        layer_norm=config.layer_norm,
        **options,
    )
