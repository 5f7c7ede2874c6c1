"""Text in, text out: drives a search offline, for programs and for evaluation."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.config import ModelConfig, SearchOptions
from model.contract import Engine
from model.engine import EngineName, load_engine
from model.folder import load_folder
from model.search.beam import Search
from model.search.requests import FinishReason, Hypothesis, SearchRequest
from model.tokenizer import BOS_ID, EOS_ID, UNK_ID, Tokenizer


@dataclass(frozen=True)
class Candidate:
    """One answer as text.

    Attributes:
        text: for people.
        tokens: its target ids, without the end of sentence.
        score: log-probability after the length penalty, in nats.
        finish_reason: `stop` if the model ended it, `length` if `max_tokens` cut it.
    """

    text: str
    tokens: tuple[int, ...]
    score: float
    finish_reason: FinishReason


class Generator:
    """Answers texts with a model.

    Args:
        config: the model's document; its `search` holds the defaults.
        tokenizer: text to ids and back.
        engine: runs the network.
    """

    def __init__(self, config: ModelConfig, tokenizer: Tokenizer, engine: Engine) -> None:
        self.config = config
        self.tokenizer = tokenizer
        self.engine = engine

    @classmethod
    def load(cls, path: str | Path, engine: EngineName = "auto") -> Generator:
        """Opens a model folder.

        Raises:
            FolderError: if the folder is broken.
            EngineError: if the engine cannot run here.
        """
        folder = load_folder(path)
        return cls(folder.config, folder.tokenizer, load_engine(folder, engine))

    def new_search(self) -> Search:
        """A search of the model's engine, in which no answer holds the unknown word."""
        return Search(self.engine, bos_id=BOS_ID, eos_id=EOS_ID, blocked_ids=(UNK_ID,))

    def generate(
        self,
        sources: Sequence[str | Sequence[str]],
        options: SearchOptions | None = None,
        *,
        batch_size: int = 64,
    ) -> list[list[Candidate]]:
        """Answers each source, a text or the turns of a dialogue (oldest first), best candidate
        first. `batch_size` sources are in search at any time: one that is done makes room for the
        next. It changes no answer.

        Raises:
            InputError: if a source holds no text.
        """
        encoded = [self.tokenizer.source_ids(source) for source in sources]
        found = self.search(encoded, options or self.config.search, batch_size=batch_size)
        return [[self._candidate(each) for each in hypotheses] for hypotheses in found]

    def search(
        self, sources: Sequence[Sequence[int]], options: SearchOptions, *, batch_size: int = 64
    ) -> list[tuple[Hypothesis, ...]]:
        """The same from ids to hypotheses. Longer sources go first, so that a batch pads little."""
        waiting = sorted(range(len(sources)), key=lambda i: len(sources[i]))
        answers: dict[Hashable, tuple[Hypothesis, ...]] = {}
        search = self.new_search()
        in_search = 0
        while waiting or in_search:
            # Joining copies all states: newcomers wait until a quarter of the batch is free.
            if waiting and in_search <= batch_size * 3 // 4:
                newcomers = [
                    waiting.pop() for _ in range(min(len(waiting), batch_size - in_search))
                ]
                search.add([SearchRequest(i, sources[i], options) for i in newcomers])
                in_search += len(newcomers)
            for key, hypotheses in search.step():
                answers[key] = hypotheses
                in_search -= 1
        return [answers[i] for i in range(len(sources))]

    def _candidate(self, hypothesis: Hypothesis) -> Candidate:
        return Candidate(
            text=self.tokenizer.target_text(hypothesis.tokens),
            tokens=hypothesis.tokens,
            score=hypothesis.score,
            finish_reason=hypothesis.finish_reason,
        )
