"""Record what became of a candidate: its answers in the ledger, and beside them all that people may want to see."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aims_pipelines.assets.candidate_pages import Page, pages_of
from aims_pipelines.assets.history import Known
from aims_pipelines.checks.candidate import Candidate
from aims_pipelines.core.canonical import canonical_json
from aims_pipelines.core.digest import sha256_digest
from aims_pipelines.core.gate import Judgement, refusal_message
from aims_pipelines.core.statement import judgement_to_json, summary_to_json
from aims_pipelines.core.verdict import Status

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

    from aims_pipelines.assets.judging import Circumstances
    from aims_pipelines.records.load import Records
    from aims_pipelines.resources.project import Project
    from aims_pipelines.storage.dataset_tables import Quarantined
    from aims_pipelines.storage.ledger import EntryDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A judged candidate on its way to being recorded.

    Args:
        judgement: All answers.
        facts: What is known about its computation.
        candidate: What the checks judged.
        table: The rows, after the outlier policy.
        rejected: Rows that the outlier policy took out.
        known: What was published before.
        policy_digest: Digest of all records that it was judged by.
    """

    judgement: Judgement
    facts: "Circumstances"
    candidate: Candidate
    table: "pa.Table"
    rejected: "pa.Table"
    known: Known
    policy_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Where the answers about a candidate stand.

    Args:
        evidence: Ledger entry that holds them.
        reports: Per check, a page for people to look at, as a file.
        message: For a refused candidate: what people read; empty otherwise.
        quarantine: For a refused candidate: its name in quarantine.
    """

    evidence: str
    reports: Mapping[str, Path] = field(default_factory=dict)
    message: str = ""
    quarantine: str = ""


def record_judged(draft: Draft, *, project: "Project") -> Receipt:
    """Record the answers about a candidate, and keep a refused one in quarantine.

    Raises:
        StoreUnavailable: The evidence cannot be written, so nothing passes.
    """
    refused = None if draft.judgement.status is Status.PASS else _hold_refused(draft, project)
    held = (*_hold_rejected(draft, project), *(() if refused is None else (refused,)))
    pages = pages_of(draft.candidate, draft.judgement)
    files = [_findings_file(draft, project), *(_page_file(page, project) for page in pages)]
    with project.database.write() as connection:
        evidence = _append(draft, project, connection=connection, files=files, held=held)
        _describe(draft, project, connection=connection)
    reports = {page.check: project.evidence.path(sha256_digest(page.content)) for page in pages}
    if refused is None:
        return Receipt(evidence=evidence, reports=reports)
    message = _message(draft, refused, evidence, pages)
    return Receipt(evidence=evidence, reports=reports, message=message, quarantine=refused.id)


def record_refusal(
    judgement: Judgement, facts: "Circumstances", *, project: "Project", records: "Records"
) -> str:
    """Record that a candidate was refused before it could be judged; return the ledger entry's id."""
    entry = _observation(
        facts,
        digests={"policy": records.digest_for_dataset(facts.dataset)},
        body={"event": "refused before judgement", "refusal": summary_to_json(judgement)},
    )
    (appended,) = project.ledger.append([entry])
    return appended.id


def _message(draft: Draft, refused: "Quarantined", evidence: str, pages: tuple[Page, ...]) -> str:
    head = draft.known.head
    current = (
        f"version {head.number} ({head.digest[:19]}…) stays current"
        if head
        else "nothing was published before"
    )
    look = "".join(
        f"\n{page.shows}, as a page: aims ledger evidence {evidence} {page.name}" for page in pages
    )
    return refusal_message(
        draft.judgement,
        consequence=(
            f"Not written; {current}. The candidate is in quarantine as {refused.id}. Evidence: {evidence}.{look}"
        ),
        remedy="Materialise again.",
    )


def _hold_refused(draft: Draft, project: "Project") -> "Quarantined":
    reason = ", ".join(verdict.check for verdict in draft.judgement.refusing) or "no answer"
    return _hold(draft.table, draft.candidate.digest, reason, draft, project)


def _hold_rejected(draft: Draft, project: "Project") -> "tuple[Quarantined, ...]":
    """Keep rows that the outlier policy took out, for people to look at."""
    from aims_pipelines.measure import content_digest

    if draft.rejected.num_rows == 0:
        return ()
    digest = content_digest(draft.rejected)
    return (_hold(draft.rejected, digest, "rows with outliers, taken out", draft, project),)


def _hold(table: "pa.Table", digest: str, reason: str, draft: Draft, project: "Project") -> "Quarantined":
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


def _append(
    draft: Draft,
    project: "Project",
    *,
    connection: "sa.Connection",
    files: list[dict[str, str]],
    held: "tuple[Quarantined, ...]",
) -> str:
    candidate = draft.candidate
    body: dict[str, Any] = {
        "event": "judged",
        "judgement": summary_to_json(draft.judgement),
        "rows": draft.table.num_rows,
        "reference": candidate.reference_digest,
        "references": [
            {"partition": version.partition, "digest": version.digest} for version in draft.known.references
        ],
        "treated": [asdict(item) for item in candidate.treated],
        "evidence": files,
    }
    if held:
        body["quarantine"] = [{"id": item.id, "rows": item.rows, "reason": item.reason} for item in held]
    digests = {"content": candidate.digest, "policy": draft.policy_digest}
    (entry,) = project.ledger.append(
        [_observation(draft.facts, digests=digests, body=body)], connection=connection
    )
    for item in held:
        project.store.quarantine(item, evidence=entry.id, connection=connection)
    return entry.id


def _observation(facts: "Circumstances", *, digests: dict[str, str], body: dict[str, Any]) -> "EntryDraft":
    """What the ledger is to say of a candidate."""
    from aims_pipelines.storage.ledger import EntryDraft

    return EntryDraft(
        kind="observation",
        actor=f"run:{facts.run_id}",
        subject_kind="dataset",
        subject_id=facts.dataset,
        digests=digests,
        body={**_circumstances(facts), **body},
        at=facts.now,
    )


def _circumstances(facts: "Circumstances") -> dict[str, Any]:
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


def _describe(draft: Draft, project: "Project", *, connection: "sa.Connection") -> None:
    from aims_pipelines.measure import to_bytes

    project.store.describe_content(
        draft.facts.dataset,
        draft.candidate.digest,
        schema=draft.table.schema,
        profile=to_bytes(draft.candidate.profile),
        connection=connection,
    )


def _findings_file(draft: Draft, project: "Project") -> dict[str, str]:
    """All findings, those that passed included, as a file that the ledger entry names by digest."""
    digest = project.evidence.put(canonical_json(judgement_to_json(draft.judgement)))
    return {"name": "findings.json", "digest": digest, "media_type": "application/json"}


def _page_file(page: Page, project: "Project") -> dict[str, str]:
    return {"name": page.name, "digest": project.evidence.put(page.content), "media_type": "text/html"}
