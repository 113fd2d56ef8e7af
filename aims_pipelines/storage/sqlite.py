"""What is particular to SQLite: one file, which processes of one machine share."""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from aims_pipelines.core.errors import BadInput, Fault, StoreUnavailable
from aims_pipelines.storage.database_errors import nothing_there, translated

APPLICATION_ID = 0x41494D53  # "AIMS", in the header of the file


def sqlite_engine(address: sa.URL, *, create: bool, wait_seconds: float) -> sa.Engine:
    """Make the engine of an SQLite file, and the folder that it is to lie in.

    Args:
        address: Names the file.
        create: Whether the file may be missing; it is made on first use.
        wait_seconds: How long a writer waits for another one, in seconds.

    Returns:
        An engine whose transactions only read, unless the execution option ``aims_write`` says otherwise.

    Raises:
        BadInput: The address is that of a folder, or there is nothing and nothing is to be created.
        StoreUnavailable: The folder cannot be reached.
    """
    file = Path(str(address.database))
    try:
        if file.is_dir():
            raise BadInput(Fault(where=str(file), expected="a database file", found="a folder"))
        if not file.exists():
            if not create:
                raise nothing_there(str(address))
            file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"Cannot reach the folder of the database {file}: {error.strerror or error}. "
            "Check its permissions, or name another place."
        ) from error
    engine = sa.create_engine(
        address, creator=lambda: _connect(file, wait_seconds), poolclass=QueuePool, hide_parameters=True
    )
    sa.event.listen(engine, "checkin", _on_checkin)
    sa.event.listen(engine, "connect", _on_connect)
    sa.event.listen(engine, "begin", _on_begin)
    return engine


class _AsItLies(sqlite3.Connection):
    """A connection that takes the file as it lies there, and so does not see what others write later."""


def _on_checkin(raw: object, record: Any) -> None:
    if isinstance(raw, _AsItLies):
        record.invalidate()


def _connect(file: Path, wait_seconds: float) -> sqlite3.Connection:
    raw = sqlite3.connect(file, timeout=wait_seconds, check_same_thread=False)
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


def _on_connect(raw: Any, _record: object) -> None:
    raw.isolation_level = None  # transactions begin where we say, not where the driver guesses
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("PRAGMA foreign_keys=ON")
    raw.execute("PRAGMA recursive_triggers=ON")  # so that REPLACE meets the triggers against deletion


def _on_begin(connection: sa.Connection) -> None:
    exclusive = connection.get_execution_options().get("aims_write", False)
    connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if exclusive else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if exclusive else "BEGIN")


def is_claimed(connection: sa.Connection) -> bool:
    """Tell whether an SQLite file without tables says that it belongs to another application."""
    marks = [
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
        for name in ("application_id", "user_version")
    ]
    objects = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
    return bool(marks[0] or marks[1] or objects)


def claim(connection: sa.Connection) -> None:
    """Say in the header of the file that it is ours."""
    connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")


def use_write_ahead_log(engine: sa.Engine, url: str) -> None:
    """Let readers and the writer of an SQLite file work side by side; outside a transaction, as it asks."""
    for _ in range(100):
        with translated(url), engine.connect() as connection:
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
