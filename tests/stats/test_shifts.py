"""What is measured in one column, held against permutation tests and outside libraries on the rows."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, norm

from aims_pipelines.measure import profile_table
from aims_pipelines.stats.column_shifts import column_shifts, missing_shifts
from aims_pipelines.stats.share_shifts import share_shifts
from aims_pipelines.stats.shifts import Shift


def columns(values, groups=None):
    """The profile of one column: of all rows, then of each group."""
    from aims_pipelines.stats.profile import GroupSpec

    table = {"x": pa.array(values)}
    if groups is None:
        return [profile_table(pa.table(table), rows=False).columns["x"]]
    profile = profile_table(pa.table({**table, "g": groups}), groups=(GroupSpec(columns=("g",)),), rows=False)
    return [profile.columns["x"], *(group.columns["x"] for group in profile.groups["g"].values())]


def shift(before, after, *, wobble=0.0):
    return column_shifts(columns(before), columns(after), wobble=wobble)[0]


def test_a_location_shift_is_measured_in_standard_deviations():
    rng = np.random.default_rng(0)
    x, y = rng.normal(5, 3, 40_000), rng.normal(5 + 0.6, 3, 40_000)
    measured = shift(x, y)
    assert measured.kind[0] == Shift.LOCATION
    assert measured.observed[0] == pytest.approx(
        (y.mean() - x.mean()) / np.concatenate([x, y]).std(), abs=0.004
    )


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e-307, 1e150, -1e6])
def test_the_unit_of_a_column_does_not_matter(scale):
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 1, 3000), rng.normal(0.2, 1, 3000)
    plain, scaled = shift(x, y), shift(x * scale, y * scale)
    assert abs(scaled.observed[0]) == pytest.approx(abs(plain.observed[0]), abs=0.01)
    assert norm.isf(scaled.p[0]) == pytest.approx(norm.isf(plain.p[0]), abs=0.3)


def test_far_from_zero_where_bins_are_wide_the_mean_is_judged():
    rng = np.random.default_rng(2)
    x, y = 1e6 + rng.standard_normal(5000), 1e6 + rng.standard_normal(5000) + 0.15
    measured = shift(x, y)
    assert measured.coarse[0]
    assert measured.observed[0] == pytest.approx(0.15, abs=0.05)
    assert measured.p[0] < 1e-8


def test_one_wild_value_hides_nothing():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal(5000), rng.standard_normal(5000) + 0.2
    for wild in (1e30, np.inf, -np.inf):
        assert shift(np.append(x, wild), np.append(y, wild)).p[0] < 1e-12


def test_a_change_of_spread_alone_is_found_by_the_shape():
    rng = np.random.default_rng(4)
    measured = shift(rng.standard_normal(10_000), rng.standard_normal(10_000) * 2.0)
    assert measured.kind[0] == Shift.SHAPE
    assert measured.p[0] < 1e-20


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["normal", "log-normal", "zeros", "counts", "atoms"]),
    st.sampled_from([(30, 30), (60, 200), (25, 500)]),
    st.integers(0, 2**31),
)
def test_location_p_values_are_those_of_a_permutation_test_or_larger(shape, sizes, seed):
    rng = np.random.default_rng(seed)
    n, m = sizes
    draw = {
        "normal": rng.standard_normal,
        "log-normal": lambda k: np.exp(rng.standard_normal(k)),
        "zeros": lambda k: np.where(rng.random(k) < 0.7, 0.0, rng.exponential(1.0, k)),
        "counts": lambda k: rng.poisson(1.2, k).astype(float),
        "atoms": lambda k: np.round(rng.standard_normal(k) * 2),
    }[shape]
    x, y = draw(n), draw(m) + 0.3
    pool = np.concatenate([x, y])
    ranks = (pool.argsort().argsort() + 0.5) / pool.size
    low, high = pool[ranks >= 0.001].min(), pool[ranks <= 0.999].max()
    pool = np.clip(pool, low, high)
    means = np.array([rng.permutation(pool)[:m].mean() for _ in range(3000)])
    seen = pool[n:].mean() - pool.mean()
    exact = (1 + (np.abs(means - pool.mean()) >= abs(seen) - 1e-12).sum()) / 3001
    ours = shift(x, y)
    if ours.kind[0] != Shift.LOCATION:
        return
    assert ours.p[0] >= 0.55 * exact - 0.003


def test_p_values_of_equal_windows_are_uniform_or_larger():
    rng = np.random.default_rng(5)
    p = []
    for _ in range(400):
        pool = np.exp(rng.standard_normal(2200))
        p.append(shift(pool[:2000], pool[2000:]).p[0])
    assert kstest(p, "uniform", alternative="greater").pvalue > 1e-3


def test_wobble_as_stated_raises_no_more_alarms_than_stated():
    rng = np.random.default_rng(6)
    wobble = 0.02
    alarms = 0
    for _ in range(300):
        x = rng.standard_normal(4000)
        y = rng.standard_normal(4000) + rng.normal(0.0, wobble * np.sqrt(2 * np.pi))
        alarms += shift(x, y, wobble=wobble).p[0] < 0.05
    assert alarms / 300 < 0.08


def test_the_category_that_moved_is_named():
    before = np.array([[4000.0, 3000.0, 2000.0, 1000.0]])
    after = np.array([[4000.0, 3000.0, 1500.0, 1500.0]])
    measured = share_shifts(before, after, wobble=0.0, present=np.ones(1))
    assert measured.cell[0] in (2, 3)
    assert abs(measured.observed[0]) == pytest.approx(0.05)


def test_many_small_moves_are_found_together():
    before = np.full((1, 40), 2500.0)
    after = before + 120.0 * np.where(np.arange(40) % 2, 1.0, -1.0)
    measured = share_shifts(before, after, wobble=0.0, present=np.ones(1))
    assert measured.kind[0] == Shift.SHARES
    assert measured.observed[0] == pytest.approx(0.5 * 40 * 120 / 100_000)


def test_new_and_vanished_categories_are_moves():
    measured = column_shifts(
        columns(["a"] * 900 + ["b"] * 100), columns(["a"] * 900 + ["c"] * 100), wobble=0.0
    )[0]
    assert measured.p[0] < 1e-20
    assert abs(measured.observed[0]) == pytest.approx(0.1)


def test_identifiers_move_nothing():
    first, second = [f"id {index}" for index in range(3000)], [f"id {index}" for index in range(3000, 6000)]
    measured = column_shifts(columns(first), columns(second), wobble=0.0)[0]
    assert measured.p[0] == 1.0


@pytest.mark.parametrize(
    ("common", "rare", "each"), [(0, 3_000, 6), (9_000, 1_000, 9), (9_000, 100, 9)], ids=str
)
def test_rare_categories_that_all_give_way_to_others_are_a_move(common, rare, each):
    old, new = np.full(rare, float(each)), np.zeros(rare)
    before = np.concatenate([[float(common)], old, new])[None, :]
    after = np.concatenate([[float(common)], new, old])[None, :]
    measured = share_shifts(before, after, wobble=0.005, present=np.ones(1))
    assert measured.kind[0] == Shift.SHARES
    assert measured.p[0] < 1e-12


@pytest.mark.parametrize(
    ("weights", "rows"),
    [
        (np.ones(3_000), 18_000),
        (1.0 / np.arange(1, 4_001), 10_000),
        (1.0 / np.arange(1, 1_001), 1_000),
        (np.append(1_000.0, np.ones(1_000)), 18_000),
    ],
    ids=["alike", "Zipf", "Zipf, few rows", "one common"],
)
def test_rare_categories_that_vary_as_samples_do_raise_no_more_alarms_than_stated(weights, rows):
    rng = np.random.default_rng(5)
    windows = rng.multinomial(rows, weights / weights.sum(), size=(200, 2)).astype(float)
    p = [
        share_shifts(one[:1], one[1:], wobble=0.0, present=np.ones(1)).p[0]
        for one in (pair[:, pair.sum(axis=0) > 0] for pair in windows)
    ]
    for level in (0.01, 0.05, 0.2):
        assert np.mean(np.array(p) <= level) <= level + 3 * np.sqrt(level * (1 - level) / 200)


def test_groups_are_measured_by_themselves():
    rng = np.random.default_rng(7)
    groups = ["a"] * 3000 + ["b"] * 3000
    x, y = rng.standard_normal(6000), rng.standard_normal(6000)
    y[:3000] += 0.4
    y[3000:] -= 0.4
    measured = column_shifts(columns(x, groups), columns(y, groups), wobble=0.0)[0]
    assert measured.observed[1] == pytest.approx(0.4, abs=0.06)
    assert measured.observed[2] == pytest.approx(-0.4, abs=0.06)


def test_missing_values_are_counted_nan_and_null_alike():
    before = columns(pa.array([1.0, None, float("nan"), 2.0] * 500))
    after = columns(pa.array([1.0, 3.0, float("nan"), 2.0] * 500))
    measured = missing_shifts(before, after, wobble=0.0)
    assert measured.observed[0] == pytest.approx(-0.25)


@pytest.mark.parametrize("values", [[], [None, None], [float("nan")]])
def test_a_window_without_values_shows_nothing(values):
    empty, some = columns(pa.array(values, pa.float64())), columns([1.0, 2.0, 3.0, 4.0])
    for pair in ((empty, some), (some, empty), (empty, empty)):
        measured = column_shifts(*pair, wobble=0.01)[0]
        assert measured.p[0] == 1.0
        assert np.isfinite(measured.observed).all()
