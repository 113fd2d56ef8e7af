"""Common cells of both windows' tables of a pair: numbers by parts of the reference, categories by frequency."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.pairs import merge_axes
from aims_pipelines.stats.profile import MISSING, OTHER, Axis, Kind, PairTable
from aims_pipelines.stats.tails import Floats

#: Most levels of a number, missing values not counted; fewer where a cell would hold less than so many rows.
LEVELS = 8
_ROWS_OF_A_CELL = 20.0
#: Most cells where a column has more categories than that.
CELLS = 2 * LEVELS**2
#: Rows of the smaller window from which on more of them make no more cells.
_FINEST_FROM = CELLS * _ROWS_OF_A_CELL
#: Fewest rows of both windows together for a level of its own.
FEWEST = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Both windows of a pair on common cells.

    Args:
        before: Rows of the reference by level of the first and of the second column; where numbers are cut by ranks,
            parts of rows.
        after: The same of the current window.
        names: Name of each level of either column, for people: an interval, a category, or ``(missing)``.
        scored: Whether the levels of either column have an order, or are two, missing values and others apart.
        mixed: Which levels of either column hold several categories, whose changes among them no cell shows.
    """

    before: Floats
    after: Floats
    names: tuple[tuple[str, ...], tuple[str, ...]]
    scored: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    mixed: tuple[NDArray[np.bool_], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """How the common keys of a column are put into levels: shares of each key that go to each level."""

    before: Floats
    after: Floats
    names: tuple[str, ...]
    scored: NDArray[np.bool_]
    mixed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finest:
    """What the cells of a pair come to, however many the rows.

    Args:
        freedom: Degrees of freedom of their chi-square.
        hidden: Share of the rows in cells of several categories, of the window in which it is larger.
    """

    freedom: float
    hidden: float


def finest(reference: PairTable, current: PairTable) -> Finest:
    """Say what the cells of a pair would be in windows of many rows; arguments as for :func:`grids`."""
    grid = grids(reference, current, rows=_FINEST_FROM)[0]
    seen = [side[:-1, :-1] for side in (grid.before, grid.after)]
    levels = [int(np.count_nonzero((seen[0] + seen[1]).sum(axis=axis))) for axis in (1, 0)]
    mixed = grid.mixed[0][:, None] | grid.mixed[1][None, :]
    shares = [float(side[mixed].sum() / max(side.sum(), 1.0)) for side in (grid.before, grid.after)]
    return Finest(freedom=float(max(1, (levels[0] - 1) * (levels[1] - 1))), hidden=max(shares))


def grids(reference: PairTable, current: PairTable, *, rows: float | None = None) -> list[Grid]:
    """Put two tables of a pair on common cells, once for each way of cutting numbers.

    Args:
        reference: The pair in the reference window.
        current: The pair in the current window, of the same kinds of values.
        rows: Rows of the smaller window that the cells are for, as if more had come with the same values; those that
            it has if absent.

    Returns:
        The cells by value, and, where a column holds numbers, by rank.
    """
    merged = [merge_axes(*axes) for axes in zip(reference.axes, current.axes, strict=True)]
    shape = (len(merged[0][0].keys) + 1, len(merged[1][0].keys) + 1)
    tables = []
    for side, table in enumerate((reference, current)):
        counts = np.zeros(shape)
        np.add.at(counts, (merged[0][1][side][:, None], merged[1][1][side][None, :]), table.counts)
        tables.append(counts)
    before, after = tables
    smaller = min(float(table.sum()) for table in tables)
    if rows is not None and 0.0 < smaller < rows:
        before, after, smaller = before * (rows / smaller), after * (rows / smaller), rows
    levels = _levels([axis for axis, _ in merged], smaller)
    found: list[Grid] = []
    for by_rank in (False, True):
        cuts = [
            _cut(
                axis,
                before.sum(axis=1 - place),
                after.sum(axis=1 - place),
                levels=levels[place],
                by_rank=by_rank,
            )
            for place, (axis, _) in enumerate(merged)
        ]
        found.append(
            Grid(
                before=cuts[0].before.T @ before @ cuts[1].before,
                after=cuts[0].after.T @ after @ cuts[1].after,
                names=(cuts[0].names, cuts[1].names),
                scored=(cuts[0].scored, cuts[1].scored),
                mixed=(cuts[0].mixed, cuts[1].mixed),
            )
        )
        if all(axis.kind is Kind.CATEGORICAL for axis, _ in merged):
            break
    return found


def _most_levels(rows: float) -> int:
    """Most levels of a column that a smaller window of so many rows is looked at in."""
    return int(np.clip(np.sqrt(rows / _ROWS_OF_A_CELL), 2, LEVELS))


def _levels(axes: list[Axis], rows: float) -> list[int]:
    """Most levels of either column: of categories as many as the cells allow, shared where both have many."""
    most = _most_levels(rows)
    cells = int(min(rows / _ROWS_OF_A_CELL, CELLS))
    found = [len(axis.keys) if axis.kind is Kind.CATEGORICAL else most for axis in axes]
    fewer = max(1, min(*found, int(np.sqrt(cells))))
    return [
        most if axis.kind is not Kind.CATEGORICAL else max(most, min(keys, cells // fewer))
        for axis, keys in zip(axes, found, strict=True)
    ]


def _cut(axis: Axis, before: Floats, after: Floats, *, levels: int, by_rank: bool) -> _Cut:
    """Put keys into levels; the missing values, which come last, have one of their own."""
    if axis.kind is Kind.CATEGORICAL:
        level, names = _frequent(axis, before[:-1] + after[:-1], levels)
    else:
        level, names = _parts(axis, before[:-1], levels)
    mixed = np.bincount(level[(before[:-1] + after[:-1]) > 0.0], minlength=len(names) + 1) > 1
    if axis.kind is not Kind.CATEGORICAL:
        mixed[:] = False
    elif axis.labels is None:  # each bucket holds several
        mixed[:-1] = True
    shares = np.zeros((len(before), len(names) + 1))
    shares[np.arange(len(level)), level] = 1.0
    shares[-1, -1] = 1.0
    moved = shares
    if by_rank and axis.kind is not Kind.CATEGORICAL and before[:-1].sum() and after[:-1].sum():
        moved = shares.copy()
        moved[:-1, :-1] = _by_rank(level, before[:-1], after[:-1], len(names))
    scored = np.ones(len(names) + 1, dtype=bool)
    scored[-1] = False
    if axis.kind is Kind.CATEGORICAL and len(names) != 2:
        scored[:] = False
    return _Cut(before=shares, after=moved, names=(*names, MISSING), scored=scored, mixed=mixed)


def _frequent(axis: Axis, counts: Floats, levels: int) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Each of the most frequent categories by itself, all others together."""
    order = np.argsort(-counts, kind="stable")
    kept = order if len(order) <= levels else order[: levels - 1]
    kept = np.sort(kept[counts[kept] >= FEWEST])
    level = np.full(len(counts), len(kept), np.intp)
    level[kept] = np.arange(len(kept))
    named = [axis.labels[place] if axis.labels is not None else f"bucket {place}" for place in kept.tolist()]
    return level, (*named, OTHER) if len(kept) < len(counts) else tuple(named)


def _parts(axis: Axis, counts: Floats, levels: int) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Keys in order, in levels of about equal shares of the reference."""
    total = counts.sum()
    if not len(counts):
        return np.zeros(0, np.intp), ()
    middles = (np.cumsum(counts) - counts / 2.0) / max(total, 1.0)
    _, level = np.unique(np.minimum((middles * levels).astype(np.int64), levels - 1), return_inverse=True)
    starts = np.flatnonzero(np.diff(level, prepend=-1))
    edges = [_plain(_lower_edge(int(axis.keys[start]), axis.bits)) for start in starts[1:].tolist()]
    if not edges:
        return level, ("all",)
    inner = [f"{low} to {high}" for low, high in pairwise(edges)]
    return level, (f"< {edges[0]}", *inner, f"≥ {edges[-1]}")


def _plain(edge: float) -> str:
    """An edge for people, to four digits."""
    return f"{float(f'{edge:.4g}'):,.10g}" if abs(edge) < 1e9 else f"{edge:.4g}"


def _lower_edge(key: int, bits: int) -> float:
    """Smallest size of the values of a key above zero, the largest of one below."""
    size = abs(key) + (key < 0)
    word = np.uint64(min(size << (52 - bits), 0x7FF << 52))
    edge = float(np.array([word]).view(np.float64)[0])
    return -edge if key < 0 else edge


def _by_rank(level: NDArray[np.intp], before: Floats, after: Floats, levels: int) -> Floats:
    """Shares of each key of the current window that lie between the ranks at which the reference's levels end."""
    ends = np.cumsum(np.bincount(level, weights=before, minlength=levels)) / before.sum()
    reached = np.concatenate(([0.0], np.cumsum(after) / after.sum()))
    low, high = reached[:-1, None], reached[1:, None]
    starts = np.concatenate(([0.0], ends[:-1]))
    ends[-1] = 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.clip(np.minimum(high, ends) - np.maximum(low, starts), 0.0, None) / (high - low)
    empty = np.flatnonzero(after <= 0.0)
    shares[empty] = 0.0
    shares[empty, level[empty]] = 1.0
    return np.asarray(shares, dtype=np.float64)
