"""Where a project keeps its records, evidence, rows and models, and the handles on them.

A project is a folder with an ``aims.toml``. Every location in it may be a path relative to that folder, an
address such as ``postgresql+psycopg://…`` or ``http://…``, or ``env:NAME`` for a value, such as one with a
password, that comes from the environment.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from aims_pipelines.core.errors import BadInput, Fault

if TYPE_CHECKING:
    from aims_pipelines.records.load import Records
    from aims_pipelines.resources.mlflow import MlflowRegistry
    from aims_pipelines.storage.database import Database
    from aims_pipelines.storage.datasets import DatasetStore
    from aims_pipelines.storage.evidence import EvidenceStore
    from aims_pipelines.storage.ledger import Ledger

PROJECT_FILE = "aims.toml"
_SQLITE_FILE = re.compile(r"^sqlite:///(?P<path>.+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Locations:
    """Where things are kept. Paths are absolute.

    Args:
        root: The project folder.
        records: Folder of the governance records.
        ledger: Database address of the ledger and the version tables.
        store: Folder of published and quarantined rows.
        evidence: Folder of evidence files.
        mlflow: MLflow tracking and registry address.
        mlflow_artifacts: Where MLflow keeps artifacts if no server decides; empty for the server's own.
        definitions: Python file that holds the Dagster definitions.
    """

    root: Path
    records: Path
    ledger: str
    store: Path
    evidence: Path
    mlflow: str
    mlflow_artifacts: str = ""
    definitions: str = "definitions.py"

    @classmethod
    def from_mapping(cls, root: Path, settings: Mapping[str, Any], *, where: str) -> Self:
        """Resolve settings against the project folder.

        Raises:
            BadInput: Unknown keys, wrong types, or an environment variable that is not set; all at once.
        """
        defaults = {
            "records": "governance",
            "ledger": "sqlite:///.aims/aims.db",
            "store": ".aims/data",
            "evidence": ".aims/evidence",
            "mlflow": "sqlite:///.aims/mlflow.db",
            "mlflow_artifacts": "",
            "definitions": "definitions.py",
        }
        faults: list[Fault] = []
        values = dict(defaults)
        for key, value in settings.items():
            if key not in defaults:
                faults.append(
                    Fault(
                        where=f"{where}: {key}",
                        expected=f"one of {', '.join(defaults)}",
                        found="an unknown key",
                    )
                )
            elif not isinstance(value, str) or not value:
                faults.append(Fault(where=f"{where}: {key}", expected="text", found=type(value).__name__))
            elif value.startswith("env:"):
                if os.environ.get(value[4:]):
                    values[key] = os.environ[value[4:]]
                else:
                    faults.append(
                        Fault(
                            where=f"{where}: {key}",
                            expected=f"the environment variable {value[4:]} to hold the value",
                            found="it is not set",
                            remedy=f"Set {value[4:]}, or write the location into {where}.",
                        )
                    )
            else:
                values[key] = value
        if faults:
            raise BadInput(faults)
        root = root.resolve()
        mlflow = _address(values["mlflow"], root)
        artifacts = values["mlflow_artifacts"]
        if not artifacts and mlflow.startswith("sqlite:"):
            artifacts = ".aims/mlflow-artifacts"
        return cls(
            root=root,
            records=_path(values["records"], root),
            ledger=_address(values["ledger"], root),
            store=_path(values["store"], root),
            evidence=_path(values["evidence"], root),
            mlflow=mlflow,
            mlflow_artifacts=artifacts
            if "://" in artifacts or not artifacts
            else str(_path(artifacts, root)),
            definitions=values["definitions"],
        )


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project's locations, with handles that open on first use.

    Not shared between processes: each opens its own.
    """

    locations: Locations

    @property
    def ledger_url(self) -> str:
        """Database address of the ledger."""
        return self.locations.ledger

    @property
    def evidence_dir(self) -> Path:
        """Folder of evidence files."""
        return self.locations.evidence

    def records(self) -> "Records":
        """The records as they are now; read again only if a file of theirs changed.

        Raises:
            RecordsInvalid: A record holds a fault.
        """
        from aims_pipelines.records.load import load_records

        state = _state_of(self.locations.records)
        known = self.__dict__.get("_records")
        if known is None or known[0] != state:
            known = (state, load_records(self.locations.records))
            self.__dict__["_records"] = known
        records: Records = known[1]
        return records

    def source_path(self, dataset: str) -> Path:
        """The source file of a dataset, as its record declares it.

        Raises:
            BadInput: There is no such record, or it declares no file.
        """
        record = self.records().dataset(dataset)
        if record.source.path is None:
            raise BadInput(
                Fault(
                    where=f"dataset record {dataset!r}: source.path",
                    expected="the path of the source file",
                    found="none",
                    remedy="Name the file in the record; what comes from elsewhere is read by the asset's own code.",
                )
            )
        return _path(record.source.path, self.locations.root)

    @cached_property
    def database(self) -> "Database":
        """The database of the ledger and the version tables, created if absent."""
        from aims_pipelines.storage import datasets, ledger  # noqa: F401 - they declare the tables to create
        from aims_pipelines.storage.database import open_database

        return open_database(self.locations.ledger)

    @cached_property
    def ledger(self) -> "Ledger":
        """The evidence ledger."""
        from aims_pipelines.storage.ledger import Ledger

        return Ledger(self.database)

    @cached_property
    def evidence(self) -> "EvidenceStore":
        """The store of evidence files."""
        from aims_pipelines.storage.evidence import EvidenceStore

        return EvidenceStore(self.locations.evidence)

    @cached_property
    def store(self) -> "DatasetStore":
        """The store of published versions and quarantined candidates."""
        from aims_pipelines.storage.datasets import DatasetStore

        return DatasetStore(self.database, self.locations.store)

    @cached_property
    def mlflow(self) -> "MlflowRegistry":
        """The MLflow tracking server and registry."""
        from aims_pipelines.resources.mlflow import MlflowRegistry

        return MlflowRegistry(
            tracking_uri=self.locations.mlflow, artifact_location=self.locations.mlflow_artifacts
        )


def load_project(folder: Path) -> Project:
    """Open the project in a folder.

    Raises:
        BadInput: The folder has no readable ``aims.toml``, or it holds faults.
    """
    file = folder / PROJECT_FILE
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(_no_project(folder)) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(Fault(where=str(file), expected="a TOML file", found=str(error))) from error
    return Project(locations=Locations.from_mapping(folder, settings, where=str(file)))


def find_project(start: Path | None = None) -> Project:
    """Open the project that a folder lies in: the folder itself or the nearest parent with an ``aims.toml``.

    Args:
        start: Where to look from; the working directory if absent.

    Raises:
        BadInput: There is no such folder, or its ``aims.toml`` holds faults.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return load_project(folder)
    raise BadInput(_no_project(start))


def _no_project(folder: Path) -> Fault:
    return Fault(
        where=str(folder),
        expected=f"a project folder, one with an {PROJECT_FILE}",
        found="none here or above",
        remedy="Change into a project, or start one: aims init NAME --data FILE --label COLUMN --protected A,B",
    )


def _state_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes of the files in a folder: equal means unchanged."""
    files = sorted(file for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else []
    return tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files)


def _path(value: str, root: Path) -> Path:
    return (root / Path(value).expanduser()).resolve()


def _address(value: str, root: Path) -> str:
    """Make the file of a SQLite address absolute; leave other addresses alone."""
    match = _SQLITE_FILE.match(value)
    return f"sqlite:///{_path(match['path'], root)}" if match else value
