"""The database of the ledger and the version tables: SQLite for one machine, PostgreSQL for a team.

Whoever writes holds the one write lock of the database for the length of its transaction, so writers queue
and none works on a state that another is changing.
"""

import hashlib
import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from aims_pipelines.core.errors import BadInput, Fault, NotOurs, StoreUnavailable
from aims_pipelines.storage.schema import SCHEMA_VERSION, about, metadata

APPLICATION_ID = 0x41494D53  # "AIMS", in the header of the SQLite file
DEFAULT_SCHEMA = "aims"  # of PostgreSQL
_PRODUCT = "aims-pipelines"
_WAIT_SECONDS = 60
_EXPECTED_ADDRESS = "sqlite:///FILE or postgresql+psycopg://HOST/DATABASE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """An open database of ours.

    Args:
        engine: SQLAlchemy's engine; its transactions belong to ``read`` and ``write``.
        url: Address, without its password.
        schema: Schema in PostgreSQL that holds our tables; empty for SQLite.
    """

    engine: sa.Engine
    url: str
    schema: str = ""

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection on which to read one consistent state.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        with _translated(self.url), self.engine.connect() as connection:
            if self.schema:
                connection = connection.execution_options(  # noqa: PLW2901 - the same connection
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Give the connection of one exclusive write transaction: all of it happens, or nothing.

        Raises:
            StoreUnavailable: The database does not answer or cannot write; nothing was written.
        """
        with _translated(self.url), self.engine.connect() as connection:
            connection = connection.execution_options(aims_write=True)  # noqa: PLW2901 - the same connection
            if (
                self.schema
            ):  # each statement sees what was committed before it, so also after waiting for the lock
                connection = connection.execution_options(isolation_level="READ COMMITTED")  # noqa: PLW2901 - the same connection
            with connection.begin():
                if self.schema:
                    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_WAIT_SECONDS}s'"))
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_lock_number(self.schema))))
                yield connection

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


def open_database(url: str, *, create: bool = True) -> Database:
    """Open a database of ours; create it, or tables that it lacks, where it does not exist yet.

    Args:
        url: ``sqlite:///path/to/file`` or ``postgresql+psycopg://…``; the latter may name the schema that holds
            our tables with ``?schema=NAME`` (default ``aims``).
        create: Whether to create what is not there; otherwise its absence is an error, and nothing is changed.

    Raises:
        BadInput: The address is not one of these, or there is nothing and nothing is to be created.
        NotOurs: There is a database that this package did not make; it is left alone.
        StoreUnavailable: The database does not answer, cannot be written, or is of a newer version.
    """
    address = _parse(url)
    is_sqlite = address.get_backend_name() == "sqlite"
    database = _open_sqlite(address, create=create) if is_sqlite else _open_postgresql(address)
    _engines.add(database.engine)
    try:
        _prepare(database, create=create)
    except BaseException:
        database.close()
        raise
    return database


def _leave_to_parent_process() -> None:
    """Let a forked process open connections of its own, and leave those of its parent alone."""
    for engine in list(_engines):
        engine.dispose(close=False)


#: Engines that are open, for as long as somebody holds them.
_engines: "weakref.WeakSet[sa.Engine]" = weakref.WeakSet()
os.register_at_fork(after_in_child=_leave_to_parent_process)


def sqlite_file(url: str) -> Path | None:
    """File of a SQLite address; ``None`` for another database.

    Raises:
        BadInput: The address is not one of ours.
    """
    address = _parse(url)
    return Path(str(address.database)) if address.get_backend_name() == "sqlite" else None


def _parse(url: str) -> sa.URL:
    try:
        address = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise _bad_address("something else") from None  # it may hold a password
    backend = address.get_backend_name()
    if backend == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise _bad_address(f"{backend}:…")
    if not address.database or address.database == ":memory:" or address.query:
        raise _bad_address("a SQLite address that names no file, or has options")
    return address


def _bad_address(found: str) -> BadInput:
    return BadInput(Fault(where="database address", expected=_EXPECTED_ADDRESS, found=found))


