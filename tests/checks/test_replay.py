"""Checks asked again without their rows: what they say, what they leave open, and what their answers rest on."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines.checks.catalogue import DATASET_CHECKS, judge_dataset
from aims_pipelines.checks.replay import Recorded, ask, ask_all, nothing_asked, side
from aims_pipelines.core.errors import RowsNotKept
from aims_pipelines.core.replay import Basis, Outcome
from aims_pipelines.core.verdict import Finding, NotApplicable, Severity, Status, Verdict
from aims_pipelines.records.policy_record import Limits, Stage

ROWS = 4500
CHECKS = {check.name: check for check in DATASET_CHECKS}


def gone():
    raise RowsNotKept("they were deleted")


def wordy(*, blank=0, late=False):
    """A table of which hardly any question about rows can be answered from a profile."""
    draw = np.random.default_rng(1)
    day = datetime(2126 if late else 2026, 2, 27, tzinfo=UTC)
    return pa.table(
        {
            "key": [f"k{n}" for n in range(ROWS)],
            "text": [f"  {n}"[:2] if n < blank else f"word {n}" for n in range(ROWS)],
            "size": draw.uniform(0, 1, ROWS),
            "whole": np.arange(ROWS) * 1.0,
            "when": pa.array([day] * ROWS, pa.timestamp("us", tz="UTC")),
            "sex": draw.choice(["f", "m"], ROWS),
            "granted": draw.choice(["yes", "no"], ROWS),
        }
    )


RECORD = {
    "columns": {
        "key": {"unique": True},
        "text": {"pattern": "word [0-9]+"},
        "size": {"max": 0.5, "max_invalid": 1.0},
        "whole": {"type": "integer"},
    },
    "time": "when",
    "protected": [{"column": "sex"}],
    "label": {"column": "granted", "positive": "yes"},
}
LIMITS = {"max_age_days": 30, "max_outliers": 1.0}


@pytest.fixture
def candidate(build):
    return build(wordy(), record=RECORD, limits=LIMITS, reference=wordy(), current_rows=wordy().num_rows)


def test_with_its_rows_a_check_answers_as_it_does_to_the_gate(candidate):
    judgement = judge_dataset(candidate)
    answers = {item.check: item for item in (*judgement.verdicts, *judgement.not_applicable)}
    for name, asked in ask_all(DATASET_CHECKS, candidate).items():
        assert asked.answer == answers[name]
        assert asked.lacking == ""


def test_without_its_rows_a_check_answers_for_the_columns_that_it_can_judge(candidate):
    for name, asked in ask_all(DATASET_CHECKS, replace(candidate, batches=gone)).items():
        whole = ask(CHECKS[name], candidate)
        if not asked.lacking:
            assert asked.answer == whole.answer
        elif isinstance(asked.answer, Verdict):
            kept = {(finding.target, finding.measure) for finding in asked.answer.findings}
            assert kept <= {(finding.target, finding.measure) for finding in whole.answer.findings}


@pytest.mark.parametrize(
    ("check", "columns"),
    [
        ("completeness", ["key", "text"]),
        ("validity", ["text", "size"]),
        ("schema", ["whole"]),
        ("personal_data", ["key", "text"]),
    ],
)
def test_the_columns_that_are_left_open_are_named(candidate, check, columns):
    asked = ask(CHECKS[check], replace(candidate, batches=gone))
    assert asked.lacking.endswith(": they were deleted")
    assert {name for name in candidate.profile.columns if f"'{name}'" in asked.lacking} == set(columns)
    assert columns[0] not in {finding.target for finding in asked.answer.findings}


def test_a_column_that_the_whole_check_hangs_on_leaves_the_check_open(build):
    late = build(wordy(late=True), record=RECORD, limits=LIMITS)
    assert ask(CHECKS["freshness"], late).answer.status is Status.FAIL
    asked = ask(CHECKS["freshness"], replace(late, batches=gone))
    assert (asked.answer, asked.lacking) == (None, "needs the rows: they were deleted")


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_reads_the_same_limits_with_and_without_its_rows(candidate, check):
    """On this rests that a change of other limits leaves the answer of then as it is."""
    assert ask(CHECKS[check], candidate).limits == ask(CHECKS[check], replace(candidate, batches=gone)).limits


def test_the_limits_that_a_check_reads_are_noted(candidate):
    asked = ask_all(DATASET_CHECKS, candidate)
    assert asked["completeness"].limits == {"min_rows", "max_row_loss"}
    assert asked["freshness"].limits == {"max_age_days"}
    assert asked["schema"].limits == frozenset()
    assert {"drift_effect", "drift_alpha"} <= asked["drift"].limits


@pytest.mark.parametrize("name", sorted(Limits.model_fields))
def test_answers_that_are_taken_over_are_those_that_would_be_given(candidate, name):
    """For every limit: what is not asked again after it changed would have been answered the same."""
    other = {"min_rows": 5000, "drift_inconclusive": "accept", "drift_reference": "previous"}
    changed = {
        "outlier_action": "clip",
        "max_age_days": 1.0,
        "min_group_size": 4000,
        "min_group_share": 0.6,
        "max_suite_rows": 5000,
        **other,
    }.get(name, 0.001)
    after = Limits.model_validate_json(candidate.limits.model_dump_json()).model_copy(
        update={name: Limits.model_validate({name: changed}, strict=False).__dict__[name]}
    )
    assert getattr(after, name) != getattr(candidate.limits, name)
    known = ask_all(DATASET_CHECKS, candidate)
    moved = replace(candidate, limits=after)
    taken_over = ask_all(DATASET_CHECKS, moved, known=known, changed=frozenset({name}))
    for check, asked in ask_all(DATASET_CHECKS, moved).items():
        assert taken_over[check].answer == asked.answer


def test_a_check_that_only_lacks_hashes_of_rows_is_left_open_and_others_are_not(build):
    table = wordy()
    candidate = build(table, record={**RECORD, "disjoint_from": ["other"]}, others={"other": table.slice(9)})
    bare = replace(
        candidate,
        profile=replace(candidate.profile, row_sketch=None, key_sketches={}),
        others={"other": replace(candidate.others["other"], row_sketch=None)},
    )
    asked = ask_all(DATASET_CHECKS, bare)
    open_ones = {name for name, item in asked.items() if "hashes" in item.lacking}
    assert open_ones == {"uniqueness", "leakage"}
    failing = replace(bare, limits=Limits(min_rows=ROWS + 1))
    assert ask(CHECKS["completeness"], failing).lacking == ""


class TestSides:
    """Answers under the stages of a policy."""

    FAILED = Recorded(
        answer=Verdict(
            check="validity",
            version="1",
            findings=(Finding(target="a", measure="m", status=Status.FAIL, reason="r"),),
            severity=Severity.WARN,
        ),
        status=Status.FAIL,
    )

    def test_an_answer_of_then_is_staged_anew(self):
        asked = nothing_asked([CHECKS["validity"]], "gone")
        for stages, outcome in (({}, Outcome.FAIL), ({"validity": Stage.WARN}, Outcome.INCONCLUSIVE)):
            found = side(asked, recorded={"validity": self.FAILED}, stages=stages, holds=lambda _: True)
            assert found.outcome is outcome  # nothing else gates here, and nothing passes by default
            (answer,) = found.answers
            assert (answer.basis, answer.note) == (Basis.RECORDED, "gone")

    def test_an_answer_that_no_longer_holds_or_was_never_given_is_unknown(self):
        asked = nothing_asked([CHECKS["validity"]], "gone")
        for recorded, holds in (({"validity": self.FAILED}, False), ({}, True)):
            found = side(asked, recorded=recorded, stages={}, holds=lambda _, holds=holds: holds)
            assert found.outcome is Outcome.UNKNOWN
        warned = side(asked, recorded={}, stages={"validity": Stage.WARN}, holds=lambda _: True)
        assert warned.answers[0].gates is False

    def test_a_part_that_was_replayed_and_fails_is_enough(self, candidate):
        fewer = replace(candidate, batches=gone, limits=Limits(min_rows=ROWS + 1))
        asked = ask_all([CHECKS["completeness"]], fewer)
        (answer,) = side(asked, recorded={}, stages={}, holds=lambda _: False).answers
        assert (answer.basis, answer.status) == (Basis.REPLAYED, Status.FAIL)
        assert "'text'" in answer.note

    def test_a_part_that_was_replayed_and_passes_is_not(self, candidate):
        asked = ask_all([CHECKS["completeness"]], replace(candidate, batches=gone))
        assert asked["completeness"].answer.status is Status.PASS
        (answer,) = side(asked, recorded={}, stages={}, holds=lambda _: True).answers
        assert (answer.basis, answer.status) == (Basis.UNKNOWN, None)

    def test_what_the_record_ruled_out_then_stays_ruled_out(self):
        asked = nothing_asked([CHECKS["leakage"]], "gone")
        ruled_out = Recorded(
            answer=NotApplicable(check="leakage", version="1", reason="nothing named"), status=None
        )
        (answer,) = side(asked, recorded={"leakage": ruled_out}, stages={}, holds=lambda _: True).answers
        assert not answer.applies
        assert not answer.gates

    def test_only_the_first_findings_are_kept_and_the_others_counted(self, build):
        names = [f"c{n}" for n in range(20)]
        table = pa.table({name: [1.0] * 200 for name in names})
        strict = build(
            table, record={"columns": {name: {"max": 0} for name in names}}, limits={"min_rows": 1}
        )
        (answer,) = side(
            ask_all([CHECKS["validity"]], strict), recorded={}, stages={}, holds=lambda _: True
        ).answers
        assert (len(answer.problems), answer.more) == (6, 14)
