"""Control charts: what the record watches over time is still in control with this candidate as the newest window.

The charting is :mod:`aims_pipelines.measure.charting`. Here a published version beyond the limits counts as looked
into, as it was let through: sums begin again after it, and it does not by itself keep later candidates out.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from aims_pipelines.checks.candidate import Answer, Candidate, Inapplicable
from aims_pipelines.checks.wording import count
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.expressions import VALUED, Statistic, parse_statistic

if TYPE_CHECKING:
    from aims_pipelines.measure.charting import StatisticChart
    from aims_pipelines.records.dataset_record import ControlCharts
    from aims_pipelines.stats.profile import Profile

_CANDIDATE = "the candidate"
_REMEDY = (
    "Find out what changed. If it is to stay, set 'since' of the record's control charts to the day on which a new "
    "reference begins."
)


def judge(candidate: Candidate) -> Answer:
    """Chart each declared statistic over the published versions and the candidate."""
    declared = candidate.record.control_charts
    if declared is None:
        return Inapplicable(reason="the record declares no control charts")
    series = _series(candidate)
    made = _charts(series, declared)
    findings = tuple(_judged(item, _never_occurs(item.statistic, series)) for item in made)
    before = len(series) - 1
    if before >= declared.reference:
        return findings
    unknown = tuple(
        replace(finding, reason=f"{_CANDIDATE} cannot be judged: {reason}", remedy="Look at the table.")
        for finding, item in zip(findings, made, strict=True)
        if (reason := item.chart.points[-1].reason)
    )
    return unknown or Inapplicable(
        reason=f"{before} of the {count(declared.reference, 'version')} that make the reference are published; "
        "this one joins them"
    )


def charts_of(candidate: Candidate) -> "tuple[StatisticChart, ...]":
    """The charts of a candidate whose record declares some, over the published versions and the candidate.

    Raises:
        RowsNotKept: Of a candidate of the past: the profile of an earlier version is not there.
    """
    declared = candidate.record.control_charts
    return () if declared is None else _charts(_series(candidate), declared)


def _series(candidate: Candidate) -> "dict[str, Profile | None]":
    """Profiles of the published versions and, last, of the candidate."""
    history = list(candidate.history)
    while history and history[-1].digest == candidate.digest:
        history.pop()  # the same rows once more are no new window
    return {**{window.name: window.profile() for window in history}, _CANDIDATE: candidate.profile}


def _charts(
    series: "Mapping[str, Profile | None]", declared: "ControlCharts"
) -> "tuple[StatisticChart, ...]":
    from aims_pipelines.measure.charting import Charting, charted
    from aims_pipelines.stats.run_lengths import ChartKind

    how = Charting(
        kind=ChartKind(declared.chart),
        run_length=declared.run_length,
        reference=declared.reference,
        hysteresis=1,
        smoothing=declared.smoothing,
        allowance=declared.allowance,
        restart=True,
    )
    return charted(series, [parse_statistic(text) for text in declared.statistics], how)


def _never_occurs(statistic: Statistic, series: "Mapping[str, Profile | None]") -> bool:
    """Whether the value that a statistic counts is in no window, as if misspelt."""
    from aims_pipelines.measure.charting import value_occurs

    if statistic.measure not in VALUED:
        return False
    columns = [
        profile.columns[statistic.column]
        for profile in series.values()
        if profile is not None and statistic.column in profile.columns
    ]
    return value_occurs(statistic, columns) is False


def _judged(item: "StatisticChart", never: bool) -> Finding:
    chart, point = item.chart, item.chart.points[-1]
    known = math.isfinite(point.statistic)
    status, reason, remedy = chart.status, chart.reason, chart.remedy
    if status is Status.FAIL:
        remedy = _REMEDY
    elif never:
        status, reason = Status.INCONCLUSIVE, "the value occurs in no version, so there is nothing to watch"
        remedy = "Correct the value in the record, or take the statistic out."
    return Finding(
        target=item.statistic.text,
        measure=f"{chart.kind.value} of the standard scores",
        status=status,
        reason=reason,
        observed=abs(point.statistic) if known else None,
        limit=chart.limit,
        unit="standard deviations",
        n=point.rows,
        remedy=remedy,
    )
