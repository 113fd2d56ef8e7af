"""What it takes to judge two profiles that are ready: thirty columns inside ten groups, no rows at hand."""

import statistics
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from aims_pipelines.measure import profile_table
from aims_pipelines.stats.drift import compare
from aims_pipelines.stats.profile import GroupSpec, Profile
from benchmarks.report import Goal, Report, Table
from benchmarks.timing import calls
from benchmarks.wide import write_table

GROUPS = 10


def run(*, quick: bool) -> Report:
    """Judge profiles of tables of several sizes; about half a minute."""
    sizes, repeats = ((10_000,), 3) if quick else ((10_000, 100_000, 1_000_000), 31)
    jobs = {
        f"{size:,}": partial(
            compare, _profile(size, 0), _profile(size, 1), effect=0.1, alpha=0.01, labels=("c1",)
        )
        for size in sizes
    }
    findings = {name: len(job()) for name, job in jobs.items()}
    times = calls(jobs, repeats=repeats)
    return Report(
        name="judging",
        title=f"Drift judged from two profiles: 30 columns and {GROUPS} groups",
        tables=(
            Table(
                title="Wall clock, in process",
                columns=("rows behind the profiles", "median", "fastest", "findings"),
                rows=tuple(
                    (
                        name,
                        f"{1_000 * statistics.median(taken):.1f} ms",
                        f"{1_000 * min(taken):.1f} ms",
                        str(findings[name]),
                    )
                    for name, taken in times.items()
                ),
            ),
        ),
        goals=tuple(
            Goal(
                name=f"judging two profiles of {name} rows",
                observed=1_000 * statistics.median(taken),
                limit=50,
                unit="ms",
            )
            for name, taken in times.items()
        ),
        notes=(
            f"Medians of {repeats} interleaved calls. Values, missing values and sizes of every column are judged "
            "in the whole table and inside each group: the time depends on the number of bins, not on the rows.",
        ),
    )


def _profile(rows: int, seed: int) -> Profile:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "window.parquet"
        write_table(path, rows, seed=seed)
        table = parquet.read_table(path)
    codes = np.random.default_rng(seed).integers(0, GROUPS, rows).astype(np.int32)
    labels = pa.array([f"group {number}" for number in range(GROUPS)])
    table = table.append_column("group", pa.DictionaryArray.from_arrays(pa.array(codes), labels))
    return profile_table(table, groups=(GroupSpec(columns=("group",)),), rows=False)
