"""What row hashes tell: rows that occur twice, and rows that two tables share."""

import math
from dataclasses import dataclass

import numpy as np

from aims_pipelines.stats.profile import UNBOUNDED, RowSketch

_Z = 2.5758293035489004  # standard normal quantile of a two-sided interval of 99 %


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCount:
    """A number of rows, counted or estimated.

    Args:
        rows: Rows; an estimate unless exact.
        low: Lower end of the interval, of 99 %.
        high: Upper end of the interval.
        exact: Whether every row was counted; then all three are the same.
    """

    rows: float
    low: float
    high: float
    exact: bool


def duplicate_rows(sketch: RowSketch, rows: int) -> RowCount:
    """Count the rows that repeat an earlier row.

    Args:
        sketch: Row (or key) hashes of the table.
        rows: Rows of the table.

    Returns:
        Rows in excess of distinct ones. Exact up to ``ROW_CAP`` distinct rows; above it the interval of 99 % is
        that of a Poisson-thinned sum over the sampled rows, whose share is the sketch's threshold in the range of
        hashes. Zero found in the sample still has an upper end.

    Source:
        Cohen, Kaplan (2007), PODC: bottom-k sketches as a uniform sample of distinct items.
    """
    return _scaled(np.maximum(sketch.counts - 1, 0), sketch, rows)


def shared_rows(a: RowSketch, b: RowSketch) -> RowCount:
    """Count the rows of ``a`` that occur in ``b`` too.

    Args:
        a: Row (or key) hashes of the table whose rows are counted.
        b: Row (or key) hashes of the other table, hashed over the same columns.

    Returns:
        Rows of ``a``, repeats included. Exact while both sketches are; otherwise as in
        :func:`duplicate_rows`, over the hashes below both thresholds.
    """
    threshold = min(a.threshold, b.threshold)
    both = np.isin(a.hashes, b.hashes, assume_unique=True)
    if threshold < UNBOUNDED:
        both &= a.hashes < np.uint64(threshold)
    common = RowSketch(threshold=threshold, hashes=a.hashes[both], counts=a.counts[both])
    limit = float(a.counts.sum()) if a.threshold >= UNBOUNDED else math.inf
    return _scaled(common.counts, common, limit)


def _scaled(found: "np.ndarray[tuple[int], np.dtype[np.int64]]", sketch: RowSketch, limit: float) -> RowCount:
    total = float(found.sum())
    if sketch.threshold >= UNBOUNDED:
        return RowCount(rows=total, low=total, high=total, exact=True)
    share = sketch.threshold / 2.0**64
    # Each distinct row is in the sample with probability `share`, with all of its repeats; the largest number
    # of repeats seen (at least one) weighs the unseen.
    squares = float((found.astype(np.float64) ** 2).sum())
    spread = _Z * math.sqrt(max(squares, 0.0)) * math.sqrt(1.0 - share)
    heaviest = float(found.max()) if len(found) else 1.0
    unseen = _Z * _Z * max(heaviest, 1.0)
    low = max(total, (total - spread) / share)
    high = min((total + spread + unseen) / share, limit)
    return RowCount(rows=min(total / share, limit), low=min(low, limit), high=max(high, total), exact=False)
