"""Several steps in one call of the engine, which guesses that the search chooses what is likeliest.

In the search of a lone request a call's overhead takes far longer than its arithmetic. The search
compares the steps taken ahead with what it chooses; after the first difference it drops the rest,
so that the outcome is the same.
"""

from __future__ import annotations

from model.contract import LookaheadEngine, Sequel, State, StepResult, Steps

#: Steps taken at once, at first and at most: a few milliseconds.
MOST_STEPS = 32


class Lookahead:
    """Takes steps ahead for a lone request."""

    def __init__(self, engine: LookaheadEngine) -> None:
        self._engine = engine
        self._size = MOST_STEPS
        self._steps: Steps | None = None  # the steps that `step` returns one by one
        self._place = 0
        self._state: State = None  # behind step `_place`

    def step(self, state: State, sequel: Sequel) -> StepResult:
        """Returns the first step of `sequel`, as `Engine.step` does."""
        if self._steps is not None and state is self._state:
            is_last = self._place + 1 == len(self._steps)
            if not is_last and self._is_foreseen(self._steps, sequel):
                return self._result(self._steps, self._place + 1)
            self.adapt_length(were_all_used=is_last)
        return self._result(self.take(state, sequel), 0)

    def take(self, state: State, sequel: Sequel) -> Steps:
        """Takes as many steps as have proved useful."""
        most_steps = min(self._size, sequel.most_steps)
        return self._engine.step_ahead(state, sequel._replace(most_steps=most_steps))

    def adapt_length(self, *, were_all_used: bool) -> None:
        """Takes more steps next time if the last ones were all used, else one."""
        self._size = min(2 * self._size, MOST_STEPS) if were_all_used else 1

    def _is_foreseen(self, steps: Steps, sequel: Sequel) -> bool:
        return (
            sequel.top_k <= steps.tokens.shape[2]
            and sequel.parents.tolist() == steps.parents[self._place].tolist()
            and sequel.tokens.tolist() == steps.chosen[self._place].tolist()
        )

    def _result(self, steps: Steps, place: int) -> StepResult:
        self._steps, self._place, self._state = steps, place, steps.state(place)
        return StepResult(
            steps.tokens[place],
            steps.logprobs[place],
            steps.attention_weights[place],
            self._state,
        )
