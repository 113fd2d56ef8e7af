"""``aims materialize`` and ``aims status`` as a user runs them: exit codes, tables, JSON, no tracebacks."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

POLICY = """\
kind: policy
id: default
title: Limits
owner: data steward
status: in_force
effective_from: 2020-01-01
dataset_limits: {min_rows: 50, drift_inconclusive: accept}
"""
RECORD = """\
kind: dataset
id: orders
title: Orders
owner: data steward
status: admitted
review_by: REVIEW
purpose: tests
source: {path: orders.csv, licence: CC0-1.0, legal_basis: no personal data}
columns:
  number: {type: integer}
  amount: {type: number, min: 0, max: 1000}
"""
DEFINITIONS = """\
import dagster as dg
import pyarrow as pa

from aims_pipelines import AimsResource, DatasetIOManager, governed_asset

aims = AimsResource(folder=__file__.rpartition("/")[0])


@governed_asset(dataset="orders", name="orders")
def orders(aims: AimsResource) -> pa.Table:
    return aims.read_source("orders")


@dg.asset(deps=[orders])
def crash() -> None:
    raise ValueError("the user's own mistake")


defs = dg.Definitions(assets=[orders, crash], resources={"aims": aims, "io_manager": DatasetIOManager(aims=aims)})
"""


def write_orders(file: Path, *, seed: int = 1, missing: float = 0.0) -> None:
    draw = np.random.default_rng(seed)
    rows = [f"{n},{'' if draw.random() < missing else round(draw.uniform(1, 900), 2)}" for n in range(300)]
    file.write_text("\n".join(["number,amount", *rows]) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "aims.toml").write_text("")
    (tmp_path / "definitions.py").write_text(DEFINITIONS)
    (tmp_path / "governance").mkdir()
    (tmp_path / "governance" / "policy.yaml").write_text(POLICY)
    review = datetime.now(UTC).date() + timedelta(days=30)
    (tmp_path / "governance" / "orders.yaml").write_text(RECORD.replace("REVIEW", str(review)))
    write_orders(tmp_path / "orders.csv")
    return tmp_path


def aims(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"} | {
        "COLUMNS": "200"
    }
    return subprocess.run(
        [sys.executable, "-m", "aims_pipelines.cli.main", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def report(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(result.stdout)
    return {asset["name"]: asset for asset in data["assets"]}


def test_a_good_batch_is_published_a_bad_one_refused_and_the_status_tells_both(folder: Path) -> None:
    first = aims("materialize", "--select", "orders", "--format", "json", cwd=folder)
    assert first.returncode == 0, first.stderr
    assert report(first)["orders"]["outcome"] == "published as version 1"

    write_orders(folder / "orders.csv", seed=2, missing=0.3)
    second = aims("materialize", "--select", "orders", cwd=folder)
    assert second.returncode == 1
    assert "completeness" in second.stdout
    assert "Not written; version 1" in second.stdout
    lines = second.stdout.splitlines()
    assert sum("of 300 values are missing" in line for line in lines) == 1, "a finding is one line, told once"
    assert f"dagster dev -f {folder / 'definitions.py'}" in second.stdout
    assert "Traceback" not in second.stdout + second.stderr

    status = aims("status", "--format", "json", cwd=folder)
    (row,) = json.loads(status.stdout)
    assert row["current"] == "1 (300 rows)"
    assert (row["last_verdict"], row["quarantined"]) == ("fail", 1)
    assert "completeness" in row["not_passed"]
    assert "completeness" in aims("status", cwd=folder).stdout


def test_a_source_file_that_is_missing_or_broken_is_bad_input(folder: Path) -> None:
    (folder / "orders.csv").unlink()
    missing = aims("materialize", "--select", "orders", cwd=folder)
    assert missing.returncode == 2
    assert "orders.csv" in missing.stdout
    (folder / "orders.csv").write_text("number,number\n1,2\n")
    broken = aims("materialize", "--select", "orders", cwd=folder)
    assert broken.returncode == 2
    assert "number" in broken.stdout
    assert broken.stdout.count("Not judged") == 1, "what was not judged is told once, not check by check"
    assert "Traceback" not in missing.stdout + missing.stderr + broken.stdout + broken.stderr


def test_an_error_in_the_users_own_code_is_told_without_a_traceback(folder: Path) -> None:
    result = aims("materialize", cwd=folder)
    assert result.returncode == 2
    assert "the user's own mistake" in result.stdout
    assert 'definitions.py", line ' in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("definitions.py", "import nothing_like_this", "definitions.py:1"),
        ("definitions.py", "x = 1", "one dagster.Definitions"),
        ("aims.toml", "recrods = 'x'", "recrods"),
        ("aims.toml", "ledger = 'env:NOT_SET_ANYWHERE'", "NOT_SET_ANYWHERE"),
        ("aims.toml", "not toml", "aims.toml"),
        ("governance/policy.yaml", "kind: policy\nid: 3", "policy.yaml"),
    ],
)
def test_a_faulty_project_is_bad_input_that_names_the_file(
    folder: Path, file: str, content: str, says: str
) -> None:
    (folder / file).write_text(content)
    result = aims("materialize", cwd=folder)
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("selection", ["no_such_asset", "((", ""])
def test_a_selection_that_selects_nothing_names_the_assets_there_are(folder: Path, selection: str) -> None:
    result = aims("materialize", "--select", selection, cwd=folder)
    assert result.returncode == 2
    assert "--select" in result.stderr
    assert "Traceback" not in result.stderr


def test_outside_a_project_it_says_how_to_start_one(tmp_path: Path) -> None:
    for command in ("materialize", "status"):
        result = aims(command, cwd=tmp_path)
        assert result.returncode == 2
        assert "aims init" in result.stderr


def test_a_database_that_is_not_ours_is_left_alone(folder: Path) -> None:
    (folder / ".aims").mkdir()
    (folder / ".aims" / "aims.db").write_bytes(b"something else entirely, many bytes of it" * 50)
    before = (folder / ".aims" / "aims.db").read_bytes()
    result = aims("materialize", "--select", "orders", cwd=folder)
    assert result.returncode == 2
    assert "Traceback" not in result.stdout + result.stderr
    assert (folder / ".aims" / "aims.db").read_bytes() == before


def test_a_run_that_ignores_interrupts_leaves_no_process_behind(folder: Path) -> None:
    """Background jobs of a shell ignore SIGINT, by which Dagster ends its log readers: they would keep pipes open."""
    command = f"trap '' INT; {sys.executable} -m aims_pipelines.cli.main materialize --select orders"
    result = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr
