"""Claims on the next version of a dataset: of several runs at once, one may write and publish.

A claim is a row with the process that holds it. While that process writes, it renews the claim from a thread; a claim
that was not renewed for long is nobody's. Whether a run may publish is asked once more in the transaction that
publishes, so a process that slept through the end of its claim publishes nothing.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from aims_pipelines.core.errors import AimsError, GateRefused
from aims_pipelines.storage.dataset_tables import claims
from aims_pipelines.storage.processes import is_alive

if TYPE_CHECKING:
    from aims_pipelines.storage.database import Database

LAPSES_AFTER: Final = timedelta(minutes=15)
RENEWED_EVERY: Final = timedelta(minutes=1)


def take_claim(connection: sa.Connection, dataset: str, partition: str, *, run_id: str) -> None:
    """Take the claim for a run, within the caller's transaction; a run may take its own again.

    Raises:
        GateRefused: Another live run holds it.
    """
    held = _held(connection, dataset, partition)
    if held is not None and held.run_id != run_id and _is_live(held):
        raise GateRefused(
            f"Refused {dataset!r}: run {held.run_id} is publishing it right now. "
            "Next: wait for that run to end and materialise again."
        )
    connection.execute(claims.delete().where(_at(dataset, partition)))
    connection.execute(
        claims.insert().values(
            dataset=dataset,
            partition=partition,
            run_id=run_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            claimed_at=datetime.now(UTC).isoformat(),
        )
    )


def require_claim(connection: sa.Connection, dataset: str, partition: str, *, run_id: str) -> None:
    """Return if a run holds the claim, within the caller's transaction.

    Raises:
        GateRefused: It does not: another run took it after this one had not renewed it for long.
    """
    held = _held(connection, dataset, partition)
    if held is None or held.run_id != run_id:
        taken = f"run {held.run_id} took it" if held is not None else "another run took it and published"
        raise GateRefused(
            f"Refused {dataset!r}: this run stood still for so long that its claim on the next version lapsed, and "
            f"{taken}. What it wrote meanwhile is not the current version. Next: materialise again."
        )


def release_claim(connection: sa.Connection, dataset: str, partition: str, *, run_id: str) -> None:
    """Give up a run's claim, within the caller's transaction."""
    connection.execute(claims.delete().where(_at(dataset, partition), claims.c.run_id == run_id))


def drop_claim(database: "Database", dataset: str, partition: str, *, run_id: str) -> None:
    """Give up a run's claim, after its publication failed."""
    with database.write() as connection:
        release_claim(connection, dataset, partition, run_id=run_id)


@contextmanager
def renewed(
    database: "Database",
    dataset: str,
    partition: str,
    *,
    run_id: str,
    every: timedelta = RENEWED_EVERY,
) -> Iterator[None]:
    """Keep a run's claim alive, from a thread of its own, until the block ends."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(every.total_seconds()):
            with (
                suppress(AimsError),
                database.write() as connection,
            ):  # a busy database: the next time will do
                connection.execute(
                    claims.update()
                    .where(_at(dataset, partition), claims.c.run_id == run_id)
                    .values(claimed_at=datetime.now(UTC).isoformat())
                )

    thread = threading.Thread(target=renew, name=f"aims claim on {dataset}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _held(connection: sa.Connection, dataset: str, partition: str) -> Any:
    return connection.execute(sa.select(claims).where(_at(dataset, partition))).one_or_none()


def _at(dataset: str, partition: str) -> sa.ColumnElement[bool]:
    return (claims.c.dataset == dataset) & (claims.c.partition == partition)


def _is_live(claim: Any) -> bool:
    """Whether the process behind a claim may still be writing."""
    if datetime.now(UTC) - datetime.fromisoformat(claim.claimed_at) > LAPSES_AFTER:
        return False
    return claim.host != socket.gethostname() or is_alive(claim.pid)
