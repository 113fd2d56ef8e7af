"""Pairs of columns are counted together: every row once, whatever the windows, and coarsely."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aims_pipelines.core.errors import BadInput
from aims_pipelines.measure import (
    measure_file,
    merge,
    merge_all,
    profile_file,
    profile_frame,
    profile_periods,
    profile_table,
    to_bytes,
)
from aims_pipelines.stats.profile import Kind, PairTable

odd = st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1e-310, 1e300, -1e300, math.inf, -math.inf, math.nan])
numbers = st.lists(st.none() | odd | st.floats(-1e3, 1e3) | st.floats(990.0, 1010.0), max_size=60)
fewer = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def pair_of(table: pa.Table, first: str = "a", second: str = "b") -> PairTable:
    return profile_table(table, pairs=[(first, second)]).pairs[first, second]


def key_of(value: float | None, bits: int) -> int | None:
    """The key of a number by the bits of its float64, written anew."""
    if value is None or math.isnan(value):
        return None
    size = int(np.float64(abs(value)).view(np.uint64)) >> (52 - bits)
    return -size if value < 0 else size


@fewer
@given(first=numbers, second=numbers)
def test_every_row_is_counted_once_at_its_keys(first: list[float | None], second: list[float | None]) -> None:
    rows = min(len(first), len(second))
    columns = {"a": pa.array(first[:rows], pa.float64()), "b": pa.array(second[:rows], pa.float64())}
    counted = pair_of(pa.table(columns))
    keys = [[*axis.keys.tolist(), None] for axis in counted.axes]
    found = {
        (keys[0][row], keys[1][column]): int(counted.counts[row, column])
        for row, column in zip(*np.nonzero(counted.counts), strict=True)
    }
    bits = [axis.bits for axis in counted.axes]
    expected = Counter(
        (key_of(one, bits[0]), key_of(other, bits[1]))
        for one, other in zip(first[:rows], second[:rows], strict=True)
    )
    assert found == expected


@fewer
@given(values=numbers, places=st.lists(st.integers(0, 60), min_size=3, max_size=3), seed=st.integers(0, 99))
def test_parts_add_up_in_any_order(assert_same_profile, values, places: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.choice([f"c{number}" for number in range(90)], len(values))
    table = pa.table({"a": pa.array(values, pa.float64()), "b": labels, "c": rng.permutation(len(values))})
    cuts = [0, *sorted(min(place, len(values)) for place in places), len(values)]
    wanted = [("a", "b"), ("c", "a"), ("b", "c")]
    parts = [
        profile_table(table.slice(start, stop - start), pairs=wanted, rows=False)
        for start, stop in pairwise(cuts)
    ]
    whole = profile_table(table, pairs=wanted, rows=False)
    assert_same_profile(merge_all(parts), whole)
    assert_same_profile(merge(merge(parts[3], parts[1]), merge(parts[2], parts[0])), whole)


def test_keys_stay_coarse_however_few_the_rows() -> None:
    rng = np.random.default_rng(1)
    counted = pair_of(pa.table({"a": rng.normal(1000.0, 1.0, 50_000), "b": rng.normal(0.0, 1.0, 50_000)}))
    far, around = counted.axes
    assert far.bits > 2
    assert int(np.ptp(far.keys)) < 64
    assert around.bits == 2
    assert len(around.keys) <= 128
    few = pair_of(pa.table({"a": rng.normal(1000.0, 1.0, 20), "b": rng.normal(0.0, 1.0, 20)}))
    assert int(np.ptp(few.axes[0].keys)) < 64


def test_a_column_of_many_magnitudes_gets_fewer_bits() -> None:
    rng = np.random.default_rng(2)
    counted = pair_of(pa.table({"a": 10.0 ** rng.uniform(-300, 300, 20_000), "b": rng.random(20_000)}))
    assert len(counted.axes[0].keys) <= 128
    assert counted.axes[0].bits < 0
    assert counted.counts.sum() == 20_000


def test_categories_have_names_up_to_a_number_and_buckets_beyond() -> None:
    rows = np.arange(8000)
    few, many = rows % 64, rows % 65
    table = pa.table({"a": [f"c{one}" for one in few], "b": [f"c{one}" for one in many], "n": rows % 5})
    named, hashed = pair_of(table, "a", "n").axes[0], pair_of(table, "b", "n").axes[0]
    assert named.labels == tuple(sorted({f"c{one}" for one in few}))
    assert hashed.labels is None
    assert len(hashed.keys) <= 64


def test_free_text_is_counted_by_buckets() -> None:
    rows = np.arange(40_000)
    table = pa.table({"a": [f"text {row}" for row in rows], "b": rows % 3 == 0})
    counted = pair_of(table)
    assert counted.axes[0].labels is None
    assert counted.axes[1].labels == ("false", "true")
    assert counted.counts.sum() == 40_000
    expected = np.append(np.bincount(rows % 3 == 0), 0)
    assert np.array_equal(counted.counts.sum(axis=0), expected)


def test_missing_values_have_a_place_of_their_own() -> None:
    counted = pair_of(pa.table({"a": pa.array([1.0, None, math.nan, 2.0]), "b": ["x", "y", None, None]}))
    assert counted.counts.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 1]]


def test_a_table_without_rows_has_an_empty_table() -> None:
    schema = pa.schema({"a": pa.float64(), "b": pa.string()})
    counted = pair_of(schema.empty_table())
    assert counted.counts.tolist() == [[0]]
    assert [axis.kind for axis in counted.axes] == [Kind.NUMERIC, Kind.CATEGORICAL]


def test_the_order_in_which_a_pair_is_named_makes_no_difference() -> None:
    table = pa.table({"a": [1, 2, 3], "b": ["x", "y", "y"]})
    assert to_bytes(profile_table(table, pairs=[("a", "b")])) == to_bytes(
        profile_table(table, pairs=[("b", "a")])
    )


@pytest.mark.parametrize("threads", [1, 4])
def test_windows_and_threads_make_no_difference(
    make_table, assert_same_profile, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aims_pipelines.measure import windows
    from aims_pipelines.measure.kernel import Pass
    from aims_pipelines.measure.windows import windows_of

    table = make_table(4, 5000)
    wanted = [("sex", "heavy"), ("far", "word"), ("few", "yes")]
    whole = profile_table(table, pairs=wanted)
    monkeypatch.setattr(windows, "SLICE_ROWS", 300)
    run = Pass(table.schema, pairs=wanted)
    run.run(windows_of(table)[1], threads=threads)
    assert_same_profile(run.result().profile, whole)


def test_files_and_frames_are_counted_alike(tmp_path, assert_same_profile) -> None:
    rng = np.random.default_rng(5)
    table = pa.table(
        {
            "a": rng.normal(50.0, 9.0, 2000).round(3),
            "b": rng.choice(["x", "y", "z"], 2000),
            "day": (np.arange(2000) // 700 * 86_400_000 * 31).astype("datetime64[ms]"),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet", row_group_size=300)
    pyarrow.csv.write_csv(table.drop(["day"]), tmp_path / "t.csv")
    wanted = {"pairs": [("a", "b")]}
    whole = profile_table(table, **wanted)
    assert_same_profile(profile_file(tmp_path / "t.parquet", **wanted), whole)
    assert_same_profile(measure_file(tmp_path / "t.parquet", **wanted).profile, whole)
    assert_same_profile(
        profile_file(tmp_path / "t.csv", **wanted), profile_table(table.drop(["day"]), **wanted)
    )
    frame = profile_frame(pd.DataFrame(table.to_pandas()), **wanted)
    assert np.array_equal(frame.pairs["a", "b"].counts, whole.pairs["a", "b"].counts)
    months = profile_periods(tmp_path / "t.parquet", time="day", every="month", **wanted)
    assert len(months) == 3
    assert_same_profile(merge_all(months.values()), whole)


def test_pairs_that_will_not_do_are_refused_all_at_once() -> None:
    table = pa.table({"a": [1], "b": ["x"], "day": np.array([0]).astype("datetime64[ms]")})
    with pytest.raises(BadInput) as refused:
        profile_table(table, pairs=[("a", "a"), ("a", "income"), ("day", "b"), ("a", "b"), ("b", "a")])
    told = [(fault.where, fault.found) for fault in refused.value.faults]
    assert told == [
        ("pair 'a × a'", "'a' twice"),
        ("pair 'a × income'", "'income'"),
        ("pair 'day × b'", "'day', which holds times"),
        ("pair 'b × a'", "it twice"),
    ]
