"""A comparison as one self-contained HTML page that a manager understands and a printer prints."""

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from aims_pipelines.core.verdict import Status
from aims_pipelines.measure.comparison import Comparison
from aims_pipelines.reports import drift_story as story
from aims_pipelines.reports.heatmaps import FEWEST_IN_A_CELL, pair_plot
from aims_pipelines.reports.markup import safe_svg
from aims_pipelines.reports.overlays import Bar, bars, percent, values_plot
from aims_pipelines.stats.attribution import LABEL_SHIFT, RELATION, Contribution
from aims_pipelines.stats.banding import level_order
from aims_pipelines.stats.pair_cells import grids
from aims_pipelines.stats.pairs import pair_name
from aims_pipelines.stats.profile import Kind

if TYPE_CHECKING:
    import jinja2

MOST_CARDS = 20
_MOST_GROUPS = 12
_MOST_ROWS = 60
_MOST_CHIPS = 8
_MOST_SIZES = 7
_MOST_CARRIERS = 4
_SMALL = "share of rows in groups too small to judge"


def drift_page(
    comparison: Comparison,
    *,
    reference_name: str,
    current_name: str,
    day: date,
    notes: Sequence[str] = (),
    show_values: bool = False,
) -> str:
    """Render the page.

    Args:
        comparison: What was found.
        reference_name: How readers call the reference.
        current_name: How readers call the current table.
        day: Day to print.
        notes: What a reader ought to know besides.
        show_values: Whether categories of columns other than the label and groups are named; those of fewer
            than ten rows never are.

    Returns:
        HTML of a few hundred kB at most, with no script and no reference to another file.
    """
    findings = story.placed(comparison)
    ranked = story.changes(findings)
    parts = {(one.target, one.subject): one for one in comparison.attribution}
    head, rests_on = story.headline(comparison, ranked)
    unsure = [item for item in findings if item.finding.status is Status.INCONCLUSIVE]
    return (
        environment()
        .get_template("drift.html.j2")
        .render(
            head=head,
            rests_on=rests_on,
            status=comparison.status.value,
            word={"pass": "no change", "fail": "changed", "inconclusive": "not enough rows"}[
                comparison.status.value
            ],
            reference_name=reference_name,
            current_name=current_name,
            reference_rows=comparison.reference_rows,
            current_rows=comparison.current_rows,
            effect=percent(comparison.effect),
            alpha=percent(comparison.alpha),
            day=day.isoformat(),
            notes=list(notes),
            cards=[
                _card(comparison, change, parts.get((change.column, change.subject)), show_values=show_values)
                for change in ranked[:MOST_CARDS]
            ],
            more=[change.title for change in ranked[MOST_CARDS:]][:_MOST_ROWS],
            unsure=[_unsure(item) for item in unsure[:_MOST_ROWS]],
            unsure_more=max(0, len(unsure) - _MOST_ROWS),
            needed=comparison.rows_needed,
            fewest=FEWEST_IN_A_CELL,
            small=[
                (item.column, item.finding.reason)
                for item in findings
                if item.finding.measure == _SMALL and item.finding.status is Status.PASS
            ],
            grid=_grid(comparison, findings),
        )
    )


def _card(
    comparison: Comparison, change: story.Change, carried: Contribution | None, *, show_values: bool
) -> dict[str, Any]:
    named = show_values or story.may_name(comparison, change.column)
    strongest = max(change.others, key=lambda item: item.moved, default=None)
    drawn = [change.main]
    if strongest is not None and strongest.moved > 1.25 * change.main.moved:
        drawn.append(strongest)
    return {
        "title": change.title,
        "strength": percent(change.moved),
        "part": percent(carried.part) if carried is not None else "",
        "kind": carried.kind if carried is not None and carried.kind in {LABEL_SHIFT, RELATION} else "",
        "carriers": [
            f"{group.group} {percent(group.part)} (of the rows {percent(group.rows)})"
            for group in (carried.groups if carried is not None else ())[:_MOST_CARRIERS]
        ],
        "figures": [
            {
                "where": place.where,
                "sentence": story.sentence(comparison, place, named=named),
                "svg": _plot(comparison, place, named=named, show_values=show_values),
                "odds": _odds(place.finding.p_adjusted),
            }
            for place in drawn
        ],
        "others": [f"{item.where} ({percent(item.moved)})" for item in change.others if item not in drawn][
            :_MOST_CHIPS
        ],
        "others_more": max(0, len([item for item in change.others if item not in drawn]) - _MOST_CHIPS),
    }


