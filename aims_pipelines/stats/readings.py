"""One figure of each of several profiles, with what its chart needs to know: standard errors, rows, scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aims_pipelines.stats.control_charts import Scale
from aims_pipelines.stats.distances import kolmogorov_smirnov, shares, total_variation
from aims_pipelines.stats.expressions import Measure, Statistic
from aims_pipelines.stats.groups import occurrences, value_counts
from aims_pipelines.stats.merge import merge
from aims_pipelines.stats.profile import ColumnProfile, Kind, Profile

#: Fewest members of a group whose rate is compared with others.
FEWEST_MEMBERS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A figure of one profile.

    Args:
        value: The figure; NaN where there is none.
        error: Its standard error; NaN where it is not known.
        rows: Rows that it rests on.
        reason: Why there is no figure.
    """

    value: float
    error: float = math.nan
    rows: int = 0
    reason: str = ""


def scale_of(statistic: Statistic) -> Scale:
    """On which scale windows vary alike in a statistic."""
    if statistic.measure in {Measure.MISSING, Measure.SHARE, Measure.RATE}:
        return Scale.RATE
    return Scale.LOG if statistic.measure is Measure.DRIFT else Scale.PLAIN


def has_errors(statistic: Statistic) -> bool:
    """Whether the standard error of a statistic can be told from a profile."""
    return statistic.measure not in {Measure.ROWS, Measure.DRIFT}


def read_series(statistic: Statistic, profiles: Sequence[Profile], *, reference: int) -> list[Reading]:
    """Tell a statistic of each profile of a series.

    Args:
        statistic: What to tell.
        profiles: In order.
        reference: Profiles at the beginning that make the reference of ``drift``; each of them is held against the
            others, each later one against all.

    Returns:
        One reading a profile. A column, group or value that a profile does not have gives none, with the reason.
    """
    if statistic.measure is not Measure.DRIFT:
        return [_read(statistic, profile) for profile in profiles]
    columns = [_column(statistic, profile) for profile in profiles]
    known = [column if isinstance(column, ColumnProfile) else None for column in columns]
    others, whole = _others(known[:reference])
    return [
        column if isinstance(column, Reading) else _drift(column, others[at] if at < reference else whole)
        for at, column in enumerate(columns)
    ]


def _read(statistic: Statistic, profile: Profile) -> Reading:
    if statistic.measure is Measure.ROWS:
        return Reading(value=float(profile.rows), rows=profile.rows)
    if statistic.measure is Measure.GAP:
        return _gap(statistic, profile)
    column = _column(statistic, profile)
    return column if isinstance(column, Reading) else _of_column(statistic, column)


def _of_column(statistic: Statistic, column: ColumnProfile) -> Reading:
    if statistic.measure is Measure.MISSING:
        return _share(column.missing, column.rows)
    if statistic.measure in {Measure.SHARE, Measure.RATE}:
        count = occurrences(column, statistic.value)
        if count is None:
            return Reading(value=math.nan, reason="too many different values to count one")
        return _share(count.selected, count.total)
    if column.kind is not Kind.NUMERIC:
        return Reading(value=math.nan, rows=column.rows, reason="the column holds no numbers")
    if statistic.measure in {Measure.MEAN, Measure.SD}:
        return _moment(column, statistic.measure)
    return _quantile(column, statistic.part)


def _column(statistic: Statistic, profile: Profile) -> ColumnProfile | Reading:
    """The column, of all rows or of a group; or why there is none."""
    columns = profile.columns
    if statistic.grouping:
        group = profile.groups.get(statistic.grouping, {}).get(statistic.level)
        if group is None:
            return Reading(value=math.nan, reason=f"there is no group {statistic.level!r}")
        columns = group.columns
    column = columns.get(statistic.column)
    if column is None:
        return Reading(value=math.nan, reason=f"there is no column {statistic.column!r}")
    return column


def _share(cases: int, rows: int) -> Reading:
    if not rows:
        return Reading(value=math.nan, reason="there are no rows")
    share = cases / rows
    return Reading(value=share, error=math.sqrt(share * (1.0 - share) / rows), rows=rows)


