"""A control chart drawn as SVG text: values with the range of single windows, and below what is held against limits.

The same chart gives the same bytes. Colour carries no meaning alone: signals are diamonds, what is unknown is a
question mark, windows of the reference are hollow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from aims_pipelines.reports.overlays import BLUE, GREY, GRID, INK, SOFT
from aims_pipelines.stats.control_charts import ChartKind, ControlChart, Point, State

_WIDTH, _LEFT, _RIGHT = 920, 64, 16
_VALUES, _STATISTIC, _GAP, _TOP, _BOTTOM = 190, 110, 34, 18, 30
_RED, _PALE, _BAND = "#a11c1c", "#f3f5f8", "#dfe9f7"
_FONT = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'
_TICKS = 7
_MARK, _FEWEST_WIDE = 3.2, 2.0
_NAMES = {ChartKind.EWMA: "weighted average", ChartKind.CUSUM: "cumulative sum"}


@dataclass(frozen=True, slots=True)
class _Panel:
    """Where values lie on the page."""

    top: float
    height: float
    low: float
    high: float

    def y(self, value: float) -> float:
        part = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.top + self.height * (1.0 - part)


def chart_picture(chart: ControlChart, *, title: str) -> str:
    """Draw a chart.

    Args:
        chart: What to draw.
        title: What is charted, for those who do not see the picture.

    Returns:
        SVG text; empty where no window is known.
    """
    known = [point.value for point in chart.points if math.isfinite(point.value)]
    if not known:
        return ""
    count = len(chart.points)
    step = (_WIDTH - _LEFT - _RIGHT) / count
    xs = [_LEFT + (place + 0.5) * step for place in range(count)]
    upper = _values_panel(chart, known)
    body = [_reference(chart, step, upper.top, upper.height), *_scale(upper), *_band(chart, xs, step, upper)]
    body += _line(xs, [point.value for point in chart.points], upper, BLUE)
    size = min(_MARK, 0.45 * step)
    body += [
        _mark(
            point,
            x,
            upper.y(point.value) if math.isfinite(point.value) else upper.top + upper.height - 6,
            size,
        )
        for point, x in zip(chart.points, xs, strict=True)
        if step >= _FEWEST_WIDE or point.state is not State.IN_CONTROL
    ]
    bottom = upper.top + upper.height
    if chart.kind is not ChartKind.SHEWHART:
        lower = _statistic_panel(chart, bottom + _GAP)
        body += [_reference(chart, step, lower.top, lower.height, named=False), *_limits(chart, lower)]
        body += _line(xs, [point.statistic for point in chart.points], lower, INK)
        body += [
            _mark(point, x, lower.y(point.statistic), size)
            for point, x in zip(chart.points, xs, strict=True)
            if point.state is State.SIGNAL
        ]
        bottom = lower.top + lower.height
    body += _names([point.name for point in chart.points], xs, bottom + 16)
    signals = [point.name for point in chart.signals]
    said = ", ".join(signals[:12]) + (f" and {len(signals) - 12} more" if len(signals) > 12 else "")
    label = f"{title} over {count} windows. Beyond the limits: {said or 'none'}. The table says the same in numbers."
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + _BOTTOM:.0f}" role="img" '
        f'aria-label="{escape(label, quote=True)}" {_FONT}>' + "".join(body) + "</svg>"
    )


def _values_panel(chart: ControlChart, known: Sequence[float]) -> _Panel:
    """Room for all values, and for the range of single windows unless that is far wider."""
    low, high = min(known), max(known)
    ends = [end for point in chart.points for end in (point.low, point.high) if math.isfinite(end)]
    if ends:
        reach = 1.5 * max(high - low, 1e-300)
        low, high = min(low, max(min(ends), low - reach)), max(high, min(max(ends), high + reach))
    room = 0.06 * (high - low) or abs(high) * 0.1 or 1.0
    return _Panel(_TOP, _VALUES, low - room, high + room)


def _statistic_panel(chart: ControlChart, top: float) -> _Panel:
    sizes = [abs(point.statistic) for point in chart.points if math.isfinite(point.statistic)]
    most = min(max([*sizes, chart.limit]), 3.0 * chart.limit) * 1.12
    return _Panel(top, _STATISTIC, -most, most)


def _reference(chart: ControlChart, step: float, top: float, height: float, *, named: bool = True) -> str:
    """The windows of the reference, shaded."""
    width = step * min(chart.reference, len(chart.points))
    name = f'<text x="{_LEFT + 4}" y="{top - 5:.1f}" font-size="11" fill="{SOFT}">reference</text>'
    box = f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{height}" fill="{_PALE}"/>'
    return box + name if named else box


def _scale(panel: _Panel) -> list[str]:
    drawn = []
    for value in _nice(panel.low, panel.high):
        y = panel.y(value)
        drawn.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" font-size="11" fill="{SOFT}" text-anchor="end">{value:,.6g}</text>'
        )
    return drawn


def _nice(low: float, high: float) -> list[float]:
    """Up to six round values within a range."""
    raw = (high - low) / 5
    if not 0.0 < raw < math.inf:
        return []
    power = 10.0 ** math.floor(math.log10(raw))
    size = next(power * part for part in (1, 2, 5, 10) if power * part >= raw)
    first = math.ceil(low / size)
    return [size * number for number in range(first, math.floor(high / size) + 1)]


def _band(chart: ControlChart, xs: Sequence[float], step: float, panel: _Panel) -> list[str]:
    """The range that single windows seldom leave, and the expected value within it; a step for each window."""
    boxes, centres = [], []
    for point, x in zip(chart.points, xs, strict=True):
        if not math.isfinite(point.centre):
            continue
        left, top, bottom = x - step / 2, panel.y(point.high), panel.y(point.low)
        boxes.append(f"M{left:.1f} {top:.1f}h{step:.1f}V{bottom:.1f}h-{step:.1f}z")
        centres.append(f"M{left:.1f} {panel.y(point.centre):.1f}h{step:.1f}")
    return [
        f'<path d="{"".join(boxes)}" fill="{_BAND}"/>',
        f'<path d="{"".join(centres)}" stroke="{GREY}" fill="none"/>',
    ]


def _limits(chart: ControlChart, panel: _Panel) -> list[str]:
    drawn = [
        f'<text x="{_LEFT + 4}" y="{panel.top - 5:.1f}" font-size="11" fill="{SOFT}">{_NAMES[chart.kind]} of what '
        "windows lie off, in standard deviations, and its limits</text>"
    ]
    for value in (chart.limit, 0.0, -chart.limit):
        y = panel.y(value)
        colour, dashes = (_RED, ' stroke-dasharray="5 4"') if value else (GREY, "")
        drawn.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}"{dashes}/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" font-size="11" fill="{SOFT}" text-anchor="end">{value:.3g}</text>'
        )
    return drawn


def _line(xs: Sequence[float], values: Sequence[float], panel: _Panel, colour: str) -> list[str]:
    """A line from window to window, broken where a value is missing."""
    path, pen = [], "M"
    for x, value in zip(xs, values, strict=True):
        if not math.isfinite(value):
            pen = "M"
            continue
        path.append(f"{pen}{x:.1f} {panel.y(value):.1f}")
        pen = "L"
    return [f'<path d="{"".join(path)}" stroke="{colour}" stroke-width="1.3" fill="none"/>'] if path else []


def _mark(point: Point, x: float, y: float, size: float) -> str:
    if point.state is State.UNKNOWN or point.reason:
        return f'<text x="{x:.1f}" y="{y + 4:.1f}" font-size="13" fill="{SOFT}" text-anchor="middle">?</text>'
    if point.state is State.SIGNAL:
        r = max(2.0, 1.9 * size)
        return f'<path d="M{x:.1f} {y - r:.1f}l{r:.1f} {r:.1f}l-{r:.1f} {r:.1f}l-{r:.1f} -{r:.1f}z" fill="{_RED}"/>'
    fill = BLUE if point.state is State.IN_CONTROL else "#fff"
    edge = _RED if point.state is State.RECOVERING else BLUE
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" fill="{fill}" stroke="{edge}" stroke-width="1.4"/>'
    )


def _names(names: Sequence[str], xs: Sequence[float], y: float) -> list[str]:
    """Names of the first, the last, and some windows between."""
    count = len(names)
    places = sorted({round(part * (count - 1) / max(1, _TICKS - 1)) for part in range(_TICKS)})
    drawn = []
    for place in places:
        anchor = (
            "start" if place == 0 and count > 1 else "end" if place == count - 1 and count > 1 else "middle"
        )
        name = names[place] if len(names[place]) <= 18 else f"…{names[place][-17:]}"
        drawn.append(
            f'<text x="{xs[place]:.1f}" y="{y:.1f}" font-size="11" fill="{SOFT}" text-anchor="{anchor}">'
            f"{escape(name)}</text>"
        )
    return drawn
