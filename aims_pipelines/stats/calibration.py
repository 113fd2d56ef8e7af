"""How far probabilities can be taken at their word: by bins of the score, and within groups.

Rows are taken as independent. Labels are 1.0 and 0.0, scores are probabilities of 1.0; a row with a missing label or
score is the caller's to leave out.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.estimates import Estimate, Interval, unknown
from aims_pipelines.stats.intervals import crossing, quantile, rows_to_settle, simultaneous

Floats = NDArray[np.float64]

_BINS = 10

# Beyond these a probability is taken as certain, which no shift of the log-odds would move.
_SURE = 1e-6
_SHIFTS = (-40.0, 40.0)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCalibration:
    """The group whose probabilities are farthest from what came of them.

    Args:
        group: Its label.
        came: Positives that came, for each one promised, in this group.
        value: The same or its inverse, whichever is smaller: 1 is perfect, whatever the direction.
        interval: Simultaneous interval of the smallest ``value`` over the groups.
    """

    group: str
    came: float
    value: float
    interval: Interval


def calibration_bins(labels: Floats, scores: Floats) -> tuple[CalibrationBin, ...]:
    """Cut rows into 10 bins of about equal size by score; rows with equal scores stay together."""
    order = np.argsort(scores, kind="stable")
    ordered, positive = scores[order], labels[order]
    cuts = {0, len(ordered)}
    for index in range(1, _BINS):
        cuts.add(
            int(np.searchsorted(ordered, ordered[index * len(ordered) // _BINS], side="left"))
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


def calibration_error(labels: Floats, scores: Floats) -> Estimate:
    """Expected calibration error: mean distance between predicted probability and observed share, over 10 bins.

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
    cut = calibration_bins(labels, scores)
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


def observed_to_expected(labels: Floats, scores: Floats) -> Estimate:
    """Positives that came, for each one that the probabilities promised: 1 where a group's are right on average.

    The interval is that of the positives that were to be expected of these very rows, given their scores: it inverts
    the score test of how far all log-odds are shifted. For equal scores it is Wilson's. Where the positives are spread
    more than the shifted scores allow, because the model says more than it knows, it is wider by as much.

    Args:
        labels: 1.0 and 0.0, shape (n,).
        scores: Probabilities of 1.0, shape (n,), not all 0.

    Source:
        Cox (1958), Biometrika 45:562-565, and Miller, Hui & Tierney (1991), Statistics in Medicine 10:1213-1226, for
        calibration in the large as a shift of the log-odds.
    """
    n = len(labels)
    if n == 0 or not _usable(labels, scores) or not scores.sum() > 0.0:
        return unknown(n)
    came, promised = float(labels.sum()), float(scores.sum())
    kept = np.clip(scores, _SURE, 1.0 - _SURE)
    log_odds = np.log(kept) - np.log1p(-kept)

    def shifted(shift: float) -> Floats:
        return np.asarray(1.0 / (1.0 + np.exp(-(log_odds + shift))), dtype=np.float64)

    wider = 1.0
    if 0.0 < came < n:
        fitted = shifted(crossing(lambda shift: came - float(shifted(shift).sum()), *_SHIFTS))
        wider = max(1.0, float(np.square(labels - fitted).sum() / (fitted * (1.0 - fitted)).sum()))

    def excess(shift: float) -> float:
        """How many standard deviations more positives came than are expected with log-odds shifted so far."""
        shares = shifted(shift)
        return (came - float(shares.sum())) / math.sqrt(wider * float((shares * (1.0 - shares)).sum()))

    def expected(shift: float) -> float:
        return float(shifted(shift).sum())

    def interval(confidence: float) -> Interval:
        z = quantile(confidence)
        if math.isnan(z):
            return math.nan, math.nan
        low = 0.0 if came == 0.0 else expected(crossing(lambda shift: excess(shift) - z, *_SHIFTS))
        high = float(n) if came == n else expected(crossing(lambda shift: excess(shift) + z, *_SHIFTS))
        return min(low, came) / promised, max(high, came) / promised

    return Estimate(value=came / promised, n=n, interval=interval)


def worst_calibrated(groups: Mapping[str, Estimate], *, confidence: float = 0.95) -> GroupCalibration | None:
    """Find the group whose positives are farthest from those promised, more or fewer.

    Args:
        groups: ``observed_to_expected`` per group, keyed by a label fit for a report; those unknown are passed over.
        confidence: Two-sided coverage over all groups together (Bonferroni), in (0, 1).

    Returns:
        The group; ``None`` if none is known or the confidence is unusable.
    """
    known = {name: estimate for name, estimate in groups.items() if estimate.known}
    if not known or not 0.0 < confidence < 1.0:
        return None
    each = simultaneous(confidence, len(known))
    ends = [_either_way(estimate.interval(each)) for estimate in known.values()]
    values = {name: min(_either_way((estimate.value, estimate.value))) for name, estimate in known.items()}
    group = min(values, key=lambda name: values[name])
    return GroupCalibration(
        group=group,
        came=known[group].value,
        value=values[group],
        interval=(min(low for low, _ in ends), min(high for _, high in ends)),
    )


def group_calibration(
    groups: Mapping[str, Estimate], *, limit: float, confidence: float = 0.95, attribute: str = ""
) -> Finding:
    """Hold the group whose positives are farthest from those promised against a limit.

    A pass has to be shown, and so has a failure: the whole interval lies on one side of the limit.

    Args:
        groups: ``observed_to_expected`` per group that is large enough, keyed by a label fit for a report.
        limit: Smallest acceptable ratio of positives that came to those promised, or the other way round, in [0, 1].
        confidence: Two-sided coverage over all groups together, in (0, 1).
        attribute: Name of the attribute that forms the groups.
    """
    rows = sum(estimate.n for estimate in groups.values())
    blank = Finding(
        target=f"{attribute} calibration" if attribute else "calibration",
        measure="group calibration ratio",
        status=Status.INCONCLUSIVE,
        reason="no group is large enough, with probabilities that promise anything",
        limit=limit if math.isfinite(limit) else None,
        n=rows,
    )
    if not 0.0 <= limit <= 1.0 or not 0.0 < confidence < 1.0:
        return replace(blank, reason="the limit or the confidence is not a usable fraction")
    worst = worst_calibrated(groups, confidence=confidence)
    if worst is None:
        return blank
    low, high = worst.interval
    said = f"in {worst.group} {worst.came:.3g} positives came for each one that the probabilities promise"
    measured = replace(blank, observed=worst.value, interval=(low, high), reason=said)
    if low >= limit:
        return replace(measured, status=Status.PASS)
    remedy = "Calibrate the model with the group in mind, or accept the finding for a stated time."
    if high < limit:
        return replace(measured, status=Status.FAIL, remedy=remedy)
    return replace(
        measured,
        reason=f"{said}; the interval reaches across the limit",
        rows_needed=rows_to_settle(rows, worst.value, (low, high), limit),
        remedy="Judge on a larger holdout, or accept the finding for a stated time.",
    )


def _either_way(ends: Interval) -> Interval:
    """A ratio and its inverse, whichever is smaller."""
    low, high = (min(end, 1.0 / end) if end > 0.0 else 0.0 for end in ends)
    return min(low, high), 1.0 if ends[0] <= 1.0 <= ends[1] else max(low, high)


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
