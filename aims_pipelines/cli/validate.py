"""``aims validate`` and ``aims schema``: check records, and print what they may look like."""

import json
from pathlib import Path
from typing import Annotated

import typer

from aims_pipelines.cli.answers import Format, FormatOption
from aims_pipelines.cli.outlet import output_faults, write_text
from aims_pipelines.core.errors import BadInput, Fault, RecordsInvalid


def validate(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of records; that of the project you are in if absent.")
    ] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Check every governance record and report every fault at once.

    Exit code 0 if there is none, 2 otherwise.
    """
    from aims_pipelines.records.load import load_records

    folder = folder if folder is not None else _records_folder()
    try:
        records = load_records(folder)
    except RecordsInvalid as error:
        if form is Format.JSON:
            typer.echo(_report(folder, error.faults, digest=""))
        else:
            for fault in error.faults:
                typer.echo(str(fault))
            count = len(error.faults)
            typer.echo(f"{count} {'fault' if count == 1 else 'faults'} in {folder}.", err=True)
        raise typer.Exit(error.exit_code) from None
    if form is Format.JSON:
        typer.echo(_report(folder, (), digest=records.digest))
        return
    counts = (("policy", records.policies), ("dataset", records.datasets), ("system", records.systems))
    for kind, group in counts:
        typer.echo(f"{kind:8} {len(group):3}  {', '.join(sorted(group))}".rstrip())
    typer.echo(f"{folder} is valid: {records.digest}")


def schema(
    kind: Annotated[str, typer.Argument(help="dataset, policy or system; all of them if absent.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write <kind>.json files to, instead of printing.")
    ] = None,
) -> None:
    """Print or write the JSON Schema of records, for editors."""
    from aims_pipelines.records.schema import schema_text
    from aims_pipelines.records.validation import KINDS, did_you_mean

    if kind and kind not in KINDS:
        raise BadInput(
            Fault(
                where="KIND",
                expected=f"one of {', '.join(KINDS)}",
                found=f"'{kind}'",
                remedy=did_you_mean(kind, KINDS),
            )
        )
    kinds = [kind] if kind else list(KINDS)
    if out is None:
        if len(kinds) == 1:
            typer.echo(schema_text(kinds[0]), nl=False)
        else:
            typer.echo(json.dumps({name: json.loads(schema_text(name)) for name in kinds}, indent=2))
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            Fault(where=str(out), expected="a folder to write to", found=error.strerror or "an error")
        ) from error
    files = {out / f"{name}.json": schema_text(name) for name in kinds}
    faults = [
        fault for file in files for fault in output_faults(file, overwrite=True if _is_schema(file) else None)
    ]
    if faults:
        raise BadInput(faults)
    for file, text in files.items():
        write_text(file, text)
        typer.echo(str(file))


def _is_schema(file: Path) -> bool:
    """Whether there is a JSON Schema, which a newer one may replace."""
    try:
        return "$schema" in json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _records_folder() -> Path:
    """The records folder of the project that the working directory lies in, as short as it can be written."""
    from aims_pipelines.resources.project import find_project

    folder = find_project().locations.records
    here = Path.cwd().resolve()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _report(folder: Path, faults: tuple[Fault, ...], *, digest: str) -> str:
    return json.dumps(
        {
            "folder": str(folder),
            "valid": not faults,
            "digest": digest,
            "faults": [
                {"where": item.where, "expected": item.expected, "found": item.found, "remedy": item.remedy}
                for item in faults
            ],
        },
        indent=2,
        ensure_ascii=False,
    )
