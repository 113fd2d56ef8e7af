"""What two windows of given sizes could have shown: critical values, and the rows a pass needs.

A shift is *shown* where its p-value reaches the level, and a window is *large enough* where a shift of the
tolerated size would have been shown with the stated power. Both have one form: with ``v = 1/n + 1/m``, a
shift is shown beyond ``a * sqrt(v + w**2)`` and found with the stated power beyond ``a * sqrt(v + w**2) +
b * sqrt(v)``; for a gap of distribution functions ``w`` is 0 and the harmless gap is added.
"""

from dataclasses import dataclass

import numpy as np

from aims_pipelines.stats.shifts import (
    CORRELATION_PER_TOTAL_VARIATION,
    FIRST,
    HARMLESS_GAP,
    SD_PER_TOTAL_VARIATION,
    Shift,
    Shifts,
    sampling_variance,
)
from aims_pipelines.stats.tails import Floats, normal_score


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What the test of one shift can show, one entry a unit.

    Args:
        limit: Smallest observed shift that would have been shown, in the unit of what was observed.
        largest_variance: Largest ``1/n + 1/m`` with which the tolerated shift is found with the stated power;
            infinite where no shift of the values could matter, 0 where no number of rows would do.
    """

    limit: Floats
    largest_variance: Floats


def resolution(
    shifts: Shifts, *, level: Floats, shown_level: Floats, tolerated: float, power: float, wobble: float
) -> Resolution:
    """Work out what tests can show.

    Args:
        shifts: The tests made, of one column or of several joined.
        level: Level that each test is sure to have, in (0, 1): the family's, divided by its tests.
        shown_level: Level that it turned out to have, at least as large.
        tolerated: Shift that a pass must have been able to show, a fraction of the unit's rows. Where few
            rows have a value, those must shift more to amount to it.
        power: Chance of showing it, in (0.5, 1).
        wobble: As for the tests.

    Returns:
        Limits, and the variance that a pass needs. For ordered values the tolerated shift is a difference
        of the distribution functions, wherever it lies; for categories, one category's share.
    """
    # An empty window shows nothing; a large number says so without infinity times zero.
    variance = np.minimum(sampling_variance(shifts.before, shifts.after), 1e6)
    found = normal_score(np.array(1.0 - power))
    with np.errstate(divide="ignore"):
        needed = np.where(shifts.present > 0.0, tolerated / shifts.present, np.inf)
    some = np.minimum(needed, 0.999)
    of_ordered, of_share, harmless = wobble * SD_PER_TOTAL_VARIATION, 2.0 * wobble, wobble * HARMLESS_GAP
    limit = np.where(
        shifts.kind == Shift.LOCATION,
        _single(shifts, shown_level) * np.sqrt(variance + of_ordered**2),
        np.where(
            shifts.kind == Shift.SHAPE,
            _gap(shown_level) * np.sqrt(variance) + harmless,
            _single(shifts, shown_level) * shifts.spread * np.sqrt(variance + of_share**2),
        ),
    )
    nearest = (1.0 - np.sqrt(np.maximum(0.0, 1.0 - 4.0 * np.square(shifts.spread)))) / 2.0
    nearest = np.minimum(0.5, nearest + some / 2.0)
    spread = np.sqrt(nearest * (1.0 - nearest))
    single = _single(shifts, level)
    largest = np.where(
        shifts.ordered,
        _largest_variance(_gap(level), found / 2.0, 0.0, some - harmless),
        _largest_variance(single * spread, found * spread, of_share, some),
    )
    if shifts.coarse.any():
        means = _largest_variance(single, found, of_ordered, 2.0 * normal_score((1.0 - some) / 2.0))
        largest = np.where(shifts.coarse, means, largest)
    return Resolution(
        limit=np.where(np.isin(shifts.kind, (Shift.SHARES, Shift.NEW_VALUES)), np.nan, limit),
        largest_variance=np.where(needed >= 1.0, np.inf, largest),
    )


def dependence_resolution(
    shifts: Shifts,
    *,
    level: Floats,
    shown_level: Floats,
    tolerated: float,
    power: float,
    wobble: float,
    freedom: Floats,
) -> Resolution:
    """Work out what tests of the dependence of pairs can show; arguments and result as for :func:`resolution`.

    ``freedom`` are the degrees of freedom that the cells come to in windows of many rows.

    Whatever the change: if it moves ``tolerated`` of the rows to other cells, chi-square's noncentrality is at least
    ``4 * tolerated**2 / v``, as the sum of ``d**2 / p`` over the cells is at least the square of the sum of ``|d|``.
    Cells too small to judge might hide as much of it as they hold rows.

    Source:
        Cohen (1988), Statistical Power Analysis, chapter 7, for the noncentrality.
    """
    variance = np.minimum(sampling_variance(shifts.before, shifts.after), 1e6)
    asked = shifts.spread > 0.0
    single = normal_score(shown_level * FIRST / 2.0)
    of_ranks = wobble * CORRELATION_PER_TOTAL_VARIATION
    excess = _critical(shifts.tests, np.where(asked, 1.0 - FIRST, 1.0) * shown_level)
    damped = variance / (variance + (2.0 * wobble) ** 2)
    limit = np.where(
        shifts.kind == Shift.ASSOCIATION,
        single * np.sqrt(variance * np.square(shifts.spread) + of_ranks**2),
        0.5 * np.sqrt(np.maximum(excess / damped - shifts.tests, 0.0) * variance),
    )
    cells_level = np.where(asked, 1.0 - FIRST, 1.0) * level
    room = np.maximum(tolerated - (1.0 - shifts.present), 0.0)

    def largest(critical: Floats, freedom: Floats, shift: Floats) -> Floats:
        parts = zip(critical.tolist(), freedom.tolist(), shift.tolist(), strict=True)
        return np.array(
            [_dependence_variance(*part, power=power, wobble=wobble) for part in parts], dtype=np.float64
        )

    able = largest(_critical(shifts.tests, cells_level), shifts.tests, room)
    # More rows are looked at in more cells, and leave fewer rows in cells too small to judge.
    freedom = np.maximum(freedom, shifts.tests)
    wanted = largest(_critical(freedom, cells_level), freedom, np.full(room.size, 0.9 * tolerated))
    wanted = np.minimum(wanted, variance * 0.9)
    return Resolution(limit=limit, largest_variance=np.where(variance <= able, able, wanted))


def _critical(freedom: Floats, level: Floats) -> Floats:
    """Value that chi-square exceeds with a chance of ``level``."""
    from scipy.special import chdtri

    return np.where(freedom > 0.0, chdtri(np.maximum(freedom, 1.0), level), 0.0)


def _dependence_variance(
    critical: float, freedom: float, shift: float, *, power: float, wobble: float
) -> float:
    """Largest variance with which chi-square, damped by wobble, shows a shift; 0 where none will do."""
    from scipy.special import chndtr

    def shown(variance: float) -> bool:
        needed = critical * (1.0 + (2.0 * wobble) ** 2 / variance)
        return bool(chndtr(needed, freedom, 4.0 * shift**2 / variance) <= 1.0 - power)

    low, high = max(shift**2 / 1e4, 1e-12), 2.0
    if shift <= 0.0 or not shown(low):
        return 0.0
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if shown(middle) else (low, middle)
    return low


def _single(shifts: Shifts, level: Floats) -> Floats:
    """Critical value of a location or a single share, in standard errors."""
    two_questions = shifts.ordered | (shifts.tests > 1.0)
    return normal_score(level * np.where(two_questions, FIRST, 1.0) / shifts.tests / 2.0)


def _gap(level: Floats) -> Floats:
    """Critical value of a distribution gap, in units of the root of the variance."""
    return np.sqrt(np.log(2.0 / (level * (1.0 - FIRST))) / 2.0)


def rows_needed(largest_variance: float, *, before: float, after: float, rows: int) -> int | None:
    """Rows of the current window that would have been enough for a pass.

    Args:
        largest_variance: As in :class:`Resolution`.
        before: Rows of the reference window that count for the test.
        after: Rows of the current window that count for the test.
        rows: All rows of the current window.

    Returns:
        Rows of the current window at the same shares; of both windows, where the reference is itself too
        small. ``None`` where no number is known to do.
    """
    if largest_variance <= 0.0 or after <= 0.0 or not np.isfinite(largest_variance):
        return None
    left = largest_variance - 1.0 / before if before > 0.0 else 0.0
    # A window far larger than its reference gains nothing: then both have to grow.
    members = 1.0 / left if left > largest_variance / 4.0 else 2.0 / largest_variance
    return max(rows + 1, int(np.ceil(members * rows / after)))


def _largest_variance(a: Floats, b: Floats, wobble: float, shift: Floats) -> Floats:
    """Solve ``a * sqrt(v + wobble**2) + b * sqrt(v) = shift`` for ``v``; 0 where wobble alone exceeds it."""
    room = np.square(shift) - np.square(a * wobble)
    root = np.sqrt(np.maximum(0.0, np.square(shift * b) + (np.square(a) - np.square(b)) * room))
    with np.errstate(divide="ignore", invalid="ignore"):
        s = room / (shift * b + root)
    return np.where((room > 0.0) & (shift > 0.0), np.square(s), 0.0)
