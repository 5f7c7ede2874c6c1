"""Recipe: one frozen document that describes a run, from raw files to a model folder."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SerializeAsAny, field_validator, model_validator

from model.config import Document, NetworkShape, SearchOptions, Task, TextConfig
from model.text.normalise import normalise
from training.cleaning.languages import can_identify
from training.cleaning.rules import Rule, default_rules, parse_rules
from training.formats import FORMATS, MIN_SCORE, Format
from training.variants import OPENERS, Variant

TrainingPrecision = Literal["float32", "mixed_bfloat16", "mixed_float16"]

#: Maximum length of a model's name.
MAX_NAME_LENGTH = 100
_NAME, _TAG = re.compile(r"[\w.-]+"), re.compile(r"<[a-z0-9_-]+>")
#: Pieces with a meaning of their own in every tokenizer.
_RESERVED_PIECES = frozenset({"<pad>", "<s>", "<unk>"})


def _check_path(path: str) -> str:
    if path.partition("/")[0] == "~":
        raise ValueError("`~` is not expanded; write the path in full")
    if "\0" in path:
        raise ValueError("a path cannot contain a NUL character")
    return path


PathText = Annotated[str, AfterValidator(_check_path)]


class SourceConfig(Document):
    """Files of one format (see `training.formats`). `recipe_file.folders_of` says where relative
    paths are looked up."""

    format: Format
    path: PathText = Field(
        min_length=1,
        description="file, folder or glob; .gz, .xz, .bz2, .zst and .zip are unpacked",
    )
    target_path: PathText = Field(
        "",
        description="target side, for `bitext` and `subtitle-pairs`; with two globs, files "
        "whose `*` match the same text form a pair",
    )
    min_score: float = Field(
        MIN_SCORE, ge=0.0, le=1.0, description="minimum score of a pair, for `subtitle-pairs`"
    )
    languages: tuple[str, ...] = Field(
        (),
        description="language codes of the two sides as they are in the files, for the cleaning "
        "rules; unset: those of the recipe, after `swap`",
    )
    columns: tuple[Annotated[str, Field(coerce_numbers_to_str=True)], ...] = Field(
        (),
        description="of a `table`, by name or by number from 1: source and target; or the "
        "turns, with the reply last; or a single text column with one turn per row. Of `jsonl` "
        "and `parquet`, by name, with `outer.inner` for nested records; a single column may hold "
        "a list of turns",
    )
    group_column: str = Field(
        "",
        coerce_numbers_to_str=True,
        description="column that groups the rows: those with the same value are one "
        "conversation or film",
    )
    reply_columns: tuple[str, ...] = Field(
        (),
        max_length=3,
        description="columns of messages that answer each other: the id of a message, the id of "
        "the one that it answers and, so that neighbours of one author are one turn, the author; "
        "`columns` names the text; rows may come in any order",
    )
    scene_pause: float = Field(
        4.0, gt=0.0, description="seconds of silence that end a scene, in subtitles"
    )
    conversation_pause: float = Field(
        6.0, gt=0.0, description="hours of silence that end a conversation, in chats"
    )
    keep_names: bool = Field(False, description="keep the speakers' names in the text, in chats")
    documents: tuple[str, ...] = Field(
        (),
        description="folders and archives with the documents that an `xces` alignment links; "
        "unset: its own folder and the archives in it",
    )
    turn_pause: float = Field(
        0.25,
        ge=0.0,
        description="seconds of silence; cues closer together than this may be one turn, in "
        "subtitles",
    )
    keep_language: str = Field(
        "", description="code of the language to keep where cues show two, in subtitles"
    )
    split: Literal["auto", "train", "dev", "test"] = Field(
        "auto",
        description="split that the source belongs to; `auto`: divide it into train, dev and test",
    )
    repeat: float = Field(
        1.0,
        gt=0.0,
        le=1000.0,
        description="times that its training examples occur in an epoch; 0.2 draws a fifth of them",
    )
    swap: bool = Field(False, description="swap source and target")
    target_tag: str = Field(
        "",
        description="tag at the start of each source that names a kind of target, such as "
        "`<2de>`; put it before a text to get that kind",
    )
    variants: tuple[Variant, ...] = Field(
        (),
        description="variations of sources, drawn anew in each epoch, so that answers do not "
        "depend on them: `case`, `final_punctuation`, `apostrophes`, `typos`, `openers` of "
        "messages, `history` before those that have none, which is the reply of another message, "
        "and `names` that sentences share with their translations, so that others are copied",
    )
    memory: bool = Field(
        False,
        description="keep its pairs in the model, for task `translate`: a text that equals a "
        "source is translated by its target, without a search",
    )

    @field_validator("target_tag")
    @classmethod
    def _check_tag_is_free(cls, tag: str) -> str:
        if tag and not _TAG.fullmatch(tag):
            raise ValueError(
                "write lower-case letters, digits, - and _ in angle brackets, such as <2de>. "
                f"Received: {tag}"
            )
        if tag in _RESERVED_PIECES:
            raise ValueError(f"every tokenizer has a piece {tag}; choose another tag")
        return tag

    @model_validator(mode="after")
    def _check_keys_fit_the_format(self) -> Self:
        info = FORMATS[self.format]
        for key in sorted({key for each in FORMATS.values() for key in (*each.needs, *each.takes)}):
            is_given = getattr(self, key) != type(self).model_fields[key].default
            if is_given and key not in (*info.needs, *info.takes):
                homes = " and ".join(f for f, i in FORMATS.items() if key in (*i.needs, *i.takes))
                raise ValueError(f"`{key}` is for format {homes}, not for {self.format}")
            if key in info.needs and not is_given:
                place = ", here or at the top of the recipe" if key == "languages" else ""
                raise ValueError(f"format '{self.format}' needs `{key}`{place}")
        if self.languages and len(self.languages) != 2:
            raise ValueError("`languages` must be two codes, for source and target")
        if self.keep_language and not can_identify(self.keep_language):
            raise ValueError(f"`keep_language`: unknown language '{self.keep_language}'")
        if self.reply_columns and (
            len(self.reply_columns) == 1 or len(self.columns) != 1 or self.group_column
        ):
            raise ValueError(
                "`reply_columns` are two or three; they need `columns` with the one of the text, "
                "and no `group_column`"
            )
        is_single = len(self.columns) == 1 and not (self.group_column or self.reply_columns)
        if self.format == "table" and is_single:
            raise ValueError("a single column of turns needs `group_column`, or give two `columns`")
        return self

    @property
    def language_pair(self) -> tuple[str, str]:
        """Returns source and target of `languages`, for a format that needs them."""
        source, target = self.languages
        return source, target


class CorpusConfig(Document):
    """Sources of the corpus, and conditions for the examples that are kept."""

    sources: tuple[SourceConfig, ...]
    rules: tuple[SerializeAsAny[Rule], ...] | None = Field(
        None, description="rules that drop examples; unset: the default rules of the task"
    )
    max_source_tokens: int = Field(
        64,
        ge=2,
        description="longer examples are dropped; a dialogue counts as the model reads it",
    )
    max_target_tokens: int = Field(64, ge=2, description="longer examples are dropped")
    dev_fraction: float = Field(
        0.01,
        ge=0.0,
        le=0.5,
        description="share of conversations, films or sources held out for dev, at least 50 "
        "examples or a tenth; 0: none",
    )
    test_fraction: float = Field(0.01, ge=0.0, le=0.5, description="the same for test")

    @field_validator("sources")
    @classmethod
    def _check_any(cls, sources: tuple[SourceConfig, ...]) -> tuple[SourceConfig, ...]:
        # A minimum length of the field would be reported in addition to errors of sources.
        if not sources:
            raise ValueError("at least one source is needed")
        return sources

    @field_validator("rules", mode="before")
    @classmethod
    def _parse_rules(cls, entries: Any) -> Any:
        return parse_rules(entries)


class TokenizerConfig(TextConfig):
    """The tokenizer to train."""

    vocab_size: int = Field(
        8000,
        ge=16,
        le=1_000_000,
        description="maximum vocabulary size; small corpora give fewer pieces",
    )
    type: Literal["unigram", "bpe", "word"] = Field("unigram", description="type of tokenizer")
    byte_fallback: bool | None = Field(
        None,
        description="write characters without a piece as bytes (256 more pieces), so that none "
        "is unknown; unset: true for translation with 2,000 pieces or more",
    )


class FitConfig(Document):
    """Training of the network."""

    batch_tokens: int | None = Field(
        None,
        ge=16,
        description="target tokens per batch, padding included; unset: 2,048, or for a small "
        "corpus a 128th of its tokens, at least 512",
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="maximum number of epochs; unset: 10, or as many as give 2,500 steps, up to "
        "100",
    )
    learning_rate: float | None = Field(
        None,
        gt=0.0,
        description="peak learning rate of Adam; unset: 0.001, or 0.004 to learn by heart",
    )
    warmup_steps: int | None = Field(
        None,
        ge=0,
        description="steps until the peak learning rate, at most half of the run; unset: a "
        "twentieth of the run, at most 1,000",
    )
    decay: Literal["none", "cosine", "inverse_sqrt"] = Field(
        "cosine", description="decay of the learning rate after the peak"
    )
    weight_decay: float = Field(
        0.0,
        ge=0.0,
        description="weight decay of AdamW, multiplied by the learning rate; biases are exempt",
    )
    accumulate: int = Field(
        1, ge=1, description="batches whose gradients are averaged for one update of the weights"
    )
    average_steps: int = Field(
        0,
        ge=0,
        description="steps of the exponential moving average of the weights, at most a ninth of "
        "those done; the average is what is scored and saved; 0: off",
    )
    clip_norm: float = Field(1.0, gt=0.0, description="maximum norm of all gradients together")
    label_smoothing: float = Field(
        0.0, ge=0.0, lt=1.0, description="probability that is spread over all tokens"
    )
    subword_sampling: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="share of the texts that are segmented anew in each epoch, which "
        "regularises small corpora (subword regularization); needs tokenizer.type `unigram`",
    )
    best_by: Literal["loss", "bleu"] = Field(
        "loss",
        description="dev score that decides which epoch is best; `bleu`: of greedy answers to "
        "at most 500 sources",
    )
    checkpoint_every: int = Field(
        500, ge=1, description="steps between checkpoints; there is one a minute in any case"
    )
    patience: int = Field(
        5, ge=1, description="epochs without a better dev score before training stops"
    )
    precision: TrainingPrecision = Field("float32", description="numeric precision of the layers")
    word_vectors: PathText = Field(
        "",
        description="file of word vectors that initialise the source embeddings of whole words: "
        "a word and its numbers on each line, as in GloVe and word2vec (text)",
    )
    seed: int = Field(1, ge=0, lt=2**32, description="seed of weights, order and dropout")


class Recipe(Document):
    """A run."""

    name: str = Field(
        min_length=1,
        max_length=MAX_NAME_LENGTH,
        description="name of the model",
    )
    task: Task = Field(description="task of the model")
    languages: tuple[str, ...] = Field(
        (), description="source and target, or one language for replies"
    )
    description: str = Field("", description="description for the model card")
    licence: str = Field("", description="licence of the data, for the model card")
    output: PathText = Field(
        min_length=1, description="folder for the data, the checkpoints and the model"
    )
    start_from: PathText = Field(
        "", description="model folder to fine-tune; its tokenizer and network are reused"
    )
    corpus: CorpusConfig
    tokenizer: TokenizerConfig = TokenizerConfig()
    network: NetworkShape = NetworkShape()
    fit: FitConfig = FitConfig()
    search: SearchOptions = SearchOptions()

    @property
    def target_language(self) -> str:
        """Returns the language of targets, or nothing if it is unknown."""
        return self.languages[-1] if self.languages else ""

    def languages_of(self, source: SourceConfig) -> tuple[str, ...]:
        """Returns the languages of the source and target that a source of the corpus gives."""
        if not source.languages:
            return self.languages
        return source.languages[::-1] if source.swap else source.languages

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Returns the rules that are applied, in order."""
        given = self.corpus.rules
        return default_rules(self.task) if given is None else given

    @model_validator(mode="before")
    @classmethod
    def _share_languages(cls, values: Any) -> Any:
        """Gives the recipe's `languages` to sources that take them and have none."""
        match values:
            case {"languages": [_, _] as languages, "corpus": {"sources": list() as sources}}:
                shared = [_with_languages(source, languages) for source in sources]
                return {**values, "corpus": {**values["corpus"], "sources": shared}}
        return values

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(f"use letters, digits, -, _ and . only. Received: {name}")
        return name

    @model_validator(mode="after")
    def _check_languages_fit_the_task(self) -> Self:
        if self.task == "translate" and len(self.languages) not in (0, 2):
            raise ValueError("`languages` must be two codes, for source and target")
        return self

    @model_validator(mode="after")
    def _check_formats_fit_the_task(self) -> Self:
        for source in self.corpus.sources:
            if self.task not in FORMATS[source.format].tasks:
                raise ValueError(f"format '{source.format}' does not support task '{self.task}'")
            if self.task == "translate" and source.columns and len(source.columns) != 2:
                raise ValueError("translation needs two `columns`: source and target")
        return self

    @model_validator(mode="after")
    def _check_training_fits_the_task(self) -> Self:
        if self.fit.subword_sampling and self.tokenizer.type != "unigram":
            raise ValueError("fit.subword_sampling needs tokenizer.type = 'unigram'")
        if self.fit.word_vectors and self.start_from:
            raise ValueError("fit.word_vectors cannot be combined with start_from")
        if self.fit.best_by == "bleu" and self.task != "translate":
            raise ValueError("fit.best_by = 'bleu' needs task 'translate'")
        if self.search.fallback_reply and self.task != "reply":
            raise ValueError("search.fallback_reply needs task 'reply'")
        if self.task != "translate" and any(source.memory for source in self.corpus.sources):
            raise ValueError("`memory` of a source needs task 'translate'")
        if not all(map(normalise, self.search.blocked_words)):
            raise ValueError("search.blocked_words: each must have text")
        varied = {name for source in self.corpus.sources for name in source.variants}
        for variant, task in (("openers", "reply"), ("history", "reply"), ("names", "translate")):
            if variant in varied and self.task != task:
                raise ValueError(f"variant '{variant}' needs task '{task}'")
        if "openers" in varied and not {*self.languages[:1]} & {*OPENERS}:
            raise ValueError(
                f"variant 'openers' needs `languages`, one of {', '.join(sorted(OPENERS))}"
            )
        return self

    @model_validator(mode="after")
    def _check_heads_are_used(self) -> Self:
        network = self.network
        has_heads = (
            network.encoder == "transformer"
            or network.decoder != "recurrent"
            or network.attention == "multihead"
        )
        if network.heads != NetworkShape().heads and not has_heads:
            raise ValueError("network.heads does nothing without attention heads. Leave it out")
        return self

    @model_validator(mode="after")
    def _check_vocabulary_can_be_shared(self) -> Self:
        if self.network.share_embeddings and not self.tokenizer.shared_vocabulary:
            raise ValueError("network.share_embeddings needs tokenizer.shared_vocabulary = true")
        return self


def _with_languages(source: Any, languages: list[Any]) -> Any:
    """Returns a source with the recipe's languages if its format takes languages and it names none.
    A swapped source gets them in reverse, in the order of its files."""
    match source:
        case {"languages": _} | {"columns": _}:
            return source
        case {"format": str(name)} if name in FORMATS:
            info = FORMATS[name]
            if "languages" in (*info.needs, *info.takes):
                return {**source, "languages": languages[::-1] if source.get("swap") else languages}
    return source
