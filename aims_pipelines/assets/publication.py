"""From a judged value to a current version: what Dagster writes, and the transaction once it is written."""

import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from aims_pipelines.assets.admission import is_settled
from aims_pipelines.assets.gating import version_metadata

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.assets.judging import Circumstances, Judged
    from aims_pipelines.assets.returned import Returned
    from aims_pipelines.resources.project import Project


def value_for_dagster(
    returned: "Returned",
    judged: "Judged",
    *,
    dataset: str,
    key: dg.AssetKey,
    output: str,
    publish: Callable[[Any], None] | None,
) -> Any:
    """What Dagster writes and records as the new version.

    Args:
        returned: What the user's function gave.
        judged: The rows that were judged, which are the ones to be written.
        dataset: Id of the dataset record.
        key: Key of the asset.
        output: Name of its output.
        publish: Writes the value, in place of the IO manager; called here.
    """
    settled = is_settled(returned.value) and not judged.changed
    value = _bare(returned.value) if settled else _like(returned.value, judged.table)
    metadata = {
        **returned.metadata,
        **version_metadata(
            dataset=dataset,
            number=judged.number,
            digest=judged.digest,
            evidence=judged.evidence,
            rows=judged.table.num_rows,
        ),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # data_version is what binds event and evidence
        version: dict[str, Any] = {"data_version": dg.DataVersion(judged.digest)}
        if publish is None:
            return dg.Output(value, output_name=output, metadata=metadata, tags=returned.tags, **version)
        publish(value)
        return dg.MaterializeResult(asset_key=key, metadata=metadata, tags=returned.tags, **version)


def _bare(value: Any) -> Any:
    """A value as it was judged: of pandas without an index that has no name, and without notes, which no check saw."""
    if type(value).__module__.partition(".")[0] != "pandas":
        return value
    import pandas as pd

    unnamed = all(name is None for name in value.index.names)
    if unnamed and not isinstance(value.index, pd.RangeIndex):
        value = value.reset_index(drop=True)
    if value.attrs:
        value = value.copy(deep=False)
        value.attrs = {}
    return value


def make_current(judged: "Judged", facts: "Circumstances", *, project: "Project") -> int:
    """Make a written version current; its publication is a ledger entry of the same transaction.

    Returns:
        Its number.

    Raises:
        GateRefused: Another version became current since it was judged.
        StoreUnavailable: The database cannot be written; the last version stays current.
    """
    from aims_pipelines.storage.dataset_tables import Version
    from aims_pipelines.storage.ledger import EntryDraft

    at = datetime.now(UTC)
    version = Version(
        dataset=facts.dataset,
        partition=facts.partition,
        number=judged.number,
        digest=judged.digest,
        rows=judged.table.num_rows,
        evidence=judged.evidence,
        run_id=facts.run_id,
        published_at=at,
    )
    draft = EntryDraft(
        kind="observation",
        actor=f"run:{facts.run_id}",
        subject_kind="publication",
        subject_id=facts.dataset,
        digests={"content": judged.digest},
        body={
            "event": "published",
            "asset": facts.asset,
            "partition": facts.partition,
            "number": version.number,
            "rows": version.rows,
            "run": facts.run_id,
            "evidence_of": judged.evidence,
        },
        at=at,
    )
    with project.database.write() as connection:
        project.ledger.append([draft], connection=connection)
        project.store.publish(version, expect=judged.head, connection=connection)
    return version.number


def _like(original: Any, table: "pa.Table") -> Any:
    """The judged rows in the kind of table that the user's function returned."""
    import pyarrow as pa

    if isinstance(original, pa.RecordBatchReader):
        return table.to_reader()
    if isinstance(original, pa.RecordBatch):
        return table.combine_chunks().to_batches()[0]
    library = {kind.__module__.partition(".")[0] for kind in type(original).__mro__}
    if "polars" in library:
        import polars as pl

        return pl.from_arrow(table)
    return table.to_pandas() if "pandas" in library else table
