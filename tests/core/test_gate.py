"""The gate opens only if every required check answered and none that gates refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_pipelines.core.errors import AimsError, GateRefused
from aims_pipelines.core.gate import Judgement, describe, refusal_message, require
from aims_pipelines.core.verdict import Finding, NotApplicable, Severity, Status, Verdict


def verdict(check: str, status: Status, severity: Severity = Severity.ERROR, **changes: object) -> Verdict:
    values: dict[str, object] = {"target": "sex", "measure": "gap", "status": status, "reason": "as measured"}
    found = Finding(**{**values, **changes})  # type: ignore[arg-type]
    return Verdict(check=check, version="1", findings=(found,), severity=severity)


def judgement(
    *verdicts: Verdict, required: tuple[str, ...] = (), **changes: tuple[NotApplicable, ...]
) -> Judgement:
    return Judgement(subject="applications", required=required, verdicts=verdicts, **changes)


PASS, FAIL, OPEN = Status.PASS, Status.FAIL, Status.INCONCLUSIVE


def test_it_opens_when_all_pass() -> None:
    require(judgement(verdict("a", PASS), verdict("b", PASS), required=("a", "b")))


@pytest.mark.parametrize(
    ("judged", "status", "says"),
    [
        (judgement(), OPEN, "no check judged it"),
        (judgement(verdict("a", FAIL)), FAIL, "1 of 1 gating checks"),
        (judgement(verdict("a", OPEN)), OPEN, "1 of 1"),
        (judgement(verdict("a", PASS), verdict("b", OPEN)), OPEN, "1 of 2"),
        (judgement(verdict("a", OPEN), verdict("b", FAIL)), FAIL, "2 of 2"),
        (
            judgement(verdict("a", PASS), required=("a", "b")),
            OPEN,
            "b: inconclusive (the check gave no answer)",
        ),
        (judgement(required=("a",)), OPEN, "a: inconclusive"),
        (judgement(Verdict(check="a", version="1", findings=())), OPEN, "it measured nothing"),
        (judgement(verdict("a", PASS, Severity.WARN)), OPEN, "no check judged it"),
        (judgement(verdict("a", FAIL, Severity.WARN), required=("a", "b")), OPEN, "b: inconclusive"),
    ],
    ids=str,
)
def test_it_stays_shut_and_says_why(judged: Judgement, status: Status, says: str) -> None:
    assert judged.status is status
    with pytest.raises(GateRefused) as caught:
        require(judged)
    assert says in str(caught.value)
    assert "applications" in str(caught.value)


def test_a_warning_beside_a_pass_does_not_shut_it() -> None:
    require(judgement(verdict("a", PASS), verdict("b", FAIL, Severity.WARN), required=("a", "b")))


def test_a_check_ruled_out_is_not_missing_but_alone_opens_nothing() -> None:
    ruled_out = (NotApplicable(check="b", version="1", reason="the record declares no label"),)
    require(judgement(verdict("a", PASS), required=("a", "b"), not_applicable=ruled_out))
    with pytest.raises(GateRefused):
        require(judgement(required=("b",), not_applicable=ruled_out))


verdicts = st.builds(verdict, st.sampled_from("abc"), st.sampled_from(Status), st.sampled_from(Severity))


@given(st.lists(verdicts, max_size=4), st.lists(st.sampled_from("abcd"), max_size=3))
def test_it_opens_exactly_when_something_gates_and_nothing_refuses(
    given_: list[Verdict], required: list[str]
) -> None:
    judged = judgement(*given_, required=tuple(required))
    gating = [each for each in given_ if each.severity is Severity.ERROR]
    answered = {each.check for each in given_}
    expected = bool(gating) and all(each.status is PASS for each in gating) and answered >= set(required)
    assert (judged.status is PASS) == expected
    try:
        require(judged)
    except GateRefused:
        assert not expected
    else:
        assert expected


def test_a_refusal_gets_a_tired_engineer_unstuck() -> None:
    shut = verdict(
        "label_rate_gap",
        FAIL,
        observed=0.2,
        limit=0.1,
        interval=(0.17, 0.23),
        unit="fraction",
        n=2000,
        reason="a 0.500 against b 0.300",
        remedy="Look at how labels were given.",
    )
    message = refusal_message(
        judgement(verdict("schema", PASS), shut),
        consequence="Not written; version 41 stays current.",
        remedy="Correct it.",
    )
    assert message.splitlines() == [
        "Refused 'applications': 1 of 2 gating checks did not pass.",
        "  label_rate_gap[sex]: fail (observed 0.2, interval 0.17 to 0.23, limit 0.1 fraction, n=2000; "
        "a 0.500 against b 0.300)",
        "Not written; version 41 stays current.",
        "Next: Look at how labels were given.",
        "Then: Correct it.",
    ]


def test_failures_come_first_and_remedies_once() -> None:
    judged = judgement(
        verdict("a", OPEN, remedy="Bring more rows."),
        verdict("b", FAIL, remedy="Bring more rows."),
        verdict("c", PASS),
    )
    lines = refusal_message(judged).splitlines()
    assert [line.strip()[0] for line in lines[1:3]] == ["b", "a"]
    assert lines[3:] == ["Next: Bring more rows."]


def test_many_findings_are_counted_not_listed() -> None:
    findings = tuple(
        Finding(target=f"column_{number}", measure="m", status=FAIL, reason="r") for number in range(100)
    )
    message = refusal_message(judgement(Verdict(check="a", version="1", findings=findings)))
    assert "… and 94 more" in message
    assert len(message.splitlines()) == 8


def test_a_finding_about_the_whole_table_has_no_brackets() -> None:
    found = Finding(target="", measure="rows", status=OPEN, reason="too few rows", n=3, rows_needed=50)
    assert describe("uniqueness", found) == "uniqueness: inconclusive (n=3, rows needed 50; too few rows)"


def test_a_refusal_ends_a_command_with_1() -> None:
    assert issubclass(GateRefused, AimsError)
    assert (GateRefused.exit_code, AimsError.exit_code) == (1, 2)
