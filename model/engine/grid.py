"""The layout of a step's rows: a grid with one line for each source.

The hypotheses of a beam read the same source. In a line of their own they share one copy of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.contract import Int32
from model.lazy import lazy

#: The most places of a grid for each row; if rows are spread more thinly, each gets a line and a
#: copy of its source.
MOST_PLACES = 2

#: Empty places stay in the grid, and are computed in vain, until new rows fill them: to move the
#: sources of all other rows takes longer. The others are moved once so many empty places were
#: computed for each of them.
IN_VAIN_FOR_EACH_ROW = 2

Places = NDArray[np.intp]


class Move(NamedTuple):
    """The way from one grid to the next.

    Attributes:
        grid: the next.
        lines: the line of this grid from which each of the next copies its source; None: its own.
        places: the place in this grid that each of the next continues, 0 if it is empty; None: its
            own.
    """

    grid: Grid
    lines: Places | None
    places: Places | None


@dataclass(frozen=True)
class Grid:
    """A layout of rows.

    Attributes:
        origins: `(lines,)`, the source that each line reads. Equal ones are copies.
        width: places in a line.
        slots: `(rows,)`, the place of each row, counted line by line.
        in_vain: how often the places that are empty were computed.
    """

    origins: Places
    width: int
    slots: Places
    in_vain: int = 0

    @classmethod
    def of_sources(cls, count: int) -> Grid:
        """Builds the grid of one row for each of `count` sources."""
        return cls(np.arange(count), 1, np.arange(count))

    @classmethod
    def of_rows(cls, origins: Places) -> Grid:
        """Builds the grid of one row for each of `origins` `(rows,)`, the source that it reads."""
        rows = len(origins)
        lines, inverse, counts = np.unique(origins, return_inverse=True, return_counts=True)
        width = int(counts.max())
        if _places(len(lines), width, rows) < len(lines) * width:
            return cls(origins, 1, np.arange(rows))
        return cls(lines, width, inverse * width + _before(inverse, counts))

    @classmethod
    def join(cls, grids: list[Grid]) -> tuple[Grid, Places]:
        """Builds the grid of all their rows, in order. Returns it with the line from which each of
        its lines copies its source, counted through all `grids`, the first one's lines first."""
        firsts = np.cumsum([0, *(grid.origins.max() + 1 for grid in grids)])
        pairs = list(zip(grids, firsts, strict=False))
        below = np.concatenate([grid.origins + first for grid, first in pairs])
        grid = cls.of_rows(np.concatenate([grid.row_origins + first for grid, first in pairs]))
        return grid, _lines_of(below, grid.origins)

    def room_for(self, count: int) -> Places:
        """Returns the places of `count` more lines: empty lines first, then below all others."""
        is_free = np.ones(len(self.origins) + count, bool)
        is_free[self.row_lines] = False
        return np.flatnonzero(is_free)[:count]

    def add(self, more: Grid, lines: Places) -> Grid:
        """Builds the grid of the rows of this grid, then those of `more`, which is not wider. Its
        lines go to `lines`: see `room_for`."""
        origins = np.zeros(max(len(self.origins), lines[-1] + 1), np.intp)
        origins[: len(self.origins)] = self.origins
        origins[lines] = more.origins + self.origins.max() + 1
        slots = lines[more.row_lines] * self.width + more.slots % more.width
        taken = int(np.count_nonzero(lines < len(self.origins)))
        free = len(self.origins) - int(np.count_nonzero(np.bincount(self.row_lines)))
        in_vain = self.in_vain * (free - taken) // free if free else self.in_vain
        return Grid(origins, self.width, np.concatenate([self.slots, slots]), in_vain)

    @property
    def shape(self) -> tuple[int, int]:
        """Returns lines and width."""
        return len(self.origins), self.width

    @lazy
    def is_full(self) -> bool:
        """Tells whether rows fill the grid in their own order."""
        places = len(self.origins) * self.width
        return len(self.slots) == places and bool((self.slots == self._rows).all())

    @lazy
    def row_lines(self) -> Places:
        """Returns the line of each row."""
        return self.slots // self.width

    @property
    def row_origins(self) -> Places:
        """Returns the source of each row."""
        return self.origins[self.row_lines]

    def is_continued_by(self, parents: Int32) -> bool:
        """Tells whether each row continues itself, and no place is computed in vain."""
        is_settled = not self.in_vain and len(parents) == len(self._rows)
        return is_settled and bool((parents == self._rows).all())

    @lazy
    def _rows(self) -> Places:
        return np.arange(len(self.slots))

    def follow(self, parents: Int32) -> Move:
        """Returns the way to the grid of rows that continue `parents` `(rows,)`."""
        old = self.slots[parents]
        if len(self.origins) == 1:
            rows = len(parents)
            is_same = self.is_full and rows == self.width
            grid = self if is_same else Grid(self.origins, rows, np.arange(rows))
            return Move(grid, None, old)
        lines = old // self.width
        counts = np.bincount(lines)
        in_vain = self.in_vain + self._surplus(counts, len(old))
        if counts.max() <= self.width and in_vain <= IN_VAIN_FOR_EACH_ROW * len(old):
            if self.width == 1 or np.bincount(old).max() == 1:
                return Move(Grid(self.origins, self.width, old, in_vain), None, None)
            slots = lines * self.width + _before(lines, counts)
            grid = Grid(self.origins, self.width, slots, in_vain)
        else:
            grid = Grid.of_rows(self.origins[lines])
        copied = None
        if not np.array_equal(grid.origins, self.origins):
            copied = _lines_of(self.origins, grid.origins)
        places = np.zeros(len(grid.origins) * grid.width, np.intp)
        places[grid.slots] = old
        return Move(grid, copied, places)

    def _surplus(self, counts: Places, rows: int) -> int:
        """Returns how many fewer places a new grid would have for `rows`; `counts` are those of
        each line."""
        needed = _places(int(np.count_nonzero(counts)), int(counts.max()), rows)
        return max(0, len(self.origins) * self.width - needed)

    def spread(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Arranges `(rows, ...)` as `(lines, width, ...)`; empty places are 0."""
        if not self.is_full:
            grid = np.zeros((len(self.origins) * self.width, *rows.shape[1:]), rows.dtype)
            grid[self.slots] = rows
            rows = grid
        return rows.reshape(*self.shape, *rows.shape[1:])

    def extended(self, grid: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
        """Returns `grid`, from before `add`, with the added `rows`; may write them into it."""
        if beyond := len(self.origins) - len(grid):
            grid = np.concatenate([grid, np.zeros((beyond, *grid.shape[1:]), grid.dtype)])
        grid.reshape(-1, *grid.shape[2:])[self.slots[-len(rows) :]] = rows
        return grid

    def collect(self, grid: NDArray[Any]) -> NDArray[Any]:
        """Arranges `(lines, width, ...)` as `(rows, ...)`."""
        flat = grid.reshape(-1, *grid.shape[2:])
        return flat if self.is_full else flat.take(self.slots, axis=0)


def _places(lines: int, width: int, rows: int) -> int:
    """Returns the places of a grid for `rows` that fill so many lines with at most `width` each."""
    return lines * width if lines * width <= MOST_PLACES * rows else rows


def _lines_of(lines: Places, origins: Places) -> Places:
    """Finds an index in `lines` for each of `origins`."""
    order = np.argsort(lines, kind="stable")
    return order[np.searchsorted(lines[order], origins)]


def _before(lines: Places, counts: Places) -> Places:
    """Counts the rows before each row in its line. `counts` are the rows of each line."""
    order = np.argsort(lines, kind="stable")
    before = np.empty(len(lines), np.intp)
    before[order] = np.arange(len(lines)) - np.repeat(np.cumsum(counts) - counts, counts)
    return before
