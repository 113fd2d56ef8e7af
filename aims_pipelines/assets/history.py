"""What earlier versions of a dataset have to say about a candidate: current, reference, preceding windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aims_pipelines.records.models import DatasetRecord, Limits
    from aims_pipelines.stats.profile import Profile
    from aims_pipelines.storage.dataset_tables import Version
    from aims_pipelines.storage.datasets import DatasetStore


class Earlier(Protocol):
    """What was published and judged before: as the store has it now, or as it was at some time."""

    def versions(self, dataset: str) -> "Sequence[Version]":
        """Published versions in the order of publication."""
        ...

    def head(self, dataset: str, partition: str = "") -> "Version | None":
        """The current version of a partition."""
        ...

    def poolable(self, dataset: str) -> Sequence[str]:
        """Digests of the windows that may be pooled with the next one, the newest first."""
        ...

    def profile(self, dataset: str, digest: str) -> "Profile | None":
        """The profile of judged rows, ``None`` if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class InStore:
    """What was published and judged before now.

    Args:
        store: The project's store.
    """

    store: "DatasetStore"

    def versions(self, dataset: str) -> "Sequence[Version]":
        """Published versions in the order of publication."""
        return self.store.versions(dataset)

    def head(self, dataset: str, partition: str = "") -> "Version | None":
        """The current version of a partition."""
        return self.store.head(dataset, partition)

    def poolable(self, dataset: str) -> Sequence[str]:
        """Digests of the windows that may be pooled with the next one, the newest first."""
        return self.store.poolable(dataset)

    def profile(self, dataset: str, digest: str) -> "Profile | None":
        """The profile of judged rows, ``None`` if there is none."""
        from aims_pipelines.measure import from_bytes

        data = self.store.profile(dataset, digest)
        return None if data is None else from_bytes(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What earlier versions have to say about a candidate."""

    head: "Version | None"
    current: "Profile | None"
    reference: "Profile | None"
    reference_digest: str
    preceding: "tuple[Profile, ...]"
    others: "Mapping[str, Profile]" = field(default_factory=dict)


def known_before(record: "DatasetRecord", limits: "Limits", *, partition: str, earlier: Earlier) -> Known:
    """Collect what earlier versions have to say about a candidate for a partition of a dataset."""
    published = earlier.versions(record.id)
    mine = [version for version in published if version.partition == partition]
    head = mine[-1] if mine else None
    reference = _reference(published, limits)
    return Known(
        head=head,
        current=earlier.profile(record.id, head.digest) if head else None,
        reference=earlier.profile(record.id, reference.digest) if reference else None,
        reference_digest=reference.digest if reference else "",
        preceding=_preceding(record.id, limits, earlier=earlier),
        others=_others(record, earlier=earlier),
    )


def _reference(published: "Sequence[Version]", limits: "Limits") -> "Version | None":
    from aims_pipelines.records.models import Reference

    if not published:
        return None
    return published[0] if limits.drift_reference is Reference.FIRST else published[-1]


def _preceding(dataset: str, limits: "Limits", *, earlier: Earlier) -> "tuple[Profile, ...]":
    from aims_pipelines.records.models import Inconclusive

    if limits.drift_inconclusive is not Inconclusive.POOL:
        return ()
    found = (earlier.profile(dataset, digest) for digest in earlier.poolable(dataset))
    return tuple(profile for profile in found if profile is not None)


def _others(record: "DatasetRecord", *, earlier: Earlier) -> "dict[str, Profile]":
    others = {}
    for name in record.disjoint_from:
        head = earlier.head(name)
        profile = earlier.profile(name, head.digest) if head else None
        if profile is not None:
            others[name] = profile
    return others