def _open_sqlite(address: sa.URL, *, create: bool) -> Database:
    file = Path(str(address.database))
    try:
        if file.is_dir():
            raise BadInput(Fault(where=str(file), expected="a database file", found="a folder"))
        if not file.exists():
            if not create:
                raise _nothing_there(str(address))
            file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"Cannot reach the folder of the database {file}: {error.strerror or error}. "
            "Check its permissions, or name another place."
        ) from error
    engine = sa.create_engine(
        address, creator=lambda: _connect_sqlite(file), poolclass=QueuePool, hide_parameters=True
    )
    sa.event.listen(engine, "checkin", _on_sqlite_checkin)
    sa.event.listen(engine, "connect", _on_sqlite_connect)
    sa.event.listen(engine, "begin", _on_sqlite_begin)
    return Database(engine=engine, url=str(address))


class _AsItLies(sqlite3.Connection):
    """A connection that takes the file as it lies there, and so does not see what others write later."""


def _on_sqlite_checkin(raw: object, record: Any) -> None:
    if isinstance(raw, _AsItLies):
        record.invalidate()


def _connect_sqlite(file: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(file, timeout=_WAIT_SECONDS, check_same_thread=False)
    try:
        raw.execute("PRAGMA schema_version")
    except sqlite3.OperationalError:
        raw.close()
        if os.access(file, os.W_OK) and os.access(file.parent, os.W_OK):
            raise
        log = file.with_name(f"{file.name}-wal")
        if not os.access(file, os.R_OK) or (log.exists() and log.stat().st_size):
            raise
        # Nobody may write here and nothing is unfinished: SQLite may read it without its files for coordination.
        address = f"file:{quote(str(file))}?immutable=1"
        raw = sqlite3.connect(address, uri=True, check_same_thread=False, factory=_AsItLies)
    return raw


def _on_sqlite_connect(raw: Any, _record: object) -> None:
    raw.isolation_level = None  # transactions begin where we say, not where the driver guesses
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("PRAGMA foreign_keys=ON")
    raw.execute("PRAGMA recursive_triggers=ON")  # so that REPLACE meets the triggers against deletion


def _on_sqlite_begin(connection: sa.Connection) -> None:
    exclusive = connection.get_execution_options().get("aims_write", False)
    connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if exclusive else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if exclusive else "BEGIN")


def _open_postgresql(address: sa.URL) -> Database:
    schema = address.query.get("schema", DEFAULT_SCHEMA)
    address = address.difference_update_query(["schema"])
    if not isinstance(schema, str) or not schema.isidentifier() or not schema.isascii() or len(schema) > 60:
        raise BadInput(
            Fault(
                where="database address",
                expected="one schema name of ASCII letters, digits and _",
                found=repr(schema),
            )
        )
    try:
        engine = sa.create_engine(address, hide_parameters=True, pool_pre_ping=True, pool_size=2)
    except ImportError as error:
        raise StoreUnavailable(
            "PostgreSQL needs the package psycopg, which is not installed. "
            "Install the extra: pip install 'aims-pipelines[postgres]'"
        ) from error

    def on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f'SET LOCAL search_path TO "{schema}"')  # holds behind a pooler, too

    sa.event.listen(engine, "begin", on_begin)
    return Database(
        engine=engine, url=address.set(query={}).render_as_string(hide_password=True), schema=schema
    )


