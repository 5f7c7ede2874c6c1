"""Text in, text out: offline generation, for programs and for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from model.blocked_words import blocked_sequences
from model.config import ModelConfig, SearchOptions
from model.contract import Engine
from model.engine import EngineName, load_engine
from model.errors import ConfigError, InputError
from model.folder import load_folder, load_memory, load_questions
from model.known_questions import CheckedReply, KnownQuestions
from model.reranker import Reranker, reranking_kind
from model.search.requests import FinishReason, Hypothesis, Request, SearchRequest
from model.search.search import Search
from model.tokenizer import BOS_ID, EOS_ID, UNK_ID, IncrementalDetokenizer, Tokenizer
from model.translation_memory import TranslationMemory
from model.types import Float32

#: Minimum number of requests that are encoded together while others are in search.
MIN_ENCODED_TOGETHER = 8


@dataclass(frozen=True)
class Candidate:
    """One answer as text.

    Attributes:
        text: text for people.
        tokens: target ids without the end of sentence; empty for a fallback.
        score: log-probability after the length penalty, in nats.
        finish_reason: `stop` if the model ended it, `length` if `max_tokens` cut it.
        attention_weights: float32 `(tokens, source_len)`, see `Hypothesis`; only with
            `with_attention`.
        confidence: confidence in the model's reply, see `KnownQuestions`; None if it has none.
        is_fallback: whether `text` is the `fallback_reply`; None if the model has none.
    """

    text: str
    tokens: tuple[int, ...]
    score: float
    finish_reason: FinishReason
    attention_weights: Float32 | None = field(default=None, compare=False)
    confidence: float | None = None
    is_fallback: bool | None = None


class Generator:
    """Answers texts with a model.

    Args:
        config: configuration of the model, with the search defaults.
        tokenizer: text to ids and back.
        engine: runs the network.
        rerank_generator: model that re-ranks if options have a `rerank_weight`.
        questions: known questions; None: all replies are given.
        translation_memory: translations that `translate_lines` gives without a search; None: there
            are none.

    Raises:
        ConfigError: if `rerank_generator` cannot score this model's answers.
    """

    def __init__(
        self,
        config: ModelConfig,
        tokenizer: Tokenizer,
        engine: Engine,
        *,
        rerank_generator: Generator | None = None,
        questions: KnownQuestions | None = None,
        translation_memory: TranslationMemory | None = None,
    ) -> None:
        self.config = config
        self.tokenizer = tokenizer
        self.engine = engine
        self.rerank_generator = rerank_generator
        self.questions = questions
        self.translation_memory = translation_memory
        self.reranker = None
        if rerank_generator is not None:
            kind = reranking_kind(config, rerank_generator.config)
            self.reranker = Reranker(kind, tokenizer, rerank_generator.tokenizer)

    @classmethod
    def load(
        cls,
        path: str | Path,
        engine: EngineName = "auto",
        *,
        threads: int = 0,
        rerank_model: str | Path | None = None,
    ) -> Generator:
        """Loads a model folder, and a second one for re-ranking, if any. `threads` is the number of
        threads per ONNX Runtime operator; 0: one per core.

        Raises:
            FolderError: if a folder is broken.
            EngineError: if the engine cannot run here.
            ConfigError: if the second model cannot score the first one's answers.
        """
        folder = load_folder(path)
        rerank_generator = None
        if rerank_model is not None:
            rerank_generator = cls.load(rerank_model, engine, threads=threads)
        loaded = load_engine(folder, engine, threads=threads)
        return cls(
            folder.config,
            folder.tokenizer,
            loaded,
            rerank_generator=rerank_generator,
            questions=load_questions(folder),
            translation_memory=load_memory(folder),
        )

    def new_search(self) -> Search:
        """Builds a search with the model's engine that never produces the unknown word."""
        return Search(self.engine, bos_id=BOS_ID, eos_id=EOS_ID, blocked_ids=(UNK_ID,))

    def generate(
        self,
        sources: Sequence[str | Sequence[str]],
        options: SearchOptions | None = None,
        *,
        prefix: str = "",
        blocked_words: Sequence[str] = (),
        required_words: Sequence[str] = (),
        with_attention: bool = False,
        batch_size: int = 64,
    ) -> list[list[Candidate]]:
        """Answers each source, best candidate first.

        Args:
            sources: each a text, or the turns of a dialogue, oldest first.
            options: options of the search; None: those in the model's `config.json`.
            prefix: text with which every candidate begins.
            blocked_words: words or phrases that no candidate contains, case-insensitive, in
                addition to those of `options`.
            required_words: words or phrases, case-sensitive, that every candidate contains unless
                `max_tokens` cut it; needs a beam.
            with_attention: whether candidates have attention weights.
            batch_size: number of sources in search at a time; a finished one makes room for the
                next. It does not affect the answers.

        Raises:
            InputError: if a source, or a word, has no text; if the prefix, or a required word,
                contains a blocked one or characters that the model cannot write.
            ConfigError: if words are required but `options` use no beam; if they have a
                `rerank_weight` but there is no second model.
        """
        template = self.template(
            options,
            prefix=prefix,
            blocked_words=blocked_words,
            required_words=required_words,
            with_attention=with_attention,
        )
        return self.candidates(sources, template, batch_size=batch_size)

    def candidates(
        self,
        sources: Sequence[str | Sequence[str]],
        template: SearchRequest,
        *,
        batch_size: int = 64,
    ) -> list[list[Candidate]]:
        """Answers each source as `answer` does, but with texts, best candidate first."""
        found = self.answer(sources, template, batch_size=batch_size)
        return [
            [self._candidate(source, each, template.options) for each in hypotheses]
            for source, hypotheses in zip(sources, found, strict=True)
        ]

    def answer(
        self,
        sources: Sequence[str | Sequence[str]],
        template: SearchRequest,
        *,
        batch_size: int = 64,
    ) -> list[tuple[Hypothesis, ...]]:
        """Answers each source with the options of `template`, re-ranked if it has a
        `rerank_weight`.

        Raises:
            InputError: if a source has no text.
            ConfigError: if there is no second model for re-ranking.
        """
        requests = [self._request(source, template) for source in sources]
        if not template.options.rerank_weight:
            return self.search(requests, batch_size=batch_size)
        if self.reranker is None or self.rerank_generator is None or template.options.beam_size < 2:
            raise ConfigError(
                "rerank_weight needs a second model (rerank_model) and a beam_size of 2 or more. "
                f"Received: beam_size={template.options.beam_size}"
            )
        widened = [self.reranker.widen(request) for request in requests]
        found = self.search(widened, batch_size=batch_size)
        scoring = list(map(self.reranker.scoring_request, sources, found))
        scored = self.rerank_generator.search(scoring, batch_size=batch_size)
        return [self.reranker.rerank(template, *each) for each in zip(found, scored, strict=True)]

    def stream(
        self,
        source: str | Sequence[str],
        template: SearchRequest,
        on_text: Callable[[str], None],
    ) -> list[Candidate]:
        """Answers one source as `answer` does, best candidate first. `on_text` receives the text of
        the best candidate in parts, as soon as they are final; with re-ranking or a
        `fallback_reply`, that is at the end.

        Raises:
            InputError: if the source has no text.
            ConfigError: if there is no second model for re-ranking.
        """
        text = IncrementalDetokenizer(self.tokenizer)
        may_fall_back = self.questions is not None and template.options.fallback_reply
        if template.options.rerank_weight or may_fall_back:
            (hypotheses,) = self.answer([source], template)
        else:
            search, known = self.new_search(), 0
            search.add([self._request(source, template)])
            while not (done := search.step()):
                tokens = search.final_tokens({template.key: known}).get(template.key, ())
                known += len(tokens)
                on_text(text.add(tokens))
            ((_, hypotheses),) = done
        candidates = [self._candidate(source, each, template.options) for each in hypotheses]
        on_text(text.finish(candidates[0].text))
        return candidates

    def template(
        self,
        options: SearchOptions | None = None,
        *,
        prefix: str = "",
        blocked_words: Sequence[str] = (),
        required_words: Sequence[str] = (),
        with_attention: bool = False,
    ) -> SearchRequest:
        """Builds a request without a source, for `answer` and `search`. See `generate`."""
        options = options or self.config.search
        words = (*options.blocked_words, *blocked_words)
        options = options.model_copy(update={"blocked_words": words})
        blocked = blocked_sequences(self.tokenizer, options)
        return SearchRequest(
            key=None,
            source_ids=(EOS_ID,),
            options=options,
            prefix_ids=self._prefix_ids(prefix, blocked) if prefix else (),
            blocked=blocked,
            required=[self._required_ids(each, blocked) for each in required_words],
            with_attention=with_attention,
        )

    def search(
        self, requests: Sequence[Request], *, batch_size: int = 64
    ) -> list[tuple[Hypothesis, ...]]:
        """Answers all requests; their keys are ignored. Longer sources come first, so that a batch
        has little padding."""
        waiting = sorted(range(len(requests)), key=lambda i: requests[i].source_length)
        answers: dict[Hashable, tuple[Hypothesis, ...]] = {}
        search = self.new_search()
        in_search = 0
        while waiting or in_search:
            # Encoding a few sources together is faster than one by one.
            if waiting and batch_size - in_search >= min(MIN_ENCODED_TOGETHER, batch_size):
                joining = [waiting.pop() for _ in range(min(len(waiting), batch_size - in_search))]
                search.add([replace(requests[i], key=i) for i in joining])
                in_search += len(joining)
            for key, hypotheses in search.step():
                answers[key] = hypotheses
                in_search -= 1
        return [answers[i] for i in range(len(requests))]

    def _request(self, source: str | Sequence[str], template: SearchRequest) -> SearchRequest:
        """Builds the request for a source."""
        source_ids = self.tokenizer.source_ids(source)
        if not template.options.no_repeat_reply or isinstance(source, str):
            return replace(template, source_ids=source_ids)
        blocked = blocked_sequences(self.tokenizer, template.options, source)
        return replace(template, source_ids=source_ids, blocked=blocked)

    def _prefix_ids(self, prefix: str, blocked: list[list[int]]) -> list[int]:
        try:
            return self.tokenizer.constraint_ids(prefix, blocked)
        except InputError as error:
            raise InputError(f"prefix {prefix!r} {error}") from None

    def _required_ids(self, word: str, blocked: list[list[int]]) -> list[int]:
        try:
            return self.tokenizer.required_ids(word, blocked)
        except InputError as error:
            raise InputError(f"required word {word!r} {error}") from None

    def _candidate(
        self, source: str | Sequence[str], hypothesis: Hypothesis, options: SearchOptions
    ) -> Candidate:
        text = self.tokenizer.target_text(hypothesis.tokens)
        checked = CheckedReply(text)
        if self.questions is not None:
            checked = self.questions.check(source, text, options)
        return Candidate(
            text=checked.text,
            tokens=() if checked.is_fallback else hypothesis.tokens,
            score=hypothesis.score,
            finish_reason="stop" if checked.is_fallback else hypothesis.finish_reason,
            attention_weights=None if checked.is_fallback else hypothesis.attention_weights,
            confidence=checked.confidence,
            is_fallback=checked.is_fallback,
        )
