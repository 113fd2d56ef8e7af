"""Evidently's drift report as one self-contained HTML page, for people to look at beside the drift verdict.

It judges nothing here. It is built from samples of at most ``MOST_ROWS`` rows of either table, the same rows every
time, so that it takes seconds at any table size. Personal columns, the subject, keys and free text are left out:
the page shows distributions and the names of common categories.
"""

import warnings
from typing import TYPE_CHECKING, Final

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.records.models import DatasetRecord

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MOST_ROWS: Final = 5_000
#: A column of more distinct texts than this is free text or a key rather than a set of categories.
MOST_CATEGORIES: Final = 50


def drift_report(
    reference: "pa.Table", current: "pa.Table", record: DatasetRecord, *, rows: int = MOST_ROWS
) -> bytes:
    """Render how a table differs from its reference.

    Args:
        reference: Rows of the reference version.
        current: Rows of the candidate.
        record: The dataset's record, which says what must not be shown.
        rows: Most rows of either table to sample.

    Returns:
        UTF-8 HTML that loads nothing from elsewhere.

    Raises:
        BadInput: The tables have no column in common that may be shown, or one of them has no rows.
    """
    names = _shown(reference, current, record)
    if not names or not reference.num_rows or not current.num_rows:
        raise BadInput(
            Fault(
                where="drift report",
                expected="rows, and columns of the same kind that are neither personal nor keys, in both tables",
                found=f"{reference.num_rows} and {current.num_rows} rows, {len(names)} such columns",
            )
        )
    before, after = (_sample(table.select(names), rows) for table in (reference, current))
    numbers = [name for name in names if _is_number(reference.schema.field(name).type)]
    categories = [name for name in names if name not in numbers]
    for frame in (before, after):
        for name in categories:
            frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    usable = [name for name in names if before[name].notna().any() and after[name].notna().any()]
    return _render(before[usable], after[usable], [name for name in numbers if name in usable])


def _render(before: "pd.DataFrame", after: "pd.DataFrame", numbers: list[str]) -> bytes:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    categories = [name for name in before.columns if name not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its tests warn about constant columns, which the drift check judges
        snapshot = Report([DataDriftPreset()]).run(
            Dataset.from_pandas(after, data_definition=definition),
            Dataset.from_pandas(before, data_definition=definition),
        )
        page: str = snapshot.get_html_str(as_iframe=False)
    return page.encode()


def _shown(reference: "pa.Table", current: "pa.Table", record: DatasetRecord) -> list[str]:
    """Columns of both tables that may be shown and that Evidently can compare."""
    hidden = {name for name, contract in record.columns.items() if contract.personal or contract.unique}
    hidden |= {record.subject} if record.subject else set()
    return [
        name
        for name in reference.column_names
        if name in current.column_names
        and name in record.columns
        and name not in hidden
        and _comparable(reference.column(name), current.column(name))
    ]


def _comparable(before: "pa.ChunkedArray", after: "pa.ChunkedArray") -> bool:
    import pyarrow.compute as pc

    if _is_number(before.type) or _is_number(after.type):
        return _is_number(before.type) and _is_number(after.type)
    if not (_is_category(before.type) and _is_category(after.type)):
        return False
    return all(pc.count_distinct(_plain(column)).as_py() <= MOST_CATEGORIES for column in (before, after))


def _plain(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    import pyarrow as pa

    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _is_number(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_category(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(values)
        or pa.types.is_large_string(values)
        or pa.types.is_string_view(values)
        or pa.types.is_boolean(values)
    )


def _sample(table: "pa.Table", rows: int) -> "pd.DataFrame":
    """Up to ``rows`` rows, drawn with a fixed seed, in their order."""
    import numpy as np
    import pyarrow as pa

    if table.num_rows > rows:
        chosen = np.sort(np.random.default_rng(0).choice(table.num_rows, size=rows, replace=False))
        table = table.take(pa.array(chosen))
    floats = pa.schema(
        [field.with_type(pa.float64()) if _is_number(field.type) else field for field in table.schema]
    )
    frame: pd.DataFrame = table.cast(floats, safe=False).to_pandas()
    return frame
