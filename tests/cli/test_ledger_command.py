"""``aims ledger``: what it prints, what it exits with, and that it creates nothing by looking."""

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aims_pipelines.cli.ledger import app
from aims_pipelines.core.errors import AimsError
from aims_pipelines.storage.database import open_database
from aims_pipelines.storage.evidence import EvidenceStore
from aims_pipelines.storage.ledger import EntryDraft, Ledger

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with a ledger of three entries and one evidence file; the working directory."""
    (tmp_path / "aims.toml").write_text("")
    ledger = Ledger(open_database(f"sqlite:///{tmp_path}/.aims/aims.db"))
    digest = EvidenceStore(tmp_path / ".aims" / "evidence").put(b"<html>[red]drift[/red]</html>")
    verdict = {"check": "drift", "severity": "error", "status": "pass"}
    bodies = [
        {"judgement": {"status": "pass", "verdicts": [verdict]}},
        {"evidence": [{"name": "drift.html", "digest": digest, "media_type": "text/html"}]},
        {"text": "größer [bold]als[/bold]"},
    ]
    ledger.append(
        [
            EntryDraft(
                kind="observation",
                actor="run:1",
                subject_kind="dataset",
                subject_id=f"table[{number}]",
                digests={"content": "sha256:" + "a" * 64},
                body=body,
                at=AT,
            )
            for number, body in enumerate(bodies)
        ]
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def aims(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def exit_code(result: Result) -> int:
    return result.exception.exit_code if isinstance(result.exception, AimsError) else result.exit_code


def test_verify_says_intact_and_gives_a_checkpoint(project: Path) -> None:
    result = aims("verify")
    assert result.exit_code == 0, result.output
    assert "Intact: 3 entries, 1 evidence file" in result.stdout
    told = json.loads(aims("verify", "--format", "json").stdout)
    assert told["intact"] is True
    assert told["checkpoint"].startswith("3:sha256:")
    assert aims("verify", "--checkpoint", told["checkpoint"]).exit_code == 0
    wrong = aims("verify", "--checkpoint", "3:sha256:" + "0" * 64, "--format", "json")
    assert wrong.exit_code == 1
    assert [found["name"] for found in json.loads(wrong.stdout)["breaks"]] == ["rewritten"]


def test_verify_names_what_somebody_did_to_the_database(project: Path) -> None:
    with sqlite3.connect(project / ".aims" / "aims.db") as raw:
        raw.execute("DROP TRIGGER ledger_entry_no_update")
        raw.execute("UPDATE ledger_entry SET line = replace(line, 'run:1', 'run:2') WHERE seq = 2")
    raw.close()
    result = aims("verify")
    assert result.exit_code == 1
    assert "edited: row 2 (entry 2)" in result.stdout
    with pytest.raises(AimsError):
        raise aims("show", "e-2").exception or AssertionError


def test_export_then_the_printed_script_finds_it_intact(project: Path) -> None:
    assert aims("export", "ledger.zip").exit_code == 0
    (project / "verify.py").write_text(aims("verifier").stdout, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-I", "verify.py", "ledger.zip"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Intact: 3 entries" in ran.stdout
    assert aims("verify", "ledger.zip").stdout == ran.stdout


@pytest.mark.parametrize("named", [".aims/aims.db", "aims.toml", "link.zip", ".aims"])
def test_nothing_but_an_earlier_export_is_ever_replaced_by_one(project: Path, named: str) -> None:
    (project / "link.zip").symlink_to("aims.toml")
    before = contents(project)
    for options in ((), ("--overwrite",)):
        assert exit_code(aims("export", named, *options)) == 2
    assert contents(project) == before
    assert "Intact: 3 entries" in aims("verify").stdout


def contents(project: Path) -> dict[Path, bytes]:
    """All files but the database's own, which it moves its pages between whenever it is read."""
    files = (file for file in project.rglob("*") if file.is_file())
    return {file: file.read_bytes() for file in files if not file.name.startswith("aims.db")}


def test_an_earlier_export_is_replaced_only_if_asked(project: Path) -> None:
    assert aims("export", "ledger.zip").exit_code == 0
    assert exit_code(aims("export", "ledger.zip")) == 2
    assert aims("export", "ledger.zip", "--overwrite").exit_code == 0


