"""One step of a governed asset: admit the inputs, judge the value, then publish or refuse."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from aims_pipelines import _dagster_compat as compat
from aims_pipelines.assets.admission import admit_all, is_settled, settle
from aims_pipelines.assets.gating import failed_evaluations, published_results, refusal, version_metadata
from aims_pipelines.assets.judging import Circumstances, Judged, judge_table, record_refusal
from aims_pipelines.assets.returned import Returned, sort_returned
from aims_pipelines.checks.catalogue import DATASET_CHECKS
from aims_pipelines.core.errors import AimsError, BadInput, Fault, GateRefused
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import Finding, Status, Verdict
from aims_pipelines.resources.aims import RESOURCE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from aims_pipelines.records.load import Records
    from aims_pipelines.resources.project import Project

CHECK_NAMES = tuple(check.name for check in DATASET_CHECKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What is known of an asset's gate when definitions load.

    Args:
        dataset: Id of its dataset record.
        inputs: Parameters through which upstream values arrive.
        own_checks: Checks that the user's function answers itself.
        code_version: Version or digest of the user's function; empty if unknown.
        publish: Writes the value after the gate opened, in place of the IO manager.
    """

    dataset: str
    inputs: tuple[str, ...]
    own_checks: tuple[str, ...]
    code_version: str
    publish: "Callable[[dg.AssetExecutionContext, Any], None] | None"


