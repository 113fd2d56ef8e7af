"""One profile for each hour, day, week, month, quarter or year of a table, in one pass over its rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from enum import StrEnum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.measure.column_types import kind_of
from aims_pipelines.measure.kernel import Pass
from aims_pipelines.measure.lowering import Numbers, lower, one_array
from aims_pipelines.measure.table_files import Paths, TableFiles
from aims_pipelines.measure.views import without_views
from aims_pipelines.measure.windows import TableWindow, Window
from aims_pipelines.stats.merge import empty_profile, merge
from aims_pipelines.stats.profile import MISSING, GroupSpec, Kind, Profile

Counts = NDArray[np.int64]
#: Each period is tallied by itself, so their number is bounded.
MOST_PERIODS = 2000
_DAY = 86_400.0


class Period(StrEnum):
    """Length of a period. Weeks begin on Monday, days at midnight: UTC for times with a zone, else as they are."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


def profile_periods(
    path: Paths,
    *,
    time: str,
    every: Period | str,
    groups: Sequence[GroupSpec] = (),
    rows: bool = True,
    keys: Sequence[tuple[str, ...]] = (),
    pairs: Sequence[tuple[str, str]] = (),
    null_values: Sequence[str] = (),
) -> dict[str, Profile]:
    """Profile each period of a table in one or more files by itself.

    Args:
        path: As :func:`aims_pipelines.measure.profile_file`.
        time: Column of dates or timestamps.
        every: Length of a period.
        groups: Groupings to profile within.
        rows: Whether to keep row hashes, from which duplicate and shared rows are told.
        keys: Keys to keep hashes of, each one or more columns.
        pairs: Pairs of columns whose values are counted together, numbers or categories.
        null_values: Texts that mean missing in a CSV, besides the empty one.

    Returns:
        A profile for each period that has rows, in order of time, by its ISO 8601 name (quarters: ``2011-Q1``). Rows
        without a time come last, under ``(missing)``. Merged, they are the profile of the table.

    Raises:
        BadInput: As :func:`aims_pipelines.measure.profile_file`; the column is not there or holds no times; there are
            more than ``MOST_PERIODS`` periods.
    """
    return periods_of(
        TableFiles(path, null_values=null_values),
        time=time,
        every=every,
        groups=groups,
        rows=rows,
        keys=keys,
        pairs=pairs,
    )


def periods_of(
    table: TableFiles,
    *,
    time: str,
    every: Period | str,
    groups: Sequence[GroupSpec] = (),
    rows: bool = True,
    keys: Sequence[tuple[str, ...]] = (),
    pairs: Sequence[tuple[str, str]] = (),
) -> dict[str, Profile]:
    """As :func:`profile_periods`, of files that were opened."""
    every = period_of(every)
    check_time(table.schema, time)
    found: dict[int | None, Profile] = {}
    for place in range(len(table.files)):
        passes: dict[int | None, Pass] = {}
        with table.reading(place) as (schema, windows):
            for window in windows:
                for number, part in parts_by_period(window, schema, time, every):
                    if number not in passes:
                        passes[number] = Pass(schema, groups=groups, rows=rows, keys=keys, pairs=pairs)
                        check_number({*found, *passes}, time, every)
                    passes[number].run([TableWindow(part)])
        for number, run in passes.items():
            found[number] = merge(found.get(number, empty_profile()), run.result().profile)
    ordered = sorted(number for number in found if number is not None)
    named = {period_name(number, every): found[number] for number in ordered}
    return {**named, MISSING: found[None]} if None in found else named


def parts_by_period(
    window: Window, schema: pa.Schema, time: str, every: Period
) -> Iterator[tuple[int | None, pa.Table]]:
    """The rows of a window, period by period; those without a time under ``None``."""
    table = without_views(
        pa.table([window.column(index) for index in range(len(schema))], names=schema.names)
    )
    lowered = lower(one_array(table.column(time)))
    assert isinstance(lowered, Numbers)  # noqa: S101 - as times are
    numbers = period_numbers(lowered.values, every)
    if lowered.valid is not None:
        if not lowered.valid.all():
            yield None, table.filter(pa.array(~lowered.valid))
        table, numbers = table.filter(pa.array(lowered.valid)), numbers[lowered.valid]
    if np.any(numbers[1:] < numbers[:-1]):
        order = np.argsort(numbers, kind="stable")
        table, numbers = table.take(pa.array(order)), numbers[order]
    starts = (
        np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1)) if len(numbers) else np.zeros(0, np.int64)
    )
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(numbers)], strict=False):
        yield int(numbers[start]), table.slice(start, stop - start)


def period_numbers(seconds: NDArray[np.float64], every: Period) -> Counts:
    """Number periods from that in which 1970-01-01 lies.

    Args:
        seconds: Seconds since 1970-01-01, finite.
        every: Length of a period.
    """
    if every is Period.HOUR:
        return np.floor(seconds / 3600.0).astype(np.int64)
    days = np.floor(seconds / _DAY).astype(np.int64)
    if every is Period.DAY:
        return days
    if every is Period.WEEK:
        return (days + 3) // 7  # 1970-01-01 was a Thursday
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return months // {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}[every]


def period_name(number: int, every: Period) -> str:
    """Name of a numbered period, such as ``2011-03`` or ``2011-W12``."""
    return _NAMES[every](number)


def _week(number: int) -> str:
    year, week, _ = date.fromordinal(_EPOCH + 7 * number - 3).isocalendar()
    return f"{year:04}-W{week:02}"


def _quarter(number: int) -> str:
    return f"{1970 + number // 4:04}-Q{number % 4 + 1}"


_EPOCH = date(1970, 1, 1).toordinal()
_NAMES: Mapping[Period, Callable[[int], str]] = {
    Period.HOUR: lambda number: str(np.datetime64(number, "h")),
    Period.DAY: lambda number: str(np.datetime64(number, "D")),
    Period.WEEK: _week,
    Period.MONTH: lambda number: str(np.datetime64(number, "M")),
    Period.QUARTER: _quarter,
    Period.YEAR: lambda number: f"{1970 + number:04}",
}


def period_of(every: Period | str) -> Period:
    """Length of a period by its name.

    Raises:
        BadInput: There is none of this name.
    """
    try:
        return Period(every)
    except ValueError:
        raise BadInput(
            Fault(where="period", expected=f"one of {', '.join(Period)}", found=repr(every))
        ) from None


def check_time(schema: pa.Schema, time: str) -> None:
    """Refuse a column that is not there or holds no times.

    Raises:
        BadInput: So it is.
    """
    times = [field.name for field in schema if kind_of(field.type) is Kind.TEMPORAL]
    if time in times:
        return
    there = time in schema.names
    raise BadInput(
        Fault(
            where=f"time column {time!r}",
            expected=f"a column of dates or timestamps ({', '.join(times) or 'there is none'})",
            found=f"the type {schema.field(time).type}" if there else "no such column",
            remedy="Write times in ISO 8601, such as 2026-03-31 or 2026-03-31T12:00:00." if there else "",
        )
    )


def check_number(numbers: set[int | None], time: str, every: Period) -> None:
    """Refuse more periods than can be tallied.

    Raises:
        BadInput: There are more than ``MOST_PERIODS``.
    """
    if len(numbers) > MOST_PERIODS:
        raise BadInput(
            Fault(
                where=f"time column {time!r}",
                expected=f"at most {MOST_PERIODS:,} periods",
                found=f"more, counting every {every}",
                remedy="Choose a longer period.",
            )
        )
