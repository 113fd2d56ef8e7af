"""Whether memory stays flat when a table lies in ten files, which are profiled as one table.

``python -m benchmarks streaming --sizes 100000000`` does it for a hundred million rows; that takes 17 GB of disk.
"""

import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.processes import Limits, Stopped, Took, figures_of, in_turns, run_job
from benchmarks.report import Goal, Report, Table
from benchmarks.wide import write_table

FILES = 10
_JOB = "profile_by_group"


def run(*, quick: bool, sizes: Sequence[int] = ()) -> Report:
    """Profile tables of several sizes, each in ten files, and one file alone; a minute for ten million rows."""
    rows: list[tuple[str, ...]] = []
    goals: list[Goal] = []
    for size in sizes or ((100_000,) if quick else (10_000_000,)):
        with tempfile.TemporaryDirectory() as name:
            paths = [Path(name) / f"{number}.parquet" for number in range(FILES)]
            for number, path in enumerate(paths):
                write_table(path, size // FILES, seed=number)
            runs = in_turns(
                {
                    "one of the files": partial(_run, paths[:1]),
                    "all ten": partial(_run, paths),
                },
                repeats=1 if quick or size > 10_000_000 else 3,
            )
        taken = {name: sorted(figures_of(name, run), key=lambda run: run.wall) for name, run in runs.items()}
        middle = {name: run[len(run) // 2] for name, run in taken.items()}
        for what, run in middle.items():
            count = size if what == "all ten" else size // FILES
            rate = count / run.wall / 1e6
            rows.append(
                (f"{count:,}", what, f"{run.wall:.2f}", f"{run.cpu:.2f}", f"{rate:.1f}", f"{run.peak:.2f}")
            )
        one, ten = middle.values()
        goals += [
            Goal(
                name=f"peak memory of {size:,} rows in ten files over that of one",
                observed=ten.peak / one.peak,
                limit=1.2,
                unit="times",
            ),
            Goal(name=f"peak memory of {size:,} rows in ten files", observed=ten.peak, limit=1.0, unit="GB"),
        ]
    return Report(
        name="streaming",
        title="A table in ten files, profiled by a group",
        tables=(
            Table(
                title="Fresh processes",
                columns=("rows", "files", "wall, s", "CPU, s", "million rows/s", "peak GB"),
                rows=tuple(rows),
            ),
        ),
        goals=tuple(goals),
        notes=("Each file has its own rows; medians of three runs, one beyond ten million rows.",),
    )


def _run(paths: Sequence[Path]) -> Took | Stopped:
    return run_job(Path(sys.executable), "one_pass", _JOB, "0", *paths, limits=Limits())
