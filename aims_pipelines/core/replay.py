"""Windows of the past judged again: what was answered then, what would be now, and what that changes. Pure.

A check that cannot be asked again is never a pass that was shown. Where nothing that it rests on has changed, the
answer of then stands, and is marked; where something has, its answer is unknown, and with it what would have become
of every window that no other check shuts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aims_pipelines.core.verdict import Finding, Status


class Basis(StrEnum):
    """What an answer rests on."""

    REPLAYED = "replayed"
    RECORDED = "recorded"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """What becomes of a window: all but a pass keep it out."""

    PASS = "pass"  # noqa: S105 - an answer, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    UNKNOWN = "unknown"


class Effect(StrEnum):
    """What a change of the rules does to a window, or to one check's answer about it."""

    NONE = "none"
    BLOCKED = "newly blocked"
    RELEASED = "newly let through"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One check's answer about a window of the past.

    Args:
        check: Name of the check.
        status: The answer; ``None`` where the check does not apply, or is unknown.
        gates: Whether anything but a pass keeps the window out.
        basis: What the answer rests on.
        problems: The first findings that did not pass, failures first.
        more: Further findings that did not pass.
        note: Why it does not apply, or was not replayed; empty otherwise.
    """

    check: str
    status: Status | None
    gates: bool
    basis: Basis
    problems: tuple[Finding, ...] = ()
    more: int = 0
    note: str = ""

    @property
    def applies(self) -> bool:
        """Whether the record rules the check in."""
        return self.status is not None or self.basis is Basis.UNKNOWN

    @property
    def shuts(self) -> bool:
        """Whether it is known to keep the window out."""
        return self.gates and self.status not in (None, Status.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """All answers about a window under one set of rules.

    Args:
        answers: One a check, in the order of the catalogue.
    """

    answers: tuple[Answer, ...]

    @property
    def outcome(self) -> Outcome:
        """What becomes of the window, by the rules of the gate."""
        gating = [answer for answer in self.answers if answer.gates and answer.applies]
        statuses = {answer.status for answer in gating}
        if Status.FAIL in statuses:
            return Outcome.FAIL
        if Status.INCONCLUSIVE in statuses or not gating:
            return Outcome.INCONCLUSIVE
        return Outcome.UNKNOWN if None in statuses else Outcome.PASS

    def answer(self, check: str) -> Answer | None:
        """The answer of one check, ``None`` if it gave none."""
        return next((answer for answer in self.answers if answer.check == check), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One check's answer about one window that a change of the rules turns.

    Args:
        check: Name of the check.
        effect: Newly blocked, or newly let through.
        answer: The answer that keeps the window out: the new one if it is newly blocked, else the one of before.
    """

    check: str
    effect: Effect
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A judged candidate of the past, under the rules of then, of now, and as proposed.

    Args:
        name: Ledger entry of its judgement, or the file of its profile.
        digest: Digest of its rows; of the file, for a profile.
        rows: Number of rows.
        let_stand: Whether people let it stand: it was published.
        now: Answers under the rules as they are now.
        then: Answers as recorded; ``None`` where nothing was judged then.
        proposed: Answers under the proposed rules; ``None`` where nothing is proposed.
        at: When it was judged; ``None`` if unknown.
        partition: Partition key; empty for an unpartitioned dataset.
        version: Number of the published version; ``None`` if it was not published.
    """

    name: str
    digest: str
    rows: int
    let_stand: bool
    now: Side
    then: Side | None = None
    proposed: Side | None = None
    at: datetime | None = None
    partition: str = ""
    version: int | None = None

    @property
    def before(self) -> Side | None:
        """What the change starts from: the rules as they are now if one is proposed, else those of then."""
        return self.now if self.proposed is not None else self.then

    @property
    def after(self) -> Side:
        """What the change leads to."""
        return self.proposed if self.proposed is not None else self.now

    @property
    def effect(self) -> Effect:
        """What the change does to the window. Where nothing was judged before, whatever shuts it is new."""
        before = Outcome.PASS if self.before is None else self.before.outcome
        after = self.after.outcome
        if after is Outcome.UNKNOWN:
            return Effect.UNKNOWN if before in (Outcome.PASS, Outcome.UNKNOWN) else Effect.NONE
        if after is Outcome.PASS:
            return Effect.RELEASED if before in (Outcome.FAIL, Outcome.INCONCLUSIVE) else Effect.NONE
        if before is Outcome.UNKNOWN:
            return Effect.UNKNOWN
        return Effect.BLOCKED if before is Outcome.PASS else Effect.NONE

    @property
    def changes(self) -> tuple[Change, ...]:
        """Answers that turn, whether or not the window's outcome turns with them."""
        return tuple(_changes(self.before, self.after))


def _changes(before: Side | None, after: Side) -> Iterator[Change]:
    was = {} if before is None else {answer.check: answer for answer in before.answers}
    now = {answer.check: answer for answer in after.answers}
    for check in dict.fromkeys((*now, *was)):
        old, new = was.get(check), now.get(check)
        if Basis.UNKNOWN in ((old and old.basis), (new and new.basis)):
            continue
        if new is not None and new.shuts and not (old is not None and old.shuts):
            yield Change(check=check, effect=Effect.BLOCKED, answer=new)
        if old is not None and old.shuts and not (new is not None and new.shuts):
            yield Change(check=check, effect=Effect.RELEASED, answer=old)
