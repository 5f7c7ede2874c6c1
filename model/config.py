"""Frozen documents: a network's parts, how text is read, how a search runs. They open no file."""

from __future__ import annotations

import difflib
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.errors import ConfigError
from model.search.requests import MAX_TOP_K

#: The newest folder that this release reads.
FORMAT_VERSION = 1

Task = Literal["reply", "translate"]
Encoder = Literal["recurrent", "transformer"]
Decoder = Literal["recurrent", "ssru", "transformer"]
Cell = Literal["gru", "lstm"]
Attention = Literal["additive", "concat", "dot", "general", "multihead"]


#: Messages in the words of TOML and JSON, by pydantic's type of a fault.
_MESSAGES = {
    "tuple_type": "must be a list: [...]",
    "model_type": "must have keys and values: {...}",
}


class Document(BaseModel):
    """A frozen document in which every key is checked."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False
    )

    @classmethod
    def parse(cls, values: Any, *, where: str) -> Self:
        """Validates `values`.

        Raises:
            ConfigError: one line per fault, each with `where`, the key and what is allowed; an
                unknown key names its nearest neighbour.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            faults = (_describe_fault(cls, fault) for fault in error.errors())
            raise ConfigError("\n".join(f"{where}: {fault}" for fault in faults)) from None


class NetworkShape(Document):
    """Sizes and parts of a token model, without what its tokenizer decides."""

    embedding_units: int = Field(256, ge=1, description="size of a token embedding")
    encoder: Encoder = Field("recurrent", description="type of encoder")
    decoder: Decoder = Field(
        "recurrent",
        description="type of decoder; `ssru` is a Transformer decoder with a recurrent unit in "
        "place of self-attention: a step costs the same at any length",
    )
    cell: Cell = Field("gru", description="recurrent cell of encoder and decoder")
    encoder_layers: int = Field(1, ge=1, description="number of encoder layers")
    encoder_units: int = Field(
        256, ge=1, description="units per layer, and per direction of a recurrent encoder"
    )
    bidirectional: bool = Field(
        True, description="read in both directions, with a recurrent encoder"
    )
    decoder_layers: int = Field(1, ge=1, description="number of decoder layers")
    decoder_units: int = Field(512, ge=1, description="units per decoder layer")
    attention: Attention = Field("general", description="attention score of a recurrent decoder")
    heads: int = Field(
        4, ge=1, description="attention heads of Transformer layers and of `multihead`"
    )
    encoder_feed_forward_units: int = Field(
        1024, ge=1, description="hidden units of the feed-forward blocks in a Transformer encoder"
    )
    decoder_feed_forward_units: int = Field(
        1024,
        ge=0,
        description="the same in a Transformer or SSRU decoder; 0: no feed-forward blocks",
    )
    input_feeding: bool = Field(
        False, description="feed the last readout into the next input; slower to train"
    )
    residual: bool = Field(
        False, description="add the input of each recurrent layer but the first to its output"
    )
    layer_norm: bool = Field(
        False, description="normalise the input of each recurrent layer but the first"
    )
    share_embeddings: bool = Field(
        False,
        description="use one embedding table for source and target; needs a shared vocabulary",
    )
    tie_output: bool = Field(
        True, description="use the transposed embedding as the output projection"
    )
    dropout: float = Field(
        0.2,
        ge=0.0,
        lt=1.0,
        description="dropout rate of the input of recurrent layers and of readouts; in "
        "Transformer layers, of the output of each block",
    )
    embedding_dropout: float | None = Field(
        None,
        ge=0.0,
        lt=1.0,
        description="dropout rate of the first layers' input; unset: `dropout`",
    )
    recurrent_dropout: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="dropout rate of a recurrent layer's last output; slower to train",
    )
    attention_dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="dropout rate of attention weights"
    )
    word_dropout: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="share of tokens that are hidden from the model in training",
    )

    @model_validator(mode="after")
    def _check_widths_agree(self) -> Self:
        if self.attention == "dot" and self.encoder_width != self.decoder_units:
            raise ValueError(
                "attention='dot' needs encoder outputs as wide as the decoder. Received: "
                f"{self.encoder_width} and {self.decoder_units}; use attention='general'"
            )
        has_heads = {
            "encoder_units": self.encoder == "transformer",
            "decoder_units": self.decoder != "recurrent" or self.attention == "multihead",
        }
        for name, is_split in has_heads.items():
            units = getattr(self, name)
            if is_split and units % self.heads:
                raise ValueError(
                    f"heads must divide {name}. Received: {name}={units}, heads={self.heads}"
                )
            if is_split and units % 2 and "transformer" in (self.encoder, self.decoder):
                raise ValueError(f"{name} must be even for position encodings. Received: {units}")
        return self

    @model_validator(mode="after")
    def _check_keys_have_their_part(self) -> Self:
        """Refuses keys that would do nothing."""
        recurrent = [self.encoder, self.decoder].count("recurrent")
        has_part = {
            "cell": recurrent > 0,
            "residual": recurrent > 0,
            "layer_norm": recurrent > 0,
            "recurrent_dropout": recurrent > 0,
            "bidirectional": self.encoder == "recurrent",
            "attention": self.decoder == "recurrent",
            "input_feeding": self.decoder == "recurrent",
            "encoder_feed_forward_units": self.encoder == "transformer",
            "decoder_feed_forward_units": self.decoder != "recurrent",
        }
        for key, is_read in has_part.items():
            if not is_read and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(
                    f"`{key}` does nothing with encoder = '{self.encoder}' and decoder = "
                    f"'{self.decoder}'. Leave it out"
                )
        if self.input_feeding and (self.recurrent_dropout or self.attention_dropout):
            raise ValueError(
                "input_feeding does not support recurrent_dropout or attention_dropout"
            )
        return self

    @property
    def encoder_width(self) -> int:
        """Returns the size of one encoder output."""
        both = self.encoder == "recurrent" and self.bidirectional
        return self.encoder_units * (2 if both else 1)

    @property
    def readout_dropout(self) -> float:
        """Returns the dropout rate of readouts: the last part of Transformer layers has its own."""
        return self.dropout if self.decoder == "recurrent" else 0.0


