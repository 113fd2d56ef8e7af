"""Means of skewed samples cover as often as they say."""

import math

import numpy as np
import pytest
from scipy import stats

from aims_pipelines.stats.estimates import mean


def test_without_skewness_it_is_students_interval():
    values = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])
    oracle = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    assert mean(values).interval(0.9) == pytest.approx((oracle.low, oracle.high))


def test_halls_transformation_of_the_ends_is_students_quantile():
    values = np.random.default_rng(1).exponential(size=40)
    error, a = values.std(ddof=1) / math.sqrt(40), stats.skew(values) / math.sqrt(40)
    for end, quantile in zip(mean(values).interval(0.95), stats.t.ppf([0.975, 0.025], 39), strict=True):
        x = (values.mean() - end) / error
        assert x + a * x**2 / 3 + a**2 * x**3 / 27 + a / 6 == pytest.approx(quantile, rel=1e-6)


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng, size: rng.standard_normal(size), 0.0),
        (lambda rng, size: abs(rng.standard_normal(size)), math.sqrt(2 / math.pi)),
        (lambda rng, size: rng.standard_normal(size) ** 2, 1.0),
        (lambda rng, size: rng.exponential(size=size), 1.0),
    ],
    ids=["normal", "absolute errors", "squared errors", "exponential"],
)
def test_means_of_twenty_rows_cover_at_their_nominal_rate(draw, truth):
    samples = draw(np.random.default_rng(2), (4000, 20))
    ends = np.array([mean(sample).interval(0.95) for sample in samples])
    assert ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean() == pytest.approx(0.95, abs=0.017)


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0, 2.0], [1.0, math.nan], [1.0, math.inf]])
def test_what_tells_no_spread_gives_no_mean(values):
    assert not mean(np.array(values)).known


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_tiny_and_huge_values_are_measured_alike(scale):
    values = np.array([1.0, 2.0, 4.0, 9.0])
    assert mean(values * scale).interval(0.95) == pytest.approx(
        tuple(end * scale for end in mean(values).interval(0.95))
    )
