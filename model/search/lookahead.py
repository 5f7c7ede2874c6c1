"""Steps that an engine takes at once, in the hope that a search will do what is likeliest.

The search of a lone request waits for its engine's start far longer than for its arithmetic. What
was taken ahead is compared with what the search does choose; where they differ, the rest is thrown
away, so that the outcome is the same.
"""

from __future__ import annotations

from model.contract import Float64, Int32, LookaheadEngine, State, StepResult, Steps

#: How many steps are taken at once, first and at most: a few milliseconds.
MOST_STEPS = 32


class Lookahead:
    """Steps a request that is alone in a search."""

    def __init__(self, engine: LookaheadEngine) -> None:
        self._engine = engine
        self._size = MOST_STEPS
        self._steps: Steps
        self._place = 0
        self._state: State = None  # behind step `_place` of `_steps`, if they were taken here

    def step(
        self,
        state: State,
        parents: Int32,
        tokens: Int32,
        top_k: int,
        totals: Float64,
        most_steps: int,
    ) -> StepResult:
        """What `Engine.step` gives; for the rest see `LookaheadEngine.step_ahead`."""
        if state is self._state and state is not None:
            is_last = self._place + 1 == len(self._steps)
            if not is_last and self._is_foreseen(parents, tokens, top_k):
                return self._result(self._place + 1)
            self.learn(were_all_used=is_last)
        self._steps = self.take(state, parents, tokens, top_k, totals, most_steps)
        return self._result(0)

    def take(
        self,
        state: State,
        parents: Int32,
        tokens: Int32,
        top_k: int,
        totals: Float64,
        most_steps: int,
    ) -> Steps:
        """As many steps as have proved to be worth it."""
        most_steps = min(self._size, most_steps)
        return self._engine.step_ahead(state, parents, tokens, top_k, totals, most_steps)

    def learn(self, *, were_all_used: bool) -> None:
        """Next time more steps are taken, or one, as those of the last time were used."""
        self._size = min(2 * self._size, MOST_STEPS) if were_all_used else 1

    def _is_foreseen(self, parents: Int32, tokens: Int32, top_k: int) -> bool:
        steps, place = self._steps, self._place
        return (
            top_k <= steps.tokens.shape[2]
            and parents.tolist() == steps.parents[place].tolist()
            and tokens.tolist() == steps.chosen[place].tolist()
        )

    def _result(self, place: int) -> StepResult:
        steps = self._steps
        self._place, self._state = place, steps.state(place)
        return StepResult(
            steps.tokens[place],
            steps.logprobs[place],
            steps.attention_weights[place],
            self._state,
        )