class NetworkConfig(NetworkShape):
    """Sizes and parts of a token model."""

    source_vocab_size: int = Field(ge=4)
    target_vocab_size: int = Field(ge=4)

    @model_validator(mode="after")
    def _check_vocabularies_agree(self) -> Self:
        if self.share_embeddings and self.source_vocab_size != self.target_vocab_size:
            raise ValueError(
                "share_embeddings needs one vocabulary. Received: "
                f"source_vocab_size={self.source_vocab_size}, "
                f"target_vocab_size={self.target_vocab_size}"
            )
        return self


class TextConfig(Document):
    """The way from text to tokens, the same in training and in serving."""

    lowercase_source: bool = Field(False, description="lowercase the source")
    plain_punctuation: bool = Field(
        False,
        description="normalise punctuation: straight quotes, no space before , . ? ! or inside "
        "contractions",
    )
    context_turns: int = Field(
        1, ge=1, le=16, description="number of dialogue turns that the model reads"
    )
    max_source_tokens: int = Field(
        128,
        ge=2,
        description="messages longer than this lose their oldest tokens; for translations, longer "
        "sources are dropped",
    )
    shared_vocabulary: bool = Field(True, description="use one tokenizer for source and target")


class SearchOptions(Document):
    """Options of a search. `beam_size=1` is greedy search.

    `score = logprob / ((5 + tokens) / 6) ** length_penalty + coverage_penalty * coverage` (Wu et
    al. 2016, arXiv:1609.08144, eq. 14), where `tokens` counts the end-of-sentence token and
    `coverage = sum_i log(min(sum_j alpha_ij, 1))` over source positions i.
    """

    beam_size: int = Field(
        1,
        ge=1,
        le=64,
        description="hypotheses kept at each step, or number of samples; 1 is greedy search",
    )
    n_best: int = Field(
        1,
        ge=1,
        le=64,
        description="candidates to return, at most `beam_size`; a request that sets only this "
        "one widens the beam",
    )
    length_penalty: float = Field(
        0.6,
        ge=0.0,
        le=5.0,
        description="0 favours short candidates, higher values longer ones; 1 divides by length",
    )
    min_tokens: int = Field(
        0, ge=0, le=1024, description="minimum length of a candidate, in tokens"
    )
    max_tokens: int = Field(
        64,
        ge=1,
        le=1024,
        description="maximum length of a candidate, in tokens; longer ones are cut",
    )
    coverage_penalty: float = Field(
        0.0, ge=0.0, le=10.0, description="penalty for source words that get no attention"
    )
    diversity: float = Field(
        0.0,
        ge=0.0,
        le=10.0,
        description="penalty for candidates that differ only at the end: nats for each better "
        "continuation of the same hypothesis",
    )
    no_repeat_ngram: int = Field(
        0, ge=0, le=64, description="n-grams of this size never occur twice in a candidate; 0: off"
    )
    repetition_penalty: float = Field(
        1.0,
        ge=1.0,
        le=10.0,
        description="above 1, makes tokens that have already occurred less likely: multiplies "
        "their log-probability",
    )
    temperature: float = Field(
        0.0,
        ge=0.0,
        le=10.0,
        description="above 0: samples `beam_size` candidates; below 1 is safer, above 1 more "
        "varied",
    )
    top_k: int = Field(
        50,
        ge=0,
        le=MAX_TOP_K,
        description=f"samples from the k likeliest tokens; 0: from {MAX_TOP_K:,}",
    )
    top_p: float = Field(
        1.0,
        gt=0.0,
        le=1.0,
        description="samples from the smallest set of likeliest tokens that together have this "
        "probability",
    )
    shortlist: bool = Field(
        True,
        description="choose from likely words only, if the model has a shortlist; false is slower",
    )
    seed: int | None = Field(
        None,
        ge=0,
        lt=2**63,
        description="the same seed gives the same samples; unset: different samples each time",
    )
    rerank_weight: float = Field(
        0.0,
        ge=0.0,
        le=10.0,
        description="weight of a second model's score when the hypotheses of a beam are ranked, "
        "which demotes generic candidates; needs a second model",
    )
    blocked_words: tuple[str, ...] = Field(
        (),
        description="words or phrases that no candidate contains; those of a request are added "
        "to the model's",
    )
    no_repeat_reply: bool = Field(
        False, description="never give a reply that the dialogue already contains"
    )
    fallback_reply: str = Field(
        "",
        max_length=1000,
        description="reply to give in place of one whose confidence is below `min_confidence`; "
        "unset: always give the model's reply",
    )
    min_confidence: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="minimum confidence of a reply: how similar the message is to a known "
        "question that has this reply; unset: `fit` chooses it",
    )

    def greedy(self) -> Self:
        """Returns the options for greedy search: one hypothesis, the likeliest token each time."""
        alone = {"beam_size": 1, "n_best": 1, "temperature": 0.0, "rerank_weight": 0.0}
        return type(self)(**{**self.model_dump(), **alone})

    @model_validator(mode="after")
    def _check_sizes_agree(self) -> Self:
        if self.n_best > self.beam_size:
            raise ValueError(
                f"n_best must not exceed beam_size. Received: n_best={self.n_best}, "
                f"beam_size={self.beam_size}"
            )
        if self.min_tokens > self.max_tokens:
            raise ValueError(
                f"min_tokens must not exceed max_tokens. Received: min_tokens={self.min_tokens}, "
                f"max_tokens={self.max_tokens}"
            )
        return self


