"""``aims ledger``: look at the evidence, verify it, and hand it to an auditor."""

import getpass
import json
import shlex
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aims_pipelines.cli.answers import Format, FormatOption
from aims_pipelines.cli.outlet import output_faults, write_bytes
from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.core.seams import printable

if TYPE_CHECKING:
    from aims_pipelines.core.inspection import Kept, Report
    from aims_pipelines.storage.evidence import EvidenceStore
    from aims_pipelines.storage.ledger import Ledger
    from aims_pipelines.storage.ledger_entry import Entry

app = typer.Typer(help="The evidence ledger.", no_args_is_help=True)

_SILENT_SECONDS = 2


LedgerOption = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="URL",
        help="Database of the ledger, instead of the project's: sqlite:///FILE or postgresql://…",
    ),
]
EvidenceOption = Annotated[
    Path | None,
    typer.Option("--evidence", metavar="FOLDER", help="Folder of evidence files, where --ledger is given."),
]
KeptOption = Annotated[
    list[str] | None,
    typer.Option(
        "--checkpoint",
        metavar="COUNT:HEAD",
        help="A checkpoint that was kept elsewhere, or a file with one or more; repeatable.",
    ),
]


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The file to write, such as ledger.zip.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an export that exists.")] = False,
    url: LedgerOption = None,
    evidence_dir: EvidenceOption = None,
) -> None:
    """Write the ledger and its evidence files to one file for an auditor.

    Exit code 1 if the ledger does not verify; the file is written all the same, as evidence of that.
    """
    from aims_pipelines.storage.audit import describe_report
    from aims_pipelines.storage.export import export_ledger

    faults = output_faults(file, overwrite=overwrite)
    if file.is_file() and not zipfile.is_zipfile(file):  # the ledger itself, a project's code
        faults = [Fault(where=str(file), expected="a new file", found="one that is no export")]
    if faults:
        raise BadInput(faults)
    ledger, evidence = _open(url, evidence_dir)
    with _progress("entries") as progress:
        report = export_ledger(ledger, evidence, file, at=datetime.now(UTC), progress=progress)
    typer.echo(f"Wrote {file}\n{describe_report(report)}")
    typer.echo(
        "An auditor verifies it with: aims ledger verifier > verify.py; python -I verify.py "
        + shlex.quote(str(file))
    )
    raise typer.Exit(0 if report.intact else 1)


