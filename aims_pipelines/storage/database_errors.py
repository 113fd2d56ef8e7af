"""What goes wrong with a database, in the words of those who have to mend it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from aims_pipelines.core.errors import BadInput, Fault, NotOurs, StoreUnavailable

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


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Say what a failing database means for the one who waits for it.

    Args:
        url: Address of the database, without its password.

    Raises:
        StoreUnavailable: The database does not answer, or cannot do what it was asked for.
        NotOurs: The file is no database.
    """
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
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    said = lines[0] if lines else type(cause).__name__
    for phrase, remedy in _REMEDIES.items():
        if phrase in said.lower():
            return f"The database {url} cannot be used: {said}. Nothing was written. {remedy}"
    return f"The database {url} cannot be used: {said}. Nothing was written."


def nothing_there(url: str) -> BadInput:
    """The error that says that there is no database at an address."""
    return BadInput(
        Fault(
            where=url,
            expected="a ledger",
            found="none",
            remedy="Check the address; the first run of a governed asset creates the ledger.",
        )
    )
