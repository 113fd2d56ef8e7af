"""Judged shifts in words: what moved, where, by how much, held against what.

Values of columns are not shown, as they may be personal; categories of labels and groups are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.families import Block, Family, Judged, tolerated_shift
from aims_pipelines.stats.power import rows_needed
from aims_pipelines.stats.shifts import Shift

_MEASURES = {
    Shift.LOCATION: ("location shift", "standard deviations"),
    Shift.SHAPE: ("largest distribution gap (KS)", "fraction"),
    Shift.SHARE: ("share shift", "fraction"),
    Shift.SHARES: ("total variation", "fraction"),
    Shift.ASSOCIATION: ("rank correlation shift", "correlation"),
    Shift.DEPENDENCE: ("total variation beyond the columns", "fraction"),
    Shift.NEW_VALUES: ("share of rows with new values", "fraction"),
}
#: What is measured of a pair.
DEPENDENCE = "dependence"
_SUBJECTS = {
    "values": "",
    "missing": "missing values: ",
    "label": "label: ",
    "sizes": "group sizes: ",
    "dependence": f"{DEPENDENCE}: ",
}
_REMEDY = "Find out what changed at the source; accept it, or make this window the reference, if it is right."
_REMEDIES = {
    Shift.NEW_VALUES: "Find out whether values are written otherwise at the source. Identifiers that are others in "
    "every window are left out with 'drift: false' in the column's contract (--ignore on the command line)."
}
MORE_ROWS = "Judge more rows, for instance this window together with the ones before it."
#: What to do about a pair whose values are too rare for any number of rows.
FEWER_VALUES = "Pair columns of fewer values: merge rare ones at the source."


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The whole table, or one group that both windows have.

    Args:
        grouping: Name of the grouping; empty for the whole table.
        level: The group; empty for the whole table.
        before: Its rows in the reference window.
        after: Its rows in the current window.
    """

    grouping: str
    level: str
    before: int
    after: int

    @property
    def name(self) -> str:
        """Such as ``sex=Female``; empty for the whole table."""
        return f"{self.grouping}={self.level}" if self.grouping else ""


def inconclusive(target: str, reason: str, *, remedy: str = "") -> Finding:
    """Make a finding about something that could not be judged."""
    return Finding(target=target, measure="drift", status=Status.INCONCLUSIVE, reason=reason, remedy=remedy)


def column_finding(judged: Judged, index: int, *, rows: int, unit: Unit | None = None) -> Finding:
    """Put the judgement of one column in one unit in words.

    Args:
        judged: The block's judgement.
        index: Which of the block's units.
        rows: Rows of the current window.
        unit: The group; the whole table if absent.

    Returns:
        The finding, its target the column, or ``group: column`` inside a group.
    """
    block, shifts = judged.block, judged.block.shifts
    at = int(block.units[index])
    before, after = float(shifts.before[at]), float(shifts.after[at])
    kind = Shift(int(shifts.kind[at]))
    measure, unit_of_measure = _MEASURES[kind]
    finding = Finding(
        target=f"{unit.name}: {block.column}" if unit is not None else block.column,
        measure=_SUBJECTS[block.subject] + measure,
        status=Status.INCONCLUSIVE,
        reason="no values in one of the windows",
        unit=unit_of_measure,
        n=int(after),
    )
    if min(before, after) < 1.0:
        return finding
    observed, limit = float(shifts.observed[at]), float(judged.limit[index])
    p, adjusted = float(shifts.p[at]), float(judged.p_adjusted[index])
    tested = bool(shifts.possible[at])
    finding = replace(
        finding,
        observed=abs(observed),
        limit=limit if tested and not math.isnan(limit) else None,
        p_value=p if tested else None,
        p_adjusted=adjusted if tested else None,
    )
    moved = _moved(judged, at, kind, observed)
    if judged.failed[index]:
        return replace(
            finding,
            status=Status.FAIL,
            reason=f"{moved}, more than sampling and ordinary wobble explain",
            remedy=_REMEDIES.get(kind, _REMEDY),
        )
    if judged.conclusive[index]:
        return replace(finding, status=Status.PASS, reason=_passed(judged, at, moved))
    if block.finest is not None and block.finest.hidden >= judged.tolerated:
        return replace(
            finding,
            reason=f"{moved}; {too_rare(block.finest.hidden)}",
            remedy=FEWER_VALUES,
        )
    return replace(
        finding,
        reason=f"{moved} shown, but the windows are too small to have shown one that matters"
        if moved == "no shift"
        else f"{moved}, which could be chance; the windows are too small to have shown a shift that matters",
        rows_needed=rows_needed(float(judged.largest_variance[index]), before=before, after=after, rows=rows),
        remedy=MORE_ROWS,
    )


