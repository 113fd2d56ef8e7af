"""Distances between two windows of one column, from their profiles.

Exact where both profiles hold exact values or named categories. Bins blur values by at most 2**-8 (0.4 %)
of their size; hashed categories can only make a distance smaller. Each docstring says what that means for
its distance. Descriptions, not verdicts: what a distance is worth at a given number of rows is judged in
:mod:`aims_pipelines.stats.drift`.
"""

import math
from collections.abc import Sequence

import numpy as np

from aims_pipelines.stats.aligned import Floats, aligned_categories, aligned_points, as_stored
from aims_pipelines.stats.profile import ColumnProfile, Kind

#: Cells of equal reference mass into which ordered values are cut for distances between shares.
CELLS = 10
#: Rows added to each cell before logarithms are taken.
SMOOTHING = 0.5


def shares(
    reference: ColumnProfile,
    current: ColumnProfile,
    *,
    edges: Sequence[float] | None = None,
    missing: bool = False,
) -> tuple[Floats, Floats]:
    """Count the rows of both windows in common cells: categories, or intervals of an ordered column.

    Args:
        reference: The column in the reference window.
        current: The column in the current window; of the same kind.
        edges: Inner edges of the intervals, ascending; an interval holds its lower edge. If absent, up to ten
            intervals of about equal reference mass.
        missing: Whether missing values are a cell of their own.

    Returns:
        Rows per cell of the reference and of the current window, without cells that are empty in both. Values
        within 0.4 % of an edge may be counted on its other side, unless the profiles are exact.
    """
    if reference.kind is Kind.CATEGORICAL:
        counts = aligned_categories([reference.categories, current.categories])[1]
    else:
        points, counts = aligned_points(as_stored([reference, current]))
        cuts = np.asarray(_edges(points, counts[0]) if edges is None else edges, dtype=np.float64)
        cell = np.searchsorted(cuts, points, side="right")
        summed = np.zeros((2, cuts.size + 1))
        np.add.at(summed.T, cell, counts.T)
        counts = summed
    if missing:
        counts = np.append(counts, [[float(reference.missing)], [float(current.missing)]], axis=1)
    counts = counts[:, counts.sum(axis=0) > 0.0]
    return counts[0], counts[1]


def total_variation(before: Floats, after: Floats) -> float:
    """Share of rows that would have to change cell for the shares to agree.

    Args:
        before: Rows per cell of the reference window.
        after: Rows per cell of the current window.

    Returns:
        In [0, 1]; NaN where a window is empty.

    Source:
        Levin, Peres & Wilmer (2009), Markov Chains and Mixing Times, section 4.1.

    Example:
        >>> total_variation(np.array([50.0, 50.0]), np.array([60.0, 40.0])).__round__(3)
        0.1
    """
    p, q = _normal(before), _normal(after)
    return float(0.5 * np.abs(p - q).sum())


def jensen_shannon(before: Floats, after: Floats) -> float:
    """Jensen-Shannon distance of the shares, the root of the divergence to base 2.

    Returns:
        In [0, 1]; NaN where a window is empty.

    Source:
        Lin (1991), IEEE Transactions on Information Theory 37:145-151; Endres & Schindelin (2003), ibid.
        49:1858-1860 for the root.
    """
    p, q = _normal(before), _normal(after)
    middle = (p + q) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(p > 0.0, p * np.log2(p / middle), 0.0) + np.where(
            q > 0.0, q * np.log2(q / middle), 0.0
        )
    if math.isnan(p.sum() + q.sum()):
        return math.nan
    return math.sqrt(max(0.0, float(parts.sum()) / 2.0))


