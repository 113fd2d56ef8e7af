"""A user's own suite of Great Expectations on a Parquet file: run by our check, and by Great Expectations on pandas."""

import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.processes import Limits, Stopped, Took, in_turns, memory_limit, run_job
from benchmarks.report import Goal, Report, Table
from benchmarks.wide import SUITE, write_project, write_table

SIZES = (100_000, 1_000_000, 10_000_000)
OURS, THEIRS = "file profiled, then the expectations check", "Great Expectations on pandas"
ALONE = "check alone"
_SECONDS = 600.0
_ONCE_ABOVE = 15.0

Runs = dict[str, list[Took] | Stopped]


def run(*, quick: bool, sizes: Sequence[int] = ()) -> Report:
    """Run the suite at several numbers of rows; about five minutes."""
    chosen = sorted(sizes or ((10_000,) if quick else SIZES))
    limits = Limits(seconds=60.0 if quick else _SECONDS, gigabytes=memory_limit())
    measured: dict[int, Runs] = {}
    for size in chosen:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            records = write_project(folder / "project", label="c1", protected=("c0",), suite=True)
            current = folder / "current.parquet"
            write_table(current, size)
            measured[size] = in_turns(
                {
                    OURS: _job("suite_ours", records, current, limits=limits),
                    THEIRS: _job("suite_great_expectations", records / SUITE, current, limits=limits),
                },
                repeats=1 if quick else 3,
                once_above=_ONCE_ABOVE,
            )
    return Report(
        name="expectations",
        title="A suite of 30 expectations of the usual kinds",
        tables=(
            Table(
                title="Fresh processes",
                columns=("rows", "job", "wall, s", "CPU, s", "peak GB", "answers"),
                rows=tuple(
                    _row(size, name, taken) for size, runs in measured.items() for name, taken in runs.items()
                ),
            ),
        ),
        goals=_goals(measured),
        notes=(
            f"Great Expectations {version('great_expectations')}. Medians of three interleaved runs; one of more than "
            f"{_ONCE_ABOVE:.0f} s is run once; imports are not counted, reading the file is, and so is profiling it, "
            "which a governed asset needs anyway. 'The check' is what it takes by itself, wall clock. "
            f"A process is killed after {limits.seconds / 60:g} minutes or above {limits.gigabytes:g} GB.",
        ),
    )


def _job(module: str, *arguments: Path, limits: Limits) -> Callable[[], Took | Stopped]:
    return lambda: run_job(Path(sys.executable), module, *arguments, limits=limits)


def _row(size: int, name: str, taken: list[Took] | Stopped) -> tuple[str, ...]:
    if isinstance(taken, Stopped):
        return (f"{size:,}", name, taken.reason, "", "", "")
    answers = dict(taken[-1].answer)
    alone = answers.pop(ALONE, None)
    told = ", ".join(f"{count} {answer}" for answer, count in answers.items())
    return (
        f"{size:,}",
        name,
        f"{_median(taken, 'wall'):.2f}",
        f"{_median(taken, 'cpu'):.2f}",
        f"{_median(taken, 'peak'):.2f}",
        told if alone is None else f"{told}; the check {_median(taken, ALONE):.2f} s",
    )


def _goals(measured: dict[int, Runs]) -> tuple[Goal, ...]:
    if 10_000_000 not in measured:
        return ()
    large = measured[10_000_000]
    goals = [
        _ratio(
            "time of Great Expectations on pandas over that of the check by itself, 10M rows",
            large[THEIRS],
            large[OURS],
            "wall",
            10.0,
            under_figure=ALONE,
        ),
        _ratio(
            "time of Great Expectations on pandas over ours with the profile, 10M rows",
            large[THEIRS],
            large[OURS],
            "wall",
            10.0,
        ),
    ]
    if 1_000_000 in measured:
        small = measured[1_000_000]
        goals.append(
            _ratio(
                "peak memory of ours at 10M rows over that at 1M",
                large[OURS],
                small[OURS],
                "peak",
                1.2,
                at_least=False,
            )
        )
    return tuple(goals)


def _ratio(
    name: str,
    over: list[Took] | Stopped,
    under: list[Took] | Stopped,
    figure: str,
    limit: float,
    *,
    at_least: bool = True,
    under_figure: str = "",
) -> Goal:
    if isinstance(over, Stopped) or isinstance(under, Stopped):
        reason = "; ".join(side.reason for side in (over, under) if isinstance(side, Stopped))
        return Goal(name=name, observed=math.nan, limit=limit, unit="times", at_least=at_least, reason=reason)
    observed = _median(over, figure) / _median(under, under_figure or figure)
    return Goal(name=name, observed=observed, limit=limit, unit="times", at_least=at_least)


def _median(runs: list[Took], figure: str) -> float:
    return float(
        statistics.median(run.answer[figure] if figure == ALONE else getattr(run, figure) for run in runs)
    )
