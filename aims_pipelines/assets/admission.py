"""Admission: a consumer takes an input only with a passing verdict for exactly the rows it was given.

The rows themselves are digested, so that a later run, a deselected check, a hand-made materialisation or an edited
file cannot bring something in that was never judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aims_pipelines.checks.candidate import InputVersion
from aims_pipelines.core.errors import BadInput, GateRefused
from aims_pipelines.resources.published_profiles import current_versions

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.records.load import Records
    from aims_pipelines.resources.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What came of the inputs of one step.

    Args:
        admitted: Inputs with a passing verdict, one each (several for an input of many partitions).
        refused: Dataset id to why it was not admitted.
        ungoverned: Keys of upstream assets that no dataset record claims.
    """

    admitted: tuple[InputVersion, ...]
    refused: Mapping[str, str]
    ungoverned: tuple[str, ...]


def admit_all(values: Mapping[str, Any], *, project: "Project", records: "Records") -> Admission:
    """Look for evidence for each input.

    Args:
        values: Upstream asset key to the value that the IO manager loaded. A dictionary of partition key to value
            is admitted partition by partition.
        project: Where the evidence is.
        records: The records in force.
    """
    admitted: list[InputVersion] = []
    refused: dict[str, str] = {}
    ungoverned: list[str] = []
    for key, value in values.items():
        record = records.for_asset(key)
        if record is None:
            ungoverned.append(key)
            continue
        for part in value.values() if isinstance(value, dict) else (value,):
            try:
                admitted.append(admit(record.id, part, project=project, records=records))
            except GateRefused as error:
                refused[record.id] = str(error)
    return Admission(admitted=tuple(admitted), refused=refused, ungoverned=tuple(ungoverned))


def admit(dataset: str, value: Any, *, project: "Project", records: "Records") -> InputVersion:
    """Find the passing verdict for one loaded table.

    IO managers may change storage types on the way (nullable integers come back from pandas as floats), so the
    rows are digested as loaded and, if that finds nothing, under the schemas that they were judged with.

    Raises:
        GateRefused: There is no passing verdict for these rows under the records as they are now.
    """
    from aims_pipelines.measure import content_digest, to_arrow

    try:
        table = to_arrow(value)
    except BadInput as error:
        raise GateRefused(f"its value cannot be compared with the evidence: {error}") from error
    if not is_settled(value):
        raise GateRefused(
            f"it was loaded as {type(value).__name__}, which reads its rows anew each time; load it as a data frame "
            "or an Arrow table"
        )
    policy = records.digest_for_dataset(dataset)
    stale = ""
    digests = []
    for reading in _readings(table, dataset, project):
        digest = content_digest(reading)
        digests.append(digest)
        entry = project.ledger.passing(dataset, digest)
        if entry is None:
            continue
        if entry.digests.get("policy") == policy:
            return InputVersion(asset=dataset, digest=digest, evidence=entry.id)
        stale = entry.id
    if stale:
        raise GateRefused(
            f"its records have changed since it was judged (evidence {stale}), so that verdict no longer counts"
        )
    raise GateRefused(
        f"no passing verdict exists for the {table.num_rows} rows that were loaded ({digests[0]}); "
        f"{_current(dataset, project)}"
    )


def _current(dataset: str, project: "Project") -> str:
    current = current_versions(project.store.versions(dataset))
    if not current:
        return "no version of it was ever published"
    if len(current) == 1:
        return f"the current version is {next(iter(current.values())).digest}"
    return f"{len(current)} partitions of it have a current version, each with other rows"


def _readings(table: "pa.Table", dataset: str, project: "Project") -> "list[pa.Table]":
    import pyarrow as pa

    from aims_pipelines.measure import content_digest

    readings = [table]
    for schema in project.store.schemas(dataset):
        if schema.names == table.schema.names and schema != table.schema:
            try:
                reading = table.cast(schema)
                returned = reading.cast(table.schema)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                continue  # these rows do not fit that schema, so they are not that version
            if content_digest(returned) == content_digest(table):  # some casts round: those are other rows
                readings.append(reading)
    return readings


def is_settled(value: Any) -> bool:
    """Whether a value holds its rows in memory, so that whoever reads it next gets the rows that were judged.

    A reader gives its rows once; a query, or another library's stream, may give other rows each time.
    """
    import pyarrow as pa

    return isinstance(value, pa.Table | pa.RecordBatch) or any(
        kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] in {"pandas", "polars"}
        for kind in type(value).__mro__
    )


def own_copy(value: Any) -> Any:
    """A table that the user's code may change in place while we keep the rows as they are now."""
    if isinstance(value, dict):
        return {partition: own_copy(part) for partition, part in value.items()}
    libraries = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    if "pandas" in libraries:
        return value.copy()
    return value.clone() if "polars" in libraries else value


def settle(value: Any) -> Any:
    """Read what can be read only once into memory; partition by partition for an input of several."""
    import pyarrow as pa

    if isinstance(value, dict):
        return {partition: settle(part) for partition, part in value.items()}
    return value.read_all() if isinstance(value, pa.RecordBatchReader) else value
