"""How well one feature predicts a protected attribute: stand-ins that carry the attribute into a model.

The strength is Cramér's V of the table *feature by in-the-group-or-not*, largest over the groups: 0 where the
feature says nothing about membership, 1 where it tells it without error. Its square is the share of the
variance of membership that the feature explains. Numeric features are cut into at most 20 bins of about
equal mass, joined with their neighbours where they are too rare to speak, and those of at most 1,024 distinct
numbers are read number by number, too, as they may be codes; a missing value is a category of its own.
Categories too rare to speak (fewer than 5 expected members in the group or outside it) are taken together; what
they might tell one by one is in the interval. Of numbers read one by one, those of at least 4 rows are heard, and the
chance agreement of so few is taken off.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.aligned import Floats, aligned_counts
from aims_pipelines.stats.groups import TOO_FEW_GROUPS
from aims_pipelines.stats.intervals import quantile, simultaneous
from aims_pipelines.stats.profile import MISSING, ColumnProfile, GroupProfile, Profile

_BINS = 20
_FEWEST_EXPECTED = 5.0
#: Distinct numbers that are read one by one, too, as codes may be; fewer common ones are told apart by bins.
_MOST_CODES, _FEWEST_CODES = 1024, 3
#: Fewest rows of a number that is read by itself.
_ROWS_OF_A_CODE = 4.0
_MEASURE = "proxy strength (Cramér's V)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """How strongly a feature predicts membership of a group.

    Args:
        group: The group predicted best.
        value: Bias-corrected Cramér's V, 0 to 1.
        interval: Simultaneous confidence interval of the largest V over the groups.
        n: Rows that it rests on.
    """

    group: str
    value: float
    interval: tuple[float, float]
    n: int


def proxy_findings(
    profile: Profile,
    *,
    grouping: str,
    limit: float,
    min_group_size: int,
    features: Collection[str] | None = None,
    confidence: float = 0.95,
) -> tuple[Finding, ...]:
    """Judge how well each feature predicts the groups of a protected attribute.

    Args:
        profile: Profile with the grouping.
        grouping: Name of the grouping, such as ``sex`` or ``race & sex``.
        limit: Largest acceptable strength, in [0, 1].
        min_group_size: Fewest rows of a group that is predicted; smaller groups count as outside.
        features: Columns to judge; all but the grouping's own if absent.
        confidence: Two-sided coverage over all features and groups together, in (0, 1).

    Returns:
        One finding a feature, its target ``feature -> grouping``: pass where the whole interval lies
        within the limit, fail where it lies beyond it, inconclusive otherwise. Strongest first. A single
        inconclusive finding where there are not two groups.
    """
    levels = {
        level: group
        for level, group in profile.groups.get(grouping, {}).items()
        if level != MISSING and group.rows
    }
    own = set(grouping.split(" & "))
    names = [name for name in profile.columns if (name not in own if features is None else name in features)]
    blank = Finding(
        target=grouping,
        measure=_MEASURE,
        status=Status.INCONCLUSIVE,
        reason="",
        limit=limit if math.isfinite(limit) else None,
        n=sum(group.rows for group in levels.values()),
    )
    problem = _problem(levels, names, limit, confidence, max(1, min_group_size))
    if problem:
        return (replace(blank, reason=problem, remedy=TOO_FEW_GROUPS if "group" in problem else ""),)
    findings = []
    for name in names:
        columns = {level: group.columns[name] for level, group in levels.items() if name in group.columns}
        coverage = simultaneous(confidence, len(names))
        strength = proxy_strength(columns, min_group_size=min_group_size, confidence=coverage)
        findings.append(_finding(replace(blank, target=f"{name} -> {grouping}"), strength, limit))
    return tuple(sorted(findings, key=lambda finding: -(finding.observed or 0.0)))


def proxy_strength(
    columns: Mapping[str, ColumnProfile], *, min_group_size: int = 1, confidence: float = 0.95
) -> Strength | None:
    """Measure how well one feature predicts membership of each group, and keep the group predicted best.

    Args:
        columns: The feature's profile over the rows of each group, keyed by level; together they are all
            rows.
        min_group_size: Fewest rows of a group that is predicted.
        confidence: Two-sided coverage over all groups together, in (0, 1).

    Returns:
        The strength; ``None`` where the feature has no values or none that is common enough to compare, or no
        group has both members and non-members.

    Source:
        Cramér (1946), Mathematical Methods of Statistics, 21.9; bias correction of Bergsma (2013),
        Journal of the Korean Statistical Society 42:323-328. The interval is the delta method's for the
        share of variance explained, widened near zero by the spread of chi-square, near one by the rows that
        might yet disagree, and upwards by what rare categories might explain. It covers at least as often as stated
        from 20 members of a group on, and more where the feature says little.
    """
    z = quantile(confidence)
    if all(column.rows == column.missing for column in columns.values()) or math.isnan(z):
        return None
    rows = np.array([float(column.rows) for column in columns.values()])
    total = rows.sum()
    predicted = [index for index, size in enumerate(rows) if max(1, min_group_size) <= size < total]
    if not predicted:
        return None
    smallest = min(min(rows[index], total - rows[index]) for index in predicted)
    readings = [
        _table(list(columns.values()), bins=int(np.clip(smallest / _FEWEST_EXPECTED, 2, _BINS))),
        *_value_by_value(list(columns.values())),
    ]
    z = quantile(simultaneous(confidence, len(predicted) * len(readings)))
    levels = list(columns)
    results = []
    for index in predicted:
        for reading, (table, ordered) in enumerate(readings):
            two = np.array([table[index], table.sum(axis=0) - table[index]])
            cells = _with_neighbours(two, ordered)
            if (
                cells.shape[1] == 1
            ):  # one number nearly everywhere: the few others speak as rare categories do
                cells = two
            if reading:
                # What is rarer has been heard with its neighbours.
                members, others, hidden = _pooled(*cells, rare=cells.sum(axis=0) < _ROWS_OF_A_CODE)
                if members.size < _FEWEST_CODES:
                    continue
                results.append((*_v(members, others, z, hidden=0.0, few=True), levels[index]))
                continue
            sides = cells.sum(axis=1)
            expected = cells.sum(axis=0) * float(sides.min() / sides.sum())
            members, others, hidden = _pooled(*cells, rare=expected < _FEWEST_EXPECTED)
            if members.size > 1 or table.shape[1] == 1:
                results.append((*_v(members, others, z, hidden=hidden), levels[index]))
    if not results:
        return None
    value, _, _, group = max(results, key=lambda result: result[0])
    interval = max(result[1] for result in results), max(result[2] for result in results)
    return Strength(group=group, value=value, interval=interval, n=int(total))


def _problem(
    levels: Mapping[str, GroupProfile], names: Collection[str], limit: float, confidence: float, smallest: int
) -> str:
    if not 0.0 <= limit <= 1.0 or not 0.0 < confidence < 1.0:
        return "the limit or the confidence is not a usable fraction"
    if len(levels) < 2:
        return f"{'one group' if levels else 'no group'} in the data, two are needed to predict membership"
    if max(group.rows for group in levels.values()) < smallest:
        return f"every group has fewer than {smallest} rows"
    return "" if names else "no feature to judge"


def _finding(blank: Finding, strength: Strength | None, limit: float) -> Finding:
    if strength is None:
        return replace(
            blank,
            reason="the feature has no values, none that is common, or no group is large enough to predict",
            remedy="Leave the feature out if it identifies rows; otherwise coarsen it or judge more rows.",
        )
    low, high = strength.interval
    measured = replace(
        blank,
        observed=strength.value,
        interval=strength.interval,
        n=strength.n,
        reason=f"predicts {strength.group} best",
    )
    if high <= limit:
        return replace(measured, status=Status.PASS)
    if low > limit:
        return replace(
            measured,
            status=Status.FAIL,
            remedy="Leave the feature out, coarsen it, or accept it with a reason.",
        )
    return replace(
        measured,
        reason=f"predicts {strength.group} best; the interval reaches across the limit",
        remedy="Judge more rows, for instance several windows together.",
    )


def _table(columns: list[ColumnProfile], *, bins: int) -> tuple[Floats, int]:
    """Rows per group and bin of the feature, shape (groups, bins), and how many of the bins are in order.

    Missing values are the last bin, which has no place in the order.
    """
    counts, ordered = aligned_counts(columns)
    if ordered and counts.shape[1] > bins:
        mass = counts.sum(axis=0)
        middle = np.cumsum(mass) - mass / 2.0
        at = np.minimum((middle / mass.sum() * bins).astype(np.int64), bins - 1)
        merged = np.zeros((len(columns), bins))
        np.add.at(merged.T, at, counts.T)
        counts = merged
    missing = np.array([[float(column.missing)] for column in columns])
    table = np.concatenate([counts, missing], axis=1)
    known = table.sum(axis=0) > 0.0
    return table[:, known], int(known[:-1].sum()) if ordered else 0


def _value_by_value(columns: list[ColumnProfile]) -> list[tuple[Floats, int]]:
    """Rows per group and number where numbers were kept one by one: codes need not lie in any order that tells."""
    known = [column.distribution for column in columns if column.distribution is not None]
    if not known or not all(distribution.exact for distribution in known):
        return []
    counts, ordered = aligned_counts(columns)
    if not ordered or not _BINS < counts.shape[1] <= _MOST_CODES:
        return []
    return [(counts, 0)]


def _with_neighbours(table: Floats, ordered: int) -> Floats:
    """Join bins of numbers with the next ones until five of either side are expected in each.

    That is a coarser cut of the same numbers, and hides no more than any cut does.
    """
    if ordered < 2:
        return table
    sides = table.sum(axis=1)
    expected = table[:, :ordered].sum(axis=0) * float(sides.min() / sides.sum())
    starts, held = [0], 0.0
    for place, more in enumerate(expected.tolist()):
        if held >= _FEWEST_EXPECTED:
            starts.append(place)
            held = 0.0
        held += more
    if held < _FEWEST_EXPECTED and len(starts) > 1:
        starts.pop()
    joined = np.add.reduceat(table[:, :ordered], starts, axis=1)
    return np.concatenate([joined, table[:, ordered:]], axis=1)


def _v(
    members: Floats, others: Floats, z: float, *, hidden: float, few: bool = False
) -> tuple[float, float, float]:
    """Cramér's V of one group against the rest, and its interval.

    Args:
        members: Members of the group by cell.
        others: All others by cell.
        z: Half the interval's width in standard deviations.
        hidden: Variance of membership among rows whose cells were taken together: at most so much more is explained by
            cells too rare to tell.
        few: Whether cells hold so few rows that the variance within each has to be estimated without bias; otherwise
            Bergsma's correction, which is right where the feature says nothing, will do.
    """
    cells = members + others
    n = cells.sum()
    share = members.sum() / n
    spread = share * (1.0 - share)
    weights, rates = cells / n, members / cells
    between = float(np.sum(weights * (rates - share) ** 2))
    explained = between / spread
    freedom = cells.size - 1
    by_chance = freedom / max(1.0, n - 1.0)
    if few:
        by_chance = float(np.sum(weights * rates * (1.0 - rates) / np.maximum(cells - 1.0, 1.0))) / spread
        by_chance -= 1.0 / n
    corrected = min(1.0, max(0.0, explained - by_chance))
    # The influence of one row on the share explained; the mean of its square, over n, is the variance.
    base = -(rates**2) - np.sum(weights * rates**2) + 2.0 * share**2
    slope = between / spread**2 * (1.0 - 2.0 * share)
    inside = (2.0 * rates + base - 2.0 * share) / spread - slope * (1.0 - share)
    outside = base / spread + slope * share
    variance = float(np.sum(weights * (rates * inside**2 + (1.0 - rates) * outside**2))) / n
    half = z * math.sqrt(variance + 2.0 * freedom / n**2)
    # Next to 1 the sample shows no error, next to 0 no effect: what a few rows more might show is allowed for.
    low = max(0.0, corrected - half - explained * z * z / (n * spread))
    high = min(1.0, corrected + half + z * z / n + hidden / spread)
    correction = 1.0 if few else max(1e-12, min(1.0 - 1.0 / n, freedom - freedom**2 / n if freedom else 1.0))
    value = math.sqrt(min(1.0, corrected / correction))
    return value, min(value, math.sqrt(low)), max(value, math.sqrt(high))


def _pooled(members: Floats, others: Floats, *, rare: NDArray[np.bool_]) -> tuple[Floats, Floats, float]:
    """Take rare cells together.

    Returns:
        Members and others by cell, and the variance of membership within the cells taken together, as a share of all
        rows.
    """
    cells = members + others
    if rare.sum() < 2:
        return members, others, 0.0
    inside, outside = float(members[rare].sum()), float(others[rare].sum())
    return (
        np.append(members[~rare], inside),
        np.append(others[~rare], outside),
        inside * outside / (inside + outside) / float(cells.sum()),
    )
