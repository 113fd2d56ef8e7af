"""A batch of credit applications as Arrow record batches or as a file, in flat memory."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import date
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray
from pyarrow import parquet

from aims_pipelines.core.errors import BadInput, Fault
from examples.credit_default.faults import Planted, break_schema, plant_all
from examples.credit_default.population import BLOCK_ROWS, Block, draw

WRITTEN_ROWS = 8 * BLOCK_ROWS
"""Rows of a Parquet row group."""

SUFFIXES = (".parquet", ".csv")

SCHEMA = pa.schema(
    [
        ("application_id", pa.string()),
        ("applicant_id", pa.string()),
        ("application_date", pa.date32()),
        ("age", pa.int64()),
        ("sex", pa.string()),
        ("region", pa.string()),
        ("employment", pa.string()),
        ("employment_years", pa.float64()),
        ("income", pa.float64()),
        ("housing", pa.string()),
        ("existing_customer", pa.bool_()),
        ("history_years", pa.float64()),
        ("open_accounts", pa.int64()),
        ("delinquencies", pa.int64()),
        ("inquiries", pa.int64()),
        ("utilisation", pa.float64()),
        ("debt_ratio", pa.float64()),
        ("loan_amount", pa.float64()),
        ("loan_term_months", pa.int64()),
        ("loan_purpose", pa.string()),
        ("channel", pa.string()),
        ("outcome", pa.string()),
    ]
)


def batches(
    rows: int,
    *,
    seed: int,
    newest: date,
    planted: Sequence[Planted] = (),
    batch_rows: int = BLOCK_ROWS,
) -> Iterator[pa.RecordBatch]:
    """Generate applications piece by piece.

    The rows do not depend on ``batch_rows``, and fewer rows are the first rows of more.

    Args:
        rows: How many rows, at least 0.
        seed: Seed, at least 0. Batches whose seeds differ modulo 10,000 share no identifier.
        newest: Latest possible date of application.
        planted: Faults to plant, each kind once.
        batch_rows: Rows of each piece but the last, at least 1.
    """
    kept: list[pa.RecordBatch] = []
    size = 0
    for number in range(-(-rows // BLOCK_ROWS)):
        piece = _piece(seed, number, newest, tuple(planted)).slice(0, rows - number * BLOCK_ROWS)
        while size + piece.num_rows >= batch_rows:
            yield pa.concat_batches([*kept, piece.slice(0, batch_rows - size)])
            piece = piece.slice(batch_rows - size)
            kept, size = [], 0
        if piece.num_rows:
            kept.append(piece)
            size += piece.num_rows
    if kept:
        yield pa.concat_batches(kept)


def schema(planted: Sequence[Planted] = ()) -> pa.Schema:
    """Give the schema of a batch with these faults."""
    empty = pa.RecordBatch.from_pylist([], schema=SCHEMA)
    return break_schema(empty).schema if _breaks_schema(planted) else SCHEMA


def write(
    out: Path,
    rows: int,
    *,
    seed: int,
    newest: date,
    planted: Sequence[Planted] = (),
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Write applications as ``.parquet`` or ``.csv``; the file appears whole or not at all.

    Args:
        out: File to write.
        rows: How many rows, at least 0.
        seed: Seed, at least 0.
        newest: Latest possible date of application.
        planted: Faults to plant, each kind once.
        overwrite: Replace the file if it is there.
        progress: Told the number of rows of each piece written.

    Raises:
        BadInput: The file cannot be written as asked.
    """
    faults = tuple(unwritable(out, overwrite=overwrite))
    if faults:
        raise BadInput(faults)
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.", delete=False) as handle:
            temporary = Path(handle.name)
        with _writer(temporary, schema(planted), csv=out.suffix == ".csv") as writer:
            for piece in batches(rows, seed=seed, newest=newest, planted=planted, batch_rows=WRITTEN_ROWS):
                writer.write_batch(piece)
                progress(piece.num_rows)
        temporary.chmod(0o644)
        temporary.replace(out)
    except OSError as error:
        found = f"a place that cannot be written ({error.strerror or 'input/output error'})"
        raise BadInput(Fault(where=str(out), expected="a file that can be written", found=found)) from error
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                temporary.unlink()


def unwritable(out: Path, *, overwrite: bool) -> Iterator[Fault]:
    """Say what keeps a file from being written, before any row is drawn."""
    if out.suffix not in SUFFIXES:
        yield Fault(where=str(out), expected="a name that ends in .parquet or .csv", found=repr(out.suffix))
    if out.is_dir():
        yield Fault(where=str(out), expected="a file", found="a folder")
    elif out.exists() and not overwrite:
        yield Fault(
            where=str(out),
            expected="no such file yet",
            found="a file",
            remedy="Choose another name, or replace it with --overwrite.",
        )
    if not out.parent.is_dir():
        yield Fault(where=str(out.parent), expected="a folder", found="nothing", remedy="Create it first.")


class _Writer(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None: ...


def _writer(path: Path, shape: pa.Schema, *, csv: bool) -> AbstractContextManager[_Writer]:
    if csv:
        writer: AbstractContextManager[_Writer] = arrow_csv.CSVWriter(
            path, shape, write_options=arrow_csv.WriteOptions(quoting_style="needed")
        )
    else:
        writer = parquet.ParquetWriter(path, shape, compression="zstd")
    return writer


def _piece(seed: int, number: int, newest: date, planted: tuple[Planted, ...]) -> pa.RecordBatch:
    block = draw(seed, number, newest)
    plant_all(block, planted, seed=seed, number=number)
    piece = pa.RecordBatch.from_arrays([_array(block, field, seed) for field in SCHEMA], schema=SCHEMA)
    return break_schema(piece) if _breaks_schema(planted) else piece


def _breaks_schema(planted: Sequence[Planted]) -> bool:
    return any(one.fault.name == "schema" for one in planted)


def _array(block: Block, field: pa.Field, seed: int) -> pa.Array:
    if field.name == "application_id":
        return _identifiers("A", seed, np.asarray(block.columns["row"], np.int64))
    if field.name == "applicant_id":
        return _identifiers("P", seed, np.asarray(block.columns["person"], np.int64))
    return pa.array(block.columns[field.name], field.type, mask=block.missing.get(field.name))


def _identifiers(letter: str, seed: int, numbers: NDArray[np.int64]) -> pa.Array:
    """Spell ``A0007-000000123`` for row 123 of seed 7, for a whole block at once."""
    text = np.empty((len(numbers), 15), np.uint8)
    text[:, :6] = np.frombuffer(f"{letter}{seed % 10_000:04d}-".encode(), np.uint8)
    text[:, 6:] = numbers[:, None] // 10 ** np.arange(8, -1, -1) % 10 + ord("0")
    offsets = pa.py_buffer(np.arange(0, text.size + 1, text.shape[1], dtype=np.int32))
    return pa.StringArray.from_buffers(len(numbers), offsets, pa.py_buffer(text))
