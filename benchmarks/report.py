"""What a benchmark gives back, and how it is printed and kept.

A benchmark is a module of this package with a function ``run(*, quick: bool) -> Report``. ``quick`` asks
for a run of seconds that shows whether everything works; its figures are not kept.
"""

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

_LIBRARIES = ("dagster", "mlflow", "pyarrow", "numpy", "pandas", "scikit-learn", "sqlalchemy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Figures for people: every cell is ready to print."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A number to reach.

    Args:
        name: What is measured.
        observed: What was measured.
        limit: What it is held against.
        unit: Of both.
        at_least: Whether the limit is a floor; a ceiling otherwise.
    """

    name: str
    observed: float
    limit: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the goal is reached; never on NaN."""
        return self.observed >= self.limit if self.at_least else self.observed <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one benchmark measured.

    Args:
        name: Name of the module.
        title: One line for people.
        tables: Figures.
        goals: Numbers to reach.
        notes: How it was measured, and what it does not say.
    """

    name: str
    title: str
    tables: tuple[Table, ...]
    goals: tuple[Goal, ...] = ()
    notes: tuple[str, ...] = ()


def show(report: Report, console: Console) -> None:
    """Print a report."""
    console.rule(report.title)
    for table in report.tables:
        shown = RichTable(title=table.title, title_justify="left")
        for index, column in enumerate(table.columns):
            shown.add_column(column, justify="left" if index == 0 else "right")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)
    for goal in report.goals:
        style = "green" if goal.met else "bold red"
        console.print(f"[{style}]{'reached' if goal.met else 'MISSED '}[/]  {_sentence(goal)}")
    for note in report.notes:
        console.print(note, style="dim")


def keep(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write a report as Markdown and JSON; return both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    markdown, data = folder / f"{report.name}.md", folder / f"{report.name}.json"
    markdown.write_text(_markdown(report), encoding="utf-8")
    data.write_text(json.dumps({**asdict(report), "machine": machine()}, indent=2) + "\n", encoding="utf-8")
    return markdown, data


def machine() -> dict[str, object]:
    """Say what it was measured on."""
    return {
        "measured": datetime.now(tz=UTC).date().isoformat(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
    }


def _sentence(goal: Goal) -> str:
    bound = "at least" if goal.at_least else "at most"
    return f"{goal.name}: {goal.observed:.3g} {goal.unit}, goal {bound} {goal.limit:g} {goal.unit}"


def _markdown(report: Report) -> str:
    lines = [f"# {report.title}", ""]
    for table in report.tables:
        lines += [f"## {table.title}", "", _row(table.columns)]
        lines += [_row(("---", *("---:" for _ in table.columns[1:]))), *(_row(row) for row in table.rows), ""]
    if report.goals:
        lines += ["## Goals", ""]
        lines += [f"- {'reached' if goal.met else '**missed**'}: {_sentence(goal)}" for goal in report.goals]
        lines += [""]
    lines += [f"{note}\n" for note in report.notes]
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    return "\n".join([*lines, f"Measured on: {facts}.", ""])


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
