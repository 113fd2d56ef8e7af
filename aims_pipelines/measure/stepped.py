"""Points in time in equal steps, which grow as more of them are occupied."""

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.measure.binned import Renumber
from aims_pipelines.stats.bins import step_for, step_middles, step_numbers

Floats = NDArray[np.float64]
Slots = NDArray[np.int64]
#: Steps between the first and the last of a block up to which counting into all of them beats sorting.
_DENSE = 1 << 16


class Steps:
    """Slots of occupied steps, in order of time.

    Args:
        values: Distinct points in time seen so far, counted in slots from 0 on.
        block: Points that are about to be counted.
        renumber: Called whenever the slots change.
    """

    def __init__(self, values: Floats, block: Floats, renumber: Renumber) -> None:
        self.points, self._renumber = values, renumber
        self.step = step_for(np.concatenate((values, block)), 0.0)
        self._move(step_middles(step_numbers(values, self.step), self.step))

    def count(self, block: Floats, smallest: float, largest: float) -> Slots:
        """Count the points of a block by slot, numbering new steps.

        Args:
            block: At most ``BLOCK`` points, none NaN.
            smallest: The first.
            largest: The last.
        """
        points, counts = self._occupied(block, smallest, largest)
        known = np.union1d(self.points, points)
        step = step_for(known, self.step)
        if step > self.step:
            self.step = step
            self._move(step_middles(step_numbers(self.points, step), step))
            points = step_middles(step_numbers(points, step), step)
            known = np.union1d(self.points, points)
        if len(known) > len(self.points):
            self._renumber(np.searchsorted(known, self.points), len(known))
            self.points = known
        total = np.zeros(len(known), np.int64)
        np.add.at(total, np.searchsorted(known, points), counts)
        return total

    def _occupied(self, block: Floats, smallest: float, largest: float) -> tuple[Floats, Slots]:
        numbers = step_numbers(block, self.step)
        first, last = step_numbers(np.array([smallest, largest]), self.step).tolist()
        if not last - first < _DENSE:  # true of infinities too
            found, counts = np.unique(numbers, return_counts=True)
            return step_middles(found, self.step), counts
        counts = np.bincount((numbers - first).astype(np.int64))
        occupied = np.flatnonzero(counts)
        return step_middles(occupied + first, self.step), counts[occupied]

    def _move(self, moved: Floats) -> None:
        self.points, places = np.unique(moved, return_inverse=True)
        self._renumber(places, len(self.points))
