"""The content digest of a table: what was measured, published and admitted is named by it.

Format, version 1. All integers are little endian. A column's stream holds its non-null values end to end:

- integers, floats, dates, times, timestamps, durations: their fixed width; a NaN is the quiet NaN without
payload;
- decimals: 16 bytes (32 for 256-bit ones) of two's complement; booleans: one byte, 0 or 1;
- strings (UTF-8), binary, fixed-size binary: their bytes; the length stream holds each one's length in 4
bytes.

``column = SHA-256(len(name) u64 | name | len(type) u64 | type | rows u64 | nulls u64 | SHA-256(positions of
the nulls, u64 each) | SHA-256(length stream) | SHA-256(value stream))`` and ``table = SHA-256("aims table
1\\n" | columns u64 | rows u64 | column digests in order)``. The type is Arrow's name of the logical type:
encoding, offset width, views and extension names are not in it; unit and zone of times are. Fields of structs
are columns named ``a.b``.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.buffers import fixed_width, text_buffers, validity
from aims_pipelines.measure.column_types import logical_type
from aims_pipelines.measure.lowering import plain, plain_strings
from aims_pipelines.measure.scratch import BLOCK

_LONGEST = (1 << 32) - 1


class ColumnDigest:
    """Digest of one column, fed piece by piece."""

    def __init__(self, name: str, kind: pa.DataType) -> None:
        self._name, self._type = name, logical_type(kind)
        self._rows = self._nulls = 0
        self._positions, self._lengths, self._values = (hashlib.sha256() for _ in range(3))

    def update(self, array: pa.Array) -> None:
        """Take in the next rows."""
        array = plain(array)
        if pa.types.is_dictionary(array.type):
            array = plain_strings(plain(array.dictionary)).take(array.indices)
        array = plain_strings(array)
        valid = validity(array)
        if valid is not None:
            missing = np.flatnonzero(~valid)
            self._positions.update((missing + self._rows).astype("<u8").data)
            self._nulls += len(missing)
        self._rows += len(array)
        if not pa.types.is_null(self._type):
            self._take_values(array if valid is None else array.drop_null())

    def _take_values(self, array: pa.Array) -> None:
        kind = self._type
        if pa.types.is_string(kind) or pa.types.is_binary(kind):
            data, offsets = text_buffers(array)
            for start in range(0, len(array), BLOCK):
                self._take_lengths(np.diff(offsets[start : start + BLOCK + 1]))
            self._values.update(data.data)
        elif pa.types.is_decimal(kind) or pa.types.is_fixed_size_binary(kind):
            wide = array.cast(kind) if pa.types.is_decimal(kind) else array
            width = kind.bit_width // 8
            if pa.types.is_fixed_size_binary(kind):
                self._lengths.update(np.full(len(array), width, "<u4").data)
            if len(wide) and width:
                bytes_ = np.frombuffer(wide.buffers()[1], np.uint8)
                self._values.update(bytes_[wide.offset * width : (wide.offset + len(wide)) * width].data)
        else:
            self._values.update(_clean(fixed_width(array)).data)

    def _take_lengths(self, lengths: NDArray[np.integer]) -> None:
        if (longest := int(lengths.max())) > _LONGEST:
            where = f"column {self._name!r}"
            raise BadInput(Fault(where=where, expected="cells below 4 GiB", found=f"{longest} bytes"))
        self._lengths.update(lengths.astype("<u4", copy=False).view(np.uint8).data)

    def digest(self) -> bytes:
        """SHA-256 of the column."""
        total = hashlib.sha256()
        for text in (self._name, str(self._type)):
            encoded = text.encode("utf-8", "surrogatepass")
            total.update(len(encoded).to_bytes(8, "little") + encoded)
        total.update(self._rows.to_bytes(8, "little") + self._nulls.to_bytes(8, "little"))
        for stream in (self._positions, self._lengths, self._values):
            total.update(stream.digest())
        return total.digest()


def _clean(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind == "f" and len(values) and np.isnan(values.max()):
        values = values.copy()
        values[np.isnan(values)] = np.nan
    return np.ascontiguousarray(values)


def table_digest(columns: Sequence[ColumnDigest], rows: int) -> str:
    """Digest of a table from those of its columns, as ``sha256:…``."""
    total = hashlib.sha256(b"aims table 1\n")
    total.update(len(columns).to_bytes(8, "little") + rows.to_bytes(8, "little"))
    for column in columns:
        total.update(column.digest())
    return f"sha256:{total.hexdigest()}"