def population_stability_index(before: Floats, after: Floats) -> float:
    """Population stability index of the shares, with half a row added to every cell.

    Returns:
        At least 0; NaN where a window is empty.

    Source:
        Siddiqi (2006), Credit Risk Scorecards, chapter 9. It is the symmetrised Kullback-Leibler divergence;
        the half row is Jeffreys' prior, so that empty cells give large and not infinite values.
    """
    if not before.sum() or not after.sum():
        return math.nan
    p, q = _normal(before + SMOOTHING), _normal(after + SMOOTHING)
    return float(((q - p) * np.log(q / p)).sum())


def chi_square(before: Floats, after: Floats) -> tuple[float, int]:
    """Pearson's statistic of homogeneity: both windows are samples, neither is taken as exact.

    Returns:
        The statistic and its degrees of freedom; NaN where a window is empty.

    Source:
        Pearson (1911), Biometrika 8:250-254.
    """
    n, m = float(before.sum()), float(after.sum())
    if not n or not m:
        return math.nan, 0
    both = before + after
    before, after, both = before[both > 0.0], after[both > 0.0], both[both > 0.0]
    expected = both * (m / (n + m))
    return float(
        (np.square(after - expected) * (1.0 / expected + 1.0 / (both - expected))).sum()
    ), both.size - 1


def kolmogorov_smirnov(reference: ColumnProfile, current: ColumnProfile) -> float:
    """Largest difference of the two distribution functions, wherever it lies.

    Returns:
        In [0, 1]; NaN where a window has no values. From bins it is never larger than from the rows, and
        smaller by no more than the largest share of one bin.

    Source:
        Smirnov (1939), Bulletin de l'Université de Moscou 2(2):3-14.
    """
    _, counts = aligned_points(as_stored([reference, current]))
    if not counts.size or not counts.sum(axis=1).all():
        return math.nan
    gaps = np.cumsum(counts[0]) / counts[0].sum() - np.cumsum(counts[1]) / counts[1].sum()
    return float(np.abs(gaps).max())


def wasserstein(reference: ColumnProfile, current: ColumnProfile) -> float:
    """Earth mover's distance: by how much values have moved on average, in the column's unit.

    Returns:
        At least 0; infinite where infinities have moved; NaN where a window has no values. From bins it
        is within 2**-8 of the sum of both windows' mean absolute values (and 2**-1028, for denormals).

    Source:
        Vallender (1974), Theory of Probability and its Applications 18:784-786.
    """
    points, counts = aligned_points(as_stored([reference, current]))
    if not counts.size or not counts.sum(axis=1).all():
        return math.nan
    gaps = np.abs(np.cumsum(counts[0]) / counts[0].sum() - np.cumsum(counts[1]) / counts[1].sum())[:-1]
    gaps[gaps < 1e-15] = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.diff(points / 2.0)  # halved, so that the widest step does not overflow
        return float(2.0 * np.where(gaps > 0.0, gaps * steps, 0.0).sum())


def wasserstein_normed(reference: ColumnProfile, current: ColumnProfile) -> float:
    """Earth mover's distance in standard deviations of the reference.

    Returns:
        At least 0; infinite where a constant has moved; NaN where a window has no values, or the reference's
        standard deviation is beyond floating point. Bounds as for :func:`wasserstein`, over that deviation.
    """
    distance = wasserstein(reference, current)
    moments = reference.moments
    if moments is None or moments.count == 0 or not math.isfinite(moments.m2):
        return math.nan
    deviation = math.sqrt(max(0.0, moments.m2) / moments.count)
    if deviation == 0.0:
        return math.inf if distance > 0.0 else distance
    return distance / deviation


def _edges(points: Floats, counts: Floats) -> Floats:
    """Inner edges that cut the reference into cells of about equal mass; few for few distinct values."""
    total = counts.sum()
    if not total:
        return np.empty(0)
    cumulated = np.cumsum(counts)
    at = np.searchsorted(cumulated, total * np.arange(1, CELLS) / CELLS, side="left")
    following = np.minimum(at + 1, points.size - 1)
    return np.unique(points[following])


def _normal(counts: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        normal: Floats = counts / counts.sum()
    return normal
