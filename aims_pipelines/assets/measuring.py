"""What the record of a dataset asks of a profile: its groupings, keys and pairs, and the one pass over a table."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from aims_pipelines.measure import Measured
    from aims_pipelines.records.dataset_record import DatasetRecord
    from aims_pipelines.stats.profile import GroupSpec, Profile


def measure_by(record: "DatasetRecord", table: "pa.Table") -> "Measured":
    """Go over the rows of a table once, for all that its record asks of a profile."""
    from aims_pipelines.measure import measure

    schema = table.schema
    return measure(
        table, groups=groups_of(record, schema), keys=keys_of(record, schema), pairs=pairs_of(record, schema)
    )


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


def pairs_of(record: "DatasetRecord", schema: "pa.Schema") -> list[tuple[str, str]]:
    """The pairs of columns to count together: those declared whose columns the table has, times left out.

    The drift check is inconclusive about the others.
    """
    from aims_pipelines.measure.column_types import flattened, kind_of
    from aims_pipelines.stats.profile import Kind

    usable = {name for name, _, kind in flattened(schema) if kind_of(kind) is not Kind.TEMPORAL}
    return [pair for pair in record.pairs if usable.issuperset(pair)]


def with_pairs_of(
    record: "DatasetRecord", profile: "Profile", rows: "Callable[[], pa.Table | None]"
) -> "Profile":
    """Add the pairs that a record declares and a profile was made without.

    Args:
        record: The record.
        profile: Profile of some rows.
        rows: Gives those rows; ``None`` where they are not kept. Called only if a pair is lacking.

    Returns:
        The profile, with as many of the pairs as can be counted.
    """
    from dataclasses import replace

    from aims_pipelines.measure import profile_table
    from aims_pipelines.stats.pairs import ordered_pair

    if all(ordered_pair(*pair) in profile.pairs for pair in record.pairs) or (table := rows()) is None:
        return profile
    lacking = [pair for pair in pairs_of(record, table.schema) if ordered_pair(*pair) not in profile.pairs]
    names = {name for pair in lacking for name in pair}
    parts = [one for one in table.column_names if one in names or any(n.startswith(f"{one}.") for n in names)]
    counted = profile_table(table.select(parts), pairs=lacking, rows=False)
    return replace(profile, pairs={**profile.pairs, **counted.pairs})
