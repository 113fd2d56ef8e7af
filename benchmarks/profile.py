"""What a profile costs over decoding the same file, and how much memory it takes."""

import statistics
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.report import Goal, Report, Table
from benchmarks.timing import processes, ratio

NUMERIC, CATEGORICAL = 20, 10
CHUNK = 1 << 20

_FRAME = """
import json, resource, sys, time
import numpy, pyarrow
from pyarrow import parquet
from aims_pipelines.measure import content_digest, measure_file, profile_file
from aims_pipelines.stats.profile import GroupSpec
path, best = {path!r}, []
groups = [GroupSpec(columns=("c0",))]
def job():
    {job}
for _ in range({turns}):
    start = time.perf_counter()
    job()
    best.append(time.perf_counter() - start)
def peak():
    # Linux hands the maximum of getrusage on to a new program; the status file starts afresh.
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9
if {memory}:
    print(json.dumps(peak()))
else:
    print(json.dumps(best[0] if {turns} == 1 else min(best[1:])))
"""

_CATEGORICAL = [f"c{index}" for index in range(CATEGORICAL)]
FLOOR = "decode (the floor)"
JOBS = {
    "imports alone": "pass",
    FLOOR: f"""
    with parquet.ParquetFile(path, read_dictionary={_CATEGORICAL!r}) as file:
        for number in range(file.num_row_groups):
            file.read_row_group(number)""",
    "profile": "profile_file(path, rows=False)",
    "profile, every column by a group": "profile_file(path, groups=groups, rows=False)",
    "… and row hashes": "profile_file(path, groups=groups)",
    "… and content digest": "measure_file(path, groups=groups)",
}


def column(index: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers of one of five shapes: normal, log-normal, heavy-tailed, uniform, and far from zero."""
    shape, scale = index % 5, 10.0 ** (index % 4)
    if shape == 0:
        return rng.normal(0.0, scale, rows)
    if shape == 1:
        return rng.lognormal(0.0, 1.0, rows) * scale
    if shape == 2:
        return (1.0 + rng.pareto(1.5, rows)) * scale
    return rng.uniform(0.0, scale, rows) if shape == 3 else rng.normal(100.0, 15.0, rows) * scale


def write_table(path: Path, rows: int, *, seed: int = 20260101) -> None:
    """Write a table of twenty numeric and ten categorical columns of 2 to 1000 values, row group by row group."""
    rng = np.random.default_rng(seed)
    sizes = np.geomspace(2, 1000, CATEGORICAL).round().astype(int)
    names = [f"n{index}" for index in range(NUMERIC)] + _CATEGORICAL
    writer = None
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        columns: list[pa.Array] = [pa.array(column(index, count, rng)) for index in range(NUMERIC)]
        for size in sizes.tolist():
            labels = pa.array([f"value {number}" for number in range(size)])
            codes = np.minimum(rng.exponential(size / 4.0, count).astype(np.int64), size - 1)
            columns.append(labels.take(pa.array(codes)))
        batch = pa.table(dict(zip(names, columns, strict=True)))
        writer = writer or parquet.ParquetWriter(path, batch.schema)
        writer.write_table(batch, row_group_size=CHUNK)
    if writer is not None:
        writer.close()


def run(*, quick: bool) -> Report:
    """Measure at several numbers of rows."""
    sizes = (100_000,) if quick else (100_000, 1_000_000, 10_000_000)
    rows: list[tuple[str, ...]] = []
    goals: list[Goal] = []
    peaks: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            path = Path(folder) / f"{size}.parquet"
            write_table(path, size)
            first, again = (
                processes(
                    {
                        name: _FRAME.format(path=str(path), job=job, turns=turns, memory=False)
                        for name, job in JOBS.items()
                        if job != "pass"
                    },
                    repeats=1 if quick else 5 if size <= 1_000_000 else 3,
                )
                for turns in (1, 3)
            )
            memory = processes(
                {
                    name: _FRAME.format(path=str(path), job=job, turns=1, memory=True)
                    for name, job in JOBS.items()
                },
                repeats=1,
            )
            for name, job in JOBS.items():
                peak = f"{memory[name][0]:.2f}"
                if job == "pass":
                    rows.append((f"{size:,}", name, "", "", "", "", peak))
                    continue
                cells = [
                    cell
                    for seconds in (first, again)
                    for cell in (
                        f"{statistics.median(seconds[name]):.3f}",
                        f"{ratio(seconds[name], seconds[FLOOR]):.2f}",
                    )
                ]
                rows.append((f"{size:,}", name, *cells, peak))
            grouped = "profile, every column by a group"
            peaks[size] = memory[grouped][0]
            if size >= 1_000_000:
                goals.append(
                    Goal(
                        name=f"profile by a group over decoding, {size:,} rows, first run of a process",
                        observed=ratio(first[grouped], first[FLOOR]),
                        limit=2.0,
                        unit="times",
                    )
                )
            path.unlink()
    if len(sizes) > 2:
        growth = peaks[sizes[2]] / peaks[sizes[1]]
        goals += [
            Goal(name="peak memory at 10M rows over that at 1M", observed=growth, limit=1.2, unit="times"),
            Goal(name="peak memory at 10M rows", observed=peaks[sizes[2]], limit=1.0, unit="GB"),
        ]
    return Report(
        name="profile",
        title="One pass over 20 numeric and 10 categorical columns (Parquet)",
        tables=(
            Table(
                title="Time and memory",
                columns=(
                    "rows",
                    "job",
                    "first run, s",
                    "over decoding",
                    "again, s",
                    "over decoding",
                    "peak GB",
                ),
                rows=tuple(rows),
            ),
        ),
        goals=tuple(goals),
        notes=(
            "Medians of five (at 10M rows three) interleaved fresh processes, imports not counted; wall clock, "
            "all cores.",
            "First run: what a step that profiles one file pays, memory from the system included. "
            "Again: the faster of two more runs in the same process, when memory is there already.",
            "Decoding reads every column of every row group with Arrow's threads and throws it away; "
            "categorical columns are read as dictionary codes, which is the faster way.",
        ),
    )
