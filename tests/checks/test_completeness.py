import pyarrow as pa
import pytest

from aims_pipelines.core.verdict import Status

HUNDRED = pa.table({"amount": [float(number) for number in range(100)]})


@pytest.mark.parametrize(
    ("rows", "status"), [(100, Status.PASS), (99, Status.FAIL), (1, Status.FAIL), (0, Status.FAIL)]
)
def test_fewer_rows_than_required_fail(build, answer, finding, rows, status):
    verdict = answer("completeness", build(HUNDRED.slice(0, rows)))
    assert finding(verdict, "").status is status
    assert verdict.status is status


@pytest.mark.parametrize(("rows", "status"), [(80, Status.PASS), (79, Status.FAIL), (130, Status.PASS)])
def test_losing_more_rows_than_allowed_against_the_current_version_fails(
    build, answer, finding, rows, status
):
    table = pa.concat_tables([HUNDRED, HUNDRED]).slice(0, rows)
    candidate = build(table, current_rows=HUNDRED.num_rows, limits={"min_rows": 1, "max_row_loss": 0.2})
    assert finding(answer("completeness", candidate), "current version").status is status


@pytest.mark.parametrize(("missing", "status"), [(30, Status.PASS), (31, Status.FAIL)])
def test_the_share_of_missing_values_is_held_against_the_contract(build, answer, finding, missing, status):
    gaps = [None, float("nan")] * missing
    table = pa.table({"amount": pa.array(gaps[:missing] + [1.0] * (100 - missing), pa.float64())})
    candidate = build(table, record={"columns": {"amount": {"max_missing": 0.3}}})
    found = finding(answer("completeness", candidate), "amount")
    assert (found.status, found.observed, found.n) == (status, missing / 100, 100)


def test_blank_text_is_missing(build, answer, finding):
    table = pa.table({"city": ["", "  ", "\t", "Ulm"] * 25})
    found = finding(answer("completeness", build(table)), "city")
    assert (found.status, found.observed) == (Status.FAIL, 0.75)
    assert "75 of them blank" in found.reason


def test_blank_text_is_found_among_more_texts_than_the_profile_names(build, answer, finding):
    table = pa.table({"note": [f"note {number}" for number in range(6_000)] + [" ", ""]})
    found = finding(answer("completeness", build(table)), "note")
    assert (found.status, found.observed) == (Status.FAIL, 2 / 6_002)


def test_a_column_without_values_passes_only_where_the_contract_says_all_may_be_missing(
    build, answer, finding
):
    table = pa.table({"a": pa.nulls(100, pa.string())})
    assert finding(answer("completeness", build(table)), "a").status is Status.FAIL
    allowed = build(table, record={"columns": {"a": {"max_missing": 1.0}}})
    assert finding(answer("completeness", allowed), "a").status is Status.PASS


def test_a_declared_column_that_is_not_there_is_inconclusive_here(build, answer, finding):
    candidate = build(HUNDRED, record={"columns": {"gone": {"type": "string"}}})
    assert finding(answer("completeness", candidate), "gone").status is Status.INCONCLUSIVE


def test_reasons_never_hold_values(build, answer):
    table = pa.table({"name": ["Ada Lovelace", None, ""] * 40})
    assert all("Ada" not in item.reason for item in answer("completeness", build(table)).findings)