def _plot(comparison: Comparison, place: story.Placed, *, named: bool, show_values: bool) -> Any:
    if place.subject == "dependence":
        svg = _pair(comparison, place.column, show_values=show_values)
    elif place.subject == "sizes":
        svg = bars(_sizes(comparison, place.column))
    else:
        before = story.columns_in(comparison.reference, place)
        after = story.columns_in(comparison.current, place)
        if before is None or after is None or not before.rows or not after.rows:
            svg = ""
        elif place.subject == "missing":
            svg = bars(
                [Bar(name="missing", before=before.missing / before.rows, after=after.missing / after.rows)]
            )
        else:
            svg = values_plot(before, after, named=named)
    return safe_svg(svg)


def _pair(comparison: Comparison, name: str, *, show_values: bool) -> str:
    for pair, table in comparison.reference.pairs.items():
        if pair_name(pair) == name and pair in comparison.current.pairs:
            view = grids(table, comparison.current.pairs[pair])[0]
            first, second = (
                show_values
                or story.may_name(comparison, one)
                or comparison.reference.columns[one].kind is not Kind.CATEGORICAL
                for one in pair
            )
            return pair_plot(view, pair, named=(first, second))
    return ""


def _sizes(comparison: Comparison, grouping: str) -> list[Bar]:
    was, now = comparison.reference.groups[grouping], comparison.current.groups[grouping]
    shares = [
        Bar(
            name=level,
            before=was[level].rows / comparison.reference_rows if level in was else 0.0,
            after=now[level].rows / comparison.current_rows if level in now else 0.0,
        )
        for level in sorted({*was, *now})
    ]
    moved_most = sorted(shares, key=lambda item: -abs(item.after - item.before))[:_MOST_SIZES]
    return sorted(moved_most, key=lambda item: level_order(item.name))


def _odds(p_adjusted: float | None) -> str:
    if p_adjusted is None:
        return ""
    return "chance under 1 in 10,000" if p_adjusted < 0.0001 else f"adjusted p {p_adjusted:.4f}"


def _unsure(item: story.Placed) -> dict[str, Any]:
    what = item.column or item.where if item.column or item.grouping else "the whole table"
    if item.column and item.grouping:
        what = f"{item.column} among {item.where}"
    subject = {"missing": ", missing values", "sizes": ", sizes of groups"}.get(item.subject, "")
    needed = item.finding.rows_needed
    return {
        "what": f"{what}{subject}",
        "why": item.finding.reason.replace("the windows are", "there were").replace(
            "too small", "too few rows"
        ),
        "needed": f"{needed:,}" if needed else "–",
    }


def _grid(comparison: Comparison, findings: Sequence[story.Placed]) -> dict[str, Any]:
    """Columns against groups: where something changed, where nothing did, and where it could not be told."""
    levels = [
        (grouping, level, group.rows)
        for grouping, groups in comparison.reference.groups.items()
        for level, group in groups.items()
    ]
    failed = {
        (item.column, item.grouping, item.level) for item in findings if item.finding.status is Status.FAIL
    }
    open_ones = {
        (item.column, item.grouping, item.level)
        for item in findings
        if item.finding.status is Status.INCONCLUSIVE
    }
    told = {(item.grouping, item.level) for item in findings if item.grouping}
    largest = sorted(levels, key=lambda item: ((item[0], item[1]) not in told, -item[2]))[:_MOST_GROUPS]
    order = list(comparison.reference.groups)
    largest.sort(key=lambda item: (order.index(item[0]), level_order(item[1])))
    places = [("", "", 0), *largest]

    def cell(name: str, grouping: str, level: str) -> str:
        if (name, grouping, level) in failed:
            return "fail"
        if grouping and name in grouping.split(" & "):
            return "own"
        if (name, grouping, level) in open_ones or (grouping and (grouping, level) not in told):
            return "inconclusive"
        return "pass"

    judged = {item.column for item in findings if not item.grouping}
    names = [
        name
        for name in dict.fromkeys((*comparison.reference.columns, *comparison.current.columns))
        if name in judged
    ]
    rows = [
        {"name": name, "cells": [cell(name, grouping, level) for grouping, level, _ in places]}
        for name in names
    ]
    pairs = [
        pair_name(pair) for pair in dict.fromkeys((*comparison.reference.pairs, *comparison.current.pairs))
    ]
    rows += [
        {"name": name, "cells": [cell(name, "", ""), *("own" for _ in largest)]}
        for name in pairs
        if name in judged
    ]
    rows.sort(key=lambda row: (-row["cells"].count("fail"), -row["cells"].count("inconclusive")))
    return {
        "places": [story.group_name(grouping, level) for grouping, level, _ in places],
        "rows": rows[:_MOST_ROWS],
        "more": max(0, len(rows) - _MOST_ROWS),
        "groups_more": max(0, len(levels) - _MOST_GROUPS),
    }


@cache
def environment() -> "jinja2.Environment":
    """What pages are rendered with."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("aims_pipelines.reports"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
