"""A model step that is killed at any point leaves no half of a version, and ends with one when it runs again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("killed.py")
POINTS = (
    "Ledger.append 1",
    "MlflowClient.create_experiment 1",
    "MlflowClient.create_run 1",
    "MlflowClient.log_batch 1",
    "MlflowClient.log_artifacts 1",
    "MlflowClient.create_registered_model 1",
    "MlflowClient.create_model_version 1",
    "MlflowClient.set_registered_model_alias 1",
    "MlflowClient.set_terminated 1",
    "Ledger.append 2",
)
FIRST_WITH_A_VERSION = POINTS.index("MlflowClient.create_model_version 1")

pytestmark = [pytest.mark.crash, pytest.mark.slow]


@pytest.fixture(scope="module")
def told(published, once):
    """What was there after each kill and after each second run; found out once for all workers."""

    def kill(folder: Path) -> None:
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(published), str(folder)],
            capture_output=True,
            text=True,
            timeout=550,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        (folder / "told.jsonl").write_text(done.stdout, encoding="utf-8")

    lines = (once("killed", kill) / "told.jsonl").read_text(encoding="utf-8").splitlines()
    return {line["point"]: line for line in map(json.loads, lines[-len(POINTS) :])}


@pytest.mark.parametrize("point", POINTS)
def test_killed_there_nothing_is_half_registered(point, told):
    line = told[point]
    assert line["killed"]
    assert line["after_kill"]["versions"] == int(POINTS.index(point) >= FIRST_WITH_A_VERSION)


@pytest.mark.parametrize("point", POINTS)
def test_run_again_there_is_one_confirmed_version_and_the_gate_opens(point, told):
    line = told[point]
    assert line["resumed"]
    after = line["after_resume"]
    assert (after["versions"], after["registrations"], after["runs"], after["folders"]) == (1, 1, 1, 1)
    assert after["aliases"] == {"challenger": 1}
    assert line["gate"] == "pass"
