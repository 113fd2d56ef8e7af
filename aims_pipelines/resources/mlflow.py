"""MLflow's model registry, as far as governed models need it.

MLflow holds a projection: the ledger says what was judged, and every digest that MLflow returns is compared
with it. Files are uploaded first and a version is created last, so that a version is complete or absent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aims_pipelines.core.canonical import canonical_json
from aims_pipelines.core.digest import sha256_digest
from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.resources.mlflow_connection import MlflowConnection
from aims_pipelines.resources.model_package import MANIFEST, MODEL_FOLDER, ModelPackage, verified

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

CHALLENGER: Final = "challenger"
TAG_EVIDENCE: Final = "aims/evidence"
TAG_MODEL: Final = "aims/model_digest"
TAG_MANIFEST: Final = "aims/manifest_digest"
TAG_RUN: Final = "aims/run_key"
_EXPERIMENT: Final = "governed-models"
_LONGEST_DESCRIPTION = 5_000
_LONGEST_PARAMETER = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKey:
    """What one MLflow run stands for; a retried step finds its run by it.

    Args:
        root_run: Id of the first Dagster run in a chain of re-executions.
        asset: Name of the model asset.
        partition: Partition; empty if the asset has none.
    """

    root_run: str
    asset: str
    partition: str = ""

    def __str__(self) -> str:
        """As written into tags: a digest, since partition keys may hold any character."""
        parts = canonical_json([self.root_run, self.asset, self.partition])
        return sha256_digest(parts).removeprefix("sha256:")[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVersion:
    """A model version as MLflow shows it. Nothing in it is believed without the ledger.

    Args:
        name: Registered model.
        number: Version number.
        model_digest: Digest of the model's bytes, by its tag.
        manifest_digest: Digest of the manifest, by its tag.
        evidence: Ledger entry of the judgement, by its tag.
        source: Where its files are.
        run_id: MLflow run.
        run_key: What that run stands for, by the version's tag.
        aliases: Aliases that point at it.
    """

    name: str
    number: int
    model_digest: str
    manifest_digest: str
    evidence: str
    source: str
    run_id: str
    run_key: str = ""
    aliases: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Name and number, such as ``adult-income/3``."""
        return f"{self.name}/{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What an MLflow run shows besides files.

    Args:
        parameters: Settings, such as the estimator's.
        metrics: Measured figures.
        tags: More, such as digests.
        description: Short text for the version's page.
    """

    parameters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""


class MlflowRegistry:
    """Register and find model versions.

    Args:
        tracking_uri: Tracking server or database, such as ``http://…`` or ``sqlite:///…``.
        artifact_location: Where a new experiment keeps its files; empty for the server's own choice.
    """

    def __init__(self, *, tracking_uri: str, artifact_location: str = "") -> None:
        self._mlflow = MlflowConnection(tracking_uri)
        self._artifacts = artifact_location

    def check_reachable(self) -> None:
        """Return if MLflow answers.

        Raises:
            StoreUnavailable: It does not.
        """
        with self._mlflow.session("reach") as client:
            client.search_experiments(max_results=1)

    def register(
        self,
        package: ModelPackage,
        *,
        name: str,
        key: RunKey,
        evidence: str,
        facts: RunFacts,
    ) -> RegisteredVersion:
        """Make a version of the package: its bytes, card and version appear together or not at all.

        The files are uploaded into the run of ``key`` and read back; only then is the version created, in one
        request that carries its digests; then the alias ``challenger`` is set. Until the version is created nothing is
        registered, and a second call with the same package after any interruption ends with one version.

        Args:
            package: Files and manifest.
            name: Registered model.
            key: Names the run.
            evidence: Ledger entry that holds the passing judgement of exactly this package.
            facts: What the run shows besides files.

        Raises:
            StoreUnavailable: MLflow did not answer, or what it stored is not what was sent.
        """
        with self._mlflow.session("register a model in") as client:
            version = next(
                (item for item in self.versions_of_run(name, key) if item.manifest_digest == package.digest),
                None,
            )
            if version is None:
                run = self._run(client, key, facts)
                folder = self._upload(client, package, run=run)
                _ensure_model(client, name)
                created = client.create_model_version(
                    name,
                    f"{folder}/{MODEL_FOLDER}",
                    run_id=run.info.run_id,
                    tags={
                        TAG_RUN: str(key),
                        TAG_EVIDENCE: evidence,
                        TAG_MODEL: package.model_digest,
                        TAG_MANIFEST: package.digest,
                    },
                    description=facts.description[:_LONGEST_DESCRIPTION] or None,
                )
                version = _described(created)
        return self.finish(version)

    def versions_of_run(self, name: str, key: RunKey) -> tuple[RegisteredVersion, ...]:
        """Versions that the run of ``key`` has registered so far, oldest first."""
        return tuple(item for item in self._versions(name) if item.run_key == str(key))

    def finish(self, version: RegisteredVersion) -> RegisteredVersion:
        """Do what is left of a registration that was interrupted after the version was created."""
        with self._mlflow.session("register a model in") as client:
            client.set_registered_model_alias(version.name, CHALLENGER, str(version.number))
            client.set_terminated(version.run_id, status="FINISHED")
            return _described(client.get_model_version(version.name, str(version.number)))

    def resolve(self, name: str, *, alias: str = "", number: int | None = None) -> RegisteredVersion:
        """Find a version by alias, in any case, or by number.

        Raises:
            BadInput: There is no such model, alias or version; the message lists what there is.
            StoreUnavailable: MLflow did not answer.
        """
        with self._mlflow.session("read") as client:
            names = self.names()
            if name not in names:
                raise BadInput(_absent(name, "a registered model", names))
            aliases = {
                known.lower(): int(to) for known, to in client.get_registered_model(name).aliases.items()
            }
            wanted = aliases.get(alias.lower()) if alias else number
            if wanted is None:
                raise BadInput(_absent(f"{name}@{alias}", f"an alias of {name}", aliases))
            numbers = [item.number for item in self._versions(name)]
            if wanted not in numbers:
                raise BadInput(_absent(f"{name}/{wanted}", f"a version of {name}", map(str, numbers)))
            return _described(client.get_model_version(name, str(wanted)))

    def names(self) -> tuple[str, ...]:
        """Names of all registered models, sorted."""
        with self._mlflow.session("read") as client:
            found: list[str] = []
            token = None
            while True:
                page = client.search_registered_models(max_results=100, page_token=token)
                found += [model.name for model in page]
                token = page.token
                if not token:
                    return tuple(sorted(found))

    def latest(self, name: str) -> RegisteredVersion | None:
        """The newest version of a model; ``None`` if there is none."""
        return next(reversed(self._versions(name)), None)

    def _versions(self, name: str) -> tuple[RegisteredVersion, ...]:
        """All versions of a model, oldest first, without their aliases: MLflow's search gives none."""
        with self._mlflow.session("read") as client:
            found = [_described(version) for version in client.search_model_versions(f"name = '{name}'")]
        return tuple(sorted(found, key=lambda item: item.number))

    def files(self, version: RegisteredVersion) -> dict[str, bytes]:
        """Read all stored files of a version, as they are now."""
        with self._mlflow.session("read files from"):
            return self._mlflow.read_files(_parent(version.source))

    def package(self, version: RegisteredVersion, *, manifest_digest: str) -> ModelPackage:
        """Read the files of a version and compare each with the ledger.

        Args:
            version: Which one.
            manifest_digest: What the ledger holds for it; not what the version's own tag says.

        Raises:
            GateRefused: A file was changed, is missing or was added.
            StoreUnavailable: MLflow did not answer.
        """
        return verified(self.files(version), manifest_digest=manifest_digest, subject=str(version))

    def _run(self, client: "MlflowClient", key: RunKey, facts: RunFacts) -> "Run":
        """Find or start the run of a key, and write the facts into it."""
        from mlflow.entities import Metric, Param, RunTag

        experiment = _experiment(client, self._artifacts)
        found = client.search_runs([experiment], filter_string=f"tags.`{TAG_RUN}` = '{key}'", max_results=1)
        name = f"{key.asset} {key.partition}".strip()
        run = found[0] if found else client.create_run(experiment, tags={TAG_RUN: str(key)}, run_name=name)
        client.update_run(run.info.run_id, status="RUNNING")
        fresh = facts.parameters.keys() - run.data.params.keys()  # MLflow lets nobody change a parameter
        client.log_batch(
            run.info.run_id,
            params=[Param(name, facts.parameters[name][:_LONGEST_PARAMETER]) for name in sorted(fresh)],
            metrics=[Metric(k, v, run.info.start_time, 0) for k, v in sorted(facts.metrics.items())],
            tags=[RunTag(k, v) for k, v in sorted(facts.tags.items())],
        )
        return run

    def _upload(self, client: "MlflowClient", package: ModelPackage, *, run: "Run") -> str:
        """Put the files into the run, read them back, and say where they are."""
        root = str(run.info.artifact_uri).rstrip("/")
        self._sweep(client, run.info.run_id, root, keep=package.folder)
        files = {**package.files, MANIFEST: package.manifest}
        self._mlflow.write_files(run.info.run_id, package.folder, files)
        if self._mlflow.read_files(f"{root}/{package.folder}") != files:
            raise self._mlflow.unavailable("store files in", "what was read back is not what was sent")
        return f"{root}/{package.folder}"

    def _sweep(self, client: "MlflowClient", run_id: str, root: str, *, keep: str) -> None:
        """Delete files that an interrupted attempt left in the run and no version points at."""
        used = {_parent(str(item.source)) for item in client.search_model_versions(f"run_id = '{run_id}'")}
        for item in client.list_artifacts(run_id, "aims"):
            if item.path != keep and f"{root}/{item.path}" not in used:
                self._mlflow.delete_files(root, item.path)


