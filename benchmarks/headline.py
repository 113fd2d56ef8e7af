"""The plot of the README: what others take beside us, and what they say of clean and of faulty windows.

Drawn as SVG text from the kept figures of two benchmarks, so that the same figures give the same bytes. On a card of
its own colour, it reads on light and dark pages alike.
"""

import json
import math
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

from aims_pipelines.core.verdict import Status
from benchmarks import cost
from benchmarks.trials import clean, found
from benchmarks.windows import FAULTS

FILE = "headline.svg"
ROWS_OF_COST, ROWS_OF_DECISIONS = 1_000_000, 10_000
#: Job of the benchmark of cost to how it is called here.
BARS = {
    cost.JUDGEMENT: "ours: all 11 checks",
    cost.GREAT_EXPECTATIONS: "Great Expectations",
    cost.NANNYML: "NannyML",
    cost.WHYLOGS: "whylogs",
    cost.EVIDENTLY: "Evidently",
}
#: Outcome of the benchmark of decisions to the head of its column; all but the first are wanted.
COLUMNS = {
    clean(Status.FAIL): "clean, refused",
    **dict(
        zip(
            map(found, FAULTS),
            (
                "mean +0.1 sd",
                "mean +¼ sd",
                "share +5 pt",
                "missing +5 pt",
                "shift in a group",
                "label in a group",
            ),
            strict=True,
        )
    ),
}
JUDGES = {"ours": "ours", "NannyML": "NannyML", "whylogs": "whylogs", "Evidently": "Evidently"}

Figures = Mapping[str, float | None]

_INK, _SOFT, _GRID, _CARD, _OURS, _THEIRS = "#1f2937", "#6b7280", "#d1d5db", "#ffffff", "#2b5fb8", "#9ca3af"
_GOOD, _BAD = (43, 95, 184), (214, 96, 37)  # blue and orange: told apart by people who see few colours
_WIDTH, _HEIGHT, _ROW = 960, 300, 38
_LEFT_NAMES, _LEFT_WIDTH, _TOP = 150, 210, 92
_RIGHT, _RIGHT_NAMES, _CELL = 470, 76, 56


def write(folder: Path) -> Path | None:
    """Draw the plot beside the kept reports; nothing if one of the two is not there."""
    sources = [folder / f"{name}.json" for name in ("cost", "decisions")]
    if not all(source.exists() for source in sources):
        return None
    costs, shares = (json.loads(source.read_text(encoding="utf-8"))["figures"] for source in sources)
    path = folder / FILE
    path.write_text(draw(costs, shares), encoding="utf-8")
    return path


def draw(costs: Figures, shares: Figures) -> str:
    """Draw the plot.

    Args:
        costs: Figures of :mod:`benchmarks.cost`.
        shares: Figures of :mod:`benchmarks.decisions`.
    """
    body = [
        f'<rect x="0.5" y="0.5" width="{_WIDTH - 1}" height="{_HEIGHT - 1}" rx="8" fill="{_CARD}" stroke="{_GRID}"/>',
        *_bars(costs),
        *_cells(shares),
    ]
    label = (
        "CPU time and memory of other libraries beside ours, and their answers on clean and on faulty windows"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{label}" font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">'
        + "".join(body)
        + "</svg>\n"
    )


def _bars(costs: Figures) -> Iterable[str]:
    yield _text(20, 34, "CPU time, beside ours", size=15, weight=600)
    yield _text(
        20, 54, f"{ROWS_OF_COST:,} rows × 30 columns; logarithmic; memory in brackets", size=11.5, fill=_SOFT
    )
    ratios = {name: _beside(costs, job) for job, name in BARS.items()}
    longest = max([cpu for cpu, _ in ratios.values() if math.isfinite(cpu)], default=1.0)
    scale = _LEFT_WIDTH / math.log10(max(10.0, longest) * 1.5)
    for index, (name, (cpu, peak)) in enumerate(ratios.items()):
        y = _TOP + index * _ROW
        yield _text(_LEFT_NAMES - 8, y + 15, name, size=12.5, anchor="end", weight=600 if index == 0 else 400)
        if not math.isfinite(cpu):
            yield _text(_LEFT_NAMES, y + 15, "not run", size=12, fill=_SOFT)
            continue
        width = max(3.0, scale * math.log10(max(1.0, cpu) * 1.5))
        colour = _OURS if index == 0 else _THEIRS
        yield f'<rect x="{_LEFT_NAMES}" y="{y}" width="{_n(width)}" height="22" rx="3" fill="{colour}"/>'
        told = "1×" if index == 0 else f"{_factor(cpu)} ({_factor(peak)})"
        yield _text(_LEFT_NAMES + width + 6, y + 15, told, size=12.5, weight=600)


