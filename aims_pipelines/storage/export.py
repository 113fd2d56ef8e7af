"""Export a ledger as one file for an auditor: a ZIP file with ``ledger.jsonl`` and ``evidence/<sha256>``."""

import shutil
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO

from aims_pipelines.core.chain import CHECKPOINT, checkpoint_content, seal
from aims_pipelines.core.errors import StoreUnavailable
from aims_pipelines.core.files import draft_in
from aims_pipelines.core.inspection import Inspection, Report
from aims_pipelines.storage.audit import EVIDENCE_FOLDER, LEDGER_MEMBER, evidence_breaks
from aims_pipelines.storage.evidence import EvidenceStore
from aims_pipelines.storage.ledger import Ledger
from aims_pipelines.storage.ledger_audit import read_ledger

_CHUNK = 1 << 20


def export_ledger(
    ledger: Ledger,
    evidence: EvidenceStore,
    file: Path,
    *,
    at: datetime,
    progress: Callable[[int], object] = lambda _lines: None,
) -> Report:
    """Write the ledger as it is now, and the evidence files that it refers to, to one file.

    The file is written even if the ledger is broken, as it then is the evidence of that; the report says so.

    Args:
        ledger: The ledger.
        evidence: Where its evidence files are kept.
        file: The file to write; replaced if it exists.
        at: Time of the closing checkpoint, aware.
        progress: Called now and then with the number of lines written.

    Returns:
        What was found on the way.

    Raises:
        StoreUnavailable: The file cannot be written; nothing is left behind.
    """
    try:
        with draft_in(file.parent, file.name) as draft:
            with zipfile.ZipFile(draft.sink, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
                report = _write(ledger, evidence, archive, at=at, progress=progress)
            draft.put(file)
    except OSError as error:
        raise StoreUnavailable(
            f"Cannot write the export {file}: {error.strerror or error}. Check the folder's permissions and free space."
        ) from error
    return report


def _write(
    ledger: Ledger,
    evidence: EvidenceStore,
    archive: zipfile.ZipFile,
    *,
    at: datetime,
    progress: Callable[[int], object],
) -> Report:
    inspection = Inspection(unit="row")
    with archive.open(LEDGER_MEMBER, "w", force_zip64=True) as sink:
        wanted = read_ledger(
            ledger, inspection, progress=progress, copy=lambda line: sink.write(line + b"\n")
        )
        inspection.finish(copies=lambda _hashes: {})
        line, _hash = seal(CHECKPOINT, checkpoint_content(inspection.report().checkpoint, at=at))
        sink.write(line + b"\n")
    for digest, number in wanted.items():
        found = evidence.actual_digest(digest)
        inspection.add(*evidence_breaks(f"entry {number}", digest, found))
        if found is not None:  # a changed file goes along: it is for the auditor to see
            with evidence.path(digest).open("rb") as source, _member(archive, digest) as target:
                shutil.copyfileobj(source, target, _CHUNK)
    return inspection.report(evidence=len(wanted))


def _member(archive: zipfile.ZipFile, digest: str) -> IO[bytes]:
    return archive.open(EVIDENCE_FOLDER + digest.removeprefix("sha256:"), "w", force_zip64=True)
