"""Several steps in one run of a graph: each goes on as a search most likely will.

The search is asked nothing in between, so that a run is worth its start: at batch 1 that, and not
arithmetic, is most of a step. What the search does decide is compared with what was foreseen; where
it differs, the rest is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from model.tokenizer import EOS_ID
from training.export.graph import Graph, Turn, Value


@dataclass(frozen=True)
class Step:
    """What one step gives, in the grid `(sources, rows)`.

    Attributes:
        tokens, logprobs: `(sources, rows, top_k)`, int32 and float32, the likeliest first.
        attention_weights: float32 `(sources, rows, 1, source_len)`.
        state: float32, each `(sources, rows, 1, units)`.
    """

    tokens: Value
    logprobs: Value
    attention_weights: Value
    state: list[Value]

    @property
    def results(self) -> list[Value]:
        """All of them."""
        return [self.tokens, self.logprobs, self.attention_weights, *self.state]


def one_or_more(
    graph: Graph,
    step: Callable[[Value, list[Value]], Step],
    tokens: Value,
    state: Mapping[Value, int],
    top_k: Value,
) -> None:
    """Takes `step` from `tokens` and `state` (with the units of each), and of a single source as
    many steps more as are asked for.

    Inputs: more int64 `(1,)`, how many; totals float32 `(rows,)`, the log-probability of each row
    so far. Outputs: best and logprobs `(sources, rows, top_k)`, attention_weights `(sources, rows,
    1, source_len)`, next_state_0, ...; the same of all further steps stacked, `more_best`
    `(steps, 1, rows, top_k)` and so on; and what was chosen before each of those: parents int64
    and chosen int32 `(steps, rows)`.

    The likeliest continuations of all rows are chosen, as many as there are rows, until one of them
    will probably end.
    """
    more = graph.input("more", "int64", 1)
    totals = graph.input("totals", "float32", "rows")
    rows = graph.op("Shape", totals)

    def turn(carried: list[Value]) -> Turn:
        totals, tokens, logprobs, *state = carried
        by_row = graph.op("Unsqueeze", totals, graph.constant([1], "int64"))
        sums = graph.op("Reshape", graph.op("Add", by_row, logprobs), flat)
        totals, places = graph.ops("TopK", sums, rows, count=2, axis=-1)
        parents = graph.op("Div", places, top_k)
        chosen = graph.op("Gather", graph.op("Reshape", tokens, flat), places)
        followed = [graph.op("Gather", each, parents, axis=1) for each in state]
        taken = step(graph.op("Reshape", chosen, column), followed)
        best = graph.op("Gather", taken.tokens, graph.constant([0], "int64"), axis=2)
        least = graph.op("ReduceMin", best, keepdims=0)
        goes_on = graph.op("Greater", least, graph.constant(EOS_ID, "int32"))
        handed_on = [totals, taken.tokens, taken.logprobs, *taken.state]
        return Turn(goes_on, handed_on, [*taken.results, parents, chosen])

    flat, column = graph.constant([-1], "int64"), graph.constant([1, -1, 1], "int64")
    first = step(tokens, list(state))
    dtypes = ["int32", "float32", "float32", *("float32" for _ in state)]
    carried = {totals: "float32", first.tokens: "int32", first.logprobs: "float32"}
    carried |= dict.fromkeys(first.state, "float32")
    *others, parents, chosen = graph.repeat(more, carried, turn, [*dtypes, "int64", "int32"])

    grid = ("sources", "rows")
    shapes = [("k",), ("k",), (1, "source_len"), *((1, units) for units in state.values())]
    names = ["best", "logprobs", "attention_weights"]
    names += [f"next_state_{i}" for i in range(len(state))]
    for value, name, dtype, shape in zip(first.results, names, dtypes, shapes, strict=True):
        graph.output(value, name, dtype, *grid, *shape)
    for value, name, dtype, shape in zip(others, names, dtypes, shapes, strict=True):
        graph.output(value, f"more_{name}", dtype, "more", *grid, *shape)
    graph.output(parents, "parents", "int64", "more", "rows")
    graph.output(chosen, "chosen", "int32", "more", "rows")
