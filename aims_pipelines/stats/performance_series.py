"""A model in service, window by window: estimated before labels come, measured when they have, judged as a series.

Two questions are asked of the windows whose labels are known well enough. *Do the labels contradict the scores?* is
held against the reference, and tells concept drift from the first window on. *Did the figure move from window to
window?* is asked by a control chart, which finds slow drift too, and also sees harder cases, which are no concept
drift.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aims_pipelines.core.verdict import Finding, Status, worst
from aims_pipelines.stats.calibration_map import Refusal
from aims_pipelines.stats.control_charts import ControlChart, Scale, control_chart
from aims_pipelines.stats.realised_performance import Measure, standard_error
from aims_pipelines.stats.score_table import ScoreTable
from aims_pipelines.stats.window_performance import (
    Tables,
    Terms,
    WindowPerformance,
    describe,
    judge_groups,
    judge_windows,
    learn,
)

#: If not stated: share of labels from which a window is judged, tolerated difference, first windows of a chart.
COVERAGE, TOLERANCE, BASELINE = 0.8, 0.05, 10
#: Largest share of a grouping's rows that may stand in groups too small to tell.
MOST_UNTOLD = 0.1
_MOST_NAMED = 5
CHARTED = (Measure.ERROR_RATE, Measure.LOG_LOSS, Measure.ROC_AUC)
#: What judging by late labels takes for granted.
ASSUMPTION = "The rows of a window whose labels are known are like its other rows with the same score."


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceSeries:
    """All windows, and what they say together.

    Args:
        reference: What is known of the labelled reference.
        windows: In order of time.
        threshold: Scores at or above it are decided as positive.
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
    threshold: float
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
        inside = [
            window for levels in self.groups.values() for windows in levels.values() for window in windows
        ]
        return tuple(
            finding
            for window in (*self.windows, *inside)
            for finding in window.findings
            if finding.status is Status.FAIL
        )

    @property
    def untold(self) -> tuple[Finding, ...]:
        """Groupings in which groups too small to tell hold too many of the rows whose labels are due."""
        return tuple(
            finding
            for grouping, levels in self.groups.items()
            if (finding := _untold(grouping, levels)) is not None
        )

    @property
    def status(self) -> Status:
        """Fail if labels contradict scores somewhere, or the chart is in alarm; pass if every window due passes.

        A chart of too few windows does not count. A group can fail the whole; groups too small to tell keep it from
        passing where they hold more than ``MOST_UNTOLD`` of the rows.
        """
        if self.failures:
            return Status.FAIL
        answers = [*(window.status for window in self.due), *(finding.status for finding in self.untold)]
        if self.chart is not None and self.chart_tells:
            answers.append(self.chart.status)
        return worst(answers)


def performance_series(
    reference: ScoreTable,
    windows: Tables,
    *,
    reference_groups: Mapping[str, Tables] | None = None,
    groups: Mapping[str, Mapping[str, Tables]] | None = None,
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
    terms = Terms(coverage=coverage, tolerance=tolerance, confidence=confidence)
    learnt = learn(reference, terms)
    names = list(windows)
    late = set(names[max(0, len(names) - pending) :])
    whole = judge_windows(windows, learnt, terms, pending=late)
    known = [window for window in whole if window.mature and not window.pending]
    return PerformanceSeries(
        reference=describe("reference", reference, learnt, terms),
        windows=whole,
        threshold=reference.threshold,
        groups=judge_groups(groups or {}, reference_groups or {}, terms, pending=late),
        charted=charted,
        chart=_chart(known, charted, baseline) if known else None,
        refusal=learnt if isinstance(learnt, Refusal) else None,
        coverage=coverage,
        tolerance=tolerance,
        confidence=confidence,
    )


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


def _untold(grouping: str, levels: Mapping[str, Sequence[WindowPerformance]]) -> Finding | None:
    due = [(level, window) for level, windows in levels.items() for window in windows if not window.pending]
    unable = [(level, window) for level, window in due if window.status is Status.INCONCLUSIVE]
    rows = sum(window.rows for _, window in due)
    share = sum(window.rows for _, window in unable) / rows if rows else 0.0
    if share <= MOST_UNTOLD:
        return None
    names = list(dict.fromkeys(level for level, _ in unable))
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return Finding(
        target=grouping,
        measure="share of rows in groups that cannot be judged",
        status=Status.INCONCLUSIVE,
        reason=f"groups that hold {share:.0%} of the rows cannot be judged by themselves: "
        f"{', '.join(names[:_MOST_NAMED])}{more}",
        observed=share,
        limit=MOST_UNTOLD,
        unit="fraction",
        n=rows,
        rows_needed=max(
            (item.rows_needed or 0 for _, window in unable for item in window.findings), default=0
        )
        or None,
        remedy=next(item.remedy for item in unable[0][1].findings if item.status is not Status.PASS),
    )