def test_a_broken_export_is_told_with_1_and_none_at_all_with_2(project: Path) -> None:
    (project / ".aims" / "evidence").rename(project / "elsewhere")
    result = aims("export", "ledger.zip")
    assert result.exit_code == 1
    assert "missing evidence" in result.stdout
    assert aims("verify", "ledger.zip").exit_code == 1
    assert exit_code(aims("verify", "absent.zip")) == 2
    (project / "text.zip").write_text("text")
    result = aims("verify", "text.zip")
    assert exit_code(result) == 2
    assert "expected an exported ledger" in str(result.exception)


def test_a_checkpoint_is_one_line_to_keep_and_holds_later(project: Path) -> None:
    kept = aims("checkpoint", "--actor", "person:auditor").stdout.strip()
    assert kept.startswith("4:sha256:")
    assert "\n" not in kept
    assert aims("verify", "--checkpoint", kept).exit_code == 0
    told = json.loads(aims("checkpoint", "--format", "json").stdout)
    assert told["checkpoint"].startswith("5:sha256:")
    (project / "kept.json").write_text(json.dumps(told))
    assert aims("verify", "--checkpoint", project / "kept.json", "--checkpoint", kept).exit_code == 0
    assert json.loads(aims("show", "e-4", "--format", "json").stdout)["actor"] == "person:auditor"


def test_list_and_show(project: Path) -> None:
    listed = json.loads(aims("list", "--last", "2", "--format", "json").stdout)
    assert [entry["id"] for entry in listed] == ["e-2", "e-3"]
    assert (
        json.loads(aims("list", "--subject", "table[0]", "--format", "json").stdout)[0]["outcome"] == "pass"
    )
    assert "table[2]" in aims("list").stdout, "what looks like markup is shown as it is"
    shown = aims("show", "e-3").stdout
    assert "größer [bold]als[/bold]" in shown
    assert json.loads(aims("show", "3", "--format", "json").stdout)["body"] == {
        "text": "größer [bold]als[/bold]"
    }
    assert exit_code(aims("show", "e-99")) == 2


def test_an_evidence_file_is_taken_out_only_if_it_is_the_one_that_was_put(project: Path) -> None:
    assert exit_code(aims("evidence", "e-2", "drift.html")) == 0
    assert (project / "drift.html").read_text() == "<html>[red]drift[/red]</html>"
    again = aims("evidence", "e-2", "drift.html")
    assert exit_code(again) == 2, "what is there is not overwritten"
    assert exit_code(aims("evidence", "e-2", "other.html")) == 2
    (kept,) = (file for file in (project / ".aims" / "evidence").rglob("*") if file.is_file())
    kept.chmod(0o644)
    kept.write_text("<html>something else</html>")
    assert exit_code(aims("evidence", "e-2", "drift.html", "--out", "swapped.html")) == 1
    assert not (project / "swapped.html").exists()


def test_an_explicit_ledger_wins_over_the_project(project: Path, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other/aims.db"
    open_database(other)
    assert "Intact: 0 entries" in aims("verify", "--ledger", other).stdout


@pytest.mark.parametrize(
    "command", [["verify"], ["list"], ["show", "e-1"], ["export", "x.zip"], ["checkpoint"]]
)
def test_looking_at_a_ledger_that_is_not_there_creates_none(project: Path, command: list[str]) -> None:
    result = aims(*command, "--ledger", f"sqlite:///{project}/typo.db")
    assert exit_code(result) == 2
    assert "expected a ledger, found none" in str(result.exception)
    assert not (project / "typo.db").exists()
    assert not (project / "x.zip").exists()


def test_outside_of_a_project_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = aims("verify")
    assert exit_code(result) == 2
    assert isinstance(result.exception, AimsError)


def test_evidence_goes_through_no_link_and_over_no_file(project: Path) -> None:
    (project / "link.html").symlink_to("elsewhere.html")
    (project / ".drift.html.part").write_text("mine", encoding="utf-8")
    assert exit_code(aims("evidence", "e-2", "drift.html", "--out", "link.html")) == 2
    assert not (project / "elsewhere.html").exists()
    assert aims("evidence", "e-2", "drift.html").exit_code == 0
    assert (project / "drift.html").read_bytes() == b"<html>[red]drift[/red]</html>"
    again = aims("evidence", "e-2", "drift.html")
    assert "or remove it" in str(again.exception)
    assert (project / ".drift.html.part").read_text(encoding="utf-8") == "mine"
