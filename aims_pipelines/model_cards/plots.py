"""The card's plots as SVG text, drawn here so that the same figures give the same bytes on every machine.

Colours carry no meaning alone: lines differ in dash, marks in shape, and each plot has a text alternative.
"""

from collections.abc import Sequence
from html import escape

from aims_pipelines.model_cards.document import SMALLEST_CELL, Bin, GroupFigures, Histogram, Rate

INK = "#1f2937"
SOFT = "#6b7280"
GRID = "#e5e7eb"
BLUE = "#2b5fb8"
PALE = "#dbe7f7"
GREY = "#9ca3af"
_FONT = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'
_LEFT, _TOP, _SIDE = 52, 14, 250
_ROW, _PANEL, _NAMES = 26, 150, 190


def roc(points: Sequence[tuple[float, float]]) -> str:
    """The ROC curve over the diagonal of a coin toss."""
    line = " ".join(f"{_x(a)},{_y(b)}" for a, b in points)
    area = f"{_x(0)},{_y(0)} {line} {_x(1)},{_y(0)}"
    body = [
        *_frame("share of the others wrongly flagged", "share of the positives found"),
        _line(_x(0), _y(0), _x(1), _y(1), stroke=GREY, dash="4 4"),
        f'<polygon points="{area}" fill="{PALE}" opacity="0.6"/>',
        f'<polyline points="{line}" fill="none" stroke="{BLUE}" stroke-width="2.2" stroke-linejoin="round"/>',
        _text(_x(0.62), _y(0.54), "coin toss", size=11, fill=SOFT),
    ]
    return _square(body, "ROC curve: share of positives found against share of others wrongly flagged")


def calibration(bins: Sequence[Bin], *, outcome: str) -> str:
    """What happened against what was predicted, with intervals; the diagonal is perfect."""
    low, high = _range([value for item in bins for value in (item.x, item.low, item.high)])
    body = [
        *_frame(f"predicted {outcome}", f"observed {outcome}", low=low, high=high),
        _line(_x(0), _y(0), _x(1), _y(1), stroke=GREY, dash="4 4"),
    ]
    place = [
        ((item.x - low) / (high - low), [(v - low) / (high - low) for v in (item.y, item.low, item.high)])
        for item in bins
    ]
    line = " ".join(f"{_x(x)},{_y(y)}" for x, (y, _, _) in place)
    body.append(f'<polyline points="{line}" fill="none" stroke="{BLUE}" stroke-width="1.4" opacity="0.7"/>')
    for x, (y, bottom, top) in place:
        body.append(_line(_x(x), _y(bottom), _x(x), _y(top), stroke=BLUE, width=1.4))
        body.append(f'<circle cx="{_x(x)}" cy="{_y(y)}" r="3.6" fill="{BLUE}"/>')
    return _square(body, "Calibration: observed against predicted, the diagonal is perfect")


def scores(histogram: Histogram, *, positive: str, axis: str) -> str:
    """How scores (or errors) are distributed, by what the cases really were."""
    kinds = [(histogram.negatives, GREY, "others"), (histogram.positives, BLUE, positive)]
    if not histogram.positives:
        kinds = [(histogram.negatives, BLUE, "")]
    low, high = histogram.edges[0], histogram.edges[-1]
    shares = [_shares(counts) for counts, _, _ in kinds]
    tallest = max((value for share in shares for value in share), default=0.0) or 1.0
    body = _frame(axis, "share of cases", low=low, high=high, top=tallest)
    for share, (_, colour, _) in zip(shares, kinds, strict=True):
        for index, value in enumerate(share):
            left = (histogram.edges[index] - low) / (high - low)
            right = (histogram.edges[index + 1] - low) / (high - low)
            width = (right - left) * _SIDE - 1
            body.append(
                f'<rect x="{_x(left)}" y="{_y(value / tallest)}" width="{_number(width)}" '
                f'height="{_number(_SIDE * value / tallest)}" fill="{colour}" opacity="0.62"/>'
            )
    if histogram.positives:
        for row, (_, colour, name) in enumerate(kinds):
            y = _TOP + 10 + 16 * row
            body.append(
                f'<rect x="{_LEFT + _SIDE - 96}" y="{y - 8}" width="10" height="10" fill="{colour}" opacity="0.75"/>'
            )
            body.append(_text(_LEFT + _SIDE - 82, y + 1, _short(name, 14), size=11))
    return _square(
        body,
        "Distribution of the model's scores by real outcome"
        if histogram.positives
        else "Distribution of errors",
    )


def groups(rows: Sequence[GroupFigures], *, metric: str, positive: str) -> str:
    """Every group of one attribute: its figures with intervals, one panel a measure."""
    panels: list[tuple[str, str]] = [("metric", metric)]
    if any(row.selection_rate for row in rows):
        panels += [
            ("selection_rate", f"predicted {_short(positive, 10)}"),
            ("true_positive_rate", "positives found"),
            ("false_positive_rate", "others wrongly flagged"),
        ]
    if any(row.precision for row in rows):
        panels.append(("precision", "of those, right"))
    width = _NAMES + len(panels) * (_PANEL + 24)
    height = 34 + _ROW * len(rows) + 26
    body: list[str] = []
    for index, row in enumerate(rows):
        y = 34 + _ROW * index + _ROW / 2
        if index % 2 == 0:
            body.append(
                f'<rect x="0" y="{_number(y - _ROW / 2)}" width="{width}" height="{_ROW}" fill="#f8fafc"/>'
            )
        size = f"< {SMALLEST_CELL}" if row.rows is None else f"{row.rows:,}"
        body.append(_text(6, y + 4, _short(row.level, 22), size=12.5))
        body.append(_text(_NAMES - 16, y + 4, size, size=11, fill=SOFT, anchor="end"))
    for place, (name, title) in enumerate(panels):
        left = _NAMES + place * (_PANEL + 24)
        known = [rate for row in rows if (rate := getattr(row, name)) is not None]
        low, high = _range(
            [value for rate in known for value in (rate.low, rate.high)], zero=name != "metric"
        )
        body.append(_text(left + _PANEL / 2, 18, title, size=12, weight=600, anchor="middle"))
        body.extend(_panel(rows, name, left=left, low=low, high=high, bottom=height - 26))
    return _svg(
        width,
        height,
        body,
        f"Figures of each group, with intervals: {', '.join(title for _, title in panels)}",
    )


