from collections.abc import Callable
from pathlib import Path

import pytest

POLICY = """
kind: policy
id: default
title: House rules
owner: risk
status: in_force
effective_from: 2026-01-01
"""

DATASET = """
kind: dataset
id: people
title: People
owner: data team
status: admitted
purpose: Predict income.
source: {path: people.csv, licence: CC BY 4.0, legal_basis: research}
columns:
  age: {type: integer, min: 0, max: 100}
  sex: {type: string, allowed: [Female, Male]}
  income: {type: string, allowed: [low, high]}
label: {column: income, positive: high}
protected: [{column: sex}, {column: age, bands: [30, 50]}]
"""

SYSTEM = """
kind: system
id: income
title: Income
owner: product
status: registered
purpose: Estimate income.
intended_use: Analysts.
out_of_scope: Decisions about people.
affected: Nobody.
risk: Wrong estimates.
model: {name: income-model, training: people, holdout: people-holdout}
"""

HOLDOUT = DATASET.replace("id: people", "id: people-holdout") + "disjoint_from: [people]\n"


@pytest.fixture
def valid() -> dict[str, str]:
    """Records that are valid together."""
    return {"policy": POLICY, "people": DATASET, "holdout": HOLDOUT, "system": SYSTEM}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write records to a folder, one file each."""

    def _write(files: dict[str, str]) -> Path:
        folder = tmp_path / "governance"
        for name, text in files.items():
            path = folder / (name if "." in name else f"{name}.yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.lstrip("\n"), encoding="utf-8")
        return folder

    return _write
