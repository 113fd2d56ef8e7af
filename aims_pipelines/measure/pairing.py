"""Pairs of columns, counted window by window: each column coded once, each pair a table of its codes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.core.errors import Fault
from aims_pipelines.measure.lowering import Codes, Numbers, Texts
from aims_pipelines.stats.bins import bits_for
from aims_pipelines.stats.hashing import hash_labels
from aims_pipelines.stats.pairs import (
    buckets_of,
    coarser,
    merge_pairs,
    ordered_pair,
    pair_name,
    settled_bits,
)
from aims_pipelines.stats.profile import PAIR_BITS, PAIR_LEVELS, PAIR_SPAN, Axis, Kind, PairTable

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
_BLOCK = 1 << 16
_FEW = 1 << 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A column of one window by number of its key.

    Args:
        axis: The keys that occur.
        codes: Place of each row's key on the axis, shape (n,); the number of keys where the value is missing.
    """

    axis: Axis
    codes: NDArray[np.uint8]


def pair_faults(pairs: Sequence[tuple[str, str]], kinds: Mapping[str, Kind]) -> list[Fault]:
    """What is wrong with pairs for a table with the given columns."""
    faults: list[Fault] = []
    seen: set[tuple[str, str]] = set()
    for pair in pairs:
        where = f"pair {pair_name(pair)!r}"
        if pair[0] == pair[1]:
            faults.append(Fault(where=where, expected="two different columns", found=f"{pair[0]!r} twice"))
            continue
        if ordered_pair(*pair) in seen:
            faults.append(Fault(where=where, expected="each pair once", found="it twice"))
        seen.add(ordered_pair(*pair))
        for name in pair:
            if name not in kinds:
                faults.append(
                    Fault(where=where, expected=f"one of the columns {', '.join(kinds)}", found=repr(name))
                )
            elif kinds[name] is Kind.TEMPORAL:
                faults.append(
                    Fault(
                        where=where,
                        expected="columns of numbers or categories",
                        found=f"{name!r}, which holds times",
                        remedy="Times move by design. Pair the hour, the weekday or the age, as a column of its own.",
                    )
                )
    return faults


class PairTally:
    """Tally of one pair of columns."""

    def __init__(self) -> None:
        self.table: PairTable | None = None

    def add(self, first: Coded, second: Coded) -> None:
        """Take in a window of both columns."""
        width = len(second.axis.keys) + 1
        size = (len(first.axis.keys) + 1) * width
        total = np.zeros(size, np.int64)
        for start in range(0, len(first.codes), _BLOCK):
            joint = first.codes[start : start + _BLOCK].astype(np.int64)
            joint *= width
            joint += second.codes[start : start + _BLOCK]
            total += np.bincount(joint, minlength=size)
        table = PairTable(axes=(first.axis, second.axis), counts=total.reshape(-1, width))
        self.table = table if self.table is None else merge_pairs(self.table, table)


def blank_table(kinds: tuple[Kind, Kind]) -> PairTable:
    """Table of a pair without rows."""
    first, second = (_blank(kind) for kind in kinds)
    return PairTable(axes=(first, second), counts=np.zeros((1, 1), np.int64))


def _blank(kind: Kind) -> Axis:
    nothing = np.zeros(0, np.int64)
    if kind is Kind.CATEGORICAL:
        return Axis(kind=kind, keys=nothing, labels=())
    return coded_numbers(Numbers(values=np.zeros(0), valid=None)).axis


def coded_numbers(column: Numbers) -> Coded:
    """Code a window of a numeric column."""
    there = ~np.isnan(column.values)
    if column.valid is not None:
        there &= column.valid
    whole = bool(there.all())
    values = (column.values if whole else column.values[there]) + 0.0  # -0.0 becomes 0.0
    ends = _ends(values)
    bits = bits_for(ends, fewest=PAIR_BITS, span=PAIR_SPAN)
    raw, places = _raw_keys(values, ends, bits)
    half = 1 << (11 + bits)
    signed = np.where(raw >= half, half - raw, raw)
    occurs = np.bincount(places, minlength=len(raw)) > 0
    settled = settled_bits(signed[occurs], np.zeros(0, np.int64), (bits, bits))
    moved = coarser(signed, bits - settled)
    occupied = np.unique(moved[occurs])
    codes = np.searchsorted(occupied, moved).astype(np.uint8).take(places)
    axis = Axis(kind=Kind.NUMERIC, keys=occupied, bits=settled)
    return Coded(axis=axis, codes=codes if whole else _spread(codes, there, len(occupied)))


