"""Ours: the rows of a Parquet file as checks ask for them, some columns at a time and never the whole."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from aims_pipelines.checks.candidate import Batches


def rows_of(path: Path | str) -> Batches:
    """Open the rows of a file again and again."""

    def batches(columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(columns=None if columns is None else list(columns))

    return batches
