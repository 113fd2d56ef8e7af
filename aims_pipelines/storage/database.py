"""The database of the ledger and the version tables: SQLite for one machine, PostgreSQL for a team.

Whoever writes holds the one write lock of the database for the length of its transaction, so writers queue
and none works on a state that another is changing.
"""

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from aims_pipelines.core.errors import BadInput, Fault, NotOurs, StoreUnavailable
from aims_pipelines.storage.database_errors import nothing_there, translated
from aims_pipelines.storage.postgresql import postgresql_engine, take_write_lock
from aims_pipelines.storage.schema import PRODUCT, SCHEMA_VERSION, about, metadata
from aims_pipelines.storage.sqlite import claim, is_claimed, sqlite_engine, use_write_ahead_log

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
        with translated(self.url), self.engine.connect() as connection:
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
        with translated(self.url), self.engine.connect() as connection:
            connection = connection.execution_options(aims_write=True)  # noqa: PLW2901 - the same connection
            if (
                self.schema
            ):  # each statement sees what was committed before it, so also after waiting for the lock
                connection = connection.execution_options(isolation_level="READ COMMITTED")  # noqa: PLW2901 - the same connection
            with connection.begin():
                if self.schema:
                    take_write_lock(connection, self.schema, wait_seconds=_WAIT_SECONDS)
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
    if address.get_backend_name() == "sqlite":
        engine, schema = sqlite_engine(address, create=create, wait_seconds=_WAIT_SECONDS), ""
    else:
        engine, schema = postgresql_engine(address)
    shown = address.set(query={}).render_as_string(hide_password=True)
    database = Database(engine=engine, url=shown, schema=schema)
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


def _prepare(database: Database, *, create: bool) -> None:
    """Check that the database is ours, or empty and thus ours to take; create what it lacks."""
    with database.read() as connection:
        missing = _missing_tables(connection, database)
    if not create:
        if about.name in missing:
            raise nothing_there(database.url)
        return
    if missing:
        with database.write() as connection:
            _missing_tables(connection, database)  # again: another process may have come first
            _create(connection, database)
    if not database.schema:
        use_write_ahead_log(database.engine, database.url)


def _missing_tables(connection: sa.Connection, database: Database) -> set[str]:
    """Name the declared tables that the database lacks.

    Raises:
        NotOurs: The database holds other tables than ours, and lacks our mark.
        StoreUnavailable: A newer version of this package made it.
    """
    present = set(sa.inspect(connection).get_table_names(schema=database.schema or None))
    if about.name in present:
        version = connection.execute(
            sa.select(about.c.version).where(about.c.product == PRODUCT)
        ).scalar_one_or_none()
        if version is None:
            raise _not_ours(database)
        if version > SCHEMA_VERSION:
            raise StoreUnavailable(
                f"The database {database.url} is of version {version}; this package knows versions up to "
                f"{SCHEMA_VERSION}. Install a newer aims-pipelines."
            )
    elif present or (not database.schema and is_claimed(connection)):
        raise _not_ours(database)
    return set(metadata.tables) - present


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
        claim(connection)
    metadata.create_all(connection)
    if connection.execute(sa.select(about)).first() is None:
        connection.execute(about.insert().values(product=PRODUCT, version=SCHEMA_VERSION))
