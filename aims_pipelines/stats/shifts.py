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
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.aligned import aligned_categories, aligned_points, as_stored
from aims_pipelines.stats.hashing import mix
from aims_pipelines.stats.novelty import new_values
from aims_pipelines.stats.profile import ColumnProfile, Kind
from aims_pipelines.stats.tails import Floats, chi_square, kolmogorov, normal, normal_score, share, skewed

#: Share of a column's level that its first question gets.
FIRST = 0.95
#: Standard deviations of a normal variable by which it shifts for each unit of total variation, near zero.
SD_PER_TOTAL_VARIATION = float(np.sqrt(2.0 * np.pi))
#: Change of a rank correlation for each unit of total variation of the joint table of two normal columns, near none.
CORRELATION_PER_TOTAL_VARIATION = float(np.pi)
#: Fewest rows of both windows together for which a category is judged by itself.
_FEWEST = 20.0
#: Fewest rows expected in the smaller window for a category's part in chi-square.
_FEWEST_EXPECTED = 5.0
#: Rows expected in the smaller window for each set of rarer categories, and most such sets.
_EXPECTED_OF_RARE = 10.0
_MOST_SETS = 1024
#: Part of the values at either end that is clipped before means are taken.
_CLIPPED = 0.001
#: Largest gap of the distribution functions that is harmless, in wobbles.
HARMLESS_GAP = 7.0
#: Beyond so many standard deviations from zero the bins are too wide to judge a location by.
_FAR_FROM_ZERO = 16.0


class Shift(IntEnum):
    """What a p-value says has changed."""

    LOCATION = 0
    SHAPE = 1
    SHARE = 2
    SHARES = 3
    ASSOCIATION = 4
    DEPENDENCE = 5
    NEW_VALUES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifts:
    """Shifts of one column (or of one table of shares), one entry a unit: the whole table, then groups.

    Args:
        p: P-value of the stronger of the two questions, adjusted for asking both; 1 where a window is empty.
        kind: The question, a :class:`Shift`.
        observed: The shift in that question's unit: standard deviations, or a fraction of the rows with a
            value.
        possible: Whether there was anything to test: more than one value or category.
        before: Rows with a value in the reference window.
        after: Rows with a value in the current window.
        spread: Standard deviation of the unit that shifts: 1 for a location, at most 0.5 for shares and
            shapes.
        tests: Categories judged one by one; 1 for ordered values.
        cell: Index of the category that moved most; -1 where none.
        ordered: Whether the values have an order.
        coarse: Whether bins were too wide for the shape, so that only the mean was judged.
        present: Smaller share of rows with a value, of the two windows.
    """

    p: Floats
    kind: NDArray[np.int64]
    possible: NDArray[np.bool_]
    observed: Floats
    before: Floats
    after: Floats
    spread: Floats
    tests: Floats
    cell: NDArray[np.int64]
    ordered: NDArray[np.bool_]
    coarse: NDArray[np.bool_]
    present: Floats


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


def share_shifts(before: Floats, after: Floats, *, wobble: float, present: Floats) -> Shifts:
    """Compare shares of categories.

    Args:
        before: Rows per unit and category in the reference window, shape (units, categories).
        after: The same of the current window.
        wobble: Standard deviation of harmless shifts between windows, as total variation distance.
        present: Smaller share of rows with a value, per unit.

    Returns:
        Shifts of kind ``SHARE`` or ``SHARES``. Categories with fewer than 20 rows in both windows of the
        whole table together are taken as one; where the shares are judged together, as random sets of some of
        them, in which it shows if others take their place.
    """
    n, m = before.sum(axis=1), after.sum(axis=1)
    variance = _variance(n, m)
    units = n.size
    kept = np.flatnonzero((before[0] + after[0]) >= _FEWEST)
    all_before, all_after = _with_sets(before, after, kept, n, m)
    before, after = _with_rest(before, kept, n), _with_rest(after, kept, m)
    cells = before.shape[1]
    if np.count_nonzero(all_before[0] + all_after[0]) < 2 or not np.isfinite(variance).any():
        return _unmoved(n, m, present, ordered=False)
    damping = _damping(variance, wobble)
    alone = 1 if all_before.shape[1] == 2 else cells
    b, a, nn, mm = before[:, :alone], after[:, :alone], n[:, None], m[:, None]
    rose = a * nn > b * mm
    tail = share(np.where(rose, a, b), np.where(rose, mm, nn), np.where(rose, b, a), np.where(rose, nn, mm))
    by_cell = np.minimum(1.0, 2.0 * normal(normal_score(tail) * damping[:, None]))
    cell = np.argmin(by_cell, axis=1)
    at = np.arange(units)
    p_one = np.minimum(1.0, alone * by_cell[at, cell])
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = np.nan_to_num(after / mm - before / nn)
        together = 0.5 * np.abs(np.nan_to_num(all_after / mm - all_before / nn)).sum(axis=1)
        pooled = (before + after) / (n + m)[:, None]
    p, use_all = p_one, np.zeros(units, dtype=bool)
    if all_before.shape[1] > 2:
        first = p_one / FIRST
        second = _shares_together(all_before, all_after, n, m, damping) / (1.0 - FIRST)
        use_all = second < first if kept.size else np.ones(units, dtype=bool)
        p = np.minimum(1.0, np.where(use_all, second, first))
    return Shifts(
        p=p,
        kind=np.where(use_all, int(Shift.SHARES), int(Shift.SHARE)),
        possible=((all_before + all_after) > 0.0).sum(axis=1) > 1,
        observed=np.where(use_all, together, moved[at, cell]),
        before=n,
        after=m,
        spread=_largest_spread(np.nan_to_num(pooled)) if kept.size else np.full(units, 0.5),
        tests=np.full(units, float(alone)),
        cell=np.where(cell >= kept.size, -1, np.append(kept, -1)[np.minimum(cell, kept.size)]),
        ordered=np.zeros(units, dtype=bool),
        coarse=np.zeros(units, dtype=bool),
        present=present,
    )


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
    variance = _variance(n, m)
    if not np.isfinite(variance).any():
        return _unmoved(n, m, present, ordered=True)
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