def _experiment(client: "MlflowClient", artifact_location: str) -> str:
    from mlflow.exceptions import MlflowException

    known = client.get_experiment_by_name(_EXPERIMENT)
    if known is not None:
        return str(known.experiment_id)
    location = artifact_location
    if location and "://" not in location:
        Path(location).mkdir(parents=True, exist_ok=True)
        location = Path(location).resolve().as_uri()
    try:
        return str(client.create_experiment(_EXPERIMENT, artifact_location=location or None))
    except MlflowException:
        known = client.get_experiment_by_name(_EXPERIMENT)  # another process was faster
        if known is None:
            raise
        return str(known.experiment_id)


def _ensure_model(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, tags={"aims/governed": "true"})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _absent(where: str, expected: str, known: Iterable[str]) -> Fault:
    return Fault(
        where=where, expected=expected, found="none", remedy=f"There is: {', '.join(known) or 'nothing yet'}."
    )


def _parent(source: str) -> str:
    """The folder of all files of a version, from the folder of its model."""
    return source.rstrip("/").rpartition("/")[0]


def _described(version: "ModelVersion") -> RegisteredVersion:
    tags = version.tags
    return RegisteredVersion(
        name=version.name,
        number=int(version.version),
        model_digest=tags.get(TAG_MODEL, ""),
        manifest_digest=tags.get(TAG_MANIFEST, ""),
        evidence=tags.get(TAG_EVIDENCE, ""),
        source=str(version.source),
        run_id=str(version.run_id),
        run_key=tags.get(TAG_RUN, ""),
        aliases=tuple(sorted(version.aliases)),
    )
