"""How well scores and decisions tell two (or more) classes apart, with intervals, from labels and scores.

Rows are taken as independent. Labels are 1.0 for the class that is sought and 0.0 for the others; a row with a
missing label or score is the caller's to leave out.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.estimates import Estimate, Interval, unknown
from aims_pipelines.stats.intervals import crossing, paired, quantile, wilson

Floats = NDArray[np.float64]


def roc_auc(labels: Floats, scores: Floats) -> Estimate:
    """Chance that a positive has a larger score than a negative; ties count half.

    The interval inverts a score test: the error belongs to the area that is supposed, not to the one seen, so that it
    is never nothing. How much single rows differ is DeLong's where rows are ranked wrongly often enough to tell; where
    hardly any is, it is taken from Newcombe's model. Mean coverage over shapes of scores is within a point of nominal
    from 10 rows in one class and 40 in the other, or 20 in each; of fewer it is up to two points more, as scores of a
    few rows are often told apart without error.

    Source:
        DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837-845; by midranks as in Sun & Xu (2014), IEEE
        Signal Processing Letters 21:1389-1393; Newcombe (2006), Statistics in Medicine 25:559-573, method 5.

    Example:
        >>> labels = np.array([0.0, 0.0, 1.0, 1.0])
        >>> roc_auc(labels, np.array([0.1, 0.4, 0.35, 0.8])).value
        0.75
    """
    positive = labels == 1.0
    m, n = int(positive.sum()), int((~positive).sum())
    if m == 0 or n == 0 or not np.isfinite(labels).all() or not np.isfinite(scores).all():
        return unknown(m + n)
    ranks = _midranks(scores)
    area = (float(ranks[positive].sum()) - m * (m + 1) / 2.0) / (m * n)
    of_positives = (ranks[positive] - _midranks(scores[positive])) / n
    of_negatives = 1.0 - (ranks[~positive] - _midranks(scores[~positive])) / m
    seen = _variance(of_positives), _variance(of_negatives)
    whole = area * (1.0 - area)
    # Rows of the rarer class that are, on balance, ranked wrongly: what the shape seen is worth.
    wrong = min(m, n) * min(area, 1.0 - area)
    shapes = tuple(min(1.0, part / whole) if whole > 0.0 else 0.0 for part in seen)

    def deviation(supposed: float) -> float:
        model = (supposed / (1.0 + supposed) + (1.0 - supposed) / (2.0 - supposed)) / 2.0
        one, other = ((model + wrong * shape) / (1.0 + wrong) for shape in shapes)
        rest = max(0.0, 1.0 - one - other) / (m * n) / (1.0 + wrong)
        return math.sqrt(supposed * (1.0 - supposed) * (one / m + other / n + rest))

    def interval(confidence: float) -> Interval:
        z = quantile(confidence)
        if math.isnan(z):
            return math.nan, math.nan
        return (
            crossing(lambda supposed: area - supposed - z * deviation(supposed), 0.0, area),
            crossing(lambda supposed: area - supposed + z * deviation(supposed), area, 1.0),
        )

    return Estimate(value=area, n=m + n, interval=interval)


def accuracy(labels: Floats, predicted: Floats) -> Estimate:
    """Share of rows that were predicted right, with Wilson's interval."""
    if np.isnan(labels).any() or np.isnan(predicted).any():
        return unknown(len(labels))
    return rate(int((labels == predicted).sum()), len(labels))


def rate(successes: int, total: int) -> Estimate:
    """A share of rows, with Wilson's interval; unknown where the counts cannot be."""
    if not 0 <= successes <= total or total == 0:
        return unknown(max(0, total))
    return Estimate(
        value=successes / total,
        n=total,
        interval=lambda confidence: wilson(successes, total, confidence=confidence),
    )


def balanced_accuracy(labels: Floats, predicted: Floats) -> Estimate:
    """Mean over the classes of the share predicted right, with an interval recovered from theirs.

    Source:
        Zou & Donner (2008), Statistics in Medicine 27:1693-1702, for a mean of independent rates.
    """
    parts = [accuracy(labels[labels == one], predicted[labels == one]) for one in np.unique(labels).tolist()]
    if len(parts) < 2:
        return unknown(len(labels))
    value = sum(part.value for part in parts) / len(parts)

    def interval(confidence: float) -> Interval:
        ends = [part.interval(confidence) for part in parts]
        below = math.hypot(*(part.value - low for part, (low, _) in zip(parts, ends, strict=True)))
        above = math.hypot(*(high - part.value for part, (_, high) in zip(parts, ends, strict=True)))
        return value - below / len(parts), value + above / len(parts)

    return Estimate(value=value, n=len(labels), interval=interval)


def gain(labels: Floats, predicted: Floats, trivial: float) -> Estimate:
    """How much larger the share predicted right is than that of always answering ``trivial``, on the same rows.

    The interval is Tango's for paired rates.
    """
    if len(labels) == 0 or np.isnan(labels).any() or np.isnan(predicted).any() or math.isnan(trivial):
        return unknown(len(labels))
    right, by_rule = labels == predicted, labels == trivial
    better, worse = int((right & ~by_rule).sum()), int((by_rule & ~right).sum())
    return Estimate(
        value=(better - worse) / len(labels),
        n=len(labels),
        interval=lambda confidence: paired(better, worse, len(labels), confidence=confidence),
    )


def roc_points(labels: Floats, scores: Floats, *, points: int = 51) -> tuple[tuple[float, float], ...]:
    """The ROC curve at evenly spaced false-positive rates, so that no single row can be read off it."""
    positive = labels == 1.0
    m, n = int(positive.sum()), int((~positive).sum())
    if m == 0 or n == 0:
        return ()
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found = np.concatenate([[0.0], np.cumsum(positive[order])[last] / m])
    wrong = np.concatenate([[0.0], np.cumsum(~positive[order])[last] / n])
    grid = np.linspace(0.0, 1.0, points)
    # Where the curve rises straight up, the upper end belongs to the rate.
    keep = np.append(np.diff(wrong) > 0, True)
    heights = np.interp(grid, wrong[keep], found[keep])
    curve = [(round(float(x), 6), round(float(y), 6)) for x, y in zip(grid, heights, strict=True)]
    return ((0.0, 0.0), *curve) if curve[0][1] > 0.0 else tuple(curve)


def histogram(values: Floats, edges: Sequence[float]) -> tuple[int, ...]:
    """Rows per bin; values beyond the outer edges count in the outer bins."""
    inside = np.clip(values, edges[0], edges[-1])
    return tuple(int(count) for count in np.histogram(inside, bins=np.asarray(edges))[0])


def _midranks(values: Floats) -> Floats:
    """Rank of each value from 1; equal values share the middle of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts).astype(np.float64)
    ranks: Floats = (last - (counts - 1) / 2.0)[inverse]
    return ranks


def _variance(values: Floats) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.25
