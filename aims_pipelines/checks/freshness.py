"""Freshness: the newest event is recent enough, and none lies in the future."""

from datetime import datetime, timedelta

from aims_pipelines.checks.candidate import Answer, Candidate, Inapplicable
from aims_pipelines.checks.rows import pieces
from aims_pipelines.checks.wording import count, stored_as
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.profile import ColumnProfile, Kind

#: Times without a zone are read as UTC, and local clocks run up to 14 hours ahead of it.
CLOCK_TOLERANCE = timedelta(days=1)
_DAY = 86_400.0

#: Ticks of a second, by Arrow's unit.
_TICKS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def judge(candidate: Candidate) -> Answer:
    """Judge the declared time column against the reference time of the judgement."""
    name, most = candidate.record.time, candidate.limits.max_age_days
    if name is None:
        return Inapplicable(reason="the record declares no time column")
    column = candidate.profile.columns.get(name)
    if column is None:
        return (_unanswered(name, f"the time column '{name}' is not in the table", ""),)
    if column.kind is not Kind.TEMPORAL:
        return (
            _unanswered(
                name,
                f"the time column holds {stored_as(column)}, not dates or timestamps",
                f"Parse '{name}' to a timestamp at the source, or take 'time' out of the record.",
            ),
        )
    if column.moments is None or column.moments.count == 0:
        return (_unanswered(name, "the time column has no values", ""),)
    newest, future = column.moments.maximum, 0
    horizon = (candidate.now + CLOCK_TOLERANCE).timestamp()
    if newest > horizon:
        newest, future = _split(candidate, column, horizon)
    findings = [_future(column, future)]
    if most is not None:
        findings.append(_age(column, newest, most, candidate.now))
    return tuple(findings)


def _future(column: ColumnProfile, future: int) -> Finding:
    values = column.rows - column.missing
    return Finding(
        target=column.name,
        measure="future values",
        status=Status.FAIL if future else Status.PASS,
        reason=f"{future:,} of {count(values, 'time')} lie more than a day after the moment of judging"
        if future
        else f"none of {count(values, 'time')} lies in the future",
        observed=future,
        limit=0,
        unit="values",
        n=values,
        remedy="Look for a wrong clock, zone, unit or date format at the source." if future else "",
    )


def _age(column: ColumnProfile, newest: float, most: float, now: datetime) -> Finding:
    age = (now.timestamp() - newest) / _DAY
    if newest == float("-inf"):
        return _unanswered(f"{column.name} age", "every time lies in the future, so the age is unknown", "")
    passed = age <= most
    return Finding(
        target=f"{column.name} age",
        measure="age of the newest value",
        status=Status.PASS if passed else Status.FAIL,
        reason=f"the newest event is {max(age, 0.0):.3g} days old"
        + ("" if passed else f"; at most {most:g} are allowed"),
        observed=max(age, 0.0),
        limit=most,
        unit="days",
        n=column.rows - column.missing,
        remedy="" if passed else "Fetch the latest data; 'max_age_days' in the limits is the longest age.",
    )


def _split(candidate: Candidate, column: ColumnProfile, horizon: float) -> tuple[float, int]:
    """Newest time that is not in the future (minus infinity if none), and how many times are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    newest, future = float("-inf"), 0
    for piece in pieces(candidate, column.name):
        # As floating point: a time that is far off, in the wrong unit say, must not wrap around into the past.
        times = piece if pa.types.is_timestamp(piece.type) else pc.cast(piece, pa.timestamp("ms"))
        ticks = pc.cast(pc.cast(times, pa.int64()), pa.float64(), safe=False).drop_null()
        seconds = pc.divide(ticks, _TICKS[times.type.unit])
        late = pc.greater(seconds, horizon)
        future += pc.sum(late).as_py() or 0
        last = pc.max(pc.filter(seconds, pc.invert(late))).as_py()
        if last is not None:
            newest = max(newest, last)
    return newest, future


def _unanswered(target: str, reason: str, remedy: str) -> Finding:
    return Finding(
        target=target,
        measure="age of the newest value",
        status=Status.INCONCLUSIVE,
        reason=reason,
        unit="days",
        remedy=remedy,
    )
