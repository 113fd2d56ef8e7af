"""Parquet files: columns of row groups for the kernel, record batches for everyone else."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.column_types import name_faults
from aims_pipelines.measure.windows import WINDOW_ROWS, Window

#: Bytes a value, on average over a column chunk, up to which it is taken to be dictionary encoded.
_ENCODED_BYTES = 4


class ParquetTable:
    """A Parquet file that was opened and whose schema was looked at.

    Args:
        path: The file.

    Raises:
        BadInput: It is not a complete Parquet file, or its columns lack names or repeat one.
    """

    def __init__(self, path: Path) -> None:
        from pyarrow import parquet

        self._path, self._parquet = path, parquet
        try:
            file = parquet.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:
            raise BadInput(unreadable(path)) from error
        with file:
            self._metadata = file.metadata
            self.schema: pa.Schema = file.schema_arrow.remove_metadata()
            leaves = [file.schema.column(index).path for index in range(len(file.schema))]
        faults = name_faults(self.schema.names)
        if faults:
            raise BadInput(faults)
        self._leaves = _leaves_of(self.schema)
        self._dictionaries = [
            leaves[index]
            for index in range(len(leaves))
            if leaves[index] in self.schema.names  # Arrow cannot read fields of structs as codes
            and self._metadata.num_row_groups
            and _is_encoded(self._metadata.row_group(0).column(index))
        ]
        self._local = threading.local()
        self._open_files: list[Any] = []

    def __enter__(self) -> "ParquetTable":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open_files:
            file.close()
        self._open_files.clear()
        self._local = threading.local()

    @property
    def rows(self) -> int:
        """Number of rows, by the file's footer."""
        return int(self._metadata.num_rows)

    def windows(self) -> Iterator[Window]:
        """Row groups, small ones taken together."""
        pool: list[int] = []
        waiting = 0
        for number in range(self._metadata.num_row_groups):
            pool.append(number)
            waiting += self._metadata.row_group(number).num_rows
            if waiting >= WINDOW_ROWS:
                yield ParquetWindow(self, tuple(pool), waiting)
                pool, waiting = [], 0
        if waiting:
            yield ParquetWindow(self, tuple(pool), waiting)

    def batches(
        self, columns: Sequence[str] | None = None, *, codes: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """Rows from the start.

        Args:
            columns: Top-level columns to read; all if ``None``.
            codes: Whether texts that the file stores as codes come as dictionaries, which is faster by far.
        """
        chosen = None if columns is None else list(columns)
        try:
            with self._parquet.ParquetFile(
                self._path, read_dictionary=self._dictionaries if codes else None
            ) as file:
                read = file.iter_batches(batch_size=WINDOW_ROWS, columns=chosen)
                yield from (batch.replace_schema_metadata(None) for batch in read)
        except (pa.ArrowException, OSError) as error:
            raise BadInput(unreadable(self._path)) from error

    def column(self, groups: tuple[int, ...], index: int) -> pa.ChunkedArray:
        """A top-level column of some row groups; every thread reads through a file handle of its own."""
        file = getattr(self._local, "file", None)
        try:
            if file is None:
                file = self._parquet.ParquetFile(
                    self._path, metadata=self._metadata, read_dictionary=self._dictionaries
                )
                self._local.file = file
                self._open_files.append(file)
            table = file.reader.read_row_groups(
                list(groups), column_indices=list(self._leaves[index]), use_threads=False
            )
        except (pa.ArrowException, OSError) as error:
            raise BadInput(unreadable(self._path)) from error
        return table.column(0)


@dataclass(frozen=True, slots=True)
class ParquetWindow:
    """Some row groups of a Parquet file."""

    table: ParquetTable
    groups: tuple[int, ...]
    rows: int

    def column(self, index: int) -> pa.ChunkedArray:
        """A top-level column over these rows."""
        return self.table.column(self.groups, index)


def unreadable(path: Path) -> Fault:
    """Fault of a file that is cut off, damaged, or no Parquet at all."""
    size = path.stat().st_size if path.exists() else 0
    return Fault(
        where=str(path),
        expected="a complete Parquet file",
        found="an empty file" if size == 0 else f"{size} bytes that are cut off, damaged, or something else",
        remedy="Write or copy it again.",
    )


def _leaves_of(schema: pa.Schema) -> list[range]:
    """Which leaf columns of the file belong to each top-level column."""
    leaves, start = [], 0
    for field in schema:
        count = _leaf_count(field.type)
        leaves.append(range(start, start + count))
        start += count
    return leaves


def _leaf_count(kind: pa.DataType) -> int:
    if isinstance(kind, pa.BaseExtensionType):
        return _leaf_count(kind.storage_type)
    if pa.types.is_struct(kind) or pa.types.is_nested(kind):
        return sum(_leaf_count(kind.field(index).type) for index in range(kind.num_fields))
    return 1


def _is_encoded(chunk: Any) -> bool:
    """Whether a column of strings is worth reading as codes."""
    if chunk.physical_type != "BYTE_ARRAY" or not chunk.num_values:
        return False
    return bool(
        chunk.has_dictionary_page and chunk.total_uncompressed_size <= _ENCODED_BYTES * chunk.num_values
    )
