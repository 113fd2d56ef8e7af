"""What changed in one column between two windows, in the whole table and inside each group, with p-values.

Vectorised over *units*: unit 0 is the whole table, the others are groups. Two questions are asked of each
column, and nineteen twentieths of its share of the level go to the first:

- ordered values (numbers, times): has the location shifted (mean of the values, clipped at the outermost
  thousandths of both windows together, in standard deviations of the same)? And has the shape changed
  anywhere (largest difference of the distribution functions, a fraction of rows)?
- categories: has any one category's share moved? And have the shares moved together (chi-square)? Where there are
  too many to name, the second question is shared with a third: has one window values that the other lacks?

Every test is one of *two noisy samples*, and of the null hypothesis that the true shift is no more than
ordinary wobble between windows: a random shift with mean 0 and a stated standard deviation, added to
sampling noise. For the shape, where a small move of an edge or of a frequent value makes a large gap, the
null hypothesis is a gap of up to seven times that standard deviation.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aims_pipelines.stats.aligned import aligned_categories, aligned_points, as_stored
from aims_pipelines.stats.novelty import new_values
from aims_pipelines.stats.profile import ColumnProfile, Kind
from aims_pipelines.stats.share_shifts import share_shifts
from aims_pipelines.stats.shifts import (
    FIRST,
    HARMLESS_GAP,
    SD_PER_TOTAL_VARIATION,
    Shift,
    Shifts,
    sampling_variance,
    unmoved,
)
from aims_pipelines.stats.tails import Floats, kolmogorov, skewed

#: Part of the values at either end that is clipped before means are taken.
_CLIPPED = 0.001
#: Beyond so many standard deviations from zero the bins are too wide to judge a location by.
_FAR_FROM_ZERO = 16.0


def column_shifts(
    reference: Sequence[ColumnProfile], current: Sequence[ColumnProfile], *, wobble: float
) -> tuple[Shifts, tuple[str, ...] | None]:
    """Compare the values of one column, missing ones left out.

    Args:
        reference: The column in the reference window: of the whole table first, then of each group.
        current: The same of the current window, in the same order.
        wobble: Standard deviation of harmless shifts between windows, as total variation distance.

    Returns:
        The shifts, and for categories that are known by name their labels, in the order of ``Shifts.cell``.
    """
    present = np.minimum(_present(reference), _present(current))
    if reference[0].kind is Kind.CATEGORICAL:
        labels, counts = aligned_categories([item.categories for item in (*reference, *current)])
        shares = share_shifts(*_halves(counts), wobble=wobble, present=present)
        return (shares if labels is not None else _or_new_values(shares, reference, current, wobble)), labels
    columns = [item for pair in zip(reference, current, strict=True) for item in pair]
    points, counts = aligned_points(as_stored(columns), wholes=2)
    if points.size <= 2:
        return share_shifts(counts[0::2], counts[1::2], wobble=wobble, present=present), None
    means = _far_from_zero(reference, current)
    return _ordered_shifts(
        points, counts[0::2], counts[1::2], wobble=wobble, present=present, means=means
    ), None


def missing_shifts(
    reference: Sequence[ColumnProfile], current: Sequence[ColumnProfile], *, wobble: float
) -> Shifts:
    """Compare the share of missing values of one column; arguments as for :func:`column_shifts`."""
    before = np.array([[item.missing, item.rows - item.missing] for item in reference], dtype=np.float64)
    after = np.array([[item.missing, item.rows - item.missing] for item in current], dtype=np.float64)
    return share_shifts(before, after, wobble=wobble, present=np.ones(len(reference)))


def _or_new_values(
    shares: Shifts, reference: Sequence[ColumnProfile], current: Sequence[ColumnProfile], wobble: float
) -> Shifts:
    """Shifts of hashed shares, or of what is in one window alone where that is the stronger."""
    alone, share = new_values(
        [item.categories for item in reference],
        [item.categories for item in current],
        harmless=HARMLESS_GAP * wobble,
    )
    # The shares together and the new values halve what is left of the level.
    together = np.where(shares.kind == Shift.SHARES, np.minimum(1.0, 2.0 * shares.p), shares.p)
    second = np.minimum(1.0, 2.0 * alone / (1.0 - FIRST))
    use_new = second < together
    return replace(
        shares,
        p=np.where(use_new, second, together),
        kind=np.where(use_new, int(Shift.NEW_VALUES), shares.kind),
        observed=np.where(use_new, share, shares.observed),
        possible=shares.possible | use_new,
    )


def _ordered_shifts(
    points: Floats,
    before: Floats,
    after: Floats,
    *,
    wobble: float,
    present: Floats,
    means: tuple[Floats, Floats, Floats] | None,
) -> Shifts:
    """Compare ordered values, given as counts at common points, shape (units, points)."""
    n, m = before.sum(axis=1), after.sum(axis=1)
    variance = sampling_variance(n, m)
    if not np.isfinite(variance).any():
        return unmoved(n, m, present, ordered=True)
    damped = variance + (wobble * SD_PER_TOTAL_VARIATION) ** 2
    if means is None:
        location, skewness = _clipped_shift(points, before, after, n, m)
    else:
        location, skewness = _mean_shift(*means), np.zeros(n.size)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.nan_to_num(location / np.sqrt(damped))
        gaps = np.cumsum(after / m[:, None] - before / n[:, None], axis=1)
    p_location = np.minimum(1.0, 2.0 * skewed(np.abs(z), np.sign(z) * skewness))
    shape = np.abs(np.nan_to_num(gaps)).max(axis=1)
    p_shape = kolmogorov(np.maximum(0.0, shape - HARMLESS_GAP * wobble), variance)
    first, second = p_location / FIRST, p_shape / (1.0 - FIRST)
    use_shape = second < first
    return Shifts(
        p=np.minimum(1.0, np.where(use_shape, second, first)),
        kind=np.where(use_shape, int(Shift.SHAPE), int(Shift.LOCATION)),
        possible=((before + after) > 0.0).sum(axis=1) > 1,
        observed=np.where(use_shape, shape, location),
        before=n,
        after=m,
        spread=np.full(n.size, 0.5),
        tests=np.ones(n.size),
        cell=np.full(n.size, -1),
        ordered=np.ones(n.size, dtype=bool),
        coarse=np.full(n.size, means is not None),
        present=present,
    )


def _clipped_shift(
    points: Floats, before: Floats, after: Floats, n: Floats, m: Floats
) -> tuple[Floats, Floats]:
    """Shift of the mean of clipped values in pooled deviations, and its null distribution's skewness."""
    whole = before[0] + after[0]
    ranks = (np.cumsum(whole) - whole / 2.0) / max(whole.sum(), 1.0)
    inner = points[(ranks >= _CLIPPED) & (ranks <= 1.0 - _CLIPPED) & np.isfinite(points)]
    if not inner.size:
        inner = points[np.isfinite(points)]
    if not inner.size:
        return np.zeros(n.size), np.zeros(n.size)
    # Centred and scaled by hand, so that neither huge nor denormal values spoil the sums.
    low, high = inner[0], inner[-1]
    middle, half = low / 2.0 + high / 2.0, max(high / 2.0 - low / 2.0, 5e-324)
    scores = (np.clip(points, low, high) - middle) / half
    powers = np.stack([scores, scores**2, scores**3], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        was, now = before @ powers / n[:, None], after @ powers / m[:, None]
        size = n + m
        raw = (was * n[:, None] + now * m[:, None]) / size[:, None]
        mean, second, third = raw[:, 0], raw[:, 1], raw[:, 2]
        spread = np.sqrt(np.maximum(0.0, second - mean**2) * size / (size - 1.0))
        location = np.where(spread > 1e-9, (now[:, 0] - was[:, 0]) / spread, 0.0)
        lopsided = (third - 3.0 * mean * second + 2.0 * mean**3) / spread**3
        part = m / size
        skewness = lopsided * (1.0 - 2.0 * part) / np.sqrt(m * (1.0 - part))
    return np.nan_to_num(location), np.nan_to_num(skewness, posinf=0.0, neginf=0.0)


def _mean_shift(was: Floats, now: Floats, spread: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.where(spread > 0.0, (now - was) / spread, 0.0), posinf=0.0, neginf=0.0)


def _far_from_zero(
    reference: Sequence[ColumnProfile], current: Sequence[ColumnProfile]
) -> tuple[Floats, Floats, Floats] | None:
    """Means and pooled standard deviations, where values lie so far from zero that bins hide a shift."""
    wholes = (reference[0], current[0])
    if all(
        item.distribution is None or item.distribution.exact or item.distribution.resolution
        for item in wholes
    ):
        return None
    was, first = _moments(reference)
    now, second = _moments(current)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        size = first[:, 0] + second[:, 0]
        between = first[:, 0] * second[:, 0] / size * (now - was) ** 2
        spread = np.sqrt((first[:, 1] + second[:, 1] + between) / (size - 1.0))
    far = (
        spread[0] > 0.0
        and abs(was[0]) > _FAR_FROM_ZERO * spread[0]
        and abs(now[0]) > _FAR_FROM_ZERO * spread[0]
    )
    return (was, now, spread) if far else None


def _moments(columns: Sequence[ColumnProfile]) -> tuple[Floats, Floats]:
    empty = (np.nan, 0, 0.0)
    rows = [
        empty if item.moments is None else (item.moments.mean, item.moments.count, item.moments.m2)
        for item in columns
    ]
    table = np.array(rows, dtype=np.float64)
    return table[:, 0], table[:, 1:]


def _present(columns: Sequence[ColumnProfile]) -> Floats:
    return np.array([1.0 - item.missing / item.rows if item.rows else 0.0 for item in columns])


def _halves(counts: Floats) -> tuple[Floats, Floats]:
    return counts[: len(counts) // 2], counts[len(counts) // 2 :]