class ModelConfig(Document):
    """`config.json`: what a reader of the folder needs, and the checksum of every other file."""

    format_version: Literal[1] = 1
    name: str = Field(min_length=1, max_length=100)
    task: Task
    languages: tuple[str, ...] = Field(
        (), description="(source, target), or one language for a dialogue"
    )
    network: NetworkConfig
    text: TextConfig
    reverse: bool = Field(False, description="the model reads targets and writes their sources")
    search: SearchOptions = SearchOptions()
    training: dict[str, Any] = Field({}, description="recipe, corpus, versions, metrics")
    sha256: dict[str, str] = Field({}, description="file name -> hex digest")


def _describe_fault(document: type[BaseModel], fault: Any) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] != "extra_forbidden":
        message = _MESSAGES.get(fault["type"], fault["msg"].removeprefix("Value error, "))
        return f"{path}: {message}" if path else str(message)
    *parents, key = fault["loc"]
    if homes := _homes_of(str(key), document):
        return f"{path}: unknown key; it belongs {' or '.join(homes)}"
    for name in (part for part in parents if isinstance(part, str)):
        annotation: Any = document.model_fields[name].annotation
        document = next(iter(get_args(annotation)), annotation)  # tuple[X, ...] -> X
    nearest = difflib.get_close_matches(str(key), document.model_fields, n=1)
    return f"{path}: unknown key" + (f"; did you mean '{nearest[0]}'?" if nearest else "")


def _homes_of(key: str, document: type[BaseModel]) -> list[str]:
    """Returns where a document knows a key that was found elsewhere."""
    homes = ["above all sections"] if key in document.model_fields else []
    fields = document.model_fields.items()
    return homes + [
        f"in [{name}]"
        for name, field in fields
        if key in getattr(field.annotation, "model_fields", ())
    ]
