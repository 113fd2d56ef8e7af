"""``aims init``: a ready project for a table never seen before."""

import shlex
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from aims_pipelines.cli.answers import NullValuesOption
from aims_pipelines.core.errors import BadInput, Fault


class TaskChoice(StrEnum):
    """Kind of prediction."""

    AUTO = "auto"
    CLASSIFICATION = "classification"
    REGRESSION = "regression"


def init(  # noqa: PLR0917 - the options of a command
    name: Annotated[
        Path, typer.Argument(help="Folder to make; its last part names the project.", metavar="NAME")
    ],
    data: Annotated[Path, typer.Option("--data", help="CSV or Parquet file; read in place, not copied.")],
    label: Annotated[str, typer.Option("--label", help="Column to predict.")],
    protected: Annotated[
        str,
        typer.Option(
            "--protected", help="Columns whose groups must not be treated worse, with commas between."
        ),
    ],
    subject: Annotated[
        str | None, typer.Option("--subject", help="Column that identifies the person a row is about.")
    ] = None,
    time: Annotated[str | None, typer.Option("--time", help="Column with the event time.")] = None,
    task: Annotated[
        TaskChoice, typer.Option("--task", help="Kind of prediction; told from the label by default.")
    ] = TaskChoice.AUTO,
    positive: Annotated[
        str | None,
        typer.Option(
            "--positive",
            help="Favourable or flagged value of the label; by default yes, true or 1, else the rarer.",
        ),
    ] = None,
    null_values: NullValuesOption = None,
) -> None:
    """Write a ready project for a table: records, pipeline, and a suite of expectations.

    Exit code 2 if the table or the options will not do; then nothing is written.
    """
    from aims_pipelines.scaffold.project import create
    from aims_pipelines.scaffold.request import Request

    attributes = tuple(part.strip() for part in protected.split(",") if part.strip())
    if not attributes:
        raise BadInput(Fault(where="--protected", expected="at least one column", found=repr(protected)))
    from rich.console import Console

    progress = Console(stderr=True)
    with progress.status("Starting") as status:
        created = create(
            Request(
                folder=name,
                data=data.expanduser(),
                label=label,
                protected=attributes,
                today=datetime.now(UTC).date(),
                subject=subject,
                time=time,
                task=None
                if task is TaskChoice.AUTO
                else cast("Literal['classification', 'regression']", task.value),
                positive=positive,
                null_values=tuple(null_values or ()),
            ),
            tell=status.update,
        )
    typer.echo(f"{created.folder} is ready:")
    for file in created.files:
        if "/.schemas/" not in f"/{file}":
            typer.echo(f"  {file}")
    typer.echo("\nLook at these:")
    for line in created.look:
        typer.echo(f"  - {line}")
    typer.echo(f"\nNext: cd {shlex.quote(str(created.folder))} && aims materialize")
