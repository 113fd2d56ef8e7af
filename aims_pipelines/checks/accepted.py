"""Shortfalls that a person accepted in the record: shown, dated, and only as bad as when accepted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from aims_pipelines.core.verdict import Finding, NotApplicable, Status, Verdict
from aims_pipelines.records.parts import Accepted, is_due

#: Measures of which more is better; of all others less is better.
MORE_IS_BETTER = frozenset(
    {
        "rows",
        "group rows",
        "labelled group rows",
        "group fraction",
        "roc_auc",
        "accuracy",
        "balanced_accuracy",
        "r2",
        "gain over a trivial rule",
        "selection rate ratio",
        "true positive rate ratio",
        "false positive rate ratio",
        "precision ratio",
        "group calibration ratio",
    }
)


def apply(verdict: Verdict, entries: Sequence[Accepted], *, today: date) -> Verdict:
    """Turn findings that the record accepts into passes that say so.

    A finding is accepted if it did not pass, carries a figure, its check, target and measure are those of an entry,
    the figure is no worse than the entry's ``observed`` by more than its ``tolerance``, and ``today`` is
    before ``review_by``. A finding that an entry names but does not cover keeps its status, and its reason
    says why. An entry that nothing needs is reported as a finding that passes.
    """
    mine = [entry for entry in entries if entry.check == verdict.check]
    if not mine:
        return verdict
    findings = tuple(_judge(finding, mine, today) for finding in verdict.findings)
    stale = tuple(
        _stale(entry) for entry in mine if not any(_names(entry, finding) for finding in verdict.problems)
    )
    return replace(verdict, findings=findings + stale) if findings else verdict


def note(answer: NotApplicable, entries: Sequence[Accepted]) -> NotApplicable:
    """Say so where the record accepts a shortfall of a check that it rules out."""
    if not any(entry.check == answer.check for entry in entries):
        return answer
    return replace(
        answer, reason=f"{answer.reason}; the shortfall accepted for it in the record has no effect"
    )


def _judge(finding: Finding, entries: Sequence[Accepted], today: date) -> Finding:
    if finding.status is Status.PASS:
        return finding
    named = [entry for entry in entries if _names(entry, finding)]
    if not named:
        return _of_another_measure(finding, entries)
    covering = [entry for entry in named if _covers(entry, finding)]
    in_time = [entry for entry in covering if not is_due(entry.review_by, today)]
    if in_time:
        entry = max(in_time, key=lambda item: item.review_by)
        otherwise = f"{finding.status}: {finding.reason}"
        return replace(
            finding,
            status=Status.PASS,
            reason=f"accepted until {entry.review_by} by the record ({entry.reason}); otherwise {otherwise}",
            remedy="",
            accepted_until=entry.review_by,
            otherwise=otherwise,
        )
    entry = (covering or named)[0]
    if covering:
        why = f"it was accepted by the record until {entry.review_by}, which has passed"
        remedy = "Correct the data, or review the accepted shortfall in the record and give it a later date."
    elif finding.observed is None:
        why = "the record accepts a shortfall here, but there is no figure to hold against it"
        remedy = finding.remedy
    else:
        why = f"worse than the {entry.observed:g} (tolerance {entry.tolerance:g}) that the record accepts"
        remedy = finding.remedy
    return replace(finding, reason=f"{finding.reason}; {why}", remedy=remedy)


def _of_another_measure(finding: Finding, entries: Sequence[Accepted]) -> Finding:
    measures = [entry.measure for entry in entries if entry.target == finding.target]
    if not measures:
        return finding
    return replace(
        finding,
        reason=f"{finding.reason}; the record accepts {', '.join(measures)} here, not {finding.measure}",
    )


def _names(entry: Accepted, finding: Finding) -> bool:
    return entry.target == finding.target and entry.measure == finding.measure


def _covers(entry: Accepted, finding: Finding) -> bool:
    if finding.observed is None:
        return False
    # The pass is the guarded branch: NaN compares false.
    if finding.measure in MORE_IS_BETTER:
        return finding.observed >= entry.observed - entry.tolerance
    return finding.observed <= entry.observed + entry.tolerance


def _stale(entry: Accepted) -> Finding:
    return Finding(
        target=entry.target,
        measure="accepted shortfall",
        status=Status.PASS,
        reason=f"accepted by the record until {entry.review_by}, but not needed this time",
        remedy="Take the accepted shortfall out of the record if it stays so.",
    )
