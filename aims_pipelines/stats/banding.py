"""Bands of numbers: round edges near quantiles, and edges read back from the names of bands."""

import math
import re
from collections.abc import Collection

import numpy as np

from aims_pipelines.stats.profile import ColumnProfile, Kind

_NUMBER = r"-?[0-9.]+(?:e[-+]?[0-9]+)?"
_BELOW = re.compile(rf"<({_NUMBER})")
_ABOVE = re.compile(rf">=({_NUMBER})")
_BETWEEN = re.compile(rf"({_NUMBER})-({_NUMBER})")
#: A numeric column of at most so many distinct values is grouped by its values.
MOST_LEVELS = 10
#: Whole numbers below are written without a decimal point.
_WHOLE = 2.0**53


def round_edges(
    quantiles: tuple[float, ...], *, minimum: float, maximum: float, mean: float, members: float, fewest: int
) -> tuple[float, ...]:
    """Choose inner edges for two to four bands: round numbers near quantiles.

    Args:
        quantiles: Values at 1/8, 2/8 … 7/8, seven of them.
        minimum: Smallest value.
        maximum: Largest value.
        mean: Arithmetic mean; the only edge where no round number parts the values.
        members: Values that the bands will hold.
        fewest: Members below which a group is not judged; each band is to hold at least twice as many.
    """
    bands = min(4, max(2, int(members / (2 * fewest))))
    eighths = {2: (4,), 3: (3, 5), 4: (2, 4, 6)}[bands]
    span = quantiles[6] - quantiles[0] or maximum - minimum
    step = nice(span / 10)
    edges = sorted({round(quantiles[eighth - 1] / step) * step for eighth in eighths})
    inside = [edge for edge in edges if minimum < edge <= maximum]
    edges = inside or [mean]
    # As many digits as tell the edges apart, far from zero too.
    digits = max(6, math.ceil(math.log10(max(abs(edge) for edge in edges) / step)) + 1) if any(edges) else 6
    shown = dict.fromkeys(float(f"{edge:.{digits}g}") for edge in edges)
    return tuple(int(edge) if edge == int(edge) and abs(edge) < _WHOLE else edge for edge in shown)


def edges_for(column: ColumnProfile, *, fewest: int) -> tuple[float, ...]:
    """Choose inner band edges for the groups of a column; none where its values are the groups.

    Args:
        column: Any column; only numeric ones of more than ``MOST_LEVELS`` distinct values get bands.
        fewest: Members below which a group is not judged.
    """
    distribution, moments = column.distribution, column.moments
    if column.kind is not Kind.NUMERIC or distribution is None or moments is None or not moments.count:
        return ()
    finite = np.isfinite(distribution.points)
    points, counts = distribution.points[finite], distribution.counts[finite]
    if len(points) <= MOST_LEVELS or not math.isfinite(moments.maximum - moments.minimum):
        return ()
    eighths = np.searchsorted(np.cumsum(counts) / counts.sum(), np.arange(1, 8) / 8)
    return round_edges(
        tuple(points[eighths].tolist()),
        minimum=moments.minimum,
        maximum=moments.maximum,
        mean=moments.mean,
        members=float(counts.sum()),
        fewest=fewest,
    )


def edges_of(levels: Collection[str]) -> tuple[float, ...]:
    """Read the inner edges back from the names of bands, such as ``<30``, ``30-50``, ``>=50``.

    An edge between two bands without rows cannot be told. None where the levels are values, not bands.
    """
    outer = {
        float(found[1]) for name in levels for form in (_BELOW, _ABOVE) if (found := form.fullmatch(name))
    }
    inner = {float(edge) for name in levels if (found := _BETWEEN.fullmatch(name)) for edge in found.groups()}
    return tuple(sorted(outer | inner))


def nice(number: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above a positive number."""
    power = 10.0 ** math.floor(math.log10(number))
    return next(factor * power for factor in (5.0, 2.0, 1.0) if factor * power <= number * (1 + 1e-9))


def bands_agree(one: Collection[str], other: Collection[str]) -> bool:
    """Whether two sets of level names can come from one set of band edges; names that are no bands always can.

    Bands without rows have no name, so fewer bands on one side are no contradiction; bands that overlap are.
    """
    spans = [_span(name) for name in {*one, *other}]
    edges = edges_of({*one, *other})
    if any(low < edge < high for low, high in filter(None, spans) for edge in edges):
        return False
    values = [
        {name for name in side if _span(name) is None and not name.startswith("(")} for side in (one, other)
    ]
    return not (edges_of(one) and values[1]) and not (edges_of(other) and values[0])


def level_order(name: str) -> tuple[float, str]:
    """Sort key for the levels of a grouping: bands by their lower edges, anything else behind them by name."""
    span = _span(name)
    return (span[0], "") if span is not None else (math.inf, name)


def _span(name: str) -> tuple[float, float] | None:
    if found := _BELOW.fullmatch(name):
        return -math.inf, float(found[1])
    if found := _ABOVE.fullmatch(name):
        return float(found[1]), math.inf
    if found := _BETWEEN.fullmatch(name):
        return float(found[1]), float(found[2])
    return None
