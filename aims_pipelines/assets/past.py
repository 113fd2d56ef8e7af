"""What was known at a judgement of the past, rebuilt: versions from the ledger, profiles and rows from the store."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aims_pipelines.core.errors import BadInput, RowsNotKept, StoreUnavailable

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.records.dataset_record import DatasetRecord
    from aims_pipelines.resources.project import Project
    from aims_pipelines.stats.profile import Profile
    from aims_pipelines.storage.dataset_tables import Version
    from aims_pipelines.storage.past import Past

# A window, its reference, the current version, and as many as it may be pooled or charted with.
_MOST_PROFILES = 96
ROWS_NOT_ASKED_FOR = "rows are read with --with-rows only"


class KeptRows:
    """What is kept of judged tables: profiles, and rows if they are wanted and there.

    Args:
        project: The project.
        with_rows: Whether rows may be read.
    """

    def __init__(self, project: "Project", *, with_rows: bool) -> None:
        self._project = project
        self._with_rows = with_rows
        self._pasts: dict[str, Past] = {}
        self._profiles: OrderedDict[tuple[str, str, str], Profile] = OrderedDict()
        self._marks: dict[int, tuple[DatasetRecord, str]] = {}
        self._rows: tuple[tuple[str, str], pa.Table] | None = None

    def past(self, dataset: str) -> "Past":
        """What was judged and published of a dataset; nothing where there is no ledger yet, and none is made."""
        from aims_pipelines.storage.database import sqlite_file
        from aims_pipelines.storage.past import Past, read_past

        if dataset not in self._pasts:
            file = sqlite_file(self._project.ledger_url)
            begun = file is None or file.exists()
            self._pasts[dataset] = read_past(self._project.ledger, dataset) if begun else Past()
        return self._pasts[dataset]

    def profile(self, dataset: str, digest: str, record: "DatasetRecord") -> "Profile":
        """The profile of judged rows, by the groups and pairs that a record declares.

        Args:
            dataset: Name of the dataset.
            digest: Digest of the rows.
            record: The record to judge it by. For a dataset that is only compared with, the groups do not matter.

        Raises:
            RowsNotKept: There is none that could be used, and no rows to make it from.
        """
        key = (dataset, digest, self._mark(record))
        if key in self._profiles:
            self._profiles.move_to_end(key)
        else:
            self._profiles[key] = self._read(dataset, digest, record)
            if len(self._profiles) > _MOST_PROFILES:
                self._profiles.popitem(last=False)
        return self._profiles[key]

    def batches(
        self, dataset: str, digest: str, columns: "Sequence[str] | None" = None
    ) -> "Iterator[pa.RecordBatch]":
        """The rows themselves, from the start: some columns, or all.

        Raises:
            RowsNotKept: They are not wanted, or not there as they were judged.
        """
        table = self._table(dataset, digest)
        return iter((table if columns is None else table.select(list(columns))).to_batches())

    def _read(self, dataset: str, digest: str, record: "DatasetRecord") -> "Profile":
        from aims_pipelines.assets.measuring import measure_by
        from aims_pipelines.measure import from_bytes

        data = self._project.store.profile(dataset, digest)
        if data is None:
            problem = "is not in the store"
        else:
            try:
                profile = from_bytes(data)
            except BadInput as error:
                problem = f"is damaged (found {error.faults[0].found})"
            else:
                if dataset != record.id:
                    return profile
                problem = misfit(profile, record)
                if not problem:
                    return _only_declared(profile, record)
        try:
            table = self._table(dataset, digest)
        except RowsNotKept as error:
            raise RowsNotKept(f"the profile of {digest[:19]}… {problem}, and {error.reason}") from None
        declared = record if dataset == record.id else self._project.records().dataset(dataset)
        return measure_by(declared, table).profile

    def _mark(self, record: "DatasetRecord") -> str:
        """A text that is the same for equal records, which are read anew for every proposal."""
        if id(record) not in self._marks:
            self._marks[id(record)] = (record, record.model_dump_json())
        return self._marks[id(record)][1]

    def _table(self, dataset: str, digest: str) -> "pa.Table":
        from aims_pipelines.measure import content_digest

        if not self._with_rows:
            raise RowsNotKept(ROWS_NOT_ASKED_FOR)
        if self._rows is None or self._rows[0] != (dataset, digest):
            try:
                table = self._project.store.read_judged(dataset, digest)
            except StoreUnavailable as error:
                cause = getattr(error.__cause__, "strerror", None) or "not there as they were kept"
                raise RowsNotKept(f"the stored rows cannot be read ({cause})") from error
            if content_digest(table) != digest:
                raise RowsNotKept(f"the stored rows of {digest[:19]}… are not those that were judged")
            self._rows = ((dataset, digest), table)
        return self._rows[1]


@dataclass(frozen=True, slots=True)
class AsOf:
    """What was published and judged before an entry of the ledger.

    Args:
        stored: What is kept.
        record: Record of the dataset whose candidate is judged again.
        seq: Number of the entry.
    """

    stored: KeptRows
    record: "DatasetRecord"
    seq: int = field(kw_only=True)

    def versions(self, dataset: str) -> "Sequence[Version]":
        """Versions that were published then, in the order of publication."""
        return self.stored.past(dataset).versions(self.seq)

    def poolable(self, dataset: str, partition: str = "") -> Sequence[str]:
        """Digests of the windows that might be pooled with the next one then, the newest first."""
        return self.stored.past(dataset).poolable(self.seq, partition)

    def profile(self, dataset: str, digest: str) -> "Profile":
        """The profile of judged rows.

        Raises:
            RowsNotKept: There is none that could be used, and no rows to make it from.
        """
        return self.stored.profile(dataset, digest, self.record)

    kept = profile


def misfit(profile: "Profile", record: "DatasetRecord") -> str:
    """Say why a profile cannot be judged by a record: groups or pairs that it was not made by; empty if it can."""
    from aims_pipelines.measure.grouping import band_labels
    from aims_pipelines.stats.pairs import pair_name
    from aims_pipelines.stats.profile import MISSING, OTHER, Kind

    bands = {item.column: item.bands for item in record.protected if item.bands}
    for columns in _groupings(profile, record):
        name = " & ".join(columns)
        if name not in profile.groups:
            return f"was not made by the groups of '{name}'"
        levels = [level.split(" & ") if len(columns) > 1 else [level] for level in profile.groups[name]]
        for place, column in enumerate(columns):
            names = {parts[place] for parts in levels if len(parts) == len(columns)} - {MISSING, OTHER}
            numeric = profile.columns[column].kind is Kind.NUMERIC
            known = set(band_labels(bands[column])) if column in bands else None
            banded = any(part.startswith(("<", ">=")) for part in names)
            if numeric and (not names <= known if known is not None else banded):
                return f"was made by other bands of '{column}'"
    for pair in _pairs(profile, record):
        if pair not in profile.pairs:
            return f"was made without the pair '{pair_name(pair)}'"
    subject = record.subject
    compared = record.disjoint_from and profile.row_sketch is not None
    if compared and subject in profile.columns and subject not in profile.key_sketches:
        return f"was made without the hashes of '{subject}'"
    return ""


def _groupings(profile: "Profile", record: "DatasetRecord") -> list[tuple[str, ...]]:
    """Groupings of a record that a table with these columns can be profiled by."""
    from aims_pipelines.stats.profile import Kind

    banded = {item.column for item in record.protected if item.bands}
    wanted = [*((item.column,) for item in record.protected), *record.intersections]
    return [
        columns
        for columns in wanted
        if all(
            name in profile.columns and (name not in banded or profile.columns[name].kind is Kind.NUMERIC)
            for name in columns
        )
    ]


def _pairs(profile: "Profile", record: "DatasetRecord") -> list[tuple[str, str]]:
    """Pairs of a record that a table with these columns can be profiled by."""
    from aims_pipelines.stats.pairs import ordered_pair
    from aims_pipelines.stats.profile import Kind

    usable = {name for name, column in profile.columns.items() if column.kind is not Kind.TEMPORAL}
    return [ordered_pair(*pair) for pair in record.pairs if usable.issuperset(pair)]


def _only_declared(profile: "Profile", record: "DatasetRecord") -> "Profile":
    names = [" & ".join(columns) for columns in _groupings(profile, record)]
    return replace(
        profile,
        groups={name: profile.groups[name] for name in names},
        pairs={pair: profile.pairs[pair] for pair in _pairs(profile, record)},
    )
