"""How two columns go together, before and now, as two tables side by side: the darker a cell, the more rows.

A cell is shown by its share of the rows of its line, so that a column that has shifted by itself changes no line.
Cells that few rows lie in are left blank: they say something about single people.
"""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.reports.overlays import FONT, GRID, INK, SOFT, percent
from aims_pipelines.stats.pair_cells import Grid

#: Rows below which a cell is left blank.
FEWEST_IN_A_CELL = 30
_WIDTH, _NAMES, _GAP, _RIGHT, _TOP, _FOOT = 430, 100, 16, 26, 22, 60
_CELL = 20
_LONGEST = 17
_LONGEST_BELOW = 9


def pair_plot(grid: Grid, pair: tuple[str, str], *, named: tuple[bool, bool]) -> str:
    """Draw a pair.

    Args:
        grid: Both windows on common cells, cut by value.
        pair: Names of the first column, which makes the lines, and of the second.
        named: Whether the categories of either may be named; they are numbered otherwise.

    Returns:
        SVG text; empty where one of the windows has no rows.
    """
    if not grid.before.sum() or not grid.after.sum():
        return ""
    kept = [
        np.flatnonzero((grid.before + grid.after).sum(axis=1 - place) >= FEWEST_IN_A_CELL) for place in (0, 1)
    ]
    if not all(len(one) for one in kept):
        return ""
    names = [[_name(grid, place, int(at), named=named[place]) for at in kept[place]] for place in (0, 1)]
    lines, columns = len(kept[0]), len(kept[1])
    width = min(_CELL, (_WIDTH - _NAMES - _GAP - _RIGHT) / 2 / columns)
    sides = [table[np.ix_(*kept)] for table in (grid.before, grid.after)]
    body = [
        _text(_NAMES - 6, _TOP + line * _CELL + 14, _short(name), anchor="end", fill=INK)
        for line, name in enumerate(names[0])
    ]
    for side, (title, counts) in enumerate(zip(("reference", "now"), sides, strict=True)):
        left = _NAMES + side * (columns * width + _GAP)
        body.append(_text(left, _TOP - 8, title))
        body += _cells(counts, left, width, names)
        body += [
            f'<g transform="translate({left + (place + 0.5) * width + 3:.1f} {_TOP + lines * _CELL + 6}) rotate(60)">'
            f"{_text(0, 0, _short(name.split(' to ')[0], _LONGEST_BELOW))}</g>"
            for place, name in enumerate(names[1])
        ]
    label = f"{pair[0]} (lines) and {pair[1]} (columns) together, in the reference and now"
    height = _TOP + lines * _CELL + _FOOT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(label, quote=True)}" {FONT}>' + "".join(body) + "</svg>"
    )


def _cells(
    counts: NDArray[np.float64], left: float, width: float, names: Sequence[Sequence[str]]
) -> list[str]:
    cells = []
    totals = np.maximum(counts.sum(axis=1), 1.0)
    for line, column in np.ndindex(*counts.shape):
        share = counts[line, column] / totals[line]
        few = counts[line, column] < FEWEST_IN_A_CELL
        fill = "#ffffff" if few else "#2b5fb8"
        told = "too few rows to show" if few else percent(float(share))
        cells.append(
            f'<rect x="{left + column * width:.1f}" y="{_TOP + line * _CELL}" width="{width:.1f}" height="{_CELL}" '
            f'fill="{fill}" fill-opacity="{1.0 if few else min(1.0, 0.04 + 1.6 * share):.2f}" stroke="{GRID}">'
            f"<title>{escape(names[0][line])}, {escape(names[1][column])}: {told}</title></rect>"
        )
    return cells


def _name(grid: Grid, place: int, at: int, *, named: bool) -> str:
    name = grid.names[place][at]
    if named or name.startswith("("):
        return name
    return f"value {at + 1}"


def _short(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _text(x: float, y: float, text: str, *, anchor: str = "start", fill: str = SOFT) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="10.5" fill="{fill}" text-anchor="{anchor}">{escape(text)}</text>'
