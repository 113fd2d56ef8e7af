"""What became of a run, as a table of verdicts and, for what was refused, in the gate's own words."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aims_pipelines.resources.project import Project
    from aims_pipelines.resources.run_report import AssetReport, CheckReport, RunReport


def print_run(report: "RunReport", project: "Project") -> None:
    """Print the table, the refusals, and how to look closer."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table(title=f"Run {report.run_id[:8]}", title_justify="left")
    for heading in ("asset", "outcome", "check", "verdict", "what was found"):
        table.add_column(heading, overflow="fold")
    for asset in report.assets:
        first = True
        shown = _alike_in_one(
            [check for check in asset.checks if check.status not in {"pass", "not applicable"}]
        )
        passed = sum(1 for check in asset.checks if check.status == "pass")
        ruled_out = sum(1 for check in asset.checks if check.status == "not applicable")
        for check in shown:
            table.add_row(
                escape(asset.name) if first else "",
                escape(asset.outcome) if first else "",
                escape(check.name),
                f"[{_colour(check.status)}]{check.status}[/]",
                escape(_found(check, asset)),
            )
            first = False
        summary = f"{passed} pass" + _not_applying(ruled_out)
        if passed or ruled_out or not shown:
            table.add_row(
                escape(asset.name) if first else "",
                escape(asset.outcome) if first else "",
                "",
                "",
                summary if asset.checks else "",
            )
        table.add_section()
    console.print(table)
    for asset in report.assets:
        if asset.message:
            # Whoever reads a log searches whole lines; a terminal breaks them between words.
            console.print(asset.message, markup=False, highlight=False, soft_wrap=not console.is_terminal)
    if report.failure:
        console.print(report.failure, markup=False, highlight=False, soft_wrap=not console.is_terminal)
    console.print(
        f"Look closer: DAGSTER_HOME={os.environ['DAGSTER_HOME']} dagster dev {_location(project)}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _not_applying(count: int) -> str:
    return f", {count} {'does' if count == 1 else 'do'} not apply" if count else ""


def _found(check: "CheckReport", asset: "AssetReport") -> str:
    """What a check found, unless the refusal under the table says it word for word."""
    first = check.found.partition(" (and ")[0]
    told = first in asset.message or asset.message in check.found
    return "see below" if asset.message and first and told else check.found


def _location(project: "Project") -> str:
    workspace = project.locations.root / "workspace.yaml"
    if workspace.is_file():
        return f"-w {workspace}"
    return f"-f {project.locations.root / project.locations.definitions}"


def _alike_in_one(checks: "list[CheckReport]") -> "list[CheckReport]":
    """The answers, those that say the very same in one line: what refused a candidate before it was judged."""
    alike: dict[tuple[str, str], list[CheckReport]] = {}
    for check in checks:
        alike.setdefault((check.status, check.found), []).append(check)
    return [
        found[0] if len(found) == 1 else replace(found[0], name=f"{len(found)} others")
        for found in sorted(alike.values(), key=len)
    ]


def _colour(status: str) -> str:
    return {"fail": "red", "inconclusive": "yellow"}.get(status, "green")
