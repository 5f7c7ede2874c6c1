"""Log-probabilities of single tokens and of their likeliest alternatives. Knows no HTTP.

A search returns the log-probability of a whole hypothesis. That of a token is the difference
between two prefixes, which further requests score. Each of them costs about as much as the
hypothesis, so only callers who ask for token log-probabilities pay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.decoding.served_model import ServedModel
from model.config import SearchOptions
from model.search.requests import Hypothesis, SearchRequest
from model.tokenizer import EOS_ID

#: Maximum number of concurrent requests for one hypothesis.
_MAX_CONCURRENT = 16


@dataclass(frozen=True)
class TokenLogprob:
    """A token of a reply.

    Attributes:
        token: its id.
        logprob: log p(token | source, tokens before), in nats, over the whole vocabulary.
        likeliest: the likeliest tokens at its position, with their log-probabilities.
    """

    token: int
    logprob: float
    likeliest: tuple[tuple[int, float], ...] = ()


async def token_logprobs(
    model: ServedModel,
    source_ids: Sequence[int],
    tokens: Sequence[int],
    *,
    top: int,
    timeout_seconds: float,
) -> list[TokenLogprob]:
    """Scores each of `tokens`, a reply to `source_ids`, and finds the `top` likeliest tokens at its
    position.

    Raises:
        DeadlineExceeded: if it takes too long. For other errors see `WorkerClient.submit`.
    """

    def best(prefix: Sequence[int], beam_size: int, length: int) -> SearchRequest:
        options = SearchOptions(
            beam_size=beam_size,
            n_best=beam_size,
            max_tokens=length,
            length_penalty=0.0,
            shortlist=False,
        )
        return SearchRequest(None, source_ids, options, prefix_ids=prefix)

    lengths = range(1, len(tokens) + 1)
    requests = [best(tokens[:length], 1, length) for length in lengths]
    if top:
        requests += [best(tokens[: length - 1], top, length) for length in lengths]
    found = await model.answer_all(
        requests,
        [()] * len(requests),
        timeout_seconds=timeout_seconds,
        max_open=_MAX_CONCURRENT,
    )
    sums = [0.0, *(hypotheses[0].logprob for hypotheses in found[: len(tokens)])]
    others = found[len(tokens) :] or [()] * len(tokens)
    return [
        TokenLogprob(token, after - before, _likeliest(position, before, hypotheses))
        for position, (token, (before, after), hypotheses) in enumerate(
            zip(tokens, pairwise(sums), others, strict=True)
        )
    ]


def _likeliest(
    position: int, before: float, hypotheses: Sequence[Hypothesis]
) -> tuple[tuple[int, float], ...]:
    """Returns the last token of each hypothesis, the likeliest first."""
    found = [
        (each.tokens[position] if len(each.tokens) > position else EOS_ID, each.logprob - before)
        for each in hypotheses
    ]
    return tuple(sorted(found, key=lambda each: -each[1]))
