"""Two distributions drawn over each other as SVG text: the reference in grey, the current table in blue.

Drawn here, so that the same profiles give the same bytes on every machine. Colour carries no meaning alone: the
reference is a filled area or a hollow bar, the current table an outline or a full bar.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.banding import nice
from aims_pipelines.stats.profile import ColumnProfile, Distribution, Kind

INK, SOFT, GRID, GREY, BLUE = "#1f2937", "#5b6472", "#e3e7ed", "#b8c0cc", "#2b5fb8"
_WIDTH, _LEFT, _RIGHT, _TOP, _PLOT = 430, 44, 12, 8, 132
_BINS = 36
_MOST_BARS = 7
_FEWEST_SHOWN = 10
FONT = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A share before and now.

    Args:
        name: What it is the share of.
        before: In the reference, in [0, 1].
        after: In the current table, in [0, 1].
    """

    name: str
    before: float
    after: float


def values_plot(before: ColumnProfile, after: ColumnProfile, *, named: bool) -> str:
    """Draw the values of a column.

    Args:
        before: The column in the reference.
        after: The column in the current table.
        named: Whether its categories may be named; they are numbered by size otherwise.

    Returns:
        SVG text; empty where there is nothing to draw, such as texts that hardly ever repeat.
    """
    if before.categories is not None and after.categories is not None:
        return bars(category_bars(before, after, named=named))
    one, other = before.distribution, after.distribution
    if one is None or other is None or not one.total or not other.total:
        return ""
    points = np.union1d(one.points, other.points)
    if before.kind is Kind.NUMERIC and one.exact and other.exact and len(points) <= _MOST_BARS:
        return bars(
            [Bar(name=f"{at:g}", before=_share(one, at), after=_share(other, at)) for at in points.tolist()]
        )
    return _areas(before, one, other)


def category_bars(before: ColumnProfile, after: ColumnProfile, *, named: bool) -> list[Bar]:
    """Shares of the most frequent categories, and of all others together; none where they are too many."""
    one, other = before.categories, after.categories
    if one is None or other is None or not (one.exact and other.exact):
        return []
    totals = max(sum(one.counts.values()), 1), max(sum(other.counts.values()), 1)
    shares = {
        name: (one.counts.get(name, 0) / totals[0], other.counts.get(name, 0) / totals[1])
        for name in {*one.counts, *other.counts}
    }
    # The largest, and those that moved most.
    order = sorted(
        shares, key=lambda name: (-max(shares[name]) - 4 * abs(shares[name][1] - shares[name][0]), name)
    )
    kept = order if len(order) <= _MOST_BARS else order[: _MOST_BARS - 1]
    kept = sorted(kept, key=lambda name: (-shares[name][0], -shares[name][1], name))
    found = [
        Bar(
            name=name
            if named and one.counts.get(name, 0) + other.counts.get(name, 0) >= _FEWEST_SHOWN
            else f"value {place}",
            before=shares[name][0],
            after=shares[name][1],
        )
        for place, name in enumerate(kept, 1)
    ]
    if rest := order[len(kept) :]:
        sums = [sum(shares[name][side] for name in rest) for side in (0, 1)]
        found.append(Bar(name=f"{len(rest)} others", before=sums[0], after=sums[1]))
    return found


def bars(shares: Sequence[Bar]) -> str:
    """Draw pairs of horizontal bars with their percentages; empty for none."""
    if not shares:
        return ""
    names, row = 128, 34
    room = _WIDTH - names - 58
    largest = max(max(item.before, item.after) for item in shares) or 1.0
    body = []
    for place, item in enumerate(shares):
        y = _TOP + place * row
        body.append(_text(names - 8, y + 17, _short(item.name, 19), anchor="end", fill=INK, size=12))
        for offset, value, fill, edge in ((2, item.before, "#dfe3e9", GREY), (14, item.after, BLUE, BLUE)):
            width = max(room * value / largest, 0.8)
            body.append(
                f'<rect x="{names}" y="{y + offset}" width="{width:.1f}" height="10" fill="{fill}" stroke="{edge}" '
                'stroke-width="0.8"/>'
            )
            body.append(_text(names + width + 5, y + offset + 9, percent(value), size=10.5))
    label = "; ".join(
        f"{item.name}: {percent(item.before)} before, {percent(item.after)} now" for item in shares
    )
    return _svg(_TOP + row * len(shares), body, label)


