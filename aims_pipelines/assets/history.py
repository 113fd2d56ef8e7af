"""What earlier versions of a dataset have to say about a candidate: current, reference, preceding windows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aims_pipelines.resources.published_profiles import current_versions, merged_profile

if TYPE_CHECKING:
    from aims_pipelines.records.models import DatasetRecord, Limits
    from aims_pipelines.resources.project import Project
    from aims_pipelines.stats.profile import Profile
    from aims_pipelines.storage.dataset_tables import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What earlier versions have to say about a candidate.

    Args:
        head: The version of its partition that is current.
        current: Profile of that version.
        reference: Profile that drift is judged against.
        references: Versions whose rows that profile is of.
        preceding: Profiles of windows before it, newest first, for pooling.
        others: Profiles of datasets that it must share no rows with.
    """

    head: "Version | None"
    current: "Profile | None"
    reference: "Profile | None"
    references: "tuple[Version, ...]"
    preceding: "tuple[Profile, ...]"
    others: "Mapping[str, Profile]" = field(default_factory=dict)


def known_before(record: "DatasetRecord", limits: "Limits", *, partition: str, project: "Project") -> Known:
    """Collect what earlier versions have to say about a candidate for a partition of a dataset."""
    published = project.store.versions(record.id)
    mine = [version for version in published if version.partition == partition]
    head = mine[-1] if mine else None
    references = _references(published, limits, partition)
    return Known(
        head=head,
        current=_profile(project, record.id, head.digest) if head else None,
        reference=merged_profile(project, references, shared_only=True) if references else None,
        references=references,
        preceding=_preceding(record.id, limits, project=project),
        others=_others(record, project=project),
    )


def _references(published: "list[Version]", limits: "Limits", partition: str) -> "tuple[Version, ...]":
    """The versions that drift is judged against; with ``all``, without other partitions it is the previous one."""
    from aims_pipelines.records.models import Reference

    if limits.drift_reference is Reference.ALL and partition:
        current = current_versions(published)
        others = tuple(version for key, version in current.items() if key not in {"", partition})
        if others:
            return others
    return tuple(published[:1] if limits.drift_reference is Reference.FIRST else published[-1:])


def _preceding(dataset: str, limits: "Limits", *, project: "Project") -> "tuple[Profile, ...]":
    from aims_pipelines.records.models import Inconclusive

    if limits.drift_inconclusive is not Inconclusive.POOL:
        return ()
    digests = project.store.poolable(dataset)
    found = (_profile(project, dataset, digest) for digest in digests)
    return tuple(profile for profile in found if profile is not None)


def _others(record: "DatasetRecord", *, project: "Project") -> "dict[str, Profile]":
    others = {}
    for name in record.disjoint_from:
        head = project.store.head(name)
        profile = _profile(project, name, head.digest) if head else None
        if profile is not None:
            others[name] = profile
    return others


def _profile(project: "Project", asset: str, digest: str) -> "Profile | None":
    from aims_pipelines.measure import from_bytes

    data = project.store.profile(asset, digest)
    return None if data is None else from_bytes(data)
