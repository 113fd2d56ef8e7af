"""A small project on disk: real records, ledger, store; and tables that pass or do not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from aims_pipelines import AimsResource, DatasetIOManager
from aims_pipelines.resources.project import Project, load_project

POLICY = """\
kind: policy
id: default
title: Limits of the test project
owner: data steward
status: in_force
effective_from: 2020-01-01
dataset_limits:
  min_rows: 50
  min_group_size: 30
  drift_inconclusive: accept
"""

DATASET = """\
kind: dataset
id: {id}
title: Test table {id}
owner: data steward
status: admitted
review_by: {review_by}
purpose: tests
source:
{source}
  licence: CC0-1.0
  legal_basis: no personal data
columns:
  number: {{type: integer}}
  amount: {{type: number, min: 0, max: 1000}}
  colour: {{type: string, allowed: [red, green, blue]}}
"""


def good_table(seed: int = 1, rows: int = 400) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "number": np.arange(rows),
            "amount": draw.uniform(1, 900, rows).round(2),
            "colour": draw.choice(["red", "green", "blue"], rows),
        }
    )


def bad_table(seed: int = 1, rows: int = 400) -> pd.DataFrame:
    """Three rows in ten lack the amount: completeness has to refuse it."""
    table = good_table(seed, rows)
    table.loc[: int(rows * 0.3), "amount"] = np.nan
    return table


@pytest.fixture
def good() -> Callable[..., pd.DataFrame]:
    return good_table


@pytest.fixture
def bad() -> Callable[..., pd.DataFrame]:
    return bad_table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a policy and three datasets: raw enters, offers and prices are derived from it."""
    (tmp_path / "aims.toml").write_text("", encoding="utf-8")
    records = tmp_path / "governance"
    records.mkdir()
    (records / "policy.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "raw.csv").write_text("anything\n1\n", encoding="utf-8")
    sources = {"raw": "  path: raw.csv", "offers": "  upstream: [raw]", "prices": "  upstream: [offers]"}
    review_by = datetime.now(UTC).date() + timedelta(days=30)
    for name, source in sources.items():
        (records / f"{name}.yaml").write_text(
            DATASET.format(id=name, source=source, review_by=review_by), encoding="utf-8"
        )
    return tmp_path


@pytest.fixture
def add_record(folder: Path) -> Callable[..., None]:
    """Writes one more dataset record; ``more`` is YAML that stands below it."""

    def write(name: str, *, source: str = "  path: raw.csv", more: str = "") -> None:
        review_by = datetime.now(UTC).date() + timedelta(days=30)
        text = DATASET.format(id=name, source=source, review_by=review_by)
        (folder / "governance" / f"{name}.yaml").write_text(text + more, encoding="utf-8")

    return write


@pytest.fixture
def project(folder: Path) -> Project:
    return load_project(folder)


@pytest.fixture
def aims(folder: Path) -> AimsResource:
    return AimsResource(folder=str(folder))


@pytest.fixture
def resources(aims: AimsResource) -> dict[str, object]:
    return {"aims": aims, "io_manager": DatasetIOManager(aims=aims)}


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()
