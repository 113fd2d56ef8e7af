"""What a benchmark gives back, and how it is printed and kept.

A benchmark is a module of this package with a function ``run(*, quick: bool) -> Report``. ``quick`` asks
for a run of seconds that shows whether everything works; its figures are not kept.
"""

import json
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
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
        observed: What was measured; NaN where it could not be.
        limit: What it is held against.
        unit: Of both.
        at_least: Whether the limit is a floor; a ceiling otherwise.
        interval: For a share of finitely many trials: its 95 % interval.
        reason: Why nothing was measured; empty otherwise.
    """

    name: str
    observed: float
    limit: float
    unit: str
    at_least: bool = False
    interval: tuple[float, float] | None = None
    reason: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal is reached; never on NaN."""
        return self.observed >= self.limit if self.at_least else self.observed <= self.limit

    @property
    def outcome(self) -> str:
        """``reached``, ``missed``, or ``not shown`` where nothing was measured."""
        if math.isnan(self.observed):
            return "not shown"
        return "reached" if self.met else "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one benchmark measured.

    Args:
        name: Name of the module.
        title: One line for people.
        tables: Figures.
        goals: Numbers to reach.
        notes: How it was measured, and what it does not say.
        figures: Numbers behind the tables that plots are drawn from; NaN where there is none.
    """

    name: str
    title: str
    tables: tuple[Table, ...]
    goals: tuple[Goal, ...] = ()
    notes: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)


def show(report: Report, console: Console) -> None:
    """Print a report."""
    console.rule(report.title)
    for table in report.tables:
        shown = RichTable(title=table.title, title_justify="left")
        for index, column in enumerate(table.columns):
            shown.add_column(column, justify="left" if index == 0 else "right")
        for row in table.rows:
            shown.add_row(*map(escape, row))
        console.print(shown)
    for goal in report.goals:
        style = "green" if goal.met else "bold red"
        console.print(f"[{style}]{goal.outcome:<9}[/]  {escape(_sentence(goal))}")
    for note in report.notes:
        console.print(escape(note), style="dim")


def keep(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write a report as Markdown and JSON; return both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    markdown, data = folder / f"{report.name}.md", folder / f"{report.name}.json"
    markdown.write_text(_markdown(report), encoding="utf-8")
    told = _without_nan({**asdict(report), "machine": machine()})
    data.write_text(json.dumps(told, indent=2, allow_nan=False) + "\n", encoding="utf-8")
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


def _without_nan(value: Any) -> Any:
    """The same with ``None`` for numbers that JSON has no words for."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sentence(goal: Goal) -> str:
    bound = "at least" if goal.at_least else "at most"
    observed = goal.reason or "no figure" if math.isnan(goal.observed) else f"{goal.observed:.3g} {goal.unit}"
    if goal.interval is not None:
        observed += " (95 % interval {:.3g} to {:.3g})".format(*goal.interval)
    return f"{goal.name}: {observed}, goal {bound} {goal.limit:g} {goal.unit}"


def _markdown(report: Report) -> str:
    lines = [f"# {report.title}", ""]
    for table in report.tables:
        lines += [f"## {table.title}", "", _row(table.columns)]
        lines += [_row(("---", *("---:" for _ in table.columns[1:]))), *(_row(row) for row in table.rows), ""]
    if report.goals:
        lines += ["## Goals", ""]
        lines += [
            f"- {goal.outcome if goal.met else f'**{goal.outcome}**'}: {_sentence(goal)}"
            for goal in report.goals
        ]
        lines += [""]
    lines += [f"{note}\n" for note in report.notes]
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    return "\n".join([*lines, f"Measured on: {facts}.", ""])


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
