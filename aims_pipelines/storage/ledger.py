"""The evidence ledger: append-only, hash-chained entries in the database.

What an entry says is its canonical JSON, sealed by a hash; the columns beside it only help to find it. Nothing
found through a column is trusted before the sealed line has been held against it and its neighbours.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import sqlalchemy as sa

from aims_pipelines.core.chain import LineError, Sealed, unseal
from aims_pipelines.core.errors import BadInput, Fault, LedgerBroken
from aims_pipelines.core.verdict import Status
from aims_pipelines.storage.database import Database
from aims_pipelines.storage.ledger_entry import (
    CONTENT,
    OBSERVATION,
    Entry,
    EntryDraft,
    columns_of,
    draft_faults,
    entry_of,
    sealed_entry,
)
from aims_pipelines.storage.ledger_tables import entries as table
from aims_pipelines.storage.ledger_tables import header

__all__ = ["CONTENT", "OBSERVATION", "Entry", "EntryDraft", "Ledger"]

_PAGE = 1000


class Ledger:
    """The ledger in a database.

    Args:
        database: An open database of ours.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def append(self, drafts: Sequence[EntryDraft], *, connection: sa.Connection | None = None) -> list[Entry]:
        """Append entries: all of them, in this order and without others between them, or none.

        Args:
            drafts: What to append.
            connection: A write transaction of the same database to join; without one, the entries are
                committed on return.

        Raises:
            BadInput: A draft is not fit for the ledger; nothing was written.
            StoreUnavailable: The database cannot be written; nothing was written.
            LedgerBroken: The end of the chain is damaged, so that nothing can be appended to it.
        """
        faults = [
            fault for number, draft in enumerate(drafts) for fault in draft_faults(draft, where=_name(number))
        ]
        if faults:
            raise BadInput(faults)
        if not drafts:
            return []
        with nullcontext(connection) if connection is not None else self.database.write() as writing:
            return _append(writing, drafts)

    def header(self) -> bytes | None:
        """Read the sealed header as it is, unverified; ``None`` if somebody removed it."""
        with self.database.read() as connection:
            line = connection.execute(sa.select(header.c.line)).scalar_one_or_none()
        return None if line is None else line.encode("utf-8")

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """Read the entries in order, in bounded memory.

        Args:
            after: Number of the entry to start after.

        Raises:
            LedgerBroken: An entry is not what was appended.
        """
        for row in self.rows(after):
            yield _intact(row)

    def get(self, entry_id: str) -> Entry:
        """Read one entry.

        Args:
            entry_id: Its name, such as ``e-41``, or its number.

        Raises:
            BadInput: There is no such entry.
            LedgerBroken: The entry is not what was appended.
        """
        digits = entry_id.removeprefix("e-")
        seq = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else 0
        with self.database.read() as connection:
            row = connection.execute(sa.select(table).where(table.c.seq == seq)).one_or_none()
            if row is not None:
                return _in_its_place(connection, row)
            last = connection.execute(sa.select(sa.func.max(table.c.seq))).scalar_one()
        expected = f"an entry of this ledger, e-1 to e-{last}" if last else "an entry; there are none yet"
        raise BadInput(Fault(where="entry", expected=expected, found=repr(entry_id)))

    def latest(self, subject_kind: str, subject_id: str, *, digest: str = "") -> Entry | None:
        """The last entry about a subject, ``None`` if there is none.

        Args:
            subject_kind: Kind of the subject.
            subject_id: Its name.
            digest: Only entries about this content of it; about any, if empty.

        Raises:
            LedgerBroken: The entry is not what was appended.
        """
        conditions = [table.c.subject_kind == subject_kind, table.c.subject_id == subject_id]
        if digest:
            conditions.append(table.c.subject_digest == digest)
        return self._last(*conditions)

    def recent(self, count: int, *, subject_id: str | None = None) -> list[Entry]:
        """The last entries, the oldest of them first; all, or those about subjects of one name.

        Raises:
            LedgerBroken: One of them is not what was appended.
        """
        query = sa.select(table).order_by(table.c.seq.desc()).limit(count)
        if subject_id is not None:
            query = query.where(table.c.subject_id == subject_id)
        with self.database.read() as connection:
            return [_in_its_place(connection, row) for row in reversed(connection.execute(query).all())]

    def about(self, subject_kinds: Sequence[str], subject_id: str) -> Iterator[Entry]:
        """All entries about subjects of one name and some kinds, in order, in bounded memory.

        Raises:
            LedgerBroken: One of them is not what was appended.
        """
        after = 0
        while True:
            query = (
                sa.select(table)
                .where(
                    table.c.subject_id == subject_id,
                    table.c.subject_kind.in_(subject_kinds),
                    table.c.seq > after,
                )
                .order_by(table.c.seq)
                .limit(_PAGE)
            )
            with self.database.read() as connection:
                page = [_in_its_place(connection, row) for row in connection.execute(query).all()]
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].seq

    def passing(self, asset: str, digest: str) -> Entry | None:
        """The observation that lets this version of an asset through a gate, ``None`` if there is none.

        That is the last observation with a judgement about exactly this name and content, if it passed. A pass
        no longer counts after the same content was judged again and did not pass.

        Args:
            asset: Name of the asset or model.
            digest: Its content's digest.

        Raises:
            LedgerBroken: The entry is not what was appended.
        """
        entry = self._last(
            table.c.subject_id == asset, table.c.subject_digest == digest, table.c.outcome.is_not(None)
        )
        return entry if entry is not None and entry.outcome is Status.PASS else None

    def _last(self, *conditions: sa.ColumnElement[bool]) -> Entry | None:
        query = sa.select(table).where(*conditions).order_by(table.c.seq.desc()).limit(1)
        with self.database.read() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else _in_its_place(connection, row)

    def rows(self, after: int = 0, *, connection: sa.Connection | None = None) -> Iterator[sa.Row[Any]]:
        """Read rows as they are, unverified, page by page; as entries never change, the pages are one state.

        Args:
            after: Number of the entry to start after.
            connection: An open transaction to read in.
        """
        while True:
            query = sa.select(table).where(table.c.seq > after).order_by(table.c.seq).limit(_PAGE)
            with nullcontext(connection) if connection is not None else self.database.read() as reading:
                page = reading.execute(query).all()
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].seq


