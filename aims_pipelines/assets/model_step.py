"""One step of a governed model: admit the tables, train, judge, then register or refuse."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from aims_pipelines import _dagster_compat as compat
from aims_pipelines.assets.admission import admit_all
from aims_pipelines.assets.gating import failed_evaluations, published_results, refusal
from aims_pipelines.assets.one_partition import one_partition
from aims_pipelines.checks.model_catalogue import MODEL_CHECKS
from aims_pipelines.core.digest import sha256_digest
from aims_pipelines.core.errors import AimsError, BadInput, Fault, GateRefused
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import Finding, Status, Verdict
from aims_pipelines.resources.aims import RESOURCE_KEY

if TYPE_CHECKING:
    from aims_pipelines.assets.model_examination import ModelInputs
    from aims_pipelines.assets.model_judging import JudgedModel
    from aims_pipelines.records.load import Records
    from aims_pipelines.resources.mlflow import RegisteredVersion, RunKey
    from aims_pipelines.resources.model_evidence import Training
    from aims_pipelines.resources.project import Project

CHECK_NAMES = tuple(check.name for check in MODEL_CHECKS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelGate:
    """What is known of a model's gate when definitions load.

    Args:
        system: Id of its system record.
        training: Asset that it is fitted on.
        holdout: Asset that it is judged on.
        parameter: Parameter of the user's function that gets the training table.
        code_version: Version or digest of the user's function; empty if unknown.
    """

    system: str
    training: str
    holdout: str
    parameter: str
    code_version: str


class ModelStep:
    """Walks one execution through the gate.

    Args:
        gate: The asset's gate.
        context: Dagster's context of the step.
    """

    def __init__(self, gate: ModelGate, context: dg.AssetExecutionContext) -> None:
        self.gate = gate
        self.context = context
        self.training: Training | None = None

    @property
    def project(self) -> "Project":
        """The project behind the resource ``aims``."""
        project: Project = getattr(self.context.resources, RESOURCE_KEY).project
        return project

    @property
    def records(self) -> "Records":
        """The records as they are now."""
        return self.project.records()

    def admit(self, training: Any, holdout: Any, further: Mapping[str, Any]) -> "ModelInputs":
        """Take the tables only with evidence, before any of the user's code runs.

        Args:
            training: What the IO manager loaded for the training table.
            holdout: What it loaded for the holdout.
            further: What it loaded for the other inputs of the function, by parameter.

        Raises:
            GateRefused: A table has no passing verdict for the rows that were loaded.
            BadInput: The records are faulty, or do not fit the asset.
            StoreUnavailable: MLflow does not answer; better now than after the training.
        """
        from aims_pipelines.assets.model_examination import FurtherInput, ModelInputs
        from aims_pipelines.resources.model_evidence import Training

        self.training = Training(
            system=self.gate.system,
            asset=self.context.asset_key.to_user_string(),
            partition=one_partition(self.context, repr(self.context.asset_key.to_user_string())),
            run_id=self.context.run_id,
            code_version=self.gate.code_version,
            policy_digest=self.records.digest_for_system(self.gate.system),
            at=datetime.now(UTC),
        )
        self.project.mlflow.check_reachable()
        keys = compat.asset_inputs(self.context.assets_def)
        return ModelInputs(
            training=training,
            holdout=holdout,
            training_version=self._admitted(self.gate.training, training),
            holdout_version=self._admitted(self.gate.holdout, holdout),
            further={
                f"input {name}": FurtherInput(
                    version=self._admitted(keys[name].to_user_string(), value), value=value
                )
                for name, value in further.items()
            },
        )

    def _admitted(self, key: str, value: Any) -> Any:
        admission = admit_all({key: value}, project=self.project, records=self.records)
        if admission.refused or admission.ungoverned:
            reason = next(
                iter(admission.refused.values()), "no dataset record claims it, so no gate judged it"
            )
            raise GateRefused(
                f"Refused '{self.gate.system}': its input was not admitted; nothing was trained.\n"
                f"  {key}: {reason}\n"
                f"Next: materialise '{key}' until its gate opens, then this model again."
            )
        return _one(admission.admitted)

    def run(
        self, inputs: "ModelInputs", fit: Callable[[], Any]
    ) -> "tuple[JudgedModel, RegisteredVersion | None]":
        """Train, judge and register; or finish what an interrupted attempt of the same step began.

        Returns:
            The judged model, and its version if the gate opened.
        """
        from aims_pipelines.assets import model_judging

        training, key = self._training(), self._key()
        name = self.records.system(self.gate.system).model.name
        begun = model_judging.already_begun(name, key, inputs, training, project=self.project)
        if begun is not None:
            version, judged = begun
            self.context.log.info(
                f"{version} was registered by an earlier attempt of this step, which was interrupted."
            )
            return judged, version
        estimator = _returned(fit(), self.context.asset_key)
        judged = model_judging.judge_fitted(
            estimator, inputs, training, project=self.project, records=self.records
        )
        if judged.judgement.status is not Status.PASS:
            return judged, None
        return judged, model_judging.register(judged, key, training, project=self.project)

    def finish(self, judged: "JudgedModel", version: "RegisteredVersion | None") -> Iterator[Any]:
        """Tell Dagster of the registered version, or of the refusal.

        Raises:
            dagster.Failure: The model was refused.
        """
        key, evidence = self.context.asset_key, judged.evidence.id
        if version is None:
            yield from self._refuse(judged.judgement, judged.message, outcome="refused", evidence=evidence)
            return
        yield dg.MaterializeResult(
            asset_key=key,
            metadata=_metadata(judged, version),
            data_version=dg.DataVersion(judged.evidence.digests["content"]),
        )
        yield from published_results(key, judged.judgement, declared=CHECK_NAMES, evidence=evidence)

    def give_up(self, error: AimsError) -> Iterator[Any]:
        """Refuse a model that could not be judged, and leave that as evidence where that is possible.

        Raises:
            dagster.Failure: Always.
        """
        from aims_pipelines.resources.model_evidence import refused

        outcome = "refused" if isinstance(error, GateRefused) else "bad input"
        if self.training is None:
            raise refusal(self.context, str(error), outcome=outcome) from None
        finding = Finding(
            target="",
            measure="admitted inputs" if outcome == "refused" else "usable model",
            status=Status.FAIL if outcome == "refused" else Status.INCONCLUSIVE,
            reason=str(error),
        )
        judgement = Judgement(
            subject=self.gate.system,
            required=CHECK_NAMES,
            verdicts=(Verdict(check="provenance", version="1", findings=(finding,)),),
        )
        try:
            name = self.records.system(self.gate.system).model.name
            (entry,) = self.project.ledger.append([refused(name, judgement, self.training)])
        except AimsError as second:
            raise refusal(self.context, f"{error}\n{second}", outcome=outcome) from None
        yield from self._refuse(judgement, str(error), outcome=outcome, evidence=entry.id)

    def _refuse(self, judgement: Judgement, message: str, *, outcome: str, evidence: str) -> Iterator[Any]:
        yield from failed_evaluations(
            self.context.asset_key, judgement, declared=CHECK_NAMES, evidence=evidence
        )
        raise refusal(self.context, message, outcome=outcome, evidence=evidence) from None

    def _training(self) -> "Training":
        if self.training is None:
            raise RuntimeError("the inputs were not admitted yet")
        return self.training

    def _key(self) -> "RunKey":
        from aims_pipelines.resources.mlflow import RunKey

        training = self._training()
        return RunKey(
            root_run=self.context.run.root_run_id or self.context.run_id,
            asset=training.asset,
            partition=training.partition,
        )


def _metadata(judged: "JudgedModel", version: "RegisteredVersion") -> Mapping[str, Any]:
    digests = judged.evidence.digests
    metrics = judged.evidence.body["facts"]["metrics"]
    card = judged.package.files["card/card.md"].decode() if judged.package is not None else ""
    return {
        "aims/model": str(version),
        "aims/version": version.number,
        "aims/model_digest": digests["content"],
        "aims/evidence": judged.evidence.id,
        "aims/training": digests["training"],
        "aims/holdout": digests["holdout"],
        "aims/card": dg.MetadataValue.md(_without_front_matter(card)),
        **{f"holdout/{name}": value for name, value in metrics.items()},
    }


def _without_front_matter(card: str) -> str:
    return card.split("\n---\n", 1)[-1].lstrip()


def _returned(value: Any, key: dg.AssetKey) -> Any:
    """The estimator that the user's function returned, yielded or wrapped."""
    if inspect.isgenerator(value):
        values = [item for item in value if not isinstance(item, dg.AssetObservation)]
        if len(values) != 1:
            raise BadInput(
                Fault(
                    where=f"asset {key.to_user_string()!r}",
                    expected="one fitted estimator",
                    found=f"{len(values)} values",
                    remedy="Return the estimator.",
                )
            )
        value = values[0]
    return value.value if isinstance(value, dg.Output) else value


def _one(versions: "tuple[Any, ...]") -> Any:
    """One version that stands for an input; the digest of all digests for one of several partitions."""
    if len(versions) == 1:
        return versions[0]
    from aims_pipelines.checks.candidate import InputVersion
    from aims_pipelines.core.canonical import canonical_json

    return InputVersion(
        asset=versions[0].asset,
        digest=sha256_digest(canonical_json(sorted(version.digest for version in versions))),
        evidence=", ".join(version.evidence for version in versions),
    )
