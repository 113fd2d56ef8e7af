"""A pinned split: each row's side follows from what the row says; no batch, order or person can move it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.buffers import Hashes
from aims_pipelines.measure.column_types import flattened
from aims_pipelines.measure.lowering import Codes, Numbers, descend, lower, one_array
from aims_pipelines.measure.rowhash import add_codes, add_hashed, add_numbers, column_salt
from aims_pipelines.measure.views import without_views
from aims_pipelines.measure.windows import Window, windows_of
from aims_pipelines.stats.hashing import hash_labels, mix

_SALT = "aims split 1"


def split_rows(table: pa.Table, *, by: Sequence[str], holdout: float = 0.3) -> tuple[pa.Table, pa.Table]:
    """Split a table into rows to train on and rows to judge by.

    Rows that agree in the columns ``by`` are on the same side, in this table and in every later one: name the
    column that identifies a person, and nobody is on both sides; name all features, and no row is. The label
    is best left out, or the split depends on it.

    Args:
        table: The rows.
        by: Columns that decide the side, of structs all fields; at least one.
        holdout: Share of the distinct values of ``by`` to hold out, between 0 and 1.

    Returns:
        Training rows and holdout rows, each in the table's order.

    Raises:
        BadInput: A column is not in the table or holds lists, none is named, or the share is not between 0 and 1.

    Example:
        >>> import pyarrow as pa
        >>> people = pa.table({"person": ["a", "b", "c", "a", "d"], "visits": [1, 2, 3, 4, 5]})
        >>> training, holdout = split_rows(people, by=["person"], holdout=0.5)
        >>> training.num_rows + holdout.num_rows
        5
    """
    faults = [
        Fault(where="split_rows: by", expected=f"one of {', '.join(table.column_names)}", found=repr(name))
        for name in by
        if name not in table.column_names
    ]
    if not by:
        faults.append(Fault(where="split_rows: by", expected="at least one column", found="none"))
    if not 0.0 < holdout < 1.0:
        faults.append(
            Fault(where="split_rows: holdout", expected="a share between 0 and 1", found=f"{holdout}")
        )
    if faults:
        raise BadInput(faults)
    table = without_views(table)
    keys = table.select(list(dict.fromkeys(by)))
    schema, windows = windows_of(keys)
    columns = [(name, path) for name, path, _ in flattened(schema)]
    hashes = [_hashes(window, columns) for window in windows]
    held_out = np.concatenate([np.zeros(0, np.uint64), *hashes]) < np.uint64(int(holdout * 2.0**64))
    return table.filter(pa.array(~held_out)), table.filter(pa.array(held_out))


def _hashes(window: Window, columns: Sequence[tuple[str, tuple[int, ...]]]) -> Hashes:
    """One 64-bit hash a row, over all columns; the same whatever their storage."""
    total = np.full(window.rows, hash_labels([_SALT])[0], np.uint64)
    for name, (index, *inside) in columns:
        salt = column_salt(name)
        lowered = lower(one_array(descend(window.column(index), tuple(inside))))
        if isinstance(lowered, Numbers):
            add_numbers(total, lowered, salt)
        elif isinstance(lowered, Codes):
            add_codes(total, lowered.codes, lowered.valid, lowered.hashes(), salt)
        else:
            add_hashed(total, lowered.hashes(), lowered.valid, salt)
    return mix(total)
