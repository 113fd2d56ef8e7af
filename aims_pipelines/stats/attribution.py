"""What carries a drift that was shown: columns, pairs and groups in order, each with its part of all that moved.

What moved is counted in rows: the share of them that would have to change for the windows to agree. Shifts of different
columns may be of the same rows, so parts say how the shifts compare, and add up to one over what was shown.

A group's part of the shift of a column is exact: the share of rows beyond a point (or of a category) changes because it
changes inside groups, and because groups grow or shrink; both terms together, over all groups, are the change.

Source: Kitagawa (1955), Journal of the American Statistical Association 50:1168-1194, for the decomposition.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.aligned import aligned_counts
from aims_pipelines.stats.drift_findings import DEPENDENCE
from aims_pipelines.stats.pairs import pair_name
from aims_pipelines.stats.profile import ColumnProfile, Profile
from aims_pipelines.stats.shifts import CORRELATION_PER_TOTAL_VARIATION

#: Fewest rows of a group, in both windows together, whose part is told.
_FEWEST = 30
#: A group is named in a finding if its part exceeds its share of the rows by this much.
_TELLING = 0.2
#: Most groups that are told of one shift.
_MOST_GROUPS = 8
LABEL_SHIFT, RELATION = "label shift", "relation to the label"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPart:
    """A group's part of the shift of a column.

    Args:
        group: Such as ``sex=Female``.
        part: Part of the shift that is this group's; below 0 where it went the other way. Over all groups of a
            grouping they add up to 1.
        rows: Its share of the rows, the mean of both windows.
    """

    group: str
    part: float
    rows: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """All that was shown of one column, pair or grouping.

    Args:
        target: The column, the pair, or the grouping whose sizes changed.
        subject: ``values``, ``missing``, ``sizes`` or ``dependence``.
        kind: ``label shift``, ``relation to the label``, or ``column``, ``pair`` or ``group sizes``.
        moved: Share of all rows that moved.
        part: Its part of all that moved, in [0, 1].
        groups: Groups by their part, the largest first, of the grouping that tells most.
    """

    target: str
    subject: str
    kind: str
    moved: float
    part: float
    groups: tuple[GroupPart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    finding: Finding
    target: str
    subject: str
    grouping: str
    level: str
    moved: float  # of all rows


def moved_rows(finding: Finding) -> float:
    """About which share of the rows judged has moved; standard deviations are those of a normal distribution."""
    observed = abs(finding.observed or 0.0)
    if finding.unit == "standard deviations":
        return math.erf(observed / (2 * math.sqrt(2)))
    if finding.unit == "correlation":
        return observed / CORRELATION_PER_TOTAL_VARIATION
    return observed


def attribution(
    findings: Sequence[Finding], reference: Profile, current: Profile, *, labels: Collection[str] = ()
) -> tuple[Contribution, ...]:
    """Rank what was shown.

    Args:
        findings: Of the comparison of both profiles.
        reference: Profile of the reference window.
        current: Profile of the current window.
        labels: Columns to predict.

    Returns:
        One contribution for each column, pair or grouping of which a shift was shown, the largest first; none if none
        was.
    """
    shown: dict[tuple[str, str], list[_Shown]] = {}
    for one in _shown(findings, reference, current):
        shown.setdefault((one.target, one.subject), []).append(one)
    moved = {key: _moved(items) for key, items in shown.items()}
    total = sum(moved.values())
    contributions = [
        Contribution(
            target=target,
            subject=subject,
            kind=_kind(target, subject, labels),
            moved=moved[target, subject],
            part=moved[target, subject] / total if total > 0.0 else 1.0 / len(shown),
            groups=_groups(reference, current, target, subject),
        )
        for target, subject in shown
    ]
    return tuple(sorted(contributions, key=lambda one: (-one.part, one.target, one.subject)))


def attributed(
    findings: Sequence[Finding], reference: Profile, current: Profile, *, labels: Collection[str] = ()
) -> list[Finding]:
    """Write into each finding of a shown shift what part it carries; arguments as for :func:`attribution`."""
    contributions = {
        (one.target, one.subject): one for one in attribution(findings, reference, current, labels=labels)
    }
    total = sum(one.moved for one in contributions.values())
    told: dict[int, Finding] = {}
    for one in _shown(findings, reference, current):
        whole = contributions[one.target, one.subject]
        part = whole.part if not one.grouping or total <= 0.0 else min(whole.part, one.moved / total)
        told[id(one.finding)] = _worded(one, whole, part, alone=len(contributions) == 1)
    return [told.get(id(finding), finding) for finding in findings]


def _worded(one: _Shown, whole: Contribution, part: float, *, alone: bool) -> Finding:
    reason = one.finding.reason
    if not one.grouping and whole.kind in {LABEL_SHIFT, RELATION}:
        reason = f"{whole.kind}: {reason}"
    if not alone:
        reason += f"; {part:.0%} of all that moved"
    if not one.grouping and whole.groups:
        first = max(whole.groups, key=lambda group: group.part - group.rows)
        if first.part - first.rows > _TELLING:
            reason += f", {first.part:.0%} of it in {first.group} with {first.rows:.0%} of the rows"
    return replace(one.finding, reason=reason, part=part)


def _shown(findings: Sequence[Finding], reference: Profile, current: Profile) -> Iterator[_Shown]:
    """Failures, and what each is about."""
    inside: dict[str, tuple[str, str, str]] = {}
    for profile in (reference, current):
        for grouping, levels in profile.groups.items():
            for level in levels:
                inside.update(
                    {f"{grouping}={level}: {name}": (name, grouping, level) for name in profile.columns}
                )
    for finding in findings:
        if finding.status is not Status.FAIL:
            continue
        target, grouping, level = inside.get(finding.target, (finding.target, "", ""))
        subject = "values"
        for start, name in ((DEPENDENCE, "dependence"), ("missing", "missing"), ("group sizes", "sizes")):
            if finding.measure.startswith(start):
                subject = name
        share = _row_share(reference, current, grouping, level) if grouping else 1.0
        yield _Shown(
            finding=finding,
            target=target,
            subject=subject,
            grouping=grouping,
            level=level,
            moved=moved_rows(finding) * share,
        )


def _row_share(reference: Profile, current: Profile, grouping: str, level: str) -> float:
    shares = [
        profile.groups[grouping][level].rows / profile.rows
        if profile.rows and level in profile.groups.get(grouping, {})
        else 0.0
        for profile in (reference, current)
    ]
    return sum(shares) / 2.0


def _moved(items: Sequence[_Shown]) -> float:
    """Rows that moved: over the whole table where that was shown, else those of the groups of one grouping."""
    whole = [one.moved for one in items if not one.grouping]
    if whole:
        return max(whole)
    by_grouping: dict[str, float] = {}
    for one in items:
        by_grouping[one.grouping] = by_grouping.get(one.grouping, 0.0) + one.moved
    return max(by_grouping.values())


def _kind(target: str, subject: str, labels: Collection[str]) -> str:
    if subject == "dependence":
        return RELATION if any(label in target.split(pair_name(("", ""))) for label in labels) else "pair"
    if subject == "sizes":
        return "group sizes"
    return LABEL_SHIFT if target in labels else "column"


def _groups(reference: Profile, current: Profile, target: str, subject: str) -> tuple[GroupPart, ...]:
    """Parts of the groups of the grouping in which a group's part exceeds its share of the rows most."""
    if (
        subject not in {"values", "missing"}
        or target not in reference.columns
        or target not in current.columns
    ):
        return ()
    best: tuple[GroupPart, ...] = ()
    most = -math.inf
    for grouping in reference.groups:
        if grouping not in current.groups or target in grouping.split(" & "):
            continue
        parts = tuple(_parts(reference, current, target, subject, grouping))
        excess = max((one.part - one.rows for one in parts), default=-math.inf)
        if excess > most:
            best, most = parts, excess
    return tuple(sorted(best, key=lambda one: -one.part)[:_MOST_GROUPS])


