"""A model in service, window by window: estimated before labels come, measured when they have, judged as a series.

Two questions are asked of the windows whose labels are known well enough. *Do the labels contradict the scores?* is
held against the reference, and tells concept drift from the first window on. *Did the figure move from window to
window?* is asked by a control chart, which finds slow drift too, and also sees harder cases, which are no concept
drift.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from aims_pipelines.core.verdict import Finding, Status, worst
from aims_pipelines.stats.banding import level_order
from aims_pipelines.stats.calibration_map import CalibrationMap, Refusal, calibrate
from aims_pipelines.stats.control_charts import ControlChart, Scale, control_chart
from aims_pipelines.stats.estimates import Estimate
from aims_pipelines.stats.expected_performance import ExpectedPerformance, expected_performance
from aims_pipelines.stats.intervals import simultaneous
from aims_pipelines.stats.label_surprise import judge, surprises
from aims_pipelines.stats.realised_performance import Measure, realised_performance, standard_error
from aims_pipelines.stats.score_table import ScoreTable

#: If not stated: share of labels from which a window is judged, tolerated difference, first windows of a chart.
COVERAGE, TOLERANCE, BASELINE = 0.8, 0.05, 10
CHARTED = (Measure.ERROR_RATE, Measure.LOG_LOSS, Measure.ROC_AUC)
#: What judging by late labels takes for granted.
ASSUMPTION = "The rows of a window whose labels are known are like its other rows with the same score."


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPerformance:
    """What is known of a window, or of a group in it.

    Args:
        name: How readers call the window.
        rows: Rows with a score.
        unscored: Rows without one.
        coverage: Share of the scored rows whose label is known; NaN without rows.
        mature: Whether that is enough to judge by.
        pending: Whether its labels are not due yet.
        realised: By measure, from the known labels.
        expected: What the scores let expect of all rows.
        findings: Judgements of the labels against the scores.
    """

    name: str
    rows: int
    unscored: int
    coverage: float
    mature: bool
    pending: bool
    realised: Mapping[Measure, Estimate]
    expected: ExpectedPerformance
    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status:
        """The worst of its findings."""
        return worst(finding.status for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceSeries:
    """All windows, and what they say together.

    Args:
        reference: What is known of the labelled reference.
        windows: In order of time.
        groups: By grouping and level, the same windows within the group.
        charted: What is on the chart.
        chart: The windows that have their labels, in order; ``None`` where there are none.
        refusal: Why the reference says nothing of scores, if it does not.
        coverage: Share of labels from which a window is judged.
        tolerance: Largest acceptable difference between labels and scores.
        confidence: Coverage of all intervals of differences together.
    """

    reference: WindowPerformance
    windows: tuple[WindowPerformance, ...]
    groups: Mapping[str, Mapping[str, tuple[WindowPerformance, ...]]] = field(default_factory=dict)
    charted: Measure = Measure.ERROR_RATE
    chart: ControlChart | None = None
    refusal: Refusal | None = None
    coverage: float = COVERAGE
    tolerance: float = TOLERANCE
    confidence: float = 0.95

    @property
    def due(self) -> tuple[WindowPerformance, ...]:
        """Windows that are judged: those whose labels are due."""
        return tuple(window for window in self.windows if not window.pending)

    @property
    def chart_tells(self) -> bool:
        """Whether enough windows have their labels for the chart to judge any."""
        return self.chart is not None and len(self.chart.points) > self.chart.reference

    @property
    def failures(self) -> tuple[Finding, ...]:
        """Where labels contradict scores, in groups too."""
        everywhere = [*self.due]
        for levels in self.groups.values():
            everywhere += [window for windows in levels.values() for window in windows]
        return tuple(
            finding for window in everywhere for finding in window.findings if finding.status is Status.FAIL
        )

    @property
    def status(self) -> Status:
        """Fail if labels contradict scores somewhere, or the chart is in alarm; pass if every window due passes.

        A chart of too few windows does not count. A group can fail the whole, but one too small to tell does not
        keep it from passing.
        """
        if self.failures:
            return Status.FAIL
        answers = [window.status for window in self.due]
        if self.chart is not None and self.chart_tells:
            answers.append(self.chart.status)
        return worst(answers)


def performance_series(
    reference: ScoreTable,
    windows: Mapping[str, ScoreTable],
    *,
    reference_groups: Mapping[str, Mapping[str, ScoreTable]] | None = None,
    groups: Mapping[str, Mapping[str, Mapping[str, ScoreTable]]] | None = None,
    pending: int = 0,
    coverage: float = COVERAGE,
    tolerance: float = TOLERANCE,
    confidence: float = 0.95,
    charted: Measure = Measure.ERROR_RATE,
    baseline: int = BASELINE,
) -> PerformanceSeries:
    """Estimate, measure and judge the windows of a model in service.

    Args:
        reference: Scores and labels of the window that the scores are calibrated on.
        windows: Score tables by name, in order of time, with the labels that are known by now.
        reference_groups: By grouping and level, the same of the reference within groups.
        groups: By window, grouping and level, the same of the windows.
        pending: The last windows whose labels are not due yet; they are estimated, not judged.
        coverage: Share of a window's labels that must be known for it to be judged, in (0, 1].
        tolerance: Largest acceptable difference between labels and scores, a fraction in (0, 1).
        confidence: Coverage of the intervals of all windows together (Bonferroni), and of all groups together.
        charted: One of ``CHARTED``.
        baseline: First judged windows that the chart takes as in control, at least 5.

    Raises:
        ValueError: A figure is out of its range, or there are no windows.
    """
    if not windows or not 0.0 < coverage <= 1.0 or not 0.0 < tolerance < 1.0 or pending < 0:
        raise ValueError("windows, a coverage in (0, 1], a tolerance in (0, 1) and pending windows from 0")
    learnt = _learnt(reference, coverage)
    names = list(windows)
    late = set(names[max(0, len(names) - pending) :])
    level = simultaneous(confidence, 2 * (len(names) - len(late)))
    judging = _Judging(coverage, tolerance, level)
    whole = tuple(judging.window(name, windows[name], learnt, pending=name in late) for name in names)
    known = [window for window in whole if window.mature and not window.pending]
    within = groups or {}
    told = sum(len(levels) for name in names if name not in late for levels in within.get(name, {}).values())
    judging_groups = _Judging(coverage, tolerance, simultaneous(confidence, 2 * told))
    return PerformanceSeries(
        reference=judging.window("reference", reference, learnt, pending=True),
        windows=whole,
        groups=judging_groups.groups(names, late, reference_groups or {}, within),
        charted=charted,
        chart=_chart(known, charted, baseline) if known else None,
        refusal=learnt if isinstance(learnt, Refusal) else None,
        coverage=coverage,
        tolerance=tolerance,
        confidence=confidence,
    )


@dataclass(frozen=True, slots=True)
class _Judging:
    """The terms on which windows are judged."""

    coverage: float
    tolerance: float
    confidence: float

    def window(
        self,
        name: str,
        table: ScoreTable,
        learnt: CalibrationMap | Refusal,
        *,
        pending: bool,
        target: str = "",
    ) -> WindowPerformance:
        mature = table.coverage >= self.coverage  # NaN is not
        return WindowPerformance(
            name=name,
            rows=table.rows,
            unscored=table.unscored,
            coverage=table.coverage,
            mature=mature,
            pending=pending,
            realised=realised_performance(table),
            expected=expected_performance(table, learnt),
            findings=() if pending else self._findings(table, learnt, target or name, mature=mature),
        )

    def groups(
        self,
        names: Sequence[str],
        late: Collection[str],
        reference: Mapping[str, Mapping[str, ScoreTable]],
        groups: Mapping[str, Mapping[str, Mapping[str, ScoreTable]]],
    ) -> dict[str, dict[str, tuple[WindowPerformance, ...]]]:
        """The windows within each group, calibrated on the group's own rows of the reference."""
        found: dict[str, dict[str, tuple[WindowPerformance, ...]]] = {}
        for grouping in dict.fromkeys(one for name in names for one in groups.get(name, {})):
            levels = {level for name in names for level in groups.get(name, {}).get(grouping, {})}
            found[grouping] = {}
            for level in sorted(levels, key=level_order):
                own = reference.get(grouping, {}).get(level)
                learnt = _NO_GROUP if own is None else _learnt(own, self.coverage)
                found[grouping][level] = tuple(
                    self.window(
                        name,
                        groups[name][grouping][level],
                        learnt,
                        pending=name in late,
                        target=f"{name}, {grouping} {level}",
                    )
                    for name in names
                    if level in groups.get(name, {}).get(grouping, {})
                )
        return found

    def _findings(
        self, table: ScoreTable, learnt: CalibrationMap | Refusal, target: str, *, mature: bool
    ) -> tuple[Finding, ...]:
        if not mature:
            share = (
                f"{table.coverage:.0%} of the labels are known" if table.rows else "there are no scored rows"
            )
            needed = math.ceil(self.coverage * table.rows) if table.rows else None
            return (_open(target, f"{share}, {self.coverage:.0%} are needed", needed, "Wait for labels."),)
        found = learnt if isinstance(learnt, Refusal) else surprises(table, learnt)
        if isinstance(found, Refusal):
            return (_open(target, found.reason, found.rows_needed, found.remedy),)
        return tuple(
            judge(one, target=target, tolerance=self.tolerance, confidence=self.confidence) for one in found
        )


