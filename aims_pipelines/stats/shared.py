"""What several profiles have in common: columns, groupings and pairs that all hold, so that they can be added up."""

from collections.abc import Sequence
from dataclasses import replace

from aims_pipelines.stats.profile import GroupProfile, Profile


def over_shared(profiles: Sequence[Profile]) -> list[Profile]:
    """Restrict profiles to the columns, groupings and pairs that each of them has.

    Args:
        profiles: Profiles of windows of one table, whose columns, groupings or pairs may have changed over time.

    Returns:
        The same profiles, in the same order, each with the same columns, groupings and pairs; columns in the order of
        the first.
    """
    columns = [name for name in _first(profiles).columns if all(name in one.columns for one in profiles)]
    groups = [name for name in _first(profiles).groups if all(name in one.groups for one in profiles)]
    pairs = [pair for pair in _first(profiles).pairs if all(pair in one.pairs for one in profiles)]
    return [_restricted(profile, columns, groups, pairs) for profile in profiles]


def _first(profiles: Sequence[Profile]) -> Profile:
    return profiles[0] if profiles else Profile(rows=0, columns={})


def _restricted(
    profile: Profile, columns: list[str], groups: list[str], pairs: list[tuple[str, str]]
) -> Profile:
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
        pairs={pair: profile.pairs[pair] for pair in pairs},
    )
