"""Profiles as bytes, and back: versioned, compact, the same profile after the round trip, to the last bit.

Format, version 1 (and 2, which adds ``pairs`` to the document): the 8 bytes ``AIMSPROF``, the version (2 bytes,
little endian), the SHA-256 of what follows, and that: a zlib stream of ``len(document) u32 | document | arrays``.
The document is JSON in UTF-8; where an array belongs it has ``[start, bytes, values]`` into the arrays. The arrays are
LEB128 numbers:
counts as they are, positions as differences of the float64's order-preserving 64-bit numbers (bin
representatives shifted right by 44 bits, which are 0 but for the middle's bit), hashes as differences.
Moments are seven 8-byte words. Nothing in it is executed.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.packing import Arrays, SavedArrays, in_order, order_of
from aims_pipelines.measure.serialise_pairs import pair_in, pair_out
from aims_pipelines.stats.bins import FINEST, MANTISSA_BITS, keys_of, representatives
from aims_pipelines.stats.categories import bucket_counts, hashed_categories
from aims_pipelines.stats.profile import (
    Categories,
    ColumnProfile,
    Distribution,
    GroupProfile,
    Kind,
    Moments,
    Profile,
    RowSketch,
)

MAGIC = b"AIMSPROF"
#: Versions that are read. A profile is written in the first that can hold it: 2 is 1 and the pairs.
VERSIONS = (1, 2)
_HEAD = len(MAGIC) + 2 + 32
_MOST_BYTES = 1 << 30


def without_rows(profile: Profile) -> Profile:
    """Drop what says something about single rows, the hashes of rows and keys: for when the rows are deleted."""
    return replace(profile, row_sketch=None, key_sketches={})


def to_bytes(profile: Profile) -> bytes:
    """Serialise a profile.

    Args:
        profile: Any profile.

    Returns:
        Bytes from which :func:`from_bytes` makes the same profile; the same bytes for the same profile.
    """
    arrays = Arrays()
    document = {
        "rows": profile.rows,
        "columns": [_column_out(column, arrays) for column in profile.columns.values()],
        "groups": {
            name: {
                level: {
                    "rows": group.rows,
                    "columns": [_column_out(column, arrays) for column in group.columns.values()],
                }
                for level, group in levels.items()
            }
            for name, levels in profile.groups.items()
        },
        "row_sketch": _sketch_out(profile.row_sketch, arrays),
        "key_sketches": {name: _sketch_out(sketch, arrays) for name, sketch in profile.key_sketches.items()},
    }
    if profile.pairs:
        document["pairs"] = [pair_out(pair, table, arrays) for pair, table in profile.pairs.items()]
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode()
    body = zlib.compress(len(text).to_bytes(4, "little") + text + b"".join(arrays.parts), 2)
    version = VERSIONS[bool(profile.pairs)]
    return MAGIC + version.to_bytes(2, "little") + hashlib.sha256(body).digest() + body


def from_bytes(data: bytes) -> Profile:
    """Read a profile that :func:`to_bytes` wrote.

    Args:
        data: The bytes, from anywhere.

    Raises:
        BadInput: They are no profile, are cut off or altered, or come from a newer version of this package.
    """
    if data[: len(MAGIC)] != MAGIC or len(data) < _HEAD:
        raise _bad(
            "a saved profile", "something else" if data[: len(MAGIC)] != MAGIC else "one that is cut off"
        )
    version = int.from_bytes(data[len(MAGIC) : len(MAGIC) + 2], "little")
    if version not in VERSIONS:
        raise _bad(
            f"version {VERSIONS[-1]} of the profile format, or an earlier one",
            f"version {version}",
            "Upgrade aims-pipelines.",
        )
    body = data[_HEAD:]
    if hashlib.sha256(body).digest() != data[_HEAD - 32 : _HEAD]:
        raise _bad(
            "a profile as it was written", "one that is cut off or altered", "Take it from its source again."
        )
    try:
        inflated = zlib.decompressobj().decompress(body, _MOST_BYTES)
        length = int.from_bytes(inflated[:4], "little")
        document = json.loads(inflated[4 : 4 + length])
        return _profile_in(document, SavedArrays(inflated[4 + length :]))
    except (
        zlib.error,
        ValueError,
        OverflowError,
        RecursionError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        struct.error,
    ) as error:
        raise _bad("a saved profile", "one whose parts do not fit together") from error


def _bad(expected: str, found: str, remedy: str = "") -> BadInput:
    return BadInput(Fault(where="profile", expected=expected, found=found, remedy=remedy))


def _column_out(column: ColumnProfile, arrays: Arrays) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": column.name,
        "kind": column.kind.value,
        "type": column.storage_type,
        "rows": column.rows,
        "nulls": column.nulls,
        "nans": column.nans,
    }
    if column.distribution is not None:
        out["distribution"] = _distribution_out(column.distribution, arrays)
    if column.moments is not None:
        out["moments"] = _moments_out(column.moments)
    if column.categories is not None:
        out["categories"] = _categories_out(column.categories, arrays)
    return out


def _is_binned(distribution: Distribution) -> bool:
    return not distribution.exact and distribution.resolution is None


def _distribution_out(distribution: Distribution, arrays: Arrays) -> dict[str, Any]:
    points = distribution.points
    if _is_binned(distribution):
        # Keys of negative bins descend with their values: number all bins in the order of their values.
        keys, half = keys_of(points, distribution.mantissa_bits), 1 << (11 + distribution.mantissa_bits)
        numbers = np.where(keys >= half, 2 * half - 1 - keys, keys + half).astype(np.uint64)
    else:
        numbers = order_of(points)
    return {
        "exact": distribution.exact,
        "resolution": distribution.resolution,
        "mantissa_bits": distribution.mantissa_bits,
        "points": arrays.add_ascending(numbers),
        "counts": arrays.add_counts(distribution.counts),
    }


def _distribution_in(out: Mapping[str, Any], arrays: SavedArrays) -> Distribution:
    resolution = out["resolution"]
    exact, bits = bool(out["exact"]), int(out["mantissa_bits"])
    if not MANTISSA_BITS <= bits <= FINEST:
        raise ValueError
    numbers = arrays.ascending(out["points"])
    if not exact and resolution is None:
        ordered = numbers.astype(np.int64)
        half = 1 << (11 + bits)
        if len(ordered) and ordered.max() >= 2 * half:
            raise ValueError
        keys = np.where(ordered >= half, ordered - half, 2 * half - 1 - ordered)
        points = representatives(keys, bits)
    else:
        points = in_order(numbers)
    counts = arrays.counts(out["counts"])
    if len(points) != len(counts) or np.isnan(points).any():
        raise ValueError
    return Distribution(
        points=points,
        counts=counts,
        exact=exact,
        resolution=None if resolution is None else float(resolution),
        mantissa_bits=bits,
    )


def _moments_out(moments: Moments) -> str:
    values = (moments.minimum, moments.maximum, moments.mean, moments.m2, moments.m3, moments.m4)
    return struct.pack("<q6d", moments.count, *values).hex()


def _moments_in(text: str) -> Moments:
    count, minimum, maximum, mean, m2, m3, m4 = struct.unpack("<q6d", bytes.fromhex(text))
    return Moments(count=count, minimum=minimum, maximum=maximum, mean=mean, m2=m2, m3=m3, m4=m4)


def _categories_out(categories: Categories, arrays: Arrays) -> dict[str, Any]:
    if categories.exact:
        counts = np.fromiter(categories.counts.values(), np.int64, len(categories.counts))
        return {"labels": list(categories.counts), "counts": arrays.add_counts(counts)}
    return {
        "buckets": arrays.add_counts(bucket_counts(categories)),
        "sample": _sketch_out(categories.sample, arrays),
    }


def _categories_in(out: Mapping[str, Any], arrays: SavedArrays) -> Categories:
    if "labels" in out:
        labels, counts = out["labels"], arrays.counts(out["counts"]).tolist()
        named = dict(zip(labels, counts, strict=True))
        return Categories(counts=named, other=0, distinct=len(named), exact=True)
    sample = _sketch_in(out["sample"], arrays)
    if sample is None:
        raise ValueError
    return hashed_categories(arrays.counts(out["buckets"]), sample)


def _sketch_out(sketch: RowSketch | None, arrays: Arrays) -> dict[str, Any] | None:
    if sketch is None:
        return None
    return {
        "threshold": f"{sketch.threshold:x}",
        "hashes": arrays.add_ascending(sketch.hashes),
        "counts": arrays.add_counts(sketch.counts),
    }


def _sketch_in(out: Mapping[str, Any] | None, arrays: SavedArrays) -> RowSketch | None:
    if out is None:
        return None
    hashes, counts = arrays.ascending(out["hashes"]), arrays.counts(out["counts"])
    if len(hashes) != len(counts):
        raise ValueError
    return RowSketch(threshold=int(out["threshold"], 16), hashes=hashes, counts=counts)


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError
    return value


def _column_in(out: Mapping[str, Any], arrays: SavedArrays) -> ColumnProfile:
    return ColumnProfile(
        name=out["name"],
        kind=Kind(out["kind"]),
        storage_type=out["type"],
        rows=_count(out["rows"]),
        nulls=_count(out["nulls"]),
        nans=_count(out["nans"]),
        distribution=_distribution_in(out["distribution"], arrays) if "distribution" in out else None,
        moments=_moments_in(out["moments"]) if "moments" in out else None,
        categories=_categories_in(out["categories"], arrays) if "categories" in out else None,
    )


def _columns_in(outs: list[Mapping[str, Any]], arrays: SavedArrays) -> dict[str, ColumnProfile]:
    columns = [_column_in(out, arrays) for out in outs]
    return {column.name: column for column in columns}


def _profile_in(document: Mapping[str, Any], arrays: SavedArrays) -> Profile:
    groups = {
        name: {
            level: GroupProfile(rows=_count(group["rows"]), columns=_columns_in(group["columns"], arrays))
            for level, group in levels.items()
        }
        for name, levels in document["groups"].items()
    }
    sketches = {name: _sketch_in(out, arrays) for name, out in document["key_sketches"].items()}
    return Profile(
        rows=_count(document["rows"]),
        columns=_columns_in(document["columns"], arrays),
        groups=groups,
        row_sketch=_sketch_in(document["row_sketch"], arrays),
        key_sketches={name: sketch for name, sketch in sketches.items() if sketch is not None},
        pairs=dict(pair_in(out, arrays) for out in document.get("pairs", ())),
    )
