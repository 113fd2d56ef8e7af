"""Rates at which groups of the holdout are compared: of whom, by which limits, and how they came out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.checks.model_candidate import ModelCandidate, Outcomes
from aims_pipelines.checks.model_groups import levels
from aims_pipelines.core.verdict import Finding
from aims_pipelines.records.policy_record import ModelLimits
from aims_pipelines.stats.amplification import DecisionCount
from aims_pipelines.stats.fairness import rate_gap, rate_ratio
from aims_pipelines.stats.groups import GroupCount

Mask = NDArray[np.bool_]
PREDICTED: Final = "predicted positive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRate:
    """A rate of a classifier.

    Args:
        name: Its standard name.
        noun: What it is a share of.
        members: Rows that it is a share of.
        hits: Rows that count.
        max_gap: Largest acceptable gap; ``None`` where policy sets none.
        min_ratio: Smallest acceptable ratio; ``None`` where policy sets none.
    """

    name: str
    noun: str
    members: Callable[[Outcomes], Mask]
    hits: Callable[[Outcomes], Mask]
    max_gap: Callable[[ModelLimits], float | None]
    min_ratio: Callable[[ModelLimits], float | None]


def _selected(outcomes: Outcomes) -> Mask:
    return np.asarray(outcomes.predicted == 1.0)


def _positive(outcomes: Outcomes) -> Mask:
    return np.asarray(outcomes.truth == 1.0)


RATES: Final[tuple[ComparedRate, ...]] = (
    ComparedRate(
        name="selection rate",
        noun="row",
        members=lambda outcomes: np.ones(outcomes.rows, np.bool_),
        hits=_selected,
        max_gap=lambda limits: limits.max_selection_rate_gap,
        min_ratio=lambda limits: limits.min_selection_rate_ratio,
    ),
    ComparedRate(
        name="true positive rate",
        noun="positive",
        members=_positive,
        hits=_selected,
        max_gap=lambda limits: limits.max_error_rate_gap,
        min_ratio=lambda limits: limits.min_error_rate_ratio,
    ),
    ComparedRate(
        name="false positive rate",
        noun="negative",
        members=lambda outcomes: np.asarray(outcomes.truth == 0.0),
        hits=_selected,
        max_gap=lambda limits: limits.max_error_rate_gap,
        min_ratio=lambda limits: limits.min_error_rate_ratio,
    ),
    ComparedRate(
        name="precision",
        noun=PREDICTED,
        members=_selected,
        hits=_positive,
        max_gap=lambda limits: limits.max_precision_gap,
        min_ratio=lambda limits: limits.min_precision_ratio,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a rate came out by group.

    Args:
        large: Counts of the groups that were compared.
        small: Members of those with too few.
        gap: The largest difference; passing without a limit where policy sets none.
        ratio: The lowest rate over the highest, likewise.
    """

    large: Mapping[str, GroupCount]
    small: Mapping[str, int]
    gap: Finding
    ratio: Finding


def compare(candidate: ModelCandidate, attribute: str, rate: ComparedRate, *, least: int) -> Comparison:
    """Compare a rate between the groups of an attribute.

    Args:
        candidate: The model.
        attribute: Protected attribute, or several joined by ``&``.
        rate: What is compared.
        least: Fewest members for which a group is compared.
    """
    limits, outcomes = candidate.limits, candidate.on_holdout
    members, hits = rate.members(outcomes), rate.hits(outcomes)
    counts = {
        level: GroupCount(selected=int((rows & members & hits).sum()), total=int((rows & members).sum()))
        for level, rows in levels(candidate, attribute)
    }
    large = {level: group for level, group in counts.items() if group.total >= max(1, least)}
    max_gap, min_ratio = rate.max_gap(limits), rate.min_ratio(limits)
    # No gap is larger than 1 and no ratio smaller than 0: what policy does not limit is measured all the same.
    gap, *_ = rate_gap(
        large,
        limit=1.0 if max_gap is None else max_gap,
        min_group_size=1,
        confidence=limits.confidence,
        attribute=f"{attribute} {rate.name}",
        rate=rate.name,
    )
    ratio, *_ = rate_ratio(
        large,
        limit=0.0 if min_ratio is None else min_ratio,
        min_group_size=1,
        confidence=limits.confidence,
        attribute=f"{attribute} {rate.name} ratio",
        rate=rate.name,
    )
    return Comparison(
        large=large,
        small={level: group.total for level, group in counts.items() if level not in large},
        gap=only_measured(gap) if max_gap is None else gap,
        ratio=only_measured(ratio) if min_ratio is None else ratio,
    )


def only_measured(finding: Finding) -> Finding:
    """A finding for which policy sets no limit: shown, never in the way."""
    return replace(finding, limit=None, reason=f"{finding.reason}; measured only, as policy sets no limit")


def decisions(candidate: ModelCandidate, attribute: str, *, least: int) -> dict[str, DecisionCount]:
    """Count labels and decisions of each group that has enough rows."""
    outcomes = candidate.on_holdout
    positive, selected = _positive(outcomes), _selected(outcomes)
    return {
        level: DecisionCount(
            total=int(rows.sum()),
            positive=int((rows & positive).sum()),
            wrongly_selected=int((rows & selected & ~positive).sum()),
            missed=int((rows & positive & ~selected).sum()),
        )
        for level, rows in levels(candidate, attribute)
        if rows.sum() >= max(1, least)
    }
