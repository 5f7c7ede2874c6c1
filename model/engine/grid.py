"""Where the rows of a step stand: in a grid with one line for each source.

The hypotheses of a beam read the same source. In a line of their own they share one copy of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.contract import Int32

#: A grid may have so many places for each row; where rows are spread more thinly, each gets a line
#: and a copy of its source.
MOST_PLACES = 2

#: Rows that leave a grid are computed on, for nobody, until more than one of so many places is
#: empty: that takes less time than to move the sources of all others.
EMPTY_ONE_IN = 5

Places = NDArray[np.intp]


class Move(NamedTuple):
    """From one grid to the next.

    Attributes:
        grid: the next.
        lines: the line of this grid that each of the next copies its source from; None: its own.
        places: the place in this grid that each of the next continues; what nobody reads is 0.
            None: its own.
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
    """

    origins: Places
    width: int
    slots: Places

    @classmethod
    def of_sources(cls, count: int) -> Grid:
        """One row for each of `count` sources."""
        return cls(np.arange(count), 1, np.arange(count))

    @classmethod
    def of_rows(cls, origins: Places) -> Grid:
        """One row for each element of `origins` `(rows,)`, the source that it reads."""
        rows = len(origins)
        lines, inverse, counts = np.unique(origins, return_inverse=True, return_counts=True)
        width = int(counts.max())
        if len(lines) * width > MOST_PLACES * rows:
            return cls(origins, 1, np.arange(rows))
        order = np.argsort(inverse, kind="stable")
        before = np.arange(rows) - np.repeat(np.cumsum(counts) - counts, counts)
        slots = np.empty(rows, np.intp)
        slots[order] = inverse[order] * width + before
        return cls(lines, width, slots)

    @classmethod
    def join(cls, grids: list[Grid]) -> tuple[Grid, Places]:
        """The rows of all, in order, and the line of all their lines, one below the other, that
        each line copies its source from, ascending."""
        firsts = np.cumsum([0, *(grid.origins.max() + 1 for grid in grids)])
        pairs = list(zip(grids, firsts, strict=False))
        below = np.concatenate([grid.origins + first for grid, first in pairs])
        grid = cls.of_rows(np.concatenate([grid.row_origins + first for grid, first in pairs]))
        return grid, _lines_of(below, grid.origins)

    def add(self, more: Grid) -> Grid:
        """The rows of this grid and of `more`, which is as wide, below it."""
        places = len(self.origins) * self.width
        origins = np.concatenate([self.origins, more.origins + self.origins.max() + 1])
        return Grid(origins, self.width, np.concatenate([self.slots, more.slots + places]))

    @property
    def shape(self) -> tuple[int, int]:
        """Lines and width."""
        return len(self.origins), self.width

    @cached_property
    def is_full(self) -> bool:
        """Whether rows fill the grid in their own order."""
        places = len(self.origins) * self.width
        return len(self.slots) == places and bool((self.slots == self._rows).all())

    @cached_property
    def row_lines(self) -> Places:
        """The line of each row."""
        return self.slots // self.width

    @property
    def row_origins(self) -> Places:
        """The source of each row."""
        return self.origins[self.row_lines]

    def is_continued_by(self, parents: Int32) -> bool:
        """Whether each row continues itself."""
        return len(parents) == len(self._rows) and bool((parents == self._rows).all())

    @cached_property
    def _rows(self) -> Places:
        return np.arange(len(self.slots))

    def follow(self, parents: Int32) -> Move:
        """The grid of rows that continue `parents` `(rows,)`."""
        old = self.slots[parents]
        if len(self.origins) == 1:
            rows = len(parents)
            is_same = self.is_full and rows == self.width
            grid = self if is_same else Grid(self.origins, rows, np.arange(rows))
            return Move(grid, None, old)
        if self._leaves_few_places_empty(old):
            return Move(Grid(self.origins, self.width, old), None, None)
        lines = old // self.width
        copied: Places | None = None
        if np.array_equal(lines, self.row_lines):
            grid = self
        else:
            grid = Grid.of_rows(self.origins[lines])
            if not np.array_equal(grid.origins, self.origins):
                copied = _lines_of(self.origins, grid.origins)
        places = np.zeros(len(grid.origins) * grid.width, np.intp)
        places[grid.slots] = old
        return Move(grid, copied, places)

    def _leaves_few_places_empty(self, slots: Places) -> bool:
        """Whether rows that stay in their places, in their order, fill enough of the grid."""
        places = len(self.origins) * self.width
        is_dense = (places - len(slots)) * EMPTY_ONE_IN <= places
        return is_dense and bool((slots[1:] > slots[:-1]).all())

    def spread(self, rows: NDArray[Any]) -> NDArray[Any]:
        """`(rows, ...)` -> `(lines, width, ...)`; places that no row has are 0."""
        if not self.is_full:
            grid = np.zeros((len(self.origins) * self.width, *rows.shape[1:]), rows.dtype)
            grid[self.slots] = rows
            rows = grid
        return rows.reshape(*self.shape, *rows.shape[1:])

    def collect(self, grid: NDArray[Any]) -> NDArray[Any]:
        """`(lines, width, ...)` -> `(rows, ...)`."""
        flat = grid.reshape(-1, *grid.shape[2:])
        return flat if self.is_full else flat[self.slots]


def _lines_of(lines: Places, origins: Places) -> Places:
    """For each of `origins` a place in `lines` that holds it."""
    order = np.argsort(lines, kind="stable")
    return order[np.searchsorted(lines[order], origins)]
