"""Replayed windows counted: what a change of the rules would block, and how often that would be a false alarm."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aims_pipelines.core.replay import Basis, Effect, Outcome, Window
from aims_pipelines.core.verdict import Status, worst
from aims_pipelines.stats.false_alarms import FalseAlarms, false_alarms


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplayed:
    """A check that could not be replayed in some windows.

    Args:
        check: Name of the check.
        recorded: Windows for which its answer of then still stands.
        unknown: Windows for which its answer is unknown.
        reason: Why, as said of the last of these windows.
    """

    check: str
    recorded: int
    unknown: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetReplay:
    """The windows of one dataset, judged again.

    Args:
        dataset: Id of the dataset record, or a name for a series of profiles.
        windows: In the order in which they were judged.
        confidence: Two-sided coverage of intervals.
        budget: Largest acceptable share of false alarms; ``None`` if none is stated.
        changes: What the proposal changes for this dataset, in words; empty where nothing is proposed.
        notes: What a reader ought to know besides.
    """

    dataset: str
    windows: tuple[Window, ...]
    confidence: float
    budget: float | None = None
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def effects(self) -> Mapping[Effect, int]:
        """Number of windows by what the change does to them."""
        return Counter(window.effect for window in self.windows)

    @property
    def proposes(self) -> bool:
        """Whether a change is tried, and not just the rules as they are now."""
        return any(window.proposed is not None for window in self.windows)

    @property
    def false_alarms(self) -> FalseAlarms:
        """How many windows that people let stand would be refused after the change.

        The same content judged several times counts once, as it was judged last.
        """
        stood = {
            (window.partition, window.digest): window.after.outcome
            for window in self.windows
            if window.let_stand
        }
        outcomes = Counter(stood.values())
        unknown = outcomes[Outcome.UNKNOWN]
        return false_alarms(
            len(stood) - unknown - outcomes[Outcome.PASS],
            len(stood),
            unknown=unknown,
            confidence=self.confidence,
            budget=self.budget,
        )

    @property
    def unplayed(self) -> tuple[Unplayed, ...]:
        """Checks that could not be replayed in all windows."""
        found: dict[str, list[tuple[Basis, str]]] = {}
        for window in self.windows:
            for answer in window.after.answers:
                if answer.basis is not Basis.REPLAYED:
                    found.setdefault(answer.check, []).append((answer.basis, answer.note))
        return tuple(
            Unplayed(
                check=check,
                recorded=sum(basis is Basis.RECORDED for basis, _ in items),
                unknown=sum(basis is Basis.UNKNOWN for basis, _ in items),
                reason=items[-1][1],
            )
            for check, items in found.items()
        )

    @property
    def status(self) -> Status:
        """Pass if a stated budget is kept, or without one nothing is newly blocked; and that could be told."""
        if not self.windows:
            return Status.INCONCLUSIVE
        settled = self.false_alarms.status
        if settled is not None:
            return settled
        effects = self.effects
        if effects[Effect.BLOCKED]:
            return Status.FAIL
        return Status.INCONCLUSIVE if effects[Effect.UNKNOWN] else Status.PASS


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Datasets of a project, or one series of profiles, judged again.

    Args:
        datasets: One replay a dataset.
        at: When it was made, aware UTC.
        since: Windows judged before it were left out; ``None`` if none were.
    """

    datasets: tuple[DatasetReplay, ...]
    at: datetime
    since: datetime | None = None

    @property
    def status(self) -> Status:
        """The worst answer among the datasets that have windows; inconclusive where none has any."""
        return worst(item.status for item in self.datasets if item.windows)
