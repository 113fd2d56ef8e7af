"""Evidence files: reports and cards that ledger entries refer to by digest."""

import hashlib
from pathlib import Path
from typing import BinaryIO

from aims_pipelines.core.digest import file_digest, is_digest
from aims_pipelines.core.errors import BadInput, Fault, LedgerBroken, StoreUnavailable
from aims_pipelines.core.files import draft_in, sweep, sync_folder
from aims_pipelines.storage.database import sqlite_file

_CHUNK = 1 << 20


def default_evidence_dir(url: str) -> Path:
    """The folder of evidence files of a ledger where nothing else is said: beside the SQLite file.

    Raises:
        BadInput: The ledger is in a database server, so there is no place beside it.
    """
    file = sqlite_file(url)
    if file is None:
        raise BadInput(
            Fault(
                where="evidence folder", expected="a folder, as the ledger is in a server", found="none given"
            )
        )
    return file.parent / "evidence"


class EvidenceStore:
    """A folder of files named by their contents; what is there never changes.

    Args:
        folder: Where the files are kept; created when the first is put.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, source: bytes | Path) -> str:
        """Keep a file. It is on disk, whole, on return; putting it again changes nothing.

        Args:
            source: The contents, or a file to copy.

        Returns:
            Digest of the contents, ``sha256:…``.

        Raises:
            StoreUnavailable: The file cannot be read or the folder not written; nothing is left behind.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            sweep(self.folder)
            with draft_in(self.folder, "evidence") as draft:
                digest = _copy(source, draft.sink)
                target = self.path(digest)
                target.parent.mkdir(exist_ok=True)
                draft.put(target)  # over a damaged file of that name, too: these bytes are right
            sync_folder(target.parent)
            sync_folder(self.folder)
        except OSError as error:
            raise StoreUnavailable(
                f"Cannot keep an evidence file in {self.folder}: {error.strerror or error}. Nothing was recorded. "
                "Check the folder's permissions and free space, then run it again."
            ) from error
        return digest

    def open(self, digest: str) -> BinaryIO:
        """Open a file for reading, after checking that its contents are still those that were put.

        Raises:
            BadInput: That is not a digest.
            LedgerBroken: The file is missing or was changed.
            StoreUnavailable: The file cannot be read.
        """
        found = self.actual_digest(digest)
        path = self.path(digest)
        if found is None:
            raise LedgerBroken(f"Evidence is missing: {path}. Restore it from a backup.")
        if found != digest:
            raise LedgerBroken(
                f"Evidence was changed: expected {digest}, found {found} in {path}. Restore it from a backup."
            )
        return path.open("rb")

    def actual_digest(self, digest: str) -> str | None:
        """Digest of the contents that the file with this digest now has; ``None`` if there is no such file.

        Raises:
            BadInput: That is not a digest.
            StoreUnavailable: The file cannot be read.
        """
        path = self.path(digest)
        try:
            return file_digest(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(f"Cannot read evidence {path}: {error.strerror or error}.") from error

    def path(self, digest: str) -> Path:
        """Where the file with this digest is, or would be.

        Raises:
            BadInput: That is not a digest.
        """
        if not is_digest(digest):
            raise BadInput(
                Fault(where="evidence", expected="sha256: and 64 hexadecimal digits", found=repr(digest))
            )
        name = digest.removeprefix("sha256:")
        return self.folder / name[:2] / name


def _copy(source: bytes | Path, sink: BinaryIO) -> str:
    """Write the contents and return their digest; a file is read once."""
    digest = hashlib.sha256()
    if isinstance(source, bytes):
        digest.update(source)
        sink.write(source)
        return f"sha256:{digest.hexdigest()}"
    with source.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            sink.write(chunk)
    return f"sha256:{digest.hexdigest()}"
