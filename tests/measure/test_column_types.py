"""Every Arrow type is measured as what it means, or refused with a reason."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines.core.errors import BadInput
from aims_pipelines.measure import profile_table
from aims_pipelines.stats.profile import ColumnProfile, GroupSpec, Kind


def profiled(column: pa.Array) -> ColumnProfile:
    return profile_table(pa.table({"x": column})).columns["x"]


def points(column: pa.Array) -> dict[float, int]:
    distribution = profiled(column).distribution
    assert distribution is not None
    return dict(zip(distribution.points.tolist(), distribution.counts.tolist(), strict=True))


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float16(), pa.float32(), pa.float64(), pa.decimal32(5, 2), pa.decimal64(9, 2)),
        *(pa.decimal128(30, 2), pa.decimal256(50, 2), pa.duration("s")),
    ],
    ids=str,
)
def test_numbers_of_every_width_are_numbers(kind: pa.DataType) -> None:
    values: list[object] = [1, 2, 2, None, 100]
    if pa.types.is_decimal(kind):
        values = [None if value is None else Decimal(int(str(value))) for value in values]
    if pa.types.is_duration(kind):
        values = [None if value is None else dt.timedelta(seconds=int(str(value))) for value in values]
    column = pa.array(values, kind)
    profile = profiled(column)
    assert profile.kind is Kind.NUMERIC
    assert (profile.rows, profile.nulls) == (5, 1)
    assert points(column) == {1.0: 1, 2.0: 2, 100.0: 1}


@pytest.mark.parametrize(
    "kind",
    [
        pa.decimal64(15, 3),
        pa.decimal128(12, 2),
        pa.decimal128(38, 0),
        pa.decimal128(38, 20),
        pa.decimal256(70, 30),
    ],
    ids=str,
)
def test_a_decimal_is_the_nearest_float_as_python_reads_it(kind: pa.DataType) -> None:
    draw = np.random.default_rng(3)
    values = [Decimal(int(part)).scaleb(-kind.scale) for part in draw.integers(-(10**12), 10**12, 500)]
    assert points(pa.array([Decimal(0), *values], kind).slice(1)) == {float(value): 1 for value in values}


def test_the_largest_unsigned_integers_are_not_negative() -> None:
    assert points(pa.array([2**64 - 1, 2**63], pa.uint64())) == {2.0**64: 1, 2.0**63: 1}


NOON = dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("column", "seconds"),
    [
        (pa.array([dt.date(1970, 1, 2), None], pa.date32()), 86400.0),
        (pa.array([dt.date(1969, 12, 31), None], pa.date64()), -86400.0),
        (pa.array([NOON, None], pa.timestamp("s", "UTC")), NOON.timestamp()),
        (pa.array([NOON, None], pa.timestamp("us", "Asia/Tokyo")), NOON.timestamp()),
        (pa.array([NOON.replace(tzinfo=None), None], pa.timestamp("ns")), NOON.timestamp()),
    ],
    ids=["date32", "date64", "utc", "tokyo", "naive is taken as utc"],
)
def test_times_are_seconds_since_1970(column: pa.Array, seconds: float) -> None:
    assert profiled(column).kind is Kind.TEMPORAL
    assert points(column) == {seconds: 1}


def test_times_of_day_are_numbers_of_seconds() -> None:
    column = pa.array([dt.time(1, 0, 1), None], pa.time64("us"))
    assert profiled(column).kind is Kind.NUMERIC
    assert points(column) == {3601.0: 1}


def test_many_times_are_kept_to_the_step_that_it_says() -> None:
    stamps = np.arange(0, 400 * 86400, 600)
    column = profiled(pa.array(stamps.astype("datetime64[s]")))
    assert column.distribution is not None
    step = column.distribution.resolution
    assert step == 86400.0
    days, counts = np.unique(stamps // 86400, return_counts=True)
    assert np.array_equal(column.distribution.points, (days + 0.5) * 86400)
    assert np.array_equal(column.distribution.counts, counts)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["x", "y", None, "x"]),
        pa.array(["x", "y", None, "x"], pa.large_string()),
        pa.array(["x", "y", None, "x"], pa.string_view()),
        pa.array(["x", "y", None, "x"]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3], pa.uint8()), pa.array(["x", "y", None, "x"])),
        pa.array(["q", "x", "y", None, "x", "q"])[1:5],
        pa.array(["q", "x", "y", None, "x", "q"]).dictionary_encode()[1:5],
        pa.RunEndEncodedArray.from_arrays([1, 2, 3, 4], pa.array(["x", "y", None, "x"])),
    ],
    ids=["plain", "large", "view", "dictionary", "odd dictionary", "slice", "dictionary slice", "run ends"],
)
def test_texts_in_every_layout_are_categories(column: pa.Array) -> None:
    profile = profiled(column)
    assert profile.kind is Kind.CATEGORICAL
    assert profile.storage_type == "string"
    assert profile.nulls == 1
    assert profile.categories is not None
    assert profile.categories.counts == {"x": 2, "y": 1}


def test_booleans_are_categories_named_true_and_false() -> None:
    categories = profiled(pa.array([True, None, False, True])[1:]).categories
    assert categories is not None
    assert categories.counts == {"false": 1, "true": 1}


def test_numbers_that_were_encoded_as_categories_stay_categories() -> None:
    profile = profiled(pa.array([3, 3, None, 10]).dictionary_encode())
    assert profile.kind is Kind.CATEGORICAL
    assert profile.categories is not None
    assert profile.categories.counts == {"3": 2, "10": 1}


def test_bytes_are_told_apart_but_not_shown() -> None:
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(6)):
        categories = profiled(pa.array([b"secret", b"secret", None, b"public"], kind)).categories
        assert categories is not None
        assert sorted(categories.counts.values()) == [1, 2]
        assert not any("secret" in label for label in categories.counts)


def test_labels_are_not_kept_once_there_are_too_many_to_be_categories() -> None:
    names = [f"person {number}" for number in range(20_000)]
    categories = profiled(pa.array(names * 2)).categories
    assert categories is not None
    assert not categories.exact
    assert categories.counts == {}
    assert categories.other == 40_000
    assert abs(categories.distinct - 20_000) < 4 * 0.044 * 20_000
    assert categories.buckets is not None
    assert categories.buckets.sum() == 40_000


def test_fields_of_structs_are_columns() -> None:
    column = pa.array([{"a": 1, "b": {"c": "x"}}, None, {"a": None, "b": None}])
    profile = profile_table(pa.table({"s": column, "t": [1, 2, 3]}))
    assert list(profile.columns) == ["s.a", "s.b.c", "t"]
    assert profile.columns["s.a"].nulls == 2
    assert profile.columns["s.b.c"].nulls == 2


def test_types_that_cannot_be_measured_are_all_named() -> None:
    table = pa.table(
        {"ok": [1], "list": [[1]], "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64()))}
    )
    with pytest.raises(BadInput) as refused:
        profile_table(table)
    assert [fault.where for fault in refused.value.faults] == ["column 'list'", "column 'map'"]


def test_a_struct_field_that_is_named_like_another_column_is_refused() -> None:
    with pytest.raises(BadInput, match=r"column 's\.a'"):
        profile_table(pa.table({"s": pa.array([{"a": 1}]), "s.a": [2]}))


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_nothing_but_missing_values_is_a_valid_profile(rows: int) -> None:
    kinds = [
        pa.null(),
        pa.float64(),
        pa.string(),
        pa.bool_(),
        pa.date32(),
        pa.dictionary(pa.int8(), pa.string()),
    ]
    table = pa.table({str(kind): pa.nulls(rows, kind) for kind in kinds})
    profile = profile_table(table, groups=[GroupSpec(columns=(str(kind),)) for kind in kinds])
    assert profile.rows == rows
    for column in profile.columns.values():
        assert (column.rows, column.nulls) == (rows, rows)
    for levels in profile.groups.values():
        assert list(levels) == (["(missing)"] if rows else [])


def test_bands_hold_their_lower_edge_and_not_their_upper_one() -> None:
    table = pa.table({"age": [17, 30, 30, 49, 50, None], "x": ["a", "b", "c", "d", "e", "f"]})
    profile = profile_table(table, groups=[GroupSpec(columns=("age",), bands={"age": (30, 50)})])
    sizes = {level: group.rows for level, group in profile.groups["age"].items()}
    assert sizes == {"<30": 1, "30-50": 3, ">=50": 1, "(missing)": 1}


def test_intersections_and_whole_numbers_are_labelled_readably() -> None:
    table = pa.table({"a": ["x", "x", None], "b": [1.0, None, 0.5]})
    profile = profile_table(table, groups=[GroupSpec(columns=("a", "b"))])
    assert set(profile.groups["a & b"]) == {"x & 1", "x & (missing)", "(missing) & 0.5"}


def test_values_that_read_like_no_value_are_groups_of_their_own() -> None:
    table = pa.table(
        {"a": ["(missing)", "(other)", "'(other)'", None, "x"], "b": ["y"] * 4 + ["a & (missing)"]}
    )
    groups = profile_table(table, groups=[GroupSpec(columns=(name,)) for name in "ab"]).groups
    rows = {level: group.rows for level, group in groups["a"].items()}
    assert rows == {"'(missing)'": 1, "'(other)'": 1, "''(other)''": 1, "(missing)": 1, "x": 1}
    assert set(groups["b"]) == {"y", "'a & (missing)'"}


def test_faults_of_groupings_and_keys_are_all_named() -> None:
    groups = [
        GroupSpec(columns=("nope",)),
        GroupSpec(columns=("a",), bands={"a": (3.0, 1.0)}),
        GroupSpec(columns=("b",), bands={"b": (1.0,)}),
    ]
    with pytest.raises(BadInput) as refused:
        profile_table(pa.table({"a": [1], "b": ["x"]}), groups=groups, keys=[("gone",)])
    assert [fault.where for fault in refused.value.faults] == [
        "grouping 'nope'",
        "grouping 'a'",
        "grouping 'b'",
        "key 'gone'",
    ]


@pytest.mark.parametrize(
    "kind", [pa.float16(), pa.float64(), pa.decimal32(5, 1), pa.decimal64(9, 2), pa.decimal128(9, 2)], ids=str
)
def test_numbers_of_every_type_make_groups(kind: pa.DataType) -> None:
    values: list[object] = [0.5, 1.0, 1.0, None]
    if pa.types.is_decimal(kind):
        values = [None if value is None else Decimal(str(value)) for value in values]
    table = pa.table({"g": pa.array(values, kind)})
    groups = profile_table(table, groups=(GroupSpec(columns=("g",)),)).groups["g"]
    assert {level: group.rows for level, group in groups.items()} == {"0.5": 1, "1": 2, "(missing)": 1}


@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.uint64(), pa.decimal128(38, 0), pa.dictionary(pa.int32(), pa.int64())], ids=str
)
def test_whole_numbers_beyond_float64_make_groups_of_their_own(kind: pa.DataType) -> None:
    values = [2**60 + number for number in range(4)]
    plain = pa.array([Decimal(value) for value in values] if pa.types.is_decimal(kind) else values)
    table = pa.table(
        {"g": plain.cast(kind) if not pa.types.is_dictionary(kind) else plain.dictionary_encode()}
    )
    groups = profile_table(table, groups=(GroupSpec(columns=("g",)),)).groups["g"]
    assert {level: group.rows for level, group in groups.items()} == {str(value): 1 for value in values}


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64(), pa.decimal128(5, 2)], ids=str)
def test_fractions_are_groups_by_what_was_written_however_they_are_stored(kind: pa.DataType) -> None:
    values = [Decimal("0.1"), Decimal("0.25"), Decimal("7")]
    array = pa.array(values if pa.types.is_decimal(kind) else [float(value) for value in values], kind)
    groups = profile_table(pa.table({"g": array}), groups=(GroupSpec(columns=("g",)),)).groups["g"]
    assert set(groups) == {"0.1", "0.25", "7"}


def test_groups_of_several_columns_whose_names_hold_an_ampersand_stay_apart() -> None:
    table = pa.table({"a": ["x & y", "x"], "b": ["z", "y & z"]})
    groups = profile_table(table, groups=[GroupSpec(columns=("a", "b"))]).groups["a & b"]
    assert set(groups) == {"'x & y' & z", "x & 'y & z'"}
