"""What changed in the shares of categories between two windows: of any one of them, and of all together."""

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.hashing import mix
from aims_pipelines.stats.shifts import FIRST, Shift, Shifts, sampling_variance, unmoved
from aims_pipelines.stats.tails import Floats, chi_square, normal, normal_score, share

#: Fewest rows of both windows together for which a category is judged by itself.
_FEWEST = 20.0
#: Fewest rows expected in the smaller window for a category's part in chi-square.
_FEWEST_EXPECTED = 5.0
#: Rows expected in the smaller window for each set of rarer categories, and most such sets.
_EXPECTED_OF_RARE = 10.0
_MOST_SETS = 1024


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
    variance = sampling_variance(n, m)
    units = n.size
    kept = np.flatnonzero((before[0] + after[0]) >= _FEWEST)
    all_before, all_after = _with_sets(before, after, kept, n, m)
    before, after = _with_rest(before, kept, n), _with_rest(after, kept, m)
    cells = before.shape[1]
    if np.count_nonzero(all_before[0] + all_after[0]) < 2 or not np.isfinite(variance).any():
        return unmoved(n, m, present, ordered=False)
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


def _damping(variance: Floats, wobble: float) -> Floats:
    """Share of a standardised shift's standard deviation that is sampling, the rest being wobble."""
    with np.errstate(invalid="ignore"):
        sampled: Floats = np.sqrt(variance / (variance + (2.0 * wobble) ** 2))
        sampled[~np.isfinite(variance)] = 1.0
    return sampled
