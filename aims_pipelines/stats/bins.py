"""Bins that need no edges chosen ahead, so that any two profiles are comparable.

A value's bin is the top bits of its float64: sign, exponent and at least 7 bits of the mantissa. The representative is
the middle of the bin, at most 2**-8 (0.4 %) of the value away. Zero and the denormals below 2**-1029 share the bin of
zero; other denormals are within 2**-1030 of theirs; each infinity is its own bin.

Values that lie far from zero, all on one side of it, would share a few such bins. For them more bits of the mantissa
are kept: as many as leave no more than ``SPAN`` bins between the smallest and the largest. That depends on nothing but
these two, and coarser bins are unions of finer ones, so profiles still add up.

Points in time would need yet another zero; they go into equal steps instead, from a second upwards, each step a
multiple of the one before.

Sources: Masson, Rim, Lee (2019), DDSketch, VLDB 12(12) for the relative error; the linear mantissa is that of HDR
histograms.
"""

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.profile import TIME_CAP

#: Fewest bits of the mantissa in a key, and most.
MANTISSA_BITS = 7
FINEST = 40
#: float64 bits below a key of the fewest bits, and the number of these keys.
KEY_SHIFT = 52 - MANTISSA_BITS
KEYS = 1 << (64 - KEY_SHIFT)
#: Most keys between the smallest and the largest value for which more bits are kept.
SPAN = 2048
_TINY = float(np.finfo(np.float64).tiny)
#: Steps in seconds: second, minute, hour, day, then four times the one before.
TIME_STEPS: tuple[float, ...] = (1.0, 60.0, 3600.0, *(86400.0 * 4**power for power in range(20)))

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def keys_of(values: Floats, bits: int = MANTISSA_BITS) -> Counts:
    """Bins of values that are not NaN, as integers in [0, 2**(12 + bits))."""
    words = np.ascontiguousarray(values, np.float64).view(np.uint64)
    return (words >> np.uint64(52 - bits)).astype(np.int64)


def representatives(keys: Counts, bits: int = MANTISSA_BITS) -> Floats:
    """Middles of bins; zero and the infinities stand for themselves."""
    words = (keys.astype(np.uint64) << np.uint64(52 - bits)) | np.uint64(1 << (51 - bits))
    points = words.view(np.float64).copy()
    negative_zero = 1 << (11 + bits)
    points[(keys == 0) | (keys == negative_zero)] = 0.0
    spoiled = np.isnan(points)
    if spoiled.any():  # the middle of an infinity's bin reads as NaN
        points[spoiled] = np.where(keys[spoiled] >= negative_zero, -np.inf, np.inf)
    return points


def bits_for(points: Floats, most: int = FINEST, *, fewest: int = MANTISSA_BITS, span: int = SPAN) -> int:
    """Find how many bits of the mantissa to keep for values: at most ``most``, at least ``fewest``.

    Zeros and infinities have bins of their own and do not count; denormals and values on both sides of zero ask for
    the fewest. More are kept where they leave less than ``span`` keys between the smallest and the largest.
    """
    sizes = np.abs(points[np.isfinite(points) & (points != 0.0)])
    if not len(sizes):
        return most
    ends = np.array([sizes.min(), sizes.max()])
    ordinary = points[np.isfinite(points)]
    if ends[0] < _TINY or (ordinary.min() < 0.0 < ordinary.max()):
        return fewest
    low, high = (int(word) for word in ends.view(np.uint64))
    for bits in range(most, fewest, -1):
        if (high >> (52 - bits)) - (low >> (52 - bits)) < span:
            return bits
    return fewest


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


def collapse(points: Floats, counts: Counts, bits: int = MANTISSA_BITS) -> tuple[Floats, Counts]:
    """Move values to their bins' representatives; representatives stay where they are."""
    return gather(representatives(keys_of(points, bits), bits), counts)


def into_steps(points: Floats, counts: Counts, step: float) -> tuple[Floats, Counts]:
    """Move points in time to the middles of equal steps; the middles of smaller steps fall into the right
    ones."""
    return gather(step_middles(step_numbers(points, step), step), counts)


def step_for(points: Floats, smallest: float) -> float:
    """Find the smallest step, at least ``smallest`` seconds, for which at most ``TIME_CAP`` steps are
    occupied."""
    for step in TIME_STEPS:
        if step >= smallest and len(np.unique(step_numbers(points, step))) <= TIME_CAP:
            return step
    return TIME_STEPS[-1]


def step_numbers(points: Floats, step: float) -> Floats:
    """Number the steps that points in time fall into."""
    # By way of whole seconds, so that going through a smaller step first ends in the same place.
    return np.floor((np.floor(points) + 0.5) / step)


def step_middles(numbers: Floats, step: float) -> Floats:
    """Middles of numbered steps."""
    middles: Floats = (numbers + 0.5) * step
    return middles
