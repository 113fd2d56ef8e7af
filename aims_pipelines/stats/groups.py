"""Counts per group, read from a profile: how many members, and how many with a given value of a column.

Pure. Levels of missing values are left out, in intersections too: who has no stated value is in no group.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aims_pipelines.stats.profile import MISSING, NARROW, ColumnProfile, Profile

Scalar = str | int | float | bool

TOO_FEW_GROUPS = (
    "Collect more rows of the smaller groups, merge groups where that is fair, or lower 'min_group_size' in the "
    "limits; the smaller the groups, the less can be shown."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCount:
    """Members of a group, and how many of them have the property in question.

    Args:
        selected: Members with the property, 0 to ``total``.
        total: Members for whom it is known.
    """

    selected: int
    total: int

    @property
    def rate(self) -> float:
        """Share with the property; NaN for no members."""
        return self.selected / self.total if self.total else float("nan")


def value_counts(profile: Profile, *, grouping: str, column: str, value: Scalar) -> dict[str, GroupCount]:
    """Count per group the rows in which ``column`` has ``value``, among the rows in which it has any.

    Args:
        profile: Profile with the grouping.
        grouping: Name of the grouping, such as ``sex`` or ``race & sex``.
        column: Column to count in, such as the label.
        value: The value that counts as the property.

    Returns:
        Counts by level, without the level of missing values and without groups in which the column is not
        known precisely enough; empty if there is no such grouping or column.
    """
    counts: dict[str, GroupCount] = {}
    for level, group in profile.groups.get(grouping, {}).items():
        column_profile = group.columns.get(column)
        if MISSING in level.split(" & ") or column_profile is None:
            continue
        count = occurrences(column_profile, value)
        if count is not None:
            counts[level] = count
    return counts


def occurrences(column: ColumnProfile, value: Scalar) -> GroupCount | None:
    """Count the rows of a column that have a value; ``None`` where the profile is too coarse to tell."""
    if column.categories is not None:
        categories = column.categories
        total = sum(categories.counts.values()) + categories.other
        name = str(value).lower() if isinstance(value, bool) else str(value)
        if name in categories.counts or categories.exact:
            return GroupCount(selected=int(categories.counts.get(name, 0)), total=int(total))
        return None
    if column.distribution is not None:
        number = _number(value)
        if number is None or not column.distribution.exact:
            return None
        at = column.distribution.points == float(NARROW.get(column.storage_type, float)(number))
        return GroupCount(selected=int(column.distribution.counts[at].sum()), total=column.distribution.total)
    return None


def sizes(profile: Profile, *, grouping: str) -> Mapping[str, int]:
    """Rows per level of a grouping, the level of missing values included."""
    return {level: group.rows for level, group in profile.groups.get(grouping, {}).items()}


def _number(value: Scalar) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if np.isfinite(number) else None
