"""Representation: every group of each protected attribute and declared intersection is large enough."""

from collections.abc import Mapping

from aims_pipelines.checks.candidate import Answer, Candidate, Inapplicable
from aims_pipelines.checks.wording import count, listing, percent
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.profile import MISSING, OTHER, GroupProfile


def judge(candidate: Candidate) -> Answer:
    """Judge the size, and where a limit is set the share, of every group."""
    if not candidate.record.protected:
        return Inapplicable(reason="the record declares no protected attributes")
    findings: list[Finding] = []
    for columns in groupings(candidate):
        findings += _grouping(candidate, columns)
    return tuple(findings)


def groupings(candidate: Candidate) -> list[tuple[str, ...]]:
    """Columns of each protected attribute and of each declared intersection."""
    record = candidate.record
    return [*((protected.column,) for protected in record.protected), *record.intersections]


def _grouping(candidate: Candidate, columns: tuple[str, ...]) -> list[Finding]:
    name = " & ".join(columns)
    absent = [column for column in columns if column not in candidate.profile.columns]
    if absent:
        return [_unanswered(name, f"the table has no column {listing(absent)}", "")]
    levels = candidate.profile.groups.get(name)
    if levels is None:
        return [_unanswered(name, "the table was not profiled by these groups", "")]
    known = {level: group for level, group in levels.items() if MISSING not in level.split(" & ")}
    if not known:
        return [_unanswered(name, "no row has a value, so there is no group to judge", "")]
    if len(known) == 1:
        return [
            _unanswered(
                name,
                f"there is one group only ({name}={next(iter(known))}), so none can be compared",
                f"Look for rows of the other groups; if there are none, take '{name}' out of 'protected'.",
            )
        ]
    findings = [_size(candidate, name, level, group.rows) for level, group in known.items() if level != OTHER]
    if OTHER in known:
        findings.append(
            _unanswered(
                f"{name}={OTHER}",
                f"{name} has more groups than are told apart, so {known[OTHER].rows:,} rows are in none",
                f"Declare 'bands' for '{name}' if it is a number, or merge its rare values at the source.",
            )
        )
    findings += [_size(candidate, name, level, 0) for level in _vanished(candidate, name, known)]
    if candidate.limits.min_group_share > 0:
        findings += [
            _share(candidate, name, level, group.rows) for level, group in known.items() if level != OTHER
        ]
    return findings


def _vanished(candidate: Candidate, name: str, known: Mapping[str, GroupProfile]) -> list[str]:
    """Groups that the reference version has and the table has not."""
    expected: dict[str, None] = {}
    if candidate.reference is not None:
        for level, group in candidate.reference.groups.get(name, {}).items():
            if group.rows and level != OTHER and MISSING not in level.split(" & "):
                expected[level] = None
    return [level for level in expected if level not in known]


def _size(candidate: Candidate, name: str, level: str, rows: int) -> Finding:
    least = candidate.limits.min_group_size
    passed = rows >= least
    return Finding(
        target=f"{name}={level}",
        measure="group rows",
        status=Status.PASS if passed else Status.FAIL,
        reason=f"{count(rows, 'row')}"
        + ("" if passed else f" in this group; at least {least:,} are needed to judge it")
        + (" (the reference version has some)" if rows == 0 else ""),
        observed=rows,
        limit=least,
        unit="rows",
        n=candidate.profile.rows,
        rows_needed=None if passed else least,
        remedy=""
        if passed
        else "Collect more rows of this group, merge it where that is fair, or accept it with a date.",
    )


def _share(candidate: Candidate, name: str, level: str, rows: int) -> Finding:
    total, least = candidate.profile.rows, candidate.limits.min_group_share
    share = rows / total if total else 0.0
    passed = share >= least
    return Finding(
        target=f"{name}={level} share",
        measure="group fraction",
        status=Status.PASS if passed else Status.FAIL,
        reason=f"{percent(share)} of the rows"
        + ("" if passed else f"; at least {percent(least)} are required"),
        observed=share,
        limit=least,
        unit="fraction",
        n=total,
        remedy=""
        if passed
        else "Collect more rows of this group; 'min_group_share' in the limits is the floor.",
    )


def _unanswered(target: str, reason: str, remedy: str) -> Finding:
    return Finding(
        target=target,
        measure="group rows",
        status=Status.INCONCLUSIVE,
        reason=reason,
        unit="rows",
        remedy=remedy,
    )
