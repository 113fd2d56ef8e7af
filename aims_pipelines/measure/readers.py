"""Single table files: CSV and Parquet, told apart by their names."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.csv_reader import CsvFile
from aims_pipelines.measure.kernel import Measured, Pass
from aims_pipelines.measure.parquet_reader import ParquetTable
from aims_pipelines.measure.views import without_views
from aims_pipelines.measure.windows import Window, windows_of
from aims_pipelines.stats.profile import GroupSpec

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
            remedy = "Save the table as CSV or Parquet."
            raise BadInput(
                Fault(where=str(path), expected=f"a file named {known}", found=found, remedy=remedy)
            )
        with path.open("rb"):
            pass
    except OSError as error:
        raise BadInput(
            Fault(where=str(path), expected="a readable file", found=error.strerror or type(error).__name__)
        ) from error
    return path


def open_table(path: Path | str, null_values: Sequence[str] = ()) -> ParquetTable | CsvFile:
    """Open a table file and look at its schema.

    Raises:
        BadInput: As :func:`open_batches`.
    """
    path = _checked(path)
    is_parquet = path.name.lower().endswith(PARQUET_SUFFIXES)
    return ParquetTable(path) if is_parquet else CsvFile(path, null_values)


@contextmanager
def windows_in(source: ParquetTable | CsvFile) -> Iterator[Iterator[Window]]:
    """All rows of an opened file, in windows that can be read until the context ends."""
    if isinstance(source, ParquetTable):
        with source:
            yield source.windows()
    else:
        yield windows_of(pa.RecordBatchReader.from_batches(source.schema, source.batches()))[1]


def open_batches(path: Path | str, *, null_values: Sequence[str] = ()) -> pa.RecordBatchReader:
    """Stream a table file in bounded memory.

    Args:
        path: A ``.csv``, ``.tsv`` (either also with ``.gz``) or ``.parquet`` file.
        null_values: Texts that mean missing in a CSV, besides the empty one; Parquet has nulls of its own.

    Returns:
        A reader of its record batches. A file with a header and no rows gives a schema and no rows.

    Raises:
        BadInput: The file is missing, empty, a folder, of an unknown kind, damaged or not UTF-8; columns lack
            names or repeat one; rows have too many or too few cells. Damage further inside a Parquet file, and a
            CSV that changes meanwhile, are raised while reading.
    """
    source = open_table(path, null_values)
    return pa.RecordBatchReader.from_batches(source.schema, source.batches())


def read_table(path: Path | str, *, null_values: Sequence[str] = ()) -> pa.Table:
    """Read a table file into memory; texts in views are laid out with offsets, so that rows can be picked.

    Args:
        path: As :func:`open_batches`.
        null_values: As :func:`open_batches`.

    Raises:
        BadInput: As :func:`open_batches`.
    """
    source = open_table(path, null_values)
    return without_views(pa.Table.from_batches(source.batches(), source.schema))


def measure_file(
    path: Path | str,
    *,
    groups: Sequence[GroupSpec] = (),
    rows: bool = True,
    keys: Sequence[tuple[str, ...]] = (),
    pairs: Sequence[tuple[str, str]] = (),
    null_values: Sequence[str] = (),
    digest: bool = True,
) -> Measured:
    """Profile and digest a table file in one pass, without ever holding the whole of it.

    Args:
        path: As :func:`open_batches`.
        groups: Groupings to profile within.
        rows: Whether to keep row hashes, from which duplicate and shared rows are told.
        keys: Keys to keep hashes of, each one or more columns.
        pairs: Pairs of columns whose values are counted together, numbers or categories.
        null_values: As :func:`open_batches`.
        digest: Whether to compute the content digest.

    Returns:
        The same as :func:`aims_pipelines.measure.measure` gives for ``read_table(path)``.

    Raises:
        BadInput: As :func:`open_batches`, and as for tables.
    """
    source = open_table(path, null_values)
    run = Pass(source.schema, groups=groups, rows=rows, keys=keys, pairs=pairs, digest=digest)
    with windows_in(source) as windows:
        run.run(windows)
    return run.result()
