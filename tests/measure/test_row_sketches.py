"""Duplicates and overlap, told from row hashes."""

from collections import Counter
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines.measure import merge, profile_table
from aims_pipelines.measure.rowhash import HashTally
from aims_pipelines.stats.profile import ROW_CAP, UNBOUNDED, RowSketch
from aims_pipelines.stats.rows import duplicate_rows, shared_rows
from aims_pipelines.stats.sketches import merge_sketches


def rows_of(table: pa.Table) -> RowSketch:
    sketch = profile_table(table).row_sketch
    assert sketch is not None
    return sketch


def test_repeated_rows_are_counted_exactly_below_the_capacity() -> None:
    table = pa.table({"a": [1, 1, 2, None, None, 1], "b": ["x", "x", "x", None, None, "y"]})
    found = duplicate_rows(rows_of(table), table.num_rows)
    assert (found.rows, found.low, found.high, found.exact) == (2, 2, 2, True)


def test_shared_rows_are_counted_exactly_and_are_those_of_the_first_table() -> None:
    one = pa.table({"a": [1, 2, 2, 3], "b": ["x", "y", "y", "z"]})
    other = pa.table({"a": [2, 9], "b": ["y", "z"]})
    assert shared_rows(rows_of(one), rows_of(other)).rows == 2
    assert shared_rows(rows_of(other), rows_of(one)).rows == 1


def test_real_duplicates_are_those_that_pandas_finds(real_data) -> None:
    from aims_pipelines.measure import read_table

    table = read_table(real_data / "adult-train.csv", null_values=("?",))
    found = duplicate_rows(rows_of(table), table.num_rows)
    assert found.rows == int(table.to_pandas().duplicated().sum())
    assert found.exact


@pytest.mark.parametrize(
    "variant",
    [
        lambda table: table.select(["b", "a", "c"]),
        lambda table: pa.table(
            {**dict(zip(table.column_names, table.columns, strict=True)), "a": [1.0, 2.0, None]}
        ),
        lambda table: table.set_column(1, "b", table["b"].dictionary_encode()),
        lambda table: table.set_column(1, "b", table["b"].cast(pa.large_string())),
        lambda table: table.set_column(1, "b", table["b"].cast(pa.string_view())),
        lambda table: table.set_column(2, "c", pa.chunked_array([[0.0, 1.5], [float("nan")]])),
    ],
    ids=["column order", "float for int", "dictionary", "large", "view", "minus zero, NaN for null"],
)
def test_a_row_is_the_same_row_however_it_is_stored(variant) -> None:
    table = pa.table({"a": [1, 2, None], "b": ["x", "", None], "c": [-0.0, 1.5, None]})
    assert np.array_equal(rows_of(table).hashes, rows_of(variant(table)).hashes)


def test_different_rows_have_different_hashes() -> None:
    tables = [
        pa.table({"a": ["x", None], "b": [None, "x"]}),
        pa.table({"a": ["1"], "b": ["2"]}),
        pa.table({"a": ["2"], "b": ["1"]}),
        pa.table({"a": ["12"], "b": [""]}),
        pa.table({"a": [""], "b": ["12"]}),
        pa.table({"a": ["1\x00"], "b": ["2"]}),
    ]
    hashes = [value for table in tables for value in rows_of(table).hashes.tolist()]
    assert len(set(hashes)) == 7


def test_long_integers_and_fine_times_are_not_blurred() -> None:
    start = 1 << 60
    ids = pa.array(range(start, start + 1000), pa.int64())
    times = pa.array(range(1_700_000_000 * 10**9, 1_700_000_000 * 10**9 + 1000), pa.timestamp("ns"))
    for column in (ids, times):
        assert len(rows_of(pa.table({"id": column})).hashes) == 1000


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        (
            range(2**60, 2**60 + 100),
            (pa.int64(), pa.decimal128(38, 0), pa.decimal128(38, 9), pa.decimal256(60, 2)),
        ),
        (range(2**53 - 50, 2**53 + 50), (pa.uint64(), pa.decimal128(20, 0), pa.decimal256(76, 5))),
        (
            [Decimal(number).scaleb(-1) for number in range(-50, 50)],
            (pa.float64(), pa.decimal64(12, 1), pa.decimal128(38, 20), pa.decimal256(70, 30)),
        ),
        ([Decimal(10**30 + number) for number in range(100)], (pa.decimal128(38, 0), pa.decimal256(60, 12))),
    ],
    ids=["beyond float64", "at its edge", "fractions", "beyond integers"],
)
def test_equal_numbers_are_the_same_and_others_are_not_whatever_type_they_have(values, kinds) -> None:
    numbers = list(values)
    hashes = []
    for kind in kinds:
        cells = [Decimal(one) for one in numbers] if pa.types.is_decimal(kind) else numbers
        if pa.types.is_floating(kind):
            cells = [float(one) for one in numbers]
        hashes.append(rows_of(pa.table({"id": pa.array(cells, kind)})).hashes)
    assert len(hashes[0]) == len(numbers)
    assert all(np.array_equal(one, hashes[0]) for one in hashes)


