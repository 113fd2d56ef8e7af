"""Real tables with one fault planted: the right check is named, and the others do not drown it."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from aims_pipelines.checks.catalogue import judge_dataset
from aims_pipelines.core.gate import refusal_message
from aims_pipelines.core.verdict import Status

SEED = 20_260_301


def halves(table):
    """A reference version and a window of the same kind: two random halves of the rows."""
    order = np.random.default_rng(SEED).permutation(len(table))
    half = len(table) // 2
    return table.take(pa.array(np.sort(order[:half]))), table.take(pa.array(np.sort(order[half:])))


class Project:
    """A record as a person would write it after seeing the first version: its known shortfalls accepted."""

    def __init__(self, build, table, *, columns, **record):
        self.reference, self.window = halves(table)
        self.build = build
        missing = {
            name: {"max_missing": round(self.reference[name].null_count / len(self.reference) + 0.01, 4)}
            for name in table.column_names
            if self.reference[name].null_count
        }
        self.record = {"columns": {**missing, **columns}, **record}
        first = judge_dataset(build(self.reference, record=self.record))
        self.record["accepted"] = [
            {
                "check": verdict.check,
                "target": finding.target,
                "measure": finding.measure,
                "observed": finding.observed,
                "tolerance": round(0.1 * abs(finding.observed), 4),
                "reason": "known since the first version",
                "review_by": "2026-12-31",
            }
            for verdict in first.verdicts
            for finding in verdict.problems
        ]

    def judge(self, table):
        return judge_dataset(
            self.build(
                table,
                model=self.window,
                record=self.record,
                reference=self.reference,
                current_rows=self.reference.num_rows,
            )
        )


@pytest.fixture(scope="module")
def census(build, adult):
    return Project(
        build,
        adult,
        columns={"age": {"min": 16, "max": 100}, "sex": {"allowed": ["Male", "Female"]}},
        label={"column": "income", "positive": ">50K"},
        protected=[{"column": "sex"}, {"column": "race"}],
    )


@pytest.fixture(scope="module")
def defaults(build, credit):
    return Project(
        build,
        credit,
        columns={"SEX": {"allowed": [1, 2]}},
        label={"column": "default", "positive": 1},
        protected=[{"column": "SEX"}, {"column": "AGE", "bands": [30, 50]}],
    )


PROJECTS = ["census", "defaults"]


@pytest.fixture(params=PROJECTS)
def project(request):
    return request.getfixturevalue(request.param)


def failed(judgement):
    return {verdict.check for verdict in judgement.refusing if verdict.status is Status.FAIL}


def inconclusive(judgement):
    return {verdict.check for verdict in judgement.refusing if verdict.status is not Status.FAIL}


def replaced(table, column, values):
    return table.set_column(table.column_names.index(column), column, values)


def test_a_clean_window_is_published(project):
    judgement = project.judge(project.window)
    assert judgement.status is Status.PASS, refusal_message(judgement)


def test_little_was_accepted_to_get_there(project):
    assert len(project.record["accepted"]) <= 6
    assert {entry["check"] for entry in project.record["accepted"]} <= {
        "label_rate_gap",
        "proxies",
        "representation",
    }


@pytest.mark.parametrize(("name", "column"), [("census", "age"), ("defaults", "LIMIT_BAL")])
def test_thirty_percent_missing_is_a_matter_of_completeness(request, name, column):
    project = request.getfixturevalue(name)
    gone = np.random.default_rng(1).uniform(size=len(project.window)) < 0.3
    spoilt = replaced(project.window, column, pc.if_else(pa.array(gone), None, project.window[column]))
    judgement = project.judge(spoilt)
    assert judgement.refusing[0].check == "completeness"
    (problem,) = judgement.refusing[0].problems
    assert problem.target == column
    assert problem.observed == pytest.approx(0.3, abs=0.02)
    assert failed(judgement) <= {"completeness", "drift"}
    assert inconclusive(judgement) == set(), refusal_message(judgement)


@pytest.mark.parametrize(
    ("name", "column", "group", "values"),
    [("census", "sex", "Female", (">50K", "<=50K")), ("defaults", "SEX", 2, (1, 0))],
)
def test_a_label_flipped_for_one_group_widens_its_gap(request, name, column, group, values):
    project = request.getfixturevalue(name)
    label = project.record["label"]["column"]
    old = project.window[label]
    flipped = pc.if_else(pc.equal(old, values[0]), values[1], values[0])
    spoilt = replaced(
        project.window, label, pc.if_else(pc.equal(project.window[column], group), flipped, old)
    )
    judgement = project.judge(spoilt)
    assert {"label_rate_gap", "drift"} <= failed(judgement)
    assert failed(judgement) <= {"label_rate_gap", "drift"}
    gap = next(verdict for verdict in judgement.refusing if verdict.check == "label_rate_gap")
    assert column in {problem.target for problem in gap.problems}


@pytest.mark.parametrize(
    ("name", "where", "column", "refusing"),
    [
        ("census", ("race", "Black"), "age", {"drift"}),
        # Amounts are round, and shifted ones are not: each value tells the group then.
        ("defaults", ("SEX", 1), "LIMIT_BAL", {"drift", "proxies"}),
    ],
    ids=["census", "defaults"],
)
def test_a_shifted_subgroup_is_drift_inside_that_group(request, name, where, column, refusing):
    project, (group_column, group) = request.getfixturevalue(name), where
    old = project.window[column]
    spread = float(pc.stddev(old).as_py())
    moved = pc.cast(pc.add(pc.cast(old, pa.float64()), math.floor(0.5 * spread)), old.type)
    spoilt = replaced(
        project.window, column, pc.if_else(pc.equal(project.window[group_column], group), moved, old)
    )
    judgement = project.judge(spoilt)
    assert failed(judgement) == refusing
    assert any(
        f"{group_column}={group}" in problem.target and column in problem.target
        for verdict in judgement.refusing
        for problem in verdict.problems
        if verdict.check == "drift"
    )


def test_duplicated_rows_are_a_matter_of_uniqueness(project):
    again = project.window.slice(0, len(project.window) // 20)
    judgement = project.judge(pa.concat_tables([project.window, again]))
    assert failed(judgement) == {"uniqueness"}
    assert judgement.refusing[0].problems[0].observed == pytest.approx(1 / 21, abs=0.005)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("census", "hours_per_week", "hours_pr_week"),
        ("census", "income", "Income"),
        ("census", "sex", "gender"),
        ("defaults", "LIMIT_BAL", "limit_balance"),
        ("defaults", "SEX", "GENDER"),
    ],
)
def test_a_renamed_column_is_a_matter_of_the_schema_and_both_names_are_said(request, name, old, new):
    project = request.getfixturevalue(name)
    names = [new if column == old else column for column in project.window.column_names]
    judgement = project.judge(project.window.rename_columns(names))
    assert failed(judgement) == {"schema"}
    first, *_ = refusal_message(judgement).splitlines()[1:]
    assert f"found '{new}', expected '{old}'" in first


def test_a_column_read_as_text_is_a_matter_of_the_schema(project):
    column = "age" if "age" in project.window.column_names else "AGE"
    judgement = project.judge(replaced(project.window, column, pc.cast(project.window[column], pa.string())))
    assert judgement.refusing[0].check == "schema"


def test_half_a_delivery_is_a_matter_of_completeness(project):
    judgement = project.judge(project.window.slice(0, len(project.window) * 2 // 5))
    assert "completeness" in failed(judgement)


def test_a_value_that_nobody_declared_is_a_matter_of_validity(census):
    odd = pc.if_else(pa.array(np.arange(len(census.window)) % 1_000 == 0), "unknwon", census.window["sex"])
    assert judged_first(census.judge(replaced(census.window, "sex", odd))) == "validity"


def judged_first(judgement):
    return next(verdict.check for verdict in judgement.refusing if verdict.check != "representation")


def test_the_message_never_quotes_a_value_of_an_undeclared_column(census):
    names = pa.array([f"Ada Lovelace {number}" for number in range(len(census.window))])
    judgement = census.judge(census.window.append_column("customer", names))
    assert failed(judgement) == {"schema"}
    assert "Ada" not in repr(judgement)
