"""A figure over windows drawn as SVG text, as measured and as estimated, and how many labels are known.

Colour carries no meaning alone: what was measured is a filled dot on a line, what is estimated a hollow diamond.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from aims_pipelines.reports.overlays import BLUE, GREY, GRID, SOFT
from aims_pipelines.stats.banding import nice

#: Most windows that are drawn: the last ones.
MOST_WINDOWS = 120
_WIDTH, _LEFT, _RIGHT, _TOP, _PLOT, _COVER = 920, 56, 16, 22, 220, 26
_RED = "#a11c1c"
_FONT = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'
_PALE = "#dfe3e9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is drawn of a window; ``None`` for what there is not. Intervals are low and high ends.

    Args:
        name: Written below.
        measured: The figure from labels.
        measured_interval: Its interval.
        estimated: The figure from scores.
        estimated_interval: Its interval.
        labels: Share of the labels that are known, in [0, 1].
        flag: Whether a triangle is drawn above.
    """

    name: str
    measured: float | None
    measured_interval: tuple[float, float] | None
    estimated: float | None
    estimated_interval: tuple[float, float] | None
    labels: float
    flag: bool


def performance_plot(marks: Sequence[Mark], *, label: str) -> str:
    """Draw the windows in order, the last ``MOST_WINDOWS`` of them.

    Args:
        marks: What is to be drawn.
        label: What the picture says, for those who do not see it.

    Returns:
        SVG text; empty where there is nothing to draw.
    """
    marks = marks[-MOST_WINDOWS:]
    ends = _ends(marks)
    if not marks or ends is None:
        return ""
    low, high, step = ends
    width = (_WIDTH - _LEFT - _RIGHT) / len(marks)

    def x(place: float) -> float:
        return _LEFT + (place + 0.5) * width

    def y(value: float) -> float:
        return _TOP + _PLOT * (1.0 - (min(max(value, low), high) - low) / (high - low))

    body = []
    for number in range(round((high - low) / step) + 1):
        at = low + number * step
        body.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(at):.1f}" y2="{y(at):.1f}" stroke="{GRID}"/>'
        )
        body.append(_text(_LEFT - 8, y(at) + 4, f"{at:.{_digits(step)}f}", anchor="end"))
    half = min(9.0, width * 0.42)
    line: list[str] = []
    for place, mark in enumerate(marks):
        middle = x(place)
        if mark.estimated_interval is not None:
            top, bottom = y(mark.estimated_interval[1]), y(mark.estimated_interval[0])
            body.append(
                f'<rect x="{middle - half:.1f}" y="{top:.1f}" width="{2 * half:.1f}" '
                f'height="{max(bottom - top, 1):.1f}" fill="{_PALE}"/>'
            )
        if mark.measured is not None:
            line.append(f"{middle:.1f},{y(mark.measured):.1f}")
    if len(line) > 1:
        body.append(f'<polyline points="{" ".join(line)}" fill="none" stroke="{BLUE}" stroke-width="1.4"/>')
    for place, mark in enumerate(marks):
        body += _drawn(mark, x(place), y, half)
    body += _below(marks, x, width)
    height = _TOP + _PLOT + _COVER + 34
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(label, quote=True)}" {_FONT}>' + "".join(body) + "</svg>"
    )


def swatch(kind: str) -> str:
    """A small picture for the legend: ``measured``, ``estimated``, ``range``, ``labels`` or ``flag``."""
    drawn = {
        "measured": f'<line x1="8" x2="8" y1="1" y2="15" stroke="{BLUE}"/>'
        f'<circle cx="8" cy="8" r="3.6" fill="{BLUE}"/>',
        "estimated": _diamond(8, 8),
        "range": f'<rect x="2" y="2" width="12" height="12" fill="{_PALE}"/>',
        "labels": f'<rect x="3" y="3" width="10" height="11" fill="{GREY}"/>',
        "flag": f'<path d="M3 3 L13 3 L8 12 Z" fill="{_RED}"/>',
    }[kind]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">'
        f"{drawn}</svg>"
    )


def _drawn(mark: Mark, x: float, y: Callable[[float], float], half: float) -> list[str]:
    body = []
    if mark.estimated is not None:
        body.append(_diamond(x, y(mark.estimated), min(5.0, half)))
    if mark.measured is not None:
        if mark.measured_interval is not None:
            low, high = mark.measured_interval
            body.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y(low):.1f}" y2="{y(high):.1f}" stroke="{BLUE}" '
                'stroke-width="1.3"/>'
            )
        fill = _RED if mark.flag else BLUE
        body.append(
            f'<circle cx="{x:.1f}" cy="{y(mark.measured):.1f}" r="{min(3.8, half):.1f}" fill="{fill}"/>'
        )
    if mark.flag:
        body.append(f'<path d="M{x - 5:.1f} 4 L{x + 5:.1f} 4 L{x:.1f} 13 Z" fill="{_RED}"/>')
    return body


def _below(marks: Sequence[Mark], x: Callable[[float], float], width: float) -> list[str]:
    """How much of the labels is known, and the names of some windows."""
    base = _TOP + _PLOT + 8 + _COVER
    body = [
        _text(_LEFT - 8, base - 8, "labels", anchor="end"),
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{base}" y2="{base}" stroke="{GRID}"/>',
    ]
    last = -math.inf
    for place, mark in enumerate(marks):
        tall = (_COVER - 6) * (mark.labels if math.isfinite(mark.labels) else 0.0)
        body.append(
            f'<rect x="{x(place) - width * 0.34:.1f}" y="{base - tall:.1f}" width="{width * 0.68:.1f}" '
            f'height="{tall:.1f}" fill="{GREY}"/>'
        )
        short = mark.name if len(mark.name) <= 14 else f"{mark.name[:13]}…"
        room = 6.6 * len(short) + 8
        if x(place) - room / 2 > last:
            body.append(_text(x(place), base + 16, short, anchor="middle"))
            last = x(place) + room / 2
    return body


def _ends(marks: Sequence[Mark]) -> tuple[float, float, float] | None:
    """Low end, high end and step of the scale."""
    values: list[float] = []
    for mark in marks:
        values += [one for one in (mark.measured, mark.estimated) if one is not None]
        for pair in (mark.measured_interval, mark.estimated_interval):
            values += pair or ()
    values = [value for value in values if math.isfinite(value)]
    if not values:
        return None
    low, high = min(values), max(values)
    step = nice(max(high - low, 0.01) / 4.0)
    start = math.floor(low / step) * step
    return start, max(math.ceil(high / step) * step, start + step), step


def _digits(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _diamond(x: float, y: float, size: float = 5.0) -> str:
    return (
        f'<path d="M{x:.1f} {y - size:.1f} L{x + size:.1f} {y:.1f} L{x:.1f} {y + size:.1f} L{x - size:.1f} {y:.1f} Z" '
        f'fill="#fff" stroke="{SOFT}" stroke-width="1.3"/>'
    )


def _text(x: float, y: float, text: str, *, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" fill="{SOFT}" text-anchor="{anchor}">{escape(text)}</text>'