def too_rare(hidden: float) -> str:
    """Say how much of a pair no number of rows would show."""
    return (
        f"{hidden:.2g} of the rows hold values too rare to be told apart, "
        "among which a change would not be seen"
    )


def group_findings(
    judged: Sequence[Judged],
    units: Sequence[Unit],
    small: Sequence[Unit],
    *,
    effect: float,
    rows: tuple[int, int],
) -> list[Finding]:
    """Sum up what was found inside groups.

    Args:
        judged: All judgements; those of the whole table are passed over.
        units: The whole table and the groups that were looked into.
        small: Groups that were not.
        effect: Tolerated shift in the whole table.
        rows: Rows of the reference and of the current window.

    Returns:
        One finding for each shift shown in a group, one for each group in which nothing was shown though
        it was large enough, one for each label in such a group, and for each grouping one about the
        groups that are too
        small: it passes where they hold no larger a part of the rows than the tolerated shift.
    """
    inside: dict[int, list[tuple[Judged, int]]] = {}
    for answer in judged:
        if answer.block.family in (Family.GROUPS, Family.LABELS):
            for index, at in enumerate(answer.block.units):
                inside.setdefault(int(at), []).append((answer, index))
    findings: list[Finding] = []
    unable: list[tuple[Unit, int | None]] = [(unit, None) for unit in small]
    for at, answers in inside.items():
        unit = units[at]
        failed = [(answer, index) for answer, index in answers if answer.failed[index]]
        findings += [column_finding(answer, index, rows=rows[1], unit=unit) for answer, index in failed]
        open_ones = [
            column_finding(answer, index, rows=rows[1], unit=unit)
            for answer, index in answers
            if not answer.failed[index] and not answer.conclusive[index]
        ]
        if open_ones:
            needs = [finding.rows_needed for finding in open_ones]
            unable.append((unit, None if None in needs else max(need for need in needs if need is not None)))
        elif not failed:
            findings += _quiet(unit, answers, effect=effect, rows=rows[1])
    findings += _too_small(unable, effect=effect, rows=rows)
    return findings


def _quiet(unit: Unit, answers: Sequence[tuple[Judged, int]], *, effect: float, rows: int) -> list[Finding]:
    findings = [
        column_finding(answer, index, rows=rows, unit=unit)
        for answer, index in answers
        if answer.block.family is Family.LABELS
    ]
    rest = [(answer, index) for answer, index in answers if answer.block.family is Family.GROUPS]
    if rest:
        answer, index = min(rest, key=lambda pair: pair[0].block.shifts.p[pair[0].block.units[pair[1]]])
        closest = column_finding(answer, index, rows=rows, unit=unit)
        columns = len({one.block.column for one, _ in rest})
        tolerated = tolerated_shift(Family.GROUPS, effect)
        findings.append(
            replace(
                closest,
                target=unit.name,
                measure=f"shift inside the group: {closest.measure}",
                reason=f"no shift in {columns} columns, a shift of {tolerated:.3g} of the group's rows would have "
                f"been shown; largest in {answer.block.column}",
                n=unit.after,
            )
        )
    return findings


