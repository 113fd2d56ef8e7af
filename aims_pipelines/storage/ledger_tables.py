"""The tables of the ledger, and the triggers that keep them append-only even for hand-written SQL."""

import uuid
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from aims_pipelines.core.chain import FORMAT, HEADER, seal, timestamp
from aims_pipelines.storage.schema import metadata

#: One row: the sealed header, which the first entry is chained to.
header = sa.Table(
    "ledger_header",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("line", sa.Text, nullable=False),
    sa.CheckConstraint("position = 1"),
)

#: The sealed entries. All columns but ``line`` repeat what it says, to find it by.
entries = sa.Table(
    "ledger_entry",
    metadata,
    sa.Column(
        "seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False
    ),
    sa.Column("kind", sa.String(500), nullable=False),
    sa.Column("subject_kind", sa.String(500), nullable=False),
    sa.Column("subject_id", sa.String(500), nullable=False),
    sa.Column("subject_digest", sa.String(80)),
    sa.Column("outcome", sa.String(20)),
    sa.Column("line", sa.Text, nullable=False),
)
sa.Index("ledger_entry_by_subject", entries.c.subject_id, entries.c.subject_kind, entries.c.seq)
sa.Index(
    "ledger_entry_by_judged_content",
    entries.c.subject_id,
    entries.c.subject_digest,
    entries.c.seq,
    sqlite_where=entries.c.outcome.is_not(None),
    postgresql_where=entries.c.outcome.is_not(None),
)

_SQLITE_TRIGGERS = """
CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
---
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
---
CREATE TRIGGER {table}_no_gap BEFORE INSERT ON {table}
WHEN NEW.{key} IS NOT (SELECT coalesce(max({key}), 0) + 1 FROM {table})
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: entries are numbered without gaps'); END
"""

_POSTGRESQL_TRIGGERS = """
CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE next bigint;
BEGIN
  IF TG_OP <> 'INSERT' THEN
    RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  EXECUTE format('SELECT coalesce(max({key}), 0) + 1 FROM %%I.{table}', TG_TABLE_SCHEMA) INTO next;
  IF NEW.{key} <> next THEN
    RAISE EXCEPTION 'the ledger is append-only: entries are numbered without gaps'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$
---
CREATE TRIGGER {table}_no_change BEFORE INSERT OR UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION {table}_append_only()
---
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()
"""


def _protect(target: sa.Table, connection: sa.Connection, **_: Any) -> None:
    key = target.primary_key.columns[0].name
    script = _SQLITE_TRIGGERS if connection.dialect.name == "sqlite" else _POSTGRESQL_TRIGGERS
    for statement in script.format(table=target.name, key=key).split("---"):
        connection.exec_driver_sql(statement.strip())


def _begin(target: sa.Table, connection: sa.Connection, **_: Any) -> None:
    content = {"created": timestamp(datetime.now(UTC)), "format": FORMAT, "ledger": str(uuid.uuid4())}
    line, _hash = seal(HEADER, content)
    connection.execute(target.insert().values(position=1, line=line.decode("utf-8")))


sa.event.listen(header, "after_create", _protect)
sa.event.listen(header, "after_create", _begin)
sa.event.listen(entries, "after_create", _protect)