_NO_GROUP = Refusal(
    reason="the reference has no rows of this group", remedy="Take a reference that holds such rows."
)


def _open(target: str, reason: str, needed: int | None, remedy: str) -> Finding:
    return Finding(
        target=target,
        measure="labels against scores",
        status=Status.INCONCLUSIVE,
        reason=reason,
        rows_needed=needed,
        remedy=remedy,
    )


def _learnt(reference: ScoreTable, coverage: float) -> CalibrationMap | Refusal:
    if reference.rows and reference.coverage < coverage:
        return Refusal(
            reason=f"{reference.coverage:.0%} of the labels of the reference are known, {coverage:.0%} are needed",
            rows_needed=math.ceil(coverage * reference.rows),
            remedy="Take a reference window whose labels have come.",
        )
    return calibrate(reference)


def _chart(windows: list[WindowPerformance], charted: Measure, baseline: int) -> ControlChart:
    figures = [window.realised[charted] for window in windows]
    rates = charted is Measure.ERROR_RATE
    return control_chart(
        [figure.value for figure in figures],
        errors=None if rates else [standard_error(figure) for figure in figures],
        rows=[figure.n for figure in figures],
        names=[window.name for window in windows],
        scale=Scale.RATE if rates else Scale.PLAIN,
        reference=baseline,
    )
