"""May this registered model version be used now? Everything it rests on is looked at again."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from aims_pipelines.core.digest import sha256_digest
from aims_pipelines.core.errors import GateRefused, LedgerBroken
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import Finding, Severity, Status, Verdict
from aims_pipelines.model_cards.document import ModelCard
from aims_pipelines.records.parts import is_due
from aims_pipelines.resources.model_evidence import judgement_of, registration_of
from aims_pipelines.resources.model_package import CARD_FOLDER, CARD_JSON, ModelPackage
from aims_pipelines.storage.ledger_audit import audit_ledger

if TYPE_CHECKING:
    from aims_pipelines.records.system_record import SystemRecord
    from aims_pipelines.resources.mlflow import RegisteredVersion
    from aims_pipelines.resources.project import Project
    from aims_pipelines.storage.ledger import Entry

GATE_CHECKS: Final[dict[str, str]] = {
    "ledger": "Is the evidence ledger intact, from the first entry to the last, with its evidence files?",
    "evidence": "Did this version come through the gate: is it registered in the ledger, by number and digest?",
    "files": "Are the files in MLflow, byte for byte, those that were judged?",
    "card": "Is the model card there, and the one that was judged?",
    "verdicts": "Did every gating check pass, and has nothing been judged otherwise since?",
    "records": "Are the governance records those that it was judged by, and is the system in use?",
    "data": "Do training and holdout still have passing verdicts?",
    "acceptances": "Is every accepted shortfall that it needed still within its date?",
    "review": "Is the system record not overdue for review?",
}
_AGAIN = "Materialise the model's asset again, which judges it anew."
_MOST_BREAKS = 5

_Findings = Iterator[Finding]


def examine(project: "Project", version: "RegisteredVersion", *, now: datetime) -> Judgement:
    """Look again at everything that a version rests on.

    Args:
        project: Where ledger, records and registry are.
        version: The version, as MLflow shows it.
        now: The one reference time, aware UTC.

    Returns:
        A judgement with one verdict for each of ``GATE_CHECKS``; ``require`` opens the gate by it.

    Raises:
        StoreUnavailable: MLflow or the ledger did not answer.
        RecordsInvalid: The records hold faults.
    """
    examination = _Examination(project, version, now)
    answers: dict[str, Callable[[], _Findings]] = {
        "ledger": examination.ledger,
        "evidence": examination.evidence,
        "files": examination.files,
        "card": examination.card,
        "verdicts": examination.verdicts,
        "records": examination.records,
        "data": examination.data,
        "acceptances": examination.acceptances,
        "review": examination.review,
    }
    return Judgement(
        subject=str(version),
        required=tuple(GATE_CHECKS),
        verdicts=tuple(_verdict(name, answers[name]) for name in GATE_CHECKS),
    )


class _Examination:
    """What is known of the version so far; each method answers one check."""

    def __init__(self, project: "Project", version: "RegisteredVersion", now: datetime) -> None:
        self._project = project
        self._version = version
        self._today = now.date()
        self._entry: Entry | None = None
        self._package: ModelPackage | None = None
        records = project.records()
        self._records = records
        self._system: SystemRecord | None = next(
            (item for item in records.systems.values() if item.model.name == version.name), None
        )

    def ledger(self) -> _Findings:
        """The whole chain, and the evidence files that it names."""
        report = audit_ledger(self._project.ledger, self._project.evidence)
        if report.intact:
            yield _passed("", f"{report.checkpoint.count:,} entries, {report.evidence} evidence files")
        for item in report.breaks[:_MOST_BREAKS]:
            yield _failed("", str(item), "Restore the ledger from a backup; see: aims ledger verify")

    def evidence(self) -> _Findings:
        """The registration of exactly this number and digest."""
        registration = registration_of(self._project.ledger, self._version)
        if registration is None:
            yield _failed("", f"the ledger has no registration of {self._version} with these bytes", _AGAIN)
            return
        self._entry = self._project.ledger.get(str(registration.body["evidence_of"]))
        yield _passed("", f"judged by {self._entry.id}, registered by {registration.id}")

    def files(self) -> _Findings:
        """Every stored byte against the manifest in the ledger."""
        entry = self._known()
        self._package = self._project.mlflow.package(self._version, manifest_digest=entry.digests["manifest"])
        if self._package.model_digest != entry.digests["content"]:
            yield _failed("model", "the model is not the one that was judged", _AGAIN)
        else:
            yield _passed("", f"{len(self._package.files)} files, model {entry.digests['content'][:19]}…")

    def card(self) -> _Findings:
        """The card in all its forms."""
        entry, package = self._known(), self._stored()
        missing = [
            name
            for name in (CARD_JSON, f"{CARD_FOLDER}/card.html", f"{CARD_FOLDER}/card.md")
            if name not in package.files
        ]
        if missing:
            yield _failed("", f"{', '.join(missing)} missing", _AGAIN)
        elif sha256_digest(package.files[CARD_JSON]) != entry.digests.get("card"):
            yield _failed("", "the card is not the one that was judged", _AGAIN)
        else:
            yield _passed("", f"{entry.digests['card'][:19]}…")

    def verdicts(self) -> _Findings:
        """What the checks answered, and whether the same bytes were judged again since."""
        entry = self._known()
        judgement = judgement_of(entry)
        if entry.body["judgement"]["status"] != Status.PASS:
            for verdict in judgement.refusing:
                yield from (
                    _failed(f"{verdict.check} {item.target}".strip(), item.reason, item.remedy)
                    for item in verdict.problems
                )
            yield _failed("", f"the judgement in {entry.id} did not pass", _AGAIN)
        elif self._project.ledger.passing(self._version.name, entry.digests["content"]) is None:
            yield _failed("", "the same model was judged again since, and did not pass", _AGAIN)
        else:
            yield _passed("", f"{len(judgement.verdicts)} checks answered")

    def records(self) -> _Findings:
        """The records as they are now against those it was judged by."""
        entry = self._known()
        if self._system is None:
            yield _failed("", f"no system record names the model {self._version.name}", "Restore its record.")
            return
        if self._system.status == "retired":
            yield _failed("", "the system is retired", "Do not use the model.")
        now = self._records.digest_for_system(self._system.id)
        if now != entry.digests.get("policy"):
            yield Finding(
                target="",
                measure="gate",
                status=Status.INCONCLUSIVE,
                reason="stale: records, policy or limits have changed since it was judged",
                remedy=_AGAIN,
            )
        elif self._system.status != "retired":
            yield _passed("", f"unchanged, {now[:19]}…")

    def data(self) -> _Findings:
        """The verdicts on the versions that it was trained and judged on."""
        ledger = self._project.ledger
        for item in self._known().body["inputs"]:
            for name in str(item["evidence"]).split(", "):
                digest = ledger.get(name).digests.get("content", "")
                if ledger.passing(str(item["asset"]), digest) is None:
                    yield _failed(
                        str(item["role"]),
                        f"{item['asset']} {digest[:19]}… was judged again since, and did not pass",
                        f"Materialise '{item['asset']}' until its gate opens, then the model.",
                    )
                else:
                    yield _passed(str(item["role"]), f"{item['asset']} by {name}")

    def acceptances(self) -> _Findings:
        """Dates of the accepted shortfalls that the version needed."""
        card = ModelCard.from_json(self._stored().files[CARD_JSON])
        needed = [item for item in card.accepted if item.needed]
        for item in needed:
            target = f"{item.check} {item.target}".strip()
            if is_due(date.fromisoformat(item.review_by), self._today):
                yield _failed(
                    target,
                    f"it was accepted until {item.review_by}, which has passed",
                    "Review the accepted shortfall in the system record, then materialise the model again.",
                )
            else:
                yield _passed(target, f"accepted until {item.review_by}")
        if not needed:
            yield _passed("", "it needed none")

    def review(self) -> _Findings:
        """Whether the record is due for review; shown, but it does not keep the gate shut."""
        due = self._system.review_by if self._system is not None else None
        if is_due(due, self._today):
            yield _failed("", f"the system record was due for review on {due}", "Review the record.")
        else:
            yield _passed("", f"due on {due}" if due else "no date is set")

    def _known(self) -> "Entry":
        if self._entry is None:
            raise GateRefused("there is no evidence to compare with")
        return self._entry

    def _stored(self) -> ModelPackage:
        if self._package is None:
            raise GateRefused("its files could not be compared")
        return self._package


def _verdict(name: str, answer: Callable[[], _Findings]) -> Verdict:
    severity = Severity.WARN if name == "review" else Severity.ERROR
    findings: Sequence[Finding]
    try:
        findings = tuple(answer())
    except (GateRefused, LedgerBroken) as error:
        findings = (_failed("", " ".join(str(error).split()), _AGAIN),)
    return Verdict(check=name, version="1", findings=tuple(findings), severity=severity)


def _passed(target: str, reason: str) -> Finding:
    return Finding(target=target, measure="gate", status=Status.PASS, reason=reason)


def _failed(target: str, reason: str, remedy: str) -> Finding:
    return Finding(target=target, measure="gate", status=Status.FAIL, reason=reason, remedy=remedy)
