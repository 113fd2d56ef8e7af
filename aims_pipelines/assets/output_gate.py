"""One asset on its way through the gate of its step: judged, then published or refused."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from aims_pipelines.assets.gating import failed_evaluations, published_results
from aims_pipelines.assets.judging import Circumstances, Judged, judge_table
from aims_pipelines.assets.publication import make_current, value_for_dagster
from aims_pipelines.assets.recording import record_refusal
from aims_pipelines.assets.returned import Returned
from aims_pipelines.checks.candidate import InputVersion
from aims_pipelines.checks.catalogue import DATASET_CHECKS
from aims_pipelines.core.errors import AimsError, BadInput, Fault, GateRefused
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import Finding, Status, Verdict
from aims_pipelines.resources.aims import RESOURCE_KEY

if TYPE_CHECKING:
    from aims_pipelines.records.load import Records
    from aims_pipelines.resources.project import Project
    from aims_pipelines.stats.profile import Profile

CHECK_NAMES = tuple(check.name for check in DATASET_CHECKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What is known of an asset's gate when definitions load.

    Args:
        dataset: Id of its dataset record.
        own_checks: Checks that the user's function answers itself.
        code_version: Version or digest of the user's function; empty if unknown.
        publish: Writes the value after the gate opened, in place of the IO manager.
    """

    dataset: str
    own_checks: tuple[str, ...]
    code_version: str
    publish: Callable[[dg.AssetExecutionContext, Any], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an asset is not published.

    Args:
        message: What people read on the run page.
        outcome: ``refused`` by a gate, or ``bad input``.
        evidence: Ledger entry with the verdicts; empty if there is none.
        judgement: Answers to show, where it was refused by them; ``None`` where it passed and something else stood
            in the way.
        reports: Per check, a page for people to look at.
    """

    message: str
    outcome: str
    evidence: str = ""
    judgement: Judgement | None = None
    reports: Mapping[str, Path] = field(default_factory=dict)


class OutputGate:
    """Walks one asset of one execution through its gate.

    Args:
        gate: The asset's gate.
        output: Name of its output in Dagster.
        key: Its key.
        context: Dagster's context of the step.
    """

    def __init__(self, gate: Gate, output: str, key: dg.AssetKey, context: dg.AssetExecutionContext) -> None:
        self.gate = gate
        self.output = output
        self.key = key
        self.context = context
        self.refusal: Refusal | None = None
        self.published: int | None = None  # number of the version, once it is current
        self.disjoint_from: tuple[str, ...] = ()  # datasets that it must share no row with, once begun
        self._facts: Circumstances | None = None
        self._returned: Returned | None = None
        self._judged: Judged | None = None
        self._siblings: tuple[OutputGate, ...] = ()

    @property
    def project(self) -> "Project":
        """The project behind the resource ``aims``."""
        project: Project = getattr(self.context.resources, RESOURCE_KEY).project
        return project

    @property
    def records(self) -> "Records":
        """The records as they are now."""
        return self.project.records()

    @property
    def passed(self) -> bool:
        """Whether it was judged and its gate opened."""
        return self._judged is not None and self.refusal is None

    @property
    def unchanged(self) -> bool:
        """Whether the judged rows are those that the user's function gave, no outlying ones taken out or clipped."""
        return not self._verdict().changed

    def begin(self, *, partition: str, now: datetime) -> None:
        """Note the circumstances, before any of the user's code runs.

        Raises:
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
        self.disjoint_from = record.disjoint_from
        self._facts = Circumstances(
            dataset=record.id,
            asset=key,
            partition=partition,
            run_id=self.context.run_id,
            code_version=self.gate.code_version,
            source_digest=self._source_digest(),
            origin=record.source.external,
            now=now,
        )

    def made_from(self, inputs: Sequence[InputVersion], missing: Sequence[str]) -> None:
        """Note which inputs were admitted for it, and which of its upstream assets came without evidence."""
        facts = self._known()
        self._facts = replace(
            facts, inputs=(*facts.inputs, *inputs), missing_inputs=(*facts.missing_inputs, *missing)
        )

    def judge(self, returned: Returned | BadInput, *, siblings: "Sequence[OutputGate]" = ()) -> None:
        """Judge its value and record the answers.

        Args:
            returned: Its value, or why there is none.
            siblings: Assets of the same step that passed and that it is judged with: those that it is made from, and
                those that it must share no row with.
        """
        self._siblings = tuple(siblings)
        try:
            if isinstance(returned, BadInput):
                raise returned
            self._returned = returned
            self._judged = self._judge(returned)
        except AimsError as error:
            self.refuse_unjudged(error)
            return
        if self._judged.judgement.status is not Status.PASS:
            self.refusal = Refusal(
                message=self._judged.message,
                outcome="refused",
                evidence=self._judged.evidence,
                judgement=self._judged.judgement,
                reports=self._judged.reports,
            )

    def version(self) -> InputVersion:
        """What was judged, as an input of other assets of the same step."""
        judged = self._verdict()
        return InputVersion(asset=self.gate.dataset, digest=judged.digest, evidence=judged.evidence)

    def profile(self) -> "Profile":
        """What its judgement measured."""
        return self._verdict().profile

    def refuse_unjudged(self, error: AimsError) -> None:
        """Refuse it without a judgement, and leave that as evidence where that is possible."""
        refused = isinstance(error, GateRefused)
        outcome = "refused" if refused else "bad input"
        if self._facts is None:
            self.refusal = Refusal(message=str(error), outcome=outcome)
            return
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
            evidence = record_refusal(judgement, self._facts, project=self.project, records=self.records)
        except AimsError as second:
            self.refusal = Refusal(message=f"{error}\n{second}", outcome=outcome)
            return
        self.refusal = Refusal(message=str(error), outcome=outcome, evidence=evidence, judgement=judgement)

    def answers_of_refused(self) -> Iterator[Any]:
        """The answers about a candidate that will not be published, for Dagster."""
        refusal = self.refusal
        if refusal is not None and refusal.judgement is not None:
            yield from failed_evaluations(
                self.key,
                refusal.judgement,
                declared=(*CHECK_NAMES, *self.gate.own_checks),
                evidence=refusal.evidence,
                reports=refusal.reports,
            )

    def publish(self) -> Iterator[Any]:
        """Hand the judged value to Dagster, and make it current once it is written.

        If another run published meanwhile, or the database fails, it is refused, and ``refusal`` says so.
        """
        judged, facts = self._verdict(), self._known()
        lost = [item.key.to_user_string() for item in self._siblings if item.published is None]
        try:
            if lost:
                raise GateRefused(self._alone(lost))
            # Whatever goes wrong inside, the IO manager or the database, the last version stays current.
            with self.project.store.claimed(
                facts.dataset, facts.partition, expect=judged.head, run_id=facts.run_id
            ):
                yield value_for_dagster(
                    self._given(),
                    judged,
                    dataset=self.gate.dataset,
                    key=self.key,
                    output=self.output,
                    publish=self._writer(),
                )
                self.published = make_current(judged, facts, project=self.project)
        except AimsError as error:
            self._unpublished(error)
            return
        yield from published_results(
            self.key,
            judged.judgement,
            declared=CHECK_NAMES,
            evidence=judged.evidence,
            reports=judged.reports,
        )
        yield from self._given().own_results

    def _judge(self, returned: Returned) -> Judged:
        from aims_pipelines.measure import to_arrow

        facts = self._known()
        if facts.source_digest and facts.source_digest != self._source_digest():
            facts = replace(facts, source_digest="")  # it changed while it was read: which bytes is unknown
        return judge_table(
            to_arrow(returned.value),
            facts,
            project=self.project,
            records=self.records,
            own_verdicts=returned.own_verdicts,
            beside={item.gate.dataset: item.profile() for item in self._siblings},
        )

    def _writer(self) -> Callable[[Any], None] | None:
        publish, context = self.gate.publish, self.context
        return None if publish is None else lambda value: publish(context, value)

    def _unpublished(self, error: AimsError) -> None:
        outcome = "refused" if isinstance(error, GateRefused) else "bad input"
        self.refusal = Refusal(message=str(error), outcome=outcome, evidence=self._verdict().evidence)

    def _alone(self, lost: Sequence[str]) -> str:
        names = ", ".join(repr(name) for name in lost)
        return (
            f"Refused '{self.gate.dataset}': it was judged together with {names} of the same step, which could not be "
            "published. Next: materialise the step again."
        )

    def _source_digest(self) -> str:
        from aims_pipelines.core.digest import file_digest

        if self.records.dataset(self.gate.dataset).source.path is None:
            return ""
        try:
            return file_digest(self.project.source_path(self.gate.dataset))
        except OSError:
            return ""  # the provenance check says so

    def _known(self) -> Circumstances:
        if self._facts is None:
            raise RuntimeError("the step was not begun yet")
        return self._facts

    def _verdict(self) -> Judged:
        if self._judged is None:
            raise RuntimeError("it was not judged yet")
        return self._judged

    def _given(self) -> Returned:
        if self._returned is None:
            raise RuntimeError("it was not judged yet")
        return self._returned