def _shares_together(before: Floats, after: Floats, n: Floats, m: Floats, damping: Floats) -> Floats:
    size = n + m
    whole = before[0] + after[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        smaller = min(n[0], m[0]) / size[0]
        often = np.flatnonzero(whole * smaller >= _FEWEST_EXPECTED)
        b, a = _with_rest(before, often, n), _with_rest(after, often, m)
        expected = (a + b) * (m / size)[:, None]
        other = (a + b) * (n / size)[:, None]
        parts = np.square(a - expected) * (1.0 / expected + 1.0 / other)
        filled = (a + b) > 0.0
    value = np.where(filled, np.nan_to_num(parts, posinf=0.0), 0.0).sum(axis=1)
    return chi_square(value * np.square(damping), filled.sum(axis=1) - 1.0)


def _with_sets(
    before: Floats, after: Floats, kept: NDArray[np.intp], n: Floats, m: Floats
) -> tuple[Floats, Floats]:
    """Counts of the categories kept, and of the others in sets, drawn without regard to the counts.

    Where each of many rare categories gives way to another, all of them together keep their share. In a random
    set of few of them the share then changes, and it does not where they only vary as samples do.
    """
    whole = before[0] + after[0]
    rare = np.setdiff1d(np.flatnonzero(whole), kept)
    expected = whole[rare].sum() * min(n[0], m[0]) / max(n[0] + m[0], 1.0)
    sets = min(rare.size, _MOST_SETS, int(expected / _EXPECTED_OF_RARE))
    if sets < 2:
        return _with_rest(before, kept, n), _with_rest(after, kept, m)
    drawn = (mix(np.arange(rare.size, dtype=np.uint64)) % np.uint64(sets)).astype(np.intp)
    member = np.zeros((rare.size, sets))
    member[np.arange(rare.size), drawn] = 1.0
    return (
        np.concatenate([before[:, kept], before[:, rare] @ member], axis=1),
        np.concatenate([after[:, kept], after[:, rare] @ member], axis=1),
    )


def _with_rest(counts: Floats, kept: NDArray[np.intp], total: Floats) -> Floats:
    chosen = counts[:, kept]
    if kept.size == counts.shape[1]:
        return chosen
    return np.concatenate([chosen, (total - chosen.sum(axis=1))[:, None]], axis=1)


def _largest_spread(shares: Floats) -> Floats:
    nearest = 0.5 - np.abs(shares - 0.5).min(axis=1)
    spread: Floats = np.sqrt(nearest * (1.0 - nearest))
    return spread


def _unmoved(before: Floats, after: Floats, present: Floats, *, ordered: bool) -> Shifts:
    units = before.size
    return Shifts(
        p=np.ones(units),
        kind=np.full(units, int(Shift.SHAPE if ordered else Shift.SHARE)),
        possible=np.zeros(units, dtype=bool),
        observed=np.zeros(units),
        before=before,
        after=after,
        spread=np.zeros(units),
        tests=np.ones(units),
        cell=np.full(units, -1),
        ordered=np.full(units, ordered),
        coarse=np.zeros(units, dtype=bool),
        present=present,
    )


def _damping(variance: Floats, wobble: float) -> Floats:
    """Share of a standardised shift's standard deviation that is sampling, the rest being wobble."""
    with np.errstate(invalid="ignore"):
        sampled: Floats = np.sqrt(variance / (variance + (2.0 * wobble) ** 2))
        sampled[~np.isfinite(variance)] = 1.0
    return sampled


def _variance(n: Floats, m: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return 1.0 / n + 1.0 / m


def _present(columns: Sequence[ColumnProfile]) -> Floats:
    return np.array([1.0 - item.missing / item.rows if item.rows else 0.0 for item in columns])


def _halves(counts: Floats) -> tuple[Floats, Floats]:
    return counts[: len(counts) // 2], counts[len(counts) // 2 :]
