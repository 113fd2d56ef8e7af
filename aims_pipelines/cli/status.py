"""``aims status``: every governed dataset and model at a glance."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from aims_pipelines.cli.formats import Format

if TYPE_CHECKING:
    from aims_pipelines.resources.status import Row


_COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}


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

    cells = [
        {
            "": row.kind,
            "name": row.name,
            "current version": row.current,
            "last judged": row.last_judged,
            "verdict": f"[{_COLOURS.get(row.last_verdict, 'dim')}]{row.last_verdict or 'never judged'}[/]",
            "did not pass": ", ".join(row.not_passed),
            "quarantine": str(row.quarantined or ""),
            "overdue": "; ".join(row.overdue),
        }
        for row in rows
    ]
    optional = ("did not pass", "quarantine", "overdue")
    shown = [
        heading
        for heading in (cells[0] if cells else ())
        if heading not in optional or any(line[heading] for line in cells)
    ]
    table = Table(title=root, title_justify="left")
    for heading in shown:
        table.add_column(heading, overflow="fold")
    for line in cells:
        table.add_row(*(line[heading] for heading in shown))
    Console().print(table)
