"""Tally of a numeric column: values one by one while they are few, log-linear bins and moments afterwards.

Tallies keep a row of counts for every cell: a level of a grouping. Whether values are kept one by one is
decided by the whole column, so all cells of all groupings change over together.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.measure.atoms import Atoms
from aims_pipelines.measure.cells import Cells, CountTable
from aims_pipelines.measure.lowering import Numbers
from aims_pipelines.stats.bins import (
    FINEST,
    KEYS,
    MANTISSA_BITS,
    bits_for,
    gather,
    into_steps,
    keys_of,
    representatives,
    step_for,
)
from aims_pipelines.stats.moments import NO_MOMENTS, add_moments, moments_of
from aims_pipelines.stats.profile import Distribution, Moments

Floats = NDArray[np.float64]
Slots = NDArray[np.int64]
#: Values worked on at a time: what stays in the second-level cache.
BLOCK = 1 << 15
#: BLAS stays on one thread below this length.
_DOT = 1 << 13
_SAFE_FOURTH_POWER = 1e70


class _Scratch(threading.local):
    def __init__(self) -> None:
        self.values = np.empty(BLOCK)
        self.words = np.empty(BLOCK, np.uint64)
        self.slots = np.empty(BLOCK, np.int64)
        self.deviations = np.empty(BLOCK)
        self.squares = np.empty(BLOCK)


_SCRATCH = _Scratch()


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberCell:
    """What a tally says of one cell."""

    nulls: int
    nans: int
    distribution: Distribution
    moments: Moments


class NumberTally:
    """Tally of one numeric or temporal column over the cells of some groupings."""

    def __init__(self, groupings: int, *, temporal: bool) -> None:
        self._temporal = temporal
        self._counts = [CountTable() for _ in range(groupings)]
        self._nulls = [CountTable() for _ in range(groupings)]  # one slot for nulls, one for NaNs
        self._moments: list[dict[int, Moments]] = [{} for _ in range(groupings)]
        self._atoms: Atoms | None = Atoms()
        # Bins: the point of every slot (none for slot 0), and the slot of every key from the base on.
        self._points: Floats = np.full(1, np.nan)
        self._table: Slots = np.zeros(1, np.int64)
        self._base, self._bits = 0, FINEST
        self._low, self._high = math.inf, -math.inf
        self._step = 0.0

    def add(self, numbers: Numbers, groupings: Sequence[Cells]) -> None:
        """Take in a window of the column, with the cell of each of its rows under every grouping."""
        for grouping, cells in enumerate(groupings):
            if cells.order is None:
                self._add_whole(numbers, grouping)
                continue
            for cell, start, stop in cells.segments:
                order = cells.order[start:stop]
                if numbers.valid is not None:
                    order = order[numbers.valid.take(order)]
                    self._nulls[grouping].add_at(cell, 0, stop - start - len(order))
                for begin in range(0, len(order), BLOCK):
                    chosen = order[begin : begin + BLOCK]
                    block = _SCRATCH.values[: len(chosen)]
                    numbers.values.take(chosen, out=block, mode="clip")
                    self._add_block(block, grouping, cell)

    def _add_whole(self, numbers: Numbers, grouping: int) -> None:
        values = numbers.values
        if numbers.valid is not None:
            values = values[numbers.valid]
            self._nulls[grouping].add_at(0, 0, len(numbers.values) - len(values))
        for begin in range(0, len(values), BLOCK):
            self._add_block(values[begin : begin + BLOCK], grouping, 0)

    def fold(self, grouping: int, source: int, target: int) -> None:
        """Move all that one cell holds into another."""
        self._counts[grouping].fold(source, target)
        self._nulls[grouping].fold(source, target)
        moments = self._moments[grouping]
        moments[target] = add_moments(moments.get(target, NO_MOMENTS), moments.pop(source, NO_MOMENTS))

    def _add_block(self, block: Floats, grouping: int, cell: int) -> None:
        smallest, largest = float(block.min()), float(block.max())
        if math.isnan(smallest):
            there = block[~np.isnan(block)]
            self._nulls[grouping].add_at(cell, 1, len(block) - len(there))
            if not len(there):
                return
            block, smallest, largest = there, float(there.min()), float(there.max())
        slots = _SCRATCH.slots[: len(block)]
        words = _SCRATCH.words[: len(block)]
        if self._atoms is not None:
            clean = np.add(block, 0.0, out=_SCRATCH.deviations[: len(block)])  # -0.0 becomes 0.0
            if self._atoms.find(clean, slots, words):
                self._counts[grouping].add_row(cell, np.bincount(slots, minlength=len(self._atoms.values)))
                return
            self._leave_atoms(self._atoms.values, block)
        if self._temporal:
            self._add_steps(block, grouping, cell)
        else:
            self._add_bins(block, smallest, largest, (grouping, cell))
        moments = self._moments[grouping]
        moments[cell] = add_moments(
            moments.get(cell, NO_MOMENTS), block_moments(block, smallest, largest, moments.get(cell))
        )

    def _add_bins(self, block: Floats, smallest: float, largest: float, place: tuple[int, int]) -> None:
        grouping, cell = place
        if self._bits > MANTISSA_BITS and not self._low <= smallest <= largest <= self._high:
            ordinary = np.isfinite(block) & (block != 0.0)
            if not ordinary.all():
                for point, count in zip(*np.unique(block[~ordinary], return_counts=True), strict=True):
                    self._counts[grouping].add_at(cell, self._slot_of(float(point)), int(count))
                block = block[ordinary]
                if not len(block):
                    return
                smallest, largest = float(block.min()), float(block.max())
            self._widen(smallest, largest)
        slots, words = _SCRATCH.slots[: len(block)], _SCRATCH.words[: len(block)]
        np.right_shift(block.view(np.uint64), np.uint64(52 - self._bits), out=words)
        keys = words.view(np.int64)
        if self._base:
            np.subtract(keys, self._base, out=keys)
        self._table.take(keys, out=slots, mode="clip")
        counts = np.bincount(slots, minlength=len(self._points))
        if counts[0]:  # slot 0 stands for keys not seen before
            fresh = np.unique(keys[slots == 0])
            self._table[fresh] = np.arange(len(self._points), len(self._points) + len(fresh))
            self._points = np.concatenate((self._points, representatives(fresh + self._base, self._bits)))
            self._table.take(keys, out=slots, mode="clip")
            counts = np.bincount(slots, minlength=len(self._points))
        self._counts[grouping].add_row(cell, counts)

    def _slot_of(self, point: float) -> int:
        """Slot of a point that has no place in the table: zero or an infinity."""
        known = np.flatnonzero(self._points == point)
        if not len(known):
            self._points = np.append(self._points, point + 0.0)
            return len(self._points) - 1
        return int(known[0])

    def _widen(self, smallest: float, largest: float) -> None:
        """Make room in the table for all keys between two values, with fewer bits if it takes too many."""
        if self._low <= smallest and largest <= self._high:
            return
        self._low, self._high = min(self._low, smallest), max(self._high, largest)
        ends = np.array([self._low, self._high])
        bits = bits_for(ends, self._bits)
        points, places = np.unique(
            representatives(keys_of(self._points[1:], bits), bits), return_inverse=True
        )
        for table in self._counts:
            table.renumber(np.concatenate((np.zeros(1, np.int64), places + 1)), len(points) + 1)
        self._points, self._bits = np.concatenate((np.full(1, np.nan), points)), bits
        slots = np.arange(1, len(points) + 1)
        if bits == MANTISSA_BITS:
            self._base, self._table = 0, np.zeros(KEYS, np.int64)
        else:
            base, top = sorted(keys_of(ends, bits).tolist())
            self._base, self._table = base, np.zeros(top - base + 1, np.int64)
            placed = np.isfinite(points) & (points != 0.0)  # the others are found by _slot_of
            points, slots = points[placed], slots[placed]
        self._table[keys_of(points, bits) - self._base] = slots

    def _leave_atoms(self, values: Floats, block: Floats) -> None:
        """Change over from values to bins."""
        self._atoms = None
        order = np.argsort(values)
        for grouping, table in enumerate(self._counts):
            for cell, counts in table.rows():
                ordered = _padded(counts, len(values))[order]
                kept = ordered > 0
                self._moments[grouping][cell] = moments_of(values[order][kept], ordered[kept])
        if self._temporal:
            self._points = values
            self._move_to_steps(step_for(np.concatenate((values, block)), 0.0))
            return
        self._points = np.concatenate((np.full(1, np.nan), values))
        for table in self._counts:
            table.renumber(np.arange(1, len(values) + 1), len(values) + 1)
        ordinary = values[np.isfinite(values) & (values != 0.0)]
        if len(ordinary):
            self._widen(float(ordinary.min()), float(ordinary.max()))

    def _add_steps(self, block: Floats, grouping: int, cell: int) -> None:
        points, counts = into_steps(np.sort(block), np.ones(len(block), np.int64), self._step)
        known = np.union1d(self._points, points)
        step = step_for(known, self._step)
        if step > self._step:
            self._move_to_steps(step)
            points, counts = into_steps(points, counts, step)
            known = np.union1d(self._points, points)
        if len(known) > len(self._points):
            places = np.searchsorted(known, self._points)
            self._points = known
            for table in self._counts:
                table.renumber(places, len(known))
        row = np.zeros(len(known), np.int64)
        row[np.searchsorted(known, points)] = counts
        self._counts[grouping].add_row(cell, row)

    def _move_to_steps(self, step: float) -> None:
        self._step = step
        moved = (np.floor((np.floor(self._points) + 0.5) / step) + 0.5) * step
        self._points, places = np.unique(moved, return_inverse=True)
        for table in self._counts:
            table.renumber(places, len(self._points))

    def cell(self, grouping: int, cell: int) -> NumberCell:
        """All that is known of one cell."""
        return self._described(
            grouping, self._counts[grouping].row(cell), self._nulls[grouping].row(cell), [cell]
        )

    def whole(self) -> NumberCell:
        """All that is known of the column: its cells under the first grouping together."""
        return self._described(0, self._counts[0].total(), self._nulls[0].total(), sorted(self._moments[0]))

    def _described(self, grouping: int, counts: Slots, missing: Slots, cells: list[int]) -> NumberCell:
        exact, step = self._atoms is not None, None
        if self._atoms is not None:
            points = self._atoms.values
        elif self._temporal:
            points, step = self._points, self._step
        else:
            points, counts = self._points[1:], counts[1:]
        points, padded = gather(points, _padded(counts, len(points)))
        moments = moments_of(points, padded) if exact else NO_MOMENTS
        if not exact:
            for cell in cells:
                moments = add_moments(moments, self._moments[grouping].get(cell, NO_MOMENTS))
        nulls, nans = (int(missing[slot]) if slot < len(missing) else 0 for slot in (0, 1))
        distribution = Distribution(
            points=points,
            counts=padded,
            exact=exact,
            resolution=step,
            mantissa_bits=MANTISSA_BITS if exact or self._temporal else self._bits,
        )
        return NumberCell(nulls=nulls, nans=nans, distribution=distribution, moments=moments)


def _padded(counts: Slots, length: int) -> Slots:
    """Counts of slots that were numbered but not counted yet are 0."""
    padded = np.zeros(length, np.int64)
    padded[: len(counts)] = counts[:length]
    return padded


def block_moments(block: Floats, smallest: float, largest: float, sofar: Moments | None) -> Moments:
    """Moments of a block of at most ``BLOCK`` values, none NaN; infinities are left out.

    Args:
        block: Values.
        smallest: Their minimum.
        largest: Their maximum.
        sofar: Moments of earlier values, whose mean is a good point to measure from.
    """
    if math.isinf(smallest) or math.isinf(largest):
        block = block[np.isfinite(block)]
        if not len(block):
            return NO_MOMENTS
        smallest, largest = float(block.min()), float(block.max())
    if max(-smallest, largest) > _SAFE_FOURTH_POWER or max(-smallest, largest) < 1.0 / _SAFE_FOURTH_POWER:
        ordered, counts = np.unique(block, return_counts=True)
        return moments_of(ordered, counts.astype(np.int64))
    n = len(block)
    near = sofar is not None and sofar.count > 0 and smallest <= sofar.mean <= largest
    pivot = sofar.mean if near and sofar is not None else float(block.mean())
    deviations, squares = _SCRATCH.deviations[:n], _SCRATCH.squares[:n]
    np.subtract(block, pivot, out=deviations)
    np.multiply(deviations, deviations, out=squares)
    s1, s2, s3, s4 = float(deviations.sum()), 0.0, 0.0, 0.0
    for begin in range(0, n, _DOT):
        part, once = squares[begin : begin + _DOT], deviations[begin : begin + _DOT]
        s2 += float(once.dot(once))
        s3 += float(part.dot(once))
        s4 += float(part.dot(part))
    offset = s1 / n
    m2 = s2 - s1 * offset
    m3 = s3 - 3.0 * offset * s2 + 2.0 * n * offset**3
    m4 = s4 - 4.0 * offset * s3 + 6.0 * offset**2 * s2 - 3.0 * n * offset**4
    mean = min(max(pivot + offset, smallest), largest)
    if smallest == largest:
        m2 = m3 = m4 = 0.0
    return Moments(
        count=n, minimum=smallest, maximum=largest, mean=mean, m2=max(m2, 0.0), m3=m3, m4=max(m4, 0.0)
    )
