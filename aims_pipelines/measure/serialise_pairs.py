"""Tables of pairs of columns in the saved form of profiles."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aims_pipelines.measure.packing import Arrays, SavedArrays
from aims_pipelines.stats.bins import FINEST
from aims_pipelines.stats.profile import PAIR_KEYS, PAIR_LEVELS, Axis, Kind, PairTable


def _axis_out(axis: Axis, arrays: Arrays) -> dict[str, Any]:
    if axis.labels is not None:
        return {"labels": list(axis.labels)}
    # Keys of numbers have a sign, which goes into the last bit.
    numbers = np.sort((np.abs(axis.keys) << 1 | (axis.keys < 0)).astype(np.uint64))
    out: dict[str, Any] = {"keys": arrays.add_ascending(numbers)}
    return out if axis.kind is Kind.CATEGORICAL else {**out, "bits": axis.bits}


def _axis_in(out: Mapping[str, Any], arrays: SavedArrays) -> Axis:
    if "labels" in out:
        labels = tuple(str(label) for label in out["labels"])
        if list(labels) != sorted(set(labels)) or len(labels) > PAIR_LEVELS:
            raise ValueError
        return Axis(kind=Kind.CATEGORICAL, keys=np.arange(len(labels)), labels=labels)
    numbers = arrays.ascending(out["keys"]).astype(np.int64)
    keys = np.sort(np.where(numbers & 1, -(numbers >> 1), numbers >> 1))
    named = "bits" in out
    most = PAIR_KEYS if named else PAIR_LEVELS
    if (
        len(np.unique(keys)) != len(keys)
        or len(keys) > most
        or (not named and len(keys) and keys[-1] >= most)
    ):
        raise ValueError
    if not named:
        return Axis(kind=Kind.CATEGORICAL, keys=keys)
    bits = int(out["bits"])
    if not -11 <= bits <= FINEST:
        raise ValueError
    return Axis(kind=Kind.NUMERIC, keys=keys, bits=bits)


def pair_out(pair: tuple[str, str], table: PairTable, arrays: Arrays) -> dict[str, Any]:
    """What the document of a saved profile says of a pair."""
    return {
        "columns": list(pair),
        "axes": [_axis_out(axis, arrays) for axis in table.axes],
        "counts": arrays.add_counts(table.counts.ravel()),
    }


def pair_in(out: Mapping[str, Any], arrays: SavedArrays) -> tuple[tuple[str, str], PairTable]:
    """Read back what :func:`pair_out` wrote.

    Raises:
        ValueError, KeyError, TypeError: It has another shape.
    """
    first, second = (str(name) for name in out["columns"])
    one, other = (_axis_in(axis, arrays) for axis in out["axes"])
    counts = arrays.counts(out["counts"]).reshape(len(one.keys) + 1, len(other.keys) + 1)
    return (first, second), PairTable(axes=(one, other), counts=counts)
