"""Tail probabilities that stay honest for skewed and small samples, vectorised.

All are one-sided upper tails unless said otherwise, and err on the large side: a gate must not cry wolf
because an approximation ran out.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SMALLEST = 1e-300
_FEW = 25.0


def normal(z: Floats) -> Floats:
    """Upper tail of the standard normal distribution."""
    from scipy.special import ndtr

    return np.asarray(ndtr(-z), dtype=np.float64)


def normal_score(p: Floats) -> Floats:
    """Score whose upper tail is ``p``; the inverse of :func:`normal`."""
    from scipy.special import ndtri

    return np.asarray(-ndtri(np.clip(p, _SMALLEST, 1.0)), dtype=np.float64)


def skewed(z: Floats, skewness: Floats) -> Floats:
    """Upper tail of a standardised statistic whose sampling distribution has some skewness.

    In the longer tail that of the Pearson type III distribution, in the shorter that of the normal, which is
    larger there.

    Args:
        z: Standardised values.
        skewness: Skewness of the sampling distribution, any sign.

    Source:
        Pearson (1895), Phil. Trans. A 186:343-414; for permutation tests Mielke & Berry (2007), chapter 2.
    """
    from scipy.special import gammaincc

    p = normal(z)
    long_tail = (skewness > 1e-3) & (z > 0.0)
    if long_tail.any():
        shape = 4.0 / np.square(skewness[long_tail])
        p = p.copy()
        p[long_tail] = np.maximum(p[long_tail], gammaincc(shape, shape + z[long_tail] * np.sqrt(shape)))
    return p


def kolmogorov(distance: Floats, variance: Floats) -> Floats:
    """Two-sided p-value bound of a largest difference of two distribution functions.

    Args:
        distance: The difference, in [0, 1].
        variance: ``1/n + 1/m``, and more where something besides sampling makes the functions differ.

    Source:
        Massart (1990), Annals of Probability 18:1269-1283; for two samples Wei & Dudley (2012), Statistics &
        Probability Letters 82:636-644 (exact constant for equal sizes from 458; conservative with ties).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = np.where(distance > 0.0, -2.0 * np.square(distance) / variance, 0.0)
    return np.minimum(1.0, 2.0 * np.exp(exponent))


def chi_square(value: Floats, freedom: Floats) -> Floats:
    """Upper tail of chi-square; 1 where there is no degree of freedom."""
    from scipy.special import chdtrc

    return np.where(freedom > 0.0, chdtrc(np.maximum(freedom, 1.0), np.maximum(value, 0.0)), 1.0)


def share(successes: Floats, trials: Floats, other_successes: Floats, other_trials: Floats) -> Floats:
    """Chance of at least so many successes in the first of two samples with one common rate.

    The successes of both samples together are held fixed, as in Fisher's exact test. Where a cell of the
    two by two table expects fewer than 25 the tail is a binomial that bounds the exact one; otherwise
    that of Pearson type III, close to the mid-p value: half the chance of exactly what was seen counts.

    Args:
        successes: Successes of the first sample, any shape.
        trials: Size of the first sample.
        other_successes: Successes of the other sample.
        other_trials: Size of the other sample.

    Returns:
        P-values in (0, 1]; 1 where a sample is empty.

    Source:
        Fisher (1935), JRSS 98:39-82; Lancaster (1961), JASA 56:223-234, for the mid-p value.
    """
    from scipy.special import betainc

    total, hits = trials + other_trials, successes + other_successes
    p = np.ones(np.broadcast(successes, trials, other_successes, other_trials).shape)
    usable = (trials > 0.0) & (other_trials > 0.0) & (hits > 0.0) & (hits < total) & (successes > 0.0)
    if not usable.any():
        return p
    a, n, m, t, size = (
        np.broadcast_to(item, p.shape)[usable] for item in (successes, trials, other_trials, hits, total)
    )
    part = n / size
    # Count the rarer outcome: misses of the other sample where hits are the rule.
    swapped = 2.0 * t > size
    rare = np.where(swapped, size - t, t)
    seen = np.where(swapped, m - (t - a), a)
    chance = np.where(swapped, m / size, part)
    few = rare * np.minimum(part, 1.0 - part) < _FEW
    tail = np.ones(a.shape)
    # Either of two binomials bounds the hypergeometric: the rare outcomes falling into this sample, or this
    # sample's members being rare; the one with fewer draws is the tighter.
    drawn = np.where(swapped, m, n)
    draws, odds = np.minimum(rare, drawn), np.where(rare <= drawn, chance, rare / size)
    at = few & (seen > 0.0)
    tail[at] = betainc(seen[at], draws[at] - seen[at] + 1.0, odds[at])
    at = ~few
    if at.any():
        q, r, b, g = chance[at], rare[at], seen[at], size[at]
        rate = r / g
        deviation = np.sqrt(r * q * (1.0 - q) * (1.0 - rate) * g / (g - 1.0))
        skewness = (1.0 - 2.0 * q) * (1.0 - 2.0 * rate) / np.maximum(deviation, 1e-12)
        tail[at] = skewed((b - r * q) / deviation, skewness)
    p[usable] = np.clip(tail, _SMALLEST, 1.0)
    return p
