"""Past candidates of a project judged again: by the records as they are now, and by a proposed change of them.

Each is judged as it was: with the facts, the reference and the current version that it had then. What a refusal
would have meant for the windows after it is not played out. Nothing is written.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from aims_pipelines.assets.history import known_before
from aims_pipelines.assets.past import AsOf, KeptRows
from aims_pipelines.checks.candidate import Candidate, InputVersion, Treated
from aims_pipelines.checks.catalogue import DATASET_CHECKS
from aims_pipelines.core.errors import RowsNotKept
from aims_pipelines.core.replay import Side, Window

if TYPE_CHECKING:
    from aims_pipelines.checks.replay import Asked, Recorded
    from aims_pipelines.records.proposal import Proposal, Rules
    from aims_pipelines.resources.project import Project
    from aims_pipelines.stats.replay import DatasetReplay, Replay
    from aims_pipelines.storage.past import PastJudgement

_VERSIONS = {check.name: check.version for check in DATASET_CHECKS}


def replay_project(
    project: "Project",
    *,
    now: datetime,
    datasets: Sequence[str] = (),
    proposal: "Proposal | None" = None,
    since: datetime | None = None,
    budget: float | None = None,
    with_rows: bool = False,
) -> "Replay":
    """Judge the past candidates of datasets again.

    Args:
        project: The project.
        now: When this is done, aware UTC; nothing is judged by it.
        datasets: Ids of dataset records; all of them if empty.
        proposal: The change to try. Without one, the records as they are now are held against what was recorded.
        since: Leave out what was judged before; aware UTC.
        budget: Largest acceptable share of false alarms, in (0, 1); that of each dataset's limits if absent.
        with_rows: Whether stored rows may be read, for what profiles cannot tell.

    Raises:
        BadInput: There is no such dataset record.
        LedgerBroken: The ledger does not verify where it was read.
    """
    from aims_pipelines.records.proposal import rules_for
    from aims_pipelines.stats.replay import Replay

    records = project.records()
    kept = KeptRows(project, with_rows=with_rows)
    found = []
    for name in datasets or records.datasets:
        scene = _Scene(
            project=project,
            kept=kept,
            now=rules_for(records, name),
            proposed=None if proposal is None else proposal.rules(name),
            policy=records.digest_for_dataset(name),
        )
        found.append(scene.replay(since=since, budget=budget))
    return Replay(datasets=tuple(found), at=now, since=since)


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """One dataset, and the rules that its past is judged by."""

    project: "Project"
    kept: KeptRows
    now: "Rules"
    proposed: "Rules | None"
    policy: str

    @property
    def after(self) -> "Rules":
        return self.now if self.proposed is None else self.proposed

    def replay(self, *, since: datetime | None, budget: float | None) -> "DatasetReplay":
        from aims_pipelines.records.proposal import differences
        from aims_pipelines.stats.replay import DatasetReplay

        past = self.kept.past(self.now.record.id)
        judged = [item for item in past.judged if since is None or item.at >= since]
        limits = self.after.limits
        return DatasetReplay(
            dataset=self.now.record.id,
            windows=tuple(self._window(item) for item in judged),
            confidence=limits.confidence,
            budget=limits.false_alarm_budget if budget is None else budget,
            changes=() if self.proposed is None else differences(self.now, self.proposed),
            notes=tuple(self._notes(judged, past.not_judged)),
        )

    def _window(self, item: "PastJudgement") -> Window:
        from aims_pipelines.checks.replay import side

        recorded = _recorded(item)
        now, candidate = self._ask(item, self.now)
        proposed: Side | None = None
        unchanged = self._unchanged_since(item, recorded)
        if self.proposed is not None:
            asked = now
            if self.proposed != self.now:
                asked, _ = self._ask(item, self.proposed, before=candidate, known=now)
            proposed = side(asked, recorded=recorded, stages=self.proposed.stages, holds=self._untouched)
        return Window(
            name=item.entry,
            at=item.at,
            partition=item.partition,
            version=item.version,
            digest=item.digest,
            rows=item.rows,
            let_stand=item.version is not None,
            then=_then(recorded),
            now=side(
                now,
                recorded=recorded,
                stages=self.now.stages,
                holds=lambda asked: unchanged(asked) or (proposed is not None and self._untouched(asked)),
            ),
            proposed=proposed,
        )

    def _ask(
        self,
        item: "PastJudgement",
        rules: "Rules",
        *,
        before: Candidate | None = None,
        known: "Mapping[str, Asked] | None" = None,
    ) -> "tuple[dict[str, Asked], Candidate | None]":
        """Ask all checks about a candidate, as far as it can be rebuilt."""
        from aims_pipelines.checks.replay import ask_all, nothing_asked
        from aims_pipelines.records.proposal import differing_limits

        earlier = AsOf(self.kept, rules.record, seq=item.seq)
        try:
            profile = earlier.profile(rules.record.id, item.digest)
            facts = known_before(rules.record, rules.limits, partition=item.partition, earlier=earlier)
        except RowsNotKept as error:
            return nothing_asked(DATASET_CHECKS, error.reason), None
        candidate = Candidate(
            asset=rules.record.id,
            record=rules.record,
            limits=rules.limits,
            digest=item.digest,
            profile=profile,
            batches=partial(self.kept.batches, rules.record.id, item.digest),
            now=item.at,
            code_version=item.code_version,
            source_digest=item.source_digest,
            inputs=tuple(
                InputVersion(asset=asset, digest=digest, evidence=evidence)
                for asset, digest, evidence in item.inputs
            ),
            missing_inputs=item.missing_inputs,
            reference=facts.reference,
            reference_digest=facts.reference_digest,
            current_rows=facts.current_rows,
            preceding=facts.preceding,
            history=facts.history,
            others=facts.others,
            records_dir=self.project.locations.records,
            treated=tuple(
                Treated(column=column, values=values, known=known, rows=rows)
                for column, values, known, rows in item.treated
            ),
        )
        if before is None or not _same_but_limits(before, candidate):
            return ask_all(DATASET_CHECKS, candidate), candidate
        changed = differing_limits(self.now, rules)
        return ask_all(DATASET_CHECKS, candidate, known=known, changed=changed), candidate

    def _untouched(self, asked: "Asked") -> bool:
        """Whether the proposal leaves alone what a check that could not be replayed rests on."""
        from aims_pipelines.records.proposal import differing_limits, differing_parts

        if self.proposed is None or self.proposed == self.now:
            return True
        changed = differing_limits(self.now, self.proposed)
        touched = changed if asked.limits is None else changed & asked.limits
        return not touched and not differing_parts(self.now, self.proposed)

    def _unchanged_since(
        self, item: "PastJudgement", recorded: "Mapping[str, Recorded]"
    ) -> "Callable[[Asked], bool]":
        """Whether record, policy and method of a check are those of then."""

        def holds(asked: "Asked") -> bool:
            known = recorded.get(asked.check)
            return (
                known is not None
                and item.policy == self.policy
                and known.answer.version == _VERSIONS[asked.check]
            )

        return holds

    def _notes(self, judged: "Sequence[PastJudgement]", not_judged: int) -> Iterator[str]:
        from aims_pipelines.records.proposal import differences, differing_limits

        if self.proposed is not None and not differences(self.now, self.proposed):
            yield "The proposal changes nothing for this dataset."
        policy = self.after.policy
        if policy.status != "in_force":
            yield f"The policy '{policy.id}' is not in force but {policy.status}: the gate would not judge by it yet."
        if not_judged:
            yield (
                f"Refused before they could be judged, and so not replayed, over all time: {not_judged} "
                f"{'candidate' if not_judged == 1 else 'candidates'}."
            )
        if policy.id != self.now.policy.id:
            yield f"The policy '{policy.id}' takes the place of '{self.now.policy.id}'."
        changed = frozenset() if self.proposed is None else differing_limits(self.now, self.proposed)
        treated = any(item.treated for item in judged)
        if "outlier_action" in changed or (treated and changed & {"max_outliers", "drift_reference"}):
            yield "Tables are judged as they were kept: clipping or taking out outlying values is not replayed."


def _then(recorded: "Mapping[str, Recorded]") -> Side:
    from aims_pipelines.checks.replay import as_recorded

    return Side(answers=tuple(as_recorded(check, item) for check, item in recorded.items()))


def _recorded(item: "PastJudgement") -> "dict[str, Recorded]":
    from aims_pipelines.checks.replay import Recorded

    answers = {
        verdict.check: Recorded(answer=verdict, status=item.statuses[verdict.check])
        for verdict in item.judgement.verdicts
    }
    ruled_out = {
        answer.check: Recorded(answer=answer, status=None) for answer in item.judgement.not_applicable
    }
    return {**answers, **ruled_out}


def _same_but_limits(one: Candidate, other: Candidate) -> bool:
    """Whether two candidates differ in nothing but their limits; profiles are told apart by identity."""
    pairs = [(one.reference, other.reference), (one.profile, other.profile)]
    pairs += zip(one.preceding, other.preceding, strict=False)
    pairs += [(profile, other.others.get(name)) for name, profile in one.others.items()]
    return (
        one.record == other.record
        and one.current_rows == other.current_rows
        and len(one.preceding) == len(other.preceding)
        and one.others.keys() == other.others.keys()
        and one.history == other.history
        and all(mine is yours for mine, yours in pairs)
    )