def _moment(column: ColumnProfile, measure: Measure) -> Reading:
    """Mean or standard deviation with the standard error of large samples.

    Source:
        Cramér (1946), Mathematical Methods of Statistics, section 27.
    """
    moments = column.moments
    if moments is None or moments.count < 2:
        return Reading(value=math.nan, rows=moments.count if moments else 0, reason="fewer than two values")
    count = moments.count
    variance = moments.m2 / (count - 1)
    if measure is Measure.MEAN:
        return Reading(value=moments.mean, error=math.sqrt(variance / count), rows=count)
    spread = math.sqrt(variance)
    # Divided one by one, as the square of a sum of squares may leave the range of floats; fourth powers may have.
    known = 0.0 < moments.m2 < math.inf and moments.m4 > 0.0
    kurtosis = (moments.m4 / moments.m2) * (count / moments.m2) if known else math.nan
    error = spread * math.sqrt(max(0.0, kurtosis - 1.0) / (4.0 * count)) if spread else 0.0
    return Reading(value=spread, error=error, rows=count)


def _quantile(column: ColumnProfile, part: float) -> Reading:
    """Quantile with half the width of its 68 % interval between order statistics as standard error.

    Source:
        Woodruff (1952), JASA 47:635-646; of bins within 0.4 % of the values.
    """
    distribution = column.distribution
    if distribution is None or distribution.total < 2:
        rows = distribution.total if distribution is not None else 0
        return Reading(value=math.nan, rows=rows, reason="fewer than two values")
    total = distribution.total
    cumulated = np.cumsum(distribution.counts)
    half = math.sqrt(total * part * (1.0 - part))
    ranks = np.clip(np.ceil([part * total - half, part * total, part * total + half]), 1, total)
    low, value, high = distribution.points[np.searchsorted(cumulated, ranks)].tolist()
    return Reading(value=value, error=(high - low) / 2.0, rows=total)


def _gap(statistic: Statistic, profile: Profile) -> Reading:
    """Difference of the highest and the lowest rate among groups of at least ten members."""
    counts = value_counts(
        profile, grouping=statistic.grouping, column=statistic.column, value=statistic.value
    )
    large = [count for count in counts.values() if count.total >= FEWEST_MEMBERS]
    if len(large) < 2:
        return Reading(value=math.nan, reason=f"fewer than two groups of {FEWEST_MEMBERS} members")
    ends = max(large, key=lambda count: count.rate), min(large, key=lambda count: count.rate)
    # Half a case more keeps the error of a rate of 0 or 1 above 0.
    adjusted = [(count.selected + 0.5) / (count.total + 1.0) for count in ends]
    error = math.sqrt(
        sum(rate * (1.0 - rate) / count.total for rate, count in zip(adjusted, ends, strict=True))
    )
    return Reading(value=ends[0].rate - ends[1].rate, error=error, rows=sum(count.total for count in large))


def _drift(column: ColumnProfile, reference: ColumnProfile | None) -> Reading:
    if reference is None or not reference.rows or reference.kind is not column.kind:
        return Reading(value=math.nan, rows=column.rows, reason="there is nothing like it in the reference")
    if column.kind is Kind.CATEGORICAL:
        distance = total_variation(*shares(reference, column))
    else:
        distance = kolmogorov_smirnov(reference, column)
    reason = "there are no values" if math.isnan(distance) else ""
    return Reading(value=distance, rows=column.rows - column.missing, reason=reason)


def _others(
    columns: Sequence[ColumnProfile | None],
) -> tuple[list[ColumnProfile | None], ColumnProfile | None]:
    """For each column, all others merged; and all together."""
    before: list[ColumnProfile | None] = [None]
    after: list[ColumnProfile | None] = [None]
    for column in columns:
        before.append(_merged(before[-1], column))
    for column in reversed(columns):
        after.append(_merged(after[-1], column))
    after.reverse()
    return [_merged(before[at], after[at + 1]) for at in range(len(columns))], before[-1]


def _merged(one: ColumnProfile | None, other: ColumnProfile | None) -> ColumnProfile | None:
    """Two columns merged; the first alone where they are not of one kind."""
    if one is None or other is None or one.kind is not other.kind:
        return one if one is not None else other
    tables = [
        Profile(rows=column.rows, columns={one.name: replace(column, storage_type=one.storage_type)})
        for column in (one, other)
    ]
    return merge(*tables).columns[one.name]
