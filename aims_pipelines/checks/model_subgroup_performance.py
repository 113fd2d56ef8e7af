"""Subgroup performance: no group is served much worse than another."""

from aims_pipelines.checks.candidate import Answer, Inapplicable
from aims_pipelines.checks.model_candidate import ModelCandidate, Outcomes
from aims_pipelines.checks.model_groups import levels, too_small, unseen
from aims_pipelines.checks.model_metrics import group_measure, problem, within_group
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.estimates import Estimate
from aims_pipelines.stats.gaps import largest_gap


def judge(candidate: ModelCandidate) -> Answer:
    """Judge the largest gap of the measure between groups of each protected attribute."""
    if not candidate.record.protected:
        return Inapplicable(reason="the record of the holdout declares no protected attributes")
    limits = candidate.limits
    reason, remedy = problem(limits.metric, candidate.on_holdout)
    if reason:
        return (
            Finding(
                target="",
                measure=limits.metric,
                status=Status.INCONCLUSIVE,
                reason=reason,
                n=candidate.on_holdout.rows,
                remedy=remedy,
            ),
        )
    findings = unseen(candidate)
    for attribute in candidate.groups:
        findings += _attribute(candidate, attribute)
    return tuple(findings)


def _attribute(candidate: ModelCandidate, attribute: str) -> list[Finding]:
    limits, small = candidate.limits, []
    measured: dict[str, Estimate] = {}
    for level, rows in levels(candidate, attribute):
        part = candidate.on_holdout.only(rows)
        if part.rows < limits.min_group_size:
            small.append(too_small(f"{attribute}={level}", part.rows, limits.min_group_size))
            continue
        estimate = within_group(limits.metric, part, candidate.on_holdout)
        if estimate.known:
            measured[level] = estimate
        else:
            small.append(_unknown(f"{attribute}={level}", limits.metric, part))
    gap = largest_gap(
        measured,
        limit=limits.max_subgroup_gap,
        confidence=limits.confidence,
        target=attribute,
        measure=group_measure(limits.metric),
    )
    return [gap, *small]


def _unknown(target: str, metric: str, part: Outcomes) -> Finding:
    reason, remedy = problem(metric, part)
    return Finding(
        target=target,
        measure=group_measure(metric),
        status=Status.INCONCLUSIVE,
        reason=f"in this group {reason or 'the measure is not defined'}",
        n=part.rows,
        remedy=remedy or "Judge on more rows of this group, or accept the finding for a stated time.",
    )
