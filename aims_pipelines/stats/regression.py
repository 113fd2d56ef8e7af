"""How far predictions of a number are off, with intervals. Rows are taken as independent."""

import math

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.estimates import Estimate, Interval, normal, positive, unknown

Floats = NDArray[np.float64]


def mean_absolute_error(truth: Floats, predicted: Floats) -> Estimate:
    """Mean distance between prediction and outcome, in the outcome's unit."""
    return _mean_positive(np.abs(truth - predicted))


def unexplained(truth: Floats, predicted: Floats, *, variance: float) -> Estimate:
    """Mean squared error as a share of a given variance: 0 is perfect, 1 is what a constant would do.

    Args:
        truth: Outcomes.
        predicted: Predictions.
        variance: The variance that counts as 1, such as that of all outcomes.
    """
    if not variance > 0.0:
        return unknown(len(truth))
    return _mean_positive((truth - predicted) ** 2 / variance)


def r_squared(truth: Floats, predicted: Floats) -> Estimate:
    """Share of the variance that the predictions explain; negative where a constant would do better.

    The interval is the delta method's for the logarithm of the unexplained share.
    """
    spread = (truth - truth.mean()) ** 2 if len(truth) > 1 else np.zeros(0)
    if len(spread) == 0 or not spread.mean() > 0.0:
        return unknown(len(truth))
    errors = (truth - predicted) ** 2
    share = float(errors.mean() / spread.mean())
    if share == 0.0:
        return Estimate(value=1.0, n=len(truth), interval=lambda _: (1.0, 1.0))
    influence = errors / errors.mean() - spread / spread.mean()
    error = math.sqrt(float(influence.var(ddof=1)) / len(truth))
    inner = positive(share, error, len(truth))

    def interval(confidence: float) -> Interval:
        low, high = inner.interval(confidence)
        return 1.0 - high, 1.0 - low

    return Estimate(value=1.0 - share, n=len(truth), interval=interval)


def absolute_gain(truth: Floats, predicted: Floats, trivial: float) -> Estimate:
    """How much smaller the mean absolute error is than that of always predicting ``trivial``, on the same rows."""
    if len(truth) < 2:
        return unknown(len(truth))
    paired = np.abs(truth - trivial) - np.abs(truth - predicted)
    return normal(float(paired.mean()), math.sqrt(float(paired.var(ddof=1)) / len(paired)), len(paired))


def outcome_bins(truth: Floats, predicted: Floats, *, bins: int = 10) -> tuple[tuple[float, Estimate], ...]:
    """Cut rows into bins of about equal size by prediction: the mean prediction, and the mean outcome, of each."""
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part) > 1]
    return tuple((float(predicted[part].mean()), mean(truth[part])) for part in parts)


def mean(values: Floats) -> Estimate:
    """The mean of some rows."""
    if len(values) < 2:
        return unknown(len(values))
    return normal(float(values.mean()), math.sqrt(float(values.var(ddof=1)) / len(values)), len(values))


def scaled(estimate: Estimate, unit: float) -> Estimate:
    """The same figure in another unit, which is taken as known."""
    if not (estimate.known and unit > 0.0):
        return unknown(estimate.n)

    def interval(confidence: float) -> Interval:
        low, high = estimate.interval(confidence)
        return low / unit, high / unit

    return Estimate(value=estimate.value / unit, n=estimate.n, interval=interval)


def _mean_positive(values: Floats) -> Estimate:
    if len(values) < 2:
        return unknown(len(values))
    mean = float(values.mean())
    if not mean > 0.0:
        return normal(mean, 0.0, len(values))
    return positive(mean, math.sqrt(float(values.var(ddof=1)) / len(values)) / mean, len(values))