def _parts(
    reference: Profile, current: Profile, target: str, subject: str, grouping: str
) -> Iterator[GroupPart]:
    was, now = reference.groups[grouping], current.groups[grouping]
    levels = list(dict.fromkeys((*was, *now)))
    sides = [
        [profile.columns[target], *(_column(profile, grouping, level, target) for level in levels)]
        for profile in (reference, current)
    ]
    counted = _counted(sides, subject)
    if counted is None:
        return
    (hits, valued), size = counted, len(levels) + 1
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = np.nan_to_num(valued / valued[:, :1])
        rates = hits / valued
    change = rates[1, 0] - rates[0, 0]
    if not math.isfinite(change) or abs(change) < 1e-9:
        return
    middle = rates[:, 0].mean()
    # A level that one window lacks has the other's rate there: all of its part is that it came or went.
    rates = np.where(np.isnan(rates), rates[::-1], rates)
    inside = weights.mean(axis=0) * (rates[1] - rates[0])
    between = (weights[1] - weights[0]) * (rates.mean(axis=0) - middle)
    parts = np.nan_to_num(inside + between) / change
    for place, level in enumerate(levels, start=1):
        if place < size and valued[:, place].sum() >= _FEWEST:
            yield GroupPart(
                group=f"{grouping}={level}",
                part=float(parts[place]),
                rows=_row_share(reference, current, grouping, level),
            )


def _column(profile: Profile, grouping: str, level: str, target: str) -> ColumnProfile:
    group = profile.groups[grouping].get(level)
    column = group.columns.get(target) if group is not None else None
    whole = profile.columns[target]
    return column or ColumnProfile(
        name=target, kind=whole.kind, storage_type=whole.storage_type, rows=0, nulls=0
    )


def _counted(
    sides: Sequence[Sequence[ColumnProfile]], subject: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Rows that count, and all rows, by window and group (the whole first): those on one side of where most moved."""
    if subject == "missing":
        return (
            np.array([[float(one.missing) for one in side] for side in sides]),
            np.array([[float(one.rows) for one in side] for side in sides]),
        )
    if sides[0][0].kind is not sides[1][0].kind:
        return None
    counts, ordered = aligned_counts([one for side in sides for one in side])
    if not counts.size:
        return None
    table = counts.reshape(2, len(sides[0]), -1)
    valued = table.sum(axis=2)
    if not valued[:, 0].all():
        return None
    reached = np.cumsum(table, axis=2) if ordered else table
    shares = reached[:, 0] / valued[:, :1]
    at = int(np.abs(shares[1] - shares[0]).argmax())
    return reached[:, :, at], valued
