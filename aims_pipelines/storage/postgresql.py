"""What is particular to PostgreSQL: a schema of our own, and the lock that makes writers queue."""

import hashlib

import sqlalchemy as sa

from aims_pipelines.core.errors import BadInput, Fault, StoreUnavailable
from aims_pipelines.storage.schema import PRODUCT

_DEFAULT_SCHEMA = "aims"


def postgresql_engine(address: sa.URL) -> tuple[sa.Engine, str]:
    """Make the engine of a PostgreSQL database.

    Args:
        address: May name the schema that holds our tables with ``?schema=NAME``.

    Returns:
        The engine, which looks for tables in the schema; and the schema's name.

    Raises:
        BadInput: The schema's name is not one that needs no quoting.
        StoreUnavailable: The driver is not installed.
    """
    schema = address.query.get("schema", _DEFAULT_SCHEMA)
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
    return engine, schema


def take_write_lock(connection: sa.Connection, schema: str, *, wait_seconds: int) -> None:
    """Hold the one write lock of a schema until the transaction ends.

    Args:
        connection: In a transaction.
        schema: The schema that is written to.
        wait_seconds: How long to wait for another writer, in seconds.
    """
    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{wait_seconds}s'"))
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_lock_number(schema))))


def _lock_number(schema: str) -> int:
    """A number for PostgreSQL's advisory lock that nothing else is likely to use."""
    digest = hashlib.sha256(f"{PRODUCT}/{schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