def test_keys_are_counted_apart_from_rows() -> None:
    table = pa.table({"id": ["a", "b", "a"], "day": [1, 1, 2], "x": [0.5, 0.5, 0.7]})
    profile = profile_table(table, keys=[("id",), ("id", "day")])
    repeats = {name: duplicate_rows(sketch, 3).rows for name, sketch in profile.key_sketches.items()}
    assert repeats == {"id": 1, "id & day": 0}


def sketch_of(values: np.ndarray, capacity: int, pieces: int = 1) -> RowSketch:
    tally = HashTally(capacity)
    for piece in np.array_split(values, pieces):
        tally.add(piece.astype(np.uint64))
    return tally.sketch()


@pytest.mark.parametrize("seed", range(5))
def test_a_full_sketch_keeps_the_same_hashes_whatever_the_parts(seed: int) -> None:
    values = np.random.default_rng(seed).zipf(1.2, 5000) % 3000
    whole = sketch_of(values, 100)
    assert whole.threshold < UNBOUNDED
    for pieces in (2, 7, 50):
        parts = [sketch_of(part, 100) for part in np.array_split(values, pieces)]
        merged = parts[0]
        for part in parts[1:]:
            merged = merge_sketches(part, merged, 100)
        for other in (merged, sketch_of(values, 100, pieces)):
            assert other.threshold == whole.threshold
            assert np.array_equal(other.hashes, whole.hashes)
            assert np.array_equal(other.counts, whole.counts)


def test_estimates_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(20260101)
    covered = {"duplicates": 0, "shared": 0}
    trials = 300
    for trial in range(trials):
        base = np.arange(trial * 10**6, trial * 10**6 + 4000)
        a = np.concatenate((base, rng.choice(base, 600)))
        b = np.concatenate((base[3500:], base + 500_000))
        duplicates = duplicate_rows(sketch_of(a, 500), len(a))
        shared = shared_rows(sketch_of(a, 500), sketch_of(b, 500))
        truth = sum(count for value, count in Counter(a.tolist()).items() if value >= base[3500])
        assert not duplicates.exact
        covered["duplicates"] += duplicates.low <= 600 <= duplicates.high
        covered["shared"] += shared.low <= truth <= shared.high
    assert all(count >= 0.97 * trials for count in covered.values()), covered


def test_nothing_found_in_a_sample_still_has_an_upper_end() -> None:
    found = duplicate_rows(sketch_of(np.arange(100_000), 500), 100_000)
    assert found.rows == 0
    assert 0 < found.high < 5000


def test_a_table_beyond_the_capacity_is_estimated() -> None:
    rows = ROW_CAP + 50_000
    table = pa.table({"id": np.arange(rows)})
    twice = pa.concat_tables([table, table.slice(0, 20_000)])
    found = duplicate_rows(rows_of(twice), twice.num_rows)
    assert not found.exact
    assert found.low <= 20_000 <= found.high
    assert found.high - found.low < 2_000
    halves = merge(profile_table(twice.slice(0, rows // 2)), profile_table(twice.slice(rows // 2)))
    assert halves.row_sketch is not None
    assert np.array_equal(halves.row_sketch.hashes, rows_of(twice).hashes)


@pytest.mark.parametrize(
    ("scale", "shift"), [(1.0, 0.0), (0.5, -40.0), (1 / 7, 0.0), (1000.0, 1e6), (0.01, 0.0)]
)
def test_distinct_rows_of_small_numbers_are_not_taken_for_duplicates(scale: float, shift: float) -> None:
    """Small numbers differ in few bits of their float64, so that weakly mixed words collide when added up."""
    one, other = (axis.ravel() for axis in np.meshgrid(np.arange(300), np.arange(300)))
    table = pa.table({"a": one, "b": other * scale + shift})
    assert duplicate_rows(rows_of(table), table.num_rows).rows == 0
    diagonal = pa.table({"a": np.arange(90_000), "b": np.arange(90_000) * scale + shift})
    assert duplicate_rows(rows_of(diagonal), diagonal.num_rows).rows == 0
