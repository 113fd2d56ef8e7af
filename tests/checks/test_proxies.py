import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines.core.verdict import NotApplicable, Status

RNG = np.random.default_rng(5)
SEX = RNG.choice(["f", "m"], 5_000)
RECORD = {"protected": [{"column": "sex"}]}


def table(**columns):
    return pa.table({"sex": SEX, **columns})


def stand_in(agreement):
    return np.where(RNG.uniform(size=5_000) < agreement, SEX, np.where(SEX == "f", "m", "f"))


def test_a_feature_that_gives_the_group_away_fails_and_others_pass(build, answer, finding):
    candidate = build(table(title=stand_in(0.95), amount=RNG.normal(size=5_000)), record=RECORD)
    verdict = answer("proxies", candidate)
    assert finding(verdict, "title -> sex").status is Status.FAIL
    assert finding(verdict, "amount -> sex").status is Status.PASS


def test_label_keys_subject_and_what_the_contract_keeps_out_are_no_features(build, answer):
    columns = dict.fromkeys(("label", "key", "subject", "diary", "feature"), SEX)
    record = {
        **RECORD,
        "label": {"column": "label"},
        "subject": "subject",
        "columns": {"key": {"unique": True}, "diary": {"feature": False}},
    }
    verdict = answer("proxies", build(table(**columns), record=record))
    assert [item.target for item in verdict.findings] == ["feature -> sex"]


@pytest.mark.parametrize(
    "rows",
    [
        pa.table({"a": [1.0, 2.0] * 500}),
        pa.table({"sex": ["f"] * 500, "a": [1.0, 2.0] * 250}),
        pa.table({"sex": pa.nulls(500, pa.string()), "a": [1.0, 2.0] * 250}),
        pa.table({"sex": ["f", "m"] * 250}),
        pa.table({"sex": ["f", "m"] * 250, "a": pa.nulls(500, pa.float64())}),
        pa.table({"sex": ["f"], "a": [1.0]}),
    ],
    ids=["absent", "one group", "all missing", "no feature", "feature without values", "one row"],
)
def test_where_nothing_can_be_told_it_is_inconclusive(build, answer, rows):
    assert answer("proxies", build(rows, record=RECORD)).status is Status.INCONCLUSIVE


def test_a_feature_that_the_contract_lets_be_empty_is_no_feature_while_it_is(build, answer):
    rows = table(a=RNG.normal(size=5_000), note=pa.nulls(5_000, pa.string()))
    record = {**RECORD, "columns": {"note": {"max_missing": 1.0}}}
    assert answer("proxies", build(rows, record=record)).status is Status.PASS


def test_a_record_without_protected_attributes_rules_the_check_out(build, answer):
    assert isinstance(answer("proxies", build(table())), NotApplicable)


def test_in_the_census_the_relationship_gives_the_sex_away(build, answer, finding, adult):
    record = {"label": {"column": "income", "positive": ">50K"}, "protected": [{"column": "sex"}]}
    verdict = answer("proxies", build(adult, record=record))
    assert [item.target for item in verdict.problems] == ["relationship -> sex"]
