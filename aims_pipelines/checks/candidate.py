"""What a check may see of a candidate: the facts about it, never the machinery around it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from aims_pipelines.core.verdict import Finding, NotApplicable, Verdict
from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.records.policy_record import Limits, Stage

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.stats.profile import Profile  # loads numpy: not when definitions load


@dataclass(frozen=True, slots=True, kw_only=True)
class InputVersion:
    """An input that was admitted: it carries a passing verdict for exactly these bytes.

    Args:
        asset: Name of the governed asset it came from.
        digest: Its data version, ``sha256:…``.
        evidence: Ledger entry that holds the passing verdict.
    """

    asset: str
    digest: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Treated:
    """What was done to outlying values before the candidate was profiled.

    Args:
        column: Column whose values were outlying.
        values: Values that were clipped, or for which a row was taken out.
        known: Values that the column had before the treatment.
        rows: Rows of the table before the treatment.
    """

    column: str
    values: int
    known: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A published version, as the windows of a chart are.

    Args:
        name: How readers call it.
        digest: Its data version.
        profile: Reads its profile; ``None`` if there is none.
    """

    name: str
    digest: str
    profile: "Callable[[], Profile | None]" = field(compare=False)  # the digest tells it


class Batches(Protocol):
    """Opens the rows of a table again."""

    def __call__(self, columns: Sequence[str] | None = None) -> "Iterator[pa.RecordBatch]":
        """Record batches from the start, of some columns or all; whoever asks takes the columns by name.

        May be called again before the last ones are read, and from another thread.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A computed table that is not yet published.

    Args:
        asset: Name of the governed asset.
        record: Its dataset record.
        limits: The limits in force for it.
        digest: Digest of its rows, ``sha256:…``.
        profile: What one pass over its rows kept.
        batches: Opens its rows again; for the few checks that profiles cannot serve.
        now: The one reference time of the judgement, aware UTC.
        code_version: Version or digest of the code that computed it; empty if unknown.
        source_digest: SHA-256 of the declared source file as read; empty if it has none or it was unreadable.
        inputs: Admitted inputs.
        missing_inputs: Declared upstream assets for which no admitted version was given.
        reference: Profile of the reference version, or of several together; ``None`` before the first publication.
        reference_digest: Its data version; empty before the first publication, and where it is several versions.
        current_rows: Rows of the version that is current now, ``None`` before the first publication.
        preceding: Profiles of the windows before this one, newest first, for pooling; windows that drift alone kept out
            included, or pooling could never start.
        history: Published versions that the record's control charts go over, the oldest first.
        others: Profiles of the current versions of datasets that this one must share no rows with.
        records_dir: Folder that relative paths in records start from.
        stages: Stage of enforcement per check name, from the policy; a check that is not named blocks.
        treated: What the outlier policy did to the rows before they were profiled.
    """

    asset: str
    record: DatasetRecord
    limits: Limits
    digest: str
    profile: "Profile"
    batches: Batches
    now: datetime
    code_version: str = ""
    source_digest: str = ""
    inputs: tuple[InputVersion, ...] = ()
    missing_inputs: tuple[str, ...] = ()
    reference: "Profile | None" = None
    reference_digest: str = ""
    current_rows: int | None = None
    preceding: "tuple[Profile, ...]" = ()
    history: tuple[Published, ...] = ()
    others: "Mapping[str, Profile]" = field(default_factory=dict)
    records_dir: Path = Path()
    stages: Mapping[str, Stage] = field(default_factory=dict)
    treated: tuple[Treated, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inapplicable:
    """The record rules a check out; the reason is shown beside the verdicts."""

    reason: str


#: What a check's module answers: its findings, or why the record rules it out.
Answer = tuple[Finding, ...] | Inapplicable


class DatasetCheck(Protocol):
    """A check of a dataset candidate."""

    @property
    def name(self) -> str:
        """Fixed name."""
        ...

    @property
    def version(self) -> str:
        """Version of the method."""
        ...

    @property
    def description(self) -> str:
        """What it asks, in one sentence."""
        ...

    def judge(self, candidate: Candidate) -> Verdict | NotApplicable:
        """Answer for the candidate. An exception is turned into an inconclusive verdict by the caller."""
        ...
