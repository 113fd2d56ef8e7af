"""Nothing passes by default: a verdict passes only when every finding in it is shown to pass."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_pipelines.core.verdict import Finding, Severity, Status, Verdict, worst


def finding(status: Status, target: str = "income", **changes: object) -> Finding:
    values: dict[str, object] = {
        "target": target,
        "measure": "missing fraction",
        "status": status,
        "reason": "because",
    }
    return Finding(**{**values, **changes})  # type: ignore[arg-type]


def verdict(*statuses: Status, severity: Severity = Severity.ERROR) -> Verdict:
    return Verdict(
        check="completeness",
        version="1",
        findings=tuple(finding(each) for each in statuses),
        severity=severity,
    )


def test_a_verdict_without_findings_is_inconclusive_and_keeps_the_gate_shut() -> None:
    assert verdict().status is Status.INCONCLUSIVE
    assert not verdict().opens


def test_no_answers_at_all_are_inconclusive() -> None:
    assert worst([]) is Status.INCONCLUSIVE


@pytest.mark.parametrize("statuses", list(itertools.product(Status, repeat=3)), ids=str)
def test_the_worst_finding_decides(statuses: tuple[Status, ...]) -> None:
    expected = (
        Status.FAIL
        if Status.FAIL in statuses
        else Status.INCONCLUSIVE
        if Status.INCONCLUSIVE in statuses
        else Status.PASS
    )
    assert verdict(*statuses).status is expected
    assert worst(iter(statuses)) is expected


@given(st.lists(st.sampled_from(Status)))
def test_another_finding_never_turns_a_refusal_into_a_pass(statuses: list[Status]) -> None:
    if statuses and worst(statuses) is not Status.PASS:
        for more in Status:
            assert worst([*statuses, more]) is not Status.PASS


@pytest.mark.parametrize("field", ["observed", "limit"])
def test_a_finding_cannot_pass_on_nan(field: str) -> None:
    with pytest.raises(ValueError, match="cannot pass on NaN"):
        finding(Status.PASS, **{field: math.nan})
    assert finding(Status.INCONCLUSIVE, **{field: math.nan}).status is Status.INCONCLUSIVE
    assert finding(Status.FAIL, **{field: math.nan}).status is Status.FAIL


@pytest.mark.parametrize("status", Status)
def test_a_warning_opens_and_still_says_what_it_found(status: Status) -> None:
    warned = verdict(status, severity=Severity.WARN)
    assert warned.opens
    assert warned.status is status


@pytest.mark.parametrize(
    ("status", "opens"), [(Status.PASS, True), (Status.FAIL, False), (Status.INCONCLUSIVE, False)]
)
def test_only_a_pass_opens_a_gating_verdict(status: Status, opens: bool) -> None:
    assert verdict(status).opens is opens


def test_problems_are_what_did_not_pass_with_failures_first_in_their_order() -> None:
    found = Verdict(
        check="c",
        version="1",
        findings=(
            finding(Status.INCONCLUSIVE, "a"),
            finding(Status.PASS, "b"),
            finding(Status.FAIL, "c"),
            finding(Status.INCONCLUSIVE, "d"),
            finding(Status.FAIL, "e"),
        ),
    )
    assert [each.target for each in found.problems] == ["c", "e", "a", "d"]


def test_a_text_is_not_a_status() -> None:
    assert str(Status.PASS) == "pass"
    with pytest.raises(ValueError, match="passed"):
        Status("passed")
