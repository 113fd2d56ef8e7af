"""What a model that passed is registered with: its card, its files, and the facts that MLflow shows."""

from typing import TYPE_CHECKING

from aims_pipelines.assets.model_examination import ModelInputs, as_frame, label_of, pandas_of
from aims_pipelines.checks.model_candidate import ModelCandidate
from aims_pipelines.checks.model_catalogue import MODEL_CHECKS
from aims_pipelines.core.gate import Judgement
from aims_pipelines.model_cards.collect import CardMeasurements, collect, data_use
from aims_pipelines.model_cards.document import Identity, ModelCard
from aims_pipelines.model_cards.render import summary, to_html, to_markdown
from aims_pipelines.resources.mlflow import RunFacts
from aims_pipelines.resources.model_evidence import Training
from aims_pipelines.resources.model_file import ModelFile
from aims_pipelines.resources.model_package import CARD_FOLDER, CARD_JSON, ModelPackage, mlflow_files

if TYPE_CHECKING:
    from aims_pipelines.records.load import Records
    from aims_pipelines.storage.ledger import Entry

_SIGNATURE_ROWS = 50


def card_of(
    candidate: ModelCandidate,
    measured: CardMeasurements,
    judgement: Judgement,
    *,
    inputs: ModelInputs,
    training: Training,
    records: "Records",
) -> ModelCard:
    """The card of a model that passed.

    Raises:
        BadInput: A human section of the system record is blank.
    """
    system, estimator, label = candidate.system, candidate.estimator, label_of(candidate.record)
    rows = {
        "training": candidate.on_training.rows,
        "holdout": candidate.on_holdout.rows,
        **{role: item.rows for role, item in inputs.further.items()},
    }
    return collect(
        identity=Identity(
            name=system.model.name,
            digest=estimator.digest,
            asset=training.asset,
            partition=training.partition,
            trained_at=training.at.isoformat(timespec="seconds"),
            estimator=estimator.name,
            task=label.task,
            label=label.column,
            positive="" if label.positive is None else str(label.positive),
            features=estimator.features,
            parameters=estimator.parameters,
            packages=estimator.packages,
            code_version=training.code_version,
            records_digest=training.policy_digest,
            threshold=system.model.threshold,
            threshold_overrules=candidate.on_holdout.overruled,
        ),
        measured=measured,
        judgement=judgement,
        questions={check.name: check.description for check in MODEL_CHECKS},
        system=system,
        data=tuple(
            data_use(
                role,
                records.dataset(version.asset),
                asset=version.asset,
                digest=version.digest,
                evidence=version.evidence,
                rows=rows[role],
            )
            for role, version in inputs.versions.items()
        ),
    )


def package_of(
    candidate: ModelCandidate, file: ModelFile, card: ModelCard, inputs: ModelInputs
) -> ModelPackage:
    """All files of a model that passed."""
    frame = as_frame(inputs.holdout)
    few = frame[list(candidate.estimator.features)][:_SIGNATURE_ROWS]
    files = mlflow_files(
        file,
        inputs=pandas_of(few),
        outputs=candidate.on_holdout.predicted[:_SIGNATURE_ROWS],
        requirements=candidate.estimator.packages,
    )
    return ModelPackage(
        files={
            **files,
            CARD_JSON: card.to_json(),
            f"{CARD_FOLDER}/card.md": to_markdown(card),
            f"{CARD_FOLDER}/card.html": to_html(card),
        }
    )


def run_facts(
    candidate: ModelCandidate,
    measured: CardMeasurements,
    card: ModelCard,
    entry: "Entry",
    training: Training,
) -> RunFacts:
    """What the MLflow run of a model that passed shows besides its files."""
    return RunFacts(
        parameters={"estimator": candidate.estimator.name, **dict(candidate.estimator.parameters)},
        metrics={f"holdout_{figure.name}": figure.value for figure in measured.figures},
        tags={
            "aims/asset": training.asset,
            "aims/partition": training.partition,
            "aims/evidence": entry.id,
            "aims/training": entry.digests["training"],
            "aims/holdout": entry.digests["holdout"],
            "dagster/run_id": training.run_id,
        },
        description=summary(card),
    )
