"""Cells: the levels that rows fall into under a grouping, and tables of counts with one row a cell."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
#: Up to here a scan per cell beats sorting the rows by cell.
_SCANNED_CELLS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The cell of every row of a window under one grouping.

    Args:
        count: Cells known so far; cell numbers are below it.
        codes: Cell of each row, uint8, shape (n,); ``None`` if all rows are in cell 0.
        order: Rows sorted by cell; ``None`` if all rows are in cell 0.
        segments: Cell, start and stop in ``order``.
    """

    count: int
    codes: NDArray[np.uint8] | None = None
    order: Counts | None = None
    segments: tuple[tuple[int, int, int], ...] = ()


ONE_CELL = Cells(count=1)


def arranged(codes: NDArray[np.uint8], count: int) -> tuple[Cells, Counts]:
    """Sort the rows of a window by cell; also say how many there are in each."""
    sizes = np.bincount(codes, minlength=count)
    present = np.flatnonzero(sizes)
    stops = np.cumsum(sizes[present]).tolist()
    if len(present) <= _SCANNED_CELLS:
        order = np.empty(len(codes), np.int64)
        for cell, stop in zip(present, stops, strict=True):
            order[stop - sizes[cell] : stop] = np.flatnonzero(codes == cell)
    else:
        order = np.argsort(codes, kind="stable")
    segments = tuple(zip(present.tolist(), [0, *stops[:-1]], stops, strict=True))
    return Cells(count=count, codes=codes, order=order, segments=segments), sizes


class CountTable:
    """Counts with one row a cell and one column a slot, growing as either turns up."""

    def __init__(self) -> None:
        self._counts: Counts = np.zeros((1, 0), np.int64)

    def _grow(self, cells: int, slots: int) -> None:
        have_cells, have_slots = self._counts.shape
        if cells > have_cells or slots > have_slots:
            wanted_slots = have_slots if slots <= have_slots else max(slots, have_slots * 3 // 2)
            grown = np.zeros((max(cells, have_cells), wanted_slots), np.int64)
            grown[:have_cells, :have_slots] = self._counts
            self._counts = grown

    def add_row(self, cell: int, counts: Counts) -> None:
        """Add counts to the first slots of a cell."""
        self._grow(cell + 1, len(counts))
        self._counts[cell, : len(counts)] += counts

    def add_at(self, cell: int, slot: int, count: int) -> None:
        """Add to one slot of a cell."""
        self._grow(cell + 1, slot + 1)
        self._counts[cell, slot] += count

    def add_matrix(self, counts: Counts, slots: Counts) -> None:
        """Add a matrix of counts, cells by given slots (which may repeat)."""
        if len(slots):
            self._grow(len(counts), int(slots.max()) + 1)
            np.add.at(self._counts, (np.arange(len(counts))[:, None], slots[None, :]), counts)

    def fold(self, source: int, target: int) -> None:
        """Move one cell's counts to another's."""
        self._grow(max(source, target) + 1, 0)
        self._counts[target] += self._counts[source]
        self._counts[source] = 0

    def renumber(self, places: Counts, slots: int) -> None:
        """Move slot i to ``places[i]``, adding up what meets there; later slots must be empty."""
        moved = np.zeros((len(self._counts), slots), np.int64)
        width = min(len(places), self._counts.shape[1])
        np.add.at(moved.T, places[:width], self._counts[:, :width].T)
        self._counts = moved

    def cut(self, slots: int) -> None:
        """Forget all slots from the given one on."""
        self._counts = self._counts[:, :slots].copy()

    def row(self, cell: int) -> Counts:
        """Counts of a cell."""
        self._grow(cell + 1, 0)
        row: Counts = self._counts[cell]
        return row

    def rows(self) -> Iterator[tuple[int, Counts]]:
        """Cells that hold anything."""
        for cell, counts in enumerate(self._counts):
            if counts.any():
                yield cell, counts

    def total(self) -> Counts:
        """Counts of all cells together."""
        total: Counts = self._counts.sum(axis=0)
        return total
