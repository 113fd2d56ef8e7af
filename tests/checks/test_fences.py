"""Fences against the shapes that real columns have; the oracle is the sample itself."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_pipelines.checks.fences import MIN_VALUES, Fences, fit
from aims_pipelines.measure import profile_table
from aims_pipelines.stats.profile import Distribution

RNG = np.random.default_rng(7)
SHAPES = {
    "normal": RNG.normal(50, 10, 20_000),
    "uniform": RNG.uniform(0, 1, 20_000),
    "exponential": RNG.exponential(3, 20_000),
    "lognormal, sigma 2": RNG.lognormal(0, 2, 20_000),
    "Pareto of index 1": 1 / RNG.uniform(0, 1, 20_000),
    "Pareto of index 1/2": RNG.uniform(0, 1, 20_000) ** -2,
    "mostly zero": np.where(RNG.uniform(size=20_000) < 0.95, 0, RNG.lognormal(8, 1, 20_000)),
    "two heaps": np.concatenate([RNG.normal(0, 1, 10_000), RNG.normal(1_000, 1, 10_000)]),
    "half at one value": np.where(RNG.uniform(size=20_000) < 0.47, 40, RNG.normal(40, 12, 20_000)),
    "negative tail": -RNG.lognormal(0, 2, 20_000),
}


def distribution(values):
    points, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    return Distribution(points=points, counts=counts.astype(np.int64), exact=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_ordinary_shapes_have_few_outliers(shape):
    fences = fit(distribution(SHAPES[shape]))
    assert fences is not None
    assert fences.beyond(distribution(SHAPES[shape])) <= 0.018 * 20_000


@pytest.mark.parametrize("shape", ["normal", "uniform", "exponential", "lognormal, sigma 2", "two heaps"])
@pytest.mark.parametrize("share", [0.03, 0.09])
def test_wild_values_are_found_even_where_the_fences_are_fitted_with_them(shape, share):
    values = SHAPES[shape].copy()
    wild = int(share * len(values))
    values[:wild] = values.max() * 1e6
    fences = fit(distribution(values))
    assert fences is not None
    assert fences.beyond(distribution(values)) >= wild


def test_the_reach_for_normal_data_is_as_documented():
    fences = fit(distribution(RNG.normal(0, 1, 200_000)))
    assert fences is not None
    assert fences.high == pytest.approx(6.4, abs=0.2)
    assert fences.low == pytest.approx(-6.4, abs=0.2)


def test_spare_values_stay_inside_on_each_side():
    values = distribution(SHAPES["Pareto of index 1/2"])
    fences = fit(values, spare=0.001)
    assert fences is not None
    assert fences.beyond(values) <= 0.002 * values.total


@pytest.mark.parametrize("shape", SHAPES)
def test_sparing_values_widens_fences_and_never_narrows_them(shape):
    plain, spared = fit(distribution(SHAPES[shape])), fit(distribution(SHAPES[shape]), spare=0.005)
    assert plain is not None
    assert spared is not None
    assert spared.low <= plain.low
    assert spared.high >= plain.high


@pytest.mark.parametrize("values", [[], [1.0], list(range(MIN_VALUES - 1)), [5.0] * 1_000, [np.inf] * 100])
def test_too_few_values_or_no_spread_get_no_fences(values):
    assert fit(distribution(values)) is None


def test_a_bin_that_a_fence_crosses_is_inside():
    bins = Distribution(points=np.array([100.4]), counts=np.array([5]), exact=False)
    assert Fences(low=0, high=100).beyond(bins) == 0
    assert Fences(low=0, high=99).beyond(bins) == 5


@given(
    st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=MIN_VALUES, max_size=200),
    st.floats(0.01, 1e3),
    st.floats(-1e3, 1e3),
)
def test_fences_hold_the_middle_and_move_with_unit_and_origin(values, scale, shift):
    fences = fit(distribution(values))
    if fences is None:
        return
    middle = np.median(values)
    slack = 1e-6 * (1 + max(abs(fences.low), abs(fences.high)))
    assert fences.low - slack <= middle <= fences.high + slack
    moved = fit(distribution(np.asarray(values) * scale + shift))
    if moved is None or len(np.unique(np.asarray(values) * scale + shift)) != len(np.unique(values)):
        return  # rounding took the spread
    assert moved.high == pytest.approx(fences.high * scale + shift, rel=1e-4, abs=1e-3 * scale)
    assert moved.low == pytest.approx(fences.low * scale + shift, rel=1e-4, abs=1e-3 * scale)


@pytest.mark.parametrize("origin", [0.0, 1e3, -1e6, 1e9])
@pytest.mark.parametrize("rows", [1_000, 5_000])
def test_how_many_values_are_beyond_does_not_depend_on_where_zero_is(origin, rows):
    values = np.random.default_rng(0).normal(0, 10, rows)
    values[: rows // 10] += 5_000
    measured = profile_table(pa.table({"x": values + origin}), rows=False).columns["x"].distribution
    assert measured is not None
    assert measured.exact == (rows == 1_000)
    fences = fit(measured)
    assert fences is not None
    assert fences.beyond(measured) == rows // 10
