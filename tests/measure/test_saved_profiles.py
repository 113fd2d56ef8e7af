"""Profiles survive being saved, to the last bit, and nothing else passes for one."""

import hashlib
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_pipelines.core.errors import BadInput
from aims_pipelines.measure import empty_profile, from_bytes, merge, profile_table, to_bytes, without_rows
from aims_pipelines.measure.packing import (
    in_order,
    order_of,
    pack_ascending,
    pack_unsigned,
    unpack_ascending,
    unpack_unsigned,
)
from aims_pipelines.stats.profile import GroupSpec, Profile

GROUPS = [GroupSpec(columns=("sex",)), GroupSpec(columns=("town",))]
PAIRS = [("heavy", "sex"), ("town", "far"), ("few", "word"), ("none", "yes")]
GOLDEN = Path(__file__).parent / "golden"
words = st.lists(st.integers(0, 2**64 - 1), max_size=50)


@pytest.mark.parametrize("rows", [0, 1, 40, 6000])
def test_a_saved_profile_is_the_same_profile(make_table, assert_same_profile, rows: int) -> None:
    profile = profile_table(make_table(1, rows), groups=GROUPS, keys=[("word",)], pairs=PAIRS)
    again = from_bytes(to_bytes(profile))
    assert_same_profile(again, profile, rtol=0.0)
    assert to_bytes(again) == to_bytes(profile)
    assert list(again.columns) == list(profile.columns)


def test_the_empty_profile_can_be_saved() -> None:
    assert from_bytes(to_bytes(empty_profile())) == empty_profile()


def test_saved_profiles_merge_like_fresh_ones(make_table, assert_same_profile) -> None:
    table = make_table(2, 4000)
    parts = [
        profile_table(part, groups=GROUPS, pairs=PAIRS) for part in (table.slice(0, 2500), table.slice(2500))
    ]
    merged = merge(*(from_bytes(to_bytes(part)) for part in parts))
    assert_same_profile(merged, profile_table(table, groups=GROUPS, pairs=PAIRS))


@given(numbers=words)
def test_numbers_survive_packing(numbers: list[int]) -> None:
    values = np.array(numbers, np.uint64)
    assert np.array_equal(unpack_unsigned(pack_unsigned(values), len(values)), values)
    ascending = np.sort(values)
    assert np.array_equal(unpack_ascending(pack_ascending(ascending), len(values)), ascending)


@given(values=st.lists(st.floats(allow_nan=False), max_size=50))
def test_floats_keep_their_order_and_their_bits(values: list[float]) -> None:
    floats = np.sort(np.array(values, np.float64))
    numbers = order_of(floats)
    assert np.array_equal(in_order(numbers).view(np.uint64), floats.view(np.uint64))
    distinct = np.unique(floats)
    assert np.all(np.diff(order_of(distinct).astype(object)) > 0)


def test_thirty_columns_by_a_group_take_tens_of_kilobytes() -> None:
    rng = np.random.default_rng(0)
    rows = 20_000
    numbers = {f"n{index}": rng.lognormal(3.0, 1.0, rows) for index in range(20)}
    labels = {f"c{index}": rng.integers(0, 2 + index * 20, rows).astype(str) for index in range(10)}
    profile = profile_table(pa.table(numbers | labels), groups=[GroupSpec(columns=("c0",))])
    assert len(to_bytes(without_rows(profile))) < 120_000


def test_without_rows_nothing_is_left_of_single_rows() -> None:
    profile = profile_table(pa.table({"id": ["a", "b"], "x": [1, 2]}), keys=[("id",)])
    left = without_rows(profile)
    assert left.row_sketch is None
    assert left.key_sketches == {}
    assert left.columns.keys() == profile.columns.keys()


