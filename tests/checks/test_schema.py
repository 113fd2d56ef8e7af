from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from aims_pipelines.core.verdict import Status

TABLE = pa.table({"amount": [1.0, 2.5], "city": ["Ulm", "Kiel"], "age": [30, 40]})


def test_the_declared_columns_pass_in_any_order(build, answer):
    verdict = answer("schema", build(TABLE.select(["age", "city", "amount"]), model=TABLE))
    assert verdict.status is Status.PASS
    assert verdict.findings[0].observed == 3


def test_a_missing_column_fails(build, answer, finding):
    verdict = answer("schema", build(TABLE.drop_columns("city"), model=TABLE))
    assert finding(verdict, "city").status is Status.FAIL


@pytest.mark.parametrize("name", ["amout", "Amount", "AMOUNT ", "amount_"])
def test_a_renamed_column_is_one_finding_that_names_both(build, answer, name):
    verdict = answer("schema", build(TABLE.rename_columns([name, "city", "age"]), model=TABLE))
    (problem,) = verdict.problems
    assert problem.reason == f"found '{name}', expected 'amount'"


def test_a_column_renamed_beyond_recognition_is_guessed_by_being_the_only_one_of_its_type(build, answer):
    verdict = answer("schema", build(TABLE.rename_columns(["betrag", "city", "age"]), model=TABLE))
    assert [item.reason for item in verdict.problems] == ["found 'betrag', expected 'amount'"]


def test_another_column_of_another_type_is_not_taken_for_a_renamed_one(build, answer):
    changed = TABLE.drop_columns("amount").append_column("note", pa.array(["x", "y"]))
    verdict = answer("schema", build(changed, model=TABLE))
    assert {item.target for item in verdict.problems} == {"amount", "note"}


@pytest.mark.parametrize(("policy", "status"), [("refuse", Status.FAIL), ("allow", Status.PASS)])
def test_undeclared_columns_follow_the_record(build, answer, policy, status):
    more = TABLE.append_column("extra", pa.array([1, 2]))
    assert answer("schema", build(more, model=TABLE, record={"extra_columns": policy})).status is status


@pytest.mark.parametrize(
    "fields",
    [
        {"label": {"column": "gone"}},
        {"protected": [{"column": "gone"}]},
        {"subject": "gone"},
        {"time": "gone"},
    ],
)
def test_a_column_that_only_the_rest_of_the_record_names_must_be_there(build, answer, finding, fields):
    verdict = answer("schema", build(TABLE, record={"extra_columns": "allow", **fields}))
    assert finding(verdict, "gone").status is Status.FAIL


FITS = {
    "whole numbers as integer": (pa.array([1, 2], pa.int8()), "integer"),
    "whole floats as integer": (pa.array([1.0, None], pa.float64()), "integer"),
    "integers as number": (pa.array([1, 2]), "number"),
    "decimals as number": (pa.array([1, 2]).cast(pa.decimal128(22, 2)), "number"),
    "large strings": (pa.array(["a", "b"], pa.large_string()), "string"),
    "categories of strings": (pa.array(["a", "b"]).dictionary_encode(), "string"),
    "booleans": (pa.array([True, False]), "boolean"),
    "dates": (pa.array([date(2026, 1, 1), None]), "date"),
    "midnights as date": (pa.array([0, 86_400], pa.timestamp("s")), "date"),
    "timestamps": (pa.array([7 * 3_600, None], pa.timestamp("s")), "timestamp"),
}


@pytest.mark.parametrize("case", FITS)
def test_a_type_that_holds_what_is_declared_passes(build, answer, case):
    array, declared = FITS[case]
    candidate = build(pa.table({"a": array}), record={"columns": {"a": {"type": declared}}})
    assert answer("schema", candidate).status is Status.PASS


