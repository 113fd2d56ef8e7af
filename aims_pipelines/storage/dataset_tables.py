"""The tables of versions, their contents and files, claims and quarantine, and what their rows say."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from aims_pipelines.storage.schema import metadata

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


def version_of(row: Any) -> Version:
    """Take a version out of its row."""
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


def quarantined_of(row: Any) -> Quarantined:
    """Take a quarantined candidate out of its row."""
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
