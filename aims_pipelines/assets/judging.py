"""Judge one candidate table: profile, checks, and what becomes of it. Knows nothing of Dagster."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aims_pipelines.assets.history import InStore, known_before
from aims_pipelines.assets.measuring import measure_by
from aims_pipelines.assets.recording import Draft, record_judged
from aims_pipelines.checks.candidate import Candidate, InputVersion
from aims_pipelines.checks.catalogue import judge_dataset
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import Verdict

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.records.dataset_record import External
    from aims_pipelines.records.load import Records
    from aims_pipelines.resources.project import Project
    from aims_pipelines.stats.profile import Profile
    from aims_pipelines.storage.dataset_tables import Version


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
    draft = Draft(
        judgement=judgement,
        facts=facts,
        candidate=candidate,
        table=kept,
        rejected=treated.rejected,
        known=known,
        policy_digest=records.digest_for_dataset(facts.dataset),
    )
    recorded = record_judged(draft, project=project)
    return Judged(
        judgement=judgement,
        evidence=recorded.evidence,
        table=kept,
        changed=kept is not table,
        digest=measured.digest,
        profile=measured.profile,
        head=known.head,
        message=recorded.message,
        quarantine=recorded.quarantine,
        reports=recorded.reports,
    )
