import pyarrow as pa
import pytest

from aims_pipelines.core.verdict import NotApplicable, Status

RECORD = {"disjoint_from": ["holdout"]}


def rows(start, stop):
    return pa.table({"a": list(range(start, stop)), "b": ["x"] * (stop - start)})


@pytest.mark.parametrize(("shared", "status"), [(0, Status.PASS), (10, Status.PASS), (11, Status.FAIL)])
def test_more_shared_rows_than_coincidence_allows_fail(build, answer, finding, shared, status):
    candidate = build(rows(0, 1_000), record=RECORD, others={"holdout": rows(1_000 - shared, 1_500)})
    found = finding(answer("leakage", candidate), "holdout")
    assert (found.status, found.observed) == (status, shared / 1_000)


def test_each_dataset_is_judged(build, answer, finding):
    record = {"disjoint_from": ["holdout", "other"]}
    candidate = build(rows(0, 100), record=record, others={"holdout": rows(100, 200), "other": rows(0, 100)})
    verdict = answer("leakage", candidate)
    assert finding(verdict, "holdout").status is Status.PASS
    assert finding(verdict, "other").status is Status.FAIL


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ({}, "no current version"),
        ({"holdout": rows(0, 0)}, "no rows"),
        ({"holdout": rows(0, 100).rename_columns(["a", "c"])}, "differ in columns"),
        ({"holdout": pa.table({"a": [str(i) for i in range(100)], "b": ["x"] * 100})}, "differ in columns"),
    ],
    ids=["no version", "empty", "other columns", "other types"],
)
def test_where_rows_cannot_be_compared_it_is_inconclusive(build, answer, finding, others, why):
    found = finding(answer("leakage", build(rows(0, 100), record=RECORD, others=others)), "holdout")
    assert found.status is Status.INCONCLUSIVE
    assert why in found.reason


def test_people_who_are_in_both_are_found_though_no_row_is(build, answer, finding):
    record = {**RECORD, "subject": "a"}
    holdout = rows(0, 150).set_column(1, "b", pa.array(["y"] * 150))
    clean = build(rows(150, 300), record=record, others={"holdout": holdout})
    assert answer("leakage", clean).status is Status.PASS
    verdict = answer("leakage", build(rows(100, 300), record=record, others={"holdout": holdout}))
    assert finding(verdict, "holdout").status is Status.PASS
    assert (finding(verdict, "holdout a").status, finding(verdict, "holdout a").observed) == (Status.FAIL, 50)


def test_an_empty_candidate_is_inconclusive(build, answer):
    candidate = build(rows(0, 0), record=RECORD, others={"holdout": rows(0, 5)})
    assert answer("leakage", candidate).status is Status.INCONCLUSIVE


def test_a_record_without_disjoint_datasets_rules_the_check_out(build, answer):
    assert isinstance(answer("leakage", build(rows(0, 5))), NotApplicable)


def test_the_census_parts_share_rows_by_coincidence_only_and_a_leak_is_found(build, answer, finding, adult):
    train, holdout = adult.slice(0, 24_000), adult.slice(24_000)
    clean = finding(answer("leakage", build(train, record=RECORD, others={"holdout": holdout})), "holdout")
    assert clean.status is Status.PASS
    frame, other = train.to_pandas().astype(str), holdout.to_pandas().astype(str)
    seen = set(map(tuple, other.to_numpy()))
    assert round(clean.observed * 24_000) == sum(tuple(row) in seen for row in frame.to_numpy())
    leaked = pa.concat_tables([train, holdout.slice(0, 500)])
    assert finding(
        answer("leakage", build(leaked, record=RECORD, others={"holdout": holdout})), "holdout"
    ).status is (Status.FAIL)


STORED = pa.table(
    {
        "t": pa.array(range(0, 2_000_000, 1_000), pa.timestamp("ms")),
        "x": pa.array([number / 7 for number in range(2_000)], pa.float64()),
    }
)


@pytest.mark.parametrize(
    ("column", "status"),
    [
        (("t", pa.timestamp("us")), Status.INCONCLUSIVE),
        (("t", pa.timestamp("s")), Status.FAIL),
        (("x", pa.float32()), Status.INCONCLUSIVE),
        (("x", pa.float64()), Status.FAIL),
    ],
    ids=["finer times", "coarser times", "narrow floats", "the same"],
)
def test_rows_that_are_stored_so_that_equal_ones_differ_are_not_passed(
    build, answer, finding, column, status
):
    name, kind = column
    place = STORED.column_names.index(name)
    other = STORED.set_column(place, name, STORED[name].cast(kind, safe=False))
    found = finding(answer("leakage", build(STORED, record=RECORD, others={"holdout": other})), "holdout")
    assert found.status is status


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (pa.time32("ms"), pa.time64("us")),
        (pa.duration("ms"), pa.duration("us")),
        (pa.int64(), pa.float64()),
    ],
    ids=str,
)
def test_values_that_are_hashed_otherwise_are_not_compared(build, answer, finding, mine, theirs):
    start = 2**60 if pa.types.is_integer(mine) else 0
    values = pa.array([start + number * 1024 for number in range(500)], pa.int64())
    own = values.cast(pa.int32()).cast(mine) if pa.types.is_time(mine) else values.cast(mine)
    other = pa.table({"a": own.cast(theirs, safe=False)})
    found = finding(
        answer("leakage", build(pa.table({"a": own}), record=RECORD, others={"holdout": other})), "holdout"
    )
    assert found.status is Status.INCONCLUSIVE
