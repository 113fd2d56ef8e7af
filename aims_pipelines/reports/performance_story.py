"""A model in service in the words that people ask in: is it still right, since when not, and what is not known yet."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.control_charts import Point, State
from aims_pipelines.stats.estimates import Estimate
from aims_pipelines.stats.expected_performance import ASSUMPTIONS as OF_ESTIMATES
from aims_pipelines.stats.label_surprise import ERRORS, POSITIVES
from aims_pipelines.stats.performance_series import ASSUMPTION, PerformanceSeries
from aims_pipelines.stats.realised_performance import Measure
from aims_pipelines.stats.window_performance import WindowPerformance

CONFIDENCE = 0.95
#: Figures that are told of each window.
SHOWN = (Measure.ACCURACY, Measure.PRECISION, Measure.RECALL, Measure.ROC_AUC)
ASSUMPTIONS = (*OF_ESTIMATES, ASSUMPTION)
_MOST_NAMED = 5


class Basis(StrEnum):
    """What figures rest on."""

    MEASURED = "measured"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure and where it may lie.

    Args:
        value: The figure.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Such as ``0.82 (0.79–0.84)``, with as many digits as tell the ends apart."""
        return f"{self.short} ({self.range})"

    @property
    def short(self) -> str:
        """The figure alone."""
        return f"{self.value:.{self._digits}f}"

    @property
    def range(self) -> str:
        """Its interval."""
        return f"{self.low:.{self._digits}f}–{self.high:.{self._digits}f}"

    @property
    def _digits(self) -> int:
        return 3 if self.high - self.low < 0.02 else 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What is told of a window, or of a group in it.

    Args:
        window: Its name.
        group: The group, such as ``sex female``; empty for the whole window.
        rows: Rows with a score.
        labels: Share of them whose label is known.
        basis: What the figures rest on; ``None`` where there are none.
        figures: By measure.
        errors: Errors beyond those that the scores promise, a fraction; ``None`` if not told.
        positives: The same of positives.
        chart: What the chart says of the window; empty if it is not on it.
        status: The answer; ``None`` where labels are not due.
        reason: Why, if it did not pass.
        rows_needed: Labels that it would take to tell.
    """

    window: str
    group: str
    rows: int
    labels: str
    basis: Basis | None
    figures: Mapping[Measure, Figure]
    errors: float | None
    positives: float | None
    chart: str
    status: Status | None
    reason: str
    rows_needed: int | None

    @property
    def name(self) -> str:
        """Window and group."""
        return f"{self.window} ({self.group})" if self.group else self.window

    @property
    def answer(self) -> str:
        """The answer in a word."""
        return "not due" if self.status is None else self.status.value


def headline(series: PerformanceSeries) -> str:
    """The answer in one sentence."""
    due = len(series.due)
    if series.failures:
        where = _names([finding.target for finding in series.failures])
        return (
            "The same scores mean something else now (concept drift, or other cases behind them): "
            f"labels contradict them in {where}."
        )
    if not due:
        return "Nothing can be told yet: no labels are due."
    open_ones = [window.name for window in series.due if window.status is Status.INCONCLUSIVE]
    chart = series.chart
    if chart is not None and series.chart_tells and chart.status is Status.FAIL:
        text = f"The {series.charted} has moved: {chart.reason}."
        if not open_ones:
            text += " Labels are as the scores promise, so cases became harder or easier; the relation did not change."
        return text
    if series.untold and not open_ones:
        groupings = _names([finding.target for finding in series.untold])
        return f"It cannot be told within {groupings}: {series.untold[0].reason}."
    if open_ones:
        return f"It cannot be told yet for {len(open_ones)} of {_windows(due)} due: {_names(open_ones)}."
    if chart is not None and series.chart_tells and chart.status is Status.INCONCLUSIVE:
        return f"Labels are as the scores promise, but the chart cannot tell: {chart.reason}."
    control = f", and the {series.charted} is in control" if series.chart_tells else ""
    return f"Labels are as the scores promise in {_all(due)} due{control}. {_waiting(series)}".strip()


def next_step(series: PerformanceSeries) -> str:
    """What to do next; empty where everything passes."""
    problems = [*series.failures]
    problems += [
        finding
        for window in series.due
        for finding in window.findings
        if finding.status is Status.INCONCLUSIVE
    ]
    problems += series.untold
    chart = series.chart.remedy if series.chart is not None and series.chart_tells else ""
    return next((finding.remedy for finding in problems if finding.remedy), chart)


def lines(series: PerformanceSeries) -> list[Line]:
    """All windows in order."""
    states = {point.name: point for point in series.chart.points} if series.chart is not None else {}
    return [_line(window, states.get(window.name)) for window in series.windows]


def group_lines(series: PerformanceSeries) -> list[Line]:
    """All windows in order within each group."""
    return [
        _line(window, None, f"{grouping} {level}")
        for grouping, levels in series.groups.items()
        for level, windows in levels.items()
        for window in windows
    ]


def telling(found: Sequence[Line]) -> list[Line]:
    """Of each group the windows that failed, the last one measured, and the last one."""
    kept = []
    for group in dict.fromkeys(line.group for line in found):
        mine = [line for line in found if line.group == group]
        measured = [line for line in mine if line.basis is Basis.MEASURED]
        kept += [
            line
            for line in mine
            if line.status is Status.FAIL or line is mine[-1] or (measured and line is measured[-1])
        ]
    return kept


def remarks(series: PerformanceSeries) -> list[str]:
    """What a reader ought to know besides."""
    found = []
    if series.refusal is not None:
        needed = (
            f"; it would take about {series.refusal.rows_needed:,} rows" if series.refusal.rows_needed else ""
        )
        found.append(
            f"Nothing is estimated, as {series.refusal.reason}{needed}. {series.refusal.remedy}".strip()
        )
    else:
        reasons = {
            why.reason: window.name
            for window in series.windows
            if (why := window.expected.refusals.get("accuracy")) is not None
        }
        found += [
            f"Nothing is estimated of {window}: {reason}." for reason, window in list(reasons.items())[:3]
        ]
    if series.chart is not None and not series.chart_tells:
        found.append(
            f"The chart begins to judge with {series.chart.reference + 1} windows that have their labels; "
            f"there are {len(series.chart.points)}."
        )
    elif series.chart is not None:
        found += series.chart.notes
    lost = sum(window.unscored for window in (series.reference, *series.windows))
    if lost:
        found.append(f"{lost:,} rows without a score are left out.")
    return found


def points(value: float | None) -> str:
    """A difference of shares with its sign, in percentage points."""
    return "" if value is None else f"{100 * value:+.1f} pt"


def figure(estimate: Estimate) -> Figure | None:
    """An estimate with its interval; ``None`` if there is none."""
    if not estimate.known:
        return None
    low, high = estimate.interval(CONFIDENCE)
    return Figure(value=estimate.value, low=low, high=high)


def expected(window: WindowPerformance, measure: Measure) -> Figure | None:
    """What the scores let expect; ``None`` if nothing."""
    if measure is Measure.ERROR_RATE:
        right = figure(window.expected.figures["accuracy"])
        return (
            None if right is None else Figure(value=1 - right.value, low=1 - right.high, high=1 - right.low)
        )
    estimate = window.expected.figures.get(measure.value)
    return None if estimate is None else figure(estimate)


def _line(window: WindowPerformance, point: Point | None, group: str = "") -> Line:
    basis = Basis.MEASURED if window.mature else Basis.ESTIMATED
    figures = {
        measure: found
        for measure in SHOWN
        if (found := figure(window.realised[measure]) if window.mature else expected(window, measure))
        is not None
    }
    by_measure = {finding.measure: finding for finding in window.findings}
    problem = _worst(window.findings)
    return Line(
        window=window.name,
        group=group,
        rows=window.rows,
        labels="–" if math.isnan(window.coverage) else f"{window.coverage:.0%}",
        basis=basis if figures else None,
        figures=figures,
        errors=by_measure[ERRORS].observed if ERRORS in by_measure else None,
        positives=by_measure[POSITIVES].observed if POSITIVES in by_measure else None,
        chart="" if point is None else _CHART[point.state],
        status=None if window.pending else window.status,
        reason="" if problem is None else problem.reason,
        rows_needed=None if problem is None else problem.rows_needed,
    )


_CHART = {
    State.REFERENCE: "baseline",
    State.IN_CONTROL: "in control",
    State.SIGNAL: "signal",
    State.RECOVERING: "recovering",
    State.UNKNOWN: "unknown",
}


def _worst(findings: Sequence[Finding]) -> Finding | None:
    problems = [finding for finding in findings if finding.status is not Status.PASS]
    return min(
        problems,
        key=lambda finding: (finding.status is not Status.FAIL, -(finding.rows_needed or 0)),
        default=None,
    )


def _waiting(series: PerformanceSeries) -> str:
    count = len(series.windows) - len(series.due)
    return (
        ""
        if not count
        else "1 more window waits for labels."
        if count == 1
        else f"{count} more windows wait for labels."
    )


def _names(names: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - _MOST_NAMED} more" if len(distinct) > _MOST_NAMED else ""
    return ", ".join(distinct[:_MOST_NAMED]) + more


def _windows(count: int) -> str:
    return f"{count} {'window' if count == 1 else 'windows'}"


def _all(count: int) -> str:
    return "the one window" if count == 1 else f"all {count} windows"