class GateStep:
    """Walks one execution through the gate.

    Args:
        gate: The asset's gate.
        context: Dagster's context of the step.
    """

    def __init__(self, gate: Gate, context: dg.AssetExecutionContext) -> None:
        self.gate = gate
        self.context = context
        self.key = (
            context.asset_key
        )  # not known before: loading a module may put a prefix in front of its keys
        self.now = datetime.now(UTC)
        self._circumstances: Circumstances | None = None

    @property
    def project(self) -> "Project":
        """The project behind the resource ``aims``."""
        project: Project = getattr(self.context.resources, RESOURCE_KEY).project
        return project

    @property
    def records(self) -> "Records":
        """The records as they are now."""
        return self.project.records()

    def admit(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take the inputs only with evidence, before any of the user's code runs.

        Returns:
            The arguments for the user's function; what can be read only once can still be read.

        Raises:
            GateRefused: An input has no passing verdict for the rows that were loaded.
            BadInput: The records are faulty, or do not fit the asset.
        """
        record = self.records.dataset(self.gate.dataset)
        key = self.key.to_user_string()
        if (record.asset or record.id) != key:
            raise BadInput(
                Fault(
                    where=f"dataset record {record.id!r}: asset",
                    expected=f"{key!r}, the asset that it governs",
                    found=repr(record.asset or record.id),
                    remedy=f"Write 'asset: {key}' into the record.",
                )
            )
        facts = Circumstances(
            dataset=record.id,
            asset=key,
            partition=self._partition(),
            run_id=self.context.run_id,
            code_version=self.gate.code_version,
            source_digest=self._source_digest(),
            now=self.now,
        )
        self._circumstances = facts
        keys = compat.asset_inputs(self.context.assets_def)
        settled = {name: settle(arguments[name]) for name in self.gate.inputs if name in arguments}
        loaded = {keys[name].to_user_string(): value for name, value in settled.items()}
        admission = admit_all(loaded, project=self.project, records=self.records)
        self._circumstances = replace(facts, inputs=admission.admitted, missing_inputs=admission.ungoverned)
        if admission.refused:
            raise GateRefused(self._not_admitted(admission.refused))
        return {**arguments, **{name: _again(arguments[name], value) for name, value in settled.items()}}

    def judge(self, events: Sequence[Any]) -> tuple[Returned, Judged]:
        """Judge the value among the events of the user's function, and record the answers.

        Raises:
            BadInput: There is no value, or it is not a table.
        """
        from aims_pipelines.measure import to_arrow

        returned = sort_returned(events, self.key, self.gate.own_checks)
        facts = self._facts()
        if facts.source_digest and facts.source_digest != self._source_digest():
            facts = replace(facts, source_digest="")  # it changed while it was read: which bytes is unknown
        judged = judge_table(
            to_arrow(returned.value),
            facts,
            project=self.project,
            records=self.records,
            own_verdicts=returned.own_verdicts,
        )
        return returned, judged

    def finish(self, returned: Returned, judged: Judged) -> Iterator[Any]:
        """Publish what passed; refuse what did not.

        Raises:
            dagster.Failure: The candidate was refused, or another run published meanwhile.
        """
        if judged.judgement.status is not Status.PASS:
            yield from self._refuse(
                judged.judgement,
                judged.message,
                outcome="refused",
                evidence=judged.evidence,
                reports=judged.reports,
            )
        facts = self._facts()
        store = self.project.store
        try:
            store.claim(
                facts.dataset, facts.partition, expect=judged.head, run_id=facts.run_id, at=datetime.now(UTC)
            )
        except AimsError as error:
            raise self._unpublished(error, judged) from None
        try:
            yield self._output(returned, judged)
            self._publish(judged)
        except BaseException as error:
            # The IO manager or the database failed, or the run was stopped: the last version stays current.
            with suppress(AimsError):  # the claim lapses by itself
                store.release(facts.dataset, facts.partition, run_id=facts.run_id)
            if isinstance(error, AimsError):
                raise self._unpublished(error, judged) from None
            raise
        yield from published_results(
            self.key,
            judged.judgement,
            declared=CHECK_NAMES,
            evidence=judged.evidence,
            reports=judged.reports,
        )
        yield from returned.own_results
        yield from returned.others

    def _unpublished(self, error: AimsError, judged: Judged) -> dg.Failure:
        outcome = "refused" if isinstance(error, GateRefused) else "bad input"
        return refusal(self.context, str(error), outcome=outcome, evidence=judged.evidence)

    def give_up(self, error: AimsError) -> Iterator[Any]:
        """Refuse a candidate that could not be judged, and leave that as evidence where that is possible.

        Raises:
            dagster.Failure: Always.
        """
        refused = isinstance(error, GateRefused)
        outcome = "refused" if refused else "bad input"
        if self._circumstances is None:
            raise refusal(self.context, str(error), outcome=outcome) from None
        finding = Finding(
            target="",
            measure="admitted inputs" if refused else "readable table",
            status=Status.FAIL if refused else Status.INCONCLUSIVE,
            reason=str(error),
        )
        judgement = Judgement(
            subject=self.gate.dataset,
            required=CHECK_NAMES,
            verdicts=(
                Verdict(check="provenance" if refused else "schema", version="1", findings=(finding,)),
            ),
        )
        try:
            evidence = record_refusal(
                judgement, self._circumstances, project=self.project, records=self.records
            )
        except AimsError as second:
            raise refusal(self.context, f"{error}\n{second}", outcome=outcome) from None
        yield from self._refuse(judgement, str(error), outcome=outcome, evidence=evidence)

    def _refuse(
        self,
        judgement: Judgement,
        message: str,
        *,
        outcome: str,
        evidence: str,
        reports: Mapping[str, Path] | None = None,
    ) -> Iterator[Any]:
        declared = (*CHECK_NAMES, *self.gate.own_checks)
        yield from failed_evaluations(
            self.key, judgement, declared=declared, evidence=evidence, reports=reports or {}
        )
        raise refusal(self.context, message, outcome=outcome, evidence=evidence) from None

    def _output(self, returned: Returned, judged: Judged) -> Any:
        """What Dagster writes and records as the new version."""
        number = (judged.head.number if judged.head else 0) + 1
        settled = is_settled(returned.value) and not judged.changed
        value = returned.value if settled else _like(returned.value, judged.table)
        metadata = {
            **returned.metadata,
            **version_metadata(
                dataset=self.gate.dataset,
                number=number,
                digest=judged.digest,
                evidence=judged.evidence,
                rows=judged.table.num_rows,
            ),
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)  # data_version is what binds event and evidence
            version: dict[str, Any] = {"data_version": dg.DataVersion(judged.digest)}
            if self.gate.publish is None:
                return dg.Output(value, metadata=metadata, tags=returned.tags, **version)
            self.gate.publish(self.context, value)
            return dg.MaterializeResult(asset_key=self.key, metadata=metadata, tags=returned.tags, **version)

    def _publish(self, judged: Judged) -> None:
        """Make the written version current; its publication is a ledger entry of the same transaction."""
        from aims_pipelines.storage.dataset_tables import Version
        from aims_pipelines.storage.ledger import EntryDraft

        facts = self._facts()
        at = datetime.now(UTC)
        version = Version(
            dataset=facts.dataset,
            partition=facts.partition,
            number=(judged.head.number if judged.head else 0) + 1,
            digest=judged.digest,
            rows=judged.table.num_rows,
            evidence=judged.evidence,
            run_id=facts.run_id,
            published_at=at,
        )
        draft = EntryDraft(
            kind="observation",
            actor=f"run:{facts.run_id}",
            subject_kind="publication",
            subject_id=facts.dataset,
            digests={"content": judged.digest},
            body={
                "event": "published",
                "asset": facts.asset,
                "partition": facts.partition,
                "number": version.number,
                "rows": version.rows,
                "run": facts.run_id,
                "evidence_of": judged.evidence,
            },
            at=at,
        )
        with self.project.database.write() as connection:
            self.project.ledger.append([draft], connection=connection)
            self.project.store.publish(version, expect=judged.head, connection=connection)

    def _facts(self) -> Circumstances:
        if self._circumstances is None:
            raise RuntimeError("the inputs were not admitted yet")
        return self._circumstances

    def _partition(self) -> str:
        if not self.context.has_partition_key:
            if self.context.has_partition_key_range:
                raise BadInput(
                    Fault(
                        where=f"asset {self.key.to_user_string()!r}",
                        expected="one partition a run, so that each is judged",
                        found="a range of partitions in a single run",
                        remedy="Use BackfillPolicy.multi_run().",
                    )
                )
            return ""
        return str(self.context.partition_key)

    def _source_digest(self) -> str:
        from aims_pipelines.core.digest import file_digest

        if self.records.dataset(self.gate.dataset).source.path is None:
            return ""
        try:
            return file_digest(self.project.source_path(self.gate.dataset))
        except OSError:
            return ""  # the provenance check says so

    def _not_admitted(self, refused: Mapping[str, str]) -> str:
        lines = [
            f"Refused '{self.gate.dataset}': {len(refused)} input(s) not admitted; nothing was computed."
        ]
        for dataset, reason in refused.items():
            lines.append(f"  {dataset}: {reason}")
            lines.append(
                f"Next: materialise '{dataset}' until its gate opens, then '{self.gate.dataset}' again."
            )
        return "\n".join(lines)


def _again(original: Any, settled: Any) -> Any:
    """An input as it was loaded: a reader that was read to look for evidence starts from the beginning."""
    import pyarrow as pa

    if isinstance(original, dict):
        return {partition: _again(part, settled[partition]) for partition, part in original.items()}
    return settled.to_reader() if isinstance(original, pa.RecordBatchReader) else original


def _like(original: Any, table: "pa.Table") -> Any:
    """The judged rows in the kind of table that the user's function returned."""
    import pyarrow as pa

    if isinstance(original, pa.RecordBatchReader):
        return table.to_reader()
    if isinstance(original, pa.RecordBatch):
        return table.combine_chunks().to_batches()[0]
    library = {kind.__module__.partition(".")[0] for kind in type(original).__mro__}
    if "polars" in library:
        import polars as pl

        return pl.from_arrow(table)
    return table.to_pandas() if "pandas" in library else table
