"""``aims status``: what stands in the table is what is known, whatever it is called."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from aims_pipelines.cli.status import print_status
from aims_pipelines.records.parts import is_due
from aims_pipelines.resources.project import load_project
from aims_pipelines.resources.status import Row, project_status


def test_names_that_look_like_markup_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    row = Row(
        kind="dataset",
        name="[eu]",
        current="1 of [/x]",
        last_judged="",
        last_verdict="",
        not_passed=("[/x] drift",),
        quarantined=0,
        overdue=("[b]",),
    )
    print_status([row], "/projects/[old]")
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("[eu]", "[/x] drift", "[b]", "/projects/[old]"))


def test_a_review_is_due_on_its_day(tmp_path: Path) -> None:
    (tmp_path / "aims.toml").write_text("", encoding="utf-8")
    (tmp_path / "governance").mkdir()
    (tmp_path / "governance" / "policy.yaml").write_text(
        "kind: policy\nid: default\ntitle: t\nowner: o\nstatus: in_force\neffective_from: 2020-01-01\n",
        encoding="utf-8",
    )
    (tmp_path / "governance" / "orders.yaml").write_text(
        "kind: dataset\nid: orders\ntitle: t\nowner: o\nstatus: admitted\npurpose: p\nreview_by: 2090-06-30\n"
        "source: {path: orders.csv, licence: CC0-1.0, legal_basis: none}\ncolumns: {number: {type: integer}}\n",
        encoding="utf-8",
    )
    (tmp_path / "orders.csv").write_text("number\n1\n", encoding="utf-8")
    project = load_project(tmp_path)

    def overdue(day: int) -> tuple[str, ...]:
        (row,) = project_status(project, now=datetime(2090, 6, day, tzinfo=UTC))
        return row.overdue

    assert overdue(29) == ()
    assert overdue(30) == ("review of the record since 2090-06-30",)
    assert not is_due(None, date(2090, 6, 30))


def test_a_project_in_words_holds_no_password(tmp_path: Path) -> None:
    (tmp_path / "aims.toml").write_text(
        'ledger = "postgresql+psycopg://u:hunter2@host/db"\nmlflow = "http://u:hunter3@host"\n',
        encoding="utf-8",
    )
    assert "hunter" not in repr(load_project(tmp_path))
