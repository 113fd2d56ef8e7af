"""A replay in the words and the order in which people ask: what would change, how often wrongly, what is not known."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aims_pipelines.core.replay import Change, Effect, Outcome, Side, Window
from aims_pipelines.core.verdict import Status
from aims_pipelines.stats.replay import DatasetReplay, Replay

AS_IT_WAS = (
    "Each window is judged as it was: with the reference and the current version of then. "
    "What a refusal would have meant for the windows after it is not played out."
)
OUTCOMES = {
    Outcome.PASS: "pass",
    Outcome.FAIL: "fail",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.UNKNOWN: "not told",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A check whose answer about a window turns, and the finding that it turns on most.

    Args:
        day: When the window was judged; empty if unknown.
        window: The window for people.
        check: Name of the check.
        target: What was measured, and how; and how many other findings there are.
        observed: The value with its unit.
        limit: What it was held against.
        effect: Newly blocked, or newly let through.
        status: The answer that keeps the window out, or kept it out: fail or inconclusive.
        reason: The finding's own sentence.
        stays_out: Whether another check keeps the window out before and after.
        first: Whether the window was not judged before.
    """

    day: str
    window: str
    check: str
    target: str
    observed: str
    limit: str
    effect: Effect
    status: str
    reason: str
    stays_out: bool
    first: bool

    @property
    def result(self) -> str:
        """What turns, in words."""
        if self.first:
            return f"refused ({self.status})"
        if self.effect is Effect.BLOCKED:
            text = f"newly blocked ({self.status})"
        else:
            text = f"newly let through (was {self.status})"
        return f"{text}, but another check keeps it out" if self.stays_out else text


def headline(made: Replay) -> str:
    """The answer in one sentence."""
    told = [item for item in made.datasets if item.windows]
    if not told:
        since = f" since {made.since.date()}" if made.since is not None else ""
        return f"There is nothing to replay: no candidate was judged{since}."
    if len(told) == 1:
        return sentence(told[0])
    worst = [item for item in told if item.status is made.status]
    names = ", ".join(item.dataset for item in worst[:5]) + (" …" if len(worst) > 5 else "")
    return {
        Status.PASS: f"None of {len(told)} datasets speaks against it.",
        Status.FAIL: f"{len(worst)} of {len(told)} datasets would be blocked more than they may be: {names}.",
        Status.INCONCLUSIVE: f"It cannot be told yet for {len(worst)} of {len(told)} datasets: {names}.",
    }[made.status]


def sentence(item: DatasetReplay) -> str:
    """The answer for one dataset."""
    if not item.windows:
        return "No candidate was judged."
    if item.budget is not None:
        return f"{'With the change' if item.proposes else 'By the rules as they are now'}, {alarms(item)}."
    if is_first(item):
        refused = item.effects[Effect.BLOCKED]
        return f"These limits would refuse {refused or 'none'} of {windows(len(item.windows))}."
    what = "The change" if item.proposes else "The rules as they are now"
    total, effects = len(item.windows), item.effects
    blocked, released, unknown = (
        effects[effect] for effect in (Effect.BLOCKED, Effect.RELEASED, Effect.UNKNOWN)
    )
    text = f"{what} would newly block {blocked or 'none'} of {windows(total)}"
    if released:
        text += f", and let {released} through that {'was' if released == 1 else 'were'} refused"
    if unknown:
        text += f"; of {unknown} it cannot be told"
    return f"{text}."


def is_first(item: DatasetReplay) -> bool:
    """Whether nothing was judged before, so that whatever keeps a window out is news."""
    return all(window.before is None for window in item.windows)


