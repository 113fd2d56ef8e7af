"""The files of a model version: the model in MLflow's layout, its card, and a manifest of their digests.

The manifest's digest goes into the ledger before anything is uploaded, so that whoever holds the ledger can
tell whether a byte of a registered version has changed.
"""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from aims_pipelines.core.canonical import canonical_json
from aims_pipelines.core.digest import sha256_digest
from aims_pipelines.core.errors import GateRefused
from aims_pipelines.resources.mlflow_connection import load_mlflow
from aims_pipelines.resources.model_file import ModelFile

MANIFEST = "manifest.json"
MODEL_FOLDER = "model"
MODEL_BYTES = f"{MODEL_FOLDER}/model.skops"
CARD_FOLDER = "card"
CARD_JSON = f"{CARD_FOLDER}/card.json"
_FORMAT = "aims-model-manifest/1"
# What every model needs to be loaded, by module.
_PACKAGES = {
    "mlflow": "mlflow",
    "numpy": "numpy",
    "pandas": "pandas",
    "scipy": "scipy",
    "skops": "skops",
    "sklearn": "scikit-learn",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPackage:
    """All files of one model version.

    Args:
        files: Content per path, the manifest not among them.
    """

    files: Mapping[str, bytes]
    manifest: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Write the manifest."""
        listed = {
            path: {"sha256": sha256_digest(content), "bytes": len(content)}
            for path, content in sorted(self.files.items())
        }
        object.__setattr__(self, "manifest", canonical_json({"format": _FORMAT, "files": listed}))

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest: it stands for every byte of the version."""
        return sha256_digest(self.manifest)

    @property
    def model_digest(self) -> str:
        """SHA-256 of the model's own bytes."""
        return sha256_digest(self.files[MODEL_BYTES])

    @property
    def folder(self) -> str:
        """Folder inside the MLflow run, named by content."""
        return f"aims/{self.digest.removeprefix('sha256:')[:16]}"


def mlflow_files(
    model: ModelFile, *, inputs: Any, outputs: Any, requirements: tuple[str, ...]
) -> dict[str, bytes]:
    """Lay a model out so that plain MLflow can load it too.

    Args:
        model: The estimator's bytes.
        inputs: A few rows of features; only their column names and types are kept.
        outputs: What the model predicted for them; only its type is kept.
        requirements: Pinned packages that loading needs.

    Returns:
        Content per path, starting with ``model/``.
    """
    load_mlflow()
    import sklearn
    import yaml
    from mlflow import pyfunc
    from mlflow.models import Model, infer_signature

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a hint about integer columns, which records declare anyway
        signature = infer_signature(inputs, outputs)
    description = Model(signature=signature)
    pyfunc.add_to_model(
        description,
        loader_module="mlflow.sklearn",
        model_path=PurePosixPath(MODEL_BYTES).name,
        conda_env="conda.yaml",
        python_env="python_env.yaml",
        predict_fn="predict",
    )
    description.add_flavor(
        "sklearn",
        pickled_model=PurePosixPath(MODEL_BYTES).name,
        sklearn_version=sklearn.__version__,
        serialization_format="skops",
        code=None,
        skops_trusted_types=list(model.needs),
    )
    description.model_size_bytes = len(model.content)
    python = _python_version()
    environment = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": list(requirements)}],
    }
    python_env = {"python": python, "dependencies": ["-r requirements.txt"]}
    return {
        MODEL_BYTES: model.content,
        f"{MODEL_FOLDER}/MLmodel": description.to_yaml().encode(),
        f"{MODEL_FOLDER}/conda.yaml": yaml.safe_dump(environment, sort_keys=False).encode(),
        f"{MODEL_FOLDER}/python_env.yaml": yaml.safe_dump(python_env, sort_keys=False).encode(),
        f"{MODEL_FOLDER}/requirements.txt": ("\n".join(requirements) + "\n").encode(),
    }


def pinned_requirements(types: tuple[str, ...]) -> tuple[str, ...]:
    """Packages, with versions, that loading a model of these types needs."""
    from importlib.metadata import PackageNotFoundError, packages_distributions, version

    modules = {*_PACKAGES, *(name.split(".")[0] for name in types)}
    pins: set[str] = set()
    others: set[str] = set()
    for module in modules:
        try:
            pins.add(f"{_PACKAGES[module]}=={version(_PACKAGES[module])}")
        except (KeyError, PackageNotFoundError):
            others.add(module)
    known = (
        packages_distributions() if others else {}
    )  # reads the files of everything installed: a second or more
    for module in others:
        for package in known.get(module, ()):
            try:
                pins.add(f"{package}=={version(package)}")
            except PackageNotFoundError:  # an uninstalled leftover
                continue
    return tuple(sorted(pins))


def verified(files: Mapping[str, bytes], *, manifest_digest: str, subject: str) -> ModelPackage:
    """Return the package if the files are, byte for byte, those that the manifest digest stands for.

    Args:
        files: Content per path as stored, the manifest among them.
        manifest_digest: What the ledger holds.
        subject: How to call the version in a refusal.

    Raises:
        GateRefused: A file was changed, is missing or was added; each is named.
    """
    rest = dict(files)
    manifest = rest.pop(MANIFEST, None)
    if manifest is None:
        raise GateRefused(f"Refused {subject}: {MANIFEST} is missing among its files.")
    if sha256_digest(manifest) != manifest_digest:
        raise GateRefused(
            f"Refused {subject}: {MANIFEST} is not the one in the ledger "
            f"(expected {manifest_digest[:19]}…, found {sha256_digest(manifest)[:19]}…)."
        )
    listed = json.loads(manifest)["files"]
    wrong = [
        f"{path} was changed"
        for path in sorted(rest)
        if path in listed and _differs(rest[path], listed[path])
    ]
    wrong += [f"{path} is missing" for path in sorted(listed) if path not in rest]
    wrong += [f"{path} was added" for path in sorted(rest) if path not in listed]
    if wrong:
        raise GateRefused(f"Refused {subject}: its files are not those that were judged: {'; '.join(wrong)}.")
    return ModelPackage(files=rest)


def _differs(content: bytes, listed: Mapping[str, Any]) -> bool:
    return bool(sha256_digest(content) != listed["sha256"])


def _python_version() -> str:
    import platform

    return platform.python_version()
