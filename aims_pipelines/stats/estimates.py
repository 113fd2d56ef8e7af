"""Estimates that know their own intervals, and the interval of a difference of two of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from aims_pipelines.stats.intervals import quantile

Interval = tuple[float, float]


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


def normal(value: float, error: float, n: int) -> Estimate:
    """An estimate with a normal error.

    Args:
        value: The estimate.
        error: Its standard error.
        n: Rows that it rests on.
    """

    def interval(confidence: float) -> Interval:
        half = quantile(confidence) * error
        return value - half, value + half

    return Estimate(value=value, n=n, interval=interval)


def positive(value: float, relative_error: float, n: int) -> Estimate:
    """An estimate of a positive figure, whose logarithm has a normal error.

    Args:
        value: The estimate, at least 0.
        relative_error: Standard error of its logarithm.
        n: Rows that it rests on.
    """

    def interval(confidence: float) -> Interval:
        factor = math.exp(quantile(confidence) * relative_error)
        return value / factor, value * factor

    return Estimate(value=value, n=n, interval=interval)


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
        return tuple(0.5 * (1.0 + math.tanh(0.5 * end)) for end in (logit - half, logit + half))  # type: ignore[return-value]

    return Estimate(value=value, n=n, interval=interval)
