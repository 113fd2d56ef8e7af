"""Judge one candidate table: profile, checks, evidence, and what becomes of it. Knows nothing of Dagster."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aims_pipelines.assets.candidate_pages import Page, pages_of
from aims_pipelines.assets.history import InStore, Known, known_before
from aims_pipelines.assets.measuring import measure_by
from aims_pipelines.checks.candidate import Candidate, InputVersion
from aims_pipelines.checks.catalogue import judge_dataset
from aims_pipelines.core.canonical import canonical_json
from aims_pipelines.core.digest import sha256_digest
from aims_pipelines.core.gate import Judgement, refusal_message
from aims_pipelines.core.statement import judgement_to_json, summary_to_json
from aims_pipelines.core.verdict import Status, Verdict

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

    from aims_pipelines.records.dataset_record import External
    from aims_pipelines.records.load import Records
    from aims_pipelines.resources.project import Project
    from aims_pipelines.stats.profile import Profile
    from aims_pipelines.storage.dataset_tables import Quarantined, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is known about the computation of a candidate.

    Args:
        dataset: Id of the dataset record; the name of the dataset everywhere below Dagster.
        asset: Key of the asset that computes it.
        partition: Partition key; empty for an unpartitioned asset.
        run_id: Run that computed it.
        code_version: Version or digest of the code.
        inputs: Admitted inputs.
        missing_inputs: Upstream assets that were read without evidence.
        source_digest: Digest of the declared source file; empty if it has none or changed while it was read.
        origin: The declared external origin; ``None`` if there is none.
        now: The one reference time of the judgement, aware UTC.
    """

    dataset: str
    asset: str
    partition: str
    run_id: str
    code_version: str
    now: datetime
    inputs: tuple[InputVersion, ...] = ()
    missing_inputs: tuple[str, ...] = ()
    source_digest: str = ""
    origin: "External | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A candidate with its answers, recorded.

    Args:
        judgement: All answers.
        evidence: Ledger entry that holds them.
        table: The rows, after the outlier policy.
        changed: Whether the outlier policy changed the rows.
        digest: Digest of the rows.
        profile: What one pass over the rows kept.
        head: The version that was current when it was judged.
        message: For a refused candidate: what people read; empty otherwise.
        quarantine: For a refused candidate: its name in quarantine.
        reports: Per check, a page for people to look at, as a file: for drift and control charts that did not pass.
    """

    judgement: Judgement
    evidence: str
    table: "pa.Table"
    changed: bool
    digest: str
    profile: "Profile"
    head: "Version | None"
    message: str = ""
    quarantine: str = ""
    reports: Mapping[str, Path] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """Number of the version that it becomes if it is published."""
        return (self.head.number if self.head else 0) + 1


def judge_table(
    table: "pa.Table",
    facts: Circumstances,
    *,
    project: "Project",
    records: "Records",
    own_verdicts: tuple[Verdict, ...] = (),
    beside: "Mapping[str, Profile] | None" = None,
) -> Judged:
    """Judge a candidate and record the answers; a refused candidate goes to quarantine.

    Args:
        table: The rows.
        facts: What is known about their computation.
        project: Where evidence is kept and earlier versions are found.
        records: The records in force.
        own_verdicts: Answers that the computation gave itself; they gate like those of the catalogue.
        beside: Profiles of other datasets that are to be published together with this one, in place of their current
            versions where the record says that it must share no row with them.

    Raises:
        BadInput: There is no such dataset record, or its policy is not in force.
        StoreUnavailable: The evidence cannot be written, so nothing passes.
    """
    from aims_pipelines.checks.outliers import treat
    from aims_pipelines.checks.rows import batches_of

    record = records.dataset(facts.dataset)
    limits = records.limits_for(facts.dataset, facts.now.date())
    policy = records.policy_in_force(record.policy, facts.now.date())
    known = known_before(record, limits, partition=facts.partition, earlier=InStore(project.store, record))
    treated = treat(table, record, limits, known.reference)
    kept = treated.kept
    measured = measure_by(record, kept)
    candidate = Candidate(
        asset=facts.dataset,
        record=record,
        limits=limits,
        digest=measured.digest,
        profile=measured.profile,
        batches=batches_of(kept),
        now=facts.now,
        code_version=facts.code_version,
        source_digest=facts.source_digest,
        inputs=facts.inputs,
        missing_inputs=facts.missing_inputs,
        reference=known.reference,
        reference_digest=known.reference_digest,
        current_rows=known.current_rows,
        preceding=known.preceding,
        history=known.history,
        others={
            **known.others,
            **{name: profile for name, profile in (beside or {}).items() if name in record.disjoint_from},
        },
        records_dir=records.folder,
        stages=policy.stages,
        treated=treated.columns,
    )
    judgement = judge_dataset(candidate)
    judgement = replace(judgement, verdicts=(*judgement.verdicts, *own_verdicts))
    draft = _Draft(
        judgement=judgement,
        facts=facts,
        candidate=candidate,
        table=kept,
        rejected=treated.rejected,
        changed=kept is not table,
        known=known,
        policy_digest=records.digest_for_dataset(facts.dataset),
    )
    return _keep_passed(draft, project) if judgement.status is Status.PASS else _keep_refused(draft, project)


def record_refusal(
    judgement: Judgement, facts: Circumstances, *, project: "Project", records: "Records"
) -> str:
    """Record that a candidate was refused before it could be judged; return the ledger entry's id."""
    from aims_pipelines.storage.ledger import EntryDraft

    (entry,) = project.ledger.append(
        [
            EntryDraft(
                kind="observation",
                actor=f"run:{facts.run_id}",
                subject_kind="dataset",
                subject_id=facts.dataset,
                digests={"policy": records.digest_for_dataset(facts.dataset)},
                body={
                    **_circumstances(facts),
                    "event": "refused before judgement",
                    "refusal": summary_to_json(judgement),
                },
                at=facts.now,
            )
        ]
    )
    return entry.id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A judged candidate on its way to being recorded."""

    judgement: Judgement
    facts: Circumstances
    candidate: Candidate
    table: "pa.Table"
    rejected: "pa.Table"
    changed: bool
    known: Known
    policy_digest: str


def _keep_passed(draft: _Draft, project: "Project") -> Judged:
    held = _hold_rejected(draft, project)
    pages = pages_of(draft.candidate, draft.judgement)
    files = [_findings_file(draft, project), *(_page_file(page, project) for page in pages)]
    with project.database.write() as connection:
        evidence = _append(draft, project, connection=connection, files=files, held=held)
        _describe(draft, project, connection=connection)
    return replace(_judged(draft, evidence), reports=_reports(pages, project))


def _keep_refused(draft: _Draft, project: "Project") -> Judged:
    reason = ", ".join(verdict.check for verdict in draft.judgement.refusing) or "no answer"
    candidate = _hold(draft.table, draft.candidate.digest, reason, draft, project)
    held = (*_hold_rejected(draft, project), candidate)
    pages = pages_of(draft.candidate, draft.judgement)
    files = [_findings_file(draft, project), *(_page_file(page, project) for page in pages)]
    with project.database.write() as connection:
        evidence = _append(draft, project, connection=connection, files=files, held=held)
        _describe(draft, project, connection=connection)
    head = draft.known.head
    current = (
        f"version {head.number} ({head.digest[:19]}…) stays current"
        if head
        else "nothing was published before"
    )
    look = "".join(
        f"\n{page.shows}, as a page: aims ledger evidence {evidence} {page.name}" for page in pages
    )
    message = refusal_message(
        draft.judgement,
        consequence=(
            f"Not written; {current}. The candidate is in quarantine as {candidate.id}. Evidence: {evidence}.{look}"
        ),
        remedy="Materialise again.",
    )
    judged = replace(_judged(draft, evidence), reports=_reports(pages, project))
    return replace(judged, message=message, quarantine=candidate.id)


def _reports(pages: tuple[Page, ...], project: "Project") -> dict[str, Path]:
    return {page.check: project.evidence.path(sha256_digest(page.content)) for page in pages}


def _page_file(page: Page, project: "Project") -> dict[str, str]:
    return {"name": page.name, "digest": project.evidence.put(page.content), "media_type": "text/html"}


def _hold_rejected(draft: _Draft, project: "Project") -> "tuple[Quarantined, ...]":
    """Keep rows that the outlier policy took out, for people to look at."""
    from aims_pipelines.measure import content_digest

    if draft.rejected.num_rows == 0:
        return ()
    digest = content_digest(draft.rejected)
    return (_hold(draft.rejected, digest, "rows with outliers, taken out", draft, project),)


def _hold(table: "pa.Table", digest: str, reason: str, draft: _Draft, project: "Project") -> "Quarantined":
    """Write rows to quarantine. They are listed there once the evidence is recorded."""
    from aims_pipelines.storage.dataset_files import quarantine_path
    from aims_pipelines.storage.dataset_tables import Quarantined

    name = f"q-{uuid.uuid4().hex[:12]}"
    item = Quarantined(
        id=name,
        dataset=draft.facts.dataset,
        partition=draft.facts.partition,
        digest=digest,
        rows=table.num_rows,
        path=quarantine_path(draft.facts.dataset, name),
        reason=reason,
        quarantined_at=draft.facts.now,
    )
    project.store.keep_refused(item.path, table)
    return item


def _judged(draft: _Draft, evidence: str) -> Judged:
    return Judged(
        judgement=draft.judgement,
        evidence=evidence,
        table=draft.table,
        changed=draft.changed,
        digest=draft.candidate.digest,
        profile=draft.candidate.profile,
        head=draft.known.head,
    )


def _append(
    draft: _Draft,
    project: "Project",
    *,
    connection: "sa.Connection",
    files: list[dict[str, str]],
    held: "tuple[Quarantined, ...]" = (),
) -> str:
    from aims_pipelines.storage.ledger import EntryDraft

    facts, candidate = draft.facts, draft.candidate
    body: dict[str, Any] = {
        **_circumstances(facts),
        "event": "judged",
        "judgement": summary_to_json(draft.judgement),
        "rows": draft.table.num_rows,
        "reference": candidate.reference_digest,
        "references": [
            {"partition": version.partition, "digest": version.digest} for version in draft.known.references
        ],
        "treated": [
            {"column": item.column, "values": item.values, "rows": item.rows} for item in candidate.treated
        ],
        "evidence": files,
    }
    if held:
        body["quarantine"] = [{"id": item.id, "rows": item.rows, "reason": item.reason} for item in held]
    (entry,) = project.ledger.append(
        [
            EntryDraft(
                kind="observation",
                actor=f"run:{facts.run_id}",
                subject_kind="dataset",
                subject_id=facts.dataset,
                digests={"content": candidate.digest, "policy": draft.policy_digest},
                body=body,
                at=facts.now,
            )
        ],
        connection=connection,
    )
    for item in held:
        project.store.quarantine(item, evidence=entry.id, connection=connection)
    return entry.id


def _circumstances(facts: Circumstances) -> dict[str, Any]:
    return {
        "asset": facts.asset,
        "partition": facts.partition,
        "run": facts.run_id,
        "code_version": facts.code_version,
        "source": facts.source_digest,
        **({} if facts.origin is None else {"origin": facts.origin.model_dump()}),
        "inputs": [
            {"asset": item.asset, "digest": item.digest, "evidence": item.evidence} for item in facts.inputs
        ],
        "missing_inputs": list(facts.missing_inputs),
    }


def _describe(draft: _Draft, project: "Project", *, connection: "sa.Connection") -> None:
    from aims_pipelines.measure import to_bytes

    project.store.describe_content(
        draft.facts.dataset,
        draft.candidate.digest,
        schema=draft.table.schema,
        profile=to_bytes(draft.candidate.profile),
        connection=connection,
    )


def _findings_file(draft: _Draft, project: "Project") -> dict[str, str]:
    """All findings, those that passed included, as a file that the ledger entry names by digest."""
    digest = project.evidence.put(canonical_json(judgement_to_json(draft.judgement)))
    return {"name": "findings.json", "digest": digest, "media_type": "application/json"}
