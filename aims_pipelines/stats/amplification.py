"""Bias amplification: a gap between groups that is larger in a model's decisions than in the labels it learnt from.

Both gaps are taken on the same rows, so that what they have in common cancels: only rows on which decision and label
differ count. The direction is that of the labels: a group that carries the positive label more often is selected more
often still. A gap that decisions narrow is negative. What they turn round counts as narrowed: how far apart the
decisions are is the selection rate gap's business.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.estimates import Estimate, Interval, difference
from aims_pipelines.stats.intervals import newcombe, paired, rows_to_settle, simultaneous

# The direction of a gap is taken from the labels only where it is wrong in hardly any sample; else both are considered.
_DOUBT_OF_DIRECTION = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionCount:
    """Members of a group by what they are and what was decided.

    Args:
        total: Members.
        positive: Members whose label is positive.
        wrongly_selected: Members selected though their label is not positive.
        missed: Members not selected though their label is positive.
    """

    total: int
    positive: int
    wrongly_selected: int
    missed: int

    @property
    def usable(self) -> bool:
        """Whether the counts can be."""
        return (
            0 <= self.missed <= self.positive
            and 0 <= self.wrongly_selected <= self.total - self.positive
            and self.total > 0
        )

    @property
    def label_rate(self) -> float:
        """Share of members with a positive label; NaN for no members."""
        return self.positive / self.total if self.total else math.nan

    @property
    def selection_rate(self) -> float:
        """Share of members that were selected; NaN for no members."""
        selected = self.positive - self.missed + self.wrongly_selected
        return selected / self.total if self.total else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Amplification:
    """The pair of groups whose gap grew most.

    Args:
        more: The group of the two that carries the positive label more often.
        less: The other.
        value: Growth, in [-2, 1]; negative where decisions narrow the gap.
        interval: Simultaneous interval of the largest growth of all pairs.
    """

    more: str
    less: str
    value: float
    interval: Interval


def largest_growth(groups: Mapping[str, DecisionCount], *, confidence: float = 0.95) -> Amplification | None:
    """Find the pair of groups whose gap grows most from labels to decisions.

    Args:
        groups: Counts per group that is large enough to compare, keyed by a label fit for a report.
        confidence: Two-sided coverage over all pairs of groups together, in (0, 1).

    Returns:
        Selection rate gap less label rate gap, with a simultaneous interval (Tango's for paired rates within a group,
        recovered for the difference of two, Bonferroni over pairs); ``None`` for fewer than two groups, counts that
        cannot be, or an unusable confidence.

    Source:
        For two groups it is twice the directional bias amplification (attribute to task) of Wang & Russakovsky (2021),
        ICML, PMLR 139:10882-10893; after Zhao et al. (2017), EMNLP, 2979-2989. Mean coverage is within a point of
        nominal from groups of 50, up to three points more in groups of 10, where counts are coarse.

    Example:
        >>> a = DecisionCount(total=1000, positive=300, wrongly_selected=80, missed=40)
        >>> b = DecisionCount(total=1000, positive=200, wrongly_selected=30, missed=90)
        >>> found = largest_growth({"a": a, "b": b})
        >>> round(found.value, 3), [round(end, 3) for end in found.interval]
        (0.1, [0.07, 0.13])
    """
    if not 0.0 < confidence < 1.0 or len(groups) < 2 or not all(group.usable for group in groups.values()):
        return None
    pairs = list(combinations(groups.items(), 2))
    coverage = simultaneous(confidence, len(pairs))
    grown = [_growth(a, b, coverage) for (_, a), (_, b) in pairs]
    at = max(range(len(pairs)), key=lambda index: grown[index][0])
    (more, _), (less, _) = sorted(pairs[at], key=lambda item: -item[1].label_rate)
    return Amplification(
        more=more,
        less=less,
        value=grown[at][0],
        interval=(max(ends[0] for _, ends in grown), max(ends[1] for _, ends in grown)),
    )


def bias_amplification(
    groups: Mapping[str, DecisionCount],
    *,
    limit: float,
    confidence: float = 0.95,
    attribute: str = "",
) -> Finding:
    """Hold the largest growth of a gap between two groups against a limit.

    A pass has to be shown, and so has a failure: the whole interval lies on one side of the limit.

    Args:
        groups: Counts per group that is large enough to compare, keyed by a label fit for a report.
        limit: Largest acceptable growth, a fraction in [0, 1].
        confidence: Two-sided coverage over all pairs of groups together, in (0, 1).
        attribute: Name of the attribute that forms the groups.
    """
    rows = sum(max(0, group.total) for group in groups.values())
    blank = Finding(
        target=f"{attribute} bias amplification" if attribute else "bias amplification",
        measure="bias amplification",
        status=Status.INCONCLUSIVE,
        reason="the counts are not usable: no members, or more of a part than of the whole",
        unit="fraction",
        limit=limit if math.isfinite(limit) else None,
        n=rows,
    )
    if not 0.0 <= limit <= 1.0 or not 0.0 < confidence < 1.0:
        return replace(blank, reason="the limit or the confidence is not a usable fraction")
    if len(groups) < 2:
        reason = f"{'one group' if groups else 'no group'} large enough to compare, two are needed"
        return replace(blank, reason=reason)
    grown = largest_growth(groups, confidence=confidence)
    if grown is None:
        return blank
    (low, high), one, other = grown.interval, groups[grown.more], groups[grown.less]
    said = (
        f"{grown.more} against {grown.less}: {one.label_rate:.3f} to {other.label_rate:.3f} in the labels, "
        f"{one.selection_rate:.3f} to {other.selection_rate:.3f} in the decisions"
    )
    measured = replace(blank, observed=grown.value, interval=(low, high), reason=said)
    if high <= limit:
        return replace(measured, status=Status.PASS)
    if low > limit:
        return replace(
            measured,
            status=Status.FAIL,
            remedy="Look at the threshold and at features that stand in for the group, or accept it for a stated time.",
        )
    return replace(
        measured,
        reason=f"{said}; the interval reaches across the limit",
        rows_needed=rows_to_settle(rows, grown.value, (low, high), limit),
        remedy="Judge on a larger holdout, or accept the finding for a stated time.",
    )


def _growth(a: DecisionCount, b: DecisionCount, confidence: float) -> tuple[float, Interval]:
    """How much further apart decisions are than labels, in the labels' direction, and its interval."""
    first, second = (a, b) if a.label_rate >= b.label_rate else (b, a)
    grown = difference(_excess(first), _excess(second))
    low, high = grown.interval(confidence)
    doubt = 1.0 - (1.0 - confidence) * _DOUBT_OF_DIRECTION
    least, _ = newcombe(first.positive, first.total, second.positive, second.total, confidence=doubt)
    if least > 0.0:
        return grown.value, (low, high)
    value = grown.value if first.label_rate > second.label_rate else abs(grown.value)
    return value, (min(low, -high), max(high, -low))


def _excess(group: DecisionCount) -> Estimate:
    """How much more often a group is selected than labelled."""
    return Estimate(
        value=(group.wrongly_selected - group.missed) / group.total,
        n=group.total,
        interval=lambda confidence: paired(
            group.wrongly_selected, group.missed, group.total, confidence=confidence
        ),
    )
