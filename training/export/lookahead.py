"""Decode loop: several steps in one run of a graph, each with the tokens that a search will most
likely choose.

At batch 1, starting a run takes longer than its arithmetic; the loop saves these starts. Where the
search then chooses differently, the steps after that are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from model.tokenizer import EOS_ID
from training.export.graph import Graph, LoopBody, Value


@dataclass(frozen=True)
class StepOutput:
    """Outputs of one step, in the grid `(sources, rows)`.

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
        """Returns all of them, in the order of the graph's outputs."""
        return [self.tokens, self.logprobs, self.attention_weights, *self.state]


def add_decode_loop(
    graph: Graph,
    step: Callable[[Value, list[Value]], StepOutput],
    tokens: Value,
    state: Mapping[Value, int],
    top_k: Value,
) -> None:
    """Adds one step from `tokens` and `state` (with the units of each), and a loop of further steps
    for a single source.

    Inputs: more int64 `(1,)`, the number of further steps; totals float32 `(rows,)`, the cumulative
    log-probability of each row. Outputs: best and logprobs `(sources, rows, top_k)`,
    attention_weights `(sources, rows, 1, source_len)`, next_state_0, ...; the same of all further
    steps stacked, `more_best` `(steps, 1, rows, top_k)` and so on; and the choice before each of
    them: parents int64 and chosen int32 `(steps, rows)`.

    Each further step continues the likeliest hypotheses, as many as there are rows. The loop ends
    early once EOS is the likeliest next token of some row.
    """
    more = graph.input("more", "int64", 1)
    totals = graph.input("totals", "float32", "rows")
    rows = graph.op("Shape", totals)

    def build_body(carried: list[Value]) -> LoopBody:
        totals, tokens, logprobs, *state = carried
        by_row = graph.op("Unsqueeze", totals, graph.constant([1], "int64"))
        sums = graph.op("Reshape", graph.op("Add", by_row, logprobs), flat)
        totals, places = graph.ops("TopK", sums, rows, count=2, axis=-1)
        parents = graph.op("Div", places, top_k)
        chosen = graph.op("Gather", graph.op("Reshape", tokens, flat), places)
        gathered = [graph.op("Gather", each, parents, axis=1) for each in state]
        output = step(graph.op("Reshape", chosen, column), gathered)
        best = graph.op("Gather", output.tokens, graph.constant([0], "int64"), axis=2)
        least = graph.op("ReduceMin", best, keepdims=0)
        condition = graph.op("Greater", least, graph.constant(EOS_ID, "int32"))
        next_carried = [totals, output.tokens, output.logprobs, *output.state]
        return LoopBody(condition, next_carried, [*output.results, parents, chosen])

    flat, column = graph.constant([-1], "int64"), graph.constant([1, -1, 1], "int64")
    first = step(tokens, list(state))
    dtypes = ["int32", "float32", "float32", *("float32" for _ in state)]
    carried = {totals: "float32", first.tokens: "int32", first.logprobs: "float32"}
    carried |= dict.fromkeys(first.state, "float32")
    *others, parents, chosen = graph.add_loop(
        more, carried, build_body, [*dtypes, "int64", "int32"]
    )

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
