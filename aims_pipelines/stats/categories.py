"""Counts of categories that add up, and the hashed form they take once there are too many to name."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.hashing import hash_labels
from aims_pipelines.stats.profile import BUCKETS, CATEGORY_CAP, CATEGORY_SAMPLE, Categories, RowSketch
from aims_pipelines.stats.sketches import add_up, bounded, distinct_of, empty_sketch, merge_sketches

Counts = NDArray[np.int64]


def exact_categories(counts: Mapping[str, int]) -> Categories:
    """Categories with every label named, in label order."""
    return Categories(counts=dict(sorted(counts.items())), other=0, distinct=len(counts), exact=True)


def hashed_categories(buckets: Counts, sample: RowSketch) -> Categories:
    """Categories known by hashes alone."""
    return Categories(
        counts={},
        other=int(buckets.sum()),
        distinct=round(distinct_of(sample)),
        exact=False,
        buckets=buckets,
        sample=sample,
    )


def bucket_counts(categories: Categories) -> Counts:
    """Occurrences per hash bucket, of exact and hashed categories alike.

    Args:
        categories: Categories of a column.

    Returns:
        int64, shape (1024,): comparable between any two profiles of a column.
    """
    if categories.buckets is not None:
        return categories.buckets
    return _bucketed(*_label_hashes(categories))


def _label_hashes(categories: Categories) -> tuple[NDArray[np.uint64], Counts]:
    counts = np.fromiter(categories.counts.values(), np.int64, len(categories.counts))
    return hash_labels(list(categories.counts)), counts


def _bucketed(hashes: NDArray[np.uint64], counts: Counts) -> Counts:
    buckets = np.zeros(BUCKETS, np.int64)
    np.add.at(buckets, (hashes & np.uint64(BUCKETS - 1)).astype(np.int64), counts)
    return buckets


def category_sample(categories: Categories) -> RowSketch:
    """Counts of the categories with the smallest hashes: the same random sample of the categories in any profile."""
    if categories.sample is not None:
        return categories.sample
    if not categories.exact:
        return empty_sketch()
    hashes, counts = add_up(*_label_hashes(categories))
    return bounded(hashes, counts, empty_sketch().threshold, CATEGORY_SAMPLE)


def merge_categories(
    wholes: tuple[Categories, Categories], cells: Sequence[tuple[Categories, Categories]]
) -> tuple[Categories, list[Categories]]:
    """Merge a column's categories, and those of its groups, of two profiles.

    Whether labels are named, and which hashes are sampled, is decided by the whole column alone, so that it
    depends on nothing but the values seen.

    Args:
        wholes: Categories of all rows, one a profile.
        cells: The same per group.

    Returns:
        The merged categories of all rows, and of each group.
    """
    a, b = wholes
    if a.exact and b.exact and len(a.counts.keys() | b.counts.keys()) <= CATEGORY_CAP:
        return _named(a, b), [_named(left, right) for left, right in cells]
    whole = merge_sketches(category_sample(a), category_sample(b), CATEGORY_SAMPLE)
    hashed = hashed_categories(bucket_counts(a) + bucket_counts(b), whole)
    return hashed, [_hashed_cell(left, right, whole.threshold) for left, right in cells]


def _named(a: Categories, b: Categories) -> Categories:
    if not a.counts or not b.counts:
        return a if a.counts else b
    total = dict(a.counts)
    for label, count in b.counts.items():
        total[label] = total.get(label, 0) + count
    return exact_categories(total)


def _hashed_cell(a: Categories, b: Categories, threshold: int) -> Categories:
    parts = [
        (cell.sample.hashes, cell.sample.counts) if cell.sample else _label_hashes(cell) for cell in (a, b)
    ]
    hashes, counts = add_up(
        np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    )
    sample = bounded(hashes, counts, threshold, len(hashes) or 1)
    return hashed_categories(bucket_counts(a) + bucket_counts(b), sample)
