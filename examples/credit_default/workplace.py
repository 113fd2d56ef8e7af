"""Where the demo works: one folder of its own, with a project, a Dagster home and the files it makes."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from aims_pipelines.core.errors import BadInput, Fault, NotOurs

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = Path(__file__).resolve().parent
_MARKER = ".made-by-the-credit-default-demo"
_FINISHED = "finished"
_DAGSTER = "telemetry:\n  enabled: false\nnux:\n  enabled: false\n"
_OURS = ("project", "deliveries", "audit", "logs", _MARKER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """The demo's folder.

    Args:
        folder: The folder, absolute.
    """

    folder: Path

    @classmethod
    def default(cls) -> "Workplace":
        """``demo-output`` at the root of the repository."""
        return cls(folder=ROOT / "demo-output")

    @property
    def project(self) -> Path:
        """A project of its own with the records of the example."""
        return self.folder / "project"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance, where ``aims materialize`` keeps it."""
        return self.project / ".aims" / "dagster"

    @property
    def deliveries(self) -> Path:
        """The batches that arrive in the story."""
        return self.folder / "deliveries"

    @property
    def audit(self) -> Path:
        """What an auditor is given."""
        return self.folder / "audit"

    @property
    def logs(self) -> Path:
        """Output of the commands."""
        return self.folder / "logs"

    @property
    def mlflow_address(self) -> str:
        """MLflow's database."""
        return f"sqlite:///{self.project / '.aims' / 'mlflow.db'}"

    def environment(self) -> dict[str, str]:
        """Give the environment of commands that work here: that of this process, with no other Dagster home."""
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        return {
            **{name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"},
            "PYTHONPATH": path,
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "GX_ANALYTICS_ENABLED": "false",
        }

    def prepare(self) -> None:
        """Start afresh: remove what an earlier demo made here, and nothing else.

        Raises:
            NotOurs: The folder holds something, and no demo made it.
            BadInput: It cannot be written.
        """
        if self.folder.is_symlink() or (self.folder.exists() and not self.folder.is_dir()):
            raise NotOurs(
                f"{self.folder} is not a folder of this demo, so it is left alone. Move it away first."
            )
        if self.folder.is_dir() and any(self.folder.iterdir()) and not (self.folder / _MARKER).is_file():
            raise NotOurs(
                f"{self.folder} holds files that this demo did not make, so it is left alone. "
                "Move it away first, or name another folder with --output."
            )
        try:
            for name in _OURS:
                path = self.folder / name
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / _MARKER).write_text("started\n", encoding="utf-8")
            for path in (self.project, self.deliveries, self.audit, self.logs):
                path.mkdir()
            shutil.copytree(EXAMPLE / "governance", self.project / "governance")
            for name in ("aims.toml", "definitions.py"):
                shutil.copyfile(EXAMPLE / name, self.project / name)
            self.dagster_home.mkdir(parents=True)
            (self.dagster_home / "dagster.yaml").write_text(_DAGSTER, encoding="utf-8")
            (self.project / "workspace.yaml").write_text("load_from:\n  - python_file: definitions.py\n")
        except OSError as error:
            found = error.strerror or "an error of the file system"
            raise BadInput(
                Fault(where=str(error.filename or self.folder), expected="a place to write", found=found)
            ) from error

    def finish(self) -> None:
        """Note that the whole story was told, so that there is something to look at."""
        (self.folder / _MARKER).write_text(f"{_FINISHED}\n", encoding="utf-8")

    def require_results(self) -> None:
        """Return if a demo has finished here.

        Raises:
            BadInput: None has.
        """
        marker = self.folder / _MARKER
        if not marker.is_file() or marker.read_text(encoding="utf-8").strip() != _FINISHED:
            found = "one that did not finish" if marker.is_file() else "none"
            raise BadInput(
                Fault(
                    where=str(self.folder),
                    expected="the results of a demo",
                    found=found,
                    remedy="Run it first: make demo (about two minutes).",
                )
            )
