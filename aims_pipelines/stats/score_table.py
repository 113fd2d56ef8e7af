"""Score tables: how many rows scored where, and how many of them turned out positive, negative, or are not known yet.

All that is needed to say how good scores are, with labels or without, and it adds up like a profile: the table of two
windows is the merge of their tables, and labels that arrive later only move counts from one column to another.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Bins per unit of log-odds: a score within a bin has odds within 0.012 % of those of its middle.
BINS_PER_UNIT = 4096
#: Scores nearer to 0 or 1 than this count as this far away.
NEAREST = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTable:
    """Rows of a window by score and label. Only bins that hold rows are kept.

    Args:
        threshold: Scores at or above it are decided as positive, in (0, 1). It is an edge between two bins.
        bins: Number of each occupied bin, ascending int64, shape (k,). Bin 0 begins at the threshold; bins are
            equally wide in log-odds.
        positives: Rows labelled positive in each bin, int64, shape (k,).
        negatives: Rows labelled otherwise in each bin, int64, shape (k,).
        unlabelled: Rows without a label in each bin, int64, shape (k,).
        unscored: Rows that have no score; they are in no bin.
    """

    threshold: float
    bins: Counts
    positives: Counts
    negatives: Counts
    unlabelled: Counts
    unscored: int = 0

    @property
    def rows(self) -> int:
        """Rows with a score."""
        return int(self.counts.sum())

    @property
    def labelled(self) -> int:
        """Rows with a score and a label."""
        return int(self.positives.sum() + self.negatives.sum())

    @property
    def coverage(self) -> float:
        """Share of the scored rows whose label is known; NaN where there are no rows."""
        return self.labelled / self.rows if self.rows else math.nan

    @property
    def scored(self) -> float:
        """Share of all rows that have a score; NaN where there are no rows."""
        everything = self.rows + self.unscored
        return self.rows / everything if everything else math.nan

    @property
    def counts(self) -> Counts:
        """Rows in each bin, labelled or not."""
        return self.positives + self.negatives + self.unlabelled

    @property
    def log_odds(self) -> Floats:
        """Middle of each bin, in log-odds of the score."""
        return (self.bins + 0.5) / BINS_PER_UNIT + _log_odds(self.threshold)

    @property
    def selected(self) -> NDArray[np.bool_]:
        """Which bins are decided as positive."""
        return self.bins >= 0


def score_table(scores: Floats, labels: Floats | None = None, *, threshold: float = 0.5) -> ScoreTable:
    """Count rows by score and label.

    Args:
        scores: Probability of the positive class that the model gave, in [0, 1]; NaN where there is none. Shape (n,).
        labels: 1.0 for positive, 0.0 for negative, NaN where it is not known yet; ``None`` for none at all. Shape (n,).
        threshold: Scores at or above it are decided as positive, in (0, 1).

    Raises:
        ValueError: A score or the threshold is out of range, or a label is another number.

    Example:
        >>> table = score_table(np.array([0.2, 0.5, 0.9]), np.array([0.0, 1.0, np.nan]))
        >>> table.rows, table.labelled, table.selected.tolist()
        (3, 2, [False, True, True])
    """
    if not 0.0 < threshold < 1.0:
        raise ValueError(f"a threshold in (0, 1), not {threshold!r}")
    scored = ~np.isnan(scores)
    values = scores[scored]
    known = np.full(len(values), np.nan) if labels is None else labels[scored]
    if len(values) and not (values.min() >= 0.0 and values.max() <= 1.0):
        raise ValueError("scores in [0, 1]")
    if not np.all(np.isnan(known) | (known == 0.0) | (known == 1.0)):
        raise ValueError("labels of 0, 1 or NaN")
    clipped = np.clip(values, NEAREST, 1.0 - NEAREST)
    places = np.floor((np.log(clipped / (1.0 - clipped)) - _log_odds(threshold)) * BINS_PER_UNIT)
    # Rounding must not carry a score over the threshold.
    places = np.where(values >= threshold, np.maximum(places, 0.0), np.minimum(places, -1.0)).astype(np.int64)
    bins, inverse = np.unique(places, return_inverse=True)

    def counted(chosen: NDArray[np.bool_]) -> Counts:
        return np.bincount(inverse[chosen], minlength=len(bins)).astype(np.int64)

    return ScoreTable(
        threshold=threshold,
        bins=bins,
        positives=counted(known == 1.0),
        negatives=counted(known == 0.0),
        unlabelled=counted(np.isnan(known)),
        unscored=len(scores) - len(values),
    )


def merge_scores(tables: Sequence[ScoreTable]) -> ScoreTable:
    """Add up the tables of several windows; associative and commutative, with the table of no rows as identity.

    Raises:
        ValueError: There are none, or their thresholds differ.
    """
    if not tables or len({table.threshold for table in tables}) > 1:
        raise ValueError("at least one table, and one threshold for all")
    return reduce(_merged, tables)


def of_known(table: ScoreTable) -> ScoreTable:
    """The labelled rows of a table alone."""
    kept = table.positives + table.negatives > 0
    return ScoreTable(
        threshold=table.threshold,
        bins=table.bins[kept],
        positives=table.positives[kept],
        negatives=table.negatives[kept],
        unlabelled=np.zeros(int(kept.sum()), np.int64),
    )


def _merged(one: ScoreTable, other: ScoreTable) -> ScoreTable:
    bins = np.union1d(one.bins, other.bins)

    def added(mine: Counts, theirs: Counts) -> Counts:
        total = np.zeros(len(bins), np.int64)
        total[np.searchsorted(bins, one.bins)] += mine
        total[np.searchsorted(bins, other.bins)] += theirs
        return total

    return ScoreTable(
        threshold=one.threshold,
        bins=bins,
        positives=added(one.positives, other.positives),
        negatives=added(one.negatives, other.negatives),
        unlabelled=added(one.unlabelled, other.unlabelled),
        unscored=one.unscored + other.unscored,
    )


def _log_odds(score: float) -> float:
    return math.log(score / (1.0 - score))
