"""What a profile costs over decoding the same file, and how much memory it takes."""

import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.processes import Limits, Stopped, Took, figures_of, in_turns, run_job
from benchmarks.report import Goal, Report, Table
from benchmarks.timing import ratio
from benchmarks.wide import write_table

SIZES = (100_000, 1_000_000, 10_000_000)
FLOOR, READ, GROUPED, ALONE = "decode", "read", "profile_by_group", "imports_alone"
FIRST, AGAIN = "First run of a process", "Again in the same process"
#: Job of ``benchmarks.jobs.one_pass`` to what it is called.
SHOWN = {
    ALONE: "imports alone",
    FLOOR: "decode, column by column (the floor)",
    READ: "read row groups with Arrow",
    "profile": "profile",
    GROUPED: "profile, every column by a group",
    "with_row_hashes": "… and row hashes",
    "with_digest": "… and content digest",
}


def run(*, quick: bool, sizes: Sequence[int] = ()) -> Report:
    """Measure at several numbers of rows."""
    chosen = sizes or ((50_000,) if quick else SIZES)
    rows: dict[str, list[tuple[str, ...]]] = {FIRST: [], AGAIN: []}
    goals: list[Goal] = []
    peaks: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in chosen:
            path = Path(folder) / f"{size}.parquet"
            write_table(path, size)
            runs = in_turns(
                {name: _job(name, path) for name in SHOWN},
                repeats=1 if quick else 5 if size <= 1_000_000 else 3,
            )
            path.unlink()
            measured = {name: figures_of(SHOWN[name], taken) for name, taken in runs.items()}
            for title, clocks in ((FIRST, slice(0, 2)), (AGAIN, slice(2, 4))):
                rows[title] += [_row(size, name, measured, clocks) for name in SHOWN]
            peaks[size] = statistics.median(run.peak for run in measured[GROUPED])
            if size >= 1_000_000:
                goals += _time_goals(size, measured)
    if {1_000_000, 10_000_000} <= peaks.keys():
        goals.append(
            Goal(
                name="peak memory of that at 10M rows over that at 1M",
                observed=peaks[10_000_000] / peaks[1_000_000],
                limit=1.2,
                unit="times",
            )
        )
    if 10_000_000 in peaks:
        goals.append(
            Goal(name="peak memory of that at 10M rows", observed=peaks[10_000_000], limit=1.0, unit="GB")
        )
    return Report(
        name="profile",
        title="One pass over 20 numeric and 10 categorical columns (Parquet)",
        tables=tuple(
            Table(
                title=title,
                columns=("rows", "job", "wall, s", "over the floor", "CPU, s", "over the floor", "peak GB"),
                rows=tuple(rows[title]),
            )
            for title in (FIRST, AGAIN)
        ),
        goals=tuple(goals),
        notes=(
            "Medians of five (at 10M rows three) interleaved fresh processes; ratios are medians over turns. Imports "
            "are not counted. Wall clock on all cores; CPU is user and system time of all threads.",
            "First run: what a step that profiles one file pays, memory from the system included. "
            "Again: the faster of two more runs in the same process, when memory is there already.",
            "The floor decodes every column of every row group once, one column at a time on each core, strings as "
            "dictionary codes, and throws it away: the least we know of for any program that looks at every value. "
            "Reading row groups is what a program does that simply reads the table: the same work, but the whole row "
            "group is held at once, and in a first run most of its time is memory from the system.",
        ),
    )


def _job(name: str, path: Path) -> Callable[[], Took | Stopped]:
    return lambda: run_job(Path(sys.executable), "one_pass", name, "2", path, limits=Limits())


def _series(runs: list[Took]) -> tuple[list[float], ...]:
    """First wall clock, first processor time, then the same of the faster of the runs again."""
    again = [min(run.answer) for run in runs]
    return (
        [run.wall for run in runs],
        [run.cpu for run in runs],
        [wall for wall, _ in again],
        [cpu for _, cpu in again],
    )


def _row(size: int, name: str, measured: dict[str, list[Took]], clocks: slice) -> tuple[str, ...]:
    peak = f"{statistics.median(run.peak for run in measured[name]):.2f}"
    if name == ALONE:
        return (f"{size:,}", SHOWN[name], "", "", "", "", peak)
    cells = [
        cell
        for seconds, floor in list(zip(_series(measured[name]), _series(measured[FLOOR]), strict=True))[
            clocks
        ]
        for cell in (f"{statistics.median(seconds):.3f}", f"{ratio(seconds, floor):.2f}×")
    ]
    return (f"{size:,}", SHOWN[name], *cells, peak)


def _time_goals(size: int, measured: dict[str, list[Took]]) -> list[Goal]:
    grouped = _series(measured[GROUPED])
    return [
        Goal(
            name=f"profile by a group over {what}, {size:,} rows, first run of a process, {clock}",
            observed=ratio(grouped[index], _series(measured[against])[index]),
            limit=2.0,
            unit="times",
        )
        for what, against in (("decoding", FLOOR), ("reading row groups", READ))
        for index, clock in enumerate(("wall clock", "CPU"))
    ]
