"""How far predictions of a number are off, with intervals. Rows are taken as independent."""

import math

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.estimates import Estimate, Interval, mean, unknown
from aims_pipelines.stats.intervals import student

Floats = NDArray[np.float64]

_BINS = 10


def mean_absolute_error(truth: Floats, predicted: Floats) -> Estimate:
    """Mean distance between prediction and outcome, in the outcome's unit."""
    return _at_least_zero(mean(np.abs(truth - predicted)))


def unexplained(truth: Floats, predicted: Floats, *, variance: float) -> Estimate:
    """Mean squared error as a share of a given variance: 0 is perfect, 1 is what a constant would do.

    Args:
        truth: Outcomes.
        predicted: Predictions.
        variance: The variance that counts as 1, such as that of all outcomes.
    """
    if not 0.0 < variance < math.inf:
        return unknown(len(truth))
    return _at_least_zero(mean((truth - predicted) ** 2 / variance))


def r_squared(truth: Floats, predicted: Floats) -> Estimate:
    """Share of the variance that the predictions explain; negative where a constant would do better.

    Unknown for fewer than three rows, where the outcome does not vary, where all errors are the same size, and where
    they are one row's.

    The interval is Student's for the logarithm of the unexplained share, with the jackknife's error: the delta method's
    is too small on a few hundred rows.

    Source:
        Miller (1974), Biometrika 61:1-15, for the jackknife of a ratio of variances on the logarithmic scale.
    """
    n = len(truth)
    spread = (truth - truth.mean()) ** 2 if n > 2 else np.zeros(0)
    errors = (truth - predicted) ** 2
    if n < 3 or not spread.sum() > 0.0 or not np.isfinite(errors).all():
        return unknown(n)
    share = float(errors.sum() / spread.sum())
    # Without one row, the others' mean moves too, hence n / (n - 1).
    left = errors.sum() - errors, spread.sum() - spread * n / (n - 1)
    # Where all error, or all spread, is one row's, the logarithm has no error and the share may be anything.
    if not np.ptp(errors) > 0.0 or min(left[0].min(), left[1].min()) <= 1e-12 * spread.sum():
        return unknown(n)
    without = np.log(left[0]) - np.log(left[1])
    error = math.sqrt((n - 1) * float(without.var()))

    def interval(confidence: float) -> Interval:
        factor = math.exp(student(confidence, n - 1) * error)
        return 1.0 - share * factor, 1.0 - share / factor

    return Estimate(value=1.0 - share, n=n, interval=interval)


def absolute_gain(truth: Floats, predicted: Floats, trivial: float) -> Estimate:
    """How much smaller the mean absolute error is than that of always predicting ``trivial``, on the same rows."""
    return mean(np.abs(truth - trivial) - np.abs(truth - predicted))


def outcome_bins(truth: Floats, predicted: Floats) -> tuple[tuple[float, Estimate], ...]:
    """Cut rows into 10 bins of about equal size by prediction: the mean prediction, and the mean outcome, of each.

    Bins in which the outcome does not vary are left out, as nothing tells how sure their mean is.
    """
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, _BINS) if len(part) > 1]
    measured = ((float(predicted[part].mean()), mean(truth[part])) for part in parts)
    return tuple((predicted_mean, outcome) for predicted_mean, outcome in measured if outcome.known)


def scaled(estimate: Estimate, unit: float) -> Estimate:
    """The same figure in another unit, which is taken as known."""
    if not (estimate.known and unit > 0.0):
        return unknown(estimate.n)

    def interval(confidence: float) -> Interval:
        low, high = estimate.interval(confidence)
        return low / unit, high / unit

    return Estimate(value=estimate.value / unit, n=estimate.n, interval=interval)


def _at_least_zero(estimate: Estimate) -> Estimate:
    """The same figure, of what cannot be negative."""

    def interval(confidence: float) -> Interval:
        low, high = estimate.interval(confidence)
        return low if math.isnan(low) else max(0.0, low), high

    return Estimate(value=estimate.value, n=estimate.n, interval=interval)