def kept_for_good(version: int) -> Profile:
    """The profile that the golden file of a version holds."""
    rows = np.arange(1300)
    table = pa.table(
        {
            "id": [f"n{row}" for row in rows],
            "income": np.where(rows % 7 == 0, 0.0, 1000.0 + (rows * 7919) % 2503 + rows / 4096.0),
            "age": pa.array((rows * 31) % 73 + 17, mask=rows % 11 == 0),
            "debt": pa.array([float("nan") if row % 13 == 0 else (row % 401) - 200.5 for row in rows]),
            "education": pa.array([("none", "school", "degree", "ß")[row % 4] for row in rows]),
            "paid": rows % 3 == 0,
            "day": (rows * 86_400_000).astype("datetime64[ms]"),
        }
    )
    pairs = [("income", "education"), ("age", "debt"), ("paid", "id")] if version > 1 else []
    return profile_table(table, groups=[GroupSpec(columns=("education",))], keys=[("id",)], pairs=pairs)


@pytest.mark.parametrize("version", [1, 2])
def test_profiles_saved_by_earlier_versions_are_still_read(assert_same_profile, version: int) -> None:
    data = (GOLDEN / f"profile-v{version}.aimsprof").read_bytes()
    assert int.from_bytes(data[8:10], "little") == version
    assert_same_profile(from_bytes(data), kept_for_good(version))


def test_a_profile_without_pairs_is_written_as_it_always_was() -> None:
    assert to_bytes(kept_for_good(1))[:10] == b"AIMSPROF\x01\x00"


@pytest.fixture(scope="module", params=[(), (("a", "b"),)], ids=["columns", "pairs"])
def saved(request: pytest.FixtureRequest) -> bytes:
    table = pa.table({"a": [1.5, None], "b": ["x", "y"]})
    return to_bytes(profile_table(table, groups=[GroupSpec(columns=("b",))], pairs=request.param))


@pytest.mark.parametrize(
    "data",
    [b"", b"AIMS", b"PK\x03\x04" * 20, b"AIMSPROF", b"\x80\x04N."],
    ids=["empty", "short", "zip", "head", "pickle"],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match="saved profile"):
        from_bytes(data)


def test_every_truncation_is_refused(saved: bytes) -> None:
    for length in range(len(saved)):
        with pytest.raises(BadInput):
            from_bytes(saved[:length])


def test_every_altered_byte_is_refused(saved: bytes) -> None:
    for position in range(len(saved)):
        altered = bytearray(saved)
        altered[position] ^= 1
        with pytest.raises(BadInput):
            from_bytes(bytes(altered))


def test_a_newer_version_is_refused_with_what_to_do(saved: bytes) -> None:
    newer = saved[:8] + (3).to_bytes(2, "little") + saved[10:]
    with pytest.raises(BadInput, match=r"version 3.*Upgrade"):
        from_bytes(newer)


def sealed(body: bytes) -> bytes:
    packed = zlib.compress(body)
    return b"AIMSPROF" + (2).to_bytes(2, "little") + hashlib.sha256(packed).digest() + packed


@settings(max_examples=200)
@given(data=st.binary(max_size=300), at=st.integers(0, 2000))
def test_well_sealed_nonsense_is_refused_without_a_traceback(saved: bytes, data: bytes, at: int) -> None:
    body = bytearray(zlib.decompress(saved[42:]))
    at %= len(body)
    body[at : at + len(data)] = data
    for forged in (sealed(data), sealed(bytes(body))):
        try:
            from_bytes(forged)
        except BadInput:
            continue


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b'"rows":', b'"rows":1e999,"x":'),
        (b'"rows":', b'"rows":-5,"x":'),
        (b'"rows":', b'"rows":2.5,"x":'),
        (b'"nulls":', b'"nulls":true,"x":'),
        (b'"groups":', b'"groups":' + b"[" * 100_000 + b"]" * 100_000 + b',"x":'),
    ],
    ids=["endless", "negative", "half a row", "true", "deep"],
)
def test_counts_that_are_none_and_nests_without_end_are_refused(
    saved: bytes, was: bytes, becomes: bytes
) -> None:
    body = zlib.decompress(saved[42:])
    length = int.from_bytes(body[:4], "little")
    document = body[4 : 4 + length]
    assert was in document
    document = document.replace(was, becomes)
    with pytest.raises(BadInput, match="parts do not fit together"):
        from_bytes(sealed(len(document).to_bytes(4, "little") + document + body[4 + length :]))
