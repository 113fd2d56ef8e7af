"""Leakage: no more rows, and no subjects, are shared with datasets that this one must be disjoint from.

Rows are compared by hash, over all columns. Small tables share a few rows by coincidence, so shared rows are held
against the same limit as repeated rows inside the table, ``max_duplicate_rows``. Subjects have no such excuse.
"""

from aims_pipelines.checks.candidate import Answer, Candidate, Inapplicable
from aims_pipelines.checks.shared_rows import MEASURE, comparable, shared_fraction
from aims_pipelines.checks.wording import count, percent
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.profile import Profile
from aims_pipelines.stats.rows import shared_rows


def judge(candidate: Candidate) -> Answer:
    """Judge each dataset of ``disjoint_from``."""
    if not candidate.record.disjoint_from:
        return Inapplicable(reason="the record names no dataset in 'disjoint_from'")
    findings: list[Finding] = []
    for name in candidate.record.disjoint_from:
        other = candidate.others.get(name)
        if other is None:
            findings.append(
                _unanswered(
                    candidate,
                    name,
                    "it has no current version whose profile is kept, so there is nothing to compare with",
                    f"Materialise '{name}' first; if it has partitions, all of them with the same columns.",
                )
            )
        else:
            findings += [_rows(candidate, name, other), *_subjects(candidate, name, other)]
    return tuple(findings)


def _rows(candidate: Candidate, name: str, other: Profile) -> Finding:
    profile, most = candidate.profile, candidate.limits.max_duplicate_rows
    if profile.rows == 0 or other.rows == 0:
        return _unanswered(candidate, name, "one of the two tables has no rows", "")
    if profile.row_sketch is None or other.row_sketch is None:
        return _unanswered(
            candidate, name, "the hashes of the rows are no longer kept", f"Materialise '{name}' again."
        )
    if not comparable(profile, other):
        return _unanswered(
            candidate,
            name,
            "the two tables differ in columns or types, so their rows cannot be compared",
            f"Give both the same columns, or take '{name}' out of 'disjoint_from'.",
        )
    shared = shared_rows(profile.row_sketch, other.row_sketch)
    about = "" if shared.exact else "about "
    return shared_fraction(
        name,
        shared,
        rows=profile.rows,
        most=most,
        reason=f"{about}{round(shared.rows):,} of {count(profile.rows, 'row')} also occur in '{name}' "
        f"({percent(shared.rows / profile.rows)})",
        excess=f"; at most {percent(most)} may",
        remedy=f"Split the rows anew, so that none is both here and in '{name}'.",
    )


def _subjects(candidate: Candidate, name: str, other: Profile) -> list[Finding]:
    """People who are in both tables; judged where both profiles keep the subject's hashes."""
    subject = candidate.record.subject
    mine = candidate.profile.key_sketches.get(subject or "")
    theirs = other.key_sketches.get(subject or "")
    if subject is None or mine is None or theirs is None:
        return []
    shared = shared_rows(mine, theirs)
    status = Status.FAIL if shared.rows > 0 else Status.PASS if shared.exact else Status.INCONCLUSIVE
    return [
        Finding(
            target=f"{name} {subject}",
            measure="rows of shared subjects",
            status=status,
            reason=f"{'' if shared.exact else 'about '}{count(round(shared.rows), 'row')} about people who are also in "
            f"'{name}'",
            observed=shared.rows,
            limit=0,
            interval=None if shared.exact else (shared.low, shared.high),
            unit="rows",
            n=candidate.profile.rows,
            remedy="" if status is Status.PASS else f"Split by '{subject}', so that nobody is in both.",
        )
    ]


def _unanswered(candidate: Candidate, name: str, reason: str, remedy: str) -> Finding:
    return Finding(
        target=name,
        measure=MEASURE,
        status=Status.INCONCLUSIVE,
        reason=reason,
        limit=candidate.limits.max_duplicate_rows,
        unit="fraction",
        remedy=remedy,
    )
