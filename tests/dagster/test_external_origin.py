"""Data from outside: what is declared and loaded is evidence; what cannot be shown is said."""

import importlib.util
import re
import sqlite3
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from aims_pipelines.resources.project import load_project


@pytest.fixture
def how_to(repository: Path) -> dict[str, str]:
    page = (repository / "docs/how-to/govern-data-from-outside.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(yaml|python)\n(.*?)```", page, re.DOTALL)
    return dict(blocks)


@pytest.fixture
def location(
    folder: Path, how_to: dict[str, str], monkeypatch: pytest.MonkeyPatch, good: Any
) -> dg.Definitions:
    """The code location of the how-to, on a database with the table that it reads."""
    (folder / "governance" / "offers.yaml").write_text(how_to["yaml"], encoding="utf-8")
    (folder / "governance" / "prices.yaml").unlink()
    database = folder / "core.db"
    with sqlite3.connect(database) as connection:
        good()[["number", "amount"]].to_sql("offers", connection, index=False)
    monkeypatch.setenv("CORE_BANKING", str(database))
    file = folder / "definitions.py"
    file.write_text(how_to["python"], encoding="utf-8")
    spec = importlib.util.spec_from_file_location("outside", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "outside", module)
    spec.loader.exec_module(module)
    defs: dg.Definitions = module.defs
    return defs


def materialize(location: dg.Definitions) -> dg.ExecuteInProcessResult:
    job = location.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=dg.DagsterInstance.ephemeral(), raise_on_error=False)


def test_what_was_loaded_from_outside_is_published_with_its_declared_origin(
    location: dg.Definitions, folder: Path
) -> None:
    result = materialize(location)
    assert result.success
    project = load_project(folder)
    entry = project.ledger.latest("dataset", "offers")
    assert entry is not None
    assert entry.body["origin"] == {
        "kind": "database",
        "name": "core banking",
        "locator": "postgresql://db.internal/core, table offers",
        "retrieved_by": "service account etl",
    }
    assert entry.body["source"] == ""
    (provenance,) = (item for item in result.get_asset_check_evaluations() if item.check_name == "provenance")
    assert "own bytes are not pinned" in str(provenance.metadata["aims/findings"].value)


def test_bad_rows_from_outside_are_refused_and_other_rows_are_not_admitted_below(
    location: dg.Definitions, folder: Path
) -> None:
    with sqlite3.connect(folder / "core.db") as connection:
        connection.execute("UPDATE offers SET amount = NULL WHERE number < 150")
    result = materialize(location)
    assert not result.success
    failed = [item.check_name for item in result.get_asset_check_evaluations() if not item.passed]
    assert failed == ["completeness"]
    assert load_project(folder).store.versions() == []
