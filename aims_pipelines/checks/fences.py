"""Fences: bounds beyond which a value is outlying, fitted to a column's own shape.

Around the median ``m``, in units of ``s`` (half the distance between the quartiles), values are put on the
scale ``z = asinh((x - m) / s)``, on which heavy tails are short. The fences lie ``STRETCH`` times as far from
the median as the farther decile. For normal data that is 6.4 standard deviations; of a Pareto tail of index 1
it leaves 0.8 % outside. A tenth of the values on one side may be wild before they move a fence. Where single
values make up so much of a column that the quartiles meet (zeros of amounts), the fences fit the rest, and
those values are ordinary.

Source of the transformation: Burbidge, Magee & Robb (1988), JASA 83:123-127.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.profile import Distribution

STRETCH = 2.1
#: Fewest values that fences are fitted to.
MIN_VALUES = 30
# Values clipped to a fence come back from 32-bit storage within this relative distance of it.
_ROUNDING = 2.0**-23


@dataclass(frozen=True, slots=True, kw_only=True)
class Fences:
    """Bounds between which the values of a column are ordinary.

    Args:
        low: Values below it are outlying.
        high: Values above it are outlying.
    """

    low: float
    high: float

    def beyond(self, distribution: Distribution) -> int:
        """Count the values outside; where points stand for bins, a bin that a fence crosses is inside."""
        # Bins far from zero are narrow: a slack as for wide ones would hide every outlier there.
        slack = _ROUNDING if distribution.exact else max(_ROUNDING, 2.0**-distribution.mantissa_bits)
        high, low = self.high + slack * abs(self.high), self.low - slack * abs(self.low)
        outside = (distribution.points > high) | (distribution.points < low)
        return int(distribution.counts[outside].sum())


def fit(distribution: Distribution, *, spare: float | None = None) -> Fences | None:
    """Fit fences to the values of a column.

    Args:
        distribution: The values.
        spare: Largest share of these values that may lie beyond each fence, in [0, 0.5): the fences are
            widened until that is so. ``None`` leaves them as the shape gives them.

    Returns:
        The fences; ``None`` where fewer than ``MIN_VALUES`` finite values are left to fit them to.

    Example:
        >>> points = np.arange(100.0)
        >>> fences = fit(Distribution(points=points, counts=np.ones(100, dtype=np.int64), exact=True))
        >>> fences.low < -70 and fences.high > 170
        True
    """
    finite = np.isfinite(distribution.points)
    points, counts = distribution.points[finite], distribution.counts[finite]
    atoms: list[float] = []
    while int(counts.sum()) >= MIN_VALUES:
        low, first, middle, third, high = _quantiles(points, counts, (0.1, 0.25, 0.5, 0.75, 0.9))
        scale = (third - first) / 2
        if scale > 0:
            break
        heaviest = int(counts.argmax())
        atoms.append(float(points[heaviest]))
        points, counts = np.delete(points, heaviest), np.delete(counts, heaviest)
    else:
        return None
    reach = scale * np.sinh(STRETCH * np.arcsinh(max(high - middle, middle - low) / scale))
    bounds = [middle - reach, middle + reach, *atoms]
    if spare is not None:
        bounds += _quantiles(distribution.points[finite], distribution.counts[finite], (spare, 1 - spare))
    return Fences(low=float(min(bounds)), high=float(max(bounds)))


def _quantiles(
    points: NDArray[np.float64], counts: NDArray[np.int64], shares: tuple[float, ...]
) -> list[float]:
    """Smallest points at or below which the given shares of the values lie."""
    cumulated = np.cumsum(counts)
    places = np.searchsorted(cumulated, np.asarray(shares) * cumulated[-1], side="left")
    return [float(points[place]) for place in np.minimum(places, len(points) - 1)]
