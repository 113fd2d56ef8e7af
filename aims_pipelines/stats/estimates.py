"""Estimates that know their own intervals: means of skewed samples, and differences of two figures."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.intervals import quantile, student

Interval = tuple[float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure measured on a sample.

    Args:
        value: The point estimate; NaN where the sample allows none.
        n: Rows that it rests on.
        interval: Its two-sided interval at a confidence in (0, 1).
    """

    value: float
    n: int
    interval: Callable[[float], Interval]

    @property
    def known(self) -> bool:
        """Whether there is a figure."""
        return math.isfinite(self.value)


def unknown(n: int) -> Estimate:
    """No figure: nothing passes on it."""
    return Estimate(value=math.nan, n=n, interval=lambda _: (math.nan, math.nan))


def mean(values: Floats) -> Estimate:
    """The mean of some rows.

    Unknown where no two rows differ, as nothing then tells how sure the mean is, and where a value is not finite.

    The interval is Student's, on a scale on which the sample's own skewness no longer shows. Of normal errors, and of
    their distances and squares, it covers within two points of nominal from 10 rows and within one from 20; the mean
    of what is skewed like squares of exponential errors needs some hundreds.

    Args:
        values: Any shape (n,), taken as independent.

    Source:
        Hall (1992), JRSS B 54:221-228, the cubic transformation.
    """
    n = len(values)
    if n < 2 or not np.isfinite(values).all() or not np.ptp(values) > 0.0:
        return unknown(n)
    centre = float(values.mean())
    from_centre = values - centre
    widest = float(abs(from_centre).max())
    scaled = from_centre / widest
    error = widest * float(scaled.std(ddof=1)) / math.sqrt(n)
    skewness = float((scaled**3).mean()) / float(np.square(scaled).mean()) ** 1.5

    def interval(confidence: float) -> Interval:
        t = student(confidence, n - 1)
        low, high = (centre - error * _unskewed(end, skewness / math.sqrt(n)) for end in (t, -t))
        return (math.nan, math.nan) if math.isnan(t) else (min(low, centre), max(high, centre))

    return Estimate(value=centre, n=n, interval=interval)


def difference(one: Estimate, other: Estimate) -> Estimate:
    """First minus other, of two independent samples, from the intervals of each.

    Source:
        Zou & Donner (2008), Statistics in Medicine 27:1693-1702 (method of variance estimates recovery); for two
        rates it is Newcombe's method 10.
    """
    gap = one.value - other.value

    def interval(confidence: float) -> Interval:
        low, high = one.interval(confidence)
        other_low, other_high = other.interval(confidence)
        return (
            gap - math.hypot(one.value - low, other_high - other.value),
            gap + math.hypot(high - one.value, other.value - other_low),
        )

    return Estimate(value=gap, n=one.n + other.n, interval=interval)


def share(value: float, error: float, n: int) -> Estimate:
    """An estimate of a share, whose logit has a normal error; at 0 or 1 the error is taken as it is.

    Args:
        value: The estimate, in [0, 1].
        error: Its standard error.
        n: Rows that it rests on.
    """

    def interval(confidence: float) -> Interval:
        z = quantile(confidence)
        if not 0.0 < value < 1.0:
            return max(0.0, value - z * error), min(1.0, value + z * error)
        logit, half = math.log(value / (1.0 - value)), z * error / (value * (1.0 - value))
        low, high = (0.5 * (1.0 + math.tanh(0.5 * end)) for end in (logit - half, logit + half))
        return low, high

    return Estimate(value=value, n=n, interval=interval)


def _unskewed(point: float, skewness: float) -> float:
    """The standardised mean that Hall's transformation takes to a point; the point itself without skewness."""
    if abs(skewness) < 1e-6:
        return point
    return 3.0 / skewness * (math.cbrt(1.0 + skewness * (point - skewness / 6.0)) - 1.0)
