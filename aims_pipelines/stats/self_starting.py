"""What to expect of the next window, given those before it: scores that are standard normal without known parameters.

A chart whose centre and spread are taken from ten windows, as if they were known, cries wolf several times too often.
Here each value is held against those before it by Student's t instead, and its probability is turned into a standard
normal score. In control such scores are independent and exactly standard normal, however few windows came before, so
that limits for known parameters keep their run length.

Where windows come with standard errors, their variance is that of sampling plus one between windows, which is
estimated from the windows before; the remaining scale is left to Student's t. That is exact for equal standard errors,
whatever the variance between windows, and otherwise close: tests simulate it.

Sources: Hawkins (1987), The Statistician 36:299-315; Hawkins & Olwell (1998), Cumulative Sum Charts, chapter 7, for
self-starting charts; Paule & Mandel (1982), J. Res. NBS 87:377-385, for the variance between windows; Hartung & Knapp
(2001), Statistics in Medicine 20:1771-1782, for Student's t around a weighted mean; Laney (2002), Quality Engineering
14:531-537, for why rates over many rows need a variance between windows.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Spread below which, relative to the values, windows count as equal: rounding makes as much.
_ROUNDING = 1e-12
_STEPS = 100
_LARGEST_SCORE = 37.0  # the tail of a larger one is below the smallest float64
_NORMAL_FREEDOM = 10**9
_TOO_ALIKE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is expected of one window.

    Args:
        centre: Expected value.
        spread: Standard deviation of a value around it, the uncertainty of the centre included; above 0.
        freedom: Degrees of freedom of the spread, at least 1.
    """

    centre: float
    spread: float
    freedom: int

    def score(self, value: float) -> float:
        """Standard normal score of a finite value, within ±37."""
        from scipy.special import ndtri, stdtr

        away = (value - self.centre) / self.spread
        tail = float(stdtr(self.freedom, -abs(away)))  # the lower tail keeps its digits
        size = min(-float(ndtri(tail)), _LARGEST_SCORE) if tail > 0.0 else _LARGEST_SCORE
        return math.copysign(size, away)

    def value(self, score: float) -> float:
        """Value with a score: the inverse of :meth:`score`."""
        from scipy.special import ndtr, stdtrit

        away = -float(stdtrit(self.freedom, ndtr(-abs(score))))
        return self.centre + math.copysign(away * self.spread, score)


def expectation(
    values: Floats, sampling: Floats, variance: float, *, least: bool = False
) -> Expectation | None:
    """Expect the next value from those before it.

    Args:
        values: Values of the windows before, shape (k,), finite.
        sampling: Variance of each due to sampling, shape (k,): all above 0, or all 0 if it is not known.
        variance: The same of the window that is to come.
        least: Whether windows cannot in truth vary less than by sampling, as shares of rows cannot: where they seem to
            (by chance once in a thousand), sampling alone is what is expected.

    Returns:
        The expectation; ``None`` with fewer than two windows, or where they do not differ from one another and
        ``least`` does not say by how much they might.
    """
    count = len(values)
    constant = count < 1 or float(np.ptp(values)) <= _ROUNDING * float(np.abs(values).max())
    if count < 2 or (constant and not least):
        return None
    # Of no sampling error known the scale tells all: any variance between windows will do.
    between = between_variance(values, sampling) if sampling.any() else 1.0
    weights = 1.0 / (between + sampling)
    weight = float(weights.sum())
    centre = float(weights @ values) / weight
    squares = float(weights @ np.square(values - centre))
    scale, freedom = squares / (count - 1), count - 1
    if least and too_alike(squares, freedom):
        scale, freedom = 1.0, _NORMAL_FREEDOM
    return Expectation(
        centre=centre,
        spread=math.sqrt(scale * (between + variance + 1.0 / weight)),
        freedom=freedom,
    )


def too_alike(squares: float, freedom: int) -> bool:
    """Whether squares in units of the sampling variance are smaller than chance makes them once in a thousand."""
    from scipy.special import gammainc

    return bool(gammainc(freedom / 2.0, squares / 2.0) < _TOO_ALIKE)


def between_variance(values: Floats, sampling: Floats) -> float:
    """Variance between windows beyond that of sampling.

    Args:
        values: One a window, at least two.
        sampling: Variance of each due to sampling, above 0.

    Returns:
        At least 0: the variance with which the weighted squares add up to their expectation.

    Source:
        Paule & Mandel (1982); the steps rise to the solution from below.
    """
    count = len(values)
    between = 0.0
    for _ in range(_STEPS):
        weights = 1.0 / (between + sampling)
        squares = np.square(values - float(weights @ values) / float(weights.sum()))
        excess = float(weights @ squares) - (count - 1)
        slope = float(np.square(weights) @ squares)
        if excess <= 1e-12 * count or slope <= 0.0:
            break
        step = excess / slope
        between += step
        if step <= 1e-12 * between:
            break
    return between
