"""How far probabilities can be taken at their word: by bins of the score, and within groups.

Rows are taken as independent. Labels are 1.0 and 0.0, scores are probabilities of 1.0; a row with a missing label or
score is the caller's to leave out.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.estimates import Estimate, Interval, unknown
from aims_pipelines.stats.intervals import crossing, quantile

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

    Noise alone makes the figure larger than the truth, so that the interval reaches down to 0 for a perfectly
    calibrated model and lies lower than the figure would suggest. It inverts the test that every bin is off by the same
    amount: mean coverage is within two points of nominal from 10 rows a bin, within one from 20. It is held to contain
    the figure.

    Source:
        Naeini, Cooper & Hauskrecht (2015), AAAI; bins of equal mass as in Nixon et al. (2019), CVPR workshops; the
        expected distances are means of folded normals (Leone, Nelson & Nottingham 1961, Technometrics 3:543-550).
    """
    if len(labels) == 0 or not _usable(labels, scores):
        return unknown(len(labels))
    cut = calibration_bins(labels, scores, bins=bins)
    total = sum(item.rows for item in cut)
    weights = np.array([item.rows / total for item in cut])
    rows = np.array([float(item.rows) for item in cut])
    predicted = np.array([item.predicted for item in cut])
    observed = np.array([item.observed for item in cut])
    value = float(weights @ abs(observed - predicted))
    side = np.where(observed == predicted, np.sign(0.5 - predicted), np.sign(observed - predicted))

    def excess(off: float) -> float:
        """How many standard deviations the figure lies above what bins would show that are all off by so much."""
        # The error belongs to the share that is supposed, so that 10 of 10 is not certain.
        share = np.clip(predicted + side * off, 0.0, 1.0)
        spread = np.maximum(share * (1.0 - share), predicted * (1.0 - predicted))
        expected, variance = _folded(off, np.sqrt(spread / rows))
        deviation = math.sqrt(float(np.square(weights) @ variance))
        above = value - float(weights @ expected)
        return above / deviation if deviation > 0.0 else math.copysign(math.inf, above) if above else 0.0

    def interval(confidence: float) -> Interval:
        z = quantile(confidence)
        if math.isnan(z):
            return math.nan, math.nan
        low = 0.0 if excess(0.0) <= z else crossing(lambda off: excess(off) - z, 0.0, 1.0)
        return low, max(value, crossing(lambda off: excess(off) + z, 0.0, 1.0))

    return Estimate(value=value, n=total, interval=interval)


def _usable(labels: Floats, scores: Floats) -> bool:
    return bool(
        np.isin(labels, (0.0, 1.0)).all() and np.isfinite(scores).all() and (abs(scores - 0.5) <= 0.5).all()
    )


def _folded(off: float, errors: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of the distance of a normal figure from a point that it is off by ``off`` from on average."""
    from scipy.special import ndtr

    sure = errors <= 0.0
    ratio = off / np.where(sure, 1.0, errors)
    mean = errors * math.sqrt(2.0 / math.pi) * np.exp(-np.square(ratio) / 2.0) + off * (
        1.0 - 2.0 * ndtr(-ratio)
    )
    mean = np.where(sure, off, mean)
    return mean, np.maximum(0.0, off * off + np.square(errors) - np.square(mean))
