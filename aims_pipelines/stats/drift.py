"""Whether a window of data has drifted from its reference: profiles in, findings out.

Judged are the values and the missing values of every column, the sizes of groups, and all of it again inside
every group; labels inside groups are a family of tests of their own, and so is the dependence of
declared pairs of columns on each other, beyond what either has shifted by itself. A finding

- *fails* where a shift is shown beyond what sampling of both windows and ordinary wobble between windows
  explain, after adjusting for all tests made;
- *passes* where the windows were large enough to have shown the tolerated shift with the stated power, and
  did not;
- is *inconclusive* otherwise, and says how many rows it would take.

The reasons for each choice are in the decision record on drift.
"""

from collections.abc import Collection

import numpy as np

from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.attribution import attributed
from aims_pipelines.stats.column_shifts import column_shifts, missing_shifts
from aims_pipelines.stats.drift_findings import Unit, column_finding, group_findings, inconclusive
from aims_pipelines.stats.families import Block, Family, judge
from aims_pipelines.stats.long_numbers import holds_long_numbers
from aims_pipelines.stats.pair_drift import pair_blocks
from aims_pipelines.stats.profile import ColumnProfile, Kind, Profile
from aims_pipelines.stats.share_shifts import share_shifts

#: Standard deviation of harmless shifts between windows, as a part of the tolerated shift.
WOBBLE = 0.058
#: Part of a standard deviation that rounding may blur.
_BLUR = 0.01


def compare(
    reference: Profile,
    current: Profile,
    *,
    effect: float,
    alpha: float,
    power: float = 0.95,
    labels: Collection[str] = (),
    ignore: Collection[str] = (),
    min_group_size: int = 30,
    wobble: float | None = None,
) -> tuple[Finding, ...]:
    """Judge whether the current window has drifted from the reference.

    Args:
        reference: Profile of the reference window.
        current: Profile of the current window.
        effect: Tolerated shift: the share of rows that may have moved without anybody refusing the window, as
            total variation distance, in (0, 1). A pass must have been able to show it; inside groups,
            three times as much. A shift of less than about a fifth of it never fails, however many the
            rows.
        alpha: Chance, in (0, 1), that a window in which nothing has changed fails anywhere. Beside real drift it
            bounds the expected share of false ones among the failures.
        power: Chance with which a passing window would have shown the tolerated shift, in (0.5, 1).
        labels: Columns to predict; their shifts inside groups are a family of tests of their own.
        ignore: Columns that are not judged, such as the time of the event or a running number.
        min_group_size: Fewest rows of a group, in both windows, for which it is looked into, at least 1.
        wobble: Standard deviation of harmless shifts between windows, as total variation distance, where past
            windows tell it; 0.058 times the effect if absent.

    Returns:
        Findings, failures first, those that carry most of the change before the others. Never empty, and never a pass
        without rows or with limits that are not numbers.
    """
    scale = effect * WOBBLE if wobble is None else wobble
    problem = _problem(reference, current, effect=effect, alpha=alpha, power=power, wobble=scale)
    if problem:
        return (inconclusive("", problem),)
    ignored = frozenset(ignore)
    names = [name for name in reference.columns if name in current.columns and name not in ignored]
    units, small = _units(reference, current, max(1, min_group_size))
    blocks: list[Block] = []
    findings: list[Finding] = _only_in_one(reference, current, ignored)
    for name in names:
        pair = reference.columns[name], current.columns[name]
        if (pair[0].kind is Kind.CATEGORICAL) != (pair[1].kind is Kind.CATEGORICAL):
            findings.append(inconclusive(name, f"{pair[0].kind} in the reference, {pair[1].kind} now"))
            continue
        if any(_is_blurred(column) for column in pair):
            findings.append(
                inconclusive(
                    name,
                    "its numbers have more digits than are kept, so whether they changed cannot be told",
                    remedy="Store identifiers and codes as text, or ignore the column.",
                )
            )
            continue
        blocks += _column_blocks(reference, current, name, units, is_label=name in labels, wobble=scale)
    blocks += _size_blocks(reference, current, ignored, wobble=scale)
    paired, unpaired = pair_blocks(reference, current, ignored, effect=effect, wobble=scale)
    blocks += paired
    findings += unpaired
    judged = judge(blocks, alpha=alpha, effect=effect, power=power, wobble=scale)
    whole = (answer for answer in judged if answer.block.family not in (Family.GROUPS, Family.LABELS))
    findings += [column_finding(answer, 0, rows=current.rows) for answer in whole]
    findings += group_findings(judged, units, small, effect=effect, rows=(reference.rows, current.rows))
    if not any(block.shifts.possible.any() for block in blocks):
        findings.append(
            inconclusive("", "no column has two different values that are common enough to compare")
        )
    findings = attributed(findings, reference, current, labels=labels)
    return tuple(sorted(findings, key=_rank))


