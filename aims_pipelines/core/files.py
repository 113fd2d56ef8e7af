"""Files that are either whole or absent, and what killed processes leave behind."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

_LEFTOVER_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Draft:
    """A file that is being written under a name of its own.

    Args:
        path: Where it lies meanwhile.
        sink: What to write to.
    """

    path: Path
    sink: BinaryIO

    def put(self, target: Path) -> None:
        """Give it its name, its contents on disk, in place of any file that has that name.

        Raises:
            OSError: It cannot be written there; what was there stays.
        """
        self.sink.flush()
        os.fsync(self.sink.fileno())
        self.path.replace(target)


@contextmanager
def draft_in(folder: Path, name: str) -> Iterator[Draft]:
    """Begin a file in the folder that it is to lie in, and remove it again unless it is put in place.

    Args:
        folder: The folder.
        name: What tells a reader of the folder what was begun, should the process be killed.

    Raises:
        OSError: It cannot be written there.
    """
    path = folder / f".{name[:100]}.{uuid.uuid4().hex}.tmp"
    try:
        with path.open("xb") as sink:
            yield Draft(path, sink)
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def write_whole(target: Path, data: bytes) -> None:
    """Write a file, the whole of it or nothing, in place of any that has its name.

    Raises:
        OSError: It cannot be written there; what was there stays.
    """
    with draft_in(target.parent, target.name) as draft:
        draft.sink.write(data)
        draft.put(target)


def sweep(folder: Path) -> None:
    """Remove drafts that killed processes left long ago."""
    limit = (datetime.now(UTC) - _LEFTOVER_AGE).timestamp()
    for leftover in folder.glob(".*.tmp"):
        with suppress(OSError):
            if leftover.stat().st_mtime < limit:
                leftover.unlink()


def sync_folder(folder: Path) -> None:
    """Have the folder's names on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
