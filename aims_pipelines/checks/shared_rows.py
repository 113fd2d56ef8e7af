"""Rows that a table shares with another one, held against the fraction that may be."""

import re

from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.long_numbers import holds_long_numbers
from aims_pipelines.stats.profile import NARROW, ColumnProfile, Kind, Profile
from aims_pipelines.stats.rows import RowCount

MEASURE = "shared row fraction"
_FINE = re.compile(r"\[(us|ns)")


def comparable(a: Profile, b: Profile) -> bool:
    """Whether row hashes of two tables can be equal: the same columns, stored alike, in the same order."""
    return list(a.columns) == list(b.columns) and all(
        _hashed_as(column) == _hashed_as(b.columns[name]) for name, column in a.columns.items()
    )


def _hashed_as(column: ColumnProfile) -> tuple[Kind, str]:
    """What equal values have to agree in for equal hashes."""
    if column.storage_type in NARROW:  # a fraction in fewer bits is another number
        return column.kind, column.storage_type
    if _FINE.search(column.storage_type):  # the whole number is hashed, of coarser times the seconds
        return column.kind, "fine"
    return column.kind, "long" if holds_long_numbers(column) else ""


def shared_fraction(
    target: str, shared: RowCount, *, rows: int, most: float, reason: str, excess: str = "", remedy: str
) -> Finding:
    """Judge the fraction of a table's rows that are also in another one.

    Args:
        target: What the finding is about.
        shared: Rows of the table that are also in the other one.
        rows: Rows of the table, at least one.
        most: Largest fraction that passes, in [0, 1].
        reason: What was found.
        excess: Added to the reason unless the finding passes.
        remedy: What to do next unless the finding passes.

    Returns:
        A finding that is inconclusive where the interval of an estimate holds the limit.
    """
    low, high = shared.low / rows, shared.high / rows
    status = Status.PASS if high <= most else Status.FAIL if low > most else Status.INCONCLUSIVE
    passed = status is Status.PASS
    return Finding(
        target=target,
        measure=MEASURE,
        status=status,
        reason=reason if passed else f"{reason}{excess}",
        observed=shared.rows / rows,
        limit=most,
        interval=None if shared.exact else (low, high),
        unit="fraction",
        n=rows,
        remedy="" if passed else remedy,
    )
