"""A model in service as one self-contained HTML page: what was measured, what is estimated, what labels say."""

from datetime import date
from typing import Any

from aims_pipelines.core.verdict import Status
from aims_pipelines.reports import performance_story as story
from aims_pipelines.reports.chart_picture import chart_picture
from aims_pipelines.reports.drift_page import environment
from aims_pipelines.reports.markup import safe_svg
from aims_pipelines.reports.performance_plot import MOST_WINDOWS, Mark, performance_plot, swatch
from aims_pipelines.stats.performance_series import PerformanceSeries
from aims_pipelines.stats.realised_performance import Measure
from aims_pipelines.stats.window_performance import WindowPerformance

_MOST_GROUP_LINES = 200
_WORDS = {
    Status.PASS: "still right",
    Status.FAIL: "something changed",
    Status.INCONCLUSIVE: "it cannot be told yet",
}
_HEADINGS = {Measure.ROC_AUC: "ROC AUC"}
_LEGEND = (
    ("measured", "measured by labels, with its 95 % interval"),
    ("estimated", "estimated from scores"),
    ("range", "its 95 % interval"),
    ("labels", "share of labels that are known"),
    ("flag", "labels contradict scores, or the chart is in alarm"),
)


def performance_page(series: PerformanceSeries, *, day: date) -> str:
    """Render the page.

    Args:
        series: What was found.
        day: Day to print.

    Returns:
        HTML with no script and no reference to another file.
    """
    groups = story.group_lines(series)
    return (
        environment()
        .get_template("performance.html.j2")
        .render(
            head=story.headline(series),
            next_step=story.next_step(series),
            status=series.status.value,
            word=_WORDS[series.status],
            day=day.isoformat(),
            reference_rows=series.reference.rows,
            windows=len(series.windows),
            due=len(series.due),
            threshold=f"{series.threshold:g}",
            tolerance=f"{100 * series.tolerance:g}",
            coverage=f"{100 * series.coverage:g}",
            charted=_HEADINGS.get(series.charted, series.charted.value.capitalize()),
            picture=safe_svg(_picture(series)),
            chart=safe_svg(chart_picture(series.chart, title=series.charted.value))
            if series.chart is not None and series.chart_tells
            else "",
            chart_reason=series.chart.reason if series.chart is not None else "",
            legend=[(safe_svg(swatch(kind)), words) for kind, words in _LEGEND],
            hidden=max(0, len(series.windows) - MOST_WINDOWS),
            measures=[_HEADINGS.get(measure, measure.value.capitalize()) for measure in story.SHOWN],
            lines=[_row(line) for line in story.lines(series)],
            groups=[_row(line) for line in groups[:_MOST_GROUP_LINES]],
            groups_more=max(0, len(groups) - _MOST_GROUP_LINES),
            remarks=story.remarks(series),
            assumptions=story.ASSUMPTIONS,
            run_length=f"{series.chart.run_length:g}" if series.chart is not None else "",
        )
    )


def _row(line: story.Line) -> dict[str, Any]:
    needed = f" It would take about {line.rows_needed:,} rows with labels." if line.rows_needed else ""
    return {
        "group": line.group,
        "window": line.window,
        "rows": f"{line.rows:,}",
        "labels": line.labels,
        "estimated": line.basis is story.Basis.ESTIMATED,
        "figures": [line.figures.get(measure) for measure in story.SHOWN],
        "errors": story.points(line.errors),
        "positives": story.points(line.positives),
        "chart": line.chart,
        "status": "waits" if line.status is None else line.status.value,
        "answer": line.answer,
        "reason": f"{line.reason}.{needed}" if line.reason else "",
    }


def _picture(series: PerformanceSeries) -> str:
    points = {point.name: point for point in series.chart.points} if series.chart is not None else {}
    marks = []
    for window in series.windows:
        point = points.get(window.name)
        measured = story.figure(window.realised[series.charted]) if window.mature else None
        expected = story.expected(window, series.charted)
        marks.append(
            Mark(
                name=window.name,
                measured=None if measured is None else measured.value,
                measured_interval=None if measured is None else (measured.low, measured.high),
                estimated=None if expected is None else expected.value,
                estimated_interval=None if expected is None else (expected.low, expected.high),
                labels=window.coverage,
                flag=_flagged(window) or (point is not None and point.alarm),
            )
        )
    flagged = [mark.name for mark in marks if mark.flag]
    what = ", ".join(flagged[:12]) + (f" and {len(flagged) - 12} more" if len(flagged) > 12 else "")
    label = (
        f"The {series.charted} of {len(marks)} windows in order, measured and estimated. "
        f"Flagged: {what or 'none'}. The table below says the same in numbers."
    )
    return performance_plot(marks, label=label)


def _flagged(window: WindowPerformance) -> bool:
    return any(finding.status is Status.FAIL for finding in window.findings)
