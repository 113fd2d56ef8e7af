import subprocess
import sys
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aims_pipelines.checks.catalogue import DATASET_CHECKS, judge_dataset
from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.core.gate import require
from aims_pipelines.core.verdict import NotApplicable, Severity, Status
from aims_pipelines.records.policy_record import DATASET_CHECK_NAMES, Stage

TABLE = pa.table(
    {
        "amount": [float(number) for number in range(400)],
        "sex": ["f", "m"] * 200,
        "granted": ["yes", "no", "no", "yes"] * 100,
    }
)
RECORD = {
    "protected": [{"column": "sex"}],
    "label": {"column": "granted", "positive": "yes"},
    "disjoint_from": ["holdout"],
}


def answers(judgement):
    return {item.check: item for item in (*judgement.verdicts, *judgement.not_applicable)}


def test_the_names_are_those_that_records_may_refer_to():
    assert tuple(check.name for check in DATASET_CHECKS) == DATASET_CHECK_NAMES
    assert all(check.description.endswith("?") and check.version for check in DATASET_CHECKS)


def test_importing_the_catalogue_loads_nothing_heavy():
    program = (
        "import sys, aims_pipelines.checks.catalogue\n"
        "heavy = {'numpy', 'pyarrow', 'pandas', 'scipy', 'pydantic', 'great_expectations', 'evidently', 'dagster'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_judging_without_suites_loads_neither_great_expectations_nor_evidently():
    program = (
        "import sys\nfrom aims_pipelines.checks.catalogue import DATASET_CHECKS\nfrom importlib import import_module\n"
        "[import_module(f'aims_pipelines.checks.{check.name}') for check in DATASET_CHECKS]\n"
        "print(sorted({'great_expectations', 'evidently', 'pandas', 'dagster', 'mlflow'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_every_check_answers(build):
    judgement = judge_dataset(
        build(TABLE, record=RECORD, reference=TABLE, others={"holdout": TABLE.slice(0, 0)})
    )
    assert set(answers(judgement)) == set(DATASET_CHECK_NAMES)
    assert judgement.missing == ()


def test_a_check_that_raises_is_inconclusive_and_says_what_and_where_but_no_values(build):
    def broken():
        raise ValueError("Ada Lovelace, ada@example.org")

    texts = pa.table({"note": [f"note {number}" for number in range(6_000)]})
    judgement = judge_dataset(replace(build(texts), batches=broken))
    (finding,) = answers(judgement)["completeness"].findings
    assert finding.status is Status.INCONCLUSIVE
    assert "ValueError at aims_pipelines/checks/" in finding.reason
    assert "Ada" not in repr(judgement)
    assert judgement.status is Status.INCONCLUSIVE


def test_our_own_errors_are_told_in_full(build):
    def broken():
        raise BadInput(Fault(where="rows", expected="a file", found="none", remedy="Restore it."))

    texts = pa.table({"note": [f"note {number}" for number in range(6_000)]})
    judgement = judge_dataset(replace(build(texts), batches=broken))
    (finding,) = answers(judgement)["completeness"].findings
    assert "rows: expected a file, found none. Restore it." in finding.reason


def test_a_check_that_policy_only_warns_about_shows_but_does_not_shut_the_gate(build):
    table = pa.table({"amount": [float(number) for number in range(200)], "note": [None, "x"] * 100})
    blocked = judge_dataset(build(table))
    assert [item.check for item in blocked.refusing] == ["completeness"]
    warned = judge_dataset(build(table, stages={"completeness": Stage.WARN}))
    assert answers(warned)["completeness"].severity is Severity.WARN
    assert answers(warned)["completeness"].status is Status.FAIL
    require(warned)


def test_an_accepted_shortfall_opens_the_gate_and_shows(build):
    table = pa.table({"amount": [float(number) for number in range(200)], "note": [None, "x"] * 100})
    accepted = {
        "check": "completeness",
        "target": "note",
        "measure": "missing fraction",
        "observed": 0.5,
        "reason": "free text, rarely given",
        "review_by": "2026-12-31",
    }
    judgement = judge_dataset(build(table, record={"accepted": [accepted]}))
    require(judgement)
    assert "free text, rarely given" in repr(answers(judgement)["completeness"])


def test_limits_that_are_not_numbers_never_pass(build):
    nan = float("nan")
    candidate = build(TABLE, record=RECORD, reference=TABLE, others={"holdout": TABLE.slice(0, 10)})
    names = ["max_row_loss", "max_duplicate_rows", "max_outliers", "min_group_share", "max_label_rate_gap"]
    names += ["max_proxy_strength", "drift_effect", "min_rows", "min_group_size"]
    spoilt = candidate.limits.model_copy(update=dict.fromkeys(names, nan))
    found = answers(judge_dataset(replace(candidate, limits=spoilt, current_rows=candidate.reference.rows)))
    for name in (
        "completeness",
        "uniqueness",
        "outliers",
        "representation",
        "label_rate_gap",
        "proxies",
        "drift",
        "leakage",
    ):
        assert found[name].status is not Status.PASS, name


VALUES = {
    pa.int64(): st.integers(-(2**62), 2**62),
    pa.float64(): st.floats(width=64),
    pa.string(): st.text(max_size=5),
    pa.bool_(): st.booleans(),
    pa.timestamp("us"): st.integers(-(10**15), 10**16),
    pa.null(): st.none(),
}


@st.composite
def tables(draw, rows):
    number = draw(rows)
    columns = {}
    for place in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(list(VALUES)))
        cell = st.none() | VALUES[kind] if kind != pa.null() else st.none()
        cells = draw(st.lists(cell, min_size=number, max_size=number))
        columns[f"c{place}"] = pa.array(cells, kind)
    return pa.table(columns)


def record_about(table, draw_from):
    names = table.column_names
    return {
        "protected": [{"column": names[0]}],
        "label": {"column": names[-1], "positive": draw_from},
        "time": names[len(names) // 2],
        "disjoint_from": ["holdout"],
        "extra_columns": "allow",
    }


MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(table=tables(st.just(0)), positive=st.sampled_from(["yes", 1, True]), same=st.booleans())
def test_no_check_passes_on_an_empty_table(build, table, positive, same):
    earlier = table if same else None
    record = record_about(table, positive)
    judgement = judge_dataset(
        build(
            table,
            record=record,
            reference=earlier,
            current_rows=table.num_rows if same else None,
            others={"holdout": table},
        )
    )
    assert judgement.verdicts
    assert not [verdict.check for verdict in judgement.verdicts if verdict.status is Status.PASS]


@MANY
@given(
    table=tables(st.integers(1, 12)),
    positive=st.sampled_from(["yes", 1, True]),
    against=tables(st.integers(0, 12)),
)
def test_nothing_raises_and_a_handful_of_rows_is_never_published(build, table, positive, against):
    record = record_about(table, positive)
    candidate = build(table, record=record, current_rows=table.num_rows, others={"holdout": table})
    judgement = judge_dataset(replace(candidate, reference=build(against).profile))
    found = answers(judgement)
    assert set(found) == set(DATASET_CHECK_NAMES)
    raised = [
        item.reason
        for answer in found.values()
        if not isinstance(answer, NotApplicable)
        for item in answer.findings
        if " raised " in item.reason
    ]
    assert raised == []
    assert judgement.status is not Status.PASS


@pytest.mark.parametrize("kind", [pa.float64(), pa.string(), pa.null(), pa.timestamp("us")], ids=str)
def test_nothing_about_its_values_passes_on_a_table_without_values(build, kind):
    table = pa.table({"a": pa.nulls(500, kind), "sex": pa.nulls(500, kind)})
    judgement = judge_dataset(
        build(table, record={"protected": [{"column": "sex"}], "time": "a"}, reference=table)
    )
    passed = {verdict.check for verdict in judgement.verdicts if verdict.status is Status.PASS}
    assert passed <= {"provenance", "schema"}
    assert judgement.status is not Status.PASS
