"""The largest gap between the figures of groups, judged with simultaneous intervals.

The same rule as for rates: a pass has to be shown (the whole interval lies within the limit), and so has a failure
(the whole interval lies beyond it). In between the answer is inconclusive.
"""

import math
from collections.abc import Mapping
from itertools import combinations

from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.estimates import Estimate, Interval, difference
from aims_pipelines.stats.groups import TOO_FEW_GROUPS
from aims_pipelines.stats.intervals import rows_to_settle, simultaneous


def largest_gap(
    groups: Mapping[str, Estimate],
    *,
    limit: float,
    confidence: float,
    target: str,
    measure: str,
    unit: str = "",
) -> Finding:
    """Compare the figures of all pairs of groups.

    Args:
        groups: Figure per group, keyed by a label fit for a report; independent samples.
        limit: Largest acceptable gap, at least 0.
        confidence: Two-sided coverage over all pairs together, in (0, 1).
        target: What is compared, such as the attribute that forms the groups.
        measure: Name of the figure.
        unit: Its unit.

    Returns:
        A finding whose figure is the largest gap, with a simultaneous interval (Bonferroni over pairs).
    """
    rows = sum(estimate.n for estimate in groups.values())

    def unjudged(reason: str, remedy: str = "") -> Finding:
        return Finding(
            target=target,
            measure=f"{measure} gap",
            status=Status.INCONCLUSIVE,
            reason=reason,
            unit=unit,
            n=rows,
            limit=limit if math.isfinite(limit) else None,
            remedy=remedy,
        )

    known = {name: estimate for name, estimate in groups.items() if estimate.known}
    if not 0.0 <= limit < math.inf or not 0.0 < confidence < 1.0:
        return unjudged("the limit or the confidence is not usable")
    if len(known) < 2:
        found = "one group" if known else "no group"
        return unjudged(f"{found} large enough to compare, two are needed", TOO_FEW_GROUPS)
    pairs = list(combinations(known.items(), 2))
    coverage = simultaneous(confidence, len(pairs))
    gaps = [difference(a, b) for (_, a), (_, b) in pairs]
    ends = [_absolute(gap.interval(coverage)) for gap in gaps]
    if any(math.isnan(end) for pair in ends for end in pair):
        return unjudged("an interval could not be computed")
    low, high = max(low for low, _ in ends), max(high for _, high in ends)
    at = max(range(len(pairs)), key=lambda index: abs(gaps[index].value))
    (first, one), (second, other) = sorted(pairs[at], key=lambda item: -item[1].value)
    status = Status.PASS if high <= limit else Status.FAIL if low > limit else Status.INCONCLUSIVE
    across = "; the interval reaches across the limit" if status is Status.INCONCLUSIVE else ""
    return Finding(
        target=target,
        measure=f"{measure} gap",
        status=status,
        reason=f"{measure} {first} {one.value:.3f} against {second} {other.value:.3f}{across}",
        observed=abs(gaps[at].value),
        limit=limit,
        interval=(low, high),
        unit=unit,
        n=rows,
        rows_needed=rows_to_settle(rows, abs(gaps[at].value), (low, high), limit) if across else None,
        remedy="" if status is Status.PASS else _REMEDIES[status],
    )


_REMEDIES = {
    Status.FAIL: "Improve the model for the group that is served worse, or accept the gap for a stated time.",
    Status.INCONCLUSIVE: "Judge on a larger holdout, or accept the finding for a stated time.",
}


def _absolute(interval: Interval) -> Interval:
    low, high = interval
    return max(0.0, low, -high), max(abs(low), abs(high))
