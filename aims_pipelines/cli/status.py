"""``aims status``: every governed dataset and model at a glance."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from aims_pipelines.cli.answers import COLOURS, Format, FormatOption
from aims_pipelines.core.verdict import Status

if TYPE_CHECKING:
    from aims_pipelines.resources.status import Row


def status(
    form: FormatOption = Format.TEXT,
) -> None:
    """Show each dataset and model: current version, last verdicts, quarantine, and what is overdue."""
    from aims_pipelines.resources.project import find_project
    from aims_pipelines.resources.status import project_status

    project = find_project()
    rows = project_status(project, now=datetime.now(UTC))
    if form is Format.JSON:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print_status(rows, str(project.locations.root))


def print_status(rows: "list[Row]", root: str) -> None:
    """Print a table of datasets and models, without columns that would be empty."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    cells = [
        {
            "": row.kind,
            "name": escape(row.name),
            "current version": escape(row.current),
            "last judged": row.last_judged,
            "verdict": _coloured(row.last_verdict),
            "did not pass": escape(", ".join(row.not_passed)),
            "quarantine": str(row.quarantined or ""),
            "overdue": escape("; ".join(row.overdue)),
        }
        for row in rows
    ]
    optional = ("did not pass", "quarantine", "overdue")
    shown = [
        heading
        for heading in (cells[0] if cells else ())
        if heading not in optional or any(line[heading] for line in cells)
    ]
    table = Table(title=escape(root), title_justify="left")
    for heading in shown:
        table.add_column(heading, overflow="fold")
    for line in cells:
        table.add_row(*(line[heading] for heading in shown))
    Console().print(table)


def _coloured(verdict: str) -> str:
    return f"[{COLOURS[Status(verdict)]}]{verdict}[/]" if verdict else "[dim]never judged[/]"
