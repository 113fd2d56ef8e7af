"""Control charts as one self-contained HTML page that a manager understands and a printer prints."""

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

from aims_pipelines.core.verdict import Status
from aims_pipelines.measure.charting import StatisticChart, status_of
from aims_pipelines.reports.chart_picture import chart_picture
from aims_pipelines.reports.drift_page import environment
from aims_pipelines.reports.markup import safe_svg
from aims_pipelines.stats.control_charts import ChartKind, Point, State
from aims_pipelines.stats.expressions import FORMS

_MOST_ROWS = 24
_METHODS = {
    ChartKind.SHEWHART: "One window lies further off than chance explains.",
    ChartKind.EWMA: "An average in which newer windows weigh more lies further off than chance explains; a small "
    "shift that lasts is enough.",
    ChartKind.CUSUM: "What windows lie off adds up to more than chance explains; a small shift that lasts is enough.",
}


def chart_page(made: Sequence[StatisticChart], *, source: str, run_length: float, day: date) -> str:
    """Render the page.

    Args:
        made: The charts, over the same windows; at least one.
        source: How readers call what is charted.
        run_length: Windows up to a false alarm of all charts together.
        day: Day to print.

    Returns:
        HTML with no script and no reference to another file; under 50 kB a chart of a hundred windows.
    """
    status = status_of(made)
    first = made[0].chart
    return (
        environment()
        .get_template("chart.html.j2")
        .render(
            head=_headline(made),
            rests_on=_rests_on(made),
            status=status.value,
            word={
                Status.PASS: "in control",
                Status.FAIL: "in alarm",
                Status.INCONCLUSIVE: "cannot be told",
            }[status],
            source=source,
            windows=len(first.points),
            first=first.points[0].name if first.points else "–",
            last=first.points[-1].name if first.points else "–",
            day=day.isoformat(),
            charts=[_chart(item) for item in made],
            reference=first.reference,
            hysteresis=first.hysteresis,
            run_length=f"{run_length:,.6g}",
            method=_METHODS[first.kind],
        )
    )


def _headline(made: Sequence[StatisticChart]) -> str:
    told = {
        status: [item.statistic.text for item in made if item.chart.status is status] for status in Status
    }
    if told[Status.FAIL]:
        return f"{_listed(told[Status.FAIL])} {_is(told[Status.FAIL])} no longer as before"
    if told[Status.INCONCLUSIVE]:
        return f"Whether {_listed(told[Status.INCONCLUSIVE])} {_is(told[Status.INCONCLUSIVE])} as before cannot be told"
    return f"{_listed(told[Status.PASS])} {_is(told[Status.PASS])} as before"


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:3])
    if len(names) > 3:
        return f"{', '.join(shown)} and {len(names) - 3} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def _is(names: Sequence[str]) -> str:
    return "are" if len(names) > 1 else "is"


def _rests_on(made: Sequence[StatisticChart]) -> str:
    worst_first = sorted(
        made, key=lambda item: (Status.FAIL, Status.INCONCLUSIVE, Status.PASS).index(item.chart.status)
    )
    chart = worst_first[0].chart
    return f"{worst_first[0].statistic.text}: {chart.reason}."


def _chart(item: StatisticChart) -> dict[str, Any]:
    chart = item.chart
    picture = chart_picture(chart, title=item.statistic.text)
    return {
        "title": item.statistic.text,
        "sentence": f"{FORMS[item.statistic.measure][1].capitalize()}: {chart.reason}.",
        "remedy": chart.remedy,
        "picture": safe_svg(picture) if picture else "",
        "notes": chart.notes,
        "rows": [_row(point) for point in reversed(chart.points[-_MOST_ROWS:])],
        "more": max(0, len(chart.points) - _MOST_ROWS),
    }


def _row(point: Point) -> dict[str, str]:
    return {
        "name": point.name,
        "value": number(point.value),
        "centre": number(point.centre),
        "range": f"{number(point.low)} … {number(point.high)}" if math.isfinite(point.low) else "",
        "state": f"{point.state.value}: {point.reason}" if point.reason else _word(point),
        "style": point.state.value.replace(" ", "-"),
    }


def _word(point: Point) -> str:
    return {
        State.SIGNAL: "beyond the limits",
        State.RECOVERING: "within the limits, alarm lasts",
    }.get(point.state, point.state.value)


def number(value: float) -> str:
    """A figure for people; a dash where there is none."""
    return f"{value:,.5g}" if math.isfinite(value) else "–"
