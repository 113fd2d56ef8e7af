"""Numbers in the log-linear bins of :mod:`aims_pipelines.stats.bins`, numbered as they turn up."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.measure.scratch import SCRATCH
from aims_pipelines.stats.bins import FINEST, KEYS, MANTISSA_BITS, bits_for, keys_of, representatives

Floats = NDArray[np.float64]
Slots = NDArray[np.int64]
#: Moves the counts of slot i to ``places[i]``, of so many slots.
Renumber = Callable[[Slots, int], None]


class Bins:
    """Slots of bins, from 1 on; slot 0 stands for bins not seen before and is never counted.

    Args:
        values: Distinct values seen so far, counted in slots from 0 on.
        renumber: Called whenever the slots change.
    """

    def __init__(self, values: Floats, renumber: Renumber) -> None:
        self.points: Floats = np.concatenate((np.full(1, np.nan), values))
        self.bits = FINEST
        self._renumber = renumber
        # The slot of every key from the base on, for keys between the lowest and the highest value.
        self._table: Slots = np.zeros(1, np.int64)
        self._base = 0
        self._low, self._high = math.inf, -math.inf
        renumber(np.arange(1, len(values) + 1), len(values) + 1)
        ordinary = values[_is_ordinary(values)]
        if len(ordinary):
            self._widen(float(ordinary.min()), float(ordinary.max()))

    def count(self, block: Floats, smallest: float, largest: float) -> Slots:
        """Count the values of a block by slot, numbering new bins.

        Args:
            block: At most ``BLOCK`` values, none NaN.
            smallest: Their minimum.
            largest: Their maximum.
        """
        if self.bits == MANTISSA_BITS or self._low <= smallest <= largest <= self._high:
            return self._count_placed(block)
        ordinary = _is_ordinary(block)
        apart, times = np.unique(block[~ordinary] + 0.0, return_counts=True)
        block = block[ordinary]
        counts = np.zeros(len(self.points), np.int64)
        if len(block):
            self._widen(float(block.min()), float(block.max()))
            counts = self._count_placed(block)
        slots = np.array([self._slot_of(float(point)) for point in apart], np.int64)
        counts = _lengthened(counts, len(self.points))
        counts[slots] += times
        return counts

    def _count_placed(self, block: Floats) -> Slots:
        """Count values all of which have a place in the table."""
        slots, words = SCRATCH.slots[: len(block)], SCRATCH.words[: len(block)]
        np.right_shift(block.view(np.uint64), np.uint64(52 - self.bits), out=words)
        keys = words.view(np.int64)
        if self._base:
            np.subtract(keys, self._base, out=keys)
        self._table.take(keys, out=slots, mode="clip")
        counts = np.bincount(slots, minlength=len(self.points))
        if counts[0]:
            fresh, times = np.unique(keys[slots == 0], return_counts=True)
            self._table[fresh] = np.arange(len(self.points), len(self.points) + len(fresh))
            self.points = np.concatenate((self.points, representatives(fresh + self._base, self.bits)))
            counts = np.concatenate((counts, times))
            counts[0] = 0
        return counts

    def _slot_of(self, point: float) -> int:
        """Slot of a point that has no place in the table: zero or an infinity."""
        known = np.flatnonzero(self.points == point)
        if not len(known):
            self.points = np.append(self.points, point)
            return len(self.points) - 1
        return int(known[0])

    def _widen(self, smallest: float, largest: float) -> None:
        """Make room in the table for all keys between two values, with fewer bits if it takes too many."""
        if self._low <= smallest and largest <= self._high:
            return
        self._low, self._high = min(self._low, smallest), max(self._high, largest)
        ends = np.array([self._low, self._high])
        bits = bits_for(ends, self.bits)
        points, places = np.unique(representatives(keys_of(self.points[1:], bits), bits), return_inverse=True)
        self._renumber(np.concatenate((np.zeros(1, np.int64), places + 1)), len(points) + 1)
        self.points, self.bits = np.concatenate((np.full(1, np.nan), points)), bits
        slots = np.arange(1, len(points) + 1)
        if bits == MANTISSA_BITS:
            self._base, self._table = 0, np.zeros(KEYS, np.int64)
        else:
            base, top = sorted(keys_of(ends, bits).tolist())
            self._base, self._table = base, np.zeros(top - base + 1, np.int64)
            placed = _is_ordinary(points)  # the others are found by _slot_of
            points, slots = points[placed], slots[placed]
        self._table[keys_of(points, bits) - self._base] = slots


def _is_ordinary(values: Floats) -> NDArray[np.bool_]:
    """Whether values lie in bins; zero and the infinities have points of their own."""
    ordinary: NDArray[np.bool_] = np.isfinite(values) & (values != 0.0)
    return ordinary


def _lengthened(counts: Slots, length: int) -> Slots:
    longer = np.zeros(length, np.int64)
    longer[: len(counts)] = counts
    return longer