def _lock_number(schema: str) -> int:
    """A number for PostgreSQL's advisory lock that nothing else is likely to use."""
    digest = hashlib.sha256(f"{_PRODUCT}/{schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _nothing_there(url: str) -> BadInput:
    return BadInput(
        Fault(
            where=url,
            expected="a ledger",
            found="none",
            remedy="Check the address; the first run of a governed asset creates the ledger.",
        )
    )


def _prepare(database: Database, *, create: bool) -> None:
    """Check that the database is ours, or empty and thus ours to take; create what it lacks."""
    with database.read() as connection:
        missing = _missing_tables(connection, database)
    if not create:
        if about.name in missing:
            raise _nothing_there(database.url)
        return
    if missing:
        with database.write() as connection:
            _missing_tables(connection, database)  # again: another process may have come first
            _create(connection, database)
    if not database.schema:
        _use_write_ahead_log(database)


def _missing_tables(connection: sa.Connection, database: Database) -> set[str]:
    """Name the declared tables that the database lacks.

    Raises:
        NotOurs: The database holds other tables than ours, and lacks our mark.
        StoreUnavailable: A newer version of this package made it.
    """
    present = set(sa.inspect(connection).get_table_names(schema=database.schema or None))
    if about.name in present:
        version = connection.execute(
            sa.select(about.c.version).where(about.c.product == _PRODUCT)
        ).scalar_one_or_none()
        if version is None:
            raise _not_ours(database)
        if version > SCHEMA_VERSION:
            raise StoreUnavailable(
                f"The database {database.url} is of version {version}; this package knows versions up to "
                f"{SCHEMA_VERSION}. Install a newer aims-pipelines."
            )
    elif present or _is_claimed(connection, database):
        raise _not_ours(database)
    return set(metadata.tables) - present


def _is_claimed(connection: sa.Connection, database: Database) -> bool:
    """Tell whether an SQLite file without tables says that it belongs to another application."""
    if database.schema:
        return False
    marks = [
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("application_id", "user_version")
    ]
    objects = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
    return bool(marks[0] or marks[1] or objects)


def _not_ours(database: Database) -> NotOurs:
    place = f"schema {database.schema} of {database.url}" if database.schema else database.url
    return NotOurs(
        f"{place}: expected a database made by aims-pipelines, or an empty one; found other tables in it. "
        "It was left alone. Name another place for the ledger."
    )


def _create(connection: sa.Connection, database: Database) -> None:
    if database.schema:
        connection.execute(sa.schema.CreateSchema(database.schema, if_not_exists=True))
    else:
        connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
    metadata.create_all(connection)
    if connection.execute(sa.select(about)).first() is None:
        connection.execute(about.insert().values(product=_PRODUCT, version=SCHEMA_VERSION))


def _use_write_ahead_log(database: Database) -> None:
    """Let readers and the writer of an SQLite file work side by side; outside a transaction, as it asks."""
    for _ in range(100):
        with _translated(database.url), database.engine.connect() as connection:
            raw = connection.connection
            try:
                if raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                    return
                raw.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if "readonly" in str(error):
                    return  # it can be read as it is
                if "locked" not in str(error):
                    raise
        time.sleep(0.05)


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Say what a failing database means for the one who waits for it."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError) as error:
        raise StoreUnavailable(_reason(url, error)) from error
    except sa.exc.DatabaseError as error:
        if type(error) is not sa.exc.DatabaseError:
            raise
        if "not a database" in str(error.orig):
            raise NotOurs(
                f"{url}: expected a database made by aims-pipelines, found a file that is no database. "
                "It was left alone. Name another place for the ledger."
            ) from error
        raise StoreUnavailable(_reason(url, error)) from error
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(_reason(url, error)) from error


def _reason(url: str, error: Exception) -> str:
    said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    for phrase, remedy in _REMEDIES.items():
        if phrase in said.lower():
            return f"The database {url} cannot be used: {said}. Nothing was written. {remedy}"
    return f"The database {url} cannot be used: {said}. Nothing was written."


_REMEDIES = {
    "full": "Free some space, then run it again.",
    "no space": "Free some space, then run it again.",
    "disk i/o": "Check the file system (space, quota, hardware), then run it again.",
    "readonly": "Give this user write permission to the file and its folder.",
    "read-only": "Give this user write permission to it.",
    "permission denied": "Give this user the permission.",
    "unable to open": "Check that its folder exists and that this user may read and write there.",
    "locked": "Another process has been writing for long; wait for it to end, then run it again.",
    "lock timeout": "Another process has been writing for long; wait for it to end, then run it again.",
    "malformed": "The file is damaged: restore it from a backup.",
    "connection": "Check that the server runs and that the address, user and password are right.",
}
