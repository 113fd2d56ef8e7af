"""Whether two columns depend on each other otherwise than before, beyond what each has changed by itself.

Both windows' tables of a pair are put on common cells: numbers in the reference's eighths, categories by the most
frequent, as many as make at most ``CELLS`` cells; what the rest of them do among themselves is not seen. Where only the
columns have shifted, the chance that a row of a cell belongs to the current window is, in log odds, a sum of a term of
its row and one of its column; that fit takes both windows as samples. What it leaves over is a change of the
dependence, asked for twice: does the product of ranks go with the current window (the correlation has changed), and do
the cells together (any other change, by chi-square)?

A column of numbers that was merely rescaled leaves something over too, because the cells are then other parts of it. So
numbers are also cut at equal shares of each window, where such a change makes no difference, and a change of the
dependence is one that both ways of cutting show.

Sources: Bishop, Fienberg & Holland (1975), Discrete Multivariate Analysis, chapter 3, for tables without three-way
interaction; Cox & Hinkley (1974), Theoretical Statistics, section 9.3, for the score test.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.pairs import merge_axes
from aims_pipelines.stats.profile import MISSING, OTHER, Axis, Kind, PairTable
from aims_pipelines.stats.shifts import CORRELATION_PER_TOTAL_VARIATION, FIRST, Shift, Shifts
from aims_pipelines.stats.tails import Floats, chi_square, normal

#: Most levels of a number, missing values not counted; fewer where a cell would hold less than so many rows.
LEVELS = 8
_ROWS_OF_A_CELL = 20.0
#: Most cells where a column has more categories than that.
CELLS = 2 * LEVELS**2
#: Rows of the smaller window from which on more of them make no more cells.
_FINEST_FROM = CELLS * _ROWS_OF_A_CELL
#: Fewest rows of a cell that the smaller window expects.
_FEWEST_EXPECTED = 5.0
#: Fewest rows of both windows together for a level of its own.
_FEWEST = 20.0
_STEPS = 40
_BEYOND_DOUBT = 1e-12


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
class _Left:
    """What the fit of shifts of the columns alone leaves over."""

    statistic: float  # chi-square
    freedom: int
    moved: float  # most rows that may lie in other cells, as a share: half the root of the noncentrality's estimate
    correlation: float
    deviation: float  # standard deviation of the correlation by sampling; 0 where there is none to ask for
    outside: float  # share of the rows in cells too small to judge, or of several categories


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """A fit of some cells: what it leaves over in each, and its variance there."""

    cells: tuple[NDArray[np.intp], NDArray[np.intp]]
    design: Floats
    freedom: int
    over: Floats
    weight: Floats


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
        rows: Rows that the number of cells is for; those of the smaller window if absent.

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
    levels = _levels([axis for axis, _ in merged], smaller if rows is None else rows)
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


def levels_for(rows: float) -> int:
    """Most levels of a column that a smaller window of so many rows is looked at in."""
    return int(np.clip(np.sqrt(rows / _ROWS_OF_A_CELL), 2, LEVELS))


def _levels(axes: list[Axis], rows: float) -> list[int]:
    """Most levels of either column: of categories as many as the cells allow, shared where both have many."""
    most = levels_for(rows)
    cells = int(min(rows / _ROWS_OF_A_CELL, CELLS))
    found = [len(axis.keys) if axis.kind is Kind.CATEGORICAL else most for axis in axes]
    fewer = max(1, min(*found, int(np.sqrt(cells))))
    return [
        most if axis.kind is not Kind.CATEGORICAL else max(most, min(keys, cells // fewer))
        for axis, keys in zip(axes, found, strict=True)
    ]


def dependence_shifts(views: list[Grid], *, wobble: float) -> Shifts:
    """Ask whether the dependence has changed.

    Args:
        views: As :func:`grids` gives them.
        wobble: Standard deviation of harmless shifts between windows, as total variation distance.

    Returns:
        One shift, of kind ``ASSOCIATION`` (observed: the change of the rank correlation) or ``DEPENDENCE`` (observed:
        the share of rows that lie in other cells than the columns' own shifts explain). Its ``tests`` are the degrees
        of freedom, its ``present`` the share of rows in cells large enough to judge; its ``spread`` the standard
        deviation of the correlation, in units of ``sqrt(1/n + 1/m)``.
    """
    n, m = float(views[0].before.sum()), float(views[0].after.sum())
    variance = 1.0 / n + 1.0 / m if n > 0.0 and m > 0.0 else np.inf
    left = [_left_over(view) for view in views] if np.isfinite(variance) else []
    if not left or min(one.freedom for one in left) < 1:
        return _shift(n, m, p=1.0, kind=Shift.DEPENDENCE, observed=0.0, freedom=0, possible=False)
    damped = variance / (variance + (2.0 * wobble) ** 2)
    p_cells = max(
        float(chi_square(np.array(one.statistic * damped), np.array(float(one.freedom)))) for one in left
    )
    freedom, present = max(one.freedom for one in left), 1.0 - max(one.outside for one in left)
    asked = all(one.deviation > 0.0 for one in left)
    p_ranks, spread = 1.0, 0.0
    if asked:
        scale = wobble * CORRELATION_PER_TOTAL_VARIATION
        scores = np.array([one.correlation / np.hypot(one.deviation, scale) for one in left])
        agree = bool((scores > 0.0).all() or (scores < 0.0).all())
        p_ranks = float(2.0 * normal(np.abs(scores).min())) if agree else 1.0
        spread = max(one.deviation for one in left) / float(np.sqrt(variance))
    first, second = (p_ranks / FIRST, p_cells / (1.0 - FIRST)) if asked else (1.0, p_cells)
    # Of two that are shown beyond doubt, the correlation says more.
    by_ranks = asked and max(first, _BEYOND_DOUBT) <= max(second, _BEYOND_DOUBT)
    correlations, moved = np.array([(one.correlation, one.moved) for one in left]).T
    return _shift(
        n,
        m,
        p=min(first, second),
        kind=Shift.ASSOCIATION if by_ranks else Shift.DEPENDENCE,
        observed=float(correlations[np.abs(correlations).argmin()] if by_ranks else moved.min()),
        freedom=freedom,
        spread=spread,
        present=present,
    )


def _shift(
    n: float,
    m: float,
    *,
    p: float,
    kind: Shift,
    observed: float,
    freedom: int,
    possible: bool = True,
    spread: float = 0.0,
    present: float = 1.0,
) -> Shifts:
    return Shifts(
        p=np.array([min(1.0, p)]),
        kind=np.array([int(kind)]),
        possible=np.array([possible]),
        observed=np.array([observed]),
        before=np.array([n]),
        after=np.array([m]),
        spread=np.array([spread]),
        tests=np.array([float(freedom)]),
        cell=np.array([-1]),
        ordered=np.array([False]),
        coarse=np.array([False]),
        present=np.array([present]),
    )


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
    kept = np.sort(kept[counts[kept] >= _FEWEST])
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


def _left_over(view: Grid) -> _Left:
    n, m = float(view.before.sum()), float(view.after.sum())
    rows, columns = _shared(view.before, view.after)
    before, after = view.before[np.ix_(rows, columns)], view.after[np.ix_(rows, columns)]
    whole = before + after
    large = whole * min(n, m) / (n + m) >= _FEWEST_EXPECTED
    unseen = ~large | view.mixed[0][rows][:, None] | view.mixed[1][columns][None, :]
    outside = float(max(before[unseen].sum() / n, after[unseen].sum() / m))
    start = float(np.log(m / n))
    fit = _fitted(whole, after, large, start=start)
    if fit.freedom < 1:
        return _Left(statistic=0.0, freedom=0, moved=0.0, correlation=0.0, deviation=0.0, outside=outside)
    # The fit takes a part of a change for its own; so much of it is left over.
    factor = (n + m) / n / m
    statistic = float((np.square(fit.over) / fit.weight).sum())
    correlation, deviation = 0.0, 0.0
    scores = (
        _scores(after.sum(axis=1), view.scored[0][rows]),
        _scores(after.sum(axis=0), view.scored[1][columns]),
    )
    if all(one.any() for one in scores):
        # A sum over all cells may rest on small ones too; without those in the corners there is little to see.
        every = fit if large.all() else _fitted(whole, after, whole > 0.0, start=start)
        products = np.outer(*scores)[every.cells]
        weighted = every.design * every.weight[:, None]
        cross = weighted.T @ products
        spread = float((products * every.weight * products).sum())
        information = spread - float(cross @ np.linalg.pinv(every.design.T @ weighted) @ cross)
        if information > 1e-9 * spread:
            correlation = float((products * every.over).sum()) * factor
            deviation = float(np.sqrt(information)) * factor
    return _Left(
        statistic=statistic,
        freedom=fit.freedom,
        moved=0.5 * float(np.sqrt(max(statistic - fit.freedom, 0.0) * factor)),
        correlation=correlation,
        deviation=deviation,
        outside=outside,
    )


def _shared(before: Floats, after: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Levels that both windows have rows in, and enough of them."""
    kept = []
    for axis in (1, 0):
        was, now = before.sum(axis=axis), after.sum(axis=axis)
        kept.append(np.flatnonzero((was + now >= _FEWEST) & (was >= 1.0) & (now >= 1.0)))
    return kept[0], kept[1]


def _fitted(whole: Floats, after: Floats, kept: NDArray[np.bool_], *, start: float) -> _Fit:
    """Logistic regression of belonging to the current window on the row and the column of a cell."""
    row, column = np.nonzero(kept)
    design = np.zeros((row.size, sum(kept.shape)))
    design[np.arange(row.size), row] = 1.0
    design[np.arange(row.size), kept.shape[0] + column] = 1.0
    freedom = row.size - (int(np.linalg.matrix_rank(design)) if row.size else 0)
    total, seen = whole[kept], after[kept]
    odds = np.full(total.size, start)
    for _ in range(_STEPS if freedom > 0 else 0):
        chance = 1.0 / (1.0 + np.exp(-odds))
        weight = np.maximum(total * chance * (1.0 - chance), 1e-9)
        working = odds + (seen - total * chance) / weight
        weighted = design * weight[:, None]
        matrix = design.T @ weighted
        # The terms of rows and columns are known up to a constant; a little of the diagonal settles it.
        matrix[np.diag_indices_from(matrix)] += 1e-9 * max(float(np.trace(matrix)), 1.0)
        fresh = np.clip(design @ np.linalg.solve(matrix, weighted.T @ working), -30.0, 30.0)
        done = float(np.abs(fresh - odds).max()) < 1e-9
        odds = fresh
        if done:
            break
    chance = 1.0 / (1.0 + np.exp(-odds))
    return _Fit(
        cells=(row, column),
        design=design,
        freedom=freedom,
        over=seen - total * chance,
        weight=np.maximum(total * chance * (1.0 - chance), 1e-12),
    )


def _scores(counts: Floats, scored: NDArray[np.bool_]) -> Floats:
    """Middles of the levels' ranks, with mean 0 and variance 1 over the rows that have one."""
    scores = np.zeros(counts.size)
    own = counts[scored]
    total = own.sum()
    if np.count_nonzero(own) < 2:
        return scores
    ranks = (np.cumsum(own) - own / 2.0) / total - 0.5
    scores[scored] = ranks / np.sqrt((own * np.square(ranks)).sum() / total)
    return scores
