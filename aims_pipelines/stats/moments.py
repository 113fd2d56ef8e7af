"""Central moment sums that add up.

Sources: Chan, Golub, LeVeque (1979) for two samples' second moments; Pébay (2008), SAND2008-6212, for the
third and fourth.
"""

import math

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.profile import Moments

NO_MOMENTS = Moments(count=0, minimum=math.nan, maximum=math.nan, mean=math.nan, m2=0.0, m3=0.0, m4=0.0)


def add_moments(a: Moments, b: Moments) -> Moments:
    """Moments of two samples together: commutative to the bit, associative up to rounding.

    Args:
        a: Moments of one sample.
        b: Moments of the other.

    Returns:
        Moments of all values of both.
    """
    if a.count == 0:
        return b
    if b.count == 0:
        return a
    if (b.count, b.mean, b.m2) < (a.count, a.mean, a.m2):  # one order, so that a with b is b with a
        a, b = b, a
    n_a, n_b = float(a.count), float(b.count)
    n = n_a + n_b
    delta = b.mean - a.mean
    if not math.isfinite(delta):
        mean = a.mean * (n_a / n) + b.mean * (n_b / n)
        return _settled(a, b, mean, (math.inf, math.nan, math.inf))
    per = delta / n
    mean = a.mean + per * n_b
    product = delta * per * n_a * n_b
    m2 = a.m2 + b.m2 + product
    m3 = a.m3 + b.m3 + product * per * (n_a - n_b) + 3.0 * per * (n_a * b.m2 - n_b * a.m2)
    m4 = (
        a.m4
        + b.m4
        + product * per * per * (n_a * n_a - n_a * n_b + n_b * n_b)
        + 6.0 * per * per * (n_a * n_a * b.m2 + n_b * n_b * a.m2)
        + 4.0 * per * (n_a * b.m3 - n_b * a.m3)
    )
    return _settled(a, b, mean, (m2, m3, m4))


def _settled(a: Moments, b: Moments, mean: float, sums: tuple[float, float, float]) -> Moments:
    return overflow_marked(
        Moments(
            count=a.count + b.count,
            minimum=min(a.minimum, b.minimum),
            maximum=max(a.maximum, b.maximum),
            mean=min(max(mean, min(a.mean, b.mean)), max(a.mean, b.mean)),
            m2=sums[0],
            m3=sums[1],
            m4=sums[2],
        )
    )


def overflow_marked(moments: Moments) -> Moments:
    """Say infinite (or NaN, for the odd one) wherever a sum left the range of float64."""
    if math.isfinite(moments.m2) and math.isfinite(moments.m3) and math.isfinite(moments.m4):
        return moments
    beyond = not math.isfinite(moments.m2)
    return Moments(
        count=moments.count,
        minimum=moments.minimum,
        maximum=moments.maximum,
        mean=moments.mean,
        m2=math.inf if beyond else moments.m2,
        m3=math.nan if beyond or not math.isfinite(moments.m3) else moments.m3,
        m4=math.inf if beyond or not math.isfinite(moments.m4) else moments.m4,
    )


def moments_of(points: NDArray[np.float64], counts: NDArray[np.int64]) -> Moments:
    """Moments of values that are given with their counts; infinities are left out.

    Args:
        points: Distinct values, sorted, none NaN.
        counts: How often each occurs.

    Returns:
        Moments of the finite values: the same bits for the same points and counts.
    """
    finite = np.isfinite(points)
    if not finite.all():
        points, counts = points[finite], counts[finite]
    if not len(points):
        return NO_MOMENTS
    count = int(counts.sum())
    smallest, largest = float(points[0]), float(points[-1])
    # In units of a power of two near the largest magnitude, so that sums and squares stay in range.
    exponent = math.frexp(max(abs(smallest), abs(largest)))[1]
    scaled = np.ldexp(points, -exponent)
    weights = counts / count
    mean = float(weights @ scaled)
    mean += float(weights @ (scaled - mean))
    deviation = scaled - mean
    squared = deviation * deviation
    sums = (
        float(counts @ squared),
        float(counts @ (squared * deviation)),
        float(counts @ (squared * squared)),
    )
    with np.errstate(over="ignore", under="ignore"):
        m2, m3, m4 = (float(np.ldexp(value, exponent * (power + 2))) for power, value in enumerate(sums))
        centre = float(np.ldexp(mean, exponent))
    return overflow_marked(
        Moments(
            count=count,
            minimum=smallest,
            maximum=largest,
            mean=min(max(centre, smallest), largest),
            m2=m2,
            m3=m3,
            m4=m4,
        )
    )
