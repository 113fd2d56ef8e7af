"""Adjusting p-values for the number of tests made.

An adjusted p-value is compared with the one level stated in policy. NaN stands for a test that could not be
made: it stays NaN, and does not count as a test.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def benjamini_hochberg(p_values: ArrayLike, *, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """Adjust for the false-discovery rate.

    Args:
        p_values: P-values in [0, 1], one a test.
        weights: How much of the level each test is given, chosen before seeing the data; at least 0 and
            scaled to mean 1. All equal if absent.

    Returns:
        Adjusted p-values in [0, 1], in the order given.

    Source:
        Benjamini & Hochberg (1995), JRSS B 57:289-300; weights as in Genovese, Roeder & Wasserman (2006),
        Biometrika 93:509-524.

    Example:
        >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(3).tolist()
        [0.04, 0.053, 0.053, 0.5]
    """
    p, made = _weighted(p_values, weights)
    tested = p[made]
    order = np.argsort(tested, kind="stable")
    ranks = np.arange(1, tested.size + 1)
    scaled = tested[order] * tested.size / ranks
    falling = np.minimum.accumulate(scaled[::-1])[::-1]
    return _back(p, made, order, falling)


def holm(p_values: ArrayLike, *, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """Adjust for the chance of even one false finding, by Holm's steps.

    Args:
        p_values: P-values in [0, 1], one a test.
        weights: As for :func:`benjamini_hochberg`.

    Returns:
        Adjusted p-values in [0, 1], in the order given.

    Source:
        Holm (1979), Scandinavian Journal of Statistics 6:65-70 (weighted: its section 4).

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
        [0.03, 0.06, 0.06]
    """
    p, made = _weighted(p_values, weights)
    tested = p[made]
    shares = (
        np.ones(tested.size) if weights is None else _mean_one(np.asarray(weights, dtype=np.float64)[made])
    )
    order = np.argsort(tested, kind="stable")
    remaining = np.cumsum(shares[order][::-1])[::-1]
    rising = np.maximum.accumulate(tested[order] * remaining)
    return _back(p, made, order, rising)


def _weighted(
    p_values: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    p = np.array(p_values, dtype=np.float64, ndmin=1)
    made = ~np.isnan(p)
    if weights is not None:
        shares = _mean_one(np.asarray(weights, dtype=np.float64)[made])
        with np.errstate(divide="ignore", invalid="ignore"):
            p[made] = np.where(shares > 0.0, p[made] / shares, np.inf)
    return p, made


def _mean_one(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total = weights.sum()
    return weights * (weights.size / total) if total > 0.0 else np.ones_like(weights)


def _back(
    p: NDArray[np.float64], made: NDArray[np.bool_], order: NDArray[np.intp], adjusted: NDArray[np.float64]
) -> NDArray[np.float64]:
    tested = np.empty(order.size)
    tested[order] = np.minimum(1.0, adjusted)
    result = np.full(p.shape, np.nan)
    result[made] = tested
    return result
