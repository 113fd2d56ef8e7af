"""Profiles of published versions, added up over partitions without reading a row."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from aims_pipelines.core.errors import BadInput, Fault, StoreUnavailable

if TYPE_CHECKING:
    from aims_pipelines.resources.project import Project
    from aims_pipelines.stats.profile import Profile
    from aims_pipelines.storage.dataset_tables import Version
    from aims_pipelines.storage.datasets import DatasetStore

_MOST_NAMED = 20


def current_versions(published: "Iterable[Version]") -> "dict[str, Version]":
    """The current version of each partition, by its key; the key of an unpartitioned dataset is empty.

    Args:
        published: Versions of one dataset in the order of publication.
    """
    return {version.partition: version for version in published}


def profile_in(store: "DatasetStore", dataset: str, digest: str) -> "Profile | None":
    """The stored profile of judged rows, ``None`` if there is none.

    Raises:
        BadInput: It is damaged.
    """
    from aims_pipelines.measure.serialise import from_bytes

    data = store.profile(dataset, digest)
    return None if data is None else from_bytes(data)


def merged_profile(
    versions: "Sequence[Version]", profile_of: "Callable[[str], Profile | None]", *, shared_only: bool = False
) -> "Profile":
    """The profile of the rows of some versions together.

    Args:
        versions: Versions of one dataset, of different partitions; at least one.
        profile_of: Finds the profile of rows by their digest.
        shared_only: Whether to leave out columns and groupings that not all of them have, and hashes of rows;
            otherwise such versions are refused.

    Raises:
        BadInput: The profiles do not fit together; each partition that does not fit those before it is named.
        StoreUnavailable: The profile of one of them is not there.
    """
    from aims_pipelines.measure.serialise import without_rows
    from aims_pipelines.stats.merge import merge
    from aims_pipelines.stats.shared import over_shared

    profiles = [_profile(version, profile_of) for version in versions]
    if shared_only and len(profiles) > 1:
        profiles = over_shared([without_rows(profile) for profile in profiles])
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


def published_series(
    project: "Project", dataset: str, profile_of: "Callable[[str], Profile | None]"
) -> "dict[str, Profile]":
    """Profiles of a dataset over time: of its versions in the order of publication, by their numbers.

    Of a partitioned dataset, of the current version of each partition, in the order of their keys.

    Raises:
        BadInput: There is no such dataset, or nothing of it was published; a profile is damaged.
        StoreUnavailable: A profile is not there.
    """
    published_versions(project, dataset, None)  # says so if there are none
    versions = project.store.versions(dataset)
    keyed = {key: version for key, version in current_versions(versions).items() if key}
    series = (
        [(key, keyed[key]) for key in sorted(keyed)]
        if keyed
        else [(f"version {version.number}", version) for version in versions]
    )
    return {name: _profile(version, profile_of) for name, version in series}


def _profile(version: "Version", profile_of: "Callable[[str], Profile | None]") -> "Profile":
    profile = profile_of(version.digest)
    if profile is None:
        raise StoreUnavailable(
            f"The profile of {_name(version)} ({version.digest[:19]}…) is not in the store, so nothing can be "
            "said about its rows. Materialise it again."
        )
    return profile


def _name(version: "Version") -> str:
    return f"partition {version.partition!r}" if version.partition else f"dataset {version.dataset!r}"
