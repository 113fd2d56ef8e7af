"""What a first run would refuse, or the next one by chance: with its figure, for a person to decide about."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

from aims_pipelines.core.verdict import Finding, Status, Verdict

REVIEW_DAYS = 90
_FEW_ROWS = "The first table has few rows of this group: too few to judge it as closely as the others."
_HARDLY_ENOUGH = (
    "The first table has hardly more rows of this group than needed; the next may have fewer by chance."
)
_HARDLY_WITHIN = "The first table is hardly within the limit; the next may be over it by chance."
_GROUP_ROWS = "group rows"
_SHARE_UNITS = {"fraction", ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """A finding that a run would refuse, written out for a person to decide about.

    Args:
        dataset: Record that it belongs to; for a model, its system record.
        check: Check that found it.
        target: What was measured.
        measure: Name of the measure.
        observed: The measured value; ``None`` if there is none, so that it cannot be accepted.
        limit: The limit that it misses.
        tolerance: How much worse it may become before the gate shuts again.
        reason: Why it is accepted for now.
        finding: What the check said.
        remedy: What the check advised.
        review_by: Day on which a person must have looked at it.
        near: Whether it passes, but the next table of the same kind may not.
    """

    dataset: str
    check: str
    target: str
    measure: str
    observed: float | None
    limit: float | None
    tolerance: float
    reason: str
    finding: str
    remedy: str
    review_by: date
    near: bool = False

    @property
    def is_count(self) -> bool:
        """Whether it is about the size of a group."""
        return self.measure == _GROUP_ROWS


def shortfalls_of(
    subject: str,
    verdict: Verdict,
    *,
    today: date,
    reasons: Mapping[str, str],
    unshown: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Shortfall]:
    """List what a verdict does not pass, and what it passes so narrowly that chance may decide the next time.

    Args:
        subject: Record that it is about.
        verdict: The answer of one check.
        today: The day of the rehearsal.
        reasons: Per check whose shortfalls can be accepted, the words for it.
        unshown: Per check of which only that can be accepted which is within its limit, but on too few rows to show it,
            the words for it.
    """
    reason = reasons.get(verdict.check, "")
    for finding in verdict.problems:
        mine = reason or (unshown.get(verdict.check, "") if _is_unshown(finding) else "")
        yield _shortfall(subject, verdict.check, finding, today=today, reason=mine)
    if reason:
        for finding in verdict.findings:
            if finding.status is Status.PASS and _is_near(finding):
                yield _shortfall(subject, verdict.check, finding, today=today, reason=reason, near=True)


def reach(least: int) -> int:
    """The group size from which on the next table, too, will have ``least`` rows of the group, chance allowed for."""
    size = least
    while size - _chance(size) < least:
        size += 1
    return size


def _is_unshown(finding: Finding) -> bool:
    """Whether the figure itself is within its limit, and only the interval reaches across it."""
    if finding.status is not Status.INCONCLUSIVE or finding.observed is None or finding.limit is None:
        return False
    if _more_is_better(finding):
        return finding.observed >= finding.limit
    return finding.observed <= finding.limit


def _is_near(finding: Finding) -> bool:
    """Whether a finding that passes may fail in the next table by chance."""
    if finding.observed is None or finding.limit is None:
        return False
    if finding.measure == _GROUP_ROWS:
        return finding.observed - _chance(finding.observed) < finding.limit
    if finding.interval is None:
        return False
    # Half the interval beyond its end is a shift that chance brings about twice in a hundred times.
    room = finding.observed - finding.limit if _more_is_better(finding) else finding.limit - finding.observed
    return 0.0 < room < 1.25 * _width(finding.observed, finding.interval)


def _width(observed: float, interval: tuple[float, float]) -> float:
    """Width of an interval as its longer side tells it: the other may be cut off, as that of a gap is at 0."""
    low, high = interval
    return 2.0 * max(high - observed, observed - low)


def _more_is_better(finding: Finding) -> bool:
    from aims_pipelines.checks.accepted import MORE_IS_BETTER

    return finding.measure in MORE_IS_BETTER


def _chance(count: float) -> float:
    """Three standard deviations of the difference between two counts, each Poisson with this mean."""
    return math.ceil(3.0 * math.sqrt(2.0 * count))


def _shortfall(
    subject: str, check: str, finding: Finding, *, today: date, reason: str, near: bool = False
) -> Shortfall:
    acceptable = bool(reason) and finding.observed is not None and math.isfinite(finding.observed)
    observed = _rounded(finding.observed, finding) if acceptable and finding.observed is not None else None
    if finding.measure == _GROUP_ROWS:
        reason = _HARDLY_ENOUGH if near else _FEW_ROWS
    elif near:
        reason = _HARDLY_WITHIN
    return Shortfall(
        dataset=subject,
        check=check,
        target=finding.target,
        measure=finding.measure,
        observed=observed,
        limit=finding.limit,
        tolerance=_tolerance(observed, finding) if observed is not None else 0.0,
        reason=reason,
        finding=finding.reason,
        remedy=finding.remedy,
        review_by=today + timedelta(days=REVIEW_DAYS),
        near=near,
    )


def _rounded(value: float, finding: Finding) -> float:
    """Four decimals of a share, whole rows: as exact as a reader can use."""
    return round(value, 4) if finding.unit in _SHARE_UNITS else float(round(value))


def _tolerance(observed: float, finding: Finding) -> float:
    """Room for the chance differences between one batch and the next, not for a change.

    Where there is an interval, its width, by which two batches differ less than once in a hundred times; but no more
    than the limit is away from perfect. For a group's rows three standard deviations, but one row must be left. Else a
    tenth, of a share at least 0.01.
    """
    if finding.measure == _GROUP_ROWS:
        return max(0.0, min(observed - 1.0, _chance(observed)))
    if finding.unit == "rows":
        return float(math.ceil(observed / 5))
    if finding.interval is not None and all(map(math.isfinite, finding.interval)):
        width = _width(observed, finding.interval)
        if not finding.limit:
            return _up(width)
        return _up(min(width, 1.0 - finding.limit if _more_is_better(finding) else finding.limit))
    return _up(max(0.01, observed / 10)) if finding.unit in _SHARE_UNITS else float(math.ceil(observed / 10))


def _up(value: float) -> float:
    return math.ceil(value * 1000 - 1e-9) / 1000


def by_dataset(shortfalls: list[Shortfall], dataset: str) -> Iterator[Shortfall]:
    """Shortfalls of one dataset that can be accepted."""
    return (item for item in shortfalls if item.dataset == dataset and item.observed is not None)
