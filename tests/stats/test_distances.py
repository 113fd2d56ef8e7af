"""Distances from profiles agree with outside libraries on the rows themselves."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from aims_pipelines.measure import profile_table
from aims_pipelines.stats import distances
from aims_pipelines.stats.profile import ATOM_CAP, CATEGORY_CAP

SHAPES = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "pareto": lambda rng, n: rng.pareto(1.5, n),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "integers": lambda rng, n: rng.poisson(3.0, n).astype(float),
    "ties": lambda rng, n: np.round(rng.standard_normal(n), 1),
    "constant": lambda _, n: np.full(n, 7.25),
    "denormal": lambda rng, n: rng.random(n) * 1e-310,
    "huge": lambda rng, n: rng.standard_normal(n) * 1e150,
    "mixed signs": lambda rng, n: rng.standard_normal(n) * 10.0 ** rng.integers(-5, 5, n),
    "two scales": lambda rng, n: np.where(rng.random(n) < 0.5, rng.random(n), 1e6 * rng.random(n)),
}


def column(values):
    return profile_table(pa.table({"x": pa.array(values)}), rows=False).columns["x"]


windows = st.tuples(
    st.sampled_from(sorted(SHAPES)),
    st.sampled_from(sorted(SHAPES)),
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.integers(0, 2**32 - 1),
)


@settings(max_examples=60, deadline=None)
@given(windows)
def test_wasserstein_and_ks_agree_with_scipy_on_the_rows(window):
    first, second, n, m, seed = window
    rng = np.random.default_rng(seed)
    x, y = SHAPES[first](rng, n), SHAPES[second](rng, m)
    before, after = column(x), column(y)
    exact = before.distribution.exact and after.distribution.exact
    ours, oracle = distances.wasserstein(before, after), wasserstein_distance(x, y)
    bound = 1e-9 if exact else 2.0**-8
    size = np.abs(x).mean() + np.abs(y).mean()
    assert (
        abs(ours - oracle) <= bound * size * (1 + 1e-9) + 2.0**-1028
    )  # the bin of zero holds the smallest denormals
    gap = distances.kolmogorov_smirnov(before, after)
    largest_bin = 0.0
    if not exact:
        shares = [item.distribution.counts.max() / item.distribution.total for item in (before, after)]
        largest_bin = max(shares) + 1.0 / min(n, m)
    statistic = ks_2samp(x, y).statistic
    assert statistic - largest_bin - 1e-9 <= gap <= statistic + 1e-9


@pytest.mark.parametrize("shape", ["normal", "pareto", "mixed signs", "two scales"])
def test_moved_values_are_measured_within_half_a_percent(shape):
    rng = np.random.default_rng(1)
    x, y = SHAPES[shape](rng, 40_000), SHAPES[shape](rng, 40_000)
    y = y + 0.3 * np.std(x[np.abs(x) < np.quantile(np.abs(x), 0.99)])
    before, after = column(x), column(y)
    assert not before.distribution.exact
    assert distances.wasserstein(before, after) == pytest.approx(wasserstein_distance(x, y), rel=0.005)
    assert distances.kolmogorov_smirnov(before, after) == pytest.approx(
        ks_2samp(x, y).statistic, rel=0.005, abs=5e-4
    )


def test_exact_values_and_bins_meet():
    rng = np.random.default_rng(2)
    few, many = np.round(rng.random(5000) * 20), rng.random(5000) * 20
    before, after = column(few), column(many)
    assert (before.distribution.exact, after.distribution.exact) == (True, False)
    assert before.distribution.points.size < ATOM_CAP
    assert distances.wasserstein(before, after) == pytest.approx(
        wasserstein_distance(few, many), abs=0.004 * 20
    )


def test_infinities_count_as_values_that_are_infinitely_far():
    finite, infinite = column([1.0, 2.0, 3.0]), column([1.0, 2.0, math.inf])
    assert distances.wasserstein(finite, infinite) == math.inf
    assert distances.wasserstein(infinite, infinite) == 0.0
    assert distances.kolmogorov_smirnov(finite, infinite) == pytest.approx(1 / 3)
    assert distances.wasserstein(column([-math.inf, 1.0]), column([-math.inf, 2.0])) == pytest.approx(0.5)


def test_the_widest_step_does_not_overflow():
    a, b = column([-1e308, 1.5e308]), column([-1e308, -1e308])
    assert distances.wasserstein(a, b) == pytest.approx(1.25e308)


def test_distances_in_standard_deviations():
    rng = np.random.default_rng(3)
    x, y = rng.normal(3, 2, 5000), rng.normal(4, 2, 5000)
    oracle = wasserstein_distance(x, y) / x.std()
    assert distances.wasserstein_normed(column(x), column(y)) == pytest.approx(oracle, rel=0.005)
    assert distances.wasserstein_normed(column([1.0, 1.0]), column([2.0, 2.0])) == math.inf
    assert distances.wasserstein_normed(column([1.0, 1.0]), column([1.0])) == 0.0


def test_a_window_without_values_has_no_distance():
    empty, some = column(pa.array([None, None], pa.float64())), column([1.0, 2.0])
    for measure in (distances.wasserstein, distances.kolmogorov_smirnov):
        assert math.isnan(measure(empty, some))
        assert math.isnan(measure(some, empty))
    before, after = distances.shares(empty, some)
    for share_measure in (
        distances.total_variation,
        distances.jensen_shannon,
        distances.population_stability_index,
    ):
        assert math.isnan(share_measure(before, after))
    assert math.isnan(distances.chi_square(before, after)[0])


counts = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=12).filter(
    lambda pairs: sum(a for a, _ in pairs) > 0 and sum(b for _, b in pairs) > 0
)


@given(counts)
def test_distances_between_shares_agree_with_their_definitions_elsewhere(pairs):
    before, after = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    p, q = before / before.sum(), after / after.sum()
    assert distances.jensen_shannon(before, after) == pytest.approx(jensenshannon(p, q, base=2), abs=1e-7)
    assert distances.total_variation(before, after) == pytest.approx(1.0 - np.minimum(p, q).sum(), abs=1e-9)
    both = before + after > 0
    if both.sum() > 1:
        statistic, _, freedom, _ = chi2_contingency([before[both], after[both]], correction=False)
        assert distances.chi_square(before, after) == pytest.approx((statistic, freedom))
    assert distances.population_stability_index(before, after) >= 0.0
    assert distances.population_stability_index(before, before) == pytest.approx(0.0, abs=1e-12)


def test_stability_index_of_a_textbook_table():
    before = np.array([1000.0, 2000.0, 4000.0, 2000.0, 1000.0]) * 1e6
    after = np.array([1200.0, 2200.0, 3800.0, 1900.0, 900.0]) * 1e6
    by_hand = sum(
        (a - b) * math.log(a / b)
        for a, b in ((0.12, 0.1), (0.22, 0.2), (0.38, 0.4), (0.19, 0.2), (0.09, 0.1))
    )
    assert distances.population_stability_index(before, after) == pytest.approx(by_hand, rel=1e-6)


def test_cells_of_numbers_hold_about_equal_reference_mass_and_missing_values_are_a_cell_if_asked():
    rng = np.random.default_rng(4)
    x = rng.standard_normal(10_000)
    with_missing = pa.array(x, mask=rng.random(10_000) < 0.2)
    before, after = distances.shares(column(x), column(with_missing))
    assert before.size == 10
    assert before == pytest.approx(np.full(10, 1000), rel=0.06)
    assert after.sum() == 10_000 - with_missing.null_count
    before, after = distances.shares(column(x), column(with_missing), missing=True)
    assert (before[-1], after[-1]) == (0.0, with_missing.null_count)
    assert distances.total_variation(before, after) == pytest.approx(
        with_missing.null_count / 10_000, abs=0.02
    )


def test_edges_may_be_given():
    before, after = distances.shares(column([1.0, 2.0, 3.0, 3.0]), column([0.5, 2.5]), edges=(1.0, 3.0))
    assert (before.tolist(), after.tolist()) == ([0.0, 2.0, 2.0], [1.0, 1.0, 0.0])


def test_named_and_hashed_categories_meet():
    few = [f"code {index % 40}" for index in range(4000)]
    many = [f"code {index}" for index in range(CATEGORY_CAP + 500)]
    before, after = column(few), column(many)
    assert (before.categories.exact, after.categories.exact) == (True, False)
    first, second = distances.shares(before, after)
    assert (first.sum(), second.sum()) == (len(few), len(many))
    truth = 1.0 - 40 / len(
        many
    )  # forty codes in common, each with a share of 1/len(many) in the second window
    assert 0.9 < distances.total_variation(first, second) <= truth + 1e-9


@pytest.mark.slow
def test_distances_agree_with_evidently_on_the_same_cells():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("evidently")
    from evidently.legacy.calculations.stattests import jensenshannon, psi
    from evidently.legacy.calculations.stattests import wasserstein_distance_norm as theirs_normed
    from evidently.legacy.core import ColumnType

    rng = np.random.default_rng(5)
    x, y = rng.normal(0, 1, 6000), rng.normal(0.3, 1.0, 6000)
    before, after = column(x), column(y)
    normed = theirs_normed._wasserstein_distance_norm(pd.Series(x), pd.Series(y), ColumnType.Numerical, 0.1)[
        0
    ]
    assert distances.wasserstein_normed(before, after) == pytest.approx(normed, rel=0.005)

    edges = np.histogram_bin_edges(np.concatenate([x, y]), bins="sturges")  # Evidently's cells for numbers
    cells = distances.shares(before, after, edges=edges[1:-1].tolist())
    root = math.sqrt(math.log(2.0))  # Evidently takes natural logarithms
    theirs = jensenshannon._jensenshannon(pd.Series(x), pd.Series(y), ColumnType.Numerical, 0.1)[0]
    assert distances.jensen_shannon(*cells) == pytest.approx(theirs / root, rel=0.01)

    labels = np.array(list("abcd"))
    a = labels[rng.choice(4, 6000, p=[0.4, 0.3, 0.2, 0.1])]
    b = labels[rng.choice(4, 6000, p=[0.3, 0.3, 0.2, 0.2])]
    cells = distances.shares(column(a.tolist()), column(b.tolist()))
    series = (pd.Series(a), pd.Series(b), ColumnType.Categorical, 0.1)
    assert distances.population_stability_index(*cells) == pytest.approx(psi._psi(*series)[0], rel=0.002)
    assert distances.jensen_shannon(*cells) == pytest.approx(jensenshannon._jensenshannon(*series)[0] / root)
