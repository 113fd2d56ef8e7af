"""How far apart the groups of the holdout are, for the card: what the checks compare, and by which limits."""

from collections.abc import Iterator

from aims_pipelines.checks.model_calibration import promised
from aims_pipelines.checks.model_candidate import ModelCandidate
from aims_pipelines.checks.model_rates import RATES, compare, decisions
from aims_pipelines.core.verdict import Finding
from aims_pipelines.model_cards.document import SMALLEST_CELL, Comparison, Rate
from aims_pipelines.stats.amplification import largest_growth
from aims_pipelines.stats.calibration import worst_calibrated


def comparisons(candidate: ModelCandidate) -> tuple[Comparison, ...]:
    """Compare the groups of each attribute. Groups too small to be named or judged take no part."""
    if not candidate.on_holdout.binary:
        return ()
    return tuple(item for attribute in candidate.groups for item in _attribute(candidate, attribute))


def _attribute(candidate: ModelCandidate, attribute: str) -> Iterator[Comparison]:
    limits = candidate.limits
    least = max(limits.min_group_size, SMALLEST_CELL)
    for rate in RATES:
        compared = compare(candidate, attribute, rate, least=least)
        if len(compared.large) < 2:
            continue
        by_rate = sorted(compared.large, key=lambda level: compared.large[level].rate)
        yield Comparison(
            attribute=attribute,
            measure=rate.name,
            lowest=by_rate[0],
            highest=by_rate[-1],
            gap=_measured(compared.gap),
            ratio=_measured(compared.ratio),
            max_gap=rate.max_gap(limits),
            min_ratio=rate.min_ratio(limits),
        )
    grown = largest_growth(decisions(candidate, attribute, least=least), confidence=limits.confidence)
    if grown is not None:
        low, high = grown.interval
        yield Comparison(
            attribute=attribute,
            measure="bias amplification",
            lowest=grown.less,
            highest=grown.more,
            gap=Rate(value=grown.value, low=low, high=high),
            max_gap=limits.max_bias_amplification,
        )
    worst = worst_calibrated(promised(candidate, attribute, least=least), confidence=limits.confidence)
    if worst is not None:
        low, high = worst.interval
        yield Comparison(
            attribute=attribute,
            measure="group calibration",
            lowest=worst.group,
            ratio=Rate(value=worst.value, low=low, high=high),
            min_ratio=limits.min_group_calibration_ratio,
        )


def _measured(finding: Finding) -> Rate | None:
    if finding.observed is None or finding.interval is None:
        return None
    low, high = finding.interval
    return Rate(value=finding.observed, low=low, high=high)
