"""Findings of a comparison in the order and the words in which a manager asks: what, where, how much."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.measure.comparison import Comparison
from aims_pipelines.reports.overlays import category_bars, percent
from aims_pipelines.stats.attribution import moved_rows
from aims_pipelines.stats.pairs import pair_name
from aims_pipelines.stats.profile import ColumnProfile, Kind, Profile

_SUBJECTS = {
    "missing values: ": "missing",
    "label: ": "values",
    "group sizes: ": "sizes",
    "dependence": "dependence",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A finding and what it is about.

    Args:
        finding: The finding.
        column: The column, grouping whose sizes are compared, or pair of columns; empty for a whole group or the
            whole table.
        grouping: The grouping it was found in; empty for the whole table.
        level: The group; empty for the whole table.
        subject: ``values``, ``missing``, ``sizes`` or ``dependence``.
    """

    finding: Finding
    column: str
    grouping: str
    level: str
    subject: str

    @property
    def where(self) -> str:
        """Where it was found, for people."""
        return group_name(self.grouping, self.level)

    @property
    def moved(self) -> float:
        """About which share of the rows has moved."""
        return moved_rows(self.finding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """All that was shown about one column and subject.

    Args:
        column: The column or grouping.
        subject: As in :class:`Placed`.
        main: The finding over all rows if that failed, otherwise the strongest inside a group.
        others: Findings inside other groups, strongest first.
    """

    column: str
    subject: str
    main: Placed
    others: tuple[Placed, ...]

    @property
    def title(self) -> str:
        """What changed."""
        before = {
            "missing": "missing values of ",
            "sizes": "sizes of the groups by ",
            "dependence": "dependence of ",
        }
        return before.get(self.subject, "") + self.column

    @property
    def moved(self) -> float:
        """The strongest shift, as a share of rows."""
        return max(item.moved for item in (self.main, *self.others))


def group_name(grouping: str, level: str) -> str:
    """A group for people: ``sex = Female``, ``age <28``; all rows where there is none."""
    if not grouping:
        return "all rows"
    return f"{grouping} {level}" if level.startswith(("<", ">=")) else f"{grouping} = {level}"


def placed(comparison: Comparison) -> list[Placed]:
    """Say of each finding what it is about."""
    places: dict[str, tuple[str, str, str]] = {}
    for profile in (comparison.reference, comparison.current):
        for grouping, levels in profile.groups.items():
            for level in levels:
                places[f"{grouping}={level}"] = ("", grouping, level)
                for name in profile.columns:
                    places[f"{grouping}={level}: {name}"] = (name, grouping, level)
    found = []
    for finding in comparison.findings:
        column, grouping, level = places.get(finding.target, (finding.target, "", ""))
        subject = next(
            (kind for start, kind in _SUBJECTS.items() if finding.measure.startswith(start)), "values"
        )
        found.append(Placed(finding=finding, column=column, grouping=grouping, level=level, subject=subject))
    return found


def changes(findings: Sequence[Placed]) -> list[Change]:
    """Put failures of one column (or pair) and subject together, and rank them by how much has moved."""
    failed: dict[tuple[str, str], list[Placed]] = {}
    for item in findings:
        if item.finding.status is Status.FAIL:
            failed.setdefault((item.column, item.subject), []).append(item)
    ranked = []
    for (column, subject), items in failed.items():
        items.sort(key=lambda item: (bool(item.grouping), -item.moved))
        main = items[0]
        ranked.append(Change(column=column, subject=subject, main=main, others=tuple(items[1:])))
    return sorted(ranked, key=lambda change: -change.moved)


def columns_in(profile: Profile, place: Placed) -> ColumnProfile | None:
    """The column of a finding, over the rows that the finding is about."""
    if not place.grouping:
        return profile.columns.get(place.column)
    group = profile.groups.get(place.grouping, {}).get(place.level)
    return group.columns.get(place.column) if group is not None else None


def may_name(comparison: Comparison, column: str) -> bool:
    """Whether the categories of a column may be shown: those of the label and of group columns may."""
    grouped = {
        part for grouping in comparison.reference.groups for part in (grouping, *grouping.split(" & "))
    }
    return column == comparison.label or column in grouped


def sentence(comparison: Comparison, place: Placed, *, named: bool) -> str:
    """Say in one sentence what moved, in the units of the data where that is possible."""
    before, after = columns_in(comparison.reference, place), columns_in(comparison.current, place)
    if place.subject == "sizes":
        return _sizes(comparison, place)
    if place.subject == "dependence":
        return _together(place)
    if before is None or after is None or not before.rows or not after.rows:
        return place.finding.reason.capitalize() + "."
    if place.subject == "missing":
        was, now = before.missing / before.rows, after.missing / after.rows
        return f"Missing values {'rose' if now > was else 'fell'} from {percent(was)} to {percent(now)}."
    if before.moments is not None and after.moments is not None and before.kind is not Kind.CATEGORICAL:
        if before.kind is Kind.TEMPORAL:
            return _times(place, before.moments.mean, after.moments.mean)
        return _numbers(place, before.moments.mean, after.moments.mean)
    shares = category_bars(before, after, named=named)
    if not shares:
        return f"About {percent(place.moved)} of the rows hold other values than before."
    most = max(shares, key=lambda item: (round(abs(item.after - item.before), 9), item.after, item.name))
    what = f"The share of “{most.name}”" if named else f"The share of {most.name}"
    direction = "rose" if most.after > most.before else "fell"
    text = f"{what} {direction} from {percent(most.before)} to {percent(most.after)}"
    return f"{text}; in all, {percent(place.moved)} of the rows moved." if len(shares) > 2 else f"{text}."


def _together(place: Placed) -> str:
    first, _, second = place.column.partition(pair_name(("", "")))
    beyond = "Neither column's own shift explains it."
    if place.finding.unit == "correlation":
        direction = "more" if " rose " in place.finding.reason else "less"
        observed = abs(place.finding.observed or 0.0)
        changed = f"the rank correlation changed by {observed:.2f}"
        return f"{first} and {second} rise together {direction} than before: {changed}. {beyond}"
    return f"Values of {first} and {second} go together otherwise in up to {percent(place.moved)} of the rows. {beyond}"


def _numbers(place: Placed, was: float, now: float) -> str:
    average = f"the average was {_plain(was)} and is {_plain(now)}"
    if place.finding.unit == "standard deviations":
        observed = abs(place.finding.observed or 0.0)
        direction = "higher" if now > was else "lower"
        return f"Values are {direction} by {observed:.2g} standard deviations: {average}."
    return f"About {percent(place.moved)} of the rows lie elsewhere in the range; {average}."


def _times(place: Placed, was: float, now: float) -> str:
    days = (now - was) / 86400
    if not math.isfinite(days):
        return f"About {percent(place.moved)} of the rows lie elsewhere in time."
    direction = "later" if days > 0 else "earlier"
    moved = percent(place.moved)
    return f"Times are {_plain(abs(days))} days {direction} on average; {moved} of the rows lie elsewhere."


def _plain(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def _sizes(comparison: Comparison, place: Placed) -> str:
    was, now = comparison.reference.groups[place.column], comparison.current.groups[place.column]
    rows = comparison.reference_rows, comparison.current_rows
    shares = {
        level: (
            was[level].rows / rows[0] if level in was else 0.0,
            now[level].rows / rows[1] if level in now else 0.0,
        )
        for level in {*was, *now}
    }
    level = max(sorted(shares), key=lambda name: abs(shares[name][1] - shares[name][0]))
    before, after = shares[level]
    return f"The share of {level} {'rose' if after > before else 'fell'} from {percent(before)} to {percent(after)}."


def headline(comparison: Comparison, ranked: Sequence[Change]) -> tuple[str, str]:
    """The answer in a sentence, and what it rests on in another."""
    groups = sum(len(levels) for levels in comparison.reference.groups.values())
    inside = f" and inside {groups} group{'s' if groups != 1 else ''}" if groups else ""
    tolerated = percent(comparison.effect)
    columns = len(comparison.reference.columns.keys() & comparison.current.columns.keys())
    pairs = len(comparison.reference.pairs.keys() & comparison.current.pairs.keys())
    compared = f"{columns} columns" + (
        f" and {pairs} pair{'s' if pairs != 1 else ''} of them" if pairs else ""
    )
    if comparison.status is Status.FAIL:
        whole = [change for change in ranked if not change.main.grouping]
        only = [change for change in ranked if change.main.grouping]
        parts = []
        if whole:
            parts.append(f"{_listed([change.title for change in whole])} changed over all rows")
        if only:
            parts.append(f"{_listed([change.title for change in only])} changed inside groups only")
        top = ranked[0]
        more = f" among {top.main.where}" if top.main.grouping else ""
        return (
            f"The data has changed, most of all {'in ' if top.subject == 'values' else 'in the '}{top.title}{more}.",
            f"{'; '.join(parts)}. Chance and ordinary wobble do not explain it. "
            f"Compared were {compared}, over all rows{inside}.",
        )
    if comparison.status is Status.PASS:
        return (
            "The data has not changed in a way that matters.",
            f"{compared} were compared, over all rows{inside}. There were enough rows to show a shift of "
            f"{tolerated} of them in any column, and none was shown.",
        )
    needed = comparison.rows_needed
    takes = (
        f" About {needed:,} rows would be enough; there were {comparison.current_rows:,}." if needed else ""
    )
    return (
        "It cannot be told yet whether the data has changed.",
        f"No change that matters was shown, but a shift of {tolerated} of the rows could have gone unseen "
        f"somewhere.{takes}",
    )


def _listed(items: Sequence[str]) -> str:
    if len(items) > 4:
        return f"{', '.join(items[:3])} and {len(items) - 3} more"
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else items[0]
