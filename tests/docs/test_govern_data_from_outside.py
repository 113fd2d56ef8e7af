"""The how-to about data from outside, run as it stands: its records, its definitions, and nothing else."""

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.mark.slow
def test_the_files_of_the_page_make_a_project_that_publishes_what_a_database_holds(
    repository: Path, tmp_path: Path
) -> None:
    page = (repository / "docs" / "how-to" / "govern-data-from-outside.md").read_text(encoding="utf-8")
    policy, dataset = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (definitions,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "aims.toml").touch()
    (tmp_path / "governance").mkdir()
    (tmp_path / "governance" / "policy.yaml").write_text(policy, encoding="utf-8")
    (tmp_path / "governance" / "offers.yaml").write_text(dataset, encoding="utf-8")
    (tmp_path / "definitions.py").write_text(definitions, encoding="utf-8")
    amounts = np.random.default_rng(0).uniform(1, 999, 500).round(2).tolist()
    with sqlite3.connect(tmp_path / "core.db") as connection:
        connection.execute("create table offers (number integer, amount real)")
        connection.executemany("insert into offers values (?, ?)", enumerate(amounts))
    connection.close()
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}

    def aims(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "aims_pipelines.cli.main", *arguments],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(repository), **more},
            capture_output=True,
            text=True,
            check=False,
        )

    valid = aims("validate")
    assert valid.returncode == 0, valid.stderr
    published = aims("materialize", CORE_BANKING=str(tmp_path / "core.db"))
    assert published.returncode == 0, published.stdout + published.stderr
    assert "published as version 1" in published.stdout
    absent = aims("materialize")
    assert absent.returncode == 2
    assert "offers raised KeyError: 'CORE_BANKING'" in absent.stdout
    assert 'definitions.py", line ' in absent.stdout, "the user's own line, not the library's"
