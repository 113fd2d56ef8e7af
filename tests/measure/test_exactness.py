"""What a profile says of a column, held against numpy and scipy on the raw rows."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aims_pipelines.measure import profile_table
from aims_pipelines.stats.bins import collapse
from aims_pipelines.stats.profile import ColumnProfile, Distribution

ROWS = 20_000


def sample(shape: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return {
        "normal": lambda: rng.normal(0.0, 1.0, ROWS),
        "far": lambda: rng.normal(1e6, 1.0, ROWS),
        "pareto": lambda: rng.pareto(1.1, ROWS),
        "cauchy": lambda: rng.standard_cauchy(ROWS),
        "ties": lambda: np.round(rng.normal(0.0, 30.0, ROWS), 1),
        "integers": lambda: rng.integers(-5000, 5000, ROWS).astype(float),
        "denormal": lambda: rng.integers(1, 10**6, ROWS) * 5e-324,
        "constant": lambda: np.full(ROWS, 0.1),
        "zero inflated": lambda: np.where(rng.random(ROWS) < 0.7, 0.0, rng.lognormal(0, 2, ROWS)),
    }[shape]()


SHAPES = ["normal", "far", "pareto", "cauchy", "ties", "integers", "denormal", "constant", "zero inflated"]


def profiled(values: np.ndarray) -> tuple[ColumnProfile, Distribution]:
    column = profile_table(pa.table({"x": values}), rows=False).columns["x"]
    assert column.distribution is not None
    return column, column.distribution


@pytest.mark.parametrize("shape", SHAPES)
def test_bins_hold_each_value_within_four_tenths_of_a_percent(shape: str) -> None:
    values = np.sort(sample(shape, 1))
    _, distribution = profiled(values)
    rebuilt = np.repeat(distribution.points, distribution.counts)
    assert len(rebuilt) == ROWS
    assert np.all(np.abs(rebuilt - values) <= np.abs(values) / 256 + 1e-308)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "denormal"])
def test_moments_are_those_of_scipy(shape: str) -> None:
    values = sample(shape, 2)
    moments = profiled(values)[0].moments
    assert moments is not None
    assert (moments.count, moments.minimum, moments.maximum) == (ROWS, values.min(), values.max())
    assert moments.mean == pytest.approx(values.mean(), rel=1e-12, abs=1e-12 * np.abs(values).max())
    scale = np.abs(values - values.mean())
    for power, sum_ in ((2, moments.m2), (3, moments.m3), (4, moments.m4)):
        expected = stats.moment(values, power) * ROWS
        assert sum_ == pytest.approx(expected, rel=1e-7, abs=1e-9 * (scale**power).sum() + 1e-25)


@settings(max_examples=30, deadline=None)
@given(
    shape=st.sampled_from(["normal", "pareto", "ties", "integers", "zero inflated", "constant"]),
    shift=st.floats(0.05, 3.0),
)
def test_wasserstein_from_profiles_is_within_half_a_percent_of_scipy_on_rows(
    shape: str, shift: float
) -> None:
    a, b = sample(shape, 3), sample(shape, 4) * (1.0 + shift / 10) + shift
    exact = stats.wasserstein_distance(a, b)
    left, right = profiled(a)[1], profiled(b)[1]
    told = stats.wasserstein_distance(left.points, right.points, left.counts, right.counts)
    # Bins move values by 0.4 % at most, to either side: what is left is far below half a percent of the spread.
    assert abs(told - exact) <= 0.005 * max(exact, np.abs(a).mean())


@pytest.mark.parametrize("shift", [0.1, 0.3])
@pytest.mark.parametrize(("centre", "zeros"), [(300.0, 0), (1e6, 0), (-1e6, 0), (1e6, 40)])
def test_a_small_shift_far_from_zero_is_seen(centre: float, zeros: int, shift: float) -> None:
    rng = np.random.default_rng(8)
    a, b = rng.normal(centre, 1.0, ROWS), rng.normal(centre + shift, 1.0, ROWS)
    a[:zeros] = b[:zeros] = 0.0
    (_, left), (_, right) = profiled(a), profiled(b)
    assert left.mantissa_bits > 7
    exact = stats.wasserstein_distance(a, b)
    told = stats.wasserstein_distance(left.points, right.points, left.counts, right.counts)
    assert told == pytest.approx(exact, rel=0.02)
    assert len(left.points) <= 2048 + 1


def test_infinities_are_kept_apart_from_finite_values() -> None:
    values = np.concatenate(
        (np.random.default_rng(0).normal(size=5000), [np.inf] * 3, [-np.inf] * 2, [np.nan])
    )
    column, distribution = profiled(values)
    assert column.nans == 1
    assert distribution.points[0] == -np.inf
    assert distribution.counts[0] == 2
    assert distribution.points[-1] == np.inf
    assert distribution.counts[-1] == 3
    assert column.moments is not None
    assert column.moments.count == 5000
    assert np.isfinite(column.moments.m4)


@pytest.mark.parametrize("distinct", [1, 2, 1000, 1024, 1025])
def test_few_distinct_values_are_kept_as_they_are_and_more_are_binned(distinct: int) -> None:
    values = np.random.default_rng(0).normal(size=distinct)
    _, distribution = profiled(np.tile(values, 7))
    assert distribution.exact is (distinct <= 1024)
    if distribution.exact:
        assert np.array_equal(distribution.points, np.sort(values))
        assert np.all(distribution.counts == 7)


@pytest.mark.parametrize("distinct", [4096, 4097])
def test_categories_are_named_up_to_the_cap(distinct: int) -> None:
    labels = [f"label {number}" for number in range(distinct)]
    categories = profile_table(pa.table({"x": labels * 2})).columns["x"].categories
    assert categories is not None
    assert categories.exact is (distinct <= 4096)
    assert sum(categories.counts.values()) + categories.other == 2 * distinct


def test_a_group_is_profiled_as_its_rows_alone_would_be() -> None:
    from aims_pipelines.stats.profile import GroupSpec

    rng = np.random.default_rng(9)
    sex = rng.choice(["F", "M"], 9000, p=[0.2, 0.8])
    values = rng.lognormal(size=9000) + (sex == "F")
    group = profile_table(pa.table({"sex": sex, "x": values}), groups=[GroupSpec(columns=("sex",))]).groups[
        "sex"
    ]["F"]
    alone = profile_table(pa.table({"x": values[sex == "F"]})).columns["x"]
    within = group.columns["x"]
    assert within.distribution is not None
    assert alone.distribution is not None
    assert within.moments is not None
    # How fine the bins are is decided by the whole column, so that groups can be compared.
    bits = within.distribution.mantissa_bits
    points, counts = collapse(alone.distribution.points, alone.distribution.counts, bits)
    assert np.array_equal(within.distribution.points, points)
    assert np.array_equal(within.distribution.counts, counts)
    assert within.moments.mean == pytest.approx(values[sex == "F"].mean(), rel=1e-12)


def test_frequencies_of_real_columns_are_those_that_pandas_counts(real_data) -> None:
    from aims_pipelines.measure import read_table

    table = read_table(real_data / "adult-train.csv", null_values=("?",))
    profile, frame = profile_table(table), table.to_pandas()
    for name, column in profile.columns.items():
        counted = frame[name].value_counts()
        assert column.nulls == int(frame[name].isna().sum())
        if column.categories is not None:
            assert dict(column.categories.counts) == counted.to_dict()
        elif column.distribution is not None and column.distribution.exact:
            told = dict(zip(column.distribution.points, column.distribution.counts, strict=True))
            assert told == {float(value): count for value, count in counted.items()}
