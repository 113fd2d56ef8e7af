"""What several profiles have in common: columns and groupings that all of them hold, so that they can be added up."""

from collections.abc import Sequence
from dataclasses import replace

from aims_pipelines.stats.profile import GroupProfile, Profile


def over_shared(profiles: Sequence[Profile]) -> list[Profile]:
    """Restrict profiles to the columns and groupings that each of them has.

    Args:
        profiles: Profiles of windows of one table, whose columns or groupings may have changed over time.

    Returns:
        The same profiles, in the same order, each with the same columns and groupings; columns in the order of
        the first.
    """
    columns = [name for name in _first(profiles).columns if all(name in one.columns for one in profiles)]
    groups = [name for name in _first(profiles).groups if all(name in one.groups for one in profiles)]
    return [_restricted(profile, columns, groups) for profile in profiles]


def _first(profiles: Sequence[Profile]) -> Profile:
    return profiles[0] if profiles else Profile(rows=0, columns={})


def _restricted(profile: Profile, columns: list[str], groups: list[str]) -> Profile:
    return replace(
        profile,
        columns={name: profile.columns[name] for name in columns},
        groups={
            grouping: {
                level: GroupProfile(rows=group.rows, columns={name: group.columns[name] for name in columns})
                for level, group in profile.groups[grouping].items()
            }
            for grouping in groups
        },
    )
