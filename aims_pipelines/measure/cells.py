"""Cells: the levels that rows fall into under groupings, rows laid out by cell, and tables of counts by cell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
#: Up to here a scan per cell beats sorting the rows by cell.
_SCANNED_CELLS = 6
#: A segment of rows costs about as much as this many rows more: what groupings laid out together may cost.
_SEGMENT_ROWS = 4096
#: Most segments of a layout that takes in another grouping.
_MOST_SEGMENTS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The cell of every row of a window under one grouping.

    Args:
        count: Cells known so far; cell numbers are below it.
        codes: Cell of each row, uint8, shape (n,).
    """

    count: int
    codes: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Rows that lie in the same cell under every grouping of a layout.

    Args:
        start: Where they start in the layout's order.
        stop: Where they end.
        cells: Their cell under each member grouping.
    """

    start: int
    stop: int
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Rows of a window in an order in which the cells of some groupings lie together.

    Args:
        members: The groupings, by number.
        segments: The rows, cell by cell.
        order: Rows in order of the segments; ``None`` if they are in order already.
        codes: Segment of each row, shape (n,); ``None`` if there is but one.
    """

    members: tuple[int, ...]
    segments: tuple[Segment, ...]
    order: Counts | None = None
    codes: NDArray[np.uint16] | None = None

    def cells_of(self, member: int) -> Counts:
        """Cell of each segment under the member at a position."""
        return np.array([segment.cells[member] for segment in self.segments], np.int64)


def laid_out(groupings: Sequence[Cells], rows: int) -> tuple[Layout, ...]:
    """Lay the rows of a window out by the cells of groupings.

    Every column is then read once for each layout rather than once for each grouping. Groupings share a layout where
    that is cheaper: where the cells of both at once are not many more than those of either.

    Args:
        groupings: The cells of each grouping; without any, all rows are in cell 0 of grouping 0.
        rows: Rows of the window.
    """
    if not groupings:
        return (Layout(members=(0,), segments=(Segment(start=0, stop=rows, cells=(0,)),)),)
    layouts = []
    waiting = list(range(len(groupings)))
    while waiting:
        first, *others = waiting
        members, waiting = [first], []
        codes = groupings[first].codes.astype(np.uint16)
        cells = np.arange(groupings[first].count)[:, None]
        codes, cells = _occupied(codes, cells)
        for number in others:
            more = groupings[number]
            joint, both = _occupied(
                codes.astype(np.int64) * more.count + more.codes,
                np.hstack(
                    (np.repeat(cells, more.count, 0), np.tile(np.arange(more.count), len(cells))[:, None])
                ),
            )
            extra = len(both) - len(cells) - more.count
            if extra * _SEGMENT_ROWS > rows or len(both) > _MOST_SEGMENTS:
                waiting.append(number)
                continue
            members.append(number)
            codes, cells = joint, both
        layouts.append(_arranged(tuple(members), codes, cells))
    return tuple(layouts)


def _occupied(codes: NDArray[np.integer], cells: Counts) -> tuple[NDArray[np.uint16], Counts]:
    """Number the combinations of cells that occur from 0."""
    sizes = np.bincount(codes, minlength=len(cells))
    used = np.flatnonzero(sizes)
    places = np.zeros(len(cells), np.uint16)
    places[used] = np.arange(len(used))
    return places.take(codes), cells[used]


def _arranged(members: tuple[int, ...], codes: NDArray[np.uint16], cells: Counts) -> Layout:
    """Sort the rows of a window by combination of cells."""
    sizes = np.bincount(codes, minlength=len(cells))
    stops = np.cumsum(sizes).tolist()
    segments = tuple(
        Segment(start=start, stop=stop, cells=tuple(place))
        for start, stop, place in zip([0, *stops[:-1]], stops, cells.tolist(), strict=True)
    )
    if len(cells) == 1:
        return Layout(members=members, segments=segments)
    if len(cells) <= _SCANNED_CELLS:
        order = np.empty(len(codes), np.int64)
        for place, segment in enumerate(segments):
            order[segment.start : segment.stop] = np.flatnonzero(codes == place)
    else:
        order = np.argsort(codes, kind="stable")
    return Layout(members=members, segments=segments, order=order, codes=codes)


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

    def add_matrix(self, cells: Counts, slots: Counts, counts: Counts) -> None:
        """Add a matrix of counts to given cells by given slots; either may repeat."""
        if len(slots) and len(cells):
            self._grow(int(cells.max()) + 1, int(slots.max()) + 1)
            np.add.at(self._counts, (cells[:, None], slots[None, :]), counts)

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
