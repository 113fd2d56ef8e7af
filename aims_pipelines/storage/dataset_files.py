"""Parquet files of datasets: where they lie, written whole or not at all, hashed on the way."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aims_pipelines.core.errors import StoreUnavailable
from aims_pipelines.core.files import draft_in, sweep, sync_folder

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_PER_GROUP = 131_072


def version_path(dataset: str, digest: str) -> str:
    """Where the rows with a digest are kept, relative to the store's folder."""
    return f"{_folder(dataset)}/_v/{digest.removeprefix('sha256:')}.parquet"


def quarantine_path(dataset: str, name: str) -> str:
    """Where a quarantined candidate is kept, relative to the store's folder."""
    return f"_quarantine/{_folder(dataset)}/{name}.parquet"


def write_parquet(target: Path, table: "pa.Table") -> str:
    """Write a table to a file so that the file is either whole or absent.

    Returns:
        Digest of the file, ``sha256:…``.

    Raises:
        StoreUnavailable: The folder cannot be written (permissions, full disk); nothing is left behind.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        with draft_in(target.parent, target.name) as draft:
            hashing = _HashingFile(draft.sink)
            with pa.PythonFile(hashing, mode="w") as sink:
                pq.write_table(table, sink, compression="zstd", row_group_size=_ROWS_PER_GROUP)
            draft.put(target)
        sync_folder(target.parent)
    except (OSError, pa.ArrowException) as error:
        raise StoreUnavailable(
            f"Cannot write {target}: {error}. Nothing was published. "
            "Check the folder's permissions and free space, then materialise again."
        ) from error
    return f"sha256:{hashing.digest.hexdigest()}"


class _HashingFile:
    """A binary file that hashes what is written to it, so that the bytes are read only once."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.digest = hashlib.sha256()
        self.closed = False

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return int(self._raw.write(data))

    def flush(self) -> None:
        self._raw.flush()

    def tell(self) -> int:
        return int(self._raw.tell())

    def close(self) -> None:
        self.closed = True


def _folder(dataset: str) -> str:
    """A folder for a dataset: one level per part of its name, with nothing in it that a file system minds."""
    return "/".join(quote(part, safe="") for part in dataset.split("/"))
