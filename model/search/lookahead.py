"""Steps that an engine takes at once, in the hope that a search will do what is likeliest.

The search of a lone request waits for its engine's start far longer than for its arithmetic. What
was taken ahead is compared with what the search does choose; where they differ, the rest is thrown
away, so that the outcome is the same.
"""

from __future__ import annotations

from model.contract import LookaheadEngine, Sequel, State, StepResult, Steps

#: How many steps are taken at once, first and at most: a few milliseconds.
MOST_STEPS = 32


class Lookahead:
    """Steps a request that is alone in a search."""

    def __init__(self, engine: LookaheadEngine) -> None:
        self._engine = engine
        self._size = MOST_STEPS
        self._steps: Steps | None = None  # what `step` goes along
        self._place = 0
        self._state: State = None  # behind step `_place`

    def step(self, state: State, sequel: Sequel) -> StepResult:
        """The first step of `sequel`, as `Engine.step` gives it."""
        if self._steps is not None and state is self._state:
            is_last = self._place + 1 == len(self._steps)
            if not is_last and self._is_foreseen(self._steps, sequel):
                return self._result(self._steps, self._place + 1)
            self.learn(were_all_used=is_last)
        return self._result(self.take(state, sequel), 0)

    def take(self, state: State, sequel: Sequel) -> Steps:
        """As many steps as have proved to be worth it."""
        most_steps = min(self._size, sequel.most_steps)
        return self._engine.step_ahead(state, sequel._replace(most_steps=most_steps))

    def learn(self, *, were_all_used: bool) -> None:
        """Next time more steps are taken, or one, as those of the last time were used."""
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
