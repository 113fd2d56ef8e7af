"""Uniqueness: declared keys occur once, and few rows repeat another row. Missing keys are completeness's business."""

import re

from aims_pipelines.checks.candidate import Answer, Candidate
from aims_pipelines.checks.rows import pieces
from aims_pipelines.checks.wording import count, percent
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.profile import UNBOUNDED, ColumnProfile
from aims_pipelines.stats.rows import duplicate_rows

#: Decimal digits of a second that the units of times tell apart.
_DIGITS = {"ms": 3, "us": 6, "ns": 9}


def judge(candidate: Candidate) -> Answer:
    """Judge repeated rows, then every column whose contract says ``unique``."""
    findings = [_rows(candidate)]
    for name, contract in candidate.record.columns.items():
        column = candidate.profile.columns.get(name)
        if contract.unique and column is not None:
            findings.append(_key(column, candidate))
    return tuple(findings)


def _rows(candidate: Candidate) -> Finding:
    rows, most, sketch = (
        candidate.profile.rows,
        candidate.limits.max_duplicate_rows,
        candidate.profile.row_sketch,
    )
    if rows == 0 or sketch is None:
        return Finding(
            target="",
            measure="repeated row fraction",
            status=Status.INCONCLUSIVE,
            reason="there are no rows" if rows == 0 else "the table was profiled without its rows' hashes",
            limit=most,
            unit="fraction",
            n=rows,
            rows_needed=1 if rows == 0 else None,
        )
    repeated = duplicate_rows(sketch, rows)
    status = Status.INCONCLUSIVE
    if repeated.high / rows <= most:
        status = Status.PASS
    elif repeated.low / rows > most:
        status = Status.FAIL
    share = repeated.rows / rows
    about = "" if repeated.exact else "about "
    reason = f"{about}{round(repeated.rows):,} of {count(rows, 'row')} repeat another ({percent(share)})"
    if status is not Status.PASS:
        reason += f"; at most {percent(most)} may"
    return Finding(
        target="",
        measure="repeated row fraction",
        status=status,
        reason=reason,
        observed=share,
        limit=most,
        interval=None if repeated.exact else (repeated.low / rows, repeated.high / rows),
        unit="fraction",
        n=rows,
        remedy=""
        if status is Status.PASS
        else "Look for a batch delivered twice or a join that multiplies rows; 'max_duplicate_rows' is the limit.",
    )


def _key(column: ColumnProfile, candidate: Candidate) -> Finding:
    values = column.rows - column.missing
    if values == 0:
        return Finding(
            target=column.name,
            measure="repeated values",
            status=Status.INCONCLUSIVE,
            reason="the key has no values",
            limit=0,
            unit="values",
            n=0,
        )
    repeated = values - _distinct(column, candidate)
    return Finding(
        target=column.name,
        measure="repeated values",
        status=Status.FAIL if repeated else Status.PASS,
        reason=f"{repeated:,} of {count(values, 'value')} repeat another; the contract says unique"
        if repeated
        else f"all {count(values, 'value')} differ",
        observed=repeated,
        limit=0,
        unit="values",
        n=values,
        remedy="Look for a batch delivered twice or a join that multiplies rows." if repeated else "",
    )


def _distinct(column: ColumnProfile, candidate: Candidate) -> int:
    """Distinct values that are not missing: from the profile where it is exact, from the rows elsewhere."""
    if column.categories is not None and column.categories.exact:
        return column.categories.distinct
    if column.distribution is not None and column.distribution.exact and _fits(column):
        return len(column.distribution.points)
    keys = candidate.profile.key_sketches.get(column.name)
    if keys is not None and keys.threshold >= UNBOUNDED and not column.missing:
        return len(keys.hashes)
    import pyarrow as pa
    import pyarrow.compute as pc

    values = pa.chunked_array(list(pieces(candidate, column.name)))
    if pa.types.is_floating(values.type):
        values = values.filter(pc.invert(pc.is_nan(values)))
    return int(pc.count_distinct(values, mode="only_valid").as_py())


def _fits(column: ColumnProfile) -> bool:
    """Whether all values are told apart by the profile's float64: steps of the type's own size, up to 2**53 of them."""
    moments, stored = column.moments, column.storage_type
    if stored.startswith(("float", "double", "halffloat")):
        return True
    unit = re.search(r"\[(ms|us|ns)", stored)
    scale = re.search(r"^decimal\d+\(\d+, (-?\d+)\)", stored)
    steps = 10.0 ** (int(scale[1]) if scale else _DIGITS[unit[1]] if unit else 0)
    return (
        moments is not None
        and moments.count > 0
        and max(abs(moments.minimum), abs(moments.maximum)) * steps < 2**53
    )
