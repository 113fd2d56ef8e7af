"""One step of a governed asset: admit the inputs, judge the value, then publish or refuse."""

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from aims_pipelines.assets.admission import admit_all
from aims_pipelines.assets.gating import failed_evaluations, published_results, refusal, version_metadata
from aims_pipelines.assets.judging import Circumstances, Judged, judge_table, record_refusal
from aims_pipelines.checks.catalogue import DATASET_CHECKS
from aims_pipelines.core.errors import AimsError, BadInput, Fault, GateRefused
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import Finding, Severity, Status, Verdict
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
        key: The asset.
        dataset: Id of its dataset record.
        upstream: Key of the upstream asset behind each input parameter.
        own_checks: Checks that the user's function answers itself.
        code_version: Version or digest of the user's function; empty if unknown.
        publish: Writes the value after the gate opened, in place of the IO manager.
    """

    key: dg.AssetKey
    dataset: str
    upstream: Mapping[str, str]
    own_checks: tuple[str, ...]
    code_version: str
    publish: "Callable[[dg.AssetExecutionContext, Any], None] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What the user's function gave: one value, with what belongs to it."""

    value: Any
    metadata: Mapping[str, Any]
    tags: Mapping[str, str] | None
    own_verdicts: tuple[Verdict, ...]
    own_results: tuple[dg.AssetCheckResult, ...]
    others: tuple[Any, ...]


class GateStep:
    """Walks one execution through the gate.

    Args:
        gate: The asset's gate.
        context: Dagster's context of the step.
    """

    def __init__(self, gate: Gate, context: dg.AssetExecutionContext) -> None:
        self.gate = gate
        self.context = context
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

    def admit(self, arguments: Mapping[str, Any]) -> None:
        """Take the inputs only with evidence, before any of the user's code runs.

        Raises:
            GateRefused: An input has no passing verdict for the rows that were loaded.
            BadInput: The records are faulty, or do not fit the asset.
        """
        record = self.records.dataset(self.gate.dataset)
        key = self.gate.key.to_user_string()
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
        loaded = {
            upstream: arguments[name] for name, upstream in self.gate.upstream.items() if name in arguments
        }
        admission = admit_all(loaded, project=self.project, records=self.records)
        self._circumstances = replace(facts, inputs=admission.admitted, missing_inputs=admission.ungoverned)
        if admission.refused:
            raise GateRefused(self._not_admitted(admission.refused))

    def judge(self, events: Sequence[Any]) -> tuple[Returned, Judged]:
        """Judge the value among the events of the user's function, and record the answers.

        Raises:
            BadInput: There is no value, or it is not a table.
        """
        from aims_pipelines.measure import to_arrow

        returned = _returned(events, self.gate)
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
                judged.judgement, judged.message, outcome="refused", evidence=judged.evidence
            )
        facts = self._facts()
        store = self.project.store
        try:
            store.claim(
                facts.dataset, facts.partition, expect=judged.head, run_id=facts.run_id, at=datetime.now(UTC)
            )
        except GateRefused as error:
            raise refusal(self.context, str(error), outcome="refused", evidence=judged.evidence) from None
        try:
            yield self._output(returned, judged)
            self._publish(judged)
        except BaseException:
            # The IO manager or the database failed, or the run was stopped: the last version stays current.
            store.release(facts.dataset, facts.partition, run_id=facts.run_id)
            raise
        yield from published_results(
            self.gate.key, judged.judgement, declared=CHECK_NAMES, evidence=judged.evidence
        )
        yield from returned.own_results
        yield from returned.others

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

    def _refuse(self, judgement: Judgement, message: str, *, outcome: str, evidence: str) -> Iterator[Any]:
        declared = (*CHECK_NAMES, *self.gate.own_checks)
        yield from failed_evaluations(self.gate.key, judgement, declared=declared, evidence=evidence)
        raise refusal(self.context, message, outcome=outcome, evidence=evidence) from None

    def _output(self, returned: Returned, judged: Judged) -> Any:
        """What Dagster writes and records as the new version."""
        number = (judged.head.number if judged.head else 0) + 1
        value = _like(returned.value, judged.table) if judged.changed else returned.value
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
            return dg.MaterializeResult(
                asset_key=self.gate.key, metadata=metadata, tags=returned.tags, **version
            )

    def _publish(self, judged: Judged) -> None:
        """Make the written version current; its publication is a ledger entry of the same transaction."""
        from aims_pipelines.storage.datasets import Version
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
                        where=f"asset {self.gate.key.to_user_string()!r}",
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


def _returned(events: Sequence[Any], gate: Gate) -> Returned:
    """Sort what the user's function returned or yielded."""
    values: list[tuple[Any, Mapping[str, Any], Mapping[str, str] | None]] = []
    results: list[dg.AssetCheckResult] = []
    others: list[Any] = []
    for event in events:
        if isinstance(event, dg.Output):
            values.append((event.value, event.metadata, event.tags))
        elif isinstance(event, dg.MaterializeResult):
            results.extend(event.check_results)
            values.append((_value_of(event), event.metadata or {}, event.tags))
        elif isinstance(event, dg.AssetCheckResult):
            results.append(event)
        elif isinstance(event, dg.AssetObservation | dg.AssetMaterialization | dg.ExpectationResult):
            others.append(event)
        else:
            values.append((event, {}, None))
    if len(values) != 1 or values[0][0] is None:
        raise BadInput(
            Fault(
                where=f"asset {gate.key.to_user_string()!r}",
                expected="one table, returned or yielded, so that it can be judged before it is written",
                found=f"{len(values)} values" if len(values) != 1 else "no value",
                remedy="Return the table; to write it yourself, give publish= to governed_asset.",
            )
        )
    value, metadata, tags = values[0]
    return Returned(
        value=value,
        metadata=metadata,
        tags=tags,
        own_verdicts=tuple(_own_verdict(result) for result in results),
        own_results=tuple(results),
        others=tuple(others),
    )


def _value_of(result: "dg.MaterializeResult[Any]") -> Any:
    value = result.value
    return None if inspect.isclass(value) else value  # a class marks "no value" in Dagster


def _own_verdict(result: dg.AssetCheckResult) -> Verdict:
    """A check that the user's function answered itself: gates like ours."""
    finding = Finding(
        target="",
        measure="check of the asset itself",
        status=Status.PASS if result.passed else Status.FAIL,
        reason=result.description or "answered by the asset's own code",
    )
    severity = Severity.WARN if result.severity is dg.AssetCheckSeverity.WARN else Severity.ERROR
    return Verdict(check=result.check_name or "own", version="own", findings=(finding,), severity=severity)


def _like(original: Any, table: "pa.Table") -> Any:
    """The judged rows in the kind of table that the user's function returned."""
    import pyarrow as pa

    if isinstance(original, pa.Table | pa.RecordBatch | pa.RecordBatchReader):
        return table
    if type(original).__module__.startswith("polars"):
        import polars as pl

        return pl.from_arrow(table)
    return table.to_pandas()
