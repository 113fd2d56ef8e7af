"""How well scores and decisions tell two (or more) classes apart, with intervals, from labels and scores.

Rows are taken as independent. Labels are 1.0 for the class that is sought and 0.0 for the others; a row with a
missing label or score is the caller's to leave out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.estimates import Estimate, Interval, normal, unknown
from aims_pipelines.stats.intervals import quantile, wilson

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """Rows with neighbouring scores.

    Args:
        predicted: Their mean score.
        observed: Share of them that is positive.
        rows: How many they are.
    """

    predicted: float
    observed: float
    rows: int


def roc_auc(labels: Floats, scores: Floats) -> Estimate:
    """Chance that a positive has a larger score than a negative; ties count half.

    The interval is DeLong's on the logit scale, with Student's quantile at Satterthwaite's degrees of freedom, since
    the normal one covers too little with few positives. Where the classes are told apart without error, DeLong's
    error is zero and the interval is that of a rate without failures among as many trials as the rarer class has rows.

    Source:
        DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44:837-845; by midranks as in Sun & Xu (2014), IEEE
        Signal Processing Letters 21:1389-1393.

    Example:
        >>> labels = np.array([0.0, 0.0, 1.0, 1.0])
        >>> roc_auc(labels, np.array([0.1, 0.4, 0.35, 0.8])).value
        0.75
    """
    positive = labels == 1.0
    m, n = int(positive.sum()), int((~positive).sum())
    if m == 0 or n == 0:
        return unknown(m + n)
    ranks = _midranks(scores)
    area = (float(ranks[positive].sum()) - m * (m + 1) / 2.0) / (m * n)
    of_positives = (ranks[positive] - _midranks(scores[positive])) / n
    of_negatives = 1.0 - (ranks[~positive] - _midranks(scores[~positive])) / m
    parts = (_variance(of_positives) / m, m), (_variance(of_negatives) / n, n)
    variance = sum(part for part, _ in parts)

    def interval(confidence: float) -> Interval:
        if not 0.0 < area < 1.0 or variance <= 0.0:
            rarer = min(m, n)
            low, high = wilson(round(area * rarer), rarer, confidence=confidence)
            return min(low, area), max(high, area)
        logit = math.log(area / (1.0 - area))
        freedom = variance**2 / sum(part**2 / max(1, rows - 1) for part, rows in parts)
        half = _student(confidence, freedom) * math.sqrt(variance) / (area * (1.0 - area))
        return _expit(logit - half), _expit(logit + half)

    return Estimate(value=area, n=m + n, interval=interval)


def accuracy(labels: Floats, predicted: Floats) -> Estimate:
    """Share of rows that were predicted right, with Wilson's interval."""
    return rate(int((labels == predicted).sum()), len(labels))


def rate(successes: int, total: int) -> Estimate:
    """A share of rows, with Wilson's interval."""
    if total == 0:
        return unknown(0)
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
    """How much larger the share predicted right is than that of always answering ``trivial``, on the same rows."""
    if len(labels) < 2:
        return unknown(len(labels))
    paired = (labels == predicted).astype(np.float64) - (labels == trivial)
    return normal(float(paired.mean()), math.sqrt(_variance(paired) / len(paired)), len(paired))


def calibration_bins(labels: Floats, scores: Floats, *, bins: int = 10) -> tuple[CalibrationBin, ...]:
    """Cut rows into bins of about equal size by score; rows with equal scores stay together."""
    order = np.argsort(scores, kind="stable")
    ordered, positive = scores[order], labels[order]
    cuts = {0, len(ordered)}
    for index in range(1, bins):
        cuts.add(
            int(np.searchsorted(ordered, ordered[index * len(ordered) // bins], side="left"))
            if len(ordered)
            else 0
        )
    edges = sorted(cuts)
    return tuple(
        CalibrationBin(
            predicted=float(ordered[start:stop].mean()),
            observed=float(positive[start:stop].mean()),
            rows=stop - start,
        )
        for start, stop in pairwise(edges)
        if stop > start
    )


def calibration_error(labels: Floats, scores: Floats, *, bins: int = 10) -> Estimate:
    """Expected calibration error: mean distance between predicted probability and observed share, over bins.

    Noise alone makes the figure larger than the truth. The lower end of the interval takes off what a perfectly
    calibrated model would show on as many rows; the upper end does not, so it errs on the safe side.

    Source:
        Naeini, Cooper & Hauskrecht (2015), AAAI; bins of equal mass as in Nixon et al. (2019), CVPR workshops; the
        expected noise is the mean of folded normals.
    """
    cut = calibration_bins(labels, scores, bins=bins)
    if not cut:
        return unknown(0)
    total = sum(item.rows for item in cut)
    value = sum(item.rows * abs(item.observed - item.predicted) for item in cut) / total
    # The spread of a bin's share is bounded from below by that of its mean score, so that 0 of 9 is not certain.
    errors = [_bin_error(item) * item.rows / total for item in cut]
    noise = math.sqrt(2.0 / math.pi) * sum(errors)

    def interval(confidence: float) -> Interval:
        half = quantile(confidence) * math.hypot(*errors)
        return max(0.0, value - noise - half), min(1.0, value + half)

    return Estimate(value=value, n=total, interval=interval)


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


def _bin_error(item: CalibrationBin) -> float:
    observed = item.observed * (1.0 - item.observed)
    expected = min(max(item.predicted, 0.0), 1.0)
    return math.sqrt(max(observed, expected * (1.0 - expected)) / item.rows)


def _midranks(values: Floats) -> Floats:
    """Rank of each value from 1; equal values share the middle of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts).astype(np.float64)
    ranks: Floats = (last - (counts - 1) / 2.0)[inverse]
    return ranks


def _variance(values: Floats) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.25


def _student(confidence: float, freedom: float) -> float:
    """Two-sided quantile of Student's distribution, to three digits from 3 degrees of freedom on.

    Source:
        Abramowitz & Stegun (1964), 26.7.5.
    """
    z, v = quantile(confidence), max(3.0, freedom)
    first = (z**3 + z) / (4 * v)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    return z + first + second + third


def _expit(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value)) if value > -700 else 0.0
