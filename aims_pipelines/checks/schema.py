"""Schema: the declared columns are there, with the declared types, and no others."""

from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from aims_pipelines.checks.candidate import Answer, Candidate
from aims_pipelines.checks.rows import tally
from aims_pipelines.checks.wording import count
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.records.dataset_record import ColumnContract, ColumnType
from aims_pipelines.stats.profile import ColumnProfile, Kind

if TYPE_CHECKING:
    import pyarrow as pa

_DAY = 86_400.0
_STORED_AS = {
    ColumnType.STRING: ("string",),
    ColumnType.NUMBER: ("int", "uint", "float", "double", "halffloat", "decimal"),
    ColumnType.BOOLEAN: ("bool",),
    ColumnType.TIMESTAMP: ("timestamp",),
}


def judge(candidate: Candidate) -> Answer:
    """Compare the table's columns with the contract; one finding per departure, or one pass for all."""
    found, declared = candidate.profile.columns, candidate.record.columns
    missing = [name for name in _needed(candidate) if name not in found]
    undeclared = [name for name in found if name not in declared]
    renamed = _renamed(missing, undeclared, candidate)
    departures = [_absent(name, renamed.get(name, "")) for name in missing]
    if candidate.record.extra_columns == "refuse":
        departures += [_extra(name) for name in undeclared if name not in renamed.values()]
    for name, contract in declared.items():
        if name in found and not _has_type(found[name], contract, candidate):
            departures.append(_mistyped(found[name], contract))
    return tuple(departures) or (_agrees(len(declared)),)


def _needed(candidate: Candidate) -> list[str]:
    """Columns of the contract, and columns that the record refers to elsewhere."""
    record = candidate.record
    named = [record.subject, record.time, record.label.column if record.label else None]
    named += [protected.column for protected in record.protected]
    return list(dict.fromkeys([*record.columns, *(name for name in named if name is not None)]))


def _renamed(missing: list[str], undeclared: list[str], candidate: Candidate) -> dict[str, str]:
    """Which undeclared column each missing one may be: by name, else as the only one of its type."""
    guesses: dict[str, str] = {}
    free = {_plain(name): name for name in undeclared}
    for name in missing:
        for close in get_close_matches(_plain(name), list(free), n=1, cutoff=0.7):
            guesses[name] = free.pop(close)
    left = [name for name in missing if name not in guesses]
    if len(left) == 1 and len(free) == 1 and left[0] in candidate.record.columns:
        other = next(iter(free.values()))
        if _has_type(candidate.profile.columns[other], candidate.record.columns[left[0]], candidate):
            guesses[left[0]] = other
    return guesses


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum()) or name


def _has_type(column: ColumnProfile, contract: ColumnContract, candidate: Candidate) -> bool:
    stored = column.storage_type  # Arrow's name of the values, encodings undone
    if stored == "null":
        return contract.max_missing == 1.0
    if contract.type is ColumnType.INTEGER:
        whole = stored.startswith(("int", "uint"))
        number = stored.startswith(_STORED_AS[ColumnType.NUMBER])
        return whole or (number and _multiples(column, 1.0, candidate))
    if contract.type is ColumnType.DATE:
        day = stored.startswith("date")
        return day or (stored.startswith("timestamp") and _multiples(column, _DAY, candidate))
    return stored.startswith(_STORED_AS[contract.type])


def _multiples(column: ColumnProfile, step: float, candidate: Candidate) -> bool:
    """Whether every value is a whole multiple of ``step`` (seconds, for times; their days are those of the zone)."""
    distribution, zoned = (
        column.distribution,
        "tz=" in column.storage_type and "tz=UTC" not in column.storage_type,
    )
    if distribution is not None and distribution.exact and not zoned:
        points = distribution.points
        return bool(np.isfinite(points).all() and (points % step == 0).all())
    import pyarrow as pa
    import pyarrow.compute as pc

    def broken(piece: "pa.Array") -> int:
        if column.kind is Kind.TEMPORAL:
            return _not_days(piece)
        broken = pc.not_equal(pc.floor(piece), piece)
        if pa.types.is_floating(piece.type):  # NaN is a missing value, infinity no whole number
            broken = pc.and_not(pc.or_(broken, pc.is_inf(piece)), pc.is_nan(piece))
        return int(pc.sum(broken).as_py() or 0)

    return tally(candidate, column.name, broken) == 0


def _not_days(times: "pa.Array") -> int:
    """How many times are not the first moment of a day, where they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    zone = times.type.tz
    if zone is None:
        within = pc.not_equal(pc.floor_temporal(times, unit="day"), times)
        return int(pc.sum(within).as_py() or 0)
    try:
        local = pc.local_timestamp(times)
        day = pc.floor_temporal(local, unit="day")
        # Where clocks skip midnight, the day begins later.
        first = pc.assume_timezone(day, zone, ambiguous="earliest", nonexistent="latest")
    except pa.ArrowInvalid:  # no zone that is known
        return int(len(times) - times.null_count)
    within = pc.and_(pc.not_equal(local, day), pc.not_equal(first, times))
    return int(pc.sum(within).as_py() or 0)


def _absent(name: str, renamed: str) -> Finding:
    if renamed:
        reason = f"found '{renamed}', expected '{name}'"
        remedy = (
            f"Rename '{renamed}' to '{name}' at the source, or change the record if the new name is meant."
        )
    else:
        reason = f"expected a column '{name}', found none"
        remedy = f"Restore '{name}' at the source, or take it out of the record."
    return Finding(target=name, measure="column", status=Status.FAIL, reason=reason, remedy=remedy)


def _extra(name: str) -> Finding:
    return Finding(
        target=name,
        measure="column",
        status=Status.FAIL,
        reason=f"found a column '{name}' that the record does not declare",
        remedy=f"Declare '{name}' in the record, or drop it; 'extra_columns: allow' admits any.",
    )


def _mistyped(column: ColumnProfile, contract: ColumnContract) -> Finding:
    if column.storage_type == "null":
        status, reason = (
            Status.INCONCLUSIVE,
            f"every value is missing, so whether it is {_a(contract)} is unknown",
        )
        remedy = "Restore the values; a contract with 'max_missing: 1' admits an empty column."
    else:
        status, reason = Status.FAIL, f"expected {_a(contract)}, found {column.storage_type}"
        if contract.type in (ColumnType.INTEGER, ColumnType.DATE) and column.kind is not Kind.CATEGORICAL:
            reason += " with values that are not whole " + (
                "numbers" if contract.type is ColumnType.INTEGER else "days"
            )
        remedy = "Correct the type at the source, or declare the type that is meant."
    return Finding(target=column.name, measure="type", status=status, reason=reason, remedy=remedy)


def _a(contract: ColumnContract) -> str:
    return f"{'an' if contract.type is ColumnType.INTEGER else 'a'} {contract.type}"


def _agrees(columns: int) -> Finding:
    return Finding(
        target="",
        measure="columns",
        status=Status.PASS,
        reason=f"{count(columns, 'declared column')} found, with the declared types",
        observed=columns,
        unit="columns",
    )
