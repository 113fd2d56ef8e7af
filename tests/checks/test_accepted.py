import json
from datetime import date

import pytest

from aims_pipelines.checks.accepted import apply, note
from aims_pipelines.core.verdict import Finding, NotApplicable, Status, Verdict
from aims_pipelines.records.parts import Accepted

TODAY = date(2026, 3, 1)


def entry(**changes):
    fields = {
        "check": "label_rate_gap",
        "target": "sex",
        "measure": "gap",
        "observed": 0.19,
        "tolerance": 0.02,
        "reason": "known since 1994",
        "review_by": "2026-06-30",
        **changes,
    }
    return Accepted.model_validate_json(json.dumps(fields))


def verdict(*, status=Status.FAIL, observed=0.2, target="sex", measure="gap", check="label_rate_gap"):
    finding = Finding(
        target=target, measure=measure, status=status, reason="too wide", observed=observed, remedy="mend"
    )
    return Verdict(check=check, version="1", findings=(finding,))


@pytest.mark.parametrize("status", [Status.FAIL, Status.INCONCLUSIVE])
def test_a_shortfall_as_bad_as_accepted_passes_and_says_until_when_and_why(status):
    (finding,) = apply(verdict(status=status), [entry()], today=TODAY).findings
    assert finding.status is Status.PASS
    assert "2026-06-30" in finding.reason
    assert "known since 1994" in finding.reason
    assert f"otherwise {status}: too wide" in finding.reason


def test_a_shortfall_worse_than_accepted_refuses_and_says_so():
    (finding,) = apply(verdict(observed=0.2101), [entry()], today=TODAY).findings
    assert finding.status is Status.FAIL
    assert "worse than the 0.19 (tolerance 0.02)" in finding.reason
    assert finding.remedy == "mend"


def test_the_tolerance_is_inclusive():
    assert (
        apply(verdict(observed=0.75), [entry(observed=0.5, tolerance=0.25)], today=TODAY).status
        is Status.PASS
    )


@pytest.mark.parametrize("today", [date(2026, 6, 30), date(2027, 1, 1)])
def test_an_expired_acceptance_refuses_and_says_so(today):
    (finding,) = apply(verdict(), [entry()], today=today).findings
    assert finding.status is Status.FAIL
    assert "accepted by the record until 2026-06-30, which has passed" in finding.reason
    assert "review the accepted shortfall" in finding.remedy


def test_of_two_acceptances_the_one_in_time_holds():
    entries = [entry(review_by="2026-01-01"), entry(review_by="2026-12-31")]
    assert apply(verdict(), entries, today=TODAY).status is Status.PASS


@pytest.mark.parametrize(
    ("rows", "status"), [(40, Status.PASS), (45, Status.PASS), (38, Status.PASS), (37, Status.FAIL)]
)
def test_where_more_is_better_fewer_is_worse(rows, status):
    small = verdict(observed=rows, target="race=Other", measure="group rows", check="representation")
    accepted = entry(
        check="representation", target="race=Other", measure="group rows", observed=40, tolerance=2
    )
    assert apply(small, [accepted], today=TODAY).status is status


@pytest.mark.parametrize("changes", [{"target": "race"}, {"target": ""}, {"check": "drift"}])
def test_an_acceptance_of_something_else_changes_no_answer(changes):
    assert apply(verdict(), [entry(**changes)], today=TODAY).status is Status.FAIL


def test_an_acceptance_covers_no_other_measure_of_the_same_target_however_small_its_figure():
    name = entry(
        check="personal_data",
        target="contact",
        measure="distinct fraction under a telling name",
        observed=1.0,
    )
    addresses = verdict(check="personal_data", target="contact", measure="identifying fraction", observed=0.9)
    answer = apply(addresses, [name], today=TODAY)
    assert answer.status is Status.FAIL
    assert "accepts distinct fraction under a telling name here, not identifying fraction" in (
        answer.findings[0].reason
    )
    assert "not needed this time" in answer.findings[1].reason


@pytest.mark.parametrize("observed", [None, float("nan")])
def test_what_was_not_measured_cannot_be_accepted(observed):
    assert apply(verdict(status=Status.INCONCLUSIVE, observed=observed), [entry()], today=TODAY).status is (
        Status.INCONCLUSIVE
    )


def test_an_acceptance_that_nothing_needs_is_reported():
    answer = apply(verdict(status=Status.PASS, observed=0.01), [entry()], today=TODAY)
    assert answer.status is Status.PASS
    assert [item.measure for item in answer.findings] == ["gap", "accepted shortfall"]
    assert "not needed this time" in answer.findings[1].reason


def test_an_acceptance_does_not_make_a_verdict_that_measured_nothing_pass():
    nothing = Verdict(check="label_rate_gap", version="1", findings=())
    assert apply(nothing, [entry()], today=TODAY).status is Status.INCONCLUSIVE


def test_an_acceptance_for_a_check_that_does_not_apply_is_mentioned():
    answer = NotApplicable(check="label_rate_gap", version="1", reason="no label")
    assert "has no effect" in note(answer, [entry()]).reason
    assert note(answer, [entry(check="drift")]) == answer
