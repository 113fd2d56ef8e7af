"""Arrow columns as the few plain arrays that the kernel measures.

Every Arrow type ends as numbers (float64), as codes into labels, or as texts. The logical type says what the
values are; chunking, dictionary encoding, offset width and view layouts are lowered away here and show
nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.stats.hashing import hash_labels, hash_texts
from aims_pipelines.stats.profile import Kind

Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]
Mask = NDArray[np.bool_]
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_EXACT_INTEGER = 1 << 53
#: Every decimal of no more digits has a float64 of its own.
_EXACT_DIGITS = 15
#: Largest power of ten that is a float64.
_EXACT_POWER = 22
#: Whole numbers that certainly fit into 64 bits.
_FITS_INTEGER = r"^-?(\d{1,18}|[1-8]\d{18})$"


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


def logical_type(kind: pa.DataType) -> pa.DataType:
    """Type of the values, whatever the encoding.

    Dictionaries and run-end encoded types are the type of their values; large and view layouts the plain
    type; 32- and 64-bit decimals the 128-bit one of the same precision and scale; extension types their
    storage.
    """
    if isinstance(kind, pa.BaseExtensionType):
        return logical_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return logical_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_decimal(kind) and kind.bit_width < 128:
        return pa.decimal128(kind.precision, kind.scale)
    return kind


def kind_of(kind: pa.DataType) -> Kind | None:
    """How a column of a type is measured; ``None`` if it cannot be."""
    if isinstance(kind, pa.BaseExtensionType):
        return kind_of(kind.storage_type)
    logical, types = logical_type(kind), pa.types
    if types.is_dictionary(kind):
        return None if kind_of(logical) is None else Kind.CATEGORICAL
    if types.is_string(logical) or types.is_boolean(logical) or types.is_null(logical) or _is_binary(logical):
        return Kind.CATEGORICAL
    if types.is_date(logical) or types.is_timestamp(logical):
        return Kind.TEMPORAL
    if types.is_integer(logical) or types.is_floating(logical) or types.is_decimal(logical):
        return Kind.NUMERIC
    return Kind.NUMERIC if types.is_time(logical) or types.is_duration(logical) else None


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind))


def flattened(schema: pa.Schema) -> list[tuple[str, tuple[int, ...], pa.DataType]]:
    """Columns to measure: name, path of child positions, type; a struct's fields become ``a.b``.

    Raises:
        BadInput: Names are missing or occur twice, or a type cannot be measured; all such columns are named.
    """
    columns: list[tuple[str, tuple[int, ...], pa.DataType]] = []
    faults: list[Fault] = []

    def visit(name: str, path: tuple[int, ...], kind: pa.DataType) -> None:
        if pa.types.is_struct(kind) and kind.num_fields:
            for index, field in enumerate(kind):
                visit(f"{name}.{field.name}", (*path, index), field.type)
        elif kind_of(kind) is None:
            faults.append(
                Fault(
                    where=f"column {name!r}",
                    expected="numbers, texts, booleans, dates or times, one a cell",
                    found=f"the type {kind}",
                    remedy="Explode it into rows, or spread it over columns of its own, or leave it out.",
                )
            )
        else:
            columns.append((name, path, kind))

    for index, field in enumerate(schema):
        visit(field.name, (index,), field.type)
    faults += name_faults([name for name, _, _ in columns])
    if faults:
        raise BadInput(faults)
    return columns


def name_faults(names: list[str]) -> list[Fault]:
    """Faults in a table's column names: each is to be there, and to be there once."""
    faults = [
        Fault(
            where=f"column {position}",
            expected="a name",
            found="none",
            remedy="Name every column; a nameless one is often a row index that was saved along.",
        )
        for position, name in enumerate(names, 1)
        if not name.strip()
    ]
    faults += [
        Fault(
            where=f"column {name!r}",
            expected="every column name once",
            found=f"it {names.count(name)} times",
            remedy="Rename or drop the others.",
        )
        for name in sorted({name for name in names if name.strip() and names.count(name) > 1})
    ]
    return faults


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


