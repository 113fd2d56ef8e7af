"""Control charts on a terminal, and for programs."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aims_pipelines.cli.answers import COLOURS
from aims_pipelines.cli.text_console import text_console
from aims_pipelines.core.verdict import Status

if TYPE_CHECKING:
    from aims_pipelines.measure.charting import StatisticChart
    from aims_pipelines.stats.control_charts import ControlChart, Point

_HEIGHT, _MARGIN, _FILE_WIDTH, _MOST_SIGNALS = 11, 13, 100, 12
_SIGNS = {"reference": "o", "in control": "*", "signal": "X", "recovering": "+", "unknown": "?"}


def text(made: "Sequence[StatisticChart]", *, run_length: float, to_file: bool) -> str:
    """A small picture of each chart and what it says; coloured only on a terminal."""
    console, written = text_console(to_file=to_file, file_width=_FILE_WIDTH)
    for item in made:
        chart = item.chart
        console.print(f"{item.statistic.text}: {len(chart.points)} windows", markup=False, style="bold")
        for line in picture(chart, width=console.width):
            console.print(line, markup=False, soft_wrap=True)
        for point in chart.signals[-_MOST_SIGNALS:]:
            said = f"{point.value:.6g} where {point.centre:.6g} was expected ({_off(point)})"
            console.print(f"signal: {point.name}: {said}", markup=False, style="red", soft_wrap=True)
        if len(chart.signals) > _MOST_SIGNALS:
            console.print(f"… and {len(chart.signals) - _MOST_SIGNALS} signals before.")
        for note in chart.notes:
            console.print(f"Note: {note}", markup=False, soft_wrap=True)
        if chart.remedy:
            console.print(f"Next: {chart.remedy}", markup=False, soft_wrap=True)
        console.print(
            f"{chart.status.value}: {chart.reason}",
            markup=False,
            style=COLOURS[chart.status],
            soft_wrap=True,
        )
        console.print("")
    first = made[0].chart
    console.print(
        f"{first.kind.value} over a reference of {first.reference}; "
        f"one false alarm in {run_length:,.6g} windows on average"
        + (" of all charts together" if len(made) > 1 else ""),
        style="dim",
    )
    return written.getvalue()


def _off(point: "Point") -> str:
    return f"{point.score:+.2f} standard deviations"


def picture(chart: "ControlChart", *, width: int) -> list[str]:
    """The newest windows as lines of text, a column each, the range of single windows between ``-``."""
    columns = max(5, min(len(chart.points), (width - _MARGIN - 1)))
    shown = chart.points[-columns:]
    wide = max(1, min(3, (width - _MARGIN - 1) // max(1, len(shown))))
    values = [point.value for point in shown if math.isfinite(point.value)]
    if not values:
        return []
    low, high = min(values), max(values)
    reach = high - low or abs(high) * 0.1 or 1.0
    ends = [end for point in shown for end in (point.low, point.high) if math.isfinite(end)]
    if ends:
        low, high = min(low, max(min(ends), low - reach)), max(high, min(max(ends), high + reach))
    if low == high:
        low, high = low - reach, high + reach

    def line(value: float) -> int:
        return round((_HEIGHT - 1) * (high - value) / (high - low))

    grid = [[" "] * (len(shown) * wide) for _ in range(_HEIGHT)]
    for place, point in enumerate(shown):
        at = place * wide + wide // 2
        for end in (point.low, point.high):
            if math.isfinite(end) and low <= end <= high:
                for column in range(place * wide, (place + 1) * wide):
                    grid[line(end)][column] = "-"
        known = math.isfinite(point.value)
        sign = _SIGNS["unknown"] if point.reason else _SIGNS[point.state.value]
        grid[line(point.value) if known else _HEIGHT - 1][at] = sign
    lines = []
    for number, row in enumerate(grid):
        mark = f"{high - (high - low) * number / (_HEIGHT - 1):.5g}" if number % 5 == 0 else ""
        lines.append(f"{mark:>{_MARGIN - 2}} |{''.join(row).rstrip()}")
    first, last = shown[0].name, shown[-1].name
    room = max(len(shown) * wide - len(last), len(first) + 1)
    lines.append(" " * _MARGIN + f"{first:<{room}}{last}")
    lines.append(
        " " * _MARGIN
        + "o reference  * in control  X signal  + alarm lasts  ? not known  - range of single windows"
    )
    return lines


def as_json(made: "Sequence[StatisticChart]", *, source: str, status: Status, run_length: float) -> str:
    """All that was found, for programs."""
    return (
        json.dumps(
            {
                "status": status.value,
                "source": source,
                "run_length": run_length,
                "charts": [_plain(item) for item in made],
            },
            indent=2,
            ensure_ascii=False,
            allow_nan=False,
        )
        + "\n"
    )


def _plain(item: "StatisticChart") -> dict[str, Any]:
    chart = item.chart
    return {
        "of": item.statistic.text,
        "status": chart.status.value,
        "reason": chart.reason,
        "remedy": chart.remedy,
        "chart": chart.kind.value,
        "run_length": chart.run_length,
        "limit": chart.limit,
        "reference": chart.reference,
        "hysteresis": chart.hysteresis,
        "signals": [point.name for point in chart.signals],
        "reference_faults": [
            {
                "windows": [chart.points[place].name for place in odd.windows],
                "change_of_level": odd.change,
                "p_value": odd.p_value,
            }
            for odd in chart.oddities
        ],
        "notes": list(chart.notes),
        "points": [
            {
                "name": point.name,
                "state": point.state.value,
                "alarm": point.alarm,
                "rows": point.rows,
                "reason": point.reason,
                **{
                    name: value if math.isfinite(value) else None
                    for name, value in (
                        ("value", point.value),
                        ("centre", point.centre),
                        ("low", point.low),
                        ("high", point.high),
                        ("score", point.score),
                        ("statistic", point.statistic),
                    )
                },
            }
            for point in chart.points
        ],
    }
