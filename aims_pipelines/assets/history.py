"""What earlier versions of a dataset have to say about a candidate: current, reference, preceding windows."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from aims_pipelines.assets.measuring import with_pairs_of
from aims_pipelines.checks.candidate import Published
from aims_pipelines.core.errors import BadInput
from aims_pipelines.resources.published_profiles import current_versions, merged_profile, profile_in

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.records.dataset_record import DatasetRecord
    from aims_pipelines.records.policy_record import Limits
    from aims_pipelines.stats.profile import Profile
    from aims_pipelines.storage.dataset_tables import Version
    from aims_pipelines.storage.datasets import DatasetStore

#: Newest versions after the reference that charts go over.
_MOST_CHARTED = 50


class Earlier(Protocol):
    """What was published and judged before: as the store has it now, or as it was at some time."""

    def versions(self, dataset: str) -> "Sequence[Version]":
        """Published versions in the order of publication."""
        ...

    def poolable(self, dataset: str, partition: str = "") -> Sequence[str]:
        """Digests of the windows that may be pooled with the next one of a partition, the newest first."""
        ...

    def profile(self, dataset: str, digest: str) -> "Profile | None":
        """The profile of judged rows, ``None`` if there is none."""
        ...

    def kept(self, dataset: str, digest: str) -> "Profile | None":
        """The same as far as it needs no rows: perhaps without what was declared since."""
        ...


@dataclass(frozen=True, slots=True)
class InStore:
    """What was published and judged before now.

    Args:
        store: The project's store.
        record: Record of the dataset that is judged; its pairs are counted where a profile was made before they were
            declared, and the rows are kept.
    """

    store: "DatasetStore"
    record: "DatasetRecord | None" = None

    def versions(self, dataset: str) -> "Sequence[Version]":
        """Published versions in the order of publication."""
        return self.store.versions(dataset)

    def poolable(self, dataset: str, partition: str = "") -> Sequence[str]:
        """Digests of the windows that may be pooled with the next one of a partition, the newest first."""
        return self.store.poolable(dataset, partition)

    def profile(self, dataset: str, digest: str) -> "Profile | None":
        """The profile of judged rows, ``None`` if there is none."""
        profile = self.kept(dataset, digest)
        if profile is None or self.record is None or dataset != self.record.id:
            return profile
        return with_pairs_of(self.record, profile, lambda: self._rows(dataset, digest))

    def kept(self, dataset: str, digest: str) -> "Profile | None":
        """The profile as it was made."""
        return profile_in(self.store, dataset, digest)

    def _rows(self, dataset: str, digest: str) -> "pa.Table | None":
        from aims_pipelines.core.errors import StoreUnavailable
        from aims_pipelines.measure import content_digest

        try:
            table = self.store.read_judged(dataset, digest)
        except StoreUnavailable:
            return None
        return table if content_digest(table) == digest else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What earlier versions have to say about a candidate.

    Args:
        head: The version of its partition that is current.
        current_rows: Rows of that version.
        reference: Profile that drift is judged against.
        references: Versions whose rows that profile is of.
        preceding: Profiles of windows before it, newest first, for pooling.
        history: Published versions that the control charts go over, the oldest first; none if none are declared.
        others: Profiles of datasets that it must share no rows with.
    """

    head: "Version | None"
    current_rows: int | None
    reference: "Profile | None"
    references: "tuple[Version, ...]"
    preceding: "tuple[Profile, ...]"
    history: tuple[Published, ...] = ()
    others: "Mapping[str, Profile]" = field(default_factory=dict)

    @property
    def reference_digest(self) -> str:
        """Data version of the reference; empty where there is none, or it is several versions."""
        return self.references[0].digest if len(self.references) == 1 else ""


def known_before(record: "DatasetRecord", limits: "Limits", *, partition: str, earlier: Earlier) -> Known:
    """Collect what earlier versions have to say about a candidate for a partition of a dataset."""
    published = earlier.versions(record.id)
    mine = [version for version in published if version.partition == partition]
    head = mine[-1] if mine else None
    references = _references(published, limits, partition)
    return Known(
        head=head,
        current_rows=head.rows if head else None,
        reference=merged_profile(references, partial(earlier.profile, record.id), shared_only=True)
        if references
        else None,
        references=references,
        preceding=_preceding(
            record.id,
            limits,
            partition=partition,
            without={version.digest for version in references},
            earlier=earlier,
        ),
        history=_history(record, published, partition, partial(earlier.kept, record.id)),
        others=_others(record, earlier=earlier),
    )


def _references(published: "Sequence[Version]", limits: "Limits", partition: str) -> "tuple[Version, ...]":
    """The versions that drift is judged against; with ``all``, without other partitions it is the previous one."""
    from aims_pipelines.records.policy_record import Reference

    if limits.drift_reference is Reference.ALL and partition:
        current = current_versions(published)
        others = tuple(version for key, version in current.items() if key not in {"", partition})
        if others:
            return others
    return tuple(published[:1] if limits.drift_reference is Reference.FIRST else published[-1:])


def _preceding(
    dataset: str, limits: "Limits", *, partition: str, without: set[str], earlier: Earlier
) -> "tuple[Profile, ...]":
    """Profiles of the windows before it; the rows of the reference say nothing about it."""
    from aims_pipelines.records.policy_record import Inconclusive

    if limits.drift_inconclusive is not Inconclusive.POOL:
        return ()
    found = (
        earlier.profile(dataset, digest)
        for digest in earlier.poolable(dataset, partition)
        if digest not in without
    )
    return tuple(profile for profile in found if profile is not None)


def _history(
    record: "DatasetRecord",
    published: "Sequence[Version]",
    partition: str,
    profile: "Callable[[str], Profile | None]",
) -> tuple[Published, ...]:
    """Versions in order; for a partition, the current ones of the partitions whose keys come before its own.

    The first ones, which make the reference, and the newest; what is between is long forgotten by any chart.
    """
    charts = record.control_charts
    if charts is None:
        return ()
    since = [
        version
        for version in published
        if charts.since is None or version.published_at.date() >= charts.since
    ]
    if partition:
        current = current_versions(since)
        series = [(key, current[key]) for key in sorted(current) if "" < key < partition]
    else:
        series = [(f"version {version.number}", version) for version in since if not version.partition]
    kept = [*series[: charts.reference], *series[charts.reference :][-_MOST_CHARTED:]]
    return tuple(
        Published(name=name, digest=version.digest, profile=partial(profile, version.digest))
        for name, version in kept
    )


def _others(record: "DatasetRecord", *, earlier: Earlier) -> "dict[str, Profile]":
    """Profiles of all current rows of the datasets that this one must be disjoint from, as far as they are kept."""
    others = {}
    for name in record.disjoint_from:
        current = current_versions(earlier.versions(name))
        versions = [version for key, version in current.items() if key] or list(current.values())
        profiles = {version.digest: _ungrouped(earlier, name, version.digest) for version in versions}
        if not versions or None in profiles.values():
            continue  # the check says that there is nothing to compare with
        with suppress(BadInput):  # nor is there where partitions do not fit together
            others[name] = merged_profile(versions, profiles.get)
    return others


def _ungrouped(earlier: Earlier, dataset: str, digest: str) -> "Profile | None":
    profile = earlier.profile(dataset, digest)
    return None if profile is None else replace(profile, groups={}, pairs={})
