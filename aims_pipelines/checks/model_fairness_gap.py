"""Fairness: decisions treat groups alike, and do not widen the gaps of the labels; or numbers are off alike."""

import numpy as np

from aims_pipelines.checks.candidate import Answer, Inapplicable
from aims_pipelines.checks.model_candidate import ModelCandidate
from aims_pipelines.checks.model_groups import levels, too_small, unseen
from aims_pipelines.checks.model_rates import PREDICTED, RATES, Comparison, compare, decisions
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.amplification import bias_amplification
from aims_pipelines.stats.estimates import Estimate, mean
from aims_pipelines.stats.gaps import largest_gap


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
    limits = candidate.limits
    least = limits.min_group_size
    findings: list[Finding] = []
    for rate in RATES:
        compared = compare(candidate, attribute, rate, least=least)
        findings += _worth_telling(compared, chosen_by_model=rate.noun == PREDICTED)
        if compared.gap.limit is not None or compared.ratio.limit is not None:
            suffix = "" if rate.noun == "row" else f" {rate.noun}s"
            findings += [
                too_small(f"{attribute}={level}{suffix}", members, least, noun=rate.noun)
                for level, members in compared.small.items()
            ]
    amplified = bias_amplification(
        decisions(candidate, attribute, least=least),
        limit=limits.max_bias_amplification,
        confidence=limits.confidence,
        attribute=attribute,
    )
    return [*findings, amplified]


def _worth_telling(compared: Comparison, *, chosen_by_model: bool) -> list[Finding]:
    """Gap and ratio: all that is judged, and what is measured besides.

    That there are not two groups to compare is said once. Where the model itself chooses the members, it is said by the
    groups that are too small: a person can accept those for a time, and a model that flags few is not worse for it.
    """
    told: list[Finding] = []
    for finding in (compared.gap, compared.ratio):
        figure = finding.observed is not None
        again = not figure and (bool(told) or (chosen_by_model and bool(compared.small)))
        if (finding.limit is not None and not again) or (finding.limit is None and figure):
            told.append(finding)
    return told


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
