"""What the record of a dataset asks of a profile: its groupings, its keys, and the one pass over a table for them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.measure import Measured
    from aims_pipelines.records.models import DatasetRecord
    from aims_pipelines.stats.profile import GroupSpec


def measure_by(record: "DatasetRecord", table: "pa.Table") -> "Measured":
    """Go over the rows of a table once, for all that its record asks of a profile."""
    from aims_pipelines.measure import measure

    return measure(table, groups=groups_of(record, table.schema), keys=keys_of(record, table.schema))


def groups_of(record: "DatasetRecord", schema: "pa.Schema") -> "list[GroupSpec]":
    """The groupings to profile a table within: each protected attribute, and the declared intersections.

    Left out are groupings by columns that the table lacks, or that have bands but hold no numbers: the schema check
    says so, and the checks that need the groups are inconclusive.
    """
    import pyarrow as pa

    from aims_pipelines.stats.profile import GroupSpec

    def usable(name: str) -> bool:
        if name not in schema.names:
            return False
        kind = schema.field(name).type
        return (
            name not in bands
            or pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_decimal(kind)
        )

    bands = {item.column: item.bands for item in record.protected if item.bands}
    groupings = [(item.column,) for item in record.protected] + [tuple(item) for item in record.intersections]
    return [
        GroupSpec(columns=names, bands={name: bands[name] for name in names if name in bands})
        for names in groupings
        if all(usable(name) for name in names)
    ]


def keys_of(record: "DatasetRecord", schema: "pa.Schema") -> list[tuple[str, ...]]:
    """The keys whose values are remembered by hash: declared unique columns, and whom a row is about."""
    names = [name for name, contract in record.columns.items() if contract.unique]
    if record.subject is not None:
        names.append(record.subject)
    return [(name,) for name in dict.fromkeys(names) if name in schema.names]
