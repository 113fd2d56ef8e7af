"""Performance: the measure that policy names reaches its limit with confidence, and beats a trivial rule."""

import math

from aims_pipelines.checks.model_candidate import ModelCandidate
from aims_pipelines.checks.model_metrics import LESS_IS_BETTER, baseline, estimate, problem
from aims_pipelines.checks.wording import count
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.intervals import rows_to_settle

_BETTER = "Improve features, model or data; the limit is in the policy or the system record."


def judge(candidate: ModelCandidate) -> tuple[Finding, ...]:
    """Judge size of the holdout, the measure against its limit, and against a trivial rule."""
    return (_size(candidate), _metric(candidate), _trivial(candidate))


def _size(candidate: ModelCandidate) -> Finding:
    rows, least = candidate.on_holdout.rows, candidate.limits.min_holdout_rows
    enough = rows >= least
    return Finding(
        target="holdout",
        measure="rows",
        status=Status.PASS if enough else Status.INCONCLUSIVE,
        reason=count(rows, "row") + ("" if enough else f"; at least {least:,} are needed to judge a model"),
        observed=rows,
        limit=least,
        unit="rows",
        n=rows,
        rows_needed=None if enough else least,
        remedy="" if enough else "Pin a larger holdout.",
    )


def _metric(candidate: ModelCandidate) -> Finding:
    limits, outcomes = candidate.limits, candidate.on_holdout
    less = limits.metric in LESS_IS_BETTER
    limit = limits.max_metric if less else limits.min_metric
    reason, remedy = problem(limits.metric, outcomes)
    measured = estimate(limits.metric, outcomes)
    if limit is None or math.isnan(limit):
        reason, remedy = "policy sets no limit for it", f"Set {'max_metric' if less else 'min_metric'}."
    elif not reason and not measured.known:
        reason = "it cannot be measured on these rows"
    if reason or limit is None:
        return Finding(
            target="",
            measure=limits.metric,
            status=Status.INCONCLUSIVE,
            reason=reason,
            limit=limit,
            n=outcomes.rows,
            remedy=remedy,
        )
    low, high = measured.interval(limits.confidence)
    if (high <= limit) if less else (low >= limit):
        status = Status.PASS
    elif (low > limit) if less else (high < limit):
        status = Status.FAIL
    else:
        status = Status.INCONCLUSIVE
    end = f"{'upper' if less else 'lower'} end of the interval must {'not exceed' if less else 'reach'} the limit"
    return Finding(
        target="",
        measure=limits.metric,
        status=status,
        reason="on rows that it has not seen" if status is Status.PASS else f"the {end}",
        observed=measured.value,
        limit=limit,
        interval=(low, high),
        n=measured.n,
        rows_needed=rows_to_settle(measured.n, measured.value, (low, high), limit)
        if status is Status.INCONCLUSIVE
        else None,
        remedy="" if status is Status.PASS else _BETTER,
    )


def _trivial(candidate: ModelCandidate) -> Finding:
    reached, gained = baseline(candidate)
    if not gained.known:
        return Finding(
            target="baseline",
            measure="gain over a trivial rule",
            status=Status.INCONCLUSIVE,
            reason="it cannot be measured on these rows",
            n=candidate.on_holdout.rows,
        )
    low, high = gained.interval(candidate.limits.confidence)
    status = Status.PASS if low > 0.0 else Status.FAIL if high <= 0.0 else Status.INCONCLUSIVE
    return Finding(
        target="baseline",
        measure="gain over a trivial rule",
        status=status,
        reason=f"a rule that looks at no feature reaches {reached:.4g}",
        observed=gained.value,
        limit=0.0,
        interval=(low, high),
        n=gained.n,
        remedy="" if status is Status.PASS else _BETTER,
    )
