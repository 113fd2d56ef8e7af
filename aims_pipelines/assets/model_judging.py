"""Judge one fitted model, record the answers, and register it if the gate opens. Knows nothing of Dagster."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aims_pipelines.assets.estimator import check_fitted
from aims_pipelines.assets.model_documents import card_of, package_of, run_facts
from aims_pipelines.assets.model_examination import ModelInputs, examine
from aims_pipelines.assets.model_measured import measure_for_card
from aims_pipelines.checks.model_candidate import ModelCandidate
from aims_pipelines.checks.model_catalogue import judge_model
from aims_pipelines.core.canonical import canonical_json, parse_json
from aims_pipelines.core.gate import Judgement, refusal_message
from aims_pipelines.core.statement import judgement_from_json, judgement_to_json
from aims_pipelines.core.verdict import Status
from aims_pipelines.model_cards.collect import CardMeasurements
from aims_pipelines.model_cards.document import ModelCard
from aims_pipelines.resources import model_evidence
from aims_pipelines.resources.mlflow import CHALLENGER, RegisteredVersion, RunFacts, RunKey
from aims_pipelines.resources.model_file import save_model
from aims_pipelines.resources.model_package import CARD_FOLDER, CARD_JSON, ModelPackage

if TYPE_CHECKING:
    from aims_pipelines.records.load import Records
    from aims_pipelines.resources.project import Project
    from aims_pipelines.storage.ledger import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedModel:
    """A fitted model with its answers, recorded.

    Args:
        judgement: All answers.
        evidence: Ledger entry that holds them.
        message: For a refused model: what people read; empty otherwise.
        package: For a model that passed: all files of the version.
        card: For a model that passed: its card.
        facts: For a model that passed: what its MLflow run shows.
    """

    judgement: Judgement
    evidence: "Entry"
    message: str = ""
    package: ModelPackage | None = None
    card: ModelCard | None = None
    facts: RunFacts | None = None


def judge_fitted(
    estimator: object,
    inputs: ModelInputs,
    training: model_evidence.Training,
    *,
    project: "Project",
    records: "Records",
) -> JudgedModel:
    """Judge a fitted estimator on the pinned holdout, and record the answers.

    Raises:
        BadInput: It is not a fitted estimator, or cannot predict the tables; nothing was recorded.
        StoreUnavailable: The evidence cannot be written, so nothing passes.
    """
    check_fitted(estimator, asset=training.asset)
    file = save_model(estimator, trusted=records.system(training.system).model.trusted_types)
    candidate = examine(estimator, file, inputs, training, records)
    judgement = judge_model(candidate)
    findings = project.evidence.put(canonical_json(judgement_to_json(judgement)))
    files = [{"name": model_evidence.FINDINGS, "digest": findings, "media_type": "application/json"}]
    if judgement.status is not Status.PASS:
        draft = model_evidence.judged(
            candidate.system.model.name,
            judgement,
            training,
            digests={"content": file.digest},
            inputs=inputs.versions,
            facts=_facts(candidate, None),
            files=files,
        )
        (entry,) = project.ledger.append([draft])
        message = refusal_message(
            judgement,
            consequence=f"Not registered; what was registered before stays current. Evidence: {entry.id}.",
            remedy="Materialise again.",
        )
        return JudgedModel(judgement=judgement, evidence=entry, message=message)
    measured = measure_for_card(candidate)
    card = card_of(candidate, measured, judgement, inputs=inputs, training=training, records=records)
    package = package_of(candidate, file, card, inputs)
    page = project.evidence.put(package.files[f"{CARD_FOLDER}/card.html"])
    files.append({"name": "card.html", "digest": page, "media_type": "text/html"})
    data = project.evidence.put(package.files[CARD_JSON])
    files.append({"name": "card.json", "digest": data, "media_type": "application/json"})
    draft = model_evidence.judged(
        candidate.system.model.name,
        judgement,
        training,
        digests={"content": package.model_digest, "manifest": package.digest, "card": data},
        inputs=inputs.versions,
        facts=_facts(candidate, measured),
        files=files,
    )
    (entry,) = project.ledger.append([draft])
    return JudgedModel(
        judgement=judgement,
        evidence=entry,
        package=package,
        card=card,
        facts=run_facts(candidate, measured, card, entry, training),
    )


def register(
    judged: JudgedModel, key: RunKey, training: model_evidence.Training, *, project: "Project"
) -> RegisteredVersion:
    """Put a model that passed into MLflow, and say so in the ledger.

    Raises:
        StoreUnavailable: MLflow or the ledger did not answer; a second call finishes what is left.
    """
    if judged.package is None or judged.facts is None:
        raise RuntimeError("only a model that passed has files to register")
    version = project.mlflow.register(
        judged.package,
        name=judged.evidence.subject_id,
        key=key,
        evidence=judged.evidence.id,
        facts=judged.facts,
    )
    _confirm(version, judged.evidence, training, project)
    return version


def already_begun(
    name: str,
    key: RunKey,
    inputs: ModelInputs,
    training: model_evidence.Training,
    *,
    project: "Project",
) -> tuple[RegisteredVersion, JudgedModel] | None:
    """The version that the same step registered before it was interrupted, finished; ``None`` if there is none.

    A version counts as this step's if it is tagged with this step's run, the ledger has its passing judgement, and
    data, records, code and every byte are those that were judged. A step that was killed after all was done, but
    before Dagster knew, finds its version too.

    Raises:
        StoreUnavailable: MLflow or the ledger did not answer.
        GateRefused: The files of the version are not those that were judged.
    """
    for version in reversed(project.mlflow.versions_of_run(name, key)):
        entry = project.ledger.passing(name, version.model_digest)
        if entry is None or not _same_circumstances(entry, inputs, training):
            continue
        package = project.mlflow.package(version, manifest_digest=entry.digests["manifest"])
        finished = version
        if model_evidence.registration_of(project.ledger, version) is None:
            finished = project.mlflow.finish(version)
            _confirm(finished, entry, training, project)
        judged = JudgedModel(
            judgement=_full_judgement(entry, project),
            evidence=entry,
            package=package,
            card=ModelCard.from_json(package.files[CARD_JSON]),
        )
        return finished, judged
    return None


def _confirm(
    version: RegisteredVersion, evidence: "Entry", training: model_evidence.Training, project: "Project"
) -> None:
    draft = model_evidence.registered(
        version, evidence, alias=CHALLENGER, run_id=training.run_id, at=training.at
    )
    project.ledger.append([draft])


def _same_circumstances(entry: "Entry", inputs: ModelInputs, training: model_evidence.Training) -> bool:
    now = {role: version.digest for role, version in inputs.versions.items()}
    then = {role: entry.digests.get(role) for role in now}
    return (
        now == then
        and entry.digests.get("policy") == training.policy_digest
        and entry.body.get("code_version") == training.code_version
    )


def _full_judgement(entry: "Entry", project: "Project") -> Judgement:
    (digest,) = (file["digest"] for file in entry.body["evidence"] if file["name"] == model_evidence.FINDINGS)
    with project.evidence.open(digest) as stream:
        data: Any = parse_json(stream.read())
    return judgement_from_json(data)


def _facts(candidate: ModelCandidate, measured: CardMeasurements | None) -> Mapping[str, Any]:
    """What the ledger keeps besides the verdicts: no rows, no values of features."""
    return {
        "estimator": candidate.estimator.name,
        "features": list(candidate.estimator.features),
        "rows": {"training": candidate.on_training.rows, "holdout": candidate.on_holdout.rows},
        "metrics": {figure.name: figure.value for figure in measured.figures} if measured else {},
    }
