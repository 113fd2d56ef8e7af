"""The registry on a real MLflow server, whose files go through the server too."""

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from aims_pipelines.core.errors import BadInput, GateRefused, StoreUnavailable
from aims_pipelines.resources.mlflow import MlflowRegistry, RunFacts, RunKey
from aims_pipelines.resources.model_package import MODEL_BYTES, ModelPackage

pytestmark = pytest.mark.slow
KEY = RunKey(root_run="run-1", asset="model", partition="it's/2026")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *(
            "--backend-store-uri",
            f"sqlite:///{folder}/mlflow.db",
            "--artifacts-destination",
            str(folder / "files"),
        ),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env={**os.environ, "DO_NOT_TRACK": "true"}
        )
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"{address}/health", timeout=1).close()  # noqa: S310 - our own server
                    break
                except OSError:
                    time.sleep(0.5)
            else:
                pytest.fail((folder / "log").read_text()[-2000:])
            yield address
        finally:
            process.terminate()
            process.wait(30)


def package(content=b"model bytes"):
    return ModelPackage(files={MODEL_BYTES: content, "card/card.json": b"{}"})


def register(registry, made, key=KEY, name="on-server"):
    return registry.register(
        made,
        name=name,
        key=key,
        evidence="e-1",
        facts=RunFacts(metrics={"holdout_auc": 0.9}, description="short"),
    )


def test_a_version_registers_resolves_and_verifies_through_the_server(server):
    registry, made = MlflowRegistry(tracking_uri=server), package()
    version = register(registry, made)
    found = registry.resolve("on-server", alias="CHALLENGER")
    assert (found.number, found.model_digest, found.evidence) == (version.number, made.model_digest, "e-1")
    assert registry.package(found, manifest_digest=made.digest).files == made.files


def test_the_same_package_twice_is_one_version_and_another_is_a_second_one_of_the_same_run(server):
    registry = MlflowRegistry(tracking_uri=server)
    first = register(registry, package(), name="twice")
    assert register(registry, package(), name="twice").number == first.number
    second = register(registry, package(b"trained again"), name="twice")
    assert (second.number, second.run_id) == (first.number + 1, first.run_id)
    assert registry.package(first, manifest_digest=package().digest).files == package().files


def test_files_that_do_not_match_the_ledger_are_refused(server):
    registry = MlflowRegistry(tracking_uri=server)
    version = register(registry, package(), name="refused")
    with pytest.raises(GateRefused, match="not the one in the ledger"):
        registry.package(version, manifest_digest=package(b"other").digest)


def test_what_is_not_there_is_told_with_what_there_is(server):
    registry = MlflowRegistry(tracking_uri=server)
    register(registry, package(), name="known")
    with pytest.raises(BadInput, match="There is: challenger"):
        registry.resolve("known", alias="champion")


def test_a_password_in_the_address_is_not_shown():
    with pytest.raises(StoreUnavailable) as told:
        MlflowRegistry(tracking_uri="http://user:secret@127.0.0.1:9/mlflow?token=secret").check_reachable()
    assert "secret" not in str(told.value)
    assert "http://127.0.0.1:9/mlflow" in str(told.value)


def test_mlflow_is_imported_with_its_telemetry_off_and_the_environment_left_alone():
    code = (
        "import os; os.environ.pop('MLFLOW_DISABLE_TELEMETRY', None); before = dict(os.environ)\n"
        "from aims_pipelines.resources.mlflow_connection import load_mlflow\n"
        "load_mlflow()\n"
        "from mlflow.telemetry.client import get_telemetry_client\n"
        "assert get_telemetry_client() is None\n"
        "assert 'MLFLOW_DISABLE_TELEMETRY' not in os.environ\n"
        "import mlflow; print(mlflow.active_run())"
    )
    plain = {
        name: value
        for name, value in os.environ.items()
        if name not in {"CI", "PYTEST_CURRENT_TEST", "DO_NOT_TRACK"}
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=plain, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "None"), done.stderr