def _panel(
    rows: Sequence[GroupFigures], name: str, *, left: int, low: float, high: float, bottom: float
) -> list[str]:
    body: list[str] = []
    for value in _ticks(low, high, 3):
        x = left + _PANEL * (value - low) / (high - low)
        body.append(_line(x, 28, x, bottom, stroke=GRID))
        body.append(_text(x, bottom + 15, _tick(value), size=10.5, fill=SOFT, anchor="middle"))
    for index, row in enumerate(rows):
        y = 34 + _ROW * index + _ROW / 2
        rate: Rate | None = getattr(row, name)
        if rate is None:
            body.append(
                _text(left + _PANEL / 2, y + 4, "too few cases", size=10.5, fill=SOFT, anchor="middle")
            )
            continue
        ends = [
            left + _PANEL * (min(max(value, low), high) - low) / (high - low)
            for value in (rate.low, rate.high)
        ]
        at = left + _PANEL * (rate.value - low) / (high - low)
        body.append(_line(ends[0], y, ends[1], y, stroke=BLUE, width=3, opacity=0.45))
        body.append(f'<circle cx="{_number(at)}" cy="{_number(y)}" r="4.2" fill="{BLUE}"/>')
    return body


def _square(body: list[str], label: str) -> str:
    return _svg(_LEFT + _SIDE + 14, _TOP + _SIDE + 44, body, label)


def _frame(
    x_title: str, y_title: str, *, low: float = 0.0, high: float = 1.0, top: float | None = None
) -> list[str]:
    """Grid, ticks and titles of a square plot. ``top`` sets the y-axis apart from the x-axis, starting at 0."""
    body: list[str] = []
    for value in _ticks(low, high, 5):
        at = (value - low) / (high - low)
        body.append(_line(_x(at), _y(0), _x(at), _y(1), stroke=GRID))
        body.append(_text(_x(at), _y(0) + 16, _tick(value), size=10.5, fill=SOFT, anchor="middle"))
    bottom, ceiling = (low, high) if top is None else (0.0, top)
    for value in _ticks(bottom, ceiling, 5):
        at = (value - bottom) / (ceiling - bottom)
        body.append(_line(_x(0), _y(at), _x(1), _y(at), stroke=GRID))
        body.append(_text(_x(0) - 7, _y(at) + 3.5, _tick(value), size=10.5, fill=SOFT, anchor="end"))
    middle = _TOP + _SIDE / 2
    body.append(_text(_LEFT + _SIDE / 2, _TOP + _SIDE + 36, x_title, size=12, anchor="middle"))
    body.append(
        f'<text transform="translate(12 {_number(middle)}) rotate(-90)" font-size="12" fill="{INK}" '
        f'text-anchor="middle">{escape(y_title)}</text>'
    )
    return body


def _ticks(low: float, high: float, wanted: int) -> list[float]:
    """Round values between two ends, about as many as wanted."""
    from math import ceil, floor, log10

    raw = (high - low) / wanted
    size = 10.0 ** floor(log10(raw))
    step = min((factor * size for factor in (1, 2, 2.5, 5, 10)), key=lambda item: abs(item - raw))
    first = ceil(low / step - 1e-9)
    last = floor(high / step + 1e-9)
    return [round(step * index, 12) for index in range(first, last + 1)]


def _range(values: Sequence[float], *, zero: bool = False) -> tuple[float, float]:
    """Ends of an axis that hold all values with a little room."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    if zero:
        low = min(low, 0.0)
    room = (high - low) * 0.06 or 0.05
    return (low if zero else low - room), high + room


def _shares(counts: Sequence[int | None]) -> list[float]:
    total = sum(count or 0 for count in counts)
    return [(count or 0) / total if total else 0.0 for count in counts]


def _x(share: float) -> float:
    return round(_LEFT + _SIDE * share, 2)


def _y(share: float) -> float:
    return round(_TOP + _SIDE * (1 - share), 2)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _tick(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    *,
    stroke: str,
    width: float = 1,
    dash: str = "",
    opacity: float = 1,
) -> str:
    ends = " ".join(
        f'{name}="{_number(value)}"' for name, value in (("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2))
    )
    extra = f' stroke-dasharray="{dash}"' if dash else ""
    extra += f' opacity="{opacity}" stroke-linecap="round"' if opacity != 1 else ""
    return f'<line {ends} stroke="{stroke}" stroke-width="{_number(width)}"{extra}/>'


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: float,
    fill: str = INK,
    anchor: str = "start",
    weight: int = 400,
) -> str:
    bold = f' font-weight="{weight}"' if weight != 400 else ""
    return (
        f'<text x="{_number(x)}" y="{_number(y)}" font-size="{_number(size)}" fill="{fill}" '
        f'text-anchor="{anchor}"{bold}>{escape(text)}</text>'
    )


def _svg(width: int, height: float, body: Sequence[str], label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_number(height)}" role="img" '
        f'aria-label="{escape(label, quote=True)}" {_FONT}>' + "".join(body) + "</svg>"
    )
