"""What a check answers: findings, and the verdict that follows from them.

A verdict is ``pass`` only if every finding in it is shown to pass and there is at least one. Everything else
(nothing measured, NaN, too few rows, a crash) is ``inconclusive`` and keeps a gate shut just like ``fail``.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Status(StrEnum):
    """The three answers of a check."""

    PASS = "pass"  # noqa: S105 - an answer, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Severity(StrEnum):
    """Whether a verdict other than pass keeps the gate shut, or is only shown."""

    ERROR = "error"
    WARN = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One measurement and its judgement.

    Args:
        target: What was measured: a column, a group, a pair; empty for the whole table.
        measure: The name of the measure, in the field's standard terms, such as ``missing fraction``.
        status: The answer.
        reason: One sentence that a person can act on; never personal data.
        observed: The measured value; ``None`` if nothing could be measured.
        limit: The limit that it was held against.
        interval: Confidence interval of ``observed``.
        unit: Unit of ``observed``, ``limit`` and ``interval``, such as ``fraction`` or ``rows``.
        n: Rows (or members) that the measurement rests on.
        p_value: Two-sided p-value where the judgement rests on a test.
        p_adjusted: The same after adjustment for all tests of the verdict.
        rows_needed: For an inconclusive finding: rows that would have sufficed.
        remedy: What to do next.
        part: Where several findings tell one change apart: the part of it that this one carries, in [0, 1].
        accepted_until: Where it passes only because the record accepts the shortfall: the day that this ends.
        otherwise: Status and reason that it would have had then.
    """

    target: str
    measure: str
    status: Status
    reason: str
    observed: float | None = None
    limit: float | None = None
    interval: tuple[float, float] | None = None
    unit: str = ""
    n: int | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    rows_needed: int | None = None
    remedy: str = ""
    part: float | None = None
    accepted_until: date | None = None
    otherwise: str = ""

    def __post_init__(self) -> None:
        """Refuse a pass that rests on nothing."""
        if self.status is Status.PASS and any(
            value is not None and math.isnan(value) for value in (self.observed, self.limit)
        ):
            raise ValueError(f"a finding cannot pass on NaN: {self.measure} of {self.target or 'the table'}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer of one check about one candidate.

    Args:
        check: Name of the check, such as ``completeness``.
        version: Version of the check's method; it changes when the same data could get another answer.
        findings: What was measured. None at all is inconclusive.
        severity: ``error`` keeps the gate shut unless the status is pass; ``warn`` only shows.
    """

    check: str
    version: str
    findings: tuple[Finding, ...]
    severity: Severity = Severity.ERROR

    @property
    def status(self) -> Status:
        """The worst answer among the findings; inconclusive where there are none."""
        return worst(finding.status for finding in self.findings)

    @property
    def opens(self) -> bool:
        """Whether this verdict lets a gate open."""
        return self.status is Status.PASS or self.severity is Severity.WARN

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Findings that did not pass, failures first."""
        return tuple(
            sorted(
                (finding for finding in self.findings if finding.status is not Status.PASS),
                key=lambda finding: finding.status is not Status.FAIL,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NotApplicable:
    """A check that the record rules out, such as label bias for a dataset that declares no label.

    The reason is recorded and shown beside the verdicts. A check that *should* run but could not is never this:
    it is an inconclusive verdict.
    """

    check: str
    version: str
    reason: str


def worst(statuses: Iterable[Status]) -> Status:
    """Combine answers: any fail fails; any inconclusive, or none at all, is inconclusive."""
    seen = set(statuses)
    if Status.FAIL in seen:
        return Status.FAIL
    if seen == {Status.PASS}:
        return Status.PASS
    return Status.INCONCLUSIVE
