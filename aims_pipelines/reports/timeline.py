"""Answers over time drawn as SVG text: a row a check, a column a window. The same answers give the same bytes.

Colour carries no meaning alone: the better an answer, the lower its bar; what was not replayed is hollow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from itertools import groupby

from aims_pipelines.reports.overlays import GRID, INK, SOFT

#: Most columns that are drawn; of more windows, several share one.
MOST_COLUMNS = 150
_WIDTH, _LEFT, _RIGHT, _ROW, _BAR = 920, 190, 14, 24, 16
_TOP, _BOTTOM = 16, 26
_FEWEST_WIDE = 6
_FONT = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'


class Mark(StrEnum):
    """What is drawn for an answer; a column of several windows shows the first of these that is among them."""

    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    UNKNOWN = "unknown"
    WARNED = "warned"
    STANDS = "stands"
    PASS = "pass"  # noqa: S105 - an answer, not a password
    NONE = "none"


_RED, _AMBER, _GREEN, _GREY = "#a11c1c", "#c98a1b", "#3d8a63", "#8b95a3"
# Height in parts of the bar, fill, outline.
_LOOKS = {
    Mark.FAIL: (1.0, _RED, _RED),
    Mark.INCONCLUSIVE: (0.7, _AMBER, _AMBER),
    Mark.UNKNOWN: (1.0, "#fff", _GREY),
    Mark.WARNED: (0.5, "#fff", _RED),
    Mark.STANDS: (0.3, "#fff", _GREEN),
    Mark.PASS: (0.3, _GREEN, _GREEN),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the picture.

    Args:
        name: What it shows.
        marks: One a window.
        strong: Whether its name stands out.
    """

    name: str
    marks: Sequence[Mark]
    strong: bool = False


def timeline(rows: Sequence[Row], *, names: Sequence[str], flagged: Sequence[bool], label: str) -> str:
    """Draw answers over time.

    Args:
        rows: The rows; each has as many marks as there are windows.
        names: Name of each window, such as its day, of which some are written below.
        flagged: Which windows get a triangle above them.
        label: What the picture says, for those who do not see it.

    Returns:
        SVG text; empty where there are no windows.
    """
    if not names:
        return ""
    columns = min(len(names), MOST_COLUMNS)
    starts = [place * len(names) // columns for place in range(columns + 1)]
    step = (_WIDTH - _LEFT - _RIGHT) / columns
    body = []
    for place in range(columns):
        if any(flagged[starts[place] : starts[place + 1]]):
            x = _LEFT + (place + 0.5) * step
            body.append(f'<path d="M{x - 4:.1f} 3 L{x + 4:.1f} 3 L{x:.1f} 11 Z" fill="{INK}"/>')
    for number, row in enumerate(rows):
        base = _TOP + number * _ROW + _BAR
        body.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{base + 0.5}" y2="{base + 0.5}" stroke="{GRID}"/>'
        )
        fill, weight = (INK, ' font-weight="600"') if row.strong else (SOFT, "")
        body.append(
            f'<text x="{_LEFT - 10}" y="{base - 2}" font-size="12" fill="{fill}" text-anchor="end"{weight}>'
            f"{escape(row.name)}</text>"
        )
        shown = [_worst(row.marks[starts[place] : starts[place + 1]]) for place in range(columns)]
        body += _bars(shown, base, step)
    body += _ticks(names, starts[:-1], step, _TOP + len(rows) * _ROW + 12)
    height = _TOP + len(rows) * _ROW + _BOTTOM
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(label, quote=True)}" {_FONT}>' + "".join(body) + "</svg>"
    )


def swatch(mark: Mark) -> str:
    """A small bar for the legend."""
    part, fill, edge = _LOOKS[mark]
    height = _BAR * part
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 12 {_BAR + 1}" width="12" height="{_BAR + 1}" '
        f'aria-hidden="true"><rect x="1" y="{_BAR - height + 0.5:.1f}" width="10" height="{height:.1f}" '
        f'fill="{fill}" stroke="{edge}"/></svg>'
    )


def _worst(marks: Sequence[Mark]) -> Mark:
    order = list(Mark)
    return min(marks, key=order.index)


def _bars(marks: Sequence[Mark], base: float, step: float) -> list[str]:
    """Bars of a row, a path a kind of answer: apart where there is room, else joined where they are equal."""
    wide = step >= _FEWEST_WIDE
    boxes: dict[Mark, list[str]] = {}
    place = 0
    for mark, same in groupby(marks):
        length = len(list(same))
        if mark is not Mark.NONE:
            height = _BAR * _LOOKS[mark][0]
            width = step - 1.5 if wide else step * length
            boxes.setdefault(mark, []).extend(
                f"M{_LEFT + start * step + (0.75 if wide else 0):.1f} {base - height:.1f}"
                f"h{width:.1f}v{height:.1f}h-{width:.1f}z"
                for start in (range(place, place + length) if wide else [place])
            )
        place += length
    return [
        f'<path d="{"".join(drawn)}" fill="{_LOOKS[mark][1]}" stroke="{_LOOKS[mark][2]}" stroke-width="0.8"/>'
        for mark, drawn in boxes.items()
    ]


def _ticks(names: Sequence[str], starts: Sequence[int], step: float, y: float) -> list[str]:
    """Names of the first, the last, and some windows between."""
    columns = len(starts)
    room = max(1, int((_WIDTH - _LEFT - _RIGHT) / 120))
    wanted = sorted({round(part * (columns - 1) / max(1, room - 1)) for part in range(room)})
    drawn, last = [], ""
    for place in wanted:
        name = names[starts[place]]
        if name == last:
            continue
        last = name
        anchor = "start" if place == 0 and columns > 1 else "end" if place == columns - 1 else "middle"
        x = _LEFT + (place + (0.0 if anchor == "start" else 1.0 if anchor == "end" else 0.5)) * step
        short = name if len(name) <= 18 else f"{name[:17]}…"
        drawn.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" fill="{SOFT}" text-anchor="{anchor}">'
            f"{escape(short)}</text>"
        )
    return drawn
