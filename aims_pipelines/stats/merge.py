"""Add profiles up: partitions, days and machines.

The merge is associative and commutative, ``empty_profile`` is its identity, and the profile of a
concatenation is the merge of the profiles. Counts are the same to the last one; moment sums up to rounding
(about 1e-12 of the terms).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.stats.bins import FINEST, MANTISSA_BITS, bits_for, collapse, gather, into_steps, step_for
from aims_pipelines.stats.categories import bucket_counts, exact_categories, merge_categories
from aims_pipelines.stats.hashing import hash_labels
from aims_pipelines.stats.moments import NO_MOMENTS, add_moments, moments_of
from aims_pipelines.stats.pairs import merge_pairs, pair_name
from aims_pipelines.stats.profile import (
    ATOM_CAP,
    LEVEL_CAP,
    MISSING,
    OTHER,
    ROW_CAP,
    Categories,
    ColumnProfile,
    Distribution,
    GroupProfile,
    Kind,
    Moments,
    Profile,
)
from aims_pipelines.stats.sketches import merge_sketches

__all__ = ["bucket_counts", "empty_profile", "merge", "merge_all"]

NULL_TYPE = "null"
_NO_VALUES = Distribution(points=np.zeros(0), counts=np.zeros(0, np.int64), exact=True)
Pair = tuple[ColumnProfile, ColumnProfile]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    distribution: Distribution | None = None
    moments: Moments | None = None
    categories: Categories | None = None


def empty_profile() -> Profile:
    """Profile of nothing: merged with any profile it changes nothing."""
    return Profile(rows=0, columns={})


def merge_all(profiles: Iterable[Profile]) -> Profile:
    """Merge any number of profiles; none give the empty profile."""
    return reduce(merge, profiles, empty_profile())


def merge(a: Profile, b: Profile) -> Profile:
    """Profile of the rows of both.

    Args:
        a: Profile of some rows.
        b: Profile of other rows of the same columns, profiled with the same groups, keys and pairs.

    Returns:
        Profile of the concatenation. Columns come in the order of ``a``. Without row (key) hashes in one of
        them it has none either.

    Raises:
        BadInput: Columns, kinds of columns, groupings or pairs differ; every difference is named.
    """
    for one, other in ((a, b), (b, a)):
        if not one.columns and one.rows == 0:
            return other
    faults = [*_differences(a, b)]
    if faults:
        raise BadInput(faults)
    levels = {name: _merged_levels(a.groups[name], b.groups[name]) for name in a.groups}
    columns: dict[str, ColumnProfile] = {}
    cells: dict[tuple[str, str], dict[str, ColumnProfile]] = {
        (group, level): {} for group, kept in levels.items() for level in kept
    }
    for name in a.columns:
        pairs = [
            _cell_pair(a.columns[name], b.columns[name], levels[group][level], name) for group, level in cells
        ]
        columns[name], merged = _merge_column((a.columns[name], b.columns[name]), pairs)
        for key, column in zip(cells, merged, strict=True):
            cells[key][name] = column
    groups: dict[str, dict[str, GroupProfile]] = {group: {} for group in levels}
    for (group, level), content in cells.items():
        parts = levels[group][level]
        groups[group][level] = GroupProfile(
            rows=sum(part.rows for part in (*parts[0], *parts[1])), columns=content
        )
    sketches = (
        {name: merge_sketches(a.key_sketches[name], b.key_sketches[name], ROW_CAP) for name in a.key_sketches}
        if a.key_sketches.keys() == b.key_sketches.keys()
        else {}
    )
    return Profile(
        rows=a.rows + b.rows,
        columns=columns,
        groups=groups,
        row_sketch=merge_sketches(a.row_sketch, b.row_sketch, ROW_CAP)
        if a.row_sketch and b.row_sketch
        else None,
        key_sketches=sketches,
        pairs={pair: merge_pairs(a.pairs[pair], b.pairs[pair]) for pair in a.pairs},
    )


Parts = tuple[list[GroupProfile], list[GroupProfile]]


def kept_levels(levels: Iterable[str]) -> set[str]:
    """Levels of a grouping that are kept by name: all, or past ``LEVEL_CAP`` those with the smallest hashes.

    Which they are depends on the set of levels alone, not on sizes or order, so that merging stays exact.
    ``(missing)`` and ``(other)`` are always kept.
    """
    names = set(levels)
    fixed = names & {MISSING, OTHER}
    candidates = sorted(names - fixed)
    if len(candidates) > LEVEL_CAP:
        order = np.argsort(hash_labels(candidates), kind="stable")[:LEVEL_CAP]
        candidates = [candidates[index] for index in order]
    return fixed | set(candidates)


def _merged_levels(a: Mapping[str, GroupProfile], b: Mapping[str, GroupProfile]) -> dict[str, Parts]:
    names = a.keys() | b.keys()
    kept = kept_levels(names)
    merged: dict[str, Parts] = {}
    for level in sorted(names):
        parts = merged.setdefault(level if level in kept else OTHER, ([], []))
        for side, source in zip(parts, (a, b), strict=True):
            if level in source:
                side.append(source[level])
    return merged


def _differences(a: Profile, b: Profile) -> Iterator[Fault]:
    for name in sorted(a.columns.keys() ^ b.columns.keys()):
        yield Fault(
            where=f"column {name!r}", expected="the same columns in both profiles", found="it is in one only"
        )
    for name in a.columns.keys() & b.columns.keys():
        kinds = {side.columns[name].kind for side in (a, b) if side.columns[name].storage_type != NULL_TYPE}
        if len(kinds) > 1:
            found = f"{a.columns[name].storage_type} and {b.columns[name].storage_type}"
            yield Fault(
                where=f"column {name!r}", expected="the same kind of values in both profiles", found=found
            )
    for name in sorted(a.groups.keys() ^ b.groups.keys()):
        yield Fault(
            where=f"grouping {name!r}",
            expected="the same groupings in both profiles",
            found="it is in one only",
        )
    for pair in sorted(a.pairs.keys() ^ b.pairs.keys()):
        yield Fault(
            where=f"pair {pair_name(pair)!r}",
            expected="the same pairs in both profiles",
            found="it is in one only",
        )


def _blank(column: ColumnProfile) -> ColumnProfile:
    """Column of the same kind without any rows."""
    if column.kind is Kind.CATEGORICAL:
        return replace(column, rows=0, nulls=0, nans=0, categories=exact_categories({}))
    return replace(
        column,
        rows=0,
        nulls=0,
        nans=0,
        distribution=_NO_VALUES,
        moments=moments_of(_NO_VALUES.points, _NO_VALUES.counts),
    )


def _cell_pair(a: ColumnProfile, b: ColumnProfile, parts: Parts, name: str) -> Pair:
    """Two columns to merge for one level; where levels fell together into ``(other)``, those first."""
    sides = []
    for whole, members in zip((a, b), parts, strict=True):
        columns = [member.columns[name] for member in members]
        side = columns[0] if columns else _blank(whole)
        for column in columns[1:]:
            side = _merge_column((whole, _blank(whole)), [(side, column)])[1][0]
        sides.append(side)
    return sides[0], sides[1]


def _alike(pair: Pair) -> Pair:
    """An untyped, all-null column takes the kind of its counterpart."""
    a, b = pair
    if a.kind is b.kind:
        return pair
    if a.storage_type == NULL_TYPE:
        return replace(_blank(b), rows=a.rows, nulls=a.nulls), b
    return a, replace(_blank(a), rows=b.rows, nulls=b.nulls)


def _merge_column(whole: Pair, cells: list[Pair]) -> tuple[ColumnProfile, list[ColumnProfile]]:
    pairs = [_alike(whole), *(_alike(cell) for cell in cells)]
    if pairs[0][0].kind is Kind.CATEGORICAL:
        contents = [_both_categories(pair) for pair in pairs]
        merged = merge_categories(contents[0], contents[1:])
        filled = [_Content(categories=categories) for categories in (merged[0], *merged[1])]
    else:
        filled = _merge_distributions(pairs)
    results = []
    for (a, b), content in zip(pairs, filled, strict=True):
        types = {kind for side in (a, b) for kind in side.storage_type.split("|")}
        results.append(
            ColumnProfile(
                name=a.name,
                kind=a.kind,
                storage_type="|".join(sorted(types - {NULL_TYPE})) or NULL_TYPE,
                rows=a.rows + b.rows,
                nulls=a.nulls + b.nulls,
                nans=a.nans + b.nans,
                distribution=content.distribution,
                moments=content.moments,
                categories=content.categories,
            )
        )
    return results[0], results[1:]


def _both_categories(pair: Pair) -> tuple[Categories, Categories]:
    none = exact_categories({})
    return pair[0].categories or none, pair[1].categories or none


def _both_distributions(pair: Pair) -> tuple[Distribution, Distribution]:
    return pair[0].distribution or _NO_VALUES, pair[1].distribution or _NO_VALUES


def _merge_distributions(pairs: list[Pair]) -> list[_Content]:
    """Merge values of a column, and of its groups; exactness and step are decided by the whole column
    alone."""
    a, b = _both_distributions(pairs[0])
    points, counts = gather(np.concatenate((a.points, b.points)), np.concatenate((a.counts, b.counts)))
    exact = a.exact and b.exact and len(points) <= ATOM_CAP
    step, bits = None, MANTISSA_BITS
    if not exact and pairs[0][0].kind is Kind.NUMERIC:
        bits = bits_for(
            points, min((side.mantissa_bits for side in (a, b) if not side.exact), default=FINEST)
        )
    if not exact and pairs[0][0].kind is Kind.TEMPORAL:
        step = step_for(points, max(a.resolution or 0.0, b.resolution or 0.0))
    results: list[_Content] = []
    for pair in pairs:
        a, b = _both_distributions(pair)
        points, counts = gather(np.concatenate((a.points, b.points)), np.concatenate((a.counts, b.counts)))
        if exact:
            moments = moments_of(points, counts)
        else:
            points, counts = into_steps(points, counts, step) if step else collapse(points, counts, bits)
            moments = add_moments(pair[0].moments or NO_MOMENTS, pair[1].moments or NO_MOMENTS)
        distribution = Distribution(
            points=points, counts=counts, exact=exact, resolution=step, mantissa_bits=bits
        )
        results.append(_Content(distribution=distribution, moments=moments))
    return results
