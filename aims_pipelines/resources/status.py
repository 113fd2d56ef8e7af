"""The state of every governed dataset and model, read from ledger, store and records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from aims_pipelines.records.parts import is_due

if TYPE_CHECKING:
    from aims_pipelines.records.dataset_record import DatasetRecord
    from aims_pipelines.records.parts import Accepted
    from aims_pipelines.records.system_record import SystemRecord
    from aims_pipelines.resources.project import Project
    from aims_pipelines.storage.dataset_tables import Quarantined, Version
    from aims_pipelines.storage.ledger import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One dataset or model.

    Args:
        kind: ``dataset`` or ``model``.
        name: Id of the dataset record, or the registered model's name.
        current: Current version in words; ``none`` before the first.
        last_judged: When the last candidate was judged, UTC to the minute; empty if never.
        last_verdict: ``pass``, ``fail``, ``inconclusive``, or empty if never judged; of partitions, the worst of what
            was last said about each.
        not_passed: Checks of the last judgement that did not pass; for a partition with its key in front.
        quarantined: Candidates in quarantine.
        overdue: Reviews and acceptances that are past their date.
    """

    kind: str
    name: str
    current: str
    last_judged: str
    last_verdict: str
    not_passed: tuple[str, ...]
    quarantined: int
    overdue: tuple[str, ...]


def project_status(project: "Project", *, now: datetime) -> list[Row]:
    """Collect the state of all datasets and models that have a record.

    Args:
        project: The project.
        now: Reference time for what is overdue, aware UTC.
    """
    records = project.records()
    rows = [_dataset(project, record, now) for record in records.datasets.values()]
    rows.extend(_model(project, record, now) for record in records.systems.values())
    return rows


def _dataset(project: "Project", record: "DatasetRecord", now: datetime) -> Row:
    versions = project.store.versions(record.id)
    kept = project.store.quarantine_list(record.id)
    entry = project.ledger.latest("dataset", record.id)
    current = "none"
    if versions:
        last = versions[-1]
        partition = f"{last.partition} " if last.partition else ""
        current = f"{partition}{last.number} ({last.rows:,} rows)"
    row = _row(
        "dataset",
        record.id,
        current=current,
        entry=entry,
        record=record,
        now=now,
        quarantined=len(kept),
    )
    return _with_other_partitions(row, versions, kept, entry, project)


def _with_other_partitions(
    row: Row,
    versions: "Sequence[Version]",
    kept: "Sequence[Quarantined]",
    entry: "Entry | None",
    project: "Project",
) -> Row:
    """Add the partitions whose last candidate was refused, which a later answer about another one would hide."""
    published = {version.partition: version.published_at for version in versions}
    newest = {item.partition: item for item in reversed(kept)}
    refused = {
        partition: item
        for partition, item in sorted(newest.items())
        if partition and (partition not in published or published[partition] < item.quarantined_at)
    }
    if not refused:
        return row
    last = entry.body.get("partition", "") if entry is not None else ""
    told = [] if last in refused else [*row.not_passed]
    verdicts = {row.last_verdict}
    for partition, item in refused.items():
        judgement = project.ledger.get(item.evidence).body.get("judgement") or {}
        verdicts.add(str(judgement.get("status", "")))
        told += [
            f"{partition}: {verdict['check']}"
            for verdict in judgement.get("verdicts", ())
            if verdict["status"] != "pass"
        ]
    worst = next((word for word in ("fail", "inconclusive", "pass") if word in verdicts), "")
    return replace(row, last_verdict=worst, not_passed=tuple(told))


def _model(project: "Project", record: "SystemRecord", now: datetime) -> Row:
    name = record.model.name
    registered = project.ledger.latest("registration", name)
    current = "none"
    if registered is not None:
        current = str(registered.body.get("version"))
    return _row(
        "model",
        name,
        current=current,
        entry=project.ledger.latest("model", name),
        record=record,
        now=now,
        quarantined=0,
    )


def _row(
    kind: str,
    name: str,
    *,
    current: str,
    entry: "Entry | None",
    record: "DatasetRecord | SystemRecord",
    now: datetime,
    quarantined: int,
) -> Row:
    judgement: dict[str, Any] = {}
    if entry is not None:
        judgement = dict(entry.body.get("judgement") or entry.body.get("refusal") or {})
    return Row(
        kind=kind,
        name=name,
        current=current,
        last_judged=f"{entry.at:%Y-%m-%d %H:%M}" if entry is not None else "",
        last_verdict=str(judgement.get("status", "")),
        not_passed=tuple(
            verdict["check"] for verdict in judgement.get("verdicts", ()) if verdict["status"] != "pass"
        ),
        quarantined=quarantined,
        overdue=tuple(_overdue(record.review_by, record.accepted, now.date())),
    )


def _overdue(review_by: date | None, accepted: "Iterable[Accepted]", today: date) -> Iterable[str]:
    if is_due(review_by, today):
        yield f"review of the record since {review_by}"
    for item in accepted:
        if is_due(item.review_by, today):
            target = f"[{item.target}]" if item.target else ""
            yield f"acceptance of {item.check}{target} since {item.review_by}"