def _append(connection: sa.Connection, drafts: Sequence[EntryDraft]) -> list[Entry]:
    last = connection.execute(sa.select(table).order_by(table.c.seq.desc()).limit(1)).one_or_none()
    if last is None:
        seq, prev = 0, _header(connection).hash
    else:
        seq, prev = last.seq, _intact(last).hash
    rows, appended = [], []
    for number, draft in enumerate(drafts):
        seq += 1
        line, prev = sealed_entry(draft, seq=seq, prev=prev, where=_name(number))
        sealed = unseal(line)
        rows.append({"line": line.decode("utf-8"), **columns_of(sealed)})
        appended.append(entry_of(sealed))
    connection.execute(table.insert(), rows)
    return appended


def _intact(row: sa.Row[Any]) -> Entry:
    """Return the entry of a row.

    Raises:
        LedgerBroken: The line was edited, or the columns say something else.
    """
    try:
        sealed = unseal(row.line.encode("utf-8"))
        columns = columns_of(sealed)
        entry = entry_of(sealed)
    except (LineError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise _broken(row.seq, "a sealed entry", str(error)) from error
    if sealed.hash != sealed.computed:
        raise _broken(row.seq, f"content with the hash {sealed.hash}", sealed.computed)
    for name, value in columns.items():
        if getattr(row, name) != value:
            raise _broken(row.seq, f"the column {name} to say what the entry says", "something else")
    return entry


def _in_its_place(connection: sa.Connection, row: sa.Row[Any]) -> Entry:
    """Return the entry of a row, after checking that it is linked to both its neighbours.

    Raises:
        LedgerBroken: The entry was edited, or put in from elsewhere.
    """
    entry = _intact(row)
    near = sa.select(table).where(table.c.seq.in_([row.seq - 1, row.seq + 1]))
    neighbours = {neighbour.seq: _intact(neighbour) for neighbour in connection.execute(near)}
    before = neighbours.get(row.seq - 1) or (_header(connection) if row.seq == 1 else None)
    after = neighbours.get(row.seq + 1)
    if before is None:
        raise _broken(row.seq, f"entry {row.seq - 1} before it", "none")
    if entry.prev != before.hash:
        raise _broken(row.seq, f"to be chained to {before.hash}", entry.prev)
    if after is not None and after.prev != entry.hash:
        raise _broken(row.seq, f"the hash that the next entry names, {after.prev}", entry.hash)
    return entry


def _header(connection: sa.Connection) -> Sealed:
    try:
        sealed = unseal(connection.execute(sa.select(header.c.line)).scalar_one().encode("utf-8"))
    except (LineError, sa.exc.NoResultFound) as error:
        raise LedgerBroken(f"The ledger is broken: its header is missing or damaged ({error}).") from error
    if sealed.hash != sealed.computed:
        raise LedgerBroken(
            f"The ledger is broken: its header should have the hash {sealed.hash}, not {sealed.computed}."
        )
    return sealed


def _broken(seq: int, expected: str, found: str) -> LedgerBroken:
    return LedgerBroken(
        f"The ledger is broken at entry {seq}: expected {expected}, found {found}. "
        "Every gate stays shut. Run: aims ledger verify"
    )


def _name(number: int) -> str:
    return f"drafts[{number}]"