def alarms(item: DatasetReplay) -> str:
    """How many of the windows that people let stand would be refused, against the budget if there is one."""
    found = item.false_alarms
    if not found.windows:
        return "there is no window that people let stand, so nothing is known of false alarms"
    low, high = found.interval
    text = (
        f"{found.refused} of {windows(found.windows)} that people let stand would be refused "
        f"({percent(found.confidence)} interval {percent(low)} to {percent(high)}"
    )
    text += f", as {found.unknown} cannot be told)" if found.unknown else ")"
    if found.budget is None:
        return text
    budget = f"the budget of {percent(found.budget)}"
    if found.status is Status.PASS:
        return f"{text}: within {budget}"
    if found.status is Status.FAIL:
        return f"{text}: more than {budget}"
    if found.windows_needed is None:
        return f"{text}: too few to tell against {budget}"
    further = "another" if found.refused else "a"
    return (
        f"{text}: too few to tell against {budget}; {found.windows_needed:,} windows without {further} refusal "
        "would show that it is kept"
    )


def sides(item: DatasetReplay) -> list[tuple[str, list[Side | None]]]:
    """What was answered about each window, under each set of rules."""
    found: list[tuple[str, list[Side | None]]] = [
        ("as decided then", [window.then for window in item.windows]),
        (
            "by these limits" if is_first(item) else "by the rules now",
            [window.now for window in item.windows],
        ),
        ("with the change", [window.proposed for window in item.windows]),
    ]
    return [(name, answers) for name, answers in found if any(side is not None for side in answers)]


def counts(item: DatasetReplay) -> list[tuple[str, Mapping[Outcome, int]]]:
    """Number of windows by outcome, under each set of rules."""
    return [
        (name, Counter(side.outcome for side in answers if side is not None)) for name, answers in sides(item)
    ]


def turns(item: DatasetReplay) -> list[Turn]:
    """Every answer that turns, in the order of the windows; newly blocked ones first."""
    found = [_turn(window, change) for window in item.windows for change in window.changes]
    return sorted(found, key=lambda turn: turn.effect is not Effect.BLOCKED)


def left_open(item: DatasetReplay) -> list[str]:
    """What could not be replayed, a sentence a check."""
    lines = []
    for check in item.unplayed:
        parts = []
        if check.recorded:
            parts.append(f"in {windows(check.recorded)} its answer of then stands")
        if check.unknown:
            parts.append(f"in {windows(check.unknown)} its answer is unknown")
        lines.append(f"{check.check}: {' and '.join(parts)} ({check.reason})")
    return lines


def window_name(window: Window) -> str:
    """A window for people: its partition and version, or that it was refused, or the file of its profile."""
    if window.then is None:
        return window.name
    partition = f"{window.partition} " if window.partition else ""
    if window.version is not None:
        return f"{partition}version {window.version}"
    return f"{partition}not published ({window.name})"


def percent(share: float) -> str:
    """A share to two digits, such as ``0.35 %``."""
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.3g} %"


def _turn(window: Window, change: Change) -> Turn:
    problems = change.answer.problems
    main = problems[0] if problems else None
    more = len(problems) - 1 + change.answer.more
    what = "" if main is None else f"{main.target}: {main.measure}" if main.target else main.measure
    return Turn(
        day=f"{window.at:%Y-%m-%d}" if window.at is not None else "",
        window=window_name(window),
        check=change.check,
        target=f"{what} (and {more} more)" if more > 0 else what,
        observed="" if main is None else _figure(main.observed, main.unit),
        limit="" if main is None else _figure(main.limit, main.unit),
        effect=change.effect,
        status="" if change.answer.status is None else change.answer.status.value,
        reason=change.answer.note if main is None else main.reason,
        stays_out=window.effect not in (change.effect, Effect.UNKNOWN),
        first=window.before is None,
    )


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    short = {"fraction": "", "standard deviations": " sd"}.get(unit, f" {unit}" if unit else "")
    return f"{value:.4g}{short}"


def windows(number: int) -> str:
    """A number of windows."""
    return f"{number:,} {'window' if number == 1 else 'windows'}"


def period(windows: Sequence[Window]) -> str:
    """First and last day of the windows; empty if unknown."""
    days = [window.at.date().isoformat() for window in windows if window.at is not None]
    if not days:
        return ""
    return days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