@app.command()
def verify(
    file: Annotated[
        Path | None, typer.Argument(help="An exported ledger; without it, the project's own.")
    ] = None,
    checkpoints: KeptOption = None,
    url: LedgerOption = None,
    evidence_dir: EvidenceOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Verify every entry, every link and every evidence file, and name each fault.

    Exit code 0 if intact, 1 if broken, 2 if there is nothing to verify.
    """
    from aims_pipelines.storage.audit import UnusableExportError, audit_export, describe_report, read_kept
    from aims_pipelines.storage.ledger_audit import audit_ledger

    try:
        kept = read_kept(checkpoints or ())
        with _progress("entries") as progress:
            if file is not None:
                report = audit_export(file, kept=kept, progress=progress)
            else:
                ledger, evidence = _open(url, evidence_dir)
                report = audit_ledger(ledger, evidence, kept=kept, progress=progress)
    except UnusableExportError as error:
        raise BadInput(Fault(where=error.where, expected=error.expected, found=error.found)) from error
    typer.echo(_report_json(report, kept) if form is Format.JSON else describe_report(report, kept=kept))
    raise typer.Exit(0 if report.intact else 1)


@app.command()
def verifier() -> None:
    """Print the one-file verifier, which needs nothing but Python 3.9 or newer."""
    from aims_pipelines.storage.verifier import verifier_source

    typer.echo(verifier_source(), nl=False)


@app.command()
def checkpoint(
    actor: Annotated[
        str | None, typer.Option(help="Who asks for it; by default, the user of this machine.")
    ] = None,
    url: LedgerOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Verify the ledger, record a checkpoint in it, and print it, to be kept where nobody here can change it."""
    from aims_pipelines.core.inspection import Kept
    from aims_pipelines.storage.ledger_audit import record_checkpoint

    ledger, _evidence = _open(url, None, needs_evidence=False)
    now = datetime.now(UTC)
    with _progress("entries") as progress:
        made = record_checkpoint(
            ledger, actor=actor or f"user:{getpass.getuser()}", at=now, progress=progress
        )
    kept = Kept(made.count, made.head)
    if form is Format.JSON:
        typer.echo(json.dumps({"checkpoint": str(kept), "root": made.root, "at": now.isoformat()}))
        return
    typer.echo(str(kept))
    typer.echo(
        "Keep this line elsewhere: in a signed commit, a ticket, a letter, with the auditor.", err=True
    )


@app.command("list")
def list_(
    last: Annotated[int, typer.Option(min=1, help="How many entries, counted from the end.")] = 20,
    subject: Annotated[
        str | None, typer.Option(help="Only entries about the asset or model of this name.")
    ] = None,
    url: LedgerOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """List the latest entries."""
    ledger, _evidence = _open(url, None, needs_evidence=False)
    entries = ledger.recent(last, subject_id=subject)
    if form is Format.JSON:
        typer.echo(json.dumps([_entry_json(entry, brief=True) for entry in entries], indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for heading in ("entry", "at (UTC)", "kind", "subject", "outcome", "actor"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        at = entry.at.strftime("%Y-%m-%d %H:%M:%S")
        about = f"{entry.subject_kind} {entry.subject_id}"
        cells = (entry.id, at, entry.kind, about, str(entry.outcome or ""), entry.actor)
        table.add_row(*(escape(printable(cell)) for cell in cells))
    Console().print(table)


@app.command()
def show(
    entry: Annotated[str, typer.Argument(help="The entry, such as e-41.")],
    url: LedgerOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Show one entry with everything that it says, after verifying it and its links."""
    ledger, _evidence = _open(url, None, needs_evidence=False)
    found = _entry_json(ledger.get(entry))
    if form is Format.JSON:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    body = found.pop("body")
    digests = found.pop("digests")
    for name, value in {**found, **{f"digest of {role}": digest for role, digest in digests.items()}}.items():
        typer.echo(f"{printable(name):>20}  {printable(str(value))}")
    typer.echo("\n".join(map(printable, json.dumps(body, indent=2, ensure_ascii=False).split("\n"))))


@app.command()
def evidence(
    entry: Annotated[str, typer.Argument(help="The entry, such as e-41.")],
    name: Annotated[str, typer.Argument(help="The evidence file, such as drift.html.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; the evidence file's own name if absent.")
    ] = None,
    url: LedgerOption = None,
    evidence_dir: EvidenceOption = None,
) -> None:
    """Take an evidence file of an entry out, to look at it, after verifying its digest.

    Exit code 1 if the file is not the one that the entry names.
    """
    ledger, store = _open(url, evidence_dir)
    files = {item["name"]: item["digest"] for item in ledger.get(entry).body.get("evidence", ())}
    if name not in files:
        raise BadInput(
            Fault(
                where=f"entry {entry}",
                expected=f"one of its evidence files: {', '.join(sorted(files)) or 'it has none'}",
                found=repr(name),
            )
        )
    target = out or Path(Path(name).name)
    if faults := output_faults(target, overwrite=None):
        raise BadInput(faults)
    with store.open(files[name]) as source:
        write_bytes(target, source.read())
    typer.echo(f"Wrote {target}")


def _open(
    url: str | None, evidence_dir: Path | None, *, needs_evidence: bool = True
) -> "tuple[Ledger, EvidenceStore]":
    from aims_pipelines.storage.database import open_database
    from aims_pipelines.storage.evidence import EvidenceStore, default_evidence_dir
    from aims_pipelines.storage.ledger import Ledger

    if url is None:
        from aims_pipelines.resources.project import find_project

        project = find_project()
        url, folder = project.ledger_url, evidence_dir or project.evidence_dir
    elif evidence_dir is not None or not needs_evidence:
        folder = evidence_dir or Path()
    else:
        folder = default_evidence_dir(url)
    return Ledger(open_database(url, create=False)), EvidenceStore(folder)


def _entry_json(entry: "Entry", *, brief: bool = False) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "kind": entry.kind,
        "actor": entry.actor,
        "subject_kind": entry.subject_kind,
        "subject_id": entry.subject_id,
        "outcome": None if entry.outcome is None else str(entry.outcome),
        "hash": entry.hash,
    }
    return told if brief else {**told, "prev": entry.prev, "digests": dict(entry.digests), "body": entry.body}


def _report_json(report: "Report", kept: "Sequence[Kept]") -> str:
    told = {
        "intact": report.intact,
        "breaks": [item._asdict() for item in report.breaks],
        "more": report.more,
        "checkpoint": f"{report.checkpoint.count}:{report.checkpoint.head}",
        "root": report.checkpoint.root,
        "evidence_files": report.evidence,
        "compared_with": [str(item) for item in kept],
    }
    return json.dumps(told, indent=2)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int], None]]:
    """Show how far it is, once it has taken two seconds."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn(f"{{task.completed:,.0f}} {what}"), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(what, total=None)
    begun = time.monotonic()

    def update(done: int) -> None:
        if time.monotonic() - begun > _SILENT_SECONDS:
            bar.start()
            bar.update(task, completed=done)

    try:
        yield update
    finally:
        bar.stop()
