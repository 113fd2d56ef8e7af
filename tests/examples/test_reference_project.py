"""The reference project: its records, its definitions, and what its gate does with each planted fault."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aims_pipelines import uncovered
from aims_pipelines.core.errors import BadInput
from aims_pipelines.measure.split import split_rows
from aims_pipelines.records.load import load_records
from examples.credit_default.applications import SCHEMA, batches, write
from examples.credit_default.delivery import land
from examples.credit_default.faults import FAULTS
from examples.credit_default.generator import parse_fault

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "credit_default"


Aims = Callable[..., tuple[int, str, str]]
Delivered = Callable[[str], tuple[str, dict[str, str]]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, aims_here: Aims) -> Path:
    """A copy of the project in which a clean batch of 20,000 applications was published."""
    folder = tmp_path_factory.mktemp("credit") / "project"
    folder.mkdir()
    shutil.copytree(EXAMPLE / "governance", folder / "governance")
    for name in ("aims.toml", "definitions.py"):
        shutil.copyfile(EXAMPLE / name, folder / name)
    outcome, _ = deliver(aims_here, folder, seed=1)
    assert outcome == "published as version 1"
    return folder


def deliver(aims: Aims, folder: Path, *, seed: int, fault: str = "") -> tuple[str, dict[str, str]]:
    """Deliver a batch and materialise the dataset; give its outcome, and the status of each check."""
    file = folder.parent / f"{seed}.parquet"
    planted = [parse_fault(fault)] if fault else []
    write(file, 20_000, seed=seed, newest=datetime.now(UTC).date(), planted=planted)
    arguments = ("materialize", "--select", "+applications", "--format", "json")
    code, out, _ = aims(folder, *arguments, CREDIT_DEFAULT_INPUT=str(file))
    report: dict[str, Any] = json.loads(out)
    assets = {asset["name"]: asset for asset in report["assets"]}
    assert assets["delivery"]["outcome"] == "materialised"
    checks = {check["name"]: check["status"] for check in assets["applications"]["checks"]}
    assert code == (1 if fault else 0), assets["applications"]
    return assets["applications"]["outcome"], checks


def test_records_are_valid_and_say_what_the_model_must_not_see():
    records = load_records(EXAMPLE / "governance")
    assert set(records.datasets) == {"applications", "training", "holdout"}
    system = records.system("credit_default")
    protected = {item.column for item in records.dataset("training").protected}
    assert protected == {"sex", "age", "region"}
    assert protected <= set(system.model.exclude)
    assert set(records.dataset("applications").columns) == set(SCHEMA.names)
    for record in (*records.datasets.values(), *records.policies.values(), system):
        assert record.controls
        assert record.rationale or record.kind == "system"
        assert record.review_by is not None


def test_the_model_is_fitted_on_no_column_that_the_record_excludes():
    from examples.credit_default.training import CATEGORIES, LABEL, NUMBERS

    excluded = set(load_records(EXAMPLE / "governance").system("credit_default").model.exclude)
    assert not excluded & {*NUMBERS, *CATEGORIES}
    assert {*excluded, *NUMBERS, *CATEGORIES, LABEL} == set(SCHEMA.names)


@pytest.mark.slow
def test_workspace_loads_the_project():
    run = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "credit_default" in run.stderr + run.stdout


def test_every_asset_is_behind_a_gate_but_the_delivery_itself():
    from examples.credit_default.definitions import defs

    assert [key.to_user_string() for key in uncovered(defs)] == ["delivery"]


def test_an_applicant_is_on_one_side_of_the_split_in_every_batch():
    def sides(seed: int, rows: int) -> dict[str, str]:
        newest = datetime.now(UTC).date()
        table = pa.Table.from_batches(batches(rows, seed=seed, newest=newest), schema=SCHEMA)
        training, holdout = split_rows(table, by=["applicant_id"], holdout=0.3)
        assert training.num_rows + holdout.num_rows == rows
        known = dict.fromkeys(training["applicant_id"].to_pylist(), "training")
        assert not known.keys() & set(holdout["applicant_id"].to_pylist())
        return known | dict.fromkeys(holdout["applicant_id"].to_pylist(), "holdout")

    small, large = sides(5, 4_000), sides(5, 12_000)
    assert small.items() <= large.items()
    share = sum(side == "holdout" for side in large.values()) / len(large)
    assert share == pytest.approx(0.3, abs=0.02)


@pytest.fixture(scope="module")
def delivered(project: Path, aims_here: Aims) -> Delivered:
    """Delivers a batch with a fault, once for all tests that ask for it."""
    return cache(lambda fault: deliver(aims_here, project, seed=10 + list(FAULTS).index(fault), fault=fault))


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_refused_by_the_check_that_is_meant_for_it(
    project: Path, aims_here: Aims, delivered: Delivered, fault: str
):
    outcome, checks = delivered(fault)
    assert outcome == "refused"
    assert checks[FAULTS[fault].check] == "fail"
    rows = json.loads(aims_here(project, "status", "--format", "json")[1])
    current = {row["name"]: row["current"].split()[0] for row in rows}
    assert current["applications"] == "1"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "refusing"), [("duplicates", ["uniqueness"]), ("subgroup-drift", ["drift"])]
)
def test_what_a_fault_leaves_alone_is_not_blamed(delivered: Delivered, fault: str, refusing: list[str]):
    _, checks = delivered(fault)
    assert [name for name, status in checks.items() if status in {"fail", "inconclusive"}] == refusing


@pytest.mark.slow
def test_a_file_that_is_not_there_is_named_and_nothing_runs(project: Path, aims_here: Aims):
    arguments = ("materialize", "--select", "+applications", "--format", "json")
    code, out, _ = aims_here(project, *arguments, CREDIT_DEFAULT_INPUT=str(project / "absent.parquet"))
    assert code == 2
    assets = {asset["name"]: asset for asset in json.loads(out)["assets"]}
    assert assets["delivery"]["outcome"] == "bad input"
    assert "absent.parquet: expected a file with applications, found nothing" in assets["delivery"]["message"]
    assert assets["applications"]["outcome"] == "not run"


def test_a_csv_file_lands_as_parquet_with_the_same_rows(tmp_path: Path):
    from pyarrow import parquet

    newest = datetime.now(UTC).date()
    for name in ("given.csv", "given.parquet"):
        write(tmp_path / name, 2_000, seed=3, newest=newest)
        land(tmp_path / name, tmp_path / "data" / f"{name}.landed")
    from_csv = parquet.read_table(tmp_path / "data" / "given.csv.landed")
    assert from_csv.schema.names == SCHEMA.names
    assert from_csv.cast(SCHEMA).equals(parquet.read_table(tmp_path / "given.parquet"))
    assert (tmp_path / "data" / "given.parquet.landed").read_bytes() == (
        tmp_path / "given.parquet"
    ).read_bytes()
    assert len(list((tmp_path / "data").iterdir())) == 2


def test_a_file_that_cannot_be_read_leaves_what_had_landed(tmp_path: Path):
    landing = tmp_path / "landed.parquet"
    landing.write_bytes(b"earlier")
    broken = tmp_path / "broken.csv"
    broken.write_bytes(b"a,b\n1\n\xff,2,3\n")
    for given in (broken, tmp_path / "absent.csv", tmp_path):
        with pytest.raises(BadInput):
            land(given, landing)
    assert landing.read_bytes() == b"earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.csv", "landed.parquet"]
