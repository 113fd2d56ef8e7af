"""The past of a dataset as the ledger tells it: what was judged, what was published, and what was known when.

What was known at a judgement is told from the order of the ledger's entries, not from times: a step takes its time
before it computes, and judges afterwards.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aims_pipelines.core.errors import LedgerBroken
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.statement import judgement_from_json
from aims_pipelines.core.verdict import Status
from aims_pipelines.storage.dataset_tables import Version
from aims_pipelines.storage.ledger import CONTENT, Entry, Ledger
from aims_pipelines.storage.pooling import DRIFT_ALONE, JudgedWindow, poolable_windows

_SUBJECTS = ("dataset", "publication")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastJudgement:
    """A candidate that was judged, as recorded.

    Args:
        seq: Number of the ledger entry.
        at: The reference time of the judgement, aware UTC.
        digest: Digest of its rows.
        policy: Digest of the records that it was judged by.
        partition: Partition key; empty for an unpartitioned dataset.
        rows: Number of rows.
        judgement: All verdicts, with those findings that did not pass.
        statuses: Status of each verdict, by check.
        code_version: Version or digest of the code that computed it; empty if unknown.
        source_digest: Digest of its source file; empty if unknown.
        inputs: Admitted inputs: asset, digest and ledger entry of each.
        missing_inputs: Upstream assets that were read without evidence.
        treated: Columns whose outlying values were clipped or taken out: name, values treated, values before, and rows.
        pooled: Whether drift alone refused it, so that later windows may be pooled with it.
        version: Number of the version that it became; ``None`` if it was not published.
    """

    seq: int
    at: datetime
    digest: str
    policy: str
    partition: str
    rows: int
    judgement: Judgement
    statuses: Mapping[str, Status]
    code_version: str
    source_digest: str
    inputs: tuple[tuple[str, str, str], ...]
    missing_inputs: tuple[str, ...]
    treated: tuple[tuple[str, int, int, int], ...]
    pooled: bool
    version: int | None

    @property
    def entry(self) -> str:
        """Name of the ledger entry."""
        return f"e-{self.seq}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """All that was judged and published of one dataset, in order.

    Args:
        judged: What was judged.
        published: What was published, each with the number of the ledger entry that says so.
        not_judged: Candidates that were refused before they could be judged.
    """

    judged: Sequence[PastJudgement] = ()
    published: Sequence[tuple[int, Version]] = ()
    not_judged: int = 0

    def versions(self, before: int) -> Sequence[Version]:
        """Versions that were published before a ledger entry."""
        return [version for _, version in self.published[: self._place(before)]]

    def poolable(self, before: int, partition: str = "") -> Sequence[str]:
        """As the store tells it, but before a ledger entry."""
        windows = [
            JudgedWindow(at=item.at, partition=item.partition, digest=item.digest)
            for item in self.judged
            if item.pooled and item.seq < before
        ]
        windows += [
            JudgedWindow(at=item.published_at, partition=item.partition, digest=item.digest)
            for item in self.versions(before)
        ]
        return poolable_windows(windows, partition=partition)

    def _place(self, before: int) -> int:
        return bisect_left(self.published, before, key=lambda item: item[0])


def read_past(ledger: Ledger, dataset: str) -> Past:
    """Read the past of a dataset.

    Raises:
        LedgerBroken: An entry is not what was appended, or not what this package appends.
    """
    entries = list(ledger.about(_SUBJECTS, dataset))
    try:
        published = [
            (entry.seq, _version(dataset, entry)) for entry in entries if entry.subject_kind == "publication"
        ]
        numbers = {version.evidence: version.number for _, version in published}
        judged = [
            _judged(entry, numbers.get(entry.id)) for entry in entries if entry.body.get("event") == "judged"
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerBroken(
            f"The ledger holds an entry about '{dataset}' that this package did not write ({error!r}). "
            "Run: aims ledger verify"
        ) from error
    early = sum(entry.body.get("event") == "refused before judgement" for entry in entries)
    return Past(judged=judged, published=published, not_judged=early)


def _version(dataset: str, entry: Entry) -> Version:
    body = entry.body
    return Version(
        dataset=dataset,
        partition=body["partition"],
        number=body["number"],
        digest=entry.digests[CONTENT],
        rows=body["rows"],
        evidence=body["evidence_of"],
        run_id=body["run"],
        published_at=entry.at,
    )


def _judged(entry: Entry, version: int | None) -> PastJudgement:
    body, told = entry.body, entry.body["judgement"]
    content = entry.digests[CONTENT]
    return PastJudgement(
        seq=entry.seq,
        at=entry.at,
        digest=content,
        policy=entry.digests["policy"],
        partition=body["partition"],
        rows=body["rows"],
        judgement=judgement_from_json(told),
        statuses={item["check"]: Status(item["status"]) for item in told["verdicts"]},
        code_version=body["code_version"],
        source_digest=body["source"],
        inputs=tuple((item["asset"], item["digest"], item["evidence"]) for item in body["inputs"]),
        missing_inputs=tuple(body["missing_inputs"]),
        treated=tuple(
            (item["column"], item["values"], item.get("known", item["rows"]), item["rows"])
            for item in body["treated"]
        ),
        pooled=any(item["reason"] == DRIFT_ALONE for item in body.get("quarantine", ())),
        version=version,
    )
