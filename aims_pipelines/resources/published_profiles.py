"""Profiles of published versions, added up over partitions without reading a row."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from aims_pipelines.core.errors import BadInput, Fault, StoreUnavailable

if TYPE_CHECKING:
    from aims_pipelines.resources.project import Project
    from aims_pipelines.stats.profile import Profile
    from aims_pipelines.storage.dataset_tables import Version

_MOST_NAMED = 20


def current_versions(published: "Iterable[Version]") -> "dict[str, Version]":
    """The current version of each partition, by its key; the key of an unpartitioned dataset is empty.

    Args:
        published: Versions of one dataset in the order of publication.
    """
    return {version.partition: version for version in published}


def merged_profile(
    project: "Project", versions: "Sequence[Version]", *, shared_only: bool = False
) -> "Profile":
    """The profile of the rows of some versions together.

    Args:
        project: Where their profiles are kept.
        versions: Versions of one dataset, of different partitions; at least one.
        shared_only: Whether to leave out columns and groupings that not all of them have, and hashes of rows;
            otherwise such versions are refused.

    Raises:
        BadInput: The profiles do not fit together; each partition that does not fit those before it is named.
        StoreUnavailable: The profile of one of them is not there.
    """
    from aims_pipelines.measure.serialise import from_bytes, without_rows
    from aims_pipelines.stats.merge import merge
    from aims_pipelines.stats.shared import over_shared

    profiles = []
    for version in versions:
        data = project.store.profile(version.dataset, version.digest)
        if data is None:
            raise StoreUnavailable(
                f"The profile of {_name(version)} ({version.digest[:19]}…) is not in the store, so nothing can be "
                "said about its rows. Materialise it again."
            )
        profile = from_bytes(data)
        profiles.append(without_rows(profile) if shared_only else profile)
    if shared_only:
        profiles = over_shared(profiles)
    whole, faults = profiles[0], []
    for version, profile in zip(versions[1:], profiles[1:], strict=True):
        try:
            whole = merge(whole, profile)
        except BadInput as error:
            faults += [
                Fault(
                    where=f"{_name(version)}: {fault.where}",
                    expected=fault.expected,
                    found=fault.found,
                    remedy="Materialise the partitions that were published before the change again.",
                )
                for fault in error.faults
            ]
    if faults:
        raise BadInput(faults)
    return whole


def published_versions(project: "Project", dataset: str, partition: str | None) -> "list[Version]":
    """The current versions of a dataset: of one partition of it, or of all.

    Raises:
        BadInput: There is no such dataset or partition, or nothing of it was published.
    """
    current = current_versions(project.store.versions(dataset))
    if not current:
        project.records().dataset(dataset)  # says so if there is none
        raise BadInput(
            Fault(
                where=f"dataset {dataset!r}",
                expected="a published version",
                found="none yet",
                remedy=f"Publish one: aims materialize --select {dataset}",
            )
        )
    if partition is None:
        keyed = [version for key, version in current.items() if key]
        return keyed or list(current.values())
    if partition not in current:
        keys = sorted(key for key in current if key)
        more = f" and {len(keys) - _MOST_NAMED} more" if len(keys) > _MOST_NAMED else ""
        raise BadInput(
            Fault(
                where=f"dataset {dataset!r}: partition",
                expected=f"one of the published partitions {', '.join(keys[:_MOST_NAMED])}{more}"
                if keys
                else "none, as it has no partitions",
                found=repr(partition),
            )
        )
    return [current[partition]]


def _name(version: "Version") -> str:
    return f"partition {version.partition!r}" if version.partition else f"dataset {version.dataset!r}"
