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

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.pair_cells import FEWEST, Grid
from aims_pipelines.stats.shifts import CORRELATION_PER_TOTAL_VARIATION, FIRST, Shift, Shifts
from aims_pipelines.stats.tails import Floats, chi_square, normal

#: Fewest rows of a cell that the smaller window expects.
_FEWEST_EXPECTED = 5.0
_STEPS = 40
_BEYOND_DOUBT = 1e-12


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
        kept.append(np.flatnonzero((was + now >= FEWEST) & (was >= 1.0) & (now >= 1.0)))
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
