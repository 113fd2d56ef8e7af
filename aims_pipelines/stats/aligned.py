"""Profiles of one column, put side by side on the same points or categories.

Exact values and bins can meet, when one window has few distinct values and another many: the exact ones
are then moved into the bins of the others. The same holds for named and hashed categories, and for steps
of time.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.bins import KEYS, MANTISSA_BITS, collapse, into_steps, keys_of
from aims_pipelines.stats.categories import bucket_counts
from aims_pipelines.stats.profile import NARROW, Categories, ColumnProfile, Distribution, Kind

Floats = NDArray[np.float64]


def aligned_counts(columns: Sequence[ColumnProfile]) -> tuple[Floats, bool]:
    """Count the values of several profiles of one column on common cells.

    Args:
        columns: Profiles of the same column, of several windows or groups.

    Returns:
        Counts, shape (profiles, cells), missing values left out; and whether the cells have an order
        (values of a number or time) or not (categories).
    """
    if columns and all(column.kind is not Kind.CATEGORICAL for column in columns):
        return aligned_points(as_stored(columns))[1], True
    return aligned_categories([column.categories for column in columns])[1], False


def as_stored(columns: Sequence[ColumnProfile]) -> list[Distribution | None]:
    """Distributions of one column, exact values rounded as they are where the column is stored in the fewest bits.

    A fraction in 32 bits is another number than in 64; between two windows that is no change of the data.
    """
    narrow = [NARROW[column.storage_type] for column in columns if column.storage_type in NARROW]
    if not narrow or len({column.storage_type for column in columns}) == 1:
        return [column.distribution for column in columns]
    kind = min(narrow, key=lambda item: np.dtype(item).itemsize)
    return [_rounded(column.distribution, kind) for column in columns]


def _rounded(distribution: Distribution | None, kind: type[np.floating[Any]]) -> Distribution | None:
    if distribution is None or not distribution.exact:
        return distribution
    with np.errstate(over="ignore"):
        rounded = distribution.points.astype(kind).astype(np.float64)
    points, place = np.unique(rounded, return_inverse=True)
    counts = np.bincount(place, distribution.counts, len(points)).astype(np.int64)
    return replace(distribution, points=points, counts=counts)


def aligned_points(
    distributions: Sequence[Distribution | None], *, wholes: int | None = None
) -> tuple[Floats, Floats]:
    """Put distributions on common points.

    Args:
        distributions: One a profile; ``None`` counts as empty.
        wholes: How many of them, from the first, hold all points that occur in any; all where absent.

    Returns:
        The points, ascending, shape (k,), and the counts at them, shape (profiles, k). Where all
        distributions are exact the points are values; otherwise bin representatives, within 0.4 % of the
        values.
    """
    known = [item for item in distributions if item is not None and item.points.size]
    steps = [item.resolution for item in known if item.resolution is not None]
    coarse = not all(item.exact for item in known)
    bits = min((item.mantissa_bits for item in known if not item.exact), default=MANTISSA_BITS)
    pairs: list[tuple[Floats, NDArray[np.int64]]] = []
    for item in distributions:
        if item is None:
            pairs.append((np.empty(0), np.empty(0, np.int64)))
        elif steps and item.resolution != max(steps):
            pairs.append(into_steps(item.points, item.counts, max(steps)))
        elif coarse and not steps and (item.exact or item.mantissa_bits != bits):
            pairs.append(collapse(item.points, item.counts, bits))
        else:
            pairs.append((item.points, item.counts))
    if not pairs:
        return np.empty(0), np.empty((0, 0))
    points = np.unique(np.concatenate([pair[0] for pair in pairs[:wholes]]))
    counts = np.zeros((len(pairs), points.size))
    positions = _positions(
        points,
        np.concatenate([pair[0] for pair in pairs]),
        binned=coarse and not steps and bits == MANTISSA_BITS,
    )
    start = 0
    for row, (_, counted) in zip(counts, pairs, strict=True):
        row[positions[start : start + counted.size]] = counted
        start += counted.size
    return points, counts


def _positions(points: Floats, wanted: Floats, *, binned: bool) -> NDArray[np.intp]:
    """Where values stand among the sorted points; for bins by a table of all bins, four times as fast."""
    if not binned or wanted.size < 8 * points.size:
        return np.searchsorted(points, wanted)
    table = np.empty(KEYS, np.intp)
    table[keys_of(points)] = np.arange(points.size)
    return table[keys_of(wanted)]


def aligned_categories(categories: Sequence[Categories | None]) -> tuple[tuple[str, ...] | None, Floats]:
    """Put categories on common labels, or on hash buckets where one of them has no labels any more.

    Args:
        categories: One a profile; ``None`` counts as empty.

    Returns:
        The labels, sorted, or ``None`` for buckets; and the counts, shape (profiles, cells).
    """
    if any(item is not None and not item.exact for item in categories):
        rows = [
            np.zeros(0) if item is None else bucket_counts(item).astype(np.float64) for item in categories
        ]
        width = max(row.size for row in rows)
        return None, np.array([row if row.size else np.zeros(width) for row in rows])
    counted = [{} if item is None else item.counts for item in categories]
    labels = sorted(set().union(*counted))
    position = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(categories), len(labels)))
    for row, item in zip(counts, counted, strict=True):
        places = np.fromiter(map(position.__getitem__, item), np.intp, len(item))
        row[places] = np.fromiter(item.values(), np.float64, len(item))
    return tuple(labels), counts
