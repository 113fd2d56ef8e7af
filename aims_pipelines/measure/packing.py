"""Integers and floats as few bytes."""

import numpy as np
from numpy.typing import NDArray

U64 = np.uint64
_MOST_BYTES = 10


class UnpackableError(ValueError):
    """Bytes that no packing gives."""


def pack_unsigned(values: NDArray[np.uint64]) -> bytes:
    """Pack 64-bit numbers, small ones into fewer bytes (LEB128: 7 bits a byte, low ones first)."""
    if not len(values):
        return b""
    longest = max(1, -(-int(values.max()).bit_length() // 7))
    if longest == 1:
        return values.astype(np.uint8).tobytes()
    # As many bytes for each as the largest takes, of which those up to its own end are kept.
    rows = np.empty((len(values), longest), np.uint8)
    kept = np.ones((len(values), longest), np.bool_)
    left = values.astype(U64)
    for position in range(longest):
        rows[:, position] = left & U64(0x7F)
        left >>= U64(7)
        if position + 1 < longest:
            more = np.not_equal(left, 0, out=kept[:, position + 1])
            rows[:, position] |= more.view(np.uint8) << 7
    return rows[kept].tobytes()


def unpack_unsigned(data: bytes, count: int) -> NDArray[np.uint64]:
    """Numbers that :func:`pack_unsigned` packed, all ``count`` of them.

    Raises:
        UnpackableError: The bytes hold more or fewer numbers, or too long ones.
    """
    packed = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(packed < 0x80)
    if len(ends) != count or (len(packed) and (not count or ends[-1] != len(packed) - 1)):
        raise UnpackableError
    if len(packed) == count:
        return packed.astype(U64)
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > _MOST_BYTES:
        raise UnpackableError
    places = np.arange(len(packed)) - np.repeat(starts, lengths)
    parts = (packed & 0x7F).astype(U64) << (7 * places).astype(U64)
    return np.add.reduceat(parts, starts)


def pack_ascending(values: NDArray[np.uint64]) -> bytes:
    """Pack ascending 64-bit numbers by their differences."""
    steps = values.astype(U64)
    steps[1:] -= values[:-1]
    return pack_unsigned(steps)


def unpack_ascending(data: bytes, count: int) -> NDArray[np.uint64]:
    """Numbers that :func:`pack_ascending` packed."""
    return np.cumsum(unpack_unsigned(data, count), dtype=U64)


def order_of(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """64-bit numbers in the order of float64 values, none NaN; one to one."""
    bits = values.view(U64)
    negative = bits >> U64(63) == 1
    return np.where(negative, ~bits, bits | U64(1 << 63))


def in_order(numbers: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Float64 values that :func:`order_of` numbered."""
    positive = numbers >> U64(63) == 1
    bits = np.where(positive, numbers & U64((1 << 63) - 1), ~numbers)
    return bits.view(np.float64).copy()


class Arrays:
    """Arrays that are packed one behind the other; each is known by its place ``[start, bytes, values]``."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._size = 0

    def add_ascending(self, values: NDArray[np.uint64]) -> list[int]:
        """Pack ascending numbers; return their place."""
        return self._add(pack_ascending(values), len(values))

    def add_counts(self, counts: NDArray[np.int64]) -> list[int]:
        """Pack counts; return their place."""
        return self._add(pack_unsigned(counts.view(np.uint64)), len(counts))

    def _add(self, packed: bytes, count: int) -> list[int]:
        self.parts.append(packed)
        self._size += len(packed)
        return [self._size - len(packed), len(packed), count]


class SavedArrays:
    """Arrays read back by their places.

    Args:
        data: The packed arrays. A place that is not in them raises ``ValueError``.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data

    def ascending(self, place: list[int]) -> NDArray[np.uint64]:
        """Ascending numbers at a place."""
        return unpack_ascending(*self._part(place))

    def counts(self, place: list[int]) -> NDArray[np.int64]:
        """Counts at a place."""
        return unpack_unsigned(*self._part(place)).astype(np.int64)

    def _part(self, place: list[int]) -> tuple[bytes, int]:
        start, size, count = place
        if not (start >= 0 and size >= 0 and start + size <= len(self._data) and count >= 0):
            raise ValueError
        return self._data[start : start + size], count
