"""Data frames as Arrow tables: pandas, Polars, Arrow itself, and whatever else speaks Arrow's C interface.

Spark's frames speak it too, by bringing all their rows to the driver; they are measured where they lie instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.column_types import flattened, name_faults
from aims_pipelines.measure.kernel import profile_table
from aims_pipelines.measure.spark import is_spark_frame, profile_spark
from aims_pipelines.stats.profile import GroupSpec, Profile


def to_arrow(obj: object) -> pa.Table:
    """Turn a data frame into an Arrow table, without its metadata.

    Of a pandas frame, NaN and NaT are missing values (nulls), as pandas has no other way to say so. Named
    index levels are data and become the first columns; a nameless index is dropped. Polars frames and other
    libraries' tables come by way of Arrow's C interface, in which NaN and null stay apart.

    Args:
        obj: pandas DataFrame, Polars DataFrame, Arrow table, record batch, reader, or any object with
            ``__arrow_c_stream__``.

    Raises:
        BadInput: It is none of these; a column has no name, a name that is not text, or one that occurs
            twice; a column mixes types; a type cannot be measured. All such columns are named. Or it is a Spark
            DataFrame, whose rows are many machines' worth.
    """
    if isinstance(obj, pa.Table):
        table = obj
    elif isinstance(obj, pa.RecordBatch):
        table = pa.Table.from_batches([obj])
    elif isinstance(obj, pa.RecordBatchReader):
        table = obj.read_all()
    elif _is_pandas(obj):
        table = _from_pandas(obj)
    elif is_spark_frame(obj):
        raise BadInput(
            Fault(
                where="data frame",
                expected="a table whose rows are here",
                found="a Spark DataFrame, whose rows are on executors",
                remedy="If they fit into memory here, take df.toArrow(). Otherwise measure them there with "
                "profile_spark or compare; the how-to 'Profile with Spark' shows both.",
            )
        )
    elif hasattr(obj, "__arrow_c_stream__"):
        try:
            table = pa.table(obj)
        except pa.ArrowException as error:
            fault = Fault(
                where="data frame", expected="a table", found=f"{type(obj).__name__}, which is none"
            )
            raise BadInput(fault) from error
    else:
        raise BadInput(
            Fault(
                where="data frame",
                expected="a pandas or Polars DataFrame, or an Arrow table",
                found=type(obj).__name__,
                remedy="Collect a lazy frame first." if hasattr(obj, "collect") else "",
            )
        )
    flattened(table.schema)
    return table.replace_schema_metadata(None)


@dataclass(frozen=True, slots=True)
class ArrowFrame:
    """A table in memory, to be profiled as a whole or by some columns."""

    table: pa.Table

    @property
    def schema(self) -> pa.Schema:
        """Columns and their types."""
        return self.table.schema

    def profile(
        self,
        groups: Sequence[GroupSpec] = (),
        *,
        rows: bool = True,
        pairs: Sequence[tuple[str, str]] = (),
        columns: Sequence[str] | None = None,
    ) -> Profile:
        """Profile all columns, or the named ones."""
        table = self.table if columns is None else self.table.select(list(columns))
        return profile_table(table, groups=groups, rows=rows, pairs=pairs)


def _is_pandas(obj: object) -> bool:
    kind = type(obj)
    return kind.__name__ == "DataFrame" and kind.__module__.split(".")[0] == "pandas"


def _from_pandas(frame: Any) -> pa.Table:
    named = [level for level, name in enumerate(frame.index.names) if name is not None]
    labels: list[object] = [frame.index.names[level] for level in named] + list(frame.columns)
    faults = [
        Fault(
            where=f"column {position}",
            expected="a text as its name",
            found=f"a {type(label).__name__}",
            remedy="Rename it, for instance with frame.columns.map(str).",
        )
        for position, label in enumerate(labels, 1)
        if not isinstance(label, str)
    ]
    faults += name_faults([label for label in labels if isinstance(label, str)])
    if faults:
        raise BadInput(faults)
    values = [frame.index.get_level_values(level) for level in named]
    values += [frame.iloc[:, position] for position in range(frame.shape[1])]
    arrays = []
    for label, series in zip(labels, values, strict=True):
        try:
            arrays.append(pa.array(series, from_pandas=True))
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            faults.append(
                Fault(
                    where=f"column {label!r}",
                    expected="values of one type",
                    found=_types_in(series),
                    remedy="Convert it with astype, or drop the values that do not belong.",
                )
            )
    if faults:
        raise BadInput(faults)
    names = [str(label) for label in labels]
    if not arrays:
        return pa.table({})
    return pa.table(dict(zip(names, arrays, strict=True)))


def _types_in(series: Any) -> str:
    names = sorted({type(value).__name__ for value in series})
    return f"values of type {', '.join(names[:8])}"


def profile_frame(
    frame: object,
    *,
    groups: Sequence[GroupSpec] = (),
    rows: bool = True,
    keys: Sequence[tuple[str, ...]] = (),
    pairs: Sequence[tuple[str, str]] = (),
) -> Profile:
    """Profile a data frame.

    Args:
        frame: As :func:`to_arrow`; or a Spark DataFrame, which is profiled on its executors.
        groups: Groupings to profile within.
        rows: Whether to keep row hashes, from which duplicate and shared rows are told.
        keys: Keys to keep hashes of, each one or more columns.

    Raises:
        BadInput: As :func:`to_arrow`; a grouping or key names a column that is not there.
    """
    if is_spark_frame(frame):
        return profile_spark(frame, groups=groups, rows=rows, keys=keys, pairs=pairs)
    return profile_table(to_arrow(frame), groups=groups, rows=rows, keys=keys, pairs=pairs)
