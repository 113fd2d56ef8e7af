"""Tail probabilities agree with exact ones, or err on the large side."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, hypergeom, ks_2samp, norm

from aims_pipelines.stats.tails import chi_square, kolmogorov, normal, normal_score, share, skewed

sizes = st.integers(2, 40_000)


@given(sizes, sizes, st.data())
def test_shares_have_at_least_the_exact_mid_p_value(n, m, data):
    hits = data.draw(st.integers(1, n + m - 1))
    exact = hypergeom(n + m, hits, n)
    seen = data.draw(st.integers(max(0, hits - m), min(hits, n)))
    mid = float(exact.sf(seen - 1) - exact.pmf(seen) / 2.0)
    ours = float(share(*(np.array([float(value)]) for value in (seen, n, hits - seen, m)))[0])
    if mid > 1e-11:
        assert ours > 0.9 * mid
    assert 0.0 < ours <= 1.0


@given(st.integers(200, 20_000), st.floats(0.1, 0.9), st.floats(0.1, 0.9), st.floats(0.0, 5.0))
def test_shares_of_large_samples_are_close_to_the_exact_mid_p_value(size, part, rate, deviations):
    n, hits = round(size * part), round(size * rate)
    exact = hypergeom(size, hits, n)
    if min(hits, size - hits) * min(part, 1 - part) < 30:
        return
    seen = min(hits, n, int(exact.mean() + deviations * exact.std()))
    mid = float(exact.sf(seen - 1) - exact.pmf(seen) / 2.0)
    ours = float(share(*(np.array([float(value)]) for value in (seen, n, hits - seen, size - n)))[0])
    # In standard errors; smaller is the safe side.
    assert 0.9 * norm.isf(mid) - 0.05 < norm.isf(ours) < norm.isf(mid) + 0.05


def test_an_empty_sample_shows_nothing():
    zero, some = np.zeros(1), np.full(1, 5.0)
    assert share(zero, zero, some, some * 2)[0] == 1.0
    assert share(some, some * 2, zero, zero)[0] == 1.0
    assert share(zero, some, zero, some)[0] == 1.0


@given(st.floats(-5.0, 8.0))
def test_the_skewed_tail_is_the_normal_one_without_skewness_and_larger_with_it(z):
    at = np.array([z])
    assert skewed(at, np.zeros(1))[0] == pytest.approx(norm.sf(z))
    assert skewed(at, np.array([0.8]))[0] >= norm.sf(z) * (1 - 1e-12)
    assert normal_score(normal(at))[0] == pytest.approx(z, abs=1e-6)


@given(st.integers(30, 3000), st.integers(30, 3000), st.integers(0, 2**32 - 1))
def test_the_gap_bound_is_never_below_the_exact_p_value_of_scipy(n, m, seed):
    rng = np.random.default_rng(seed)
    result = ks_2samp(rng.standard_normal(n), rng.standard_normal(m) + 0.1, method="asymp")
    bound = kolmogorov(np.array([result.statistic]), np.array([1 / n + 1 / m]))[0]
    assert bound >= result.pvalue * 0.98


def test_chi_square_without_freedom_shows_nothing():
    assert chi_square(np.array([9.0, 9.0]), np.array([0.0, 1.0])).tolist() == pytest.approx(
        [1.0, chi2.sf(9.0, 1)]
    )