def _beside(costs: Figures, job: str) -> tuple[float, float]:
    """CPU time and peak memory of a job over those of our judgement; NaN where there is no figure."""

    def figure(name: str, what: str) -> float:
        value = costs.get(f"{ROWS_OF_COST} | {name} | {what}")
        return math.nan if value is None else value

    cpu, peak = (figure(job, what) / figure(cost.JUDGEMENT, what) for what in ("cpu", "peak"))
    return cpu, peak


def _cells(shares: Figures) -> Iterable[str]:
    yield _text(_RIGHT, 34, "What is refused, percent of windows", size=15, weight=600)
    yield _text(
        _RIGHT,
        54,
        f"{ROWS_OF_DECISIONS:,} rows; clean ones should pass, faults should be found",
        size=11.5,
        fill=_SOFT,
    )
    for place, head in enumerate(COLUMNS.values()):
        x = _RIGHT + _RIGHT_NAMES + place * _CELL + _CELL / 2
        for line, word in enumerate(head.split(" ", 1)):
            yield _text(x, _TOP - 18 + 12 * line, word, size=9.5, fill=_SOFT, anchor="middle")
    for index, (judge, name) in enumerate(JUDGES.items()):
        y = _TOP + 4 + index * _ROW
        yield _text(
            _RIGHT + _RIGHT_NAMES - 8,
            y + 20,
            name,
            size=12.5,
            anchor="end",
            weight=600 if index == 0 else 400,
        )
        for place, outcome in enumerate(COLUMNS):
            share = shares.get(f"{ROWS_OF_DECISIONS} | {judge} | {outcome}")
            yield from _cell(_RIGHT + _RIGHT_NAMES + place * _CELL, y, share, wanted=place > 0)
    notes = (
        "Blue: as it should be; orange: not. Each library at its defaults.",
        "A fault counts as found where its own column is refused.",
    )
    for line, note in enumerate(notes):
        y = _TOP + 4 + len(JUDGES) * _ROW + 14 + 15 * line
        yield _text(_RIGHT + _RIGHT_NAMES, y, note, size=10.5, fill=_SOFT)


def _cell(x: float, y: float, share: float | None, *, wanted: bool) -> Iterable[str]:
    if share is None:
        yield _text(x + _CELL / 2, y + 20, "not run", size=10, fill=_SOFT, anchor="middle")
        return
    goodness = share if wanted else 1.0 - share
    colour = "#" + "".join(f"{round(b + (g - b) * goodness):02x}" for g, b in zip(_GOOD, _BAD, strict=True))
    yield f'<rect x="{_n(x + 1)}" y="{y}" width="{_CELL - 2}" height="32" rx="3" fill="{colour}"/>'
    yield _text(
        x + _CELL / 2, y + 20, _percent(share), size=12.5, fill="#ffffff", anchor="middle", weight=600
    )


def _percent(share: float) -> str:
    """Whole percents, but never 0 or 100 unless it is so."""
    if share in (0.0, 1.0):
        return f"{share:.0%}".removesuffix("%")
    percent = 100.0 * share
    return f"{percent:.1f}" if percent < 1.0 or percent > 99.0 else f"{percent:.0f}"


def _factor(value: float) -> str:
    return f"{value:.0f}×" if value >= 10 else f"{value:.1f}×"


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _text(
    x: float, y: float, text: str, *, size: float, fill: str = _INK, anchor: str = "start", weight: int = 400
) -> str:
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" fill="{fill}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )
