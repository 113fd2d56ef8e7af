"""MLflow goes away in the middle of a registration: the run fails cleanly, and the next attempt of the step goes on."""

from datetime import UTC, datetime

import dagster as dg
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sklearn.linear_model import LogisticRegression

from aims_pipelines import governed_model
from aims_pipelines.assets.model_gate import examine
from aims_pipelines.core.errors import GateRefused
from aims_pipelines.core.verdict import Status
from aims_pipelines.resources.model_loading import load_verified

RUN = "5d1c3c9e-0000-4000-8000-000000000002"


@governed_model(system="loans")
def late_payment(training: pd.DataFrame):
    return LogisticRegression().fit(training[["income", "debt"]], training["late"])


@pytest.fixture
def attempt(upstream, resources):
    """Run the same step of the same run once more."""

    def run():
        defs = dg.Definitions(
            assets=[late_payment, *upstream],
            jobs=[dg.define_asset_job("model", selection=[late_payment])],
            resources=resources,
        )
        return defs.resolve_job_def("model").execute_in_process(run_id=RUN, raise_on_error=False)

    return run


def gone(*_arguments, **_options):
    raise MlflowException("connection reset by customer 4711")


def failed_message(result):
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    error = failure.event_specific_data.error
    return (error.cause or error).message


def is_open(project, number):
    version = project.mlflow.resolve("late-payment", number=number)
    return examine(project, version, now=datetime.now(UTC)).status is Status.PASS


@pytest.mark.parametrize("call", ["log_artifacts", "create_model_version"])
def test_before_the_version_there_is_nothing_in_the_registry(call, project, attempt, monkeypatch):
    monkeypatch.setattr(MlflowClient, call, gone)
    result = attempt()
    assert not result.success
    assert "Could not register a model in MLflow" in failed_message(result)
    assert "4711" not in failed_message(result)
    assert project.mlflow.latest("late-payment") is None
    monkeypatch.undo()
    assert attempt().success
    assert is_open(project, 1)


def test_after_the_version_the_next_attempt_finishes_it(project, attempt, monkeypatch):
    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", gone)
    assert not attempt().success
    assert not is_open(project, 1)
    with pytest.raises(GateRefused, match="did not come through the gate"):
        load_verified(project, "late-payment", number=1)
    monkeypatch.undo()
    assert attempt().success
    assert project.mlflow.latest("late-payment").number == 1
    assert is_open(project, 1)


def test_a_begun_version_is_not_finished_under_records_it_was_not_judged_by(
    project, attempt, monkeypatch, folder
):
    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", gone)
    assert not attempt().success
    monkeypatch.undo()
    system = folder / "governance" / "system.yaml"
    system.write_text(system.read_text() + "limits: {min_metric: 0.76}\n", encoding="utf-8")
    assert attempt().success
    assert project.mlflow.resolve("late-payment", alias="challenger").number == 2
    assert (is_open(project, 1), is_open(project, 2)) == (False, True)


def test_a_begun_version_whose_files_were_changed_meanwhile_is_refused(project, attempt, monkeypatch, folder):
    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", gone)
    assert not attempt().success
    monkeypatch.undo()
    (stored,) = (folder / ".aims" / "mlflow-artifacts").rglob("model.skops")
    stored.write_bytes(stored.read_bytes() + b"!")
    result = attempt()
    assert not result.success
    assert "model/model.skops was changed" in failed_message(result)


def test_an_alias_that_moved_on_is_not_moved_back_by_a_late_attempt(project, attempt):
    assert attempt().success
    client = MlflowClient(project.locations.mlflow, project.locations.mlflow)
    client.delete_registered_model_alias("late-payment", "challenger")
    assert attempt().success
    assert client.get_registered_model("late-payment").aliases == {}
    assert project.mlflow.latest("late-payment").number == 1
