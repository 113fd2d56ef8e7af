"""Rows as the pandas frames that Great Expectations is given: whole columns, pieces, or each distinct value once.

All frames of a column have the types that the column has as a whole: pandas knows no missing integer, so that a
piece without missing values would otherwise hold integers where another piece of the same column holds floats.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aims_pipelines.checks.rows import batches_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from aims_pipelines.checks.candidate import Batches

#: Rows of a piece: few enough to stay in the processor's cache, enough that the work on them outweighs the rest.
PIECE: Final = 1 << 18
#: Distinct values that a column is condensed to, at most.
_MOST_DISTINCT: Final = 1 << 17
#: A piece is worth condensing if a value occurs this often in it, on average.
_REPEATS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows that a suite is asked of.

    Args:
        schema: Their columns, with the types that they have as data; a batch may bring texts as a dictionary.
        count: How many there are.
        batches: Opens them, all columns or some, from the start.
        piece: Most rows of a piece.
    """

    schema: "pa.Schema"
    count: int
    batches: "Batches"
    piece: int = PIECE

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.schema.names)

    def nameplate(self) -> "pd.DataFrame":
        """All columns and no rows."""
        import pandas as pd

        return pd.DataFrame(columns=list(self.names))

    def whole(self, columns: Sequence[str]) -> "pd.DataFrame":
        """Some columns, all rows."""
        import pandas as pd
        import pyarrow as pa

        if not columns:
            return pd.DataFrame(index=pd.RangeIndex(self.count))
        return _frame(pa.Table.from_batches(list(self._read(columns))))

    def pieces(self, columns: Sequence[str]) -> "Iterator[pd.DataFrame]":
        """Some columns, some rows at a time."""
        types = self._types(columns)
        for piece in self._cut(columns):
            yield _frame(piece).astype(types)

    def condensed(self, column: str) -> "tuple[pd.DataFrame, NDArray[np.int64]] | None":
        """Each distinct value of a column once, missing included, and how often it occurs.

        ``None`` where that is not worth it, or not certain to keep what tells values apart: floating point (zero
        has two signs), categories, nested types.
        """
        import pyarrow as pa

        kind = _plain(self.schema.field(column).type)
        if not _is_condensable(kind):
            return None
        parts: list[pa.Table] = []
        pending = 0
        for piece in self._cut((column,), codes=True):
            distinct = 0
            for chunk in piece.column(0).chunks:  # each may have a dictionary of its own
                counts = chunk.value_counts()
                values = _plainly(counts.field("values"), kind, codes=False)
                parts.append(pa.table({column: values, "": counts.field("counts")}))
                distinct += len(counts)
            if distinct * _REPEATS > len(piece):
                return None
            pending += distinct
            if pending > _MOST_DISTINCT:
                parts = [_merged(parts, column)]
                pending = len(parts[0])
                if pending > _MOST_DISTINCT // 2:
                    return None
        merged = _merged(parts, column)
        return _frame(merged.select([column])), merged.column("").to_numpy()

    def sample(self, rows: int, *, key: str) -> "Rows":
        """Draw rows: each is as likely as any other, and the same ones come out every time for the same key."""
        import numpy as np
        import pyarrow as pa

        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
        chosen = np.sort(np.random.default_rng(seed).choice(self.count, size=rows, replace=False))
        kept, start = [], 0
        for batch in self._read(self.names):
            first, last = np.searchsorted(chosen, [start, start + batch.num_rows])
            if last > first:
                kept.append(batch.take(pa.array(chosen[first:last] - start)))
            start += batch.num_rows
        table = pa.Table.from_batches(kept)
        return Rows(schema=table.schema, count=rows, batches=batches_of(table), piece=self.piece)

    def _read(self, columns: Sequence[str], *, codes: bool = False) -> "Iterator[pa.RecordBatch]":
        """Batches that have rows, in types that rows can be taken from; texts that came as codes only on request."""
        import pyarrow as pa

        kinds = {name: _plain(self.schema.field(name).type) for name in columns}
        for batch in self.batches(columns):
            if batch.num_rows:
                yield pa.record_batch(
                    {name: _plainly(batch.column(name), kind, codes=codes) for name, kind in kinds.items()}
                )

    def _cut(self, columns: Sequence[str], *, codes: bool = False) -> "Iterator[pa.Table]":
        """Rows in pieces of one size, whatever the size of the batches."""
        import pyarrow as pa

        pool: list[pa.RecordBatch] = []
        room = self.piece
        for batch in self._read(columns, codes=codes):
            start = 0
            while start < batch.num_rows:
                pool.append(batch.slice(start, room))
                start += pool[-1].num_rows
                room -= pool[-1].num_rows
                if not room:
                    yield pa.Table.from_batches(pool)
                    pool, room = [], self.piece
        if pool:
            yield pa.Table.from_batches(pool)

    def _types(self, columns: Sequence[str]) -> "dict[str, np.dtype]":
        """Types of columns that change when a value is missing somewhere, and one is."""
        import pyarrow as pa

        with_and_without = {}
        for name in columns:
            kind = _plain(self.schema.field(name).type)
            without, with_one = (pa.array(values, kind).to_pandas().dtype for values in ([], [None]))
            if without != with_one:
                with_and_without[name] = with_one
        if not with_and_without:
            return {}
        gaps = dict.fromkeys(with_and_without, 0)
        for batch in self._read(tuple(gaps)):
            for name in gaps:
                gaps[name] += batch.column(name).null_count
        return {name: kind for name, kind in with_and_without.items() if gaps[name]}


def _plain(kind: "pa.DataType") -> "pa.DataType":
    """Type of a column once it is laid out so that rows can be taken from it."""
    import pyarrow as pa

    if pa.types.is_run_end_encoded(kind):
        return _plain(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(kind) else kind


def _plainly(array: "pa.Array", kind: "pa.DataType", *, codes: bool) -> "pa.Array":
    """A column in the type that it has as data; a dictionary of texts stays one if codes will do."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = pc.run_end_decode(array) if pa.types.is_run_end_encoded(array.type) else array
    if values.type == kind or (codes and pa.types.is_dictionary(values.type)):
        return values
    return values.cast(kind)


def _frame(table: "pa.Table") -> "pd.DataFrame":
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    return frame


def _merged(parts: "Sequence[pa.Table]", column: str) -> "pa.Table":
    import pyarrow as pa

    counts = pa.concat_tables(parts).group_by(column, use_threads=False).aggregate([("", "sum")])
    return counts.rename_columns([column, ""])


def _is_condensable(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(
        types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_decimal128(kind)
        or types.is_decimal256(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_date(kind)
        or types.is_timestamp(kind)
    )
