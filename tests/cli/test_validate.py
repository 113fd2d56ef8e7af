"""aims validate and aims schema, as a user runs them."""

import json

import pytest
import typer
from typer.testing import CliRunner

from aims_pipelines.cli import validate as module

POLICY = "kind: policy\nid: default\ntitle: t\nowner: o\nstatus: in_force\neffective_from: 2026-01-01\n"


@pytest.fixture
def run():
    app = typer.Typer()
    app.command("validate")(module.validate)
    app.command("schema")(module.schema)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_valid_records_are_summarised(run, tmp_path):
    (tmp_path / "p.yaml").write_text(POLICY)
    result = run("validate", tmp_path)
    assert result.exit_code == 0
    assert "policy     1  default" in result.stdout
    assert "sha256:" in result.stdout


def test_faults_are_listed_one_a_line_and_exit_2(run, tmp_path):
    (tmp_path / "p.yaml").write_text(POLICY + "stages: {drit: warn}\nx: 1\n")
    result = run("validate", tmp_path)
    assert result.exit_code == 2
    assert [line.split(" ")[1] for line in result.stdout.splitlines()] == ["stages.drit:", "x:"]
    assert "2 faults" in result.stderr


def test_json_output_carries_every_fault(run, tmp_path):
    (tmp_path / "p.yaml").write_text(POLICY + "x: 1\n")
    result = run("validate", tmp_path, "--format", "json")
    assert result.exit_code == 2
    report = json.loads(result.stdout)
    assert not report["valid"]
    assert report["faults"][0]["where"] == f"{tmp_path}/p.yaml:7 x"
    (tmp_path / "p.yaml").write_text(POLICY)
    report = json.loads(run("validate", tmp_path, "--format", "json").stdout)
    assert report["valid"]
    assert report["digest"].startswith("sha256:")


def test_schemas_are_printed_and_written(run, tmp_path):
    assert json.loads(run("schema", "dataset").stdout)["title"] == "AIMS dataset record"
    assert set(json.loads(run("schema").stdout)) == {"dataset", "policy", "system"}
    assert run("schema", "--out", tmp_path / "s").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [
        "dataset.json",
        "policy.json",
        "system.json",
    ]


def test_schemas_replace_schemas_and_nothing_else(run, tmp_path):
    folder = tmp_path / "s"
    assert run("schema", "--out", folder).exit_code == 0
    assert run("schema", "--out", folder).exit_code == 0
    (folder / "policy.json").write_text('{"mine": 1}', encoding="utf-8")
    refused = run("schema", "--out", folder)
    assert "policy.json: expected a new file" in str(refused.exception)
    assert (folder / "policy.json").read_text(encoding="utf-8") == '{"mine": 1}'
