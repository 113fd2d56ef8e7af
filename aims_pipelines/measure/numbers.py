"""Tally of a numeric column: values one by one while they are few, log-linear bins and moments afterwards.

Tallies keep a row of counts for every cell: a level of a grouping. Whether values are kept one by one is
decided by the whole column, so all cells of all groupings change over together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.measure.atoms import Atoms
from aims_pipelines.measure.binned import Bins, Renumber
from aims_pipelines.measure.cells import CountTable, Layout, Segment
from aims_pipelines.measure.lowering import Numbers
from aims_pipelines.measure.scratch import BLOCK, SCRATCH
from aims_pipelines.measure.stepped import Steps
from aims_pipelines.stats.bins import MANTISSA_BITS
from aims_pipelines.stats.moments import NO_MOMENTS, add_moments, moments_of
from aims_pipelines.stats.profile import Distribution, Moments

Floats = NDArray[np.float64]
Slots = NDArray[np.int64]
#: BLAS stays on one thread below this length.
_DOT = 1 << 13
_SAFE_FOURTH_POWER = 1e70


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
        self._slots: Atoms | Bins | Steps = Atoms()
        self._order: tuple[Floats, Slots] | None = None

    def add(self, numbers: Numbers, layouts: Sequence[Layout]) -> None:
        """Take in a window of the column, laid out by the cells of every grouping."""
        self._order = None
        for layout in layouts:
            for segment in layout.segments:
                self._add_segment(numbers, layout, segment)

    def _add_segment(self, numbers: Numbers, layout: Layout, segment: Segment) -> None:
        places = tuple(zip(layout.members, segment.cells, strict=True))
        if layout.order is None:
            values = numbers.values
            if numbers.valid is not None:
                values = values[numbers.valid]
                self._add_missing(places, 0, len(numbers.values) - len(values))
            for begin in range(0, len(values), BLOCK):
                self._add_block(values[begin : begin + BLOCK], places)
            return
        order = layout.order[segment.start : segment.stop]
        if numbers.valid is not None:
            order = order[numbers.valid.take(order)]
            self._add_missing(places, 0, segment.stop - segment.start - len(order))
        for begin in range(0, len(order), BLOCK):
            chosen = order[begin : begin + BLOCK]
            block = SCRATCH.values[: len(chosen)]
            numbers.values.take(chosen, out=block, mode="clip")
            self._add_block(block, places)

    def _add_missing(self, places: Sequence[tuple[int, int]], slot: int, count: int) -> None:
        for grouping, cell in places:
            self._nulls[grouping].add_at(cell, slot, count)

    def fold(self, grouping: int, source: int, target: int) -> None:
        """Move all that one cell holds into another."""
        self._counts[grouping].fold(source, target)
        self._nulls[grouping].fold(source, target)
        moments = self._moments[grouping]
        moments[target] = add_moments(moments.get(target, NO_MOMENTS), moments.pop(source, NO_MOMENTS))

    def _add_block(self, block: Floats, places: Sequence[tuple[int, int]]) -> None:
        smallest, largest = float(np.minimum.reduce(block)), float(np.maximum.reduce(block))
        if math.isnan(smallest):
            there = block[~np.isnan(block)]
            self._add_missing(places, 1, len(block) - len(there))
            if not len(there):
                return
            block, smallest, largest = there, float(there.min()), float(there.max())
        slots = self._slots
        if isinstance(slots, Atoms):
            found = slots.count(block)
            if found is not None:
                for grouping, cell in places:
                    self._counts[grouping].add_row(cell, found)
                return
            slots = self._leave_atoms(slots.values, block)
        counts = slots.count(block, smallest, largest)
        pivot = self._moments[places[0][0]].get(places[0][1], NO_MOMENTS).mean
        moments = block_moments(block, smallest, largest, pivot)
        for grouping, cell in places:
            self._counts[grouping].add_row(cell, counts)
            known = self._moments[grouping]
            known[cell] = add_moments(known.get(cell, NO_MOMENTS), moments)

    def _leave_atoms(self, values: Floats, block: Floats) -> Bins | Steps:
        """Change over from values to bins."""
        order = np.argsort(values)
        for grouping, table in enumerate(self._counts):
            for cell, counts in table.rows():
                ordered = _padded(counts, len(values))[order]
                kept = ordered > 0
                self._moments[grouping][cell] = moments_of(values[order][kept], ordered[kept])
        renumber = _renumbering(self._counts)
        slots = Steps(values, block, renumber) if self._temporal else Bins(values, renumber)
        self._slots = slots
        return slots

    def cell(self, grouping: int, cell: int) -> NumberCell:
        """All that is known of one cell."""
        return self._described(
            grouping, self._counts[grouping].row(cell), self._nulls[grouping].row(cell), [cell]
        )

    def whole(self) -> NumberCell:
        """All that is known of the column: its cells under the first grouping together."""
        return self._described(0, self._counts[0].total(), self._nulls[0].total(), sorted(self._moments[0]))

    def _gathered(self, counts: Slots) -> tuple[Floats, Slots]:
        """Occupied points in order with their counts; the order is found once for all cells."""
        slots = self._slots
        points = slots.values if isinstance(slots, Atoms) else slots.points
        if self._order is None:
            self._order = np.unique(points, return_inverse=True)
        ordered, places = self._order
        total = np.zeros(len(ordered), np.int64)
        np.add.at(total, places, _padded(counts, len(points)))
        kept = total > 0  # slot 0 of bins is never counted
        return ordered[kept], total[kept]

    def _described(self, grouping: int, counts: Slots, missing: Slots, cells: list[int]) -> NumberCell:
        slots = self._slots
        points, padded = self._gathered(counts)
        if isinstance(slots, Atoms):
            moments = moments_of(points, padded)
        else:
            moments = NO_MOMENTS
            for cell in cells:
                moments = add_moments(moments, self._moments[grouping].get(cell, NO_MOMENTS))
        nulls, nans = (int(missing[slot]) if slot < len(missing) else 0 for slot in (0, 1))
        distribution = Distribution(
            points=points,
            counts=padded,
            exact=isinstance(slots, Atoms),
            resolution=slots.step if isinstance(slots, Steps) else None,
            mantissa_bits=slots.bits if isinstance(slots, Bins) else MANTISSA_BITS,
        )
        return NumberCell(nulls=nulls, nans=nans, distribution=distribution, moments=moments)


def _renumbering(tables: list[CountTable]) -> Renumber:
    """Moves the counts of all tables; it knows nothing of the tally, which would otherwise hold itself in memory."""

    def renumber(places: Slots, slots: int) -> None:
        for table in tables:
            table.renumber(places, slots)

    return renumber


def _padded(counts: Slots, length: int) -> Slots:
    """Counts of slots that were numbered but not counted yet are 0."""
    padded = np.zeros(length, np.int64)
    padded[: len(counts)] = counts[:length]
    return padded


def block_moments(block: Floats, smallest: float, largest: float, pivot: float) -> Moments:
    """Moments of a block of at most ``BLOCK`` values, none NaN; infinities are left out.

    Args:
        block: Values.
        smallest: Their minimum.
        largest: Their maximum.
        pivot: A point to measure from, such as the mean of earlier values; NaN for the block's own mean.
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
    if not smallest <= pivot <= largest:
        pivot = float(block.mean())
    deviations, squares = SCRATCH.words.view(np.float64)[:n], SCRATCH.slots.view(np.float64)[:n]
    np.subtract(block, pivot, out=deviations)
    np.multiply(deviations, deviations, out=squares)
    s1, s2 = float(np.add.reduce(deviations)), float(np.add.reduce(squares))
    s3, s4 = _dot(squares, deviations), _dot(squares, squares)
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


def _dot(a: Floats, b: Floats) -> float:
    whole = len(a) // _DOT * _DOT
    rows = np.vecdot(a[:whole].reshape(-1, _DOT), b[:whole].reshape(-1, _DOT))
    return float(np.add.reduce(rows)) + float(a[whole:].dot(b[whole:]))
