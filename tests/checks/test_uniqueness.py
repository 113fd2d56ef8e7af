from decimal import Decimal

import pyarrow as pa
import pytest

from aims_pipelines.core.verdict import Status


def numbered(rows):
    return pa.table({"id": list(range(rows)), "city": ["Ulm"] * rows})


@pytest.mark.parametrize(("repeated", "status"), [(0, Status.PASS), (10, Status.PASS), (11, Status.FAIL)])
def test_more_repeated_rows_than_allowed_fail(build, answer, finding, repeated, status):
    table = numbered(1_000 - repeated)
    table = pa.concat_tables([table, table.slice(0, repeated)])
    found = finding(answer("uniqueness", build(table, limits={"max_duplicate_rows": 0.01})), "")
    assert (found.status, found.observed, found.n) == (status, repeated / 1_000, 1_000)


def test_every_repeat_of_a_row_counts_once(build, answer, finding):
    table = pa.table({"a": [1, 1, 1, 2]})
    assert finding(answer("uniqueness", build(table)), "").observed == 0.5


KEYS = {
    "few": list(range(50)),
    "many numbers": list(range(3_000)),
    "many texts": [f"k{i}" for i in range(6_000)],
    "numbers that float64 blurs": [2**60 + i for i in range(50)],
    "fractions": [i / 7 for i in range(2_000)],
    "numbers at the edge of float64": [2**53 + i for i in range(-5, 5)],
    "long decimals": pa.array([Decimal(2**60 + i) for i in range(2_000)], pa.decimal128(38, 0)),
    "few long decimals": pa.array([Decimal(10**37 + i) for i in range(50)], pa.decimal128(38, 0)),
    "long decimals with cents": pa.array(
        [Decimal(123_456_789_012_345_600 + i).scaleb(-2) for i in range(2_000)], pa.decimal128(18, 2)
    ),
    "times a hundred nanoseconds apart": pa.array(
        [1_700_000_000_000_000_000 + 100 * i for i in range(100)], pa.timestamp("ns")
    ),
}


@pytest.mark.parametrize("case", KEYS)
def test_a_key_that_never_repeats_passes_and_one_repeat_fails(build, answer, finding, case):
    record = {"columns": {"key": {"unique": True}}}
    keys = KEYS[case]
    assert (
        finding(answer("uniqueness", build(pa.table({"key": keys}), record=record)), "key").status
        is Status.PASS
    )
    repeated = finding(answer("uniqueness", build(pa.table({"key": [*keys, keys[0]]}), record=record)), "key")
    assert (repeated.status, repeated.observed) == (Status.FAIL, 1)


def test_missing_keys_are_not_repeats(build, answer, finding):
    table = pa.table({"key": pa.array([1.0, None, None, float("nan"), float("nan")])})
    found = finding(answer("uniqueness", build(table, record={"columns": {"key": {"unique": True}}})), "key")
    assert (found.status, found.n) == (Status.PASS, 1)


def test_a_key_without_values_is_inconclusive(build, answer, finding):
    table = pa.table({"key": pa.nulls(3, pa.int64())})
    found = finding(answer("uniqueness", build(table, record={"columns": {"key": {"unique": True}}})), "key")
    assert found.status is Status.INCONCLUSIVE


def test_without_row_hashes_repeated_rows_are_inconclusive(build, answer, finding):
    from dataclasses import replace

    candidate = build(numbered(10))
    blind = replace(candidate, profile=replace(candidate.profile, row_sketch=None))
    assert finding(answer("uniqueness", blind), "").status is Status.INCONCLUSIVE


@pytest.mark.slow
def test_beyond_what_is_counted_exactly_an_interval_decides(build, answer, finding):
    table = numbered(300_000)
    clean = finding(answer("uniqueness", build(table)), "")
    assert clean.status is Status.PASS
    assert clean.interval is not None
    doubled = finding(answer("uniqueness", build(pa.concat_tables([table, table.slice(0, 30_000)]))), "")
    assert doubled.status is Status.FAIL
    assert doubled.observed == pytest.approx(30 / 330, rel=0.1)
    for repeated in (2_850, 3_100):
        close = pa.concat_tables([table, table.slice(0, repeated)])
        assert finding(answer("uniqueness", build(close)), "").status is Status.INCONCLUSIVE