def _raw_keys(values: Floats, ends: Floats, bits: int) -> tuple[Counts, Counts | NDArray[np.uint8]]:
    """Distinct top bits of values, and which each has."""
    keys = (values.view(np.uint64) >> np.uint64(52 - bits)).view(np.int64)
    if bits == PAIR_BITS:
        raw = np.flatnonzero(np.bincount(keys, minlength=1))
        table = np.zeros(int(raw[-1]) + 1 if len(raw) else 1, np.int64)
        table[raw] = np.arange(len(raw))
        return raw, (table.astype(np.uint8) if len(raw) < _FEW else table).take(keys)
    if not len(ends) or not (math.isfinite(values.min()) and math.isfinite(values.max())):
        distinct, places = np.unique(keys, return_inverse=True)
        return distinct, places.astype(np.int64, copy=False)
    # All values but zero lie between two keys on one side of it, and zero lies below.
    low, high = sorted((ends.view(np.uint64) >> np.uint64(52 - bits)).astype(np.int64).tolist())
    keys -= low - 1
    np.maximum(keys, 0, out=keys)
    return np.concatenate((np.zeros(1, np.int64), np.arange(low, high + 1))), keys


def _ends(values: Floats) -> Floats:
    """The values that decide how finely all are told apart: the outermost, and the smallest in size."""
    if not len(values):
        return values
    ends = np.array([values.min(), values.max()])
    if ends[0] < 0.0 < ends[1] and np.isfinite(ends).all():
        return ends
    ordinary = (
        values[np.isfinite(values) & (values != 0.0)]
        if not np.all(np.isfinite(ends) & (ends != 0.0))
        else ends
    )
    return np.array([ordinary.min(), ordinary.max()]) if len(ordinary) else ordinary


def coded_labels(column: Codes | Texts, hashes: NDArray[np.uint64] | None) -> Coded:
    """Code a window of a categorical column.

    Args:
        column: As it was tallied.
        hashes: Hash of each text that is there, where the column is known by hashes alone.
    """
    if isinstance(column, Texts):
        buckets = buckets_of(column.hashes() if hashes is None else hashes)
        return _coded(Axis(kind=Kind.CATEGORICAL, keys=np.arange(PAIR_LEVELS)), buckets, column.valid)
    codes = column.codes if column.valid is None else column.codes[column.valid]
    used = np.flatnonzero(np.bincount(codes, minlength=len(column.labels)))
    places = np.zeros(max(len(column.labels), 1), np.int64)
    texts = column.texts(used)
    labels, numbers = np.unique(np.array(texts, dtype=object), return_inverse=True)
    if len(labels) <= PAIR_LEVELS:
        places[used] = numbers
        axis = Axis(kind=Kind.CATEGORICAL, keys=np.arange(len(labels)), labels=tuple(labels.tolist()))
    else:
        places[used] = buckets_of(hash_labels(texts))
        axis = Axis(kind=Kind.CATEGORICAL, keys=np.arange(PAIR_LEVELS))
    return _coded(axis, places.take(codes), column.valid)


def _coded(axis: Axis, places: Counts, valid: Mask | None) -> Coded:
    """Codes of places on an axis, of which those that do not occur are left out."""
    used = np.flatnonzero(np.bincount(places, minlength=len(axis.keys)))
    if len(used) < len(axis.keys):
        numbers = np.zeros(len(axis.keys), np.int64)
        numbers[used] = np.arange(len(used))
        places, axis = numbers.take(places), Axis(kind=axis.kind, keys=axis.keys[used])
    codes = places.astype(np.uint8)
    return Coded(axis=axis, codes=codes if valid is None else _spread(codes, valid, len(axis.keys)))


def _spread(codes: NDArray[np.uint8], there: Mask, missing: int) -> NDArray[np.uint8]:
    spread = np.full(len(there), missing, np.uint8)
    spread[there] = codes
    return spread
