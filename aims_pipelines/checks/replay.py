"""Checks asked again about a candidate of the past, of which the profile is kept and perhaps not the rows.

Any check of the catalogue may be asked. What it needs is found out by asking: a check that reads rows which are not
there is asked once more without the columns that it wanted to read, and what is left open is said; the limits that
it reads are noted, so that a change of other limits is known to leave its answer as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from pydantic import PrivateAttr

from aims_pipelines.checks.answering import judge_all, staged
from aims_pipelines.checks.candidate import Candidate, DatasetCheck
from aims_pipelines.checks.wording import count, listing
from aims_pipelines.core.errors import RowsNotKept
from aims_pipelines.core.replay import Answer, Basis, Side
from aims_pipelines.core.verdict import Finding, NotApplicable, Severity, Status, Verdict
from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.records.policy_record import Limits
from aims_pipelines.stats.profile import UNBOUNDED, Profile, RowSketch

_MOST_PROBLEMS = 6
_FIELDS: Final = frozenset(Limits.model_fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a check answered about a candidate of the past.

    Args:
        check: Name of the check.
        answer: Its answer, before the policy's stages; about the part that could be judged, where ``lacking`` names
            another; ``None`` where nothing could be judged.
        lacking: What could not be judged for want of what; empty if nothing.
        limits: Names of the limits that it read; ``None`` if it was not asked at all.
    """

    check: str
    answer: Verdict | NotApplicable | None
    lacking: str = ""
    limits: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The answer of a check as it was recorded.

    Args:
        answer: The verdict, with those findings that did not pass, or why it did not apply.
        status: Its status; ``None`` if it did not apply.
    """

    answer: Verdict | NotApplicable
    status: Status | None


def ask(check: DatasetCheck, candidate: Candidate) -> Asked:
    """Ask one check about a candidate of the past.

    Args:
        check: The check.
        candidate: The candidate as it was; its ``batches`` raise ``RowsNotKept`` where there are no rows.
    """
    limits = _Watched.model_construct(**{name: getattr(candidate.limits, name) for name in _FIELDS})
    trial, reason = replace(candidate, limits=limits), ""
    left_out: list[str] = []
    answer: Verdict | NotApplicable | None = None
    while answer is None:
        try:
            answer = _answer(check, trial)
        except RowsNotKept as error:
            reason = error.reason
            if not error.column or not _is_spare(trial.record, error.column):
                left_out.clear()
                break
            left_out.append(error.column)
            trial = _without(trial, error.column)
    if left_out:
        named = count(len(left_out), "column") if len(left_out) > 3 else listing(left_out)
        reason = f"needs the rows for {named}: {reason}"
    elif answer is None:
        reason = f"needs the rows: {reason}"
    elif _wants_hashes(check, trial, answer):
        answer, reason = None, "needs the hashes of the rows, which are not kept"
    return Asked(check=check.name, answer=answer, lacking=reason, limits=limits.seen)


def ask_all(
    checks: Sequence[DatasetCheck],
    candidate: Candidate,
    *,
    known: Mapping[str, Asked] | None = None,
    changed: frozenset[str] = frozenset(),
) -> dict[str, Asked]:
    """Ask checks about a candidate of the past.

    Args:
        checks: The checks.
        candidate: The candidate as it was.
        known: Answers about the same candidate under other limits. Those of checks that read none of the changed
            limits are taken over: the same question has the same answer.
        changed: Names of the limits that differ from those of ``known``.
    """
    asked = {}
    for check in checks:
        before = None if known is None else known.get(check.name)
        if before is not None and before.limits is not None and not before.limits & changed:
            asked[check.name] = before
        else:
            asked[check.name] = ask(check, candidate)
    return asked


def nothing_asked(checks: Sequence[DatasetCheck], reason: str) -> dict[str, Asked]:
    """What is known where a candidate cannot be rebuilt."""
    return {check.name: Asked(check=check.name, answer=None, lacking=reason) for check in checks}


def side(
    asked: Mapping[str, Asked],
    *,
    recorded: Mapping[str, Recorded],
    stages: Mapping[str, str],
    holds: Callable[[Asked], bool],
) -> Side:
    """Put answers together under the stages of a policy.

    Args:
        asked: What the checks of the catalogue answered.
        recorded: What was answered then. Checks that are not in the catalogue, such as those of the asset's own
            code, are taken from here.
        stages: Stage of enforcement per check name.
        holds: Whether what a check that could not be replayed answered then still holds.
    """
    answers = [
        _replayed(item, stages) or _kept(item, recorded.get(name), stages, holds=holds(item))
        for name, item in asked.items()
    ]
    answers += [
        as_recorded(check, item, note="it is not of the catalogue, so its answer of then stands")
        for check, item in recorded.items()
        if check not in asked
    ]
    return Side(answers=tuple(answers))


def as_recorded(check: str, item: Recorded, *, note: str = "") -> Answer:
    """An answer as it was given then."""
    if isinstance(item.answer, NotApplicable):
        return Answer(
            check=check, status=None, gates=False, basis=Basis.RECORDED, note=note or item.answer.reason
        )
    return _answered(item.answer, item.status, basis=Basis.RECORDED, note=note)


def _replayed(item: Asked, stages: Mapping[str, str]) -> Answer | None:
    """The answer if it was wholly replayed, or if what was replayed keeps the window out anyhow."""
    if isinstance(item.answer, NotApplicable) and not item.lacking:
        return Answer(
            check=item.check, status=None, gates=False, basis=Basis.REPLAYED, note=item.answer.reason
        )
    if not isinstance(item.answer, Verdict) or (item.lacking and item.answer.status is Status.PASS):
        return None
    verdict = staged(item.answer, stages)
    return _answered(verdict, verdict.status, basis=Basis.REPLAYED, note=item.lacking)


def _kept(item: Asked, recorded: Recorded | None, stages: Mapping[str, str], *, holds: bool) -> Answer:
    if recorded is None or not holds:
        gates = stages.get(item.check) != "warn"
        return Answer(check=item.check, status=None, gates=gates, basis=Basis.UNKNOWN, note=item.lacking)
    if isinstance(recorded.answer, Verdict):
        plain = replace(recorded.answer, severity=Severity.ERROR)
        recorded = replace(recorded, answer=staged(plain, stages))
    return as_recorded(item.check, recorded, note=item.lacking)


def _answered(verdict: Verdict, status: Status | None, *, basis: Basis, note: str) -> Answer:
    problems: tuple[Finding, ...] = verdict.problems
    return Answer(
        check=verdict.check,
        status=status,
        gates=verdict.severity is Severity.ERROR,
        basis=basis,
        problems=problems[:_MOST_PROBLEMS],
        more=max(0, len(problems) - _MOST_PROBLEMS),
        note=note,
    )


def _answer(check: DatasetCheck, candidate: Candidate) -> Verdict | NotApplicable:
    judgement = judge_all(
        [check],
        candidate,
        subject=candidate.asset,
        accepted=candidate.record.accepted,
        stages={},
        today=candidate.now.date(),
    )
    return (judgement.verdicts or judgement.not_applicable)[0]


def _is_spare(record: DatasetRecord, column: str) -> bool:
    """Whether a column plays no part besides its own: what a check says without it is about the others."""
    parts = {record.subject, record.time, record.label.column if record.label else None}
    return column not in parts and all(column != item.column for item in record.protected)


def _without(candidate: Candidate, column: str) -> Candidate:
    def rest(columns: Mapping[str, Any]) -> dict[str, Any]:
        return {name: item for name, item in columns.items() if name != column}

    record = candidate.record.model_copy(update={"columns": rest(candidate.record.columns)})
    profile = replace(candidate.profile, columns=rest(candidate.profile.columns))
    return replace(candidate, record=record, profile=profile)


def _wants_hashes(check: DatasetCheck, candidate: Candidate, answer: Verdict | NotApplicable) -> bool:
    """Whether an answer is only that bad because hashes of rows are gone: with some made up it would be another."""
    gone = [
        profile for profile in (candidate.profile, *candidate.others.values()) if profile.row_sketch is None
    ]
    if not gone or not isinstance(answer, Verdict) or answer.status is Status.PASS:
        return False
    made_up = replace(
        candidate,
        profile=_with_hashes(candidate.profile),
        others={name: _with_hashes(profile) for name, profile in candidate.others.items()},
    )
    return _answer(check, made_up) != answer


def _with_hashes(profile: Profile) -> Profile:
    if profile.row_sketch is not None:
        return profile
    hashes = np.ones(1, dtype=np.uint64)
    sketch = RowSketch(threshold=UNBOUNDED, hashes=hashes, counts=np.array([profile.rows], dtype=np.int64))
    return replace(profile, row_sketch=sketch)


class _Watched(Limits):
    """Limits that note which of them were read."""

    _seen: set[str] = PrivateAttr(default_factory=set)

    def __getattribute__(self, name: str) -> Any:
        if name in _FIELDS:
            self._seen.add(name)
        return super().__getattribute__(name)

    @property
    def seen(self) -> frozenset[str]:
        """Names of the limits that were read."""
        return frozenset(self._seen)
