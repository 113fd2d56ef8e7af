"""Load a registered model, after comparing every byte of it with the ledger."""

from typing import TYPE_CHECKING, Any

from aims_pipelines.core.errors import GateRefused
from aims_pipelines.resources.model_evidence import evidence_of
from aims_pipelines.resources.model_file import load_model
from aims_pipelines.resources.model_package import MODEL_BYTES

if TYPE_CHECKING:
    from aims_pipelines.resources.project import Project


def load_verified(project: "Project", name: str, *, alias: str = "", number: int | None = None) -> Any:
    """Load a model version whose files are, byte for byte, those that were judged.

    Which types may be constructed is decided by the system record, not by the model's own files; pickle is never
    read.

    Args:
        project: Where ledger, records and registry are.
        name: Registered model.
        alias: Alias of the version, such as ``challenger``.
        number: Version number, where no alias is given.

    Raises:
        BadInput: There is no such model, alias or version.
        GateRefused: The ledger does not know the version, a file was changed, or it holds a type that nobody allowed.
        StoreUnavailable: MLflow did not answer.
    """
    registry, ledger = project.mlflow, project.ledger
    version = registry.resolve(name, alias=alias, number=number)
    evidence = evidence_of(ledger, version)
    package = registry.package(version, manifest_digest=evidence.digests["manifest"])
    if package.model_digest != evidence.digests["content"]:
        raise GateRefused(f"Refused {version}: its model is not the one that was judged ({evidence.id}).")
    system = next((item for item in project.records().systems.values() if item.model.name == name), None)
    trusted = system.model.trusted_types if system is not None else ()
    return load_model(package.files[MODEL_BYTES], trusted=trusted)
