"""Ours, and the floor: one pass over a Parquet file, or only its decoding.

    python -m benchmarks.jobs.one_pass NAME AGAIN FILE [FILE …]

NAME is a job of ``JOBS``, AGAIN how often it is repeated in the same process.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pyarrow import parquet

from aims_pipelines.measure import measure_file, profile_file
from aims_pipelines.stats.profile import GroupSpec
from benchmarks.jobs.stopwatch import measure
from benchmarks.wide import CATEGORICAL_NAMES

GROUPS = [GroupSpec(columns=("c0",))]


def imports_alone(paths: Sequence[str]) -> None:
    """Do nothing: what the process itself takes."""


def read(paths: Sequence[str]) -> None:
    """Decode every column of a row group with Arrow's threads, as reading a table does; throw it away; next."""
    for path in paths:
        with parquet.ParquetFile(path, read_dictionary=list(CATEGORICAL_NAMES)) as file:
            for number in range(file.num_row_groups):
                file.read_row_group(number)


def decode(paths: Sequence[str]) -> None:
    """Decode one column of a row group at a time on each core, throw it away, next: nothing decodes for less."""
    for path in paths:
        with parquet.ParquetFile(path) as file:
            metadata = file.metadata
        local = threading.local()

        def one(task: tuple[int, int], path: str = path, local: threading.local = local) -> None:
            number, column = task
            if not hasattr(local, "reader"):
                local.reader = parquet.ParquetFile(path, read_dictionary=list(CATEGORICAL_NAMES)).reader
            local.reader.read_row_groups([number], column_indices=[column], use_threads=False)

        tasks = [(n, c) for n in range(metadata.num_row_groups) for c in range(metadata.num_columns)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(one, tasks):
                pass


def profile(paths: Sequence[str]) -> None:
    """Profile every column."""
    profile_file(paths, rows=False)


def profile_by_group(paths: Sequence[str]) -> None:
    """Profile every column, as a whole and inside two groups."""
    profile_file(paths, groups=GROUPS, rows=False)


def with_row_hashes(paths: Sequence[str]) -> None:
    """The same and row hashes."""
    profile_file(paths, groups=GROUPS)


def with_digest(paths: Sequence[str]) -> None:
    """The same and the content digest: what the gate does."""
    for path in paths:
        measure_file(path, groups=GROUPS)


JOBS: dict[str, Callable[[Sequence[str]], None]] = {
    job.__name__: job
    for job in (imports_alone, read, decode, profile, profile_by_group, with_row_hashes, with_digest)
}

if __name__ == "__main__":
    name, again, *files = sys.argv[1:]
    measure(lambda: JOBS[name](files), again=int(again))
