"""A replay in the words and the order in which people ask: what would change, how often wrongly, what is not known."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
    """One finding that turns what a check says about a window.

    Args:
        day: When the window was judged; empty if unknown.
        window: The window for people.
        check: Name of the check.
        target: What was measured, and how.
        observed: The value with its unit.
        limit: What it was held against.
        effect: Newly blocked, or newly let through.
        reason: The finding's own sentence.
        stays_out: Whether another check keeps the window out before and after.
    """

    day: str
    window: str
    check: str
    target: str
    observed: str
    limit: str
    effect: Effect
    reason: str
    stays_out: bool


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
    what = "The change" if item.proposes else "The rules as they are now"
    if item.budget is not None:
        return f"{what} would refuse {alarms(item)}."
    total, effects = len(item.windows), item.effects
    blocked, released, unknown = (
        effects[effect] for effect in (Effect.BLOCKED, Effect.RELEASED, Effect.UNKNOWN)
    )
    text = f"{what} would newly block {blocked or 'none'} of {_windows(total)}"
    if released:
        text += f", and let {released} through that {'was' if released == 1 else 'were'} refused"
    if unknown:
        text += f"; of {unknown} it cannot be told"
    return f"{text}."


def alarms(item: DatasetReplay) -> str:
    """How many of the windows that people let stand would be refused, against the budget if there is one."""
    found = item.false_alarms
    if not found.windows:
        return "none of the windows that people let stand: there are none yet"
    low, high = found.interval
    text = (
        f"{found.refused} of {_windows(found.windows)} that people let stand "
        f"({percent(found.confidence)} interval {percent(low)} to {percent(high)}"
    )
    text += f", with {found.unknown} of which it cannot be told)" if found.unknown else ")"
    if found.budget is None:
        return text
    budget = f"the budget of {percent(found.budget)}"
    if found.status is Status.PASS:
        return f"{text}: within {budget}"
    if found.status is Status.FAIL:
        return f"{text}: more than {budget}"
    if found.windows_needed is None:
        return f"{text}: too few to tell against {budget}"
    return (
        f"{text}: too few to tell against {budget}, which {found.windows_needed:,} windows without "
        f"{'a' if not found.refused else 'another'} refusal would show to be kept"
    )


def counts(item: DatasetReplay) -> list[tuple[str, Mapping[Outcome, int]]]:
    """Number of windows by outcome, under each set of rules."""
    sides: list[tuple[str, list[Side | None]]] = [
        ("as decided then", [window.then for window in item.windows]),
        ("by the rules as they are now", [window.now for window in item.windows]),
        ("with the change", [window.proposed for window in item.windows]),
    ]
    return [
        (name, Counter(side.outcome for side in found if side is not None))
        for name, found in sides
        if any(side is not None for side in found)
    ]


def turns(item: DatasetReplay) -> list[Turn]:
    """Every finding that turns an answer, in the order of the windows; newly blocked ones first."""
    found = [turn for window in item.windows for turn in _turns(window)]
    return sorted(found, key=lambda turn: turn.effect is not Effect.BLOCKED)


def left_open(item: DatasetReplay) -> list[str]:
    """What could not be replayed, a sentence a check."""
    lines = []
    for check in item.unplayed:
        parts = []
        if check.recorded:
            parts.append(f"in {_windows(check.recorded)} its answer of then stands")
        if check.unknown:
            parts.append(f"in {_windows(check.unknown)} its answer is unknown")
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


def _turns(window: Window) -> Iterator[Turn]:
    for change in window.changes:
        problems = change.answer.problems
        if not problems:
            yield _turn(window, change, target="", observed="", limit="", reason=change.answer.note)
        for finding in problems:
            unit = f" {finding.unit}" if finding.unit and finding.unit != "fraction" else ""
            yield _turn(
                window,
                change,
                target=f"{finding.target}: {finding.measure}" if finding.target else finding.measure,
                observed="" if finding.observed is None else f"{finding.observed:.4g}{unit}",
                limit="" if finding.limit is None else f"{finding.limit:.4g}{unit}",
                reason=finding.reason,
            )
        if change.answer.more:
            more = f"and {change.answer.more} more"
            yield _turn(window, change, target=more, observed="", limit="", reason="")


def _turn(window: Window, change: Change, *, target: str, observed: str, limit: str, reason: str) -> Turn:
    return Turn(
        day=f"{window.at:%Y-%m-%d}" if window.at is not None else "",
        window=window_name(window),
        check=change.check,
        target=target,
        observed=observed,
        limit=limit,
        effect=change.effect,
        reason=reason,
        stays_out=window.effect not in (change.effect, Effect.UNKNOWN),
    )


def _windows(number: int) -> str:
    return f"{number:,} {'window' if number == 1 else 'windows'}"


def period(windows: Sequence[Window]) -> str:
    """First and last day of the windows; empty if unknown."""
    days = [window.at.date().isoformat() for window in windows if window.at is not None]
    if not days:
        return ""
    return days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
