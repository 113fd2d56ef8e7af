"""Gaps and ratios of rates between groups, judged with simultaneous intervals.

The rates may be label rates, selection rates, true or false positive rates, precision: anything that is a
count out of members. A pass has to be shown: the whole simultaneous interval lies within the limit. A failure
has to be shown too: the whole interval lies beyond it. In between, and for a single group, empty groups or an
unusable limit, the answer is inconclusive, which keeps a gate shut as well but asks for rows, not blame.
Groups below the smallest size are never compared; each is an inconclusive finding of its own.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.groups import TOO_FEW_GROUPS, GroupCount
from aims_pipelines.stats.intervals import newcombe, ratio, simultaneous

_LARGEST_GROWTH = 1e6
_Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    """How a pair of groups is compared: the value, its interval, and which side of the limit is good."""

    attribute: str
    rate: str
    kind: str
    value: Callable[[GroupCount, GroupCount], float]
    interval: Callable[[GroupCount, GroupCount, float, float], _Interval]
    larger_is_worse: bool

    @property
    def name(self) -> str:
        """Such as ``selection rate gap``."""
        return f"{self.rate} {self.kind}"

    def within(self, value: float, limit: float) -> bool:
        """Whether a value is acceptable; NaN is not."""
        return value <= limit if self.larger_is_worse else value >= limit


def rate_gap(
    groups: Mapping[str, GroupCount],
    *,
    limit: float,
    min_group_size: int,
    confidence: float = 0.95,
    attribute: str = "",
    rate: str = "selection rate",
) -> tuple[Finding, ...]:
    """Compare the highest and the lowest rate among groups by their difference.

    Args:
        groups: Selected and total per group, keyed by a label fit for a report.
        limit: Largest acceptable gap, a fraction in [0, 1].
        min_group_size: Fewest members for which a rate is compared, at least 1.
        confidence: Two-sided coverage over all pairs of groups together, in (0, 1).
        attribute: Name of the attribute that forms the groups; the findings' target.
        rate: Name of the rate, for the findings' measure.

    Returns:
        One finding for the gap, a fraction in [0, 1], with a simultaneous interval; and one for each group
        that is too small to compare.

    Source:
        Newcombe (1998), Statistics in Medicine 17:873-890, method 10; Bonferroni over pairs.

    Example:
        >>> a, b = GroupCount(selected=500, total=1000), GroupCount(selected=300, total=1000)
        >>> finding, = rate_gap({"a": a, "b": b}, limit=0.1, min_group_size=50)
        >>> str(finding.status), round(finding.observed, 3), [round(end, 3) for end in finding.interval]
        ('fail', 0.2, [0.158, 0.241])
    """
    measure = _Measure(
        attribute=attribute, rate=rate, kind="gap", value=_gap, interval=_gap_interval, larger_is_worse=True
    )
    return _judge(groups, measure, limit, min_group_size, confidence)


def rate_ratio(
    groups: Mapping[str, GroupCount],
    *,
    limit: float,
    min_group_size: int,
    confidence: float = 0.95,
    attribute: str = "",
    rate: str = "selection rate",
) -> tuple[Finding, ...]:
    """Compare the lowest and the highest rate among groups by their ratio, as the four-fifths rule does.

    Args:
        groups: Selected and total per group, keyed by a label fit for a report.
        limit: Smallest acceptable ratio of the lowest to the highest rate, in [0, 1]; 0.8 for four fifths.
        min_group_size: Fewest members for which a rate is compared, at least 1.
        confidence: Two-sided coverage over all pairs of groups together, in (0, 1).
        attribute: Name of the attribute that forms the groups; the findings' target.
        rate: Name of the rate, for the findings' measure.

    Returns:
        One finding for the ratio, in [0, 1], with a simultaneous interval; and one for each group that is too
        small to compare.

    Source:
        Koopman (1984), Biometrics 40:513-517; Bonferroni over pairs.
    """
    measure = _Measure(
        attribute=attribute,
        rate=rate,
        kind="ratio",
        value=_ratio,
        interval=_ratio_interval,
        larger_is_worse=False,
    )
    return _judge(groups, measure, limit, min_group_size, confidence)


def _judge(
    groups: Mapping[str, GroupCount],
    measure: _Measure,
    limit: float,
    min_group_size: int,
    confidence: float,
) -> tuple[Finding, ...]:
    smallest = max(1, min_group_size)
    judged = {label: group for label, group in groups.items() if group.total >= smallest}
    small = tuple(
        _too_small(measure, label, group, smallest) for label, group in groups.items() if label not in judged
    )
    return (_compare(judged, measure, limit, confidence), *small)


def _compare(
    groups: Mapping[str, GroupCount],
    measure: _Measure,
    limit: float,
    confidence: float,
) -> Finding:
    blank = Finding(
        target=measure.attribute,
        measure=measure.name,
        status=Status.INCONCLUSIVE,
        reason="not judged",
        unit="fraction",
        limit=limit if math.isfinite(limit) else None,
        n=sum(group.total for group in groups.values()),
    )

    if not 0.0 <= limit <= 1.0 or not 0.0 < confidence < 1.0:
        return replace(
            blank,
            reason="the limit or the confidence is not a usable fraction",
            remedy="Set the limit to a fraction from 0 to 1 and the confidence to one between them.",
        )
    if len(groups) < 2:
        return replace(
            blank,
            reason=f"{'one group' if groups else 'no group'} large enough to compare, two are needed",
            remedy=TOO_FEW_GROUPS,
        )
    pairs = list(combinations(groups.items(), 2))
    coverage = simultaneous(confidence, len(pairs))
    sign = 1.0 if measure.larger_is_worse else -1.0
    values = [measure.value(a, b) for (_, a), (_, b) in pairs]
    intervals = [measure.interval(a, b, coverage, 1.0) for (_, a), (_, b) in pairs]
    # The extreme over pairs lies between the extremes of the simultaneous limits.
    extreme = max if measure.larger_is_worse else min
    low, high = extreme(low for low, _ in intervals), extreme(high for _, high in intervals)
    at = max(range(len(pairs)), key=lambda index: (sign * values[index], index))
    observed = values[at]
    near, far = (low, high) if measure.larger_is_worse else (high, low)
    (first, one), (second, other) = sorted(pairs[at], key=lambda item: -item[1].rate)
    said = f"{measure.rate} {first} {one.rate:.3f} against {second} {other.rate:.3f}"
    if math.isnan(near) or math.isnan(far):
        return replace(
            blank, reason="the counts are not usable: more selected than members, or fewer than none"
        )
    measured = replace(blank, observed=observed, interval=(low, high), reason=said)
    if measure.within(far, limit):
        return replace(measured, status=Status.PASS)
    if not measure.within(near, limit):
        return replace(measured, status=Status.FAIL)
    growth = [_growth(measure, a, b, limit, coverage) for (_, a), (_, b) in pairs]
    total = sum(group.total for group in groups.values())
    needed = None if any(math.isinf(factor) for factor in growth) else math.ceil(total * max(growth))
    return replace(
        measured,
        reason=f"{said}; the interval reaches across the limit",
        rows_needed=needed,
        remedy="Judge more rows, for instance several windows together.",
    )


def _growth(measure: _Measure, a: GroupCount, b: GroupCount, limit: float, coverage: float) -> float:
    """How many times more members of both groups, at the same rates, would settle the comparison."""

    def settled(factor: float) -> bool:
        low, high = measure.interval(a, b, coverage, factor)
        return measure.within(low, limit) == measure.within(high, limit)

    if settled(1.0):
        return 1.0
    if not settled(_LARGEST_GROWTH):
        return math.inf
    below, above = 1.0, _LARGEST_GROWTH
    while above > below * 1.01:
        middle = math.sqrt(below * above)
        below, above = (below, middle) if settled(middle) else (middle, above)
    return above


def _too_small(measure: _Measure, label: str, group: GroupCount, smallest: int) -> Finding:
    return Finding(
        target=f"{measure.attribute}={label}" if measure.attribute else label,
        measure=measure.name,
        status=Status.INCONCLUSIVE,
        reason=f"{group.total} members, {smallest} are needed to compare a group",
        unit="fraction",
        n=group.total,
        remedy="Collect more rows of this group, or accept the finding for a stated time.",
    )


def _gap(a: GroupCount, b: GroupCount) -> float:
    return abs(a.rate - b.rate)


def _gap_interval(a: GroupCount, b: GroupCount, confidence: float, growth: float) -> _Interval:
    low, high = newcombe(
        a.selected * growth, a.total * growth, b.selected * growth, b.total * growth, confidence=confidence
    )
    return max(0.0, low, -high), max(abs(low), abs(high))


def _ratio(a: GroupCount, b: GroupCount) -> float:
    lower, higher = sorted((a.rate, b.rate))
    return lower / higher if higher > 0.0 else 1.0


def _ratio_interval(a: GroupCount, b: GroupCount, confidence: float, growth: float) -> _Interval:
    low, high = ratio(
        a.selected * growth, a.total * growth, b.selected * growth, b.total * growth, confidence=confidence
    )
    if low <= 1.0 <= high:
        return min(low, 1.0 / high), 1.0
    # Where the counts were unusable, NaN goes through.
    return (1.0 / high, 1.0 / low) if low > 1.0 else (low, high)
