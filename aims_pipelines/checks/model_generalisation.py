"""Generalisation: the model is not much better on the rows it was fitted on than on rows it has not seen."""

import math

from aims_pipelines.checks.model_candidate import ModelCandidate
from aims_pipelines.checks.model_metrics import LESS_IS_BETTER, estimate, problem
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.estimates import Estimate, difference
from aims_pipelines.stats.regression import scaled


def judge(candidate: ModelCandidate) -> tuple[Finding, ...]:
    """Judge the loss of the measure from training to holdout."""
    limits = candidate.limits
    for name, outcomes in (("training", candidate.on_training), ("holdout", candidate.on_holdout)):
        reason, remedy = problem(limits.metric, outcomes)
        if reason:
            return (_finding(candidate, Status.INCONCLUSIVE, f"{name}: {reason}", remedy=remedy),)
    trained = estimate(limits.metric, candidate.on_training)
    judged = estimate(limits.metric, candidate.on_holdout)
    loss = _loss(limits.metric, trained, judged)
    if not loss.known:
        return (_finding(candidate, Status.INCONCLUSIVE, "it cannot be measured on these rows"),)
    low, high = loss.interval(limits.confidence)
    limit = limits.max_generalisation_gap
    status = Status.PASS if high <= limit else Status.FAIL if low > limit else Status.INCONCLUSIVE
    said = f"{limits.metric} {trained.value:.4g} on training rows, {judged.value:.4g} on the holdout"
    remedy = ""
    if status is Status.FAIL:
        remedy = "Regularise the model or give it more data; it has learnt single rows."
    elif status is Status.INCONCLUSIVE:
        said = f"{said}; the interval reaches across the limit"
        remedy = "Pin a larger holdout, or regularise the model if it has learnt single rows."
    return (
        _finding(
            candidate, status, said, observed=loss.value, interval=(low, high), remedy=remedy, n=judged.n
        ),
    )


def _loss(metric: str, trained: Estimate, judged: Estimate) -> Estimate:
    """Training minus holdout; for errors the other way round, relative to the holdout's."""
    if metric not in LESS_IS_BETTER:
        return difference(trained, judged)
    return difference(scaled(judged, judged.value), scaled(trained, judged.value))


def _finding(
    candidate: ModelCandidate,
    status: Status,
    reason: str,
    *,
    observed: float | None = None,
    interval: tuple[float, float] | None = None,
    remedy: str = "",
    n: int | None = None,
) -> Finding:
    limit = candidate.limits.max_generalisation_gap
    return Finding(
        target="",
        measure=f"{candidate.limits.metric} lost from training to holdout",
        status=status,
        reason=reason,
        observed=observed,
        limit=None if math.isnan(limit) else limit,
        interval=interval,
        n=n,
        remedy=remedy,
    )
