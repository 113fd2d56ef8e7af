"""Coarse two-way counts of pairs of columns that add up, with no edges chosen ahead.

A number's key is the top bits of its float64, the sign in front: the exponent and at most a few bits of the mantissa.
More bits are kept where all values lie on one side of zero and close together (at most ``PAIR_SPAN`` keys between the
smallest and the largest), fewer where more than ``PAIR_KEYS`` keys occur. Both follow from the set of values alone, and
coarser keys are unions of finer ones, so the table of a concatenation is the sum of the tables, whatever the order.
Categories have their names, up to ``PAIR_LEVELS`` of them, and as many hash buckets beyond.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.stats.hashing import U64, hash_labels
from aims_pipelines.stats.profile import PAIR_BITS, PAIR_KEYS, PAIR_LEVELS, PAIR_SPAN, Axis, Kind, PairTable

Counts = NDArray[np.int64]
#: Exponent of the infinities.
_INFINITE = 0x7FF


def pair_name(pair: tuple[str, str]) -> str:
    """How a pair is called in findings."""
    return " × ".join(pair)


def ordered_pair(first: str, second: str) -> tuple[str, str]:
    """A pair under the one name that it has in profiles, whichever column was named first."""
    return (first, second) if first <= second else (second, first)


def merge_pairs(a: PairTable, b: PairTable) -> PairTable:
    """Add two tables of one pair up.

    Args:
        a: Counts of some rows.
        b: Counts of other rows, of the same kinds of values.

    Returns:
        Counts of all of them, the same as if they had been counted together.
    """
    first, rows = merge_axes(a.axes[0], b.axes[0])
    second, columns = merge_axes(a.axes[1], b.axes[1])
    counts = np.zeros((len(first.keys) + 1, len(second.keys) + 1), np.int64)
    for table, at, beside in zip((a, b), rows, columns, strict=True):
        np.add.at(counts, (at[:, None], beside[None, :]), table.counts)
    return PairTable(axes=(first, second), counts=counts)


def merge_axes(a: Axis, b: Axis) -> tuple[Axis, tuple[Counts, Counts]]:
    """Put two axes of one column on common keys.

    Returns:
        The common axis, and for each of the two the places that its keys, and last its missing values, have on it.
    """
    if not len(a.keys):
        a = _blank_like(b)
    elif not len(b.keys):
        b = _blank_like(a)
    if a.kind is not Kind.CATEGORICAL:
        bits = settled_bits(a.keys, b.keys, (a.bits, b.bits))
        moved = [coarser(side.keys, side.bits - bits) for side in (a, b)]
        return _placed(Axis(kind=a.kind, keys=np.union1d(*moved), bits=bits), moved)
    if a.labels is not None and b.labels is not None:
        labels = tuple(sorted({*a.labels, *b.labels}))
        if len(labels) <= PAIR_LEVELS:
            number = {label: place for place, label in enumerate(labels)}
            named = [np.array([number[label] for label in side.labels or ()], np.int64) for side in (a, b)]
            return _placed(Axis(kind=a.kind, keys=np.arange(len(labels)), labels=labels), named)
    moved = [side.keys if side.labels is None else buckets_of(hash_labels(side.labels)) for side in (a, b)]
    return _placed(Axis(kind=a.kind, keys=np.union1d(*moved)), moved)


def _blank_like(axis: Axis) -> Axis:
    return replace(axis, keys=np.zeros(0, np.int64), labels=None if axis.labels is None else ())


def _placed(axis: Axis, moved: list[Counts]) -> tuple[Axis, tuple[Counts, Counts]]:
    missing = len(axis.keys)
    first, second = (np.append(np.searchsorted(axis.keys, keys), missing) for keys in moved)
    return axis, (first, second)


def buckets_of(hashes: NDArray[np.uint64]) -> Counts:
    """Buckets that hashes of categories fall into."""
    return (hashes & U64(PAIR_LEVELS - 1)).astype(np.int64)


def coarser(keys: Counts, bits: int) -> Counts:
    """Keys of numbers with so many bits fewer; they may then repeat."""
    moved: Counts = np.sign(keys) * (np.abs(keys) >> bits)
    return moved


def settled_bits(first: Counts, second: Counts, bits: tuple[int, int]) -> int:
    """Find the bits that the keys of some numbers, and of others, have together.

    Args:
        first: Keys of some.
        second: Keys of the others; none to settle the first alone.
        bits: Bits that either has.

    Returns:
        The most bits for which the limits hold; never more than either has.
    """
    wanted = min(bits)
    keys = np.concatenate((coarser(first, bits[0] - wanted), coarser(second, bits[1] - wanted)))
    while (wanted > PAIR_BITS and _spread_out(keys, wanted)) or len(np.unique(keys)) > PAIR_KEYS:
        wanted -= 1
        keys = coarser(keys, 1)
    return wanted


def _spread_out(keys: Counts, bits: int) -> bool:
    """Whether values lie on both sides of zero, or too far apart for so many bits; zero and infinities do not count."""
    ordinary = keys[(keys != 0) & (np.abs(keys) >> bits != _INFINITE)]
    if not len(ordinary):
        return False
    low, high = int(ordinary.min()), int(ordinary.max())
    return low < 0 < high or high - low >= PAIR_SPAN
