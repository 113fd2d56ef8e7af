"""Published versions of governed datasets, and quarantined candidates.

Rows are content-addressed Parquet files; versions, heads and claims are rows in the database of the ledger, so
that a version and its evidence appear in one transaction. A file without a version is invisible: a process
killed between the two leaves nothing that a reader could see.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from aims_pipelines.core.digest import file_digest
from aims_pipelines.core.errors import AimsError, GateRefused, StoreUnavailable
from aims_pipelines.storage.dataset_claims import (
    drop_claim,
    release_claim,
    renewed,
    require_claim,
    take_claim,
)
from aims_pipelines.storage.dataset_files import version_path, write_parquet
from aims_pipelines.storage.dataset_tables import (
    Quarantined,
    Version,
    contents,
    files,
    quarantined,
    quarantined_of,
    version_of,
    versions,
)
from aims_pipelines.storage.pooling import DRIFT_ALONE, JudgedWindow, poolable_windows

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.storage.database import Database


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
            return [version_of(row) for row in connection.execute(query)]

    def profile(self, dataset: str, digest: str) -> bytes | None:
        """The serialised profile of a version's rows, ``None`` if there is none."""
        query = sa.select(contents.c.profile).where(
            contents.c.dataset == dataset, contents.c.digest == digest
        )
        with self.database.read() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else bytes(found)

    def poolable(self, dataset: str, partition: str = "") -> list[str]:
        """Digests of judged rows whose windows may be pooled with the next one of a partition, the newest first.

        Those are the published versions and the candidates that drift alone kept out, as
        :func:`~aims_pipelines.storage.pooling.poolable_windows` chooses them.
        """
        published = sa.select(
            versions.c.digest, versions.c.partition, versions.c.published_at.label("at")
        ).where(versions.c.dataset == dataset)
        refused = sa.select(
            quarantined.c.digest, quarantined.c.partition, quarantined.c.quarantined_at.label("at")
        ).where(quarantined.c.dataset == dataset, quarantined.c.reason == DRIFT_ALONE)
        with self.database.read() as connection:
            rows = connection.execute(sa.union_all(published, refused)).all()
        return poolable_windows(
            (
                JudgedWindow(at=datetime.fromisoformat(row.at), partition=row.partition, digest=row.digest)
                for row in rows
            ),
            partition=partition,
        )

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

    def read_judged(self, dataset: str, digest: str) -> "pa.Table":
        """Read rows that were judged: those of a refused candidate from quarantine, or those of a version.

        Rows from quarantine come as they are found: the caller holds them against the digest.

        Raises:
            StoreUnavailable: There are none, or they cannot be read.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        query = (
            sa.select(quarantined.c.path)
            .where(quarantined.c.dataset == dataset, quarantined.c.digest == digest)
            .order_by(quarantined.c.quarantined_at.desc())
        )
        with self.database.read() as connection:
            places = [self.root / row.path for row in connection.execute(query)]
        place = next((path for path in places if path.is_file()), None)
        if place is None:
            return self.read(dataset, digest)
        try:
            return pq.read_table(place)
        except (OSError, pa.ArrowException) as error:
            raise StoreUnavailable(f"Cannot read the quarantined rows {place}.") from error

    def quarantine_list(self, dataset: str | None = None) -> list[Quarantined]:
        """Quarantined candidates, the newest first, of one dataset or of all."""
        query = sa.select(quarantined).order_by(quarantined.c.quarantined_at.desc())
        if dataset is not None:
            query = query.where(quarantined.c.dataset == dataset)
        with self.database.read() as connection:
            return [quarantined_of(row) for row in connection.execute(query)]

    # -- writing ---------------------------------------------------------------------------------------------

    def stage(self, dataset: str, digest: str, table: "pa.Table") -> None:
        """Write the rows of a candidate to their content-addressed file. Invisible until published; repeatable.

        A file that is whole already stays: the same rows may be stored in other bytes, and a process killed between
        file and database must not leave a published version with a file that does not match.

        Raises:
            StoreUnavailable: The folder cannot be written (permissions, full disk); nothing is left behind.
        """
        key = (files.c.dataset == dataset) & (files.c.digest == digest)
        with self.database.read() as connection:
            stored = connection.execute(sa.select(files).where(key)).one_or_none()
        if stored is not None and _is_whole(self.root / stored.path, stored.sha256):
            return
        path = version_path(dataset, digest)
        sha256 = write_parquet(self.root / path, table)
        row = {"dataset": dataset, "digest": digest, "path": path, "sha256": sha256}
        with self.database.write() as connection:
            if connection.execute(sa.select(files.c.path).where(key)).one_or_none() is None:
                connection.execute(files.insert().values(row))
            else:
                connection.execute(files.update().where(key).values(row))

    @contextmanager
    def claimed(self, dataset: str, partition: str, *, expect: Version | None, run_id: str) -> Iterator[None]:
        """Reserve the next version for one run while it writes, so that two runs cannot publish over each other.

        The claim is renewed while the process lives. That of a process that died lapses: at once on the same host,
        after a quarter of an hour elsewhere. A process that was stopped for longer and goes on finds its claim lapsed
        or taken when it publishes, and is refused.

        Args:
            dataset: Name of the dataset.
            partition: Partition key; empty for an unpartitioned dataset.
            expect: The version that was current when the candidate was judged.
            run_id: The run that wants to publish.

        Raises:
            GateRefused: Another live run is publishing, or another version became current meanwhile.
        """
        self._claim(dataset, partition, expect=expect, run_id=run_id)
        try:
            with renewed(self.database, dataset, partition, run_id=run_id):
                yield
        except BaseException:
            with suppress(AimsError):  # it lapses by itself
                drop_claim(self.database, dataset, partition, run_id=run_id)
            raise

    def _claim(self, dataset: str, partition: str, *, expect: Version | None, run_id: str) -> None:
        with self.database.write() as connection:
            take_claim(connection, dataset, partition, run_id=run_id)
            _expect_head(connection, dataset, partition, expect)

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
            GateRefused: The run's claim lapsed and another took it, or another version became current since the
                candidate was judged.
        """
        require_claim(connection, version.dataset, version.partition, run_id=version.run_id)
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
        release_claim(connection, version.dataset, version.partition, run_id=version.run_id)

    def keep_refused(self, path: str, table: "pa.Table") -> None:
        """Write the rows of a refused candidate to its place in quarantine.

        Raises:
            StoreUnavailable: The folder cannot be written; nothing is left behind.
        """
        write_parquet(self.root / path, table)

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


def _is_whole(path: Path, sha256: str) -> bool:
    try:
        return file_digest(path) == sha256
    except OSError:
        return False


def _head(connection: sa.Connection, dataset: str, partition: str) -> Version | None:
    query = (
        sa.select(versions)
        .where(versions.c.dataset == dataset, versions.c.partition == partition)
        .order_by(versions.c.number.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else version_of(row)


def _expect_head(connection: sa.Connection, dataset: str, partition: str, expect: Version | None) -> None:
    head = _head(connection, dataset, partition)
    if (head.number if head else 0) != (expect.number if expect else 0):
        assert head is not None  # noqa: S101 - numbers only grow
        raise GateRefused(
            f"Refused {dataset!r}: version {head.number} was published by run {head.run_id} while this candidate "
            "was being judged, so its verdicts are about an older state. Next: materialise again."
        )
