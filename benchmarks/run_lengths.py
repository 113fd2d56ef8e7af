"""Whether control charts keep their budget of false alarms, and how soon they find a shift.

Series in control are simulated until the first false alarm, or twice the budget. The chance of one is the same at each
window but for the first few, so the windows watched for each alarm are the average run length.
"""

import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from aims_pipelines.stats.control_charts import ChartKind, Scale, control_chart
from benchmarks.report import Goal, Report, Table

BUDGET = 370.0
_SEED = 20260301
_EARLY = 100
_SHIFT = 1.0
_SHIFTED_FROM = 30

#: Parameters of the beta distribution with mean 0.2 and standard deviation 0.02.
_BETA = 79.8, 319.2

Windows = tuple[list[float], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What series in control showed.

    Args:
        run_length: Windows watched for each false alarm.
        error: Its relative standard error.
        early: Share of series with a false alarm within the first hundred windows.
    """

    run_length: float
    error: float
    early: float


def alike(rng: np.random.Generator, count: int) -> Windows:
    """A statistic whose windows are all as precise, with nothing known of how precise."""
    return rng.normal(5.0, 2.0, count).tolist(), {}


def measured(rng: np.random.Generator, count: int) -> Windows:
    """Means of 100 to 1,000 rows with their standard errors, and as much variance between windows."""
    rows = rng.integers(100, 1001, count)
    errors = np.sqrt(rng.chisquare(rows - 1) / (rows - 1) / rows)
    return rng.normal(0.0, np.sqrt(0.05**2 + 1 / rows)).tolist(), {"errors": errors, "rows": rows}


def shares(rng: np.random.Generator, count: int) -> Windows:
    """Shares of 500 to 2,000 rows whose rates are beta distributed, with a standard deviation of 0.02 around 0.2."""
    rows = rng.integers(500, 2001, count)
    rates = rng.beta(*_BETA, count)
    return (rng.binomial(rows, rates) / rows).tolist(), {"rows": rows, "scale": Scale.RATE}


def shares_of_normal_rates(rng: np.random.Generator, count: int) -> Windows:
    """The same of rates that are normal themselves: skewed on the scale on which a chart takes them for normal."""
    rows = rng.integers(500, 2001, count)
    rates = np.clip(rng.normal(0.2, 0.02, count), 0.0, 1.0)
    return (rng.binomial(rows, rates) / rows).tolist(), {"rows": rows, "scale": Scale.RATE}


WINDOWS: Mapping[str, Callable[[np.random.Generator, int], Windows]] = {
    "windows alike": alike,
    "means of 100 to 1,000 rows": measured,
    "shares of 500 to 2,000 rows": shares,
    "shares of normal rates": shares_of_normal_rates,
}


def run(*, quick: bool) -> Report:
    """Simulate; about ten minutes on two idle cores."""
    series, longest = (4, 60) if quick else (1_600, int(2 * BUDGET))
    cases = [(kind, name, reference) for name in WINDOWS for kind in ChartKind for reference in (10, 30)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        watch = partial(_watch, series=series, longest=longest)
        found = dict(zip(cases, pool.map(watch, cases), strict=True))
        delays = dict(zip(ChartKind, pool.map(partial(_delay, series=series // 4), ChartKind), strict=True))
    textbook = {reference: _as_if_known(reference, 20 * series) for reference in (10, 30)}
    off = [abs(watched.run_length / BUDGET - 1.0) for watched in found.values()]
    return Report(
        name="run_lengths",
        title=f"Control charts with a budget of one false alarm in {BUDGET:g} windows",
        tables=(
            Table(
                title="In control",
                columns=("chart", "windows", "reference", "run length", f"false alarm within {_EARLY}"),
                rows=(
                    *(
                        (
                            str(kind),
                            name,
                            str(reference),
                            f"{watched.run_length:.0f} ± {1.96 * watched.error * watched.run_length:.0f}",
                            f"{watched.early:.0%}",
                        )
                        for (kind, name, reference), watched in found.items()
                    ),
                    *(
                        (f"mean ± 3 sd of the {n}, as if known", "windows alike", str(n), "", f"{early:.0%}")
                        for n, early in textbook.items()
                    ),
                ),
            ),
            Table(
                title=f"After a lasting shift of {_SHIFT:g} standard deviation, {_SHIFTED_FROM} windows known",
                columns=("chart", "windows up to the signal, median", "found within 50"),
                rows=tuple(
                    (str(kind), "over 50" if math.isinf(median) else f"{median:.0f}", f"{share:.0%}")
                    for kind, (median, share) in delays.items()
                ),
            ),
        ),
        goals=(
            Goal(
                name="run length in control off the budget, the worst of all",
                observed=math.nan if any(map(math.isnan, off)) else max(off),
                limit=0.1,
                unit="of the budget",
            ),
        ),
        notes=(
            f"{series:,} series a line, watched for up to {longest} windows after the reference; ± is the simulation's "
            f"own 95 % error. With a constant chance of one in {BUDGET:g}, {_early_share():.0%} of the series have a "
            f"false alarm within {_EARLY} windows.",
            "A signal is not learnt from; a shift that is not found at once becomes part of what is expected.",
        ),
        figures={
            f"{kind} | {name} | {reference}": watched.run_length
            for (kind, name, reference), watched in found.items()
        },
    )


def _watch(case: tuple[ChartKind, str, int], *, series: int, longest: int) -> Watched:
    kind, name, reference = case
    rng = np.random.default_rng([_SEED, reference, *name.encode(), *kind.encode()])
    ends = np.zeros(series)
    signals = 0
    for number in range(series):
        values, beside = WINDOWS[name](rng, reference + longest)
        chart = control_chart(values, kind=kind, run_length=BUDGET, reference=reference, **beside)
        at = next((at for at, point in enumerate(chart.points[reference:], 1) if point.alarm), None)
        ends[number] = at or longest
        signals += at is not None
    early = float((ends <= min(_EARLY, longest - 1)).mean())
    if not signals:
        return Watched(run_length=math.nan, error=math.nan, early=early)
    return Watched(run_length=float(ends.sum()) / signals, error=1.0 / math.sqrt(signals), early=early)


def _delay(kind: ChartKind, *, series: int) -> tuple[float, float]:
    """Windows from a shift to the signal, and share of series with one within fifty."""
    rng = np.random.default_rng([_SEED, *kind.encode()])
    found = []
    for _ in range(max(series, 4)):
        values = rng.standard_normal(_SHIFTED_FROM + 50)
        values[_SHIFTED_FROM:] += _SHIFT
        points = control_chart(values.tolist(), kind=kind, run_length=BUDGET, reference=_SHIFTED_FROM).points
        alarms = (at for at, point in enumerate(points[_SHIFTED_FROM:], 1) if point.alarm)
        found.append(next(alarms, math.inf))
    return float(np.median(found)), float(np.isfinite(found).mean())


def _as_if_known(reference: int, series: int) -> float:
    """Share of series with a false alarm within a hundred windows, if mean and spread of the reference are believed."""
    rng = np.random.default_rng([_SEED, reference])
    known = rng.standard_normal((series, reference))
    centre, spread = known.mean(axis=1), known.std(axis=1, ddof=1)
    later = rng.standard_normal((series, _EARLY))
    return float((np.abs(later - centre[:, None]) > 3.0 * spread[:, None]).any(axis=1).mean())


def _early_share() -> float:
    return 1.0 - (1.0 - 1.0 / BUDGET) ** _EARLY
