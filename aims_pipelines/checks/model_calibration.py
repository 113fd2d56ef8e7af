"""Calibration: predicted probabilities can be taken at their word, overall and within each group."""

from collections.abc import Iterator, Mapping

import numpy as np

from aims_pipelines.checks.candidate import Answer, Inapplicable
from aims_pipelines.checks.model_candidate import ModelCandidate
from aims_pipelines.checks.model_groups import levels, too_small, unseen
from aims_pipelines.checks.model_rates import only_measured
from aims_pipelines.checks.wording import count
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.calibration import calibration_error, group_calibration, observed_to_expected
from aims_pipelines.stats.estimates import Estimate

MEASURE = "expected calibration error"


def judge(candidate: ModelCandidate) -> Answer:
    """Judge the expected calibration error on the holdout, and calibration in the large within groups."""
    outcomes, limits = candidate.on_holdout, candidate.limits
    if not outcomes.binary:
        return Inapplicable(reason="it is asked of probabilities of one positive class only")
    if outcomes.scores is None or not outcomes.probabilities:
        return Inapplicable(reason="the model gives decisions without probabilities")
    unusable = int((~np.isfinite(outcomes.scores) | np.isnan(outcomes.truth)).sum())
    reason = ""
    if outcomes.rows == 0:
        reason = "there are no rows"
    elif unusable:
        reason = f"{unusable:,} rows have no usable probability or no label"
    elif outcomes.scores.min() < 0.0 or outcomes.scores.max() > 1.0:
        reason = "scores lie outside 0 to 1, so they are no probabilities"
    if reason:
        return (_finding(candidate, Status.INCONCLUSIVE, reason),)
    measured = calibration_error(outcomes.truth, outcomes.scores)
    low, high = measured.interval(limits.confidence)
    limit = limits.max_calibration_error
    status = Status.PASS if high <= limit else Status.FAIL if low > limit else Status.INCONCLUSIVE
    said = "mean distance between predicted and observed shares"
    overall = _finding(candidate, status, said, observed=measured.value, interval=(low, high))
    judged = limits.min_group_calibration_ratio is not None and bool(candidate.record.protected)
    groups = [finding for attribute in candidate.groups for finding in _within(candidate, attribute)]
    return (overall, *(unseen(candidate) if judged else []), *groups)


def promised(candidate: ModelCandidate, attribute: str, *, least: int) -> dict[str, Estimate]:
    """Positives that came for each one that the probabilities promised, by group that has enough rows."""
    outcomes = candidate.on_holdout
    if outcomes.scores is None or not outcomes.probabilities or not outcomes.binary:
        return {}
    return {
        level: observed_to_expected(outcomes.truth[rows], outcomes.scores[rows])
        for level, rows in levels(candidate, attribute)
        if rows.sum() >= max(1, least)
    }


def _within(candidate: ModelCandidate, attribute: str) -> list[Finding]:
    limits = candidate.limits
    least, limit = limits.min_group_size, limits.min_group_calibration_ratio
    groups = promised(candidate, attribute, least=least)
    finding = group_calibration(
        groups, limit=0.0 if limit is None else limit, confidence=limits.confidence, attribute=attribute
    )
    if limit is None:
        return [only_measured(finding)] if finding.status is Status.PASS else []
    small = [
        too_small(f"{attribute}={level}", int(rows.sum()), least)
        for level, rows in levels(candidate, attribute)
        if level not in groups
    ]
    return [finding, *_promised_nothing(candidate, attribute, groups), *small]


def _promised_nothing(
    candidate: ModelCandidate, attribute: str, groups: Mapping[str, Estimate]
) -> Iterator[Finding]:
    """Groups of which the model is certain that none is positive, and some are: no ratio could say it."""
    for level, rows in levels(candidate, attribute):
        came = int(candidate.on_holdout.truth[rows].sum())
        if level in groups and not groups[level].known and came:
            yield Finding(
                target=f"{attribute}={level}",
                measure="group calibration ratio",
                status=Status.FAIL,
                reason=f"{count(came, 'positive')} came in a group whose probabilities are all 0",
                observed=0.0,
                limit=candidate.limits.min_group_calibration_ratio,
                n=int(rows.sum()),
                remedy="Calibrate the model, or find out why it rules this group out.",
            )


def _finding(
    candidate: ModelCandidate,
    status: Status,
    reason: str,
    *,
    observed: float | None = None,
    interval: tuple[float, float] | None = None,
) -> Finding:
    return Finding(
        target="",
        measure=MEASURE,
        status=status,
        reason=reason,
        observed=observed,
        limit=candidate.limits.max_calibration_error,
        interval=interval,
        unit="fraction",
        n=candidate.on_holdout.rows,
        remedy=""
        if status is Status.PASS
        else "Calibrate the model, for instance with CalibratedClassifierCV.",
    )
