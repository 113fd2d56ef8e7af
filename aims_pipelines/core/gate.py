"""The gate: asks for verdicts, and opens only if every required one is there and lets it.

Pure: what a refusal does to files, registries and runs is the caller's business.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aims_pipelines.core.errors import GateRefused
from aims_pipelines.core.verdict import Finding, NotApplicable, Severity, Status, Verdict

_MOST_FINDINGS_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All answers about one candidate.

    Args:
        subject: Name of the asset or model judged.
        required: Names of the checks that must have answered.
        verdicts: Their answers.
        not_applicable: Checks that the record rules out, with reasons.
    """

    subject: str
    required: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    not_applicable: tuple[NotApplicable, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Required checks that gave no answer at all."""
        answered = {verdict.check for verdict in self.verdicts} | {item.check for item in self.not_applicable}
        return tuple(name for name in self.required if name not in answered)

    @property
    def refusing(self) -> tuple[Verdict, ...]:
        """Verdicts that keep the gate shut, failures first."""
        return tuple(
            sorted(
                (verdict for verdict in self.verdicts if not verdict.opens),
                key=lambda verdict: verdict.status is not Status.FAIL,
            )
        )

    @property
    def status(self) -> Status:
        """Pass only if the gate opens; fail if any gating check failed; inconclusive otherwise."""
        gating = [verdict.status for verdict in self.verdicts if verdict.severity is Severity.ERROR]
        if Status.FAIL in gating:
            return Status.FAIL
        if not gating or self.missing or any(status is not Status.PASS for status in gating):
            return Status.INCONCLUSIVE
        return Status.PASS


def require(judgement: Judgement, *, consequence: str = "", remedy: str = "") -> None:
    """Return if the gate opens, raise otherwise.

    Args:
        judgement: All answers about the candidate.
        consequence: What became of the candidate, for the message.
        remedy: What to do next, for the message.

    Raises:
        GateRefused: A gating verdict is missing, failed or inconclusive, or there is none.
    """
    if judgement.status is not Status.PASS:
        raise GateRefused(refusal_message(judgement, consequence=consequence, remedy=remedy))


def refusal_message(judgement: Judgement, *, consequence: str = "", remedy: str = "") -> str:
    """Say what refused a candidate, for a tired engineer."""
    gating = [verdict for verdict in judgement.verdicts if verdict.severity is Severity.ERROR]
    total = len(gating) + len(judgement.missing)
    shut = len(judgement.refusing) + len(judgement.missing)
    if total == 0:
        head = f"Refused '{judgement.subject}': no check judged it, and nothing passes by default."
    else:
        head = f"Refused '{judgement.subject}': {shut} of {total} gating checks did not pass."
    lines = [head]
    for verdict in judgement.refusing:
        lines.extend(_finding_lines(verdict))
    lines.extend(f"  {name}: inconclusive (the check gave no answer)" for name in judgement.missing)
    if consequence:
        lines.append(consequence)
    steps = list(dict.fromkeys(step for step in _remedies(judgement.refusing) if step))
    lines.extend(f"Next: {step}" for step in steps)
    if remedy:
        lines.append(f"{'Then' if steps else 'Next'}: {remedy}")
    return "\n".join(lines)


def describe(check: str, finding: Finding) -> str:
    """Put one finding in one line, such as ``drift[age]: fail (observed 0.31, limit 0.1 …)``."""
    name = f"{check}[{finding.target}]" if finding.target else check
    facts = []
    if finding.observed is not None:
        facts.append(f"observed {_number(finding.observed)}")
    if finding.interval is not None:
        facts.append(f"interval {_number(finding.interval[0])} to {_number(finding.interval[1])}")
    if finding.limit is not None:
        facts.append(f"limit {_number(finding.limit)}{' ' + finding.unit if finding.unit else ''}")
    if finding.n is not None:
        facts.append(f"n={finding.n}")
    if finding.rows_needed is not None:
        facts.append(f"rows needed {finding.rows_needed}")
    figures = ", ".join(facts)
    return f"{name}: {finding.status} ({'; '.join(part for part in (figures, finding.reason) if part)})"


def _finding_lines(verdict: Verdict) -> list[str]:
    problems = verdict.problems
    if not problems:
        return [f"  {verdict.check}: inconclusive (it measured nothing)"]
    lines = [f"  {describe(verdict.check, finding)}" for finding in problems[:_MOST_FINDINGS_SHOWN]]
    if len(problems) > _MOST_FINDINGS_SHOWN:
        lines.append(f"  {verdict.check}: … and {len(problems) - _MOST_FINDINGS_SHOWN} more")
    return lines


def _remedies(verdicts: Collection[Verdict]) -> Sequence[str]:
    return [finding.remedy for verdict in verdicts for finding in verdict.problems[:_MOST_FINDINGS_SHOWN]]


def _number(value: float) -> str:
    return f"{value:.4g}"
