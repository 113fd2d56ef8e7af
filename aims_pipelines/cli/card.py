"""``aims card``: the model card of a registered version, as it was judged."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from aims_pipelines.cli.answers import OverwriteOption
from aims_pipelines.cli.model_reference import REFERENCE_HELP, resolve
from aims_pipelines.cli.outlet import output_faults, patience, write_text
from aims_pipelines.core.errors import BadInput


class Format(StrEnum):
    """Form of the card."""

    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


_ENDINGS = {Format.MARKDOWN: "md", Format.HTML: "html", Format.JSON: "json"}


def card(
    model: Annotated[str, typer.Argument(help=REFERENCE_HELP)],
    form: Annotated[Format, typer.Option("--format", help="Form of the card.")] = Format.MARKDOWN,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write to, instead of printing.", metavar="FILE")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Print the model card of a registered version, or write it to a file.

    The card is compared with the ledger first, byte for byte. Whether the version may be used now is another
    question: ask aims gate.

    Exit code 1 if the version's files are not those that were judged, 2 if there is no such version.
    """
    if out is not None and (faults := output_faults(out, overwrite=overwrite, inputs=())):
        raise BadInput(faults)
    with patience("Reading the card"):
        text = _read(model, f"card.{_ENDINGS[form]}")
    if out is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        write_text(out, text)
        typer.echo(f"Wrote {out}")


def _read(model: str, name: str) -> str:
    from aims_pipelines.core.errors import GateRefused
    from aims_pipelines.resources.model_evidence import evidence_of
    from aims_pipelines.resources.model_package import CARD_FOLDER
    from aims_pipelines.resources.project import find_project

    project = find_project()
    version = resolve(project, model, command="aims card")
    evidence = evidence_of(project.ledger, version)
    package = project.mlflow.package(version, manifest_digest=evidence.digests["manifest"])
    content = package.files.get(f"{CARD_FOLDER}/{name}")
    if content is None:
        raise GateRefused(
            f"Refused {version}: it was registered without {CARD_FOLDER}/{name}.\n"
            "Next: materialise the model's asset again, which registers a version with its card."
        )
    return content.decode("utf-8")
