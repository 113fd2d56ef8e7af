from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from aims_pipelines.core.verdict import NotApplicable, Status

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TIMED = {"time": "at"}


def table(*times, kind=None):
    return pa.table({"at": pa.array(times, kind or pa.timestamp("us", tz="UTC"))})


@pytest.mark.parametrize(("age", "status"), [(6.9, Status.PASS), (7.0, Status.PASS), (7.1, Status.FAIL)])
def test_the_newest_event_must_be_young_enough(build, answer, finding, age, status):
    rows = table(NOW - timedelta(days=age), NOW - timedelta(days=500), None)
    found = finding(answer("freshness", build(rows, record=TIMED, limits={"max_age_days": 7})), "at age")
    assert found.status is status
    assert found.observed == pytest.approx(age)


def test_without_a_limit_on_age_only_the_future_is_judged(build, answer):
    verdict = answer("freshness", build(table(datetime(1994, 1, 1, tzinfo=UTC)), record=TIMED))
    assert verdict.status is Status.PASS
    assert [item.measure for item in verdict.findings] == ["future values"]


def test_events_in_the_future_fail_and_do_not_make_old_data_fresh(build, answer, finding):
    rows = table(NOW + timedelta(days=3000), NOW + timedelta(days=2), NOW - timedelta(days=30))
    verdict = answer("freshness", build(rows, record=TIMED, limits={"max_age_days": 7}))
    assert (finding(verdict, "at").status, finding(verdict, "at").observed) == (Status.FAIL, 2)
    assert finding(verdict, "at age").status is Status.FAIL
    assert finding(verdict, "at age").observed == pytest.approx(30)


@pytest.mark.parametrize("seconds", [1_700_000_000, 1_710_000_000, 1_715_000_000, 1_771_000_000])
def test_times_in_the_wrong_unit_lie_in_the_future_however_far(build, answer, finding, seconds):
    good, wrong = seconds * 1000, seconds * 10**9
    rows = pa.table({"at": pa.array([good] * 50 + [wrong] * 50, pa.int64()).view(pa.timestamp("ms"))})
    found = finding(answer("freshness", build(rows, record=TIMED)), "at")
    assert (found.status, found.observed) == (Status.FAIL, 50)


def test_events_all_in_the_future_have_no_age(build, answer, finding):
    rows = table(NOW + timedelta(days=3000))
    verdict = answer("freshness", build(rows, record=TIMED, limits={"max_age_days": 7}))
    assert finding(verdict, "at age").status is Status.INCONCLUSIVE


def test_a_local_clock_ahead_of_utc_is_not_the_future(build, answer):
    rows = table((NOW + timedelta(hours=14)).replace(tzinfo=None), kind=pa.timestamp("s"))
    assert answer("freshness", build(rows, record=TIMED)).status is Status.PASS


def test_days_are_judged_like_times(build, answer, finding):
    rows = table(date(2026, 2, 1), date(2031, 1, 1), kind=pa.date32())
    verdict = answer("freshness", build(rows, record=TIMED, limits={"max_age_days": 40}))
    assert finding(verdict, "at").observed == 1
    assert finding(verdict, "at age").status is Status.PASS


@pytest.mark.parametrize(
    "rows",
    [
        pa.table({"other": [1]}),
        pa.table({"at": ["2026-02-28"]}),
        pa.table({"at": [1_772_000_000]}),
        table(None, None),
        table(),
    ],
    ids=["absent", "text", "number", "all missing", "empty"],
)
def test_a_time_column_that_tells_no_time_is_inconclusive(build, answer, rows):
    assert answer("freshness", build(rows, record=TIMED)).status is Status.INCONCLUSIVE


def test_a_record_without_a_time_column_rules_the_check_out(build, answer):
    assert isinstance(answer("freshness", build(pa.table({"a": [1]}))), NotApplicable)
