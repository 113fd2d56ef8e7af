"""Fairness: groups are selected, found and wrongly flagged at similar rates; or over- and underestimated alike."""

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.checks.candidate import Answer, Inapplicable
from aims_pipelines.checks.model_candidate import ModelCandidate, Outcomes
from aims_pipelines.checks.model_groups import levels, too_small, unseen
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.estimates import Estimate, mean
from aims_pipelines.stats.fairness import rate_gap
from aims_pipelines.stats.gaps import largest_gap
from aims_pipelines.stats.groups import GroupCount

# Rate, the label that its members carry (any, if None), and what such members are called.
_RATES = (
    ("selection rate", None, "row"),
    ("true positive rate", 1.0, "positive"),
    ("false positive rate", 0.0, "negative"),
)


def judge(candidate: ModelCandidate) -> Answer:
    """Judge the gaps between the groups of each protected attribute, with simultaneous intervals."""
    if not candidate.record.protected:
        return Inapplicable(reason="the record of the holdout declares no protected attributes")
    outcomes = candidate.on_holdout
    if outcomes.classes > 2:
        return Inapplicable(reason="there are more than two classes and none is named as positive")
    unusable = int((~np.isfinite(outcomes.truth) | ~np.isfinite(outcomes.predicted)).sum())
    if unusable or outcomes.rows == 0:
        return (
            Finding(
                target="",
                measure="rows",
                status=Status.INCONCLUSIVE,
                reason=f"{unusable:,} rows have no label or no prediction"
                if unusable
                else "there are no rows",
                n=outcomes.rows,
            ),
        )
    findings = unseen(candidate)
    for attribute in candidate.groups:
        findings += _rates(candidate, attribute) if outcomes.binary else [*_errors(candidate, attribute)]
    return tuple(findings)


def _rates(candidate: ModelCandidate, attribute: str) -> list[Finding]:
    limits, outcomes = candidate.limits, candidate.on_holdout
    findings: list[Finding] = []
    for rate, label, noun in _RATES:
        members = np.ones(outcomes.rows, np.bool_) if label is None else outcomes.truth == label
        counts = {level: _count(outcomes, rows & members) for level, rows in levels(candidate, attribute)}
        large = {level: group for level, group in counts.items() if group.total >= limits.min_group_size}
        gaps = rate_gap(
            large,
            limit=limits.max_selection_rate_gap if label is None else limits.max_error_rate_gap,
            min_group_size=1,
            confidence=limits.confidence,
            attribute=f"{attribute} {rate}",
            rate=rate,
        )
        findings.extend(gaps)
        suffix = "" if label is None else f" {noun}s"
        findings += [
            too_small(f"{attribute}={level}{suffix}", group.total, limits.min_group_size, noun=noun)
            for level, group in counts.items()
            if level not in large
        ]
    return findings


def _errors(candidate: ModelCandidate, attribute: str) -> list[Finding]:
    """For numbers: the mean error of each group, in standard deviations of the outcome."""
    limits, outcomes = candidate.limits, candidate.on_holdout
    spread = float(outcomes.truth.std())
    measured: dict[str, Estimate] = {}
    small: list[Finding] = []
    for level, rows in levels(candidate, attribute):
        total = int(rows.sum())
        if total < max(2, limits.min_group_size):
            small.append(too_small(f"{attribute}={level}", total, limits.min_group_size))
        elif spread > 0.0:
            measured[level] = mean((outcomes.predicted[rows] - outcomes.truth[rows]) / spread)
            if not measured[level].known:
                small.append(_all_alike(f"{attribute}={level}", total))
    gap = largest_gap(
        measured,
        limit=limits.max_error_rate_gap,
        confidence=limits.confidence,
        target=f"{attribute} mean error",
        measure="mean error",
        unit="standard deviations of the label",
    )
    return [gap, *small]


def _all_alike(target: str, rows: int) -> Finding:
    return Finding(
        target=target,
        measure="mean error",
        status=Status.INCONCLUSIVE,
        reason="all errors in this group are equal, so nothing tells how sure their mean is",
        n=rows,
        remedy="Judge on more rows; predictions without any error are a sign of leakage.",
    )


def _count(outcomes: Outcomes, rows: NDArray[np.bool_]) -> GroupCount:
    return GroupCount(selected=int((outcomes.predicted[rows] == 1.0).sum()), total=int(rows.sum()))
