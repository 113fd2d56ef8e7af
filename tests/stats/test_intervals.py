"""Intervals cover as often as they say, and agree with published examples."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom, binomtest, multinomial, t
from scipy.stats.contingency import relative_risk

from aims_pipelines.stats.intervals import (
    newcombe,
    paired,
    quantile,
    ratio,
    rows_to_settle,
    simultaneous,
    student,
    wilson,
)

counts = st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.floats(0.5, 0.999))
def test_wilson_agrees_with_scipy(count, confidence):
    successes, total = count
    if total == 0:
        assert wilson(successes, total, confidence=confidence) == (0.0, 1.0)
        return
    oracle = binomtest(successes, total).proportion_ci(confidence, method="wilson")
    assert wilson(successes, total, confidence=confidence) == pytest.approx(
        (oracle.low, oracle.high), abs=1e-12
    )


# Newcombe (1998), table II, method 10.
@pytest.mark.parametrize(
    ("first", "other", "published"),
    [
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((6, 7), (2, 7), (0.0582, 0.8062)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
        ((0, 10), (0, 20), (-0.1611, 0.2775)),
        ((0, 10), (0, 10), (-0.2775, 0.2775)),
        ((10, 10), (0, 20), (0.6791, 1.0)),
        ((10, 10), (0, 10), (0.6075, 1.0)),
    ],
)
def test_differences_agree_with_the_published_table(first, other, published):
    assert newcombe(*first, *other) == pytest.approx(published, abs=5e-5)


def test_ratio_agrees_with_the_published_example():
    assert ratio(36, 40, 16, 80) == pytest.approx((2.94, 7.15), abs=5e-3)  # Koopman (1984)


def test_ratio_of_many_rows_agrees_with_the_logarithmic_interval_of_scipy():
    ours = ratio(60_000, 100_000, 48_000, 100_000)
    oracle = relative_risk(60_000, 100_000, 48_000, 100_000).confidence_interval(0.95)
    assert ours == pytest.approx((oracle.low, oracle.high), rel=1e-4)


@given(counts, counts)
def test_limits_hold_the_estimate_and_swap_with_the_groups(first, other):
    if not first[1] or not other[1]:
        assert newcombe(*first, *other) == (-1.0, 1.0)
        assert ratio(*first, *other) == (0.0, math.inf)
        return
    low, high = newcombe(*first, *other)
    gap = first[0] / first[1] - other[0] / other[1]
    assert -1.0 <= low <= gap + 1e-12
    assert gap - 1e-12 <= high <= 1.0
    assert newcombe(*other, *first) == pytest.approx((-high, -low), abs=1e-12)
    down, up = ratio(*first, *other)
    if first[0] and other[0]:
        assert down <= gap / (other[0] / other[1]) + 1 + 1e-6
        assert ratio(*other, *first) == pytest.approx((1 / up, 1 / down), rel=1e-6)


# Fagerland, Lydersen & Laake (2014), Statistics in Medicine 33:2850-2875, for Tango's interval.
@pytest.mark.parametrize(
    ("counts", "published"), [((1, 7, 21), (-0.517, -0.026)), ((6, 16, 161), (-0.124, -0.005))]
)
def test_paired_differences_agree_with_published_examples(counts, published):
    assert paired(*counts) == pytest.approx(published, abs=5e-4)


@pytest.mark.parametrize(("x", "y", "n"), [(9, 3, 40), (0, 4, 15), (30, 31, 90), (0, 0, 12)])
def test_at_the_ends_the_constrained_likelihood_gives_the_score_its_quantile(x, y, n):
    def score(gap):
        def unlikely(other):
            cells = other + gap, other, 1 - 2 * other - gap
            return -sum(k * math.log(p) for k, p in zip((x, y, n - x - y), cells, strict=True) if k)

        low, high = max(0.0, -gap), (1 - gap) / 2
        other = minimize_scalar(unlikely, bounds=(low + 1e-12, high - 1e-12), options={"xatol": 1e-12}).x
        return (x - y - n * gap) / math.sqrt(n * (2 * other + gap * (1 - gap)))

    low, high = paired(x, y, n)
    assert score(low) == pytest.approx(1.959964, abs=1e-3)
    assert score(high) == pytest.approx(-1.959964, abs=1e-3)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 80))
def test_paired_limits_hold_the_estimate_and_swap_with_the_rates(x, y, rest):
    n = x + y + rest
    low, high = paired(x, y, n)
    assert -1.0 <= low <= (x - y) / n <= high <= 1.0
    assert paired(y, x, n) == pytest.approx((-high, -low), abs=1e-9)


@pytest.mark.parametrize("n", [20, 40])
def test_paired_differences_cover_within_a_point_of_nominal(n):
    counts = [(x, y) for x in range(n + 1) for y in range(n + 1 - x)]
    ends = np.array([paired(x, y, n) for x, y in counts])
    covered = []
    for p, q in np.random.default_rng(5).uniform(0.02, 0.4, size=(100, 2)):
        chance = multinomial.pmf([(x, y, n - x - y) for x, y in counts], n, (p, q, 1 - p - q))
        covered.append(chance[(ends[:, 0] <= p - q) & (p - q <= ends[:, 1])].sum())
    assert np.mean(covered) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize("freedom", [1, 2.5, 9, 1e6])
def test_students_quantile_is_that_of_scipy(freedom):
    assert student(0.95, freedom) == pytest.approx(t.ppf(0.975, freedom))


@pytest.mark.parametrize(("confidence", "freedom"), [(1.0, 5), (math.nan, 5), (0.95, 0), (0.95, math.nan)])
def test_students_quantile_of_what_cannot_be_is_nan(confidence, freedom):
    assert math.isnan(student(confidence, freedom))


@pytest.mark.parametrize("bad", [(5, 3), (-1, 3), (1, math.inf), (math.nan, 3)])
def test_unusable_counts_give_limits_on_which_nothing_can_pass(bad):
    for limits in (
        wilson(*bad),
        newcombe(*bad, 1, 2),
        newcombe(1, 2, *bad),
        ratio(*bad, 1, 2),
        ratio(1, 2, *bad),
    ):
        assert all(math.isnan(limit) for limit in limits)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, 2.0, math.nan])
def test_unusable_coverage_gives_limits_on_which_nothing_can_pass(confidence):
    assert math.isnan(quantile(confidence))
    assert all(math.isnan(limit) for limit in wilson(1, 2, confidence=confidence))
    assert all(math.isnan(limit) for limit in ratio(1, 2, 1, 2, confidence=confidence))


def test_intervals_that_must_hold_together_are_wider():
    assert simultaneous(0.95, 10) == pytest.approx(0.995)
    assert simultaneous(0.95, 0) == 0.95


def _mean_coverage(limits, sizes, rates):
    """Exact coverage of a two-sample interval, averaged over rates: every outcome weighted by its chance."""
    n, m = sizes
    xs, ys = np.arange(n + 1), np.arange(m + 1)
    table = np.array([[limits(x, n, y, m) for y in ys] for x in xs])
    covered = []
    for p, q, truth in rates:
        chance = np.outer(binom.pmf(xs, n, p), binom.pmf(ys, m, q))
        covered.append((chance * ((table[:, :, 0] <= truth) & (truth <= table[:, :, 1]))).sum())
    return float(np.mean(covered))


@pytest.mark.parametrize("rates", [(0.05, 0.95), (0.02, 0.5)])
@pytest.mark.parametrize("sizes", [(10, 10), (12, 30), (30, 30)])
def test_intervals_of_small_groups_cover_within_a_point_of_nominal(sizes, rates):
    rng = np.random.default_rng(3)
    pairs = rng.uniform(*rates, size=(150, 2))
    gaps = _mean_coverage(newcombe, sizes, [(p, q, p - q) for p, q in pairs])
    ratios = _mean_coverage(ratio, sizes, [(p, q, p / q) for p, q in pairs])
    assert gaps == pytest.approx(0.95, abs=0.012 if min(sizes) <= 10 else 0.01)
    assert ratios == pytest.approx(0.95, abs=0.012 if min(sizes) <= 10 else 0.01)


@pytest.mark.parametrize("total", [5, 10, 20, 50, 200])
def test_wilson_covers_within_a_point_of_nominal_on_average_over_rates(total):
    successes = np.arange(total + 1)
    limits = np.array([wilson(int(x), total) for x in successes])
    rates = np.linspace(0.0005, 0.9995, 1000)
    covered = [
        (binom.pmf(successes, total, rate) * ((limits[:, 0] <= rate) & (rate <= limits[:, 1]))).sum()
        for rate in rates
    ]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.01)


@pytest.mark.simulation
@pytest.mark.parametrize("sizes", [(5, 5), (5, 50), (15, 60), (40, 100), (100, 100)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_coverage_over_all_outcomes_is_within_a_point_of_nominal(sizes, confidence):
    rng = np.random.default_rng(8)
    pairs = rng.uniform(0.02, 0.98, size=(400, 2))

    def limits(interval):
        return lambda *counts: interval(*counts, confidence=confidence)

    for interval, truth in ((newcombe, lambda p, q: p - q), (ratio, lambda p, q: p / q)):
        coverage = _mean_coverage(limits(interval), sizes, [(p, q, truth(p, q)) for p, q in pairs])
        assert coverage == pytest.approx(confidence, abs=0.015 if min(sizes) <= 5 else 0.01)


@pytest.mark.parametrize("limit", [0.7, 0.78, 0.84])
def test_rows_to_settle_are_those_with_which_the_interval_lies_on_one_side(limit):
    """A lopsided interval, as that of a ranking quality, whose halves shrink with the root of the rows."""
    rows, value, low, high = 134, 0.7854, 0.6992, 0.8519
    needed = rows_to_settle(rows, value, (low, high), limit)
    assert needed > rows

    def settled(count):
        scale = (rows / count) ** 0.5
        return not value - (value - low) * scale < limit < value + (high - value) * scale

    assert settled(needed)
    assert needed == rows + 1 or not settled(needed - 1)


def test_no_number_of_rows_settles_a_value_on_its_limit():
    assert rows_to_settle(100, 0.5, (0.4, 0.6), 0.5) is None
    assert rows_to_settle(100, 0.5, (0.4, float("nan")), 0.55) is None
