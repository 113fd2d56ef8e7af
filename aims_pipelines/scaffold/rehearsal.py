"""The first run, rehearsed: the very checks that will judge the project judge its table once, before it exists.

What they do not pass becomes an accepted shortfall with its figure and a review date, or, where there is no figure
to accept, something to look at before the first run.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from aims_pipelines.core.verdict import Finding, Verdict

if TYPE_CHECKING:
    import pyarrow as pa

    from aims_pipelines.checks.candidate import Candidate
    from aims_pipelines.records.load import Records
    from aims_pipelines.stats.profile import Profile

REVIEW_DAYS = 90

# Checks whose shortfalls are choices about data that a person can make, by what is accepted.
_REASONS = {
    "completeness": "The first table already had this share of missing values.",
    "validity": "The first table already had this share of values outside its contract.",
    "uniqueness": "The first table already repeated this share of its rows.",
    "outliers": "The first table already had this share of outlying values.",
    "representation": "The first table has few rows of this group: too few to judge it as closely as the others.",
    "label_rate_gap": "The labels of the first table differ this much between the groups. Find out why.",
    "proxies": "The first table gives this attribute away to this degree, whatever the model is told.",
    "leakage": "The first table has this share of rows on both sides of the split.",
    "personal_data": "Found in the first table; whether it is personal data is for a person to say.",
}
_SHARE_UNITS = {"fraction", ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """A finding that the first run would refuse, written out for a person to decide about.

    Args:
        dataset: Record that it belongs to; for a model, its system record.
        check: Check that found it.
        target: What was measured.
        measure: Name of the measure.
        observed: The measured value; ``None`` if there is none, so that it cannot be accepted.
        limit: The limit that it misses.
        tolerance: How much worse it may become before the gate shuts again.
        reason: Why it is accepted for now.
        finding: What the check said.
        review_by: Day on which a person must have looked at it.
    """

    dataset: str
    check: str
    target: str
    measure: str
    observed: float | None
    limit: float | None
    tolerance: float
    reason: str
    finding: str
    review_by: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """A table with what the rehearsal needs to know about it.

    Args:
        dataset: Its dataset record.
        table: Its rows.
        source_digest: Digest of its source file; empty for a derived table.
    """

    dataset: str
    table: "pa.Table"
    source_digest: str = ""


def rehearse(tables: list[Rehearsed], records: "Records", *, today: date) -> list[Shortfall]:
    """Judge the first versions of some datasets as the gate will, and list what it would refuse.

    Args:
        tables: The tables in the order in which they will be materialised.
        records: Records that govern them.
        today: The day of the rehearsal.
    """
    from aims_pipelines.checks.catalogue import judge_dataset

    shortfalls: list[Shortfall] = []
    profiles: dict[str, Profile] = {}
    digests: dict[str, str] = {}
    for item in tables:
        candidate = _candidate(item, records, today=today, profiles=profiles, digests=digests)
        profiles[item.dataset], digests[item.dataset] = candidate.profile, candidate.digest
        for verdict in judge_dataset(candidate).verdicts:
            shortfalls.extend(shortfalls_of(item.dataset, verdict, today=today, reasons=_REASONS))
    return shortfalls


def too_small_for_drift(tables: list[Rehearsed], records: "Records", *, today: date) -> dict[str, int]:
    """Datasets whose next version of about this size could not show that it has not drifted, with the rows it takes.

    Four fifths of each table are held against the whole of it: they differ by nothing, so what is not conclusive is
    a matter of size.
    """
    import pyarrow as pa

    from aims_pipelines.checks import drift
    from aims_pipelines.checks.candidate import Inapplicable
    from aims_pipelines.core.verdict import Status

    small: dict[str, int] = {}
    for item in tables:
        whole = _candidate(item, records, today=today, profiles={}, digests={})
        most = pa.array([index % 5 != 0 for index in range(item.table.num_rows)])
        part = _candidate(
            replace(item, table=item.table.filter(most)), records, today=today, profiles={}, digests={}
        )
        answer = drift.judge(replace(part, reference=whole.profile, reference_digest=whole.digest))
        if isinstance(answer, Inapplicable):
            continue
        needed = [finding.rows_needed or 0 for finding in answer if finding.status is Status.INCONCLUSIVE]
        if needed:
            small[item.dataset] = max(needed)
    return small


def shortfalls_of(
    subject: str, verdict: Verdict, *, today: date, reasons: Mapping[str, str]
) -> "Iterator[Shortfall]":
    """List what a verdict does not pass.

    Args:
        subject: Record that it is about.
        verdict: The answer of one check.
        today: The day of the rehearsal.
        reasons: Per check whose shortfalls can be accepted, the words for it.
    """
    for finding in verdict.problems:
        yield _shortfall(subject, verdict.check, finding, today=today, reason=reasons.get(verdict.check, ""))


def _candidate(
    item: Rehearsed,
    records: "Records",
    *,
    today: date,
    profiles: "Mapping[str, Profile]",
    digests: Mapping[str, str],
) -> "Candidate":
    from aims_pipelines.assets.measuring import measure_by
    from aims_pipelines.checks.candidate import Candidate, InputVersion
    from aims_pipelines.checks.rows import batches_of

    record = records.dataset(item.dataset)
    measured = measure_by(record, item.table)
    return Candidate(
        asset=item.dataset,
        record=record,
        limits=records.limits_for(item.dataset, today),
        digest=measured.digest,
        profile=measured.profile,
        batches=batches_of(item.table),
        now=datetime.combine(today, time(12), UTC),
        code_version="rehearsal",
        source_digest=item.source_digest,
        inputs=tuple(
            InputVersion(asset=name, digest=digests.get(name, ""), evidence="rehearsal")
            for name in record.source.upstream
        ),
        others={name: profiles[name] for name in record.disjoint_from if name in profiles},
        records_dir=records.folder,
        stages=records.policy(record.policy).stages,
    )


def _shortfall(subject: str, check: str, finding: Finding, *, today: date, reason: str) -> Shortfall:
    acceptable = bool(reason) and finding.observed is not None and math.isfinite(finding.observed)
    observed = _rounded(finding.observed, finding) if acceptable and finding.observed is not None else None
    return Shortfall(
        dataset=subject,
        check=check,
        target=finding.target,
        measure=finding.measure,
        observed=observed,
        limit=finding.limit,
        tolerance=_tolerance(observed, finding) if observed is not None else 0.0,
        reason=reason,
        finding=finding.reason,
        review_by=today + timedelta(days=REVIEW_DAYS),
    )


def _rounded(value: float, finding: Finding) -> float:
    """Four decimals of a share, whole rows: as exact as a reader can use."""
    return round(value, 4) if finding.unit in _SHARE_UNITS else float(round(value))


def _tolerance(observed: float, finding: Finding) -> float:
    """Room for the chance differences between one batch and the next, not for a change.

    Half the width of the interval where there is one; a fifth of a group's rows; a tenth of a share, at least 0.01.
    """
    if finding.unit == "rows":
        return float(math.ceil(observed / 5))
    if finding.interval is not None and all(map(math.isfinite, finding.interval)):
        return _up((finding.interval[1] - finding.interval[0]) / 2)
    return _up(max(0.01, observed / 10)) if finding.unit in _SHARE_UNITS else float(math.ceil(observed / 10))


def _up(value: float) -> float:
    return math.ceil(value * 1000 - 1e-9) / 1000


def summarised(shortfalls: list[Shortfall]) -> Iterator[str]:
    """One sentence for each check and target, whatever the number of datasets that show it."""
    groups: dict[tuple[str, str], list[Shortfall]] = {}
    for item in shortfalls:
        groups.setdefault((item.check, item.target), []).append(item)
    for (check, target), items in groups.items():
        first = items[0]
        name = f"{check}[{target}]" if target else check
        refused = [item.dataset for item in items if item.observed is None]
        if refused:
            yield f"{name} of {', '.join(refused)} would refuse the first run: {first.finding}."
            continue
        figures = ", ".join(f"{item.dataset} {item.observed:g}" for item in items)
        limit = "" if first.limit is None else f" (limit {first.limit:g})"
        yield f"{name}: {figures}{limit}, accepted until {first.review_by}. {_sentence(first.finding)}"


def _sentence(text: str) -> str:
    first = text.split(" ", maxsplit=1)[0]
    return f"{text if '_' in first else text[:1].upper() + text[1:]}."


def by_dataset(shortfalls: list[Shortfall], dataset: str) -> Iterator[Shortfall]:
    """Shortfalls of one dataset that can be accepted."""
    return (item for item in shortfalls if item.dataset == dataset and item.observed is not None)
