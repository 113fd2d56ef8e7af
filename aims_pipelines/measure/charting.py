"""Control charts of what a series of profiles tells, window by window."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aims_pipelines.core.errors import BadInput, Fault
from aims_pipelines.core.verdict import Status, worst
from aims_pipelines.measure.groupings import unknown_column
from aims_pipelines.stats.charted_windows import FEWEST_KNOWN
from aims_pipelines.stats.control_charts import (
    ALLOWANCE,
    HYSTERESIS,
    REFERENCE,
    RUN_LENGTH,
    SMOOTHING,
    ChartKind,
    ControlChart,
    control_chart,
)
from aims_pipelines.stats.expressions import NUMERIC, VALUED, Measure, Statistic, parse_statistic
from aims_pipelines.stats.groups import occurrences
from aims_pipelines.stats.merge import empty_profile
from aims_pipelines.stats.number_labels import number_label
from aims_pipelines.stats.profile import NARROW, ColumnProfile, Kind, Profile
from aims_pipelines.stats.readings import Reading, has_errors, read_series, scale_of
from aims_pipelines.stats.reference_windows import LEVEL
from aims_pipelines.stats.run_lengths import (
    LEAST_ALLOWANCE,
    LEAST_SMOOTHING,
    LONGEST_RUN,
    MOST_ALLOWANCE,
    SHORTEST_RUN,
)

_MOST_NAMED = 20
_FEWEST_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Charting:
    """How series are charted.

    Args:
        kind: What a chart adds up.
        run_length: Windows up to a false alarm of any of the charts, on average.
        reference: Windows at the beginning that are taken as in control.
        hysteresis: Windows in a row within the limits that end an alarm.
        smoothing: Weight of the newest window in an EWMA.
        allowance: Shift that a CUSUM lets pass, in standard deviations.
        restart: Whether averages and sums begin anew after a signal, as where its cause was looked into.
    """

    kind: ChartKind = ChartKind.EWMA
    run_length: float = RUN_LENGTH
    reference: int = REFERENCE
    hysteresis: int = HYSTERESIS
    smoothing: float = SMOOTHING
    allowance: float = ALLOWANCE
    restart: bool = False

    def faults(self) -> list[Fault]:
        """What is out of range."""
        ranges = (
            ("run length", self.run_length, SHORTEST_RUN, LONGEST_RUN, " windows"),
            ("reference", self.reference, FEWEST_KNOWN, float("inf"), " windows"),
            ("hysteresis", self.hysteresis, 1, float("inf"), " windows"),
            ("smoothing", self.smoothing, LEAST_SMOOTHING, 1.0, ""),
            ("allowance", self.allowance, LEAST_ALLOWANCE, MOST_ALLOWANCE, " standard deviations"),
        )
        return [
            Fault(
                where=name,
                expected=f"at least {low:g}{unit}"
                + ("" if high == float("inf") else f" and at most {high:,.7g}"),
                found=f"{value:g}",
            )
            for name, value, low, high, unit in ranges
            if not low <= value <= high
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticChart:
    """The chart of one statistic.

    Args:
        statistic: What is charted.
        chart: The chart.
    """

    statistic: Statistic
    chart: ControlChart


def chart(
    series: Mapping[str, Profile],
    of: str | Sequence[str],
    *,
    kind: ChartKind | str = ChartKind.EWMA,
    run_length: float = RUN_LENGTH,
    reference: int = REFERENCE,
    hysteresis: int = HYSTERESIS,
    smoothing: float = SMOOTHING,
    allowance: float = ALLOWANCE,
) -> tuple[StatisticChart, ...]:
    """Chart statistics over a series of profiles.

    Args:
        series: Profiles by the names of their windows, in order, such as :func:`profile_periods` gives them.
        of: What to chart: one expression, such as ``mean(amount)``, or several.
        kind: ``ewma``, ``cusum`` or ``shewhart``.
        run_length: Windows up to a false alarm on average, of all charts together: the limits of each are derived from
            that many times the number of charts.
        reference: Windows at the beginning that are taken as in control, at least 5.
        hysteresis: Windows in a row within the limits that end an alarm.
        smoothing: Weight of the newest window in an EWMA.
        allowance: Shift that a CUSUM lets pass, in standard deviations.

    Returns:
        A chart for each expression, see :func:`aims_pipelines.stats.control_charts.control_chart`.

    Raises:
        BadInput: An expression cannot be read or speaks of what no profile has; a parameter is out of range; with
            every fault.
    """
    try:
        kind = ChartKind(kind)
    except ValueError:
        fault = Fault(where="chart", expected=f"one of {', '.join(ChartKind)}", found=repr(kind))
        raise BadInput(fault) from None
    how = Charting(
        kind=kind,
        run_length=run_length,
        reference=reference,
        hysteresis=hysteresis,
        smoothing=smoothing,
        allowance=allowance,
    )
    return charts(series, (of,) if isinstance(of, str) else of, how)


def charts(
    series: Mapping[str, Profile], of: Sequence[str], how: Charting, *, where: str = "statistic"
) -> tuple[StatisticChart, ...]:
    """As :func:`chart`.

    Args:
        series: Profiles by the names of their windows, in order.
        of: Expressions.
        how: How they are charted.
        where: How faults call an expression.
    """
    faults = how.faults()
    statistics = []
    for text in dict.fromkeys(of):
        try:
            statistics.append(parse_statistic(text, where=where))
        except BadInput as error:
            faults += error.faults
    if not of:
        faults.append(Fault(where=where, expected="at least one, such as mean(COLUMN)", found="none"))
    profiles = list(series.values())
    for statistic in statistics:
        faults += statistic_faults(statistic, profiles, where=where)
    if faults:
        raise BadInput(faults)
    return charted(series, statistics, how)


def charted(
    series: Mapping[str, Profile | None], statistics: Sequence[Statistic], how: Charting
) -> tuple[StatisticChart, ...]:
    """Chart statistics of which it is known that they can be told.

    Args:
        series: Profiles by the names of their windows, in order; ``None`` where one is gone.
        statistics: What to chart; they share the budget of false alarms.
        how: How they are charted, within its ranges.
    """
    return tuple(
        StatisticChart(statistic=statistic, chart=_charted(statistic, series, how, len(statistics)))
        for statistic in statistics
    )


def status_of(made: Sequence[StatisticChart]) -> Status:
    """The worst answer of some charts; inconclusive if there are none."""
    return worst(item.chart.status for item in made)


def _charted(
    statistic: Statistic, series: Mapping[str, Profile | None], how: Charting, together: int
) -> ControlChart:
    profiles = [profile if profile is not None else empty_profile() for profile in series.values()]
    readings = [
        reading if profile is not None else Reading(value=math.nan, reason="its profile is gone")
        for reading, profile in zip(
            read_series(statistic, profiles, reference=how.reference), series.values(), strict=True
        )
    ]
    return control_chart(
        [reading.value for reading in readings],
        errors=[reading.error for reading in readings] if has_errors(statistic) else None,
        rows=None if statistic.measure is Measure.ROWS else [reading.rows for reading in readings],
        names=list(series),
        reasons=[reading.reason for reading in readings],
        scale=scale_of(statistic),
        kind=how.kind,
        run_length=min(how.run_length * together, LONGEST_RUN),
        reference=how.reference,
        hysteresis=how.hysteresis,
        smoothing=how.smoothing,
        allowance=how.allowance,
        restart=how.restart,
        level=LEVEL / together,
    )


def statistic_faults(statistic: Statistic, profiles: Sequence[Profile], *, where: str) -> list[Fault]:
    """What an expression speaks of that none of the profiles has."""
    if statistic.measure is Measure.ROWS or not profiles:
        return []
    where = f"{where} {statistic.text}"
    names = list(dict.fromkeys(name for profile in profiles for name in profile.columns))
    if statistic.column not in names:
        return [unknown_column(where, statistic.column, names)]
    if statistic.grouping and (fault := _grouping_fault(statistic, profiles, where)):
        return [fault]
    columns = [
        profile.columns[statistic.column] for profile in profiles if statistic.column in profile.columns
    ]
    if statistic.measure in NUMERIC and not any(column.kind is Kind.NUMERIC for column in columns):
        numeric = dict.fromkeys(
            name
            for profile in profiles
            for name, column in profile.columns.items()
            if column.kind is Kind.NUMERIC
        )
        listed = ", ".join(list(numeric)[:_MOST_NAMED])
        found = f"{statistic.column!r} of type {columns[0].storage_type}"
        return [
            Fault(where=where, expected=f"a column of numbers ({listed or 'there is none'})", found=found)
        ]
    if statistic.measure in VALUED and (fault := _value_fault(statistic, columns, where)):
        return [fault]
    return []


def _grouping_fault(statistic: Statistic, profiles: Sequence[Profile], where: str) -> Fault | None:
    there = list(dict.fromkeys(name for profile in profiles for name in profile.groups))
    if statistic.grouping not in there:
        return Fault(
            where=where,
            expected=f"one of the groupings {', '.join(there)}" if there else "profiles with groups",
            found=repr(statistic.grouping) if there else "none that were made with groups",
            remedy="Profile the tables with --protected and that column.",
        )
    levels = list(
        dict.fromkeys(level for profile in profiles for level in profile.groups.get(statistic.grouping, {}))
    )
    if statistic.level and statistic.level not in levels:
        listed = ", ".join(sorted(levels)[:_MOST_NAMED])
        return Fault(where=where, expected=f"one of the groups {listed}", found=repr(statistic.level))
    return None


def _value_fault(statistic: Statistic, columns: Sequence[ColumnProfile], where: str) -> Fault | None:
    """A value that never occurs, or cannot be counted."""
    occurs = value_occurs(statistic, columns)
    if occurs or not any(column.rows > column.missing for column in columns):
        return None
    if occurs is None:
        found = f"{statistic.column!r} with too many different values to count one"
        return Fault(where=where, expected="a column of few values", found=found)
    frequent: dict[str, int] = {}
    for column in columns:
        for name, count in _frequencies(column).items():
            frequent[name] = frequent.get(name, 0) + count
    shown = sorted(name for name, count in frequent.items() if count >= _FEWEST_SHOWN)[:_MOST_NAMED]
    expected = f"a value that occurs, such as {', '.join(shown)}" if shown else "a value that occurs"
    return Fault(where=where, expected=expected, found=repr(statistic.value))


def value_occurs(statistic: Statistic, columns: Sequence[ColumnProfile]) -> bool | None:
    """Whether the value of a share or gap occurs in any of some windows; ``None`` where that cannot be told."""
    counts = [occurrences(column, statistic.value) for column in columns]
    told = [count for count in counts if count is not None]
    return any(count.selected for count in told) if told else None


def _frequencies(column: ColumnProfile) -> Mapping[str, int]:
    if column.categories is not None:
        return column.categories.counts
    if column.distribution is None or not column.distribution.exact:
        return {}
    pairs = zip(column.distribution.points.tolist(), column.distribution.counts.tolist(), strict=True)
    return {number_label(point, NARROW.get(column.storage_type)): count for point, count in pairs}
