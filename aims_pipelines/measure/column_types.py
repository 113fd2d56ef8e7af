"""Which columns a table has, and what the Arrow type of each says: what its values are, and how they are measured."""

import pyarrow as pa

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.stats.profile import Kind


def logical_type(kind: pa.DataType) -> pa.DataType:
    """Type of the values, whatever the encoding.

    Dictionaries and run-end encoded types are the type of their values; large and view layouts the plain
    type; 32- and 64-bit decimals the 128-bit one of the same precision and scale; extension types their
    storage.
    """
    if isinstance(kind, pa.BaseExtensionType):
        return logical_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return logical_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_decimal(kind) and kind.bit_width < 128:
        return pa.decimal128(kind.precision, kind.scale)
    return kind


def kind_of(kind: pa.DataType) -> Kind | None:
    """How a column of a type is measured; ``None`` if it cannot be."""
    if isinstance(kind, pa.BaseExtensionType):
        return kind_of(kind.storage_type)
    logical, types = logical_type(kind), pa.types
    if types.is_dictionary(kind):
        return None if kind_of(logical) is None else Kind.CATEGORICAL
    if types.is_string(logical) or types.is_boolean(logical) or types.is_null(logical) or is_binary(logical):
        return Kind.CATEGORICAL
    if types.is_date(logical) or types.is_timestamp(logical):
        return Kind.TEMPORAL
    if types.is_integer(logical) or types.is_floating(logical) or types.is_decimal(logical):
        return Kind.NUMERIC
    return Kind.NUMERIC if types.is_time(logical) or types.is_duration(logical) else None


def is_binary(kind: pa.DataType) -> bool:
    """Whether values of a type, given without encoding, are bytes."""
    return bool(pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind))


def flattened(schema: pa.Schema) -> list[tuple[str, tuple[int, ...], pa.DataType]]:
    """Columns to measure: name, path of child positions, type; a struct's fields become ``a.b``.

    Raises:
        BadInput: Names are missing or occur twice, or a type cannot be measured; all such columns are named.
    """
    columns: list[tuple[str, tuple[int, ...], pa.DataType]] = []
    faults: list[Fault] = []

    def visit(name: str, path: tuple[int, ...], kind: pa.DataType) -> None:
        if pa.types.is_struct(kind) and kind.num_fields:
            for index, field in enumerate(kind):
                visit(f"{name}.{field.name}", (*path, index), field.type)
        elif kind_of(kind) is None:
            faults.append(
                Fault(
                    where=f"column {name!r}",
                    expected="numbers, texts, booleans, dates or times, one a cell",
                    found=f"the type {kind}",
                    remedy="Explode it into rows, or spread it over columns of its own, or leave it out.",
                )
            )
        else:
            columns.append((name, path, kind))

    for index, field in enumerate(schema):
        visit(field.name, (index,), field.type)
    faults += name_faults([name for name, _, _ in columns])
    if faults:
        raise BadInput(faults)
    return columns


def leaf_names(schema: pa.Schema) -> list[str]:
    """Names that columns are measured by, whatever they hold: a struct's fields are ``a.b``."""

    def under(name: str, kind: pa.DataType) -> list[str]:
        if not pa.types.is_struct(kind) or not kind.num_fields:
            return [name]
        return [leaf for field in kind for leaf in under(f"{name}.{field.name}", field.type)]

    return [leaf for field in schema for leaf in under(field.name, field.type)]


def name_faults(names: list[str]) -> list[Fault]:
    """Faults in a table's column names: each is to be there, and to be there once."""
    faults = [
        Fault(
            where=f"column {position}",
            expected="a name",
            found="none",
            remedy="Name every column; a nameless one is often a row index that was saved along.",
        )
        for position, name in enumerate(names, 1)
        if not name.strip()
    ]
    faults += [
        Fault(
            where=f"column {name!r}",
            expected="every column name once",
            found=f"it {names.count(name)} times",
            remedy="Rename or drop the others.",
        )
        for name in sorted({name for name in names if name.strip() and names.count(name) > 1})
    ]
    return faults
