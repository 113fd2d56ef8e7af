"""The one road on which checks answer: what they raise, what the record accepts, what the policy only warns about."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Protocol, TypeVar

from aims_pipelines.core.errors import AimsError, RowsNotKept, raised_at
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import Finding, NotApplicable, Severity, Status, Verdict

if TYPE_CHECKING:
    from aims_pipelines.records.parts import Accepted

_Candidate_contra = TypeVar("_Candidate_contra", contravariant=True)


class Check(Protocol[_Candidate_contra]):
    """A check of some kind of candidate."""

    @property
    def name(self) -> str:
        """Fixed name."""
        ...

    @property
    def version(self) -> str:
        """Version of the method."""
        ...

    def judge(self, candidate: _Candidate_contra) -> Verdict | NotApplicable:
        """Answer for the candidate at severity ``error``; may raise."""
        ...


def judge_all(
    checks: Sequence[Check[_Candidate_contra]],
    candidate: _Candidate_contra,
    *,
    subject: str,
    accepted: "Sequence[Accepted]",
    stages: Mapping[str, str],
    today: date,
) -> Judgement:
    """Let every check answer for a candidate.

    A check that raises gives an inconclusive verdict that names the exception's type and place, never its
    text, which may hold values. Accepted shortfalls are applied, then the policy's stages.

    Args:
        checks: All of them are required.
        candidate: What they judge.
        subject: Name of the candidate in the judgement.
        accepted: Shortfalls that the record accepts.
        stages: Stage of enforcement per check name; a check that is not named blocks.
        today: Day on which acceptances must still hold.

    Raises:
        RowsNotKept: A check needs rows of a candidate of the past that are not there; never for a present one.
    """
    from aims_pipelines.checks import accepted as acceptance

    verdicts: list[Verdict] = []
    not_applicable: list[NotApplicable] = []
    for check in checks:
        answer = _answer(check, candidate)
        if isinstance(answer, NotApplicable):
            not_applicable.append(acceptance.note(answer, accepted))
        else:
            answer = acceptance.apply(answer, accepted, today=today)
            verdicts.append(staged(answer, stages))
    return Judgement(
        subject=subject,
        required=tuple(check.name for check in checks),
        verdicts=tuple(verdicts),
        not_applicable=tuple(not_applicable),
    )


def _answer(check: Check[_Candidate_contra], candidate: _Candidate_contra) -> Verdict | NotApplicable:
    try:
        return check.judge(candidate)
    except RowsNotKept:
        raise  # what that means is for the one to say who asks about the past
    except Exception as error:  # noqa: BLE001 - a crashed check must refuse, whatever it raised
        return Verdict(check=check.name, version=check.version, findings=(_crashed(error),))


def staged(verdict: Verdict, stages: Mapping[str, str]) -> Verdict:
    """Give a verdict the severity that the policy's stage for its check asks for."""
    if stages.get(verdict.check) != "warn":
        return verdict
    return Verdict(
        check=verdict.check, version=verdict.version, findings=verdict.findings, severity=Severity.WARN
    )


def _crashed(error: Exception) -> Finding:
    if isinstance(error, AimsError):  # our own messages hold no values
        reason = f"the check could not run: {error}"
    else:
        reason = f"the check raised {type(error).__name__}{raised_at(error)}"
    return Finding(
        target="",
        measure="answer",
        status=Status.INCONCLUSIVE,
        reason=reason,
        remedy="Correct what the reason names; if it names nothing, report it with this place.",
    )
