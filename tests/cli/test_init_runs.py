"""The project that aims init writes, run as its user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv


def _aims(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aims_pipelines.cli.main", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def _people(rows: int, seed: int) -> pa.Table:
    """People of one batch; its numbers, recruiters, days and remarks are others than those of the batch before."""
    random = np.random.default_rng(seed)
    skill = random.normal(size=rows)
    day = np.datetime64("2026-01-01") + 30 * seed
    return pa.table(
        {
            "application": [f"A{seed}-{number:06d}" for number in range(rows)],
            "officer_no": random.integers(0, 90, rows) + 1_000 * seed,
            "agencyId": [f"agency {seed} {number}" for number in random.integers(0, 200, rows)],
            "applied": day + random.integers(0, 30, rows),
            "remark": [f"{number} words" for number in random.integers(0, 10**9, rows)],
            "sex": random.choice(["f", "m"], rows),
            "age": random.integers(18, 80, rows),
            "skill": skill,
            "town": random.choice(["a", "b", "c"], rows),
            "hired": np.where(skill + random.normal(size=rows) > 0, "yes", "no"),
        }
    )


@pytest.mark.slow
def test_a_new_project_publishes_and_registers_and_refuses_a_bad_batch(tmp_path):
    csv.write_csv(_people(8_000, 1), tmp_path / "people.csv")
    made = _aims(
        *(
            "init",
            "staff",
            "--data",
            "people.csv",
            "--label",
            "hired",
            "--positive",
            "yes",
            "--protected",
            "sex,age",
        ),
        folder=tmp_path,
    )
    assert made.returncode == 0, made.stderr
    project = tmp_path / "staff"
    first = _aims("materialize", folder=project)
    assert first.returncode == 0, first.stdout + first.stderr
    csv.write_csv(
        _people(8_000, 2).rename_columns(
            ["years" if name == "age" else name for name in _people(1, 2).column_names]
        ),
        tmp_path / "people.csv",
    )
    second = _aims("materialize", folder=project)
    assert second.returncode == 1
    assert "schema" in second.stdout
    assert "found 'years', expected 'age'" in " ".join((second.stdout + second.stderr).split())
    csv.write_csv(_people(8_000, 3), tmp_path / "people.csv")
    third = _aims("materialize", folder=project)
    assert third.returncode == 0, third.stdout + third.stderr
    assert "version 2" in third.stdout


def test_an_answer_to_a_bad_request_is_no_traceback(tmp_path):
    (tmp_path / "people.csv").write_text("sex,hired\nf,yes\n")
    refused = _aims(
        *("init", "staff", "--data", "people.csv", "--label", "hird", "--protected", "sex"), folder=tmp_path
    )
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert "at least 200 rows" in refused.stderr
    assert not (tmp_path / "staff").exists()
