"""Bottom-k samples of hashes: which hashes are kept depends on the set seen, never on its order or its parts.

Source: Cohen, Kaplan (2007), Summarizing data using bottom-k sketches, PODC; coordinated, as all use one
hash.
"""

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.profile import UNBOUNDED, RowSketch

Hashes = NDArray[np.uint64]
Counts = NDArray[np.int64]


def empty_sketch() -> RowSketch:
    """Sketch that has seen nothing."""
    return RowSketch(threshold=UNBOUNDED, hashes=np.zeros(0, np.uint64), counts=np.zeros(0, np.int64))


def add_up(hashes: Hashes, counts: Counts | None = None) -> tuple[Hashes, Counts]:
    """Sort hashes and add up the counts (one each, if not given) of equal ones."""
    if counts is None:
        ordered = np.sort(hashes)
        if not len(ordered):
            return ordered, np.zeros(0, np.int64)
        starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        return ordered[starts], np.diff(starts, append=len(ordered))
    unique, inverse = np.unique(hashes, return_inverse=True)
    total = np.zeros(len(unique), np.int64)
    np.add.at(total, inverse, counts)
    return unique, total


def bounded(hashes: Hashes, counts: Counts, threshold: int, capacity: int) -> RowSketch:
    """Keep the smallest hashes.

    Args:
        hashes: Sorted distinct hashes.
        counts: Rows with each.
        threshold: Bound in force; hashes at or above it are let go.
        capacity: Most hashes kept.

    Returns:
        A sketch whose threshold, if it bounds, is itself a hash that was seen: the smallest one let go.
    """
    below = int(np.searchsorted(hashes, np.uint64(threshold))) if threshold < UNBOUNDED else len(hashes)
    if below > capacity:
        threshold, below = int(hashes[capacity]), capacity
    return RowSketch(threshold=threshold, hashes=hashes[:below].copy(), counts=counts[:below].copy())


def merge_sketches(a: RowSketch, b: RowSketch, capacity: int) -> RowSketch:
    """Sketch of both inputs together: associative, commutative, and the sketch of the concatenation."""
    hashes, counts = add_up(np.concatenate((a.hashes, b.hashes)), np.concatenate((a.counts, b.counts)))
    return bounded(hashes, counts, min(a.threshold, b.threshold), capacity)


def distinct_of(sketch: RowSketch) -> float:
    """Estimate how many distinct hashes were seen; exact while nothing was let go.

    The standard error is 1 / sqrt(k - 1) of the truth for k kept hashes.
    """
    if sketch.threshold >= UNBOUNDED:
        return float(len(sketch.hashes))
    return len(sketch.hashes) * (2.0**64 / max(sketch.threshold, 1))
