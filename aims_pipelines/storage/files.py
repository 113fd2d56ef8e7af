"""Files that are either whole or absent, and what killed processes leave behind."""

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

_LEFTOVER_AGE = timedelta(days=1)


def sweep(folder: Path) -> None:
    """Remove temporary files that killed processes left long ago."""
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
