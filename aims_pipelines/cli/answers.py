"""What commands that answer have in common: options for the form and the file, colours, exit codes, and the end."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from aims_pipelines.cli.outlet import write_text
from aims_pipelines.core.verdict import Status

EXIT_CODES = {Status.PASS: 0, Status.FAIL: 1, Status.INCONCLUSIVE: 3}
COLOURS = {Status.PASS: "green", Status.FAIL: "red", Status.INCONCLUSIVE: "yellow"}


class Format(StrEnum):
    """For people, or for programs."""

    TEXT = "text"
    JSON = "json"


class PageFormat(StrEnum):
    """For people, for programs, or as a page to hand on."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


FormatOption = Annotated[Format, typer.Option("--format", help="How to print the result.")]
PageFormatOption = Annotated[PageFormat, typer.Option("--format", help="How to print the result.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="File to write to instead of printing.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")]
NullValuesOption = Annotated[
    list[str] | None,
    typer.Option("--null-values", help="Text that means missing, such as '?'; may be repeated."),
]


def answer(text: str, status: Status, *, out: Path | None) -> NoReturn:
    """Print a judgement, or write it to a file, and leave with its exit code."""
    if out is None:
        typer.echo(text.removesuffix("\n"))
    else:
        write_text(out, text)
        typer.echo(f"{out}: {status.value}")
    raise typer.Exit(EXIT_CODES[status])
