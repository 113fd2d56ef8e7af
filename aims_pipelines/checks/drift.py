"""Drift: the table still looks like the reference version, as a whole and inside each group.

The measuring is :mod:`aims_pipelines.stats.drift`; here policy decides what an inconclusive answer does. Pooling
looks twice (at the window alone, then together with the windows before it), so each look gets half of the
false-discovery rate.
"""

from collections.abc import Collection
from dataclasses import replace

from aims_pipelines.checks.candidate import Answer, Candidate, Inapplicable
from aims_pipelines.checks.pooling import Pool, pool
from aims_pipelines.checks.wording import count
from aims_pipelines.core.verdict import Finding, Status, worst
from aims_pipelines.records.parts import is_due
from aims_pipelines.records.policy_record import Inconclusive
from aims_pipelines.stats.drift import WOBBLE, compare
from aims_pipelines.stats.drift_findings import inconclusive
from aims_pipelines.stats.families import GROUP_FACTOR
from aims_pipelines.stats.pairs import ordered_pair, pair_name
from aims_pipelines.stats.profile import Profile


def judge(candidate: Candidate) -> Answer:
    """Compare the candidate with the reference version."""
    if candidate.reference is None:
        return Inapplicable(reason="no version was published yet; this one becomes the reference")
    if candidate.digest and candidate.digest == candidate.reference_digest:
        return (_same_rows(candidate),)
    if candidate.limits.drift_inconclusive is Inconclusive.POOL:
        return _pooled(candidate, candidate.reference)
    findings = _compare(candidate, candidate.reference, candidate.profile, looks=1)
    if candidate.limits.drift_inconclusive is Inconclusive.ACCEPT:
        return tuple(_accepted(finding, candidate) for finding in findings)
    return findings


def _same_rows(candidate: Candidate) -> Finding:
    """However few they are: rows that are the reference's own have not drifted from it."""
    return Finding(
        target="",
        measure="total variation distance",
        status=Status.PASS,
        reason="the rows are those of the reference version, digest for digest",
        observed=0.0,
        limit=candidate.limits.drift_effect,
        unit="fraction",
        n=candidate.profile.rows,
    )


def _compare(
    candidate: Candidate, reference: Profile, current: Profile, *, looks: int, widened: bool = False
) -> tuple[Finding, ...]:
    limits, label = candidate.limits, candidate.record.label
    effect = limits.drift_effect
    declared = {ordered_pair(*pair) for pair in candidate.record.pairs}
    findings = compare(
        _with_pairs(reference, declared),
        _with_pairs(current, declared),
        effect=_widened(effect) if widened else effect,
        wobble=effect * WOBBLE,
        alpha=limits.drift_alpha / looks,
        labels=() if label is None else (label.column,),
        ignore=_ignored(candidate, reference),
    )
    told = {finding.target for finding in findings}
    unsaid = [pair for pair in sorted(declared) if pair_name(pair) not in told]
    return (*findings, *(_uncounted(pair, reference, current) for pair in unsaid))


def _uncounted(pair: tuple[str, str], reference: Profile, current: Profile) -> Finding:
    """A declared pair that nothing could be said of is not passed over."""
    absent = [name for name in pair if name not in reference.columns or name not in current.columns]
    reason = (
        f"{absent[0]} is not a column of both windows"
        if absent
        else "neither window was counted by this pair, which has to be of numbers or categories"
    )
    return inconclusive(pair_name(pair), reason)


def _with_pairs(profile: Profile, declared: Collection[tuple[str, str]]) -> Profile:
    """Pairs that the record no longer declares are not judged."""
    return replace(profile, pairs={pair: table for pair, table in profile.pairs.items() if pair in declared})


def _ignored(candidate: Candidate, reference: Profile) -> set[str]:
    """Columns that differ in every window by design, and columns that only one side has: schema speaks of those."""
    record = candidate.record
    running = {name for name, contract in record.columns.items() if contract.unique or not contract.drift}
    return (
        running
        | {record.subject or "", record.time or ""}
        | (set(reference.columns) ^ set(candidate.profile.columns))
    )


def _pooled(candidate: Candidate, reference: Profile) -> tuple[Finding, ...]:
    """Judge the window alone; if that is inconclusive, with at least as many windows before it as the answer takes.

    A pass of the pool says that the windows together have not drifted. That this one has not hidden among the others
    it has to show by itself: it must be large enough for the shift that is tolerated inside a group, as it is one.
    """
    alone = _compare(candidate, reference, candidate.profile, looks=2)
    if worst(finding.status for finding in alone) is not Status.INCONCLUSIVE or not candidate.preceding:
        return alone
    needed = max((finding.rows_needed or 0 for finding in alone), default=0)
    pooled = pool(
        candidate.profile,
        candidate.preceding,
        reference=reference,
        # What it takes for a pass; up to twice as many find smaller shifts, as long as this window is a tenth of them.
        needed=max(needed, min(2 * needed, 10 * candidate.profile.rows)),
        unique=[name for name, contract in candidate.record.columns.items() if contract.unique],
    )
    note = _note(pooled)
    if not pooled.windows:
        return tuple(replace(finding, reason=f"{finding.reason} ({note})") for finding in alone)
    together = tuple(
        replace(finding, reason=f"{finding.reason} ({note})")
        for finding in _compare(candidate, reference, pooled.profile, looks=2)
    )
    if worst(finding.status for finding in together) is not Status.PASS:
        return together
    least = _widened(candidate.limits.drift_effect)
    coarse = _compare(candidate, reference, candidate.profile, looks=2, widened=True)
    hidden = tuple(
        replace(
            finding,
            reason=f"{finding.reason}: alone this window has too few rows for even a shift of "
            f"{least:.0%} of them, which the windows before it would thin out ({note})",
        )
        for finding in coarse
        if finding.status is not Status.PASS
    )
    return (*hidden, *together)


def _widened(effect: float) -> float:
    return min(0.9, GROUP_FACTOR * effect)


def _note(pooled: Pool) -> str:
    """What was pooled, and what was not, and why."""
    left_out = [
        f"{count(number, 'window')} left out for {reason}"
        for number, reason in (
            (pooled.repeated, "rows that are in the reference or the pool already"),
            (pooled.unlike, "other columns or groups"),
        )
        if number
    ]
    if not pooled.windows:
        return "; ".join(("not pooled", *left_out))
    windows = "window" if pooled.windows == 1 else f"{pooled.windows} windows"
    return "; ".join((f"pooled with the {windows} before it, {count(pooled.profile.rows, 'row')}", *left_out))


def _accepted(finding: Finding, candidate: Candidate) -> Finding:
    """Let an inconclusive answer through where policy says so, until the record is due for review."""
    if finding.status is not Status.INCONCLUSIVE:
        return finding
    until = candidate.record.review_by
    if until is None:
        return replace(
            finding,
            reason=f"{finding.reason}; policy accepts this only with a date, and the record has no 'review_by'",
            remedy="Set 'review_by' in the dataset record.",
        )
    if is_due(until, candidate.now.date()):
        return replace(
            finding,
            reason=f"{finding.reason}; policy accepted this until the record's review on {until}, which has passed",
            remedy="Review the dataset record and set a later 'review_by'.",
        )
    return replace(
        finding,
        status=Status.PASS,
        reason=f"accepted by policy until the record's review on {until}; otherwise inconclusive: {finding.reason}",
        remedy="",
    )
