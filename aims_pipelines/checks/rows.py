"""The rows of a candidate, one column at a time: for the few questions that a profile cannot answer."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aims_pipelines.checks.candidate import Batches, Candidate
from aims_pipelines.core.errors import RowsNotKept

if TYPE_CHECKING:
    import pyarrow as pa


def batches_of(source: "pa.Table | Path") -> Batches:
    """Open the rows of a table in memory, or of a Parquet file, again and again.

    Of a file no more is read than the columns asked for, and texts that it stores as codes come as dictionaries.

    Raises:
        BadInput: It is no Parquet file.
    """
    if isinstance(source, Path):
        from aims_pipelines.measure.parquet_reader import ParquetTable

        file = ParquetTable(source)
        return lambda columns=None: file.batches(columns, codes=True)

    def batches(columns: Sequence[str] | None = None) -> "Iterator[pa.RecordBatch]":
        return iter((source if columns is None else source.select(list(columns))).to_batches())

    return batches


def pieces(candidate: Candidate, column: str) -> Iterator["pa.Array"]:
    """Read one column in pieces, in the order of the rows, encodings undone.

    A field of a struct is called ``a.b``, as in profiles. Types that few of Arrow's functions take come as wider ones.
    """
    import pyarrow as pa

    from aims_pipelines.measure.column_types import flattened
    from aims_pipelines.measure.lowering import descend, plain, workable

    try:
        batches = candidate.batches()
    except RowsNotKept as error:
        raise RowsNotKept(error.reason, column=column) from None
    for batch in batches:
        path = next(path for name, path, _ in flattened(batch.schema) if name == column)
        whole = descend(pa.chunked_array([batch.column(path[0])]), path[1:])
        for chunk in whole.chunks:
            piece = plain(chunk)
            yield workable(plain(piece.dictionary_decode()) if pa.types.is_dictionary(piece.type) else piece)


def tally(candidate: Candidate, column: str, count: Callable[["pa.Array"], int]) -> int:
    """Add up what ``count`` finds in the pieces of a column."""
    return sum(count(piece) for piece in pieces(candidate, column))


def tally_texts(candidate: Candidate, column: str, matches: Callable[[str], bool]) -> int:
    """Count the values of a text column that match, asking once per distinct value of a piece."""
    total = 0
    for piece in pieces(candidate, column):
        for entry in piece.value_counts().to_pylist():
            text = entry["values"]
            if text is not None and matches(text):
                total += entry["counts"]
    return total