def validity(array: pa.Array) -> Mask | None:
    """Which values are there; ``None`` if all are."""
    if array.null_count == 0:
        return None
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.bool_)
    bitmap = np.frombuffer(array.buffers()[0], np.uint8)
    start = array.offset // 8
    bits = np.unpackbits(bitmap[start : (array.offset + len(array) + 7) // 8], bitorder="little")
    return bits[array.offset % 8 :][: len(array)].view(np.bool_)


def fixed_width(array: pa.Array) -> NDArray[Any]:
    """Values of a fixed-width array as they lie in memory, without copying; anything at null slots."""
    kind = array.type
    if pa.types.is_boolean(kind):
        bits = np.frombuffer(array.buffers()[1], np.uint8)[
            array.offset // 8 : (array.offset + len(array) + 7) // 8
        ]
        return np.unpackbits(bits, bitorder="little")[array.offset % 8 :][: len(array)]
    width = kind.bit_width // 8
    code = "f" if pa.types.is_floating(kind) else "u" if pa.types.is_unsigned_integer(kind) else "i"
    if len(array) == 0:
        return np.zeros(0, f"<{code}{width}")
    return np.frombuffer(array.buffers()[1], f"<{code}{width}")[array.offset : array.offset + len(array)]


def text_buffers(array: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
    """Bytes and offsets from 0 of a string or binary array, in its offset width; nulls among them are empty or
    garbage."""
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    if len(array) == 0:
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    width = np.dtype(np.int64 if wide else np.int32)
    raw: NDArray[np.integer] = np.frombuffer(array.buffers()[1], width)[array.offset :][: len(array) + 1]
    first, last = int(raw[0]), int(raw[-1])
    content = array.buffers()[2]
    data = np.frombuffer(content, np.uint8) if content is not None and content.size else np.zeros(0, np.uint8)
    return data[first:last], raw - first if first else raw


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
    if _is_binary(logical):
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
    return Codes(
        codes=codes, valid=valid, labels=labels, render=_opaque if _is_binary(logical) else labels_of
    )


def _lower_numbers(array: pa.Array, valid: Mask | None) -> Numbers:
    kind, types = array.type, pa.types
    if types.is_decimal(kind):
        return _lower_decimals(array, valid)
    raw = fixed_width(array)
    if types.is_floating(kind):
        return Numbers(values=np.ascontiguousarray(raw, np.float64), valid=valid)
    if types.is_integer(kind):
        values = raw.astype(np.float64)
        wide = (
            kind.bit_width == 64
            and len(raw)
            and max(abs(int(raw.min())), abs(int(raw.max()))) >= _EXACT_INTEGER
        )
        return Numbers(values=values, valid=valid, words=_integer_words(raw, values) if wide else None)
    if types.is_date32(kind):
        return Numbers(values=raw * 86400.0, valid=valid)
    unit = "ms" if types.is_date64(kind) else kind.unit
    per_second = 10**9 // _NANOSECONDS[unit]
    fine = unit in {"us", "ns"}
    words = raw.astype(np.int64).view(np.uint64) * np.uint64(_NANOSECONDS[unit]) if fine else None
    return Numbers(values=raw / float(per_second), valid=valid, words=words)


def _integer_words(raw: NDArray[Any], values: Floats) -> Hashes:
    """Bits of the float64 where it is exact, of the integer where it is not."""
    exact = np.abs(values) < _EXACT_INTEGER
    return np.where(exact, (values + 0.0).view(np.uint64), raw.view(np.uint64) ^ np.uint64(0x7FF7 << 48))


def _lower_decimals(array: pa.Array, valid: Mask | None) -> Numbers:
    """The nearest float64 of each decimal, which Arrow's own cast misses by a bit of every third."""
    rows, scale = len(array), array.type.scale
    values, short = np.zeros(rows), np.zeros(rows, np.bool_)
    if rows and array.type.bit_width <= 128 and 0 <= scale <= _EXACT_POWER:
        wide = array.cast(pa.decimal128(38, scale))
        low, high = np.frombuffer(wide.buffers()[1], "<i8").reshape(-1, 2)[wide.offset : wide.offset + rows].T
        short = (high == low >> 63) & (low < 10**_EXACT_DIGITS) & (low > -(10**_EXACT_DIGITS))
        values = low / 10.0**scale
    places = np.flatnonzero(~short)
    if not len(places):
        return Numbers(values=values, valid=valid)
    texts = pc.fill_null(array.take(pa.array(places)).cast(pa.decimal256(76, scale)).cast(pa.string()), "0")
    values[places] = fixed_width(texts.cast(pa.float64()))
    return Numbers(values=values, valid=valid, words=_decimal_words(texts, values, places, scale))


def _decimal_words(texts: pa.Array, values: Floats, places: NDArray[np.intp], scale: int) -> Hashes:
    """Words of decimals, some of more digits than float64 tells apart: of whole ones as of integers, or of texts."""
    words = (values + 0.0).view(np.uint64)
    if scale > 0:
        texts = pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")
    digits = pc.utf8_length(pc.utf8_ltrim(pc.replace_substring(texts, ".", ""), "-0"))
    whole = np.asarray(pc.match_substring_regex(texts, _FITS_INTEGER))
    if whole.any():
        integers = fixed_width(texts.filter(pa.array(whole)).cast(pa.int64()))
        words[places[whole]] = _integer_words(integers, integers.astype(np.float64))
    blurred = ~whole & np.asarray(pc.greater(digits, _EXACT_DIGITS))
    if blurred.any():
        written = texts.filter(pa.array(blurred)).cast(pa.large_string())
        words[places[blurred]] = hash_texts(*text_buffers(written))
    return words


def _as_is(labels: pa.Array) -> list[str]:
    texts: list[str] = labels.to_pylist()
    return texts


def _opaque(labels: pa.Array) -> list[str]:
    """Bytes are named by their hash: they are no labels for people."""
    hashes = hash_texts(*text_buffers(labels.cast(pa.large_binary())))
    return [f"#{value:016x}" for value in hashes.tolist()]


def labels_of(values: pa.Array) -> list[str]:
    """Texts for values of any measurable type: whole numbers without a decimal point, times in ISO 8601."""
    lowered = lower(values)
    if not isinstance(lowered, Numbers):
        return [str(value) for value in values.cast(pa.string()).to_pylist()]
    if kind_of(values.type) is Kind.TEMPORAL:
        return [str(value) for value in values.cast(pa.string()).to_pylist()]
    return [number_label(value) for value in lowered.values.tolist()]


def number_label(value: float) -> str:
    """Text for a number: ``1`` for 1.0, the shortest that reads back the same otherwise."""
    return str(int(value)) if value.is_integer() and abs(value) < _EXACT_INTEGER else repr(value)
