"""How long control charts run until they signal, and the limits that follow from a stated run length.

All charts here watch independent scores that are standard normal while the process is in control. Their average run
length (ARL) is the mean number of points up to and including the first signal: in control the budget of false
alarms, after a shift the delay. It is the solution of an integral equation, found by Gauss-Legendre quadrature with
enough nodes for six correct digits; for the Shewhart chart it is exact.

Sources: Page (1954), Biometrika 41:100-115, for the integral equation of the CUSUM; Crowder (1987), Technometrics
29:401-407, for that of the EWMA; Brook & Evans (1972), Biometrika 59:539-549, and Lucas & Saccucci (1990),
Technometrics 32:1-12, solve the same by Markov chains, and print the tables that the tests hold these figures against.
"""

import math
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache

import numpy as np

#: Shortest and longest in-control run length for which limits are derived.
SHORTEST_RUN, LONGEST_RUN = 10.0, 1e7
#: Smallest weight of the newest point of an EWMA; below it the chart would hardly move.
LEAST_SMOOTHING = 0.01
LEAST_ALLOWANCE, MOST_ALLOWANCE = 0.05, 1.0


class ChartKind(StrEnum):
    """What a chart adds up: nothing, all points with fading weights, or what exceeds an allowance."""

    SHEWHART = "shewhart"
    EWMA = "ewma"
    CUSUM = "cusum"


def shewhart_run_length(limit: float, shift: float = 0.0) -> float:
    """Average run length of a chart that signals where a score lies beyond ``limit`` on either side.

    Args:
        limit: Limit in standard deviations, above 0.
        shift: Mean of the scores, in standard deviations; 0 in control.

    Example:
        >>> round(shewhart_run_length(3.0), 1)
        370.4
    """
    from scipy.special import ndtr

    return float(1.0 / (ndtr(shift - limit) + ndtr(-shift - limit)))


def ewma_run_length(limit: float, smoothing: float, shift: float = 0.0) -> float:
    """Average run length of a two-sided EWMA that starts at 0, with fixed limits.

    Args:
        limit: Limit in standard deviations of the average's stationary distribution, above 0.
        smoothing: Weight of the newest score, in [0.01, 1].
        shift: Mean of the scores from the first on; 0 in control.

    Example:
        >>> round(ewma_run_length(2.814, 0.1))
        500
    """
    half = limit * math.sqrt(smoothing / (2.0 - smoothing))
    nodes, weights = np.polynomial.legendre.leggauss(_nodes(2.0 * half / smoothing))
    nodes, weights = np.append(nodes, 0.0) * half, np.append(weights, 0.0) * half
    steps = (nodes[None, :] - (1.0 - smoothing) * nodes[:, None]) / smoothing - shift
    kernel = weights * np.exp(-0.5 * steps * steps) / (smoothing * math.sqrt(2.0 * math.pi))
    return float(np.linalg.solve(np.eye(len(nodes)) - kernel, np.ones(len(nodes)))[-1])


def cusum_run_length(limit: float, allowance: float, shift: float = 0.0) -> float:
    """Average run length of two CUSUMs, one for each direction, that start at 0.

    Args:
        limit: Decision interval ``h`` in standard deviations, above 0.
        allowance: Reference value ``k`` in standard deviations, in [0.05, 1]; half the shift to be found.
        shift: Mean of the scores from the first on; 0 in control.

    Source:
        The two sides combine as in Van Dobben de Bruyn (1968), Cumulative Sum Tests.

    Example:
        >>> round(cusum_run_length(5.0, 0.5)), round(cusum_run_length(4.0, 0.5))
        (465, 168)
    """
    return 1.0 / sum(1.0 / _one_sided(limit, allowance, moved) for moved in (shift, -shift))


def _one_sided(limit: float, allowance: float, shift: float) -> float:
    from scipy.special import ndtr

    nodes, weights = np.polynomial.legendre.leggauss(_nodes(limit))
    nodes, weights = np.append(0.0, (nodes + 1.0) * limit / 2.0), np.append(0.0, weights * limit / 2.0)
    steps = nodes[None, :] - nodes[:, None] + allowance - shift
    kernel = weights * np.exp(-0.5 * steps * steps) / math.sqrt(2.0 * math.pi)
    kernel[:, 0] += ndtr(allowance - shift - nodes)  # a sum that would fall below zero starts again there
    return float(np.linalg.solve(np.eye(len(nodes)) - kernel, np.ones(len(nodes)))[0])


def _nodes(deviations: float) -> int:
    """Nodes of the quadrature for a range of so many standard deviations of one step."""
    return 30 + math.ceil(2.0 * deviations)


@lru_cache(maxsize=256)
def limit_for(kind: ChartKind, run_length: float, *, smoothing: float, allowance: float) -> float:
    """Limit with which a chart signals, in control, once in ``run_length`` points on average.

    Args:
        kind: The chart.
        run_length: In-control average run length, in [10, 1e7].
        smoothing: As for :func:`ewma_run_length`; other charts do not use it.
        allowance: As for :func:`cusum_run_length`; other charts do not use it.

    Returns:
        The limit in the units of the chart's run length function, to nine digits.

    Raises:
        ValueError: An argument is outside its range.

    Example:
        >>> round(limit_for(ChartKind.EWMA, 500.0, smoothing=0.1, allowance=0.5), 3)
        2.814
    """
    from scipy.optimize import brentq
    from scipy.special import ndtri

    if not SHORTEST_RUN <= run_length <= LONGEST_RUN:
        raise ValueError(f"a run length in [{SHORTEST_RUN:g}, {LONGEST_RUN:g}] is needed, not {run_length!r}")
    if kind is ChartKind.SHEWHART:
        return float(-ndtri(0.5 / run_length))
    if kind is ChartKind.EWMA:
        if not LEAST_SMOOTHING <= smoothing <= 1.0:
            raise ValueError(f"a smoothing in [{LEAST_SMOOTHING}, 1] is needed, not {smoothing!r}")
        run: Callable[[float], float] = lambda limit: ewma_run_length(limit, smoothing)  # noqa: E731 - one of two
    else:
        if not LEAST_ALLOWANCE <= allowance <= MOST_ALLOWANCE:
            raise ValueError(
                f"an allowance in [{LEAST_ALLOWANCE}, {MOST_ALLOWANCE}] is needed, not {allowance!r}"
            )
        run = lambda limit: cusum_run_length(limit, allowance)  # noqa: E731 - as above
    high = 1.0
    while run(high) < run_length:
        high *= 1.5
    wanted = math.log(run_length)
    return float(brentq(lambda limit: math.log(run(limit)) - wanted, 1e-3, high, xtol=1e-10, rtol=1e-10))