def _areas(column: ColumnProfile, one: Distribution, other: Distribution) -> str:
    """Histograms of both over the range that holds nearly all values."""
    ends = _range(one, other)
    if ends is None:
        return ""
    low, high, width = ends
    edges = np.asarray(low + width * np.arange(round((high - low) / width) + 1), dtype=np.float64)
    heights = [_histogram(side, edges) for side in (one, other)]
    tallest = max(float(side.max()) for side in heights) or 1.0
    span = float(edges[-1] - edges[0])

    def x(value: float) -> float:
        return _LEFT + (value - low) / span * (_WIDTH - _LEFT - _RIGHT)

    def y(share: float) -> float:
        return _TOP + _PLOT * (1 - share / tallest)

    body = []
    for part in (0.0, 0.5, 1.0):
        body.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(part * tallest):.1f}" y2="{y(part * tallest):.1f}" '
            f'stroke="{GRID}"/>'
        )
        body.append(_text(_LEFT - 6, y(part * tallest) + 4, percent(part * tallest), anchor="end", size=10.5))
    outlines = []
    for side in heights:
        steps = [f"{x(low):.1f},{y(0):.1f}"]
        for place, share in enumerate(side.tolist()):
            steps += [f"{x(edges[place]):.1f},{y(share):.1f}", f"{x(edges[place + 1]):.1f},{y(share):.1f}"]
        outlines.append(" ".join([*steps, f"{x(float(edges[-1])):.1f},{y(0):.1f}"]))
    body.append(f'<polygon points="{outlines[0]}" fill="#dfe3e9" stroke="{GREY}" stroke-width="1"/>')
    body.append(f'<polyline points="{outlines[1]}" fill="none" stroke="{BLUE}" stroke-width="1.8"/>')
    last = 2 if column.kind is Kind.TEMPORAL else 4
    for place in range(last + 1):
        at = low + span * place / last
        anchor = "start" if place == 0 else "end" if place == last else "middle"
        body.append(_text(x(at), _TOP + _PLOT + 16, _tick(at, column, span), anchor=anchor, size=10.5))
    return _svg(_TOP + _PLOT + 24, body, f"distribution of {column.name} before and now")


def _range(one: Distribution, other: Distribution) -> tuple[float, float, float] | None:
    """Low end, high end and width of bins that hold all but one in two hundred values at either end."""
    lows, highs = zip(*(_ends(side) for side in (one, other)), strict=True)
    low, high = float(min(lows)), float(max(highs))
    if not (math.isfinite(high - low) and math.isfinite(low)):
        return None
    if high == low:
        high = low + (abs(low) or 1.0) * 0.1
    whole = all(bool((side.points % 1 == 0).all()) for side in (one, other) if side.exact)
    width = nice((high - low) / _BINS * 2)
    if whole and one.exact and other.exact:
        width = max(1.0, round(width))
    start = math.floor(low / width) * width
    count = math.floor((high - start) / width) + 1
    return start, start + width * count, width


def _ends(side: Distribution) -> tuple[float, float]:
    finite = np.isfinite(side.points)
    points, counts = side.points[finite], side.counts[finite]
    if not len(points):
        return math.inf, -math.inf
    reached = np.cumsum(counts) / counts.sum()
    last = len(points) - 1
    low, high = (min(int(np.searchsorted(reached, at)), last) for at in (0.005, 0.995))
    return float(points[low]), float(points[high])


def _histogram(side: Distribution, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    places = np.searchsorted(edges, side.points, side="right") - 1
    inside = (places >= 0) & (places < len(edges) - 1)
    counts = np.bincount(places[inside], weights=side.counts[inside], minlength=len(edges) - 1)
    return np.asarray(counts / max(side.total, 1), dtype=np.float64)


def _share(side: Distribution, at: float) -> float:
    return float(side.counts[side.points == at].sum()) / max(side.total, 1)


def percent(share: float) -> str:
    """A share as people read it."""
    value = 100 * share
    if value and abs(value) < 0.1:
        return "< 0.1 %"
    return f"{value:.0f} %" if abs(value) >= 9.95 else f"{value:.1f} %".replace(".0 ", " ")


def _tick(value: float, column: ColumnProfile, span: float) -> str:
    if column.kind is not Kind.TEMPORAL:
        return (
            f"{value:,.0f}"
            if abs(value) >= 1000 or (span >= 20 and value == round(value))
            else f"{value:.4g}"
        )
    try:
        moment = datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return ""
    return moment.strftime("%H:%M" if span < 2 * 86400 else "%Y-%m-%d")


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _text(x: float, y: float, text: str, *, size: float, anchor: str = "start", fill: str = SOFT) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{fill}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _svg(height: float, body: Sequence[str], label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(label, quote=True)}" {FONT}>' + "".join(body) + "</svg>"
    )
