"""Calibration: predicted probabilities can be taken at their word."""

import numpy as np

from aims_pipelines.checks.candidate import Answer, Inapplicable
from aims_pipelines.checks.model_candidate import ModelCandidate
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.calibration import calibration_error

MEASURE = "expected calibration error"


def judge(candidate: ModelCandidate) -> Answer:
    """Judge the expected calibration error on the holdout."""
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
    return (_finding(candidate, status, said, observed=measured.value, interval=(low, high)),)


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
