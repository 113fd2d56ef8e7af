"""Table files: CSV and Parquet, told apart by their names."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.csv_reader import CsvFile
from aims_pipelines.measure.kernel import Measured, Pass
from aims_pipelines.measure.parquet_reader import ParquetTable
from aims_pipelines.measure.windows import windows_of
from aims_pipelines.stats.profile import GroupSpec, Profile

PARQUET_SUFFIXES = (".parquet", ".pq")
CSV_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")


def _checked(path: Path | str) -> Path:
    path = Path(path)
    known = ", ".join((*CSV_SUFFIXES, *PARQUET_SUFFIXES))
    try:
        if path.is_dir():
            raise BadInput(
                Fault(
                    where=str(path),
                    expected="one table file",
                    found="a folder",
                    remedy="Name one file in it.",
                )
            )
        if not path.exists():
            raise BadInput(Fault(where=str(path), expected="a table file", found="nothing there"))
        if not path.name.lower().endswith((*CSV_SUFFIXES, *PARQUET_SUFFIXES)):
            found = f"the ending {path.suffix!r}" if path.suffix else "a name without an ending"
            raise BadInput(Fault(where=str(path), expected=f"a file named {known}", found=found))
        with path.open("rb"):
            pass
    except OSError as error:
        raise BadInput(
            Fault(where=str(path), expected="a readable file", found=error.strerror or type(error).__name__)
        ) from error
    return path


def _is_parquet(path: Path) -> bool:
    return path.name.lower().endswith(PARQUET_SUFFIXES)


def open_batches(path: Path | str, *, null_values: Sequence[str] = ()) -> pa.RecordBatchReader:
    """Stream a table file in bounded memory.

    Args:
        path: A ``.csv``, ``.tsv`` (either also with ``.gz``) or ``.parquet`` file.
        null_values: Texts that mean missing in a CSV, besides the empty one; Parquet has nulls of its own.

    Returns:
        A reader of its record batches. A file with a header and no rows gives a schema and no rows.

    Raises:
        BadInput: The file is missing, empty, a folder, of an unknown kind, damaged or not UTF-8; columns lack
        names
            or repeat one; rows have too many or too few cells. Damage further inside a Parquet file, and a
            CSV that changes meanwhile, are raised while reading.
    """
    path = _checked(path)
    source: ParquetTable | CsvFile = ParquetTable(path) if _is_parquet(path) else CsvFile(path, null_values)
    return pa.RecordBatchReader.from_batches(source.schema, source.batches())


def read_table(path: Path | str, *, null_values: Sequence[str] = ()) -> pa.Table:
    """Read a table file into memory.

    Args:
        path: As :func:`open_batches`.
        null_values: As :func:`open_batches`.

    Raises:
        BadInput: As :func:`open_batches`.
    """
    path = _checked(path)
    source: ParquetTable | CsvFile = ParquetTable(path) if _is_parquet(path) else CsvFile(path, null_values)
    return pa.Table.from_batches(source.batches(), source.schema)


def measure_file(
    path: Path | str,
    *,
    groups: Sequence[GroupSpec] = (),
    rows: bool = True,
    keys: Sequence[tuple[str, ...]] = (),
    null_values: Sequence[str] = (),
    digest: bool = True,
) -> Measured:
    """Profile and digest a table file in one pass, without ever holding the whole of it.

    Args:
        path: As :func:`open_batches`.
        groups: Groupings to profile within.
        rows: Whether to keep row hashes, from which duplicate and shared rows are told.
        keys: Keys to keep hashes of, each one or more columns.
        null_values: As :func:`open_batches`.
        digest: Whether to compute the content digest.

    Returns:
        The same as :func:`aims_pipelines.measure.measure` gives for ``read_table(path)``.

    Raises:
        BadInput: As :func:`open_batches`, and as for tables.
    """
    path = _checked(path)
    if _is_parquet(path):
        with ParquetTable(path) as table:
            run = Pass(table.schema, groups=groups, rows=rows, keys=keys, digest=digest)
            run.run(table.windows())
            return run.result()
    source = CsvFile(path, null_values)
    run = Pass(source.schema, groups=groups, rows=rows, keys=keys, digest=digest)
    run.run(windows_of(pa.RecordBatchReader.from_batches(source.schema, source.batches()))[1])
    return run.result()


def profile_file(
    path: Path | str,
    *,
    groups: Sequence[GroupSpec] = (),
    rows: bool = True,
    keys: Sequence[tuple[str, ...]] = (),
    null_values: Sequence[str] = (),
) -> Profile:
    """Profile a table file in one pass: :func:`measure_file` without the digest."""
    return measure_file(
        path, groups=groups, rows=rows, keys=keys, null_values=null_values, digest=False
    ).profile