def _too_small(
    unable: Sequence[tuple[Unit, int | None]], *, effect: float, rows: tuple[int, int]
) -> list[Finding]:
    findings = []
    for grouping in dict.fromkeys(unit.grouping for unit, _ in unable):
        mine = [(unit, need) for unit, need in unable if unit.grouping == grouping]
        held = _held([unit for unit, _ in mine], rows)
        names = ", ".join(f"{unit.level} ({unit.after})" for unit, _ in mine)
        finding = Finding(
            target=grouping,
            measure="share of rows in groups too small to judge",
            status=Status.PASS if held <= effect else Status.INCONCLUSIVE,
            reason=f"judged only as part of the whole, not by themselves: {names}",
            observed=held,
            limit=effect,
            unit="fraction",
            n=rows[1],
        )
        if held > effect:
            finding = replace(
                finding, rows_needed=_until_few(mine, effect=effect, rows=rows), remedy=MORE_ROWS
            )
        findings.append(finding)
    return findings


def _held(groups: Sequence[Unit], rows: tuple[int, int]) -> float:
    """Share of the rows that some groups hold, in the window in which they hold more."""
    return max(sum(unit.before for unit in groups) / rows[0], sum(unit.after for unit in groups) / rows[1])


def _until_few(
    mine: Sequence[tuple[Unit, int | None]], *, effect: float, rows: tuple[int, int]
) -> int | None:
    """Rows at which the groups still too small would hold no more than the tolerated share."""
    left = [unit for unit, _ in mine]
    for need, unit in sorted(
        ((need, unit) for unit, need in mine if need is not None), key=lambda pair: pair[0]
    ):
        left.remove(unit)
        if _held(left, rows) <= effect:
            return need
    return None


def _moved(judged: Judged, at: int, kind: Shift, observed: float) -> str:
    block = judged.block
    if abs(observed) < 5e-5:
        return "no shift"
    if kind is Shift.LOCATION:
        return f"values moved {'up' if observed > 0 else 'down'} by {abs(observed):.3g} standard deviations"
    if kind is Shift.ASSOCIATION:
        direction = "rose" if observed > 0 else "fell"
        return f"the rank correlation {direction} by {abs(observed):.3g} beyond what either column shifted by itself"
    if kind is Shift.DEPENDENCE:
        beyond = "beyond what either column shifted by itself"
        return f"values go together otherwise in up to {observed:.3g} of the rows, {beyond}"
    if kind is Shift.SHAPE:
        return f"the distribution moved by up to {observed:.3g} of the rows"
    return _moved_categories(block, at, kind, observed)


def _moved_categories(block: Block, at: int, kind: Shift, observed: float) -> str:
    if kind is Shift.NEW_VALUES:
        where = "the reference lacks" if observed > 0 else "this window lacks, of the reference's rows"
        return f"{abs(observed):.3g} of the rows have values that {where}, beyond those that sampling leaves unseen"
    cell = int(block.shifts.cell[at])
    named = block.labels[cell] if block.labels and cell >= 0 else ""
    if kind is Shift.SHARES:
        return (
            f"the shares moved by {observed:.3g} of the rows together{f', most in {named}' if named else ''}"
        )
    direction = "rose" if observed > 0 else "fell"
    if block.subject == "missing":
        return f"missing values {direction} by {abs(observed):.3g} of the rows"
    name = f"the share of {named}" if named else "one category's share"
    return f"{name} {direction} by {abs(observed):.3g}"


def _passed(judged: Judged, at: int, moved: str) -> str:
    shifts = judged.block.shifts
    if judged.largest_variance[list(judged.block.units).index(at)] == float("inf"):
        return "too few rows have a value for a shift that matters"
    if not shifts.possible[at]:
        if judged.block.subject == "missing":
            return (
                "missing throughout both windows"
                if shifts.observed[at]
                else "no missing values in either window"
            )
        return "nothing varies: one value, or none that is common, in both windows"
    if shifts.kind[at] == Shift.SHARES and shifts.cell[at] < 0:
        return "rare values, taken together, differ no more than those of two samples do"
    return moved