def _is_blurred(column: ColumnProfile) -> bool:
    """Whether whole numbers or decimals lie so close together, far from zero, that float64 does not tell them apart."""
    moments = column.moments
    if moments is None or not holds_long_numbers(column):
        return False
    deviation = float(np.sqrt(moments.m2 / moments.count))
    return not np.spacing(max(abs(moments.minimum), abs(moments.maximum))) < _BLUR * deviation


def _problem(
    reference: Profile, current: Profile, *, effect: float, alpha: float, power: float, wobble: float
) -> str:
    if not (0.0 < effect < 1.0 and 0.0 < alpha < 1.0 and 0.5 < power < 1.0 and 0.0 <= wobble < 1.0):
        return "the effect, alpha, power or wobble is not a usable fraction"
    if not reference.rows or not current.rows:
        return f"the {'reference' if not reference.rows else 'current'} window has no rows"
    return ""


def _units(reference: Profile, current: Profile, smallest: int) -> tuple[list[Unit], list[Unit]]:
    """The whole table and the groups that are looked into; and the groups that are not."""
    units = [Unit(grouping="", level="", before=reference.rows, after=current.rows)]
    small: list[Unit] = []
    for grouping in reference.groups:
        if grouping not in current.groups:
            continue
        was, now = reference.groups[grouping], current.groups[grouping]
        for level in dict.fromkeys((*was, *now)):
            before = was[level].rows if level in was else 0
            after = now[level].rows if level in now else 0
            unit = Unit(grouping=grouping, level=level, before=before, after=after)
            (units if min(before, after) >= smallest else small).append(unit)
    return units, small


def _column_blocks(
    reference: Profile, current: Profile, name: str, units: list[Unit], *, is_label: bool, wobble: float
) -> list[Block]:
    before = [_column(reference, unit, name) for unit in units]
    after = [_column(current, unit, name) for unit in units]
    values, categories = column_shifts(before, after, wobble=wobble)
    missing = missing_shifts(before, after, wobble=wobble)
    whole = np.array([0], dtype=np.intp)
    inside = np.array(
        [
            index
            for index, unit in enumerate(units)
            if unit.grouping and name not in unit.grouping.split(" & ")
        ],
        dtype=np.intp,
    )
    shown = (categories or ()) if is_label else ()
    tests = [
        (Family.COLUMNS, "values", values, whole),
        (Family.STRUCTURE, "missing", missing, whole),
        (Family.LABELS if is_label else Family.GROUPS, "label" if is_label else "values", values, inside),
        (Family.GROUPS, "missing", missing, inside),
    ]
    return [
        Block(family=family, column=name, subject=subject, shifts=shifts, units=at, labels=shown)
        for family, subject, shifts, at in tests
        if at.size
    ]


def _column(profile: Profile, unit: Unit, name: str) -> ColumnProfile:
    if not unit.grouping:
        return profile.columns[name]
    column = profile.groups[unit.grouping][unit.level].columns.get(name)
    whole = profile.columns[name]
    return column or ColumnProfile(
        name=name, kind=whole.kind, storage_type=whole.storage_type, rows=0, nulls=0
    )


def _size_blocks(
    reference: Profile, current: Profile, ignored: frozenset[str], *, wobble: float
) -> list[Block]:
    """Sizes of the groups of each grouping that is not simply a column of categories judged already."""
    blocks = []
    for grouping in reference.groups:
        column = reference.columns.get(grouping)
        plain = column is not None and column.kind is Kind.CATEGORICAL and grouping not in ignored
        if grouping not in current.groups or plain:
            continue
        was, now = reference.groups[grouping], current.groups[grouping]
        levels = tuple(dict.fromkeys((*was, *now)))
        before = np.array([[was[level].rows if level in was else 0 for level in levels]], dtype=np.float64)
        after = np.array([[now[level].rows if level in now else 0 for level in levels]], dtype=np.float64)
        shifts = share_shifts(before, after, wobble=wobble, present=np.ones(1))
        at = np.array([0], dtype=np.intp)
        blocks.append(
            Block(
                family=Family.STRUCTURE,
                column=grouping,
                subject="sizes",
                shifts=shifts,
                units=at,
                labels=levels,
            )
        )
    return blocks


def _only_in_one(reference: Profile, current: Profile, ignored: frozenset[str]) -> list[Finding]:
    findings = [
        inconclusive(name, "the column is only in the reference window")
        for name in reference.columns
        if name not in current.columns and name not in ignored
    ]
    findings += [
        inconclusive(name, "the column is only in the current window")
        for name in current.columns
        if name not in reference.columns and name not in ignored
    ]
    for grouping in dict.fromkeys((*reference.groups, *current.groups)):
        if (grouping in reference.groups) != (grouping in current.groups):
            which = "reference" if grouping in reference.groups else "current"
            findings.append(inconclusive(grouping, f"only the {which} window was profiled by this grouping"))
    return findings


def _rank(finding: Finding) -> tuple[int, float]:
    order = (Status.FAIL, Status.INCONCLUSIVE, Status.PASS).index(finding.status)
    return order, -(finding.part or 0.0)
