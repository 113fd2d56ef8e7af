"""Windows: the pieces in which the kernel takes in a table."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from aims_pipelines.core.errors import BadInput, Fault

#: Rows of a window where the source does not say.
WINDOW_ROWS = 1 << 18
#: Rows of a window of a table that is in memory anyway: what is done once a window and group is then done less often.
SLICE_ROWS = 1 << 20


class Window(Protocol):
    """Some rows of a table."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        ...

    def column(self, index: int) -> pa.ChunkedArray:
        """A top-level column over these rows; called from several threads at once."""
        ...


@dataclass(frozen=True, slots=True)
class TableWindow:
    """Some rows of a table in memory."""

    table: pa.Table

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.table.num_rows)

    def column(self, index: int) -> pa.ChunkedArray:
        """A top-level column over these rows."""
        return self.table.column(index)


def windows_of(source: object) -> tuple[pa.Schema, Iterator[Window]]:
    """Schema and windows of a table, a batch, a reader, or anything that yields batches.

    Raises:
        BadInput: It is none of these, or the batches disagree on their columns.
    """
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, pa.Table):
        return source.schema, _slices(source)
    if isinstance(source, pa.RecordBatchReader):
        return source.schema, _pooled(iter(source), source.schema)
    if not isinstance(source, Iterable) or isinstance(source, str | bytes):
        raise BadInput(
            Fault(
                where="table",
                expected="an Arrow table, reader or record batches",
                found=type(source).__name__,
                remedy="Use profile_frame for data frames and profile_file for files.",
            )
        )
    batches = iter(source)
    first = next(batches, None)
    if first is None:
        return pa.schema([]), iter(())
    return first.schema, _pooled(_chained(first, batches), first.schema)


def _slices(table: pa.Table) -> Iterator[Window]:
    for start in range(0, table.num_rows, SLICE_ROWS):
        yield TableWindow(table.slice(start, SLICE_ROWS))


def _chained(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    for batch in rest:
        if not batch.schema.equals(first.schema, check_metadata=False):
            found = f"{batch.schema.names} after {first.schema.names}"
            if batch.schema.names == first.schema.names:
                pairs = zip(batch.schema, first.schema, strict=True)
                found = ", ".join(f"{b.name}: {b.type} after {a.type}" for b, a in pairs if b.type != a.type)
            raise BadInput(
                Fault(where="record batches", expected="the same columns and types in each", found=found)
            )
        yield batch


def _pooled(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[Window]:
    pool: list[pa.RecordBatch] = []
    waiting = 0
    for batch in batches:
        pool.append(batch)
        waiting += batch.num_rows
        if waiting >= WINDOW_ROWS:
            yield TableWindow(pa.Table.from_batches(pool, schema))
            pool, waiting = [], 0
    if waiting:
        yield TableWindow(pa.Table.from_batches(pool, schema))
