"""``aims status``: every governed dataset and model at a glance."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from aims_pipelines.resources.status import Row


class Format(StrEnum):
    """How the result is printed."""

    TEXT = "text"
    JSON = "json"


def status(
    form: Annotated[Format, typer.Option("--format", help="How to print the result.")] = Format.TEXT,
) -> None:
    """Show each dataset and model: current version, last verdicts, quarantine, and what is overdue."""
    from aims_pipelines.resources.project import find_project
    from aims_pipelines.resources.status import project_status

    project = find_project()
    rows = project_status(project, now=datetime.now(UTC))
    if form is Format.JSON:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        _print(rows, str(project.locations.root))


def _print(rows: "list[Row]", root: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=root, title_justify="left")
    for heading in (
        "",
        "name",
        "current version",
        "last judged",
        "verdict",
        "did not pass",
        "quarantine",
        "overdue",
    ):
        table.add_column(heading, overflow="fold")
    for row in rows:
        colour = {"pass": "green", "fail": "red", "inconclusive": "yellow"}.get(row.last_verdict, "dim")
        table.add_row(
            row.kind,
            row.name,
            row.current,
            row.last_judged,
            f"[{colour}]{row.last_verdict or 'never judged'}[/]",
            ", ".join(row.not_passed),
            str(row.quarantined) if row.quarantined else "",
            "; ".join(row.overdue),
        )
    Console().print(table)
