"""The profile of a concatenation is the merge of the profiles, in any order and grouping."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aims_pipelines.core.errors import BadInput
from aims_pipelines.measure import empty_profile, merge, merge_all, profile_table, to_bytes
from aims_pipelines.stats.profile import GroupSpec, Profile

GROUPS = (
    GroupSpec(columns=("sex",)),
    GroupSpec(columns=("sex", "heavy"), bands={"heavy": (0.0, 10.0)}),
    GroupSpec(columns=("town",)),
)
KEYS = [("word",), ("sex", "few")]
PAIRS = [
    ("sex", "heavy"),
    ("far", "many"),
    ("town", "few"),
    ("word", "tiny"),
    ("none", "yes"),
    ("same", "far"),
]
Same = Callable[..., None]
Make = Callable[[int, int], pa.Table]
fewer = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
parts = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=2)
ROWS = st.sampled_from([0, 1, 2, 30, 900, 1500, 6000])


def measured(table: pa.Table) -> Profile:
    return profile_table(table, groups=GROUPS, keys=KEYS, pairs=PAIRS)


def cut(table: pa.Table, shares: list[float]) -> list[pa.Table]:
    places = [0, *sorted(int(share * table.num_rows) for share in shares), table.num_rows]
    return [table.slice(start, stop - start) for start, stop in pairwise(places)]


@fewer
@given(seed=st.integers(0, 2**32), rows=ROWS, shares=parts)
def test_profile_of_a_concatenation_is_the_merge_of_the_profiles(
    make_table: Make, assert_same_profile: Same, seed: int, rows: int, shares: list[float]
) -> None:
    table = make_table(seed, rows)
    pieces = [measured(piece) for piece in cut(table, shares)]
    assert_same_profile(merge_all(pieces), measured(table))


@fewer
@given(seed=st.integers(0, 2**32), rows=ROWS, shares=parts)
def test_merging_is_associative(
    make_table: Make, assert_same_profile: Same, seed: int, rows: int, shares: list[float]
) -> None:
    a, b, c = (measured(piece) for piece in cut(make_table(seed, rows), shares))
    assert_same_profile(merge(merge(a, b), c), merge(a, merge(b, c)))


@fewer
@given(seed=st.integers(0, 2**32), rows=ROWS, shares=parts)
def test_merging_is_commutative_to_the_bit(
    make_table: Make, seed: int, rows: int, shares: list[float]
) -> None:
    a, b, _ = (measured(piece) for piece in cut(make_table(seed, rows), shares))
    assert to_bytes(merge(a, b)) == to_bytes(merge(b, a))


@pytest.mark.parametrize("rows", [0, 1, 6000])
def test_the_empty_profile_changes_nothing(make_table: Make, rows: int) -> None:
    profile = measured(make_table(3, rows))
    assert to_bytes(merge(empty_profile(), profile)) == to_bytes(profile)
    assert to_bytes(merge(profile, empty_profile())) == to_bytes(profile)
    assert to_bytes(merge_all([])) == to_bytes(empty_profile())


@fewer
@given(
    values=st.lists(st.floats(width=64) | st.none(), max_size=40),
    at=st.integers(0, 40),
)
def test_any_floats_add_up(assert_same_profile: Same, values: list[float | None], at: int) -> None:
    column = pa.array(values, pa.float64())
    whole = profile_table(pa.table({"x": column}))
    halves = [profile_table(pa.table({"x": part})) for part in (column[:at], column[at:])]
    assert_same_profile(merge(*halves), whole)
    kept = whole.columns["x"]
    numbers = np.array([value for value in values if value is not None and not math.isnan(value)])
    assert kept.distribution is not None
    assert kept.distribution.total == len(numbers)
    assert kept.nulls == values.count(None)
    assert kept.nans == len(values) - values.count(None) - len(numbers)


@fewer
@given(
    centre=st.floats(-1e12, 1e12),
    spread=st.floats(1e-6, 1e6),
    odd=st.lists(st.sampled_from([0.0, -0.0, 5e-324, 1e-310, -1.0, 1e300, np.inf, -np.inf]), max_size=3),
    drawn=st.tuples(parts, st.integers(0, 999)),
)
def test_bins_are_as_fine_in_a_merge_as_in_one_pass(
    assert_same_profile: Same, centre: float, spread: float, odd: list[float], drawn: tuple[list[float], int]
) -> None:
    shares, seed = drawn
    rng = np.random.default_rng(seed)
    values = rng.permutation(np.concatenate((rng.normal(centre, spread, 4000), odd)))
    table = pa.table({"x": values, "g": rng.choice(["a", "b"], len(values))})
    groups = [GroupSpec(columns=("g",))]
    pieces = [profile_table(piece, groups=groups) for piece in cut(table, shares)]
    whole = profile_table(table, groups=groups)
    assert_same_profile(merge_all(pieces), whole, rtol=1e-7)
    assert_same_profile(merge(pieces[0], merge(pieces[1], pieces[2])), whole, rtol=1e-7)


@fewer
@given(values=st.lists(st.text(max_size=20) | st.none(), max_size=60), at=st.integers(0, 60))
def test_any_texts_add_up(assert_same_profile: Same, values: list[str | None], at: int) -> None:
    values = [None if value is None else value.encode("utf-8", "replace").decode() for value in values]
    column = pa.array(values, pa.string())
    whole = profile_table(pa.table({"x": column}))
    assert_same_profile(
        merge(*(profile_table(pa.table({"x": part})) for part in (column[:at], column[at:]))), whole
    )
    categories = whole.columns["x"].categories
    assert categories is not None
    assert dict(categories.counts) == {
        value: values.count(value) for value in set(values) if value is not None
    }


@pytest.mark.parametrize("batch", [1, 7, 512])
def test_batches_of_any_size_give_the_same_profile(
    make_table: Make, assert_same_profile: Same, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aims_pipelines.measure import windows

    table = make_table(11, 60 if batch == 1 else 1500)
    whole = measured(table)
    monkeypatch.setattr(windows, "WINDOW_ROWS", batch)  # every batch becomes a window of its own
    batches = iter(table.to_batches(max_chunksize=batch))
    assert_same_profile(profile_table(batches, groups=GROUPS, keys=KEYS, pairs=PAIRS), whole)


def test_profiles_of_different_columns_do_not_merge() -> None:
    one = profile_table(pa.table({"a": [1], "b": ["x"]}))
    other = profile_table(pa.table({"a": ["1"], "c": [2]}))
    with pytest.raises(BadInput) as refused:
        merge(one, other)
    assert {fault.where for fault in refused.value.faults} == {"column 'a'", "column 'b'", "column 'c'"}


def test_profiles_with_different_groupings_do_not_merge() -> None:
    table = pa.table({"a": [1], "b": ["x"]})
    with pytest.raises(BadInput, match="grouping 'b'"):
        merge(profile_table(table), profile_table(table, groups=[GroupSpec(columns=("b",))]))


def test_profiles_with_different_pairs_do_not_merge() -> None:
    table = pa.table({"a": [1], "b": ["x"]})
    with pytest.raises(BadInput, match="pair 'a × b'"):
        merge(profile_table(table), profile_table(table, pairs=[("b", "a")]))


def test_an_untyped_column_of_nulls_takes_the_kind_of_its_counterpart(assert_same_profile: Same) -> None:
    nothing, numbers = (
        pa.table({"a": pa.nulls(3), "b": ["x", "y", "x"]}),
        pa.table({"a": [1.5, None], "b": ["x", None]}),
    )
    together = pa.concat_tables([nothing, numbers], promote_options="default")
    for pair in ((nothing, numbers), (numbers, nothing)):
        merged = merge(*(profile_table(table, pairs=[("a", "b")]) for table in pair))
        assert_same_profile(merged, profile_table(together, pairs=[("a", "b")]))


def test_levels_beyond_the_cap_are_other_and_no_row_is_lost(make_table: Make) -> None:
    table = make_table(5, 6000)
    profile = measured(table)
    levels = profile.groups["town"]
    assert len(levels) == 64 + 2
    assert {"(missing)", "(other)"} <= levels.keys()
    assert sum(level.rows for level in levels.values()) == 6000
    town = table.column("town").to_pylist()
    for name, level in levels.items():
        if name not in {"(missing)", "(other)"}:
            assert level.rows == town.count(name)
    assert levels["(missing)"].rows == town.count(None)
