"""Arrow columns as the few plain arrays that the kernel measures.

Every Arrow type ends as numbers (float64), as codes into labels, or as texts. The logical type says what the
values are; chunking, dictionary encoding, offset width and view layouts are lowered away here and show
nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from aims_pipelines.measure.buffers import Floats, Hashes, Mask, fixed_width, text_buffers, validity
from aims_pipelines.measure.column_types import is_binary, kind_of, logical_type
from aims_pipelines.measure.decimals import EXACT_DIGITS, EXACT_INTEGER, decimal_values, integer_words
from aims_pipelines.stats.hashing import hash_labels, hash_texts
from aims_pipelines.stats.number_labels import number_label
from aims_pipelines.stats.profile import NARROW, Kind

_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A column of numbers; what stands at an invalid place means nothing.

    Args:
        values: Values, or seconds since 1970-01-01 UTC; contiguous, shape (n,).
        valid: Which are there; ``None`` if all.
        words: 64-bit words to hash in place of the values' bits where float64 would blur them; ``None`` if
            not.
    """

    values: Floats
    valid: Mask | None
    words: Hashes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """A column of labels by number.

    Args:
        codes: Index into the labels, shape (n,); anything at an invalid place.
        valid: Which are there; ``None`` if all.
        labels: Arrow array of the labels; of another type than string it is rendered by ``render``.
        render: Turns an array of chosen labels into texts.
    """

    codes: NDArray[Any]
    valid: Mask | None
    labels: pa.Array
    render: Callable[[pa.Array], list[str]]

    def texts(self, chosen: NDArray[np.int64]) -> list[str]:
        """Labels with the given numbers."""
        return self.render(self.labels.take(pa.array(chosen)))

    def hashes(self) -> Hashes:
        """Hash of every label."""
        if pa.types.is_string(self.labels.type) or pa.types.is_large_string(self.labels.type):
            return hash_texts(*text_buffers(self.labels))
        return hash_labels(self.render(self.labels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """A column of strings, with no nulls among ``strings``.

    Args:
        strings: The valid values, as a string or large_string array.
        valid: Which rows they belong to; ``None`` if all.
        rows: Rows of the column, missing ones included.
    """

    strings: pa.Array
    valid: Mask | None
    rows: int

    def hashes(self) -> Hashes:
        """Hash of every valid value."""
        return hash_texts(*text_buffers(self.strings))

    def encoded(self) -> Codes:
        """The same column as codes, valid rows only."""
        encoded = self.strings.dictionary_encode()
        return Codes(codes=fixed_width(encoded.indices), valid=None, labels=encoded.dictionary, render=_as_is)


Lowered = Numbers | Codes | Texts


def descend(column: pa.ChunkedArray, path: tuple[int, ...]) -> pa.ChunkedArray:
    """Child column at a path of struct positions; missing wherever a parent is."""
    for position in path:
        column = pa.chunked_array(
            [chunk.flatten()[position] for chunk in column.chunks], column.type[position].type
        )
    return column


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array, without copying if it is one already."""
    if column.num_chunks == 1:
        return column.chunk(0)
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def plain(array: pa.Array) -> pa.Array:
    """Strip extension types and run-end encoding."""
    if isinstance(array, pa.ExtensionArray):
        return plain(array.storage)
    if pa.types.is_run_end_encoded(array.type):
        return plain(pc.run_end_decode(array))
    return array


def workable(array: pa.Array) -> pa.Array:
    """Half floats and narrow decimals, which few of Arrow's functions take, as the next type that holds them."""
    if pa.types.is_float16(array.type):
        return array.cast(pa.float32())
    if pa.types.is_decimal(array.type) and array.type.bit_width < 128:
        return array.cast(pa.decimal128(array.type.precision, array.type.scale))
    return array


def plain_strings(array: pa.Array) -> pa.Array:
    """Strings or bytes in a layout with offsets."""
    if pa.types.is_string_view(array.type):
        return array.cast(pa.large_string())
    return array.cast(pa.large_binary()) if pa.types.is_binary_view(array.type) else array


def lower(array: pa.Array) -> Lowered:
    """Lower a column whose type :func:`kind_of` accepts.

    Args:
        array: All values of one window of a column.

    Returns:
        Numbers, codes or texts.
    """
    array = plain(array)
    kind, valid = array.type, validity(array)
    if pa.types.is_dictionary(kind):
        return _lower_dictionary(array, valid)
    if pa.types.is_null(kind):
        none = pa.array([], pa.string())
        return Codes(codes=np.zeros(len(array), np.int64), valid=valid, labels=none, render=_as_is)
    if pa.types.is_boolean(kind):
        names = pa.array(["false", "true"])
        return Codes(codes=fixed_width(array), valid=valid, labels=names, render=_as_is)
    logical = logical_type(kind)
    if pa.types.is_string(logical):
        strings = plain_strings(array)
        return Texts(strings=strings if valid is None else strings.drop_null(), valid=valid, rows=len(array))
    if is_binary(logical):
        encoded = plain_strings(array).cast(pa.large_binary()).dictionary_encode()
        return Codes(
            codes=fixed_width(encoded.indices), valid=valid, labels=encoded.dictionary, render=_opaque
        )
    return _lower_numbers(array, valid)


def _lower_dictionary(array: pa.DictionaryArray, valid: Mask | None) -> Lowered:
    labels = plain(array.dictionary)
    codes = fixed_width(array.indices)
    if labels.null_count:  # a null may hide among the labels
        present = np.asarray(labels.is_valid())
        safe = codes if valid is None else np.where(valid, codes, 0)
        there = present[safe]
        valid = there if valid is None else valid & there
    logical = logical_type(labels.type)
    if pa.types.is_string(logical):
        return Codes(codes=codes, valid=valid, labels=plain_strings(labels), render=_as_is)
    return Codes(codes=codes, valid=valid, labels=labels, render=_opaque if is_binary(logical) else labels_of)


def _lower_numbers(array: pa.Array, valid: Mask | None) -> Numbers:
    kind, types = array.type, pa.types
    if types.is_decimal(kind):
        decimals, words = decimal_values(array)
        return Numbers(values=decimals, valid=valid, words=words)
    raw = fixed_width(array)
    if types.is_floating(kind):
        return Numbers(values=np.ascontiguousarray(raw, np.float64), valid=valid)
    if types.is_integer(kind):
        values = raw.astype(np.float64)
        wide = (
            kind.bit_width == 64
            and len(raw)
            and max(abs(int(raw.min())), abs(int(raw.max()))) >= EXACT_INTEGER
        )
        return Numbers(values=values, valid=valid, words=integer_words(raw, values) if wide else None)
    if types.is_date32(kind):
        return Numbers(values=raw * 86400.0, valid=valid)
    unit = "ms" if types.is_date64(kind) else kind.unit
    per_second = 10**9 // _NANOSECONDS[unit]
    fine = unit in {"us", "ns"}
    words = raw.astype(np.int64).view(np.uint64) * np.uint64(_NANOSECONDS[unit]) if fine else None
    return Numbers(values=raw / float(per_second), valid=valid, words=words)


def _as_is(labels: pa.Array) -> list[str]:
    texts: list[str] = labels.to_pylist()
    return texts


def _opaque(labels: pa.Array) -> list[str]:
    """Bytes are named by their hash: they are no labels for people."""
    hashes = hash_texts(*text_buffers(labels.cast(pa.large_binary())))
    return [f"#{value:016x}" for value in hashes.tolist()]


def labels_of(values: pa.Array, *, stored: pa.DataType | None = None) -> list[str]:
    """Texts for values of any measurable type: whole numbers without a decimal point, times in ISO 8601.

    Args:
        values: The values.
        stored: Type that they were stored in, if they come in a wider one.
    """
    kind = plain(values).type if stored is None else stored
    if pa.types.is_integer(kind):
        return [str(value) for value in values.to_pylist()]
    if pa.types.is_decimal(kind):
        return [_decimal_label(value) for value in values.to_pylist()]
    lowered = lower(values)
    if not isinstance(lowered, Numbers) or kind_of(values.type) is Kind.TEMPORAL:
        return [str(value) for value in values.cast(pa.string()).to_pylist()]
    return [number_label(value, NARROW.get(str(kind))) for value in lowered.values.tolist()]


def _decimal_label(value: Decimal | None) -> str:
    """Text for a decimal: as for a number, but to its last digit."""
    if value is None or len(value.as_tuple().digits) <= EXACT_DIGITS:
        return str(value) if value is None else number_label(float(value))
    return f"{value.normalize(Context(prec=76)):f}"
