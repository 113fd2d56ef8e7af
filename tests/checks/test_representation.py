import pyarrow as pa
import pytest

from aims_pipelines.core.verdict import NotApplicable, Status


def people(**groups):
    sex = [level for level, number in groups.items() for _ in range(number)]
    return pa.table({"sex": sex, "region": ["north", "south"] * (len(sex) // 2) + ["north"] * (len(sex) % 2)})


SEX = {"protected": [{"column": "sex"}]}


@pytest.mark.parametrize(("few", "status"), [(100, Status.PASS), (99, Status.FAIL)])
def test_a_group_below_the_smallest_size_fails_and_is_named(build, answer, finding, few, status):
    verdict = answer("representation", build(people(f=few, m=500), record=SEX))
    found = finding(verdict, "sex=f")
    assert (found.status, found.observed, found.limit) == (status, few, 100)
    assert finding(verdict, "sex=m").status is Status.PASS


@pytest.mark.parametrize(("few", "status"), [(200, Status.PASS), (199, Status.FAIL)])
def test_a_group_below_the_smallest_share_fails(build, answer, finding, few, status):
    table = people(f=few, m=1_000 - few)
    verdict = answer("representation", build(table, record=SEX, limits={"min_group_share": 0.2}))
    assert finding(verdict, "sex=f share").status is status


def test_a_group_that_the_reference_has_and_the_table_has_not_fails(build, answer, finding):
    candidate = build(people(f=200, m=200), record=SEX, reference=people(f=200, m=200, d=20))
    found = finding(answer("representation", candidate), "sex=d")
    assert (found.status, found.observed) == (Status.FAIL, 0)


def test_intersections_are_judged_where_they_are_declared(build, answer, finding):
    record = {"protected": [{"column": "sex"}, {"column": "region"}], "intersections": [["sex", "region"]]}
    verdict = answer("representation", build(people(f=150, m=500), record=record))
    assert finding(verdict, "sex=f").status is Status.PASS
    assert finding(verdict, "sex & region=f & north").status is Status.FAIL


def test_ages_are_judged_in_bands(build, answer):
    table = pa.table({"age": [25] * 200 + [45] * 50 + [70] * 200})
    record = {"protected": [{"column": "age", "bands": [30, 60]}]}
    verdict = answer("representation", build(table, record=record))
    assert [(item.observed, item.status) for item in verdict.problems] == [(50, Status.FAIL)]


def test_rows_without_the_attribute_are_no_group(build, answer):
    table = pa.table({"sex": ["f"] * 200 + ["m"] * 200 + [None] * 5})
    assert answer("representation", build(table, record=SEX)).status is Status.PASS


@pytest.mark.parametrize(
    "table",
    [people(f=500), pa.table({"sex": pa.nulls(500, pa.string())}), pa.table({"other": [1] * 500}), people()],
    ids=["one group", "all missing", "absent", "empty"],
)
def test_where_there_are_no_two_groups_it_is_inconclusive(build, answer, table):
    assert answer("representation", build(table, record=SEX)).status is Status.INCONCLUSIVE


def test_more_groups_than_are_told_apart_are_inconclusive(build, answer, finding):
    table = pa.table({"sex": [f"g{number % 200}" for number in range(40_000)]})
    verdict = answer("representation", build(table, record=SEX))
    assert finding(verdict, "sex=(other)").status is Status.INCONCLUSIVE


def test_a_record_without_protected_attributes_rules_the_check_out(build, answer):
    assert isinstance(answer("representation", build(people(f=1))), NotApplicable)
