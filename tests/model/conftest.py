"""A small project whose training and holdout have passed their gates, ready for a model."""

import shutil
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from aims_pipelines import AimsResource, DatasetIOManager, governed_asset
from aims_pipelines.resources.project import Project, load_project

POLICY = """\
kind: policy
id: default
title: Limits of the test project
owner: risk function
status: in_force
effective_from: 2020-01-01
dataset_limits: {min_rows: 50, min_group_size: 30, drift_inconclusive: accept, max_proxy_strength: 1.0}
model_limits: {metric: roc_auc, min_metric: 0.75, min_holdout_rows: 300}
"""
DATASET = """\
kind: dataset
id: {id}
title: Loans, {id} part
owner: data steward
status: admitted
purpose: tests
source: {{path: {id}.csv, licence: CC0-1.0, legal_basis: no personal data}}
columns:
  number: {{type: integer}}
  income: {{type: number}}
  debt: {{type: number}}
  region: {{type: string}}
  sex: {{type: string}}
  late: {{type: integer}}
label: {{column: late, positive: 1}}
protected: [{{column: sex}}]
"""
SYSTEM = """\
kind: system
id: loans
title: Late payment of loans
owner: head of lending
status: assessed
purpose: Estimate who may pay late.
intended_use: Officers look first at the cases with the highest estimate; a person decides.
out_of_scope: Declining anybody automatically.
affected: Applicants.
risk: Some are wrongly taken for late payers; they can ask for a review.
model: {name: late-payment, training: training, holdout: holdout, exclude: [number, sex]}
"""
FEATURES = ["income", "debt", "region"]


def loans(seed: int, rows: int) -> pd.DataFrame:
    """Two groups alike in everything; debt and income tell who pays late."""
    draw = np.random.default_rng(seed)
    income, debt = draw.normal(0, 1, rows), draw.normal(0, 1, rows)
    chance = 1 / (1 + np.exp(-(1.6 * debt - 1.1 * income - 0.4)))
    return pd.DataFrame(
        {
            "number": np.arange(rows) + seed * 1_000_000,
            "income": income.round(4),
            "debt": debt.round(4),
            "region": draw.choice(["north", "south", "west"], rows),
            "sex": draw.choice(["female", "male"], rows),
            "late": (draw.random(rows) < chance).astype(int),
        }
    )


def publish(folder: Path) -> None:
    """Put the files in place and let both datasets through their gates."""

    @governed_asset(dataset="training")
    def training() -> pd.DataFrame:
        return pd.read_csv(folder / "training.csv")

    @governed_asset(dataset="holdout")
    def holdout() -> pd.DataFrame:
        return pd.read_csv(folder / "holdout.csv")

    aims = AimsResource(folder=str(folder))
    result = dg.materialize(
        [training, holdout], resources={"aims": aims, "io_manager": DatasetIOManager(aims=aims)}
    )
    assert result.success


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loans")
    (folder / "aims.toml").write_text("", encoding="utf-8")
    (folder / "governance").mkdir()
    (folder / "governance" / "policy.yaml").write_text(POLICY, encoding="utf-8")
    (folder / "governance" / "system.yaml").write_text(SYSTEM, encoding="utf-8")
    for name, seed, rows in (("training", 1, 3000), ("holdout", 2, 2000)):
        (folder / "governance" / f"{name}.yaml").write_text(DATASET.format(id=name), encoding="utf-8")
        loans(seed, rows).to_csv(folder / f"{name}.csv", index=False)
    publish(folder)
    load_project(folder).mlflow.check_reachable()  # MLflow makes its tables once, not once a test
    return folder


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """A copy of the project for one test."""
    return Path(shutil.copytree(published, tmp_path / "project"))


@pytest.fixture
def project(folder: Path) -> Project:
    return load_project(folder)


@pytest.fixture
def resources(folder: Path) -> dict[str, object]:
    aims = AimsResource(folder=str(folder))
    return {"aims": aims, "io_manager": DatasetIOManager(aims=aims)}


@pytest.fixture
def upstream() -> list[dg.AssetSpec]:
    """The datasets as assets that a model run only loads."""
    return [dg.AssetSpec("training"), dg.AssetSpec("holdout")]
