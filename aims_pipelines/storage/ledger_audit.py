"""Verify the ledger in the database, and record checkpoints of it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from aims_pipelines.core.chain import CHECKPOINT, ENTRY, Checkpoint, Sealed, evidence_of
from aims_pipelines.core.errors import LedgerBroken
from aims_pipelines.core.inspection import Inspection, Kept, Report
from aims_pipelines.core.seams import Break
from aims_pipelines.storage.audit import evidence_breaks
from aims_pipelines.storage.evidence import EvidenceStore
from aims_pipelines.storage.ledger import Ledger
from aims_pipelines.storage.ledger_entry import EntryDraft, columns_of, entry_of

_SHOWN = 20
_PROGRESS_ENTRIES = 5_000


def audit_ledger(
    ledger: Ledger,
    evidence: EvidenceStore | None = None,
    *,
    kept: Sequence[Kept] = (),
    progress: Callable[[int], object] = lambda _entries: None,
) -> Report:
    """Verify the whole ledger in flat memory (but for the digests of evidence files) and name all that is wrong.

    Args:
        ledger: The ledger.
        evidence: Where its evidence files are kept; without it, they are not compared.
        kept: Checkpoints that were kept outside of the database.
        progress: Called now and then with the number of entries read.
    """
    inspection = Inspection(kept=kept, unit="row")
    wanted = read_ledger(ledger, inspection, progress=progress)
    inspection.finish(copies=lambda _hashes: {})
    if evidence is None:
        return inspection.report()
    for digest, number in wanted.items():
        inspection.add(*evidence_breaks(f"entry {number}", digest, evidence.actual_digest(digest)))
    return inspection.report(evidence=len(wanted))


def record_checkpoint(
    ledger: Ledger, *, actor: str, at: datetime, progress: Callable[[int], object] = lambda _entries: None
) -> Checkpoint:
    """Verify the whole ledger and record what it is as an entry.

    Args:
        ledger: The ledger.
        actor: Who asks for it.
        at: When, aware.
        progress: Called now and then with the number of entries read.

    Returns:
        What the ledger is with that entry in it; to be kept elsewhere.

    Raises:
        LedgerBroken: Something is wrong with it; nothing was recorded.
    """
    inspection = Inspection(unit="row")
    read_ledger(ledger, inspection, progress=progress)  # most of it while others may write
    with ledger.database.write() as connection:
        read_ledger(ledger, inspection, after=inspection.report().checkpoint.count, connection=connection)
        inspection.finish(copies=lambda _hashes: {})
        report = inspection.report()
        if not report.intact:
            found = "\n".join(f"  {item}" for item in report.breaks[:_SHOWN])
            raise LedgerBroken(f"The ledger is broken, so it gets no checkpoint.\n{found}")
        draft = EntryDraft(
            kind=CHECKPOINT,
            actor=actor,
            subject_kind="ledger",
            subject_id="ledger",
            digests={},
            body={name: getattr(report.checkpoint, name) for name in ("count", "head", "root")},
            at=at,
        )
        (entry,) = ledger.append([draft], connection=connection)
        read_ledger(ledger, inspection, after=entry.seq - 1, connection=connection)
    return inspection.report().checkpoint


def read_ledger(
    ledger: Ledger,
    inspection: Inspection,
    *,
    after: int | None = None,
    connection: sa.Connection | None = None,
    progress: Callable[[int], object] = lambda _entries: None,
    copy: Callable[[bytes], object] = lambda _line: None,
) -> dict[str, int]:
    """Feed the ledger to an inspection.

    Args:
        ledger: The ledger.
        inspection: Takes the lines.
        after: Entry to start after; by default, the header comes first.
        connection: An open transaction to read in.
        progress: Called now and then with the number of the entry.
        copy: Called with each line.

    Returns:
        Digests of the evidence files that entries refer to, each with the first of these entries.
    """
    wanted: dict[str, int] = {}
    if after is None and (header := ledger.header()) is not None:
        inspection.feed(0, header)
        copy(header)
    for row in ledger.rows(after or 0, connection=connection):
        line = row.line.encode("utf-8")
        sealed = inspection.feed(row.seq, line)
        copy(line)
        if sealed is not None and sealed.kind == ENTRY:
            inspection.add(*_column_breaks(row, sealed))
            for digest in evidence_of(sealed.content["body"]):
                wanted.setdefault(digest, row.seq)
        if row.seq % _PROGRESS_ENTRIES == 0:
            progress(row.seq)
    return wanted


def _column_breaks(row: sa.Row[Any], sealed: Sealed) -> Iterator[Break]:
    try:
        columns = columns_of(sealed)
        entry_of(sealed)
    except (KeyError, ValueError, TypeError, AttributeError):
        yield Break(
            "broken line", f"row {row.seq}", "an entry with a proper time and judgement", "another one"
        )
        return
    for name, value in columns.items():
        if getattr(row, name) != value:
            yield Break("edited", f"row {row.seq}, column {name}", "what the entry says", "something else")
