"""Governed datasets and models from YAML: loaded, checked and scaffolded by dg, and gated like any other."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from aims_pipelines.core.errors import BadInput
from aims_pipelines.scaffold.project import create
from aims_pipelines.scaffold.request import Request

PIPELINE = """
type: aims_pipelines.components.GovernedDataset
attributes:
  dataset: shop
---
type: aims_pipelines.components.GovernedDataset
attributes:
  dataset: shop_holdout
  split: {part: holdout}
---
type: aims_pipelines.components.GovernedDataset
attributes:
  dataset: shop_training
  split: {part: training}
---
type: aims_pipelines.components.GovernedModel
attributes:
  system: shop_model
  function: shop.training:fit
"""
TRAINING = """
from sklearn.linear_model import LogisticRegression


def fit(rows):
    return LogisticRegression().fit(rows[["score", "income"]], rows["paid"])
"""
CONFIGURATION = """
[project]
name = "shop"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "shop"
"""
LOADING = """
from pathlib import Path

import dagster as dg


@dg.definitions
def defs():
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""


def _table(rows: int = 4_000) -> pa.Table:
    random = np.random.default_rng(1)
    score = random.normal(size=rows)
    return pa.table(
        {
            "sex": random.choice(["f", "m"], rows),
            "score": score,
            "income": np.round(random.normal(40, 9, rows), 1),
            "paid": np.where(score + random.normal(size=rows) > 0, "yes", "no"),
        }
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A dg project whose pipeline is YAML; its records are those that aims init writes."""
    csv.write_csv(_table(), tmp_path / "shop.csv")
    folder = tmp_path / "shop"
    create(
        Request(
            folder=folder,
            data=tmp_path / "shop.csv",
            label="paid",
            protected=("sex",),
            today=datetime.now(UTC).date(),
        )
    )
    for name in ("definitions.py", "workspace.yaml"):
        (folder / name).unlink()
    files = {
        "pyproject.toml": CONFIGURATION,
        "src/shop/__init__.py": "",
        "src/shop/definitions.py": LOADING,
        "src/shop/training.py": TRAINING,
        "src/shop/defs/__init__.py": "",
        "src/shop/defs/pipeline/defs.yaml": PIPELINE,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"))
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder / "src"))
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
        del sys.modules[name]


def _dg(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(project / "src"), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        [Path(sys.executable).parent / "dg", *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _refusal(project: Path) -> str:
    """What is told of YAML that cannot be loaded."""
    with pytest.raises(Exception) as raised:
        dg.load_from_defs_folder(path_within_project=project / "src" / "shop")
    chain: list[BaseException] = [raised.value]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    (refusal, *_) = (error for error in chain if isinstance(error, BadInput))
    return str(refusal)


@pytest.fixture
def definitions(project: Path):
    """The definitions that the YAML stands for."""
    return dg.load_from_defs_folder(path_within_project=project / "src" / "shop")


def test_dg_checks_lists_and_scaffolds_the_components(project):
    checked = _dg(project, "check", "yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    listed = _dg(project, "list", "defs", "--json")
    assert listed.returncode == 0, listed.stdout + listed.stderr
    found = json.loads(listed.stdout[listed.stdout.index("{") :])
    assert {item["asset_key"] for item in found["assets"]} == {
        "shop",
        "shop_holdout",
        "shop_training",
        "shop_model",
    }
    assert len(found["asset_checks"]) == 3 * 15 + 7
    scaffolded = _dg(
        project, "scaffold", "defs", "aims_pipelines.components.GovernedDataset", "more", "--dataset", "shop"
    )
    assert scaffolded.returncode == 0, scaffolded.stdout + scaffolded.stderr
    assert "dataset: shop" in (project / "src/shop/defs/more/defs.yaml").read_text()


def test_dg_names_a_wrong_attribute_with_its_line(project):
    file = project / "src/shop/defs/pipeline/defs.yaml"
    file.write_text("type: aims_pipelines.components.GovernedDataset\nattributes:\n  datset: shop\n")
    checked = _dg(project, "check", "yaml")
    assert checked.returncode != 0
    report = checked.stdout + checked.stderr
    assert "defs.yaml:3" in report
    assert "'datset' was unexpected" in report
    assert "'dataset' is a required property" in report


def test_the_yaml_pipeline_runs_to_a_registered_model(definitions):
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(raise_on_error=False)
    assert result.success
    assert [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()] == [
        "shop",
        "shop_holdout",
        "shop_training",
        "shop_model",
    ]


def test_a_refused_table_leaves_no_materialisation_and_nothing_below_starts(project, definitions):
    table = _table()
    paid = [
        "yes" if sex == "m" else value
        for sex, value in zip(*(table[name].to_pylist() for name in ("sex", "paid")), strict=True)
    ]
    csv.write_csv(table.set_column(3, "paid", pa.array(paid)), project.parent / "shop.csv")
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(raise_on_error=False)
    assert not result.success
    assert result.get_asset_materialization_events() == []
    assert "label_rate_gap" in [
        item.check_name for item in result.get_asset_check_evaluations() if not item.passed
    ]


OUTSIDE = """
source:
  external: {kind: api, name: till, locator: the tills of the shop, retrieved_by: night job}
"""


def test_a_table_from_outside_is_read_by_the_function_that_the_yaml_names(project):
    record = project / "governance" / "shop.yaml"
    text = record.read_text()
    path = next(line for line in text.splitlines() if line.startswith("  path:"))
    record.write_text(text.replace("source:\n" + path, OUTSIDE.strip()))
    (project / "src/shop/reading.py").write_text(
        f"from pyarrow import csv\n\n\ndef till():\n    return csv.read_csv({str(project.parent / 'shop.csv')!r})\n"
    )
    file = project / "src/shop/defs/pipeline/defs.yaml"
    file.write_text(PIPELINE.replace("  dataset: shop\n", "  dataset: shop\n  function: shop.reading:till\n"))
    definitions = dg.load_from_defs_folder(path_within_project=project / "src" / "shop")
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(asset_selection=[dg.AssetKey("shop")], raise_on_error=False)
    assert result.success
    file.write_text(PIPELINE)
    assert "'function', which reads the table from 'till'" in _refusal(project)


def test_the_users_own_io_manager_is_left_alone(definitions):
    assert "io_manager" not in definitions.resources
    assert {"aims", "aims_io_manager"} <= set(definitions.resources)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("dataset: shp", "Did you mean 'shop'?"),
        ("dataset: shop_training", "either 'function' or 'split', as it comes from shop, found neither"),
        ("dataset: shop_training\n  function: a:b\n  split: {part: training}", "found both"),
        ("dataset: shop\n  function: a:b", "expected only the source file of its record"),
        ("dataset: shop_training\n  function: json", "a function as module:function"),
        ("dataset: shop_training\n  function: nowhere:f", "No module named 'nowhere'"),
        ("dataset: shop_training\n  function: json:nothing", "no function 'nothing' in the module 'json'"),
        ("dataset: shop\n  project: ../../../../../..", "one with an aims.toml"),
        ("system: shop\n  function: json:dumps", "a system record with the id 'shop'"),
        ("system: shop_model\n  function: json:nothing", "no function 'nothing'"),
    ],
)
def test_what_does_not_go_together_is_answered(project, attributes, expected):
    kind = "GovernedModel" if attributes.startswith("system") else "GovernedDataset"
    file = project / "src/shop/defs/pipeline/defs.yaml"
    file.write_text(f"type: aims_pipelines.components.{kind}\nattributes:\n  {attributes}\n")
    assert expected in _refusal(project)


def test_importing_the_components_loads_no_heavy_library():
    code = (
        "import sys, aims_pipelines.components;"
        "print(*sorted({'mlflow', 'pandas', 'pyarrow', 'sklearn', 'great_expectations', 'evidently', 'sqlalchemy'}"
        " & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