MISFITS = {
    "fractions as integer": (pa.array([1.5, 2.0]), "integer"),
    "texts as number": (pa.array(["1", "2"]), "number"),
    "numbers as string": (pa.array([1, 2]), "string"),
    "zero and one as boolean": (pa.array([0, 1]), "boolean"),
    "texts as date": (pa.array(["2026-01-01", "2026-01-02"]), "date"),
    "times as date": (pa.array([7 * 3_600, None], pa.timestamp("s")), "date"),
    "dates as timestamp": (pa.array([date(2026, 1, 1), None]), "timestamp"),
    "infinity as integer": (pa.array([float("inf"), 1.0]), "integer"),
    "durations as number": (pa.array([1, 2], pa.duration("s")), "number"),
    "durations as integer": (pa.array([1, 2], pa.duration("s")), "integer"),
    "many durations as integer": (pa.array(range(3_000), pa.duration("s")), "integer"),
    "times of day as integer": (pa.array([1, 2], pa.time32("s")), "integer"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_type_that_holds_something_else_fails(build, answer, finding, case):
    array, declared = MISFITS[case]
    candidate = build(pa.table({"a": array}), record={"columns": {"a": {"type": declared}}})
    assert finding(answer("schema", candidate), "a").status is Status.FAIL


def test_whole_floats_are_told_from_fractions_beyond_what_the_profile_keeps(build, answer):
    whole = [float(number) for number in range(5_000)]
    record = {"columns": {"a": {"type": "integer"}}}
    assert answer("schema", build(pa.table({"a": whole}), record=record)).status is Status.PASS
    assert answer("schema", build(pa.table({"a": [*whole, 0.5]}), record=record)).status is Status.FAIL


def test_the_type_of_a_column_without_values_is_inconclusive_unless_the_contract_admits_it(build, answer):
    table = pa.table({"a": pa.nulls(3)})
    assert answer("schema", build(table)).status is Status.INCONCLUSIVE
    assert (
        answer("schema", build(table, record={"columns": {"a": {"max_missing": 1.0}}})).status is Status.PASS
    )


@pytest.mark.parametrize("rows", [1_000, 2_000])
@pytest.mark.parametrize(
    ("odd", "status"),
    [(None, Status.PASS), (float("nan"), Status.PASS), (0.5, Status.FAIL), (float("inf"), Status.FAIL)],
)
def test_whole_floats_are_integers_however_many_they_are(build, answer, rows, odd, status):
    table = pa.table({"n": pa.array([float(number) for number in range(rows)])})
    numbers = pa.concat_arrays([table["n"].combine_chunks(), pa.array([odd], pa.float64())])
    declared = {"columns": {"n": {"type": "integer"}}}
    assert answer("schema", build(pa.table({"n": numbers}), record=declared)).status is status


@pytest.mark.parametrize("kind", [pa.float16(), pa.decimal32(6, 1), pa.decimal64(12, 1)], ids=str)
def test_whole_numbers_of_narrow_types_are_integers(build, answer, kind):
    whole = [Decimal(number) for number in range(2_000)]
    numbers = pa.array(whole if pa.types.is_decimal(kind) else [float(one) for one in whole], kind)
    declared = {"columns": {"n": {"type": "integer"}}}
    assert answer("schema", build(pa.table({"n": numbers}), record=declared)).status is Status.PASS


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("America/Sao_Paulo", date(2018, 1, 1)),
        ("America/Havana", date(2023, 1, 1)),
        ("Europe/Berlin", date(2023, 1, 1)),
    ],
    ids=["midnight skipped", "midnight twice", "elsewhere"],
)
def test_days_begin_later_where_clocks_skip_midnight(build, answer, zone, first):
    days = [first + timedelta(days=number) for number in range(365)]
    naive = pa.array([datetime.combine(day, time()) for day in days], pa.timestamp("us"))
    moments = pc.assume_timezone(naive, zone, ambiguous="earliest", nonexistent="latest")
    declared = {"columns": {"d": {"type": "date"}}}
    assert answer("schema", build(pa.table({"d": moments}), record=declared)).status is Status.PASS
    later = pc.add(moments, pa.scalar(timedelta(hours=3)))
    assert answer("schema", build(pa.table({"d": later}), record=declared)).status is Status.FAIL


def test_times_of_a_zone_that_nobody_knows_are_no_days(build, answer):
    table = pa.table({"d": pa.array([0, 86_400], pa.timestamp("s", tz="Mars/Olympus"))})
    assert answer("schema", build(table, record={"columns": {"d": {"type": "date"}}})).status is Status.FAIL


@pytest.mark.parametrize("days", [20, 5_000])
@pytest.mark.parametrize(
    ("hours", "status"), [(0, Status.PASS), (2, Status.FAIL)], ids=["midnight", "two o'clock"]
)
def test_days_begin_at_midnight_where_the_times_are(build, answer, days, hours, status):
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2001, 1, 1, hours)  # noqa: DTZ001 - local, whatever the season
    moments = [(start + timedelta(days=number)).replace(tzinfo=zone) for number in range(days)]
    table = pa.table({"d": pa.array(moments, pa.timestamp("us", tz="Europe/Berlin"))})
    assert answer("schema", build(table, record={"columns": {"d": {"type": "date"}}})).status is status
