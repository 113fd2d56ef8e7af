"""What the ledger says of models: that one was judged, and under which number it was registered.

The judgement is recorded first, with the digests of the model's bytes, its card and all its files; then MLflow gets
them; then a second entry says under which version number. So no version ever exists without evidence, and a number
in MLflow counts only if the ledger says it too:

* killed before the first entry: nothing happened;
* killed between the entry and MLflow's version: evidence of a model that is nowhere, harmless;
* killed between MLflow's version and the second entry: a version that no gate lets through, until the same step
  runs again, finds it by the run's tag, and finishes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from aims_pipelines.core.errors import GateRefused
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.statement import judgement_from_json, summary_to_json
from aims_pipelines.storage.ledger import EntryDraft

if TYPE_CHECKING:
    from aims_pipelines.resources.mlflow import RegisteredVersion
    from aims_pipelines.storage.ledger import Entry, Ledger

MODEL = "model"
REGISTRATION = "registration"
FINDINGS = "findings.json"


class AdmittedVersion(Protocol):
    """A dataset version with a passing verdict."""

    @property
    def asset(self) -> str:
        """Dataset."""
        ...

    @property
    def digest(self) -> str:
        """Digest of its rows."""
        ...

    @property
    def evidence(self) -> str:
        """Ledger entry with the verdict."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How a model came about.

    Args:
        system: Id of its system record.
        asset: Dagster asset.
        partition: Its partition; empty if the asset has none.
        run_id: Run that fitted it.
        code_version: Version or digest of the code.
        policy_digest: Digest of the records it is judged by.
        at: The one reference time of the judgement, aware UTC.
    """

    system: str
    asset: str
    partition: str
    run_id: str
    code_version: str
    policy_digest: str
    at: datetime


def judged(
    name: str,
    judgement: Judgement,
    training: Training,
    *,
    digests: Mapping[str, str],
    inputs: "Mapping[str, AdmittedVersion]",
    facts: Mapping[str, Any],
    files: Sequence[Mapping[str, str]],
) -> EntryDraft:
    """The entry that says how a model was judged.

    Args:
        name: Registered model.
        judgement: All answers.
        training: How it came about.
        digests: ``content`` for the model's bytes, ``manifest`` and ``card`` if it passed.
        inputs: Admitted versions by role: ``training``, ``holdout``, and any others that the function got.
        facts: Estimator, features and measured figures, as JSON.
        files: Evidence files, as the ledger lists them.
    """
    data = {role: version.digest for role, version in inputs.items()}
    return EntryDraft(
        kind="observation",
        actor=f"run:{training.run_id}",
        subject_kind=MODEL,
        subject_id=name,
        digests={**digests, **data, "policy": training.policy_digest},
        body={
            **_circumstances(training),
            "event": "judged",
            "judgement": summary_to_json(judgement),
            "inputs": [
                {"role": role, "asset": item.asset, "digest": item.digest, "evidence": item.evidence}
                for role, item in inputs.items()
            ],
            "facts": dict(facts),
            "evidence": [dict(file) for file in files],
        },
        at=training.at,
    )


def refused(name: str, judgement: Judgement, training: Training) -> EntryDraft:
    """The entry that says that a model was refused before it could be judged."""
    return EntryDraft(
        kind="observation",
        actor=f"run:{training.run_id}",
        subject_kind=MODEL,
        subject_id=name,
        digests={"policy": training.policy_digest},
        body={
            **_circumstances(training),
            "event": "refused before judgement",
            "refusal": summary_to_json(judgement),
        },
        at=training.at,
    )


def registered(
    version: "RegisteredVersion", evidence: "Entry", *, alias: str, run_id: str, at: datetime
) -> EntryDraft:
    """The entry that says under which number a judged model was registered."""
    return EntryDraft(
        kind="observation",
        actor=f"run:{run_id}",
        subject_kind=REGISTRATION,
        subject_id=version.name,
        digests={"content": evidence.digests["content"], "manifest": evidence.digests["manifest"]},
        body={
            "event": "registered",
            "version": version.number,
            "alias": alias,
            "run": run_id,
            "mlflow_run": version.run_id,
            "evidence_of": evidence.id,
        },
        at=at,
    )


def registration_of(ledger: "Ledger", version: "RegisteredVersion") -> "Entry | None":
    """The entry that registered a version, if the ledger knows these bytes under this number."""
    entry = (
        ledger.latest(REGISTRATION, version.name, digest=version.model_digest)
        if version.model_digest
        else None
    )
    return entry if entry is not None and entry.body.get("version") == version.number else None


def evidence_of(ledger: "Ledger", version: "RegisteredVersion") -> "Entry":
    """The entry with the judgement of a version, found through the ledger alone.

    Raises:
        GateRefused: The ledger does not know the version, or knows it as another model.
    """
    entry = registration_of(ledger, version)
    if entry is None:
        raise GateRefused(
            f"Refused {version}: the ledger has no registration of it, so it did not come through the gate.\n"
            "Next: materialise its asset, which registers a judged version."
        )
    return ledger.get(str(entry.body["evidence_of"]))


def judgement_of(entry: "Entry") -> Judgement:
    """The judgement in an entry; findings that passed are in its evidence file only.

    Raises:
        GateRefused: The entry holds none.
    """
    try:
        return judgement_from_json(entry.body["judgement"])
    except (KeyError, TypeError, ValueError) as error:
        raise GateRefused(f"Refused: entry {entry.id} holds no judgement of a model.") from error


def _circumstances(training: Training) -> dict[str, Any]:
    return {
        "system": training.system,
        "asset": training.asset,
        "partition": training.partition,
        "run": training.run_id,
        "code_version": training.code_version,
    }
