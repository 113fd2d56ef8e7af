"""Kill a model step at one point after another, run the same step again, and print what was there each time.

    python killed.py PROJECT WORK

PROJECT is a project whose datasets have passed; WORK is an empty folder. The points lie right after each call that
changes something: the ledger's and those of MLflow's client. Prints one JSON line a point.
"""

import json
import os
import shutil
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import dagster as dg
import pandas as pd
from mlflow.tracking import MlflowClient
from sklearn.linear_model import LogisticRegression

from aims_pipelines import AimsResource, DatasetIOManager, governed_model
from aims_pipelines.assets.model_gate import examine
from aims_pipelines.resources.project import load_project
from aims_pipelines.storage.ledger import Ledger

RUN = "5d1c3c9e-0000-4000-8000-000000000001"
CALLS = (
    (Ledger, "append", 1),
    (MlflowClient, "create_experiment", 1),
    (MlflowClient, "create_run", 1),
    (MlflowClient, "log_batch", 1),
    (MlflowClient, "log_artifacts", 1),
    (MlflowClient, "create_registered_model", 1),
    (MlflowClient, "create_model_version", 1),
    (MlflowClient, "set_registered_model_alias", 1),
    (MlflowClient, "set_terminated", 1),
    (Ledger, "append", 2),
)


@governed_model(system="loans")
def late_payment(training: pd.DataFrame):
    return LogisticRegression().fit(training[["income", "debt"]], training["late"])


def run_step(folder: Path) -> bool:
    aims = AimsResource(folder=str(folder))
    defs = dg.Definitions(
        assets=[late_payment, dg.AssetSpec("training"), dg.AssetSpec("holdout")],
        jobs=[dg.define_asset_job("model", selection=[late_payment])],
        resources={"aims": aims, "io_manager": DatasetIOManager(aims=aims)},
    )
    result = defs.resolve_job_def("model").execute_in_process(run_id=RUN, raise_on_error=False)
    return result.success


def arm(owner: type, name: str, nth: int) -> None:
    """Let the process die right after the nth call has done its work."""
    original, calls = getattr(owner, name), []

    def deadly(*arguments, **options):
        result = original(*arguments, **options)
        calls.append(name)
        if len(calls) == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)


def in_child(work) -> int:
    """Fork, work there, and say how it ended; only children open databases, or they would share them."""
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def state(folder: Path) -> dict[str, object]:
    project = load_project(folder)
    client = MlflowClient(project.locations.mlflow, project.locations.mlflow)
    versions = client.search_model_versions("name = 'late-payment'")
    experiment = client.get_experiment_by_name("governed-models")
    runs = client.search_runs([experiment.experiment_id]) if experiment else []
    return {
        "versions": len(versions),
        "aliases": client.get_registered_model("late-payment").aliases if versions else {},
        "runs": len(runs),
        "folders": sum(len(client.list_artifacts(run.info.run_id, "aims")) for run in runs),
        "registrations": sum(entry.subject_kind == "registration" for entry in project.ledger.entries()),
    }


def gate(folder: Path) -> str:
    project = load_project(folder)
    version = project.mlflow.resolve("late-payment", alias="challenger")
    return str(examine(project, version, now=datetime.now(UTC)).status)


def load(project: Path, work: Path) -> None:
    """Load what a whole step loads, so that no child has to."""
    folder = Path(shutil.copytree(project, work / "loading"))
    told = folder / "told.json"

    def whole() -> None:
        run_step(folder)
        state(folder)
        gate(folder)
        told.write_text(json.dumps(list(sys.modules)), encoding="utf-8")

    if in_child(whole) != 0:
        raise SystemExit("the step does not run")
    for name in json.loads(told.read_text(encoding="utf-8")):
        with suppress(Exception):
            import_module(name)


def main(project: Path, work: Path) -> None:
    load(project, work)
    for owner, name, nth in CALLS:
        folder = Path(shutil.copytree(project, work / f"{name}{nth}"))
        told = folder / "told.json"

        def die(folder=folder, owner=owner, name=name, nth=nth) -> None:
            arm(owner, name, nth)
            run_step(folder)

        def look_and_resume(folder=folder, told=told) -> None:
            line = {"after_kill": state(folder), "resumed": run_step(folder)}
            line |= {"after_resume": state(folder), "gate": gate(folder) if line["resumed"] else ""}
            told.write_text(json.dumps(line), encoding="utf-8")

        killed = in_child(die) == -signal.SIGKILL
        if in_child(look_and_resume) != 0:
            raise SystemExit(f"{name} {nth}: could not look at what was left")
        line = {"point": f"{owner.__name__}.{name} {nth}", "killed": killed}
        sys.stdout.write(json.dumps(line | json.loads(told.read_text(encoding="utf-8"))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
