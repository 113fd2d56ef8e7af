"""Memory of Arrow arrays as NumPy arrays."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]
Mask = NDArray[np.bool_]


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
