"""CSV and TSV files as typed record batches, in bounded memory.

A column's type is decided by all of its cells, so it does not depend on how the file is cut into blocks: the
file is read twice, once to decide, once to convert. The rules, in order, over the cells that are not missing:

1. whole numbers without leading zeros or a plus that fit 64 bits: ``int64``;
2. numbers without leading zeros, ``NaN`` and ``inf`` included: ``float64``; whole numbers of 16 digits or more
   among them would lose digits, so they make the column text;
3. ``true``/``false`` (or capitalised, or upper case): ``bool``;
4. ISO 8601 dates: ``date32``; dates and times: ``timestamp[us]``; times with a zone or ``Z``:
   ``timestamp[us, UTC]``;
5. anything else, such as ``007`` or ``+4930123``: ``string``. A column without any value is of type ``null``.

Blanks around a number, boolean or time are not part of it; around text they are. A cell is missing if it is
empty (quoted or not) or equal to one of the ``null_values``. Lines without anything in them are skipped,
except in files of one column, where such a line is a missing value. Text is UTF-8, with or without a byte
order mark.
"""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.column_types import name_faults

_BLOCK_BYTES = 1 << 22
_HEADER_BYTES = 1 << 20
_SHOWN_FAULTS = 20
_BOOLEANS = pa.array(["true", "false", "True", "False", "TRUE", "FALSE"])
_UTC = pa.timestamp("us", "UTC")
_LADDER = (pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us"), _UTC)
_EXACT_DIGITS = 16


def _open(path: Path) -> "BinaryIO | gzip.GzipFile":
    return gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")


def _delimiter(path: Path) -> str:
    return "\t" if path.name.lower().endswith((".tsv", ".tsv.gz")) else ","


class CsvFile:
    """A CSV file whose header, rows and cells were all looked at once.

    Args:
        path: The file; ``.tsv`` is separated by tabs, ``.gz`` is decompressed.
        null_values: Texts that mean missing, besides the empty one.

    Raises:
        BadInput: The file is empty, is not UTF-8 text, its header lacks names or repeats one, or rows have too
            many or too few cells; up to twenty such rows are named by their line.
    """

    def __init__(self, path: Path, null_values: Sequence[str] = ()) -> None:
        self._path, self._null_values = path, ["", *null_values]
        self._names = self._read_names()
        self.schema = self._infer()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Rows from the start, typed by ``schema``."""
        for batch in self._texts():
            try:
                columns = [
                    _converted(column, field.type)
                    for column, field in zip(batch.columns, self.schema, strict=True)
                ]
            except pa.ArrowException as error:
                raise BadInput(
                    Fault(
                        where=str(self._path),
                        expected="a file at rest",
                        found="other cells than a moment before",
                    )
                ) from error
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _read_names(self) -> list[str]:
        try:
            with _open(self._path) as file:
                start = file.read(_HEADER_BYTES)
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(self._explained(error)) from error
        if not start.strip():
            raise BadInput(
                Fault(where=str(self._path), expected="a line with the column names", found="an empty file")
            )
        if start[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
            raise BadInput(
                Fault(
                    where=f"{self._path}, byte 0",
                    expected="text in UTF-8",
                    found="the byte order mark of UTF-16",
                    remedy="Save it as UTF-8.",
                )
            )
        if b"\0" in start:
            raise BadInput(
                Fault(
                    where=f"{self._path}, byte {start.index(0)}",
                    expected="text in UTF-8",
                    found="a zero byte, so something that is not text",
                    remedy="Save the table as CSV again; a spreadsheet's own format is none.",
                )
            )
        try:
            text = codecs.getincrementaldecoder("utf-8-sig")().decode(start)
        except UnicodeDecodeError:
            raise BadInput(self._encoding_fault()) from None
        records = (
            row for row in csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(self._path)) if row
        )
        names = next(records, [""])
        # Arrow asks for a line end behind the header, which a file without rows may not have.
        self._has_rows = len(start) == _HEADER_BYTES or len(start.strip().splitlines()) > 1
        faults = [
            Fault(
                where=f"{self._path}, {fault.where}",
                expected=fault.expected,
                found=fault.found,
                remedy=fault.remedy,
            )
            for fault in name_faults(names)
        ]
        if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
            found = "semicolons" if ";" in names[0] else "tabs"
            faults.append(
                Fault(
                    where=f"{self._path}, line 1",
                    expected="column names separated by commas (or tabs in a .tsv file)",
                    found=f"{found} between them",
                    remedy="Save it with commas.",
                )
            )
        if faults:
            raise BadInput(faults)
        return names

    def _texts(self) -> Iterator[pa.RecordBatch]:
        """Rows with every cell as text; all faults of the rows are raised together, at the end."""
        from pyarrow import csv as arrow_csv

        ragged: list[Any] = []
        unseen = 0

        def on_ragged(row: Any) -> str:
            nonlocal unseen
            if len(ragged) < _SHOWN_FAULTS:
                ragged.append((row.number, row.expected_columns, row.actual_columns))
            else:
                unseen += 1
            return "skip"

        if not self._has_rows:
            return
        single = len(self._names) == 1
        last = ""
        try:
            with _open(self._path) as file:
                reader = arrow_csv.open_csv(
                    file,
                    read_options=arrow_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                    parse_options=arrow_csv.ParseOptions(
                        delimiter=_delimiter(self._path),
                        newlines_in_values=True,
                        ignore_empty_lines=not single,
                        invalid_row_handler=on_ragged,
                    ),
                    convert_options=arrow_csv.ConvertOptions(
                        column_types=dict.fromkeys(self._names, pa.string()),
                        null_values=self._null_values,
                        strings_can_be_null=True,
                        quoted_strings_can_be_null=True,
                    ),
                )
                for batch in reader:
                    if batch.num_rows:
                        last = str(batch.column(batch.num_columns - 1)[-1])
                    if not ragged:
                        yield batch
            if ("\n" in last or "\r" in last) and not self._ends_with_quote():
                raise BadInput(
                    Fault(
                        where=str(self._path),
                        expected="a closing quote",
                        found=f"a last cell of {len(last.splitlines()):,} lines that is not closed",
                        remedy="Look for a quote that opens the last cell of a line; double it or close it.",
                    )
                )
        except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
            raise BadInput(self._explained(error)) from error
        if ragged:
            faults = [
                Fault(
                    where=f"{self._path}, record {number}" if number else str(self._path),
                    expected=f"{expected} cells, as many as the header has names",
                    found=str(actual),
                    remedy="Quote cells that hold a separator.",
                )
                for number, expected, actual in ragged
            ]
            if unseen:
                faults.append(
                    Fault(where=str(self._path), expected="no further such records", found=f"{unseen} more")
                )
            raise BadInput(faults)

    def _ends_with_quote(self) -> bool:
        tail = b""
        with _open(self._path) as file:
            while chunk := file.read(_BLOCK_BYTES):
                tail = (tail + chunk)[-_HEADER_BYTES:]
        return tail.rstrip(b"\r\n").endswith(b'"')

    def _explained(self, error: Exception) -> Fault:
        text = str(error)
        if "UTF8" in text or "UTF-8" in text:
            return self._encoding_fault()
        if isinstance(error, EOFError | gzip.BadGzipFile | zlib.error) or "Compressed" in text:
            return Fault(
                where=str(self._path), expected="a complete gzip file", found="one that is cut off or damaged"
            )
        return Fault(
            where=str(self._path),
            expected="a readable CSV file",
            found="one that cannot be parsed or read to its end",
        )

    def _encoding_fault(self) -> Fault:
        """Say where the file stops being UTF-8."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        offset = line = 0
        with _open(self._path) as file:
            while True:
                held = len(decoder.getstate()[0])
                block = file.read(1 << 20)
                try:
                    line += decoder.decode(block, final=not block).count("\n")
                except UnicodeDecodeError as error:
                    at = offset - held + error.start
                    line += bytes(error.object[: error.start]).count(b"\n")
                    where = f"{self._path}, line {line + 1}, byte {at}"
                    byte = f"the byte 0x{error.object[error.start]:02x}"
                    remedy = "Save it as UTF-8 (it may be Latin-1 or Windows-1252 now)."
                    return Fault(where=where, expected="text in UTF-8", found=byte, remedy=remedy)
                offset += len(block)
                if not block:
                    return Fault(where=str(self._path), expected="text in UTF-8", found="other bytes")

    def _infer(self) -> pa.Schema:
        columns = [_Inference() for _ in self._names]
        for batch in self._texts():
            for column, cells in zip(columns, batch.columns, strict=True):
                column.look(cells)
        return pa.schema([(name, column.type) for name, column in zip(self._names, columns, strict=True)])


class _Inference:
    """The narrowest type that takes all cells seen so far."""

    def __init__(self) -> None:
        self.type: pa.DataType = pa.null()
        self._long_digits = False

    def look(self, cells: pa.Array) -> None:
        if self.type == pa.string() or cells.null_count == len(cells):
            return
        cells = cells.drop_null()
        if pa.types.is_null(self.type) or pa.types.is_integer(self.type) or pa.types.is_floating(self.type):
            if _written_as_text(cells):
                self.type = pa.string()
                return
            self._long_digits = self._long_digits or _long_digits(cells)
        if not self._takes(cells):
            self.type = pa.string()

    def _takes(self, cells: pa.Array) -> bool:
        for candidate in self._candidates():
            if _fits(cells, candidate):
                self.type = candidate
                return not (pa.types.is_floating(candidate) and self._long_digits)
        trimmed = pc.utf8_trim_whitespace(cells)
        return not trimmed.equals(cells) and not _written_as_text(trimmed) and self._takes(trimmed)

    def _candidates(self) -> tuple[pa.DataType, ...]:
        if pa.types.is_null(self.type):
            return _LADDER
        if pa.types.is_integer(self.type):
            return (pa.int64(), pa.float64())
        if pa.types.is_date(self.type):
            return (pa.date32(), pa.timestamp("us"))
        return (self.type,)


def _written_as_text(cells: pa.Array) -> bool:
    """Whether any cell is written as no number is: with leading zeros, as 0x…, or a whole number with a plus."""
    # Plain comparisons first: most cells are cleared by them, and a regular expression costs ten times as much.
    zero = pc.and_not(pc.starts_with(cells, "0"), pc.starts_with(cells, "0."))
    suspects = cells.filter(pc.or_(zero, pc.or_(pc.starts_with(cells, "-0"), pc.starts_with(cells, "+"))))
    return bool(pc.any(pc.match_substring_regex(suspects, r"^([-+]?0[0-9xX]|\+[0-9]+$)")).as_py())


def _long_digits(cells: pa.Array) -> bool:
    suspects = cells.filter(pc.greater_equal(pc.binary_length(cells), _EXACT_DIGITS))
    suspects = suspects.filter(pc.invert(pc.match_substring(suspects, ".")))
    return bool(pc.any(pc.match_substring_regex(suspects, f"^[-+]?[0-9]{{{_EXACT_DIGITS},}}$")).as_py())


def _fits(cells: pa.Array, kind: pa.DataType) -> bool:
    if pa.types.is_boolean(kind):
        return bool(pc.all(pc.is_in(cells, value_set=_BOOLEANS)).as_py())
    try:
        cells.cast(kind)
    except pa.ArrowException:
        return False
    return True


def _converted(cells: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        return cells
    if pa.types.is_null(kind):
        return pa.nulls(len(cells))
    try:
        return cells.cast(kind)
    except pa.ArrowException:
        return pc.utf8_trim_whitespace(cells).cast(kind)
