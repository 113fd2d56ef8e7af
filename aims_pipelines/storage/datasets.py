"""Published versions of governed datasets, and quarantined candidates.

Rows are content-addressed Parquet files; versions, heads and claims are rows in the database of the ledger, so
that a version and its evidence appear in one transaction. A file without a version is invisible: a process
killed between the two leaves nothing that a reader could see.
"""

import hashlib
import os
import socket
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy as sa

from aims_pipelines.core.errors import GateRefused, StoreUnavailable
from aims_pipelines.storage.schema import metadata

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.storage.database import Database

_LEFTOVER_AGE = timedelta(days=1)
_CLAIM_LAPSES_AFTER = timedelta(minutes=15)
_ROWS_PER_GROUP = 131_072

versions = sa.Table(
    "dataset_version",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("dataset", sa.String(512), nullable=False),
    sa.Column("partition", sa.String(512), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("digest", sa.String(80), nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("evidence", sa.String(64), nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False),
    sa.Column("published_at", sa.String(40), nullable=False),
    sa.UniqueConstraint("dataset", "partition", "number"),
)
contents = sa.Table(
    "dataset_content",
    metadata,
    sa.Column("dataset", sa.String(512), primary_key=True),
    sa.Column("digest", sa.String(80), primary_key=True),
    sa.Column("arrow_schema", sa.LargeBinary, nullable=False),
    sa.Column("profile", sa.LargeBinary, nullable=False),
)
files = sa.Table(
    "dataset_file",
    metadata,
    sa.Column("dataset", sa.String(512), primary_key=True),
    sa.Column("digest", sa.String(80), primary_key=True),
    sa.Column("path", sa.String(1024), nullable=False),
    sa.Column("sha256", sa.String(80), nullable=False),
)
claims = sa.Table(
    "dataset_claim",
    metadata,
    sa.Column("dataset", sa.String(512), primary_key=True),
    sa.Column("partition", sa.String(512), primary_key=True),
    sa.Column("run_id", sa.String(64), nullable=False),
    sa.Column("host", sa.String(256), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("claimed_at", sa.String(40), nullable=False),
)
quarantined = sa.Table(
    "dataset_quarantine",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("dataset", sa.String(512), nullable=False),
    sa.Column("partition", sa.String(512), nullable=False),
    sa.Column("digest", sa.String(80), nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("path", sa.String(1024), nullable=False),
    sa.Column("evidence", sa.String(64), nullable=False),
    sa.Column("reason", sa.String(2000), nullable=False),
    sa.Column("quarantined_at", sa.String(40), nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A published version of a dataset (of one partition of it, if it has partitions).

    Args:
        dataset: Name of the governed asset.
        partition: Partition key; empty for an unpartitioned dataset.
        number: 1, 2, 3 … within the partition.
        digest: Digest of its rows.
        rows: Number of rows.
        evidence: Ledger entry with the passing verdicts.
        run_id: Run that published it.
        published_at: When, aware UTC.
    """

    dataset: str
    partition: str
    number: int
    digest: str
    rows: int
    evidence: str
    run_id: str
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A refused candidate that is kept for people to look at.

    Args:
        id: Name of the quarantined candidate, such as ``q-1f0c…``.
        dataset: Name of the governed asset.
        partition: Partition key; empty for an unpartitioned dataset.
        digest: Digest of its rows.
        rows: Number of rows.
        path: File, relative to the store's folder.
        reason: Which checks refused it.
        quarantined_at: When, aware UTC.
        evidence: Ledger entry with the verdicts; empty until it is recorded.
    """

    id: str
    dataset: str
    partition: str
    digest: str
    rows: int
    path: str
    reason: str
    quarantined_at: datetime
    evidence: str = ""


class DatasetStore:
    """Stage, publish, quarantine and read versions.

    Args:
        database: Where versions are kept; the ledger's database.
        root: Folder of the files.
    """

    def __init__(self, database: "Database", root: Path) -> None:
        self.database = database
        self.root = root

    # -- reading ---------------------------------------------------------------------------------------------

    def head(self, dataset: str, partition: str = "") -> Version | None:
        """The current version, ``None`` before the first publication."""
        with self.database.read() as connection:
            return _head(connection, dataset, partition)

    def versions(self, dataset: str | None = None) -> list[Version]:
        """All versions in the order of publication, of one dataset or of all."""
        query = sa.select(versions).order_by(versions.c.position)
        if dataset is not None:
            query = query.where(versions.c.dataset == dataset)
        with self.database.read() as connection:
            return [_version(row) for row in connection.execute(query)]

    def profile(self, dataset: str, digest: str) -> bytes | None:
        """The serialised profile of a version's rows, ``None`` if there is none."""
        query = sa.select(contents.c.profile).where(
            contents.c.dataset == dataset, contents.c.digest == digest
        )
        with self.database.read() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else bytes(found)

    def poolable(self, dataset: str, *, limit: int = 20) -> list[str]:
        """Digests of judged rows whose windows may be pooled with the next one, the newest first.

        Those are the published versions and the candidates that drift alone kept out.
        """
        published = sa.select(versions.c.digest, versions.c.published_at.label("at")).where(
            versions.c.dataset == dataset
        )
        refused = sa.select(quarantined.c.digest, quarantined.c.quarantined_at.label("at")).where(
            quarantined.c.dataset == dataset, quarantined.c.reason == "drift"
        )
        both = sa.union_all(published, refused).subquery()
        with self.database.read() as connection:
            rows = connection.execute(sa.select(both.c.digest).order_by(both.c.at.desc()).limit(limit))
            return list(dict.fromkeys(row.digest for row in rows))

    def schemas(self, dataset: str) -> list["pa.Schema"]:
        """Distinct Arrow schemas of the published versions, the newest first."""
        import pyarrow as pa

        query = (
            sa.select(contents.c.arrow_schema)
            .join(
                versions,
                sa.and_(versions.c.dataset == contents.c.dataset, versions.c.digest == contents.c.digest),
            )
            .where(contents.c.dataset == dataset)
            .order_by(versions.c.position.desc())
        )
        with self.database.read() as connection:
            distinct = dict.fromkeys(bytes(row.arrow_schema) for row in connection.execute(query))
        return [pa.ipc.read_schema(pa.py_buffer(schema)) for schema in distinct]

    def read(self, dataset: str, digest: str) -> "pa.Table":
        """Read the rows of a version, after verifying the file's digest.

        Raises:
            StoreUnavailable: The file is missing, or its bytes are not those that were published.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        query = sa.select(files).where(files.c.dataset == dataset, files.c.digest == digest)
        with self.database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise StoreUnavailable(
                f"No stored rows for {dataset!r} with digest {digest}; it was published through another IO manager."
            )
        path = self.root / row.path
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StoreUnavailable(
                f"Cannot read version {digest} of {dataset!r} from {path}: {error.strerror or error}. "
                "Restore the file from a backup."
            ) from error
        found = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if found != row.sha256:
            raise StoreUnavailable(
                f"The file of version {digest} of {dataset!r} was changed after publication: expected {row.sha256}, "
                f"found {found} in {path}. Restore it from a backup."
            )
        return pq.read_table(pa.BufferReader(data))

    def quarantine_list(self, dataset: str | None = None) -> list[Quarantined]:
        """Quarantined candidates, the newest first, of one dataset or of all."""
        query = sa.select(quarantined).order_by(quarantined.c.quarantined_at.desc())
        if dataset is not None:
            query = query.where(quarantined.c.dataset == dataset)
        with self.database.read() as connection:
            return [_quarantined(row) for row in connection.execute(query)]

    # -- writing ---------------------------------------------------------------------------------------------

    def stage(self, dataset: str, digest: str, table: "pa.Table") -> None:
        """Write the rows of a candidate to their content-addressed file. Invisible until published; repeatable.

        Raises:
            StoreUnavailable: The folder cannot be written (permissions, full disk); nothing is left behind.
        """
        relative = Path(_folder(dataset)) / "_v" / f"{digest.removeprefix('sha256:')}.parquet"
        sha256 = self._write(relative, table)
        row = {"dataset": dataset, "digest": digest, "path": relative.as_posix(), "sha256": sha256}
        key = (files.c.dataset == dataset) & (files.c.digest == digest)
        with self.database.write() as connection:
            if connection.execute(sa.select(files.c.path).where(key)).one_or_none() is None:
                connection.execute(files.insert().values(row))
            else:
                connection.execute(files.update().where(key).values(row))

    def claim(
        self, dataset: str, partition: str, *, expect: Version | None, run_id: str, at: datetime
    ) -> None:
        """Reserve the next version for one run, so that two runs cannot publish over each other.

        The claim of a process that died lapses: at once on the same host, after a quarter of an hour elsewhere.

        Args:
            dataset: Name of the dataset.
            partition: Partition key; empty for an unpartitioned dataset.
            expect: The version that was current when the candidate was judged.
            run_id: The run that wants to publish.
            at: Time of the claim, aware UTC.

        Raises:
            GateRefused: Another live run is publishing, or another version became current meanwhile.
        """
        key = (claims.c.dataset == dataset) & (claims.c.partition == partition)
        with self.database.write() as connection:
            held = connection.execute(sa.select(claims).where(key)).one_or_none()
            if held is not None and held.run_id != run_id and _is_live(held, at):
                raise GateRefused(
                    f"Refused {dataset!r}: run {held.run_id} is publishing it right now. "
                    "Next: wait for that run to end and materialise again."
                )
            _expect_head(connection, dataset, partition, expect)
            connection.execute(claims.delete().where(key))
            connection.execute(
                claims.insert().values(
                    dataset=dataset,
                    partition=partition,
                    run_id=run_id,
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    claimed_at=at.isoformat(),
                )
            )

    def release(self, dataset: str, partition: str, *, run_id: str) -> None:
        """Give up a claim, after the publication failed."""
        with self.database.write() as connection:
            connection.execute(
                claims.delete().where(
                    claims.c.dataset == dataset, claims.c.partition == partition, claims.c.run_id == run_id
                )
            )

    def describe_content(
        self, dataset: str, digest: str, *, schema: "pa.Schema", profile: bytes, connection: sa.Connection
    ) -> None:
        """Keep the schema and profile of judged rows, published or refused, within the caller's transaction."""
        key = (contents.c.dataset == dataset) & (contents.c.digest == digest)
        if connection.execute(sa.select(contents.c.digest).where(key)).one_or_none() is None:
            connection.execute(
                contents.insert().values(
                    dataset=dataset,
                    digest=digest,
                    arrow_schema=schema.serialize().to_pybytes(),
                    profile=profile,
                )
            )

    def publish(self, version: Version, *, expect: Version | None, connection: sa.Connection) -> None:
        """Make a version current, within the caller's transaction, and release the claim on it.

        Raises:
            GateRefused: Another version became current since the candidate was judged.
        """
        _expect_head(connection, version.dataset, version.partition, expect)
        connection.execute(
            versions.insert().values(
                dataset=version.dataset,
                partition=version.partition,
                number=version.number,
                digest=version.digest,
                rows=version.rows,
                evidence=version.evidence,
                run_id=version.run_id,
                published_at=version.published_at.isoformat(),
            )
        )
        connection.execute(
            claims.delete().where(
                claims.c.dataset == version.dataset, claims.c.partition == version.partition
            )
        )

    def keep_refused(self, path: str, table: "pa.Table") -> None:
        """Write the rows of a refused candidate to its place in quarantine.

        Raises:
            StoreUnavailable: The folder cannot be written; nothing is left behind.
        """
        self._write(Path(path), table)

    def quarantine(self, item: Quarantined, *, evidence: str, connection: sa.Connection) -> None:
        """Record a refused candidate, whose rows were kept before, within the caller's transaction."""
        connection.execute(
            quarantined.insert().values(
                id=item.id,
                dataset=item.dataset,
                partition=item.partition,
                digest=item.digest,
                rows=item.rows,
                path=item.path,
                evidence=evidence,
                reason=item.reason[:2000],
                quarantined_at=item.quarantined_at.isoformat(),
            )
        )

    def _write(self, relative: Path, table: "pa.Table") -> str:
        """Write a Parquet file so that it is either whole or absent; return its digest."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        target = self.root / relative
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _sweep(target.parent)
            with temporary.open("wb") as raw:
                hashing = _HashingFile(raw)
                with pa.PythonFile(hashing, mode="w") as sink:
                    pq.write_table(table, sink, compression="zstd", row_group_size=_ROWS_PER_GROUP)
                raw.flush()
                os.fsync(raw.fileno())
            temporary.replace(target)
            _sync_folder(target.parent)
        except (OSError, pa.ArrowException) as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise StoreUnavailable(
                f"Cannot write {target}: {error}. Nothing was published. "
                "Check the folder's permissions and free space, then materialise again."
            ) from error
        return f"sha256:{hashing.digest.hexdigest()}"


def quarantine_path(dataset: str, name: str) -> str:
    """Where a quarantined candidate is kept, relative to the store's folder."""
    return f"_quarantine/{_folder(dataset)}/{name}.parquet"


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


def _head(connection: sa.Connection, dataset: str, partition: str) -> Version | None:
    query = (
        sa.select(versions)
        .where(versions.c.dataset == dataset, versions.c.partition == partition)
        .order_by(versions.c.number.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _version(row)


def _expect_head(connection: sa.Connection, dataset: str, partition: str, expect: Version | None) -> None:
    head = _head(connection, dataset, partition)
    if (head.number if head else 0) != (expect.number if expect else 0):
        assert head is not None  # noqa: S101 - numbers only grow
        raise GateRefused(
            f"Refused {dataset!r}: version {head.number} was published by run {head.run_id} while this candidate "
            "was being judged, so its verdicts are about an older state. Next: materialise again."
        )


def _is_live(claim: Any, at: datetime) -> bool:
    """Whether the process behind a claim may still be publishing."""
    if at - datetime.fromisoformat(claim.claimed_at) > _CLAIM_LAPSES_AFTER:
        return False
    if claim.host != socket.gethostname():
        return True
    try:
        os.kill(claim.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _version(row: Any) -> Version:
    return Version(
        dataset=row.dataset,
        partition=row.partition,
        number=row.number,
        digest=row.digest,
        rows=row.rows,
        evidence=row.evidence,
        run_id=row.run_id,
        published_at=datetime.fromisoformat(row.published_at),
    )


def _quarantined(row: Any) -> Quarantined:
    return Quarantined(
        id=row.id,
        dataset=row.dataset,
        partition=row.partition,
        digest=row.digest,
        rows=row.rows,
        path=row.path,
        evidence=row.evidence,
        reason=row.reason,
        quarantined_at=datetime.fromisoformat(row.quarantined_at),
    )


def _folder(dataset: str) -> str:
    """A folder for a dataset: one level per part of its name, with nothing in it that a file system minds."""
    return "/".join(quote(part, safe="") for part in dataset.split("/"))


def _sweep(folder: Path) -> None:
    """Remove temporary files that killed processes left long ago."""
    limit = (datetime.now(UTC) - _LEFTOVER_AGE).timestamp()
    for leftover in folder.glob(".*.tmp"):
        with suppress(OSError):
            if leftover.stat().st_mtime < limit:
                leftover.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
