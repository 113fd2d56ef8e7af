"""The first run, rehearsed: the very checks that will judge the project judge its table once, before it exists.

What they do not pass becomes an accepted shortfall with its figure and a review date, or, where there is no figure
to accept, something to look at before the first run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from aims_pipelines.scaffold.shortfalls import Shortfall, shortfalls_of

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.checks.candidate import Candidate
    from aims_pipelines.records.load import Records
    from aims_pipelines.stats.profile import Profile

# Checks whose shortfalls are choices about data that a person can make, by what is accepted.
_REASONS = {
    "completeness": "The first table already had this share of missing values.",
    "validity": "The first table already had this share of values outside its contract.",
    "uniqueness": "The first table already repeated this share of its rows.",
    "outliers": "The first table already had this share of outlying values.",
    "representation": "The first table has few rows of this group: too few to judge it as closely as the others.",
    "label_rate_gap": "The labels of the first table differ this much between the groups. Find out why.",
    "proxies": "The first table gives this attribute away to this degree, whatever the model is told.",
    "leakage": "The first table has this share of rows on both sides of the split.",
    "personal_data": "Found in the first table; whether it is personal data is for a person to say.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """A table with what the rehearsal needs to know about it.

    Args:
        dataset: Its dataset record.
        table: Its rows.
        source_digest: Digest of its source file; empty for a derived table.
    """

    dataset: str
    table: "pa.Table"
    source_digest: str = ""


def rehearse(tables: list[Rehearsed], records: "Records", *, today: date) -> list[Shortfall]:
    """Judge the first versions of some datasets as the gate will, and list what it would refuse.

    Args:
        tables: The tables in the order in which they will be materialised.
        records: Records that govern them.
        today: The day of the rehearsal.
    """
    from aims_pipelines.checks.catalogue import judge_dataset

    shortfalls: list[Shortfall] = []
    profiles: dict[str, Profile] = {}
    digests: dict[str, str] = {}
    for item in tables:
        candidate = _candidate(item, records, today=today, profiles=profiles, digests=digests)
        profiles[item.dataset], digests[item.dataset] = candidate.profile, candidate.digest
        for verdict in judge_dataset(candidate).verdicts:
            shortfalls.extend(shortfalls_of(item.dataset, verdict, today=today, reasons=_REASONS))
    return shortfalls


def too_small_for_drift(tables: list[Rehearsed], records: "Records", *, today: date) -> dict[str, int]:
    """Datasets whose next version of about this size could not show that it has not drifted, with the rows it takes.

    Four fifths of each table are held against the whole of it: they differ by nothing, so what is not conclusive is
    a matter of size.
    """
    import pyarrow as pa

    from aims_pipelines.checks import drift
    from aims_pipelines.checks.candidate import Inapplicable
    from aims_pipelines.core.verdict import Status

    small: dict[str, int] = {}
    for item in tables:
        whole = _candidate(item, records, today=today, profiles={}, digests={})
        most = pa.array([index % 5 != 0 for index in range(item.table.num_rows)])
        part = _candidate(
            replace(item, table=item.table.filter(most)), records, today=today, profiles={}, digests={}
        )
        answer = drift.judge(replace(part, reference=whole.profile, reference_digest=whole.digest))
        if isinstance(answer, Inapplicable):
            continue
        needed = [finding.rows_needed or 0 for finding in answer if finding.status is Status.INCONCLUSIVE]
        if needed:
            small[item.dataset] = max(needed)
    return small


def _candidate(
    item: Rehearsed,
    records: "Records",
    *,
    today: date,
    profiles: "Mapping[str, Profile]",
    digests: Mapping[str, str],
) -> "Candidate":
    from aims_pipelines.assets.measuring import measure_by
    from aims_pipelines.checks.candidate import Candidate, InputVersion
    from aims_pipelines.checks.rows import batches_of

    record = records.dataset(item.dataset)
    measured = measure_by(record, item.table)
    return Candidate(
        asset=item.dataset,
        record=record,
        limits=records.limits_for(item.dataset, today),
        digest=measured.digest,
        profile=measured.profile,
        batches=batches_of(item.table),
        now=datetime.combine(today, time(12), UTC),
        code_version="rehearsal",
        source_digest=item.source_digest,
        inputs=tuple(
            InputVersion(asset=name, digest=digests.get(name, ""), evidence="rehearsal")
            for name in record.source.upstream
        ),
        others={name: profiles[name] for name in record.disjoint_from if name in profiles},
        records_dir=records.folder,
        stages=records.policy(record.policy).stages,
    )
