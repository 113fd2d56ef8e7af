"""Bins that need no edges chosen ahead, so that any two profiles are comparable.

A value's bin is the top 19 bits of its float64: sign, exponent and 7 bits of the mantissa. The representative
is the middle of the bin, at most 2**-8 (0.4 %) of the value away. Zero and the denormals below 2**-1029 share
the bin of zero; other denormals are within 2**-1030 of theirs; each infinity is its own bin.

Points in time would be blurred by months that way (they are all near 2**30 seconds); they go into equal steps
instead, from a second upwards, each step a multiple of the one before.

Source: Masson, Rim, Lee (2019), DDSketch, VLDB 12(12) for the relative error; the linear mantissa is that of
HDR histograms.
"""

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.profile import TIME_CAP

#: float64 bits below a key.
KEY_SHIFT = 45
#: Number of keys: sign, 11 bits of exponent, 7 of mantissa.
KEYS = 1 << (64 - KEY_SHIFT)
_NEGATIVE_ZERO = KEYS >> 1
#: Steps in seconds: second, minute, hour, day, then four times the one before.
TIME_STEPS: tuple[float, ...] = (1.0, 60.0, 3600.0, *(86400.0 * 4**power for power in range(20)))

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def keys_of(values: Floats) -> Counts:
    """Bins of values that are not NaN, as integers in [0, 2**19)."""
    bits = np.ascontiguousarray(values, np.float64).view(np.uint64)
    return (bits >> np.uint64(KEY_SHIFT)).astype(np.int64)


def representatives(keys: Counts) -> Floats:
    """Middles of bins; zero and the infinities stand for themselves."""
    bits = (keys.astype(np.uint64) << np.uint64(KEY_SHIFT)) | np.uint64(1 << (KEY_SHIFT - 1))
    points = bits.view(np.float64).copy()
    points[(keys == 0) | (keys == _NEGATIVE_ZERO)] = 0.0
    spoiled = np.isnan(points)
    if spoiled.any():  # the middle of an infinity's bin reads as NaN
        points[spoiled] = np.where(keys[spoiled] >= _NEGATIVE_ZERO, -np.inf, np.inf)
    return points


def gather(points: Floats, counts: Counts) -> tuple[Floats, Counts]:
    """Sort points and add up the counts of equal ones; points without counts are left out."""
    if len(points) > 1 and bool(np.all(points[1:] > points[:-1])):
        unique, total = points, counts
    else:
        unique, inverse = np.unique(points, return_inverse=True)
        total = np.zeros(len(unique), np.int64)
        np.add.at(total, inverse, counts)
    kept = total > 0
    return (unique, total) if kept.all() else (unique[kept], total[kept])


def collapse(points: Floats, counts: Counts) -> tuple[Floats, Counts]:
    """Move values to their bins' representatives; representatives stay where they are."""
    return gather(representatives(keys_of(points)), counts)


def into_steps(points: Floats, counts: Counts, step: float) -> tuple[Floats, Counts]:
    """Move points in time to the middles of equal steps; the middles of smaller steps fall into the right
    ones."""
    return gather((_step_numbers(points, step) + 0.5) * step, counts)


def step_for(points: Floats, smallest: float) -> float:
    """Find the smallest step, at least ``smallest`` seconds, for which at most ``TIME_CAP`` steps are
    occupied."""
    for step in TIME_STEPS:
        if step >= smallest and len(np.unique(_step_numbers(points, step))) <= TIME_CAP:
            return step
    return TIME_STEPS[-1]


def _step_numbers(points: Floats, step: float) -> Floats:
    # By way of whole seconds, so that going through a smaller step first ends in the same place.
    return np.floor((np.floor(points) + 0.5) / step)
