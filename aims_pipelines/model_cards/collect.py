"""From the facts of one judgement and the records to a card, with nothing in it about small groups of people."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import Finding, NotApplicable, Severity, Status, Verdict
from aims_pipelines.model_cards.document import (
    SMALLEST_CELL,
    AcceptedShortfall,
    Bin,
    CheckAnswer,
    Comparison,
    DataUse,
    Figure,
    GroupFigures,
    Histogram,
    Identity,
    ModelCard,
    Plots,
    Purpose,
)
from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.records.parts import Accepted
from aims_pipelines.records.system_record import SystemRecord

_HUMAN = ("title", "owner", "purpose", "intended_use", "out_of_scope", "affected", "risk")
_SPARSE = f"fewer than {SMALLEST_CELL} cases"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardMeasurements:
    """What was measured on the holdout, small groups included: ``collect`` takes those out.

    Args:
        figures: Measured figures, the one that policy names first.
        groups: Figures of each group.
        plots: What the plots show.
        confidence: Coverage of the intervals.
        group_measure: Name of the measure that ``groups`` hold as ``metric``.
        comparisons: How far apart groups are; groups of fewer than ``SMALLEST_CELL`` take no part.
    """

    figures: tuple[Figure, ...]
    groups: tuple[GroupFigures, ...]
    plots: Plots
    confidence: float
    group_measure: str
    comparisons: tuple[Comparison, ...] = ()


def data_use(
    role: str, record: DatasetRecord, *, asset: str, digest: str, evidence: str, rows: int
) -> DataUse:
    """Describe a dataset version by its record."""
    return DataUse(
        role=role,
        title=record.title,
        asset=asset,
        digest=digest,
        evidence=evidence,
        rows=rows,
        purpose=record.purpose,
        licence=record.source.licence,
        legal_basis=record.source.legal_basis,
        origin=". ".join(part.rstrip(".") for part in (record.source.origin, _outside(record)) if part),
    )


def _outside(record: DatasetRecord) -> str:
    external = record.source.external
    return (
        f"Read from the {external.kind.replace('_', ' ')} '{external.name}'" if external is not None else ""
    )


def collect(
    *,
    identity: Identity,
    measured: CardMeasurements,
    judgement: Judgement,
    questions: Mapping[str, str],
    system: SystemRecord,
    data: tuple[DataUse, ...],
) -> ModelCard:
    """Make the card of a model that was judged.

    Args:
        identity: Which model it is.
        measured: What was measured.
        judgement: What the checks answered.
        questions: What each check asks, by its name.
        system: The system record: the human part of the card.
        data: What the model was trained and judged on.

    Raises:
        BadInput: A human section of the record is blank.
    """
    blank = [name for name in _HUMAN if not getattr(system, name).strip()]
    if blank:
        raise BadInput(
            Fault(where=f"system {system.id}: {name}", expected="text for the model card", found="blank")
            for name in blank
        )
    return ModelCard(
        identity=identity,
        purpose=_purpose(system),
        data=data,
        figures=measured.figures,
        groups=tuple(_without_small(group) for group in measured.groups),
        plots=_without_small_cells(measured.plots),
        checks=tuple(_checks(judgement, questions)),
        accepted=tuple(_accepted(system.accepted, judgement)),
        confidence=measured.confidence,
        group_measure=measured.group_measure,
        comparisons=measured.comparisons,
    )


def _purpose(system: SystemRecord) -> Purpose:
    return Purpose(
        **{name: getattr(system, name).strip() for name in _HUMAN},
        limitations=system.limitations.strip(),
        review_by=system.review_by.isoformat() if system.review_by else "",
        controls=system.controls,
    )


def _without_small(group: GroupFigures) -> GroupFigures:
    if group.rows is not None and group.rows >= SMALLEST_CELL:
        return group
    return GroupFigures(attribute=group.attribute, level=group.level, rows=None)


def _without_small_cells(plots: Plots) -> Plots:
    scores = plots.scores
    if scores is not None:
        scores = Histogram(
            edges=scores.edges,
            negatives=tuple(_cell(count) for count in scores.negatives),
            positives=tuple(_cell(count) for count in scores.positives),
        )
    kept: Iterable[Bin] = (item for item in plots.calibration if item.rows >= SMALLEST_CELL)
    return replace(plots, calibration=tuple(kept), scores=scores)


def _cell(count: int | None) -> int | None:
    return count if count is None or count == 0 or count >= SMALLEST_CELL else None


def _checks(judgement: Judgement, questions: Mapping[str, str]) -> Iterable[CheckAnswer]:
    answers: dict[str, Verdict | NotApplicable] = {item.check: item for item in judgement.verdicts}
    answers |= {item.check: item for item in judgement.not_applicable}
    for name in judgement.required:
        answer = answers[name]
        if isinstance(answer, NotApplicable):
            yield CheckAnswer(
                name=name,
                version=answer.version,
                question=questions.get(name, ""),
                status="not applicable",
                gating=False,
                measured=0,
                notes=(answer.reason,),
            )
        else:
            yield CheckAnswer(
                name=name,
                version=answer.version,
                question=questions.get(name, ""),
                status=str(answer.status),
                gating=answer.severity is Severity.ERROR,
                measured=len(answer.findings),
                notes=tuple(_note(finding) for finding in answer.findings if _worth_a_note(finding)),
            )


def _worth_a_note(finding: Finding) -> bool:
    return finding.status is not Status.PASS or finding.accepted_until is not None


def _note(finding: Finding) -> str:
    small = finding.n is not None and finding.n < SMALLEST_CELL
    if finding.unit == "rows" and finding.observed is not None and finding.observed < SMALLEST_CELL:
        small = True
    reason = _SPARSE if small else finding.reason
    if finding.accepted_until is not None:  # why it was accepted stands in a section of its own
        until = f"accepted until {finding.accepted_until}"
        reason = f"{until}: {_SPARSE}" if small else f"{until}; otherwise {finding.otherwise}"
    return f"{finding.target}: {reason}" if finding.target else reason


def _accepted(entries: Iterable[Accepted], judgement: Judgement) -> Iterable[AcceptedShortfall]:
    used = {
        (verdict.check, finding.target, finding.measure)
        for verdict in judgement.verdicts
        for finding in verdict.findings
        if finding.accepted_until is not None
    }
    for entry in entries:
        yield AcceptedShortfall(
            check=entry.check,
            target=entry.target,
            observed=None if entry.observed in range(1, SMALLEST_CELL) else entry.observed,
            reason=entry.reason,
            review_by=entry.review_by.isoformat(),
            needed=(entry.check, entry.target, entry.measure) in used,
        )
