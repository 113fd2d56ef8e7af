"""Control charts over a series of windows, with limits that follow from a stated budget of false alarms.

The first windows are the reference. Each later one is turned into a score against those before it
(:mod:`aims_pipelines.stats.self_starting`), and the chart adds the scores up. Its limits follow from the average
number of windows up to a false alarm (:mod:`aims_pipelines.stats.run_lengths`), and hold without a known centre or
spread.

What signals is not learnt from: a chart in alarm keeps to what it expected before. It stays in alarm until as many
windows in a row as the hysteresis says lie within the limits, so that it does not flicker. Beyond its limit an average
or sum goes on from the limit, so that the way back does not depend on how far it went.

Source: Montgomery (2013), Introduction to Statistical Quality Control, chapters 6, 7 and 9.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from aims_pipelines.core.verdict import Status
from aims_pipelines.stats.chart_runs import ChartRun, State
from aims_pipelines.stats.charted_windows import FEWEST_KNOWN, ChartedWindows, Scale
from aims_pipelines.stats.reference_windows import LEVEL, Oddity
from aims_pipelines.stats.run_lengths import ChartKind, limit_for

__all__ = ["ChartKind", "ControlChart", "Oddity", "Point", "Scale", "State", "control_chart"]

#: If not stated: windows of the reference, average run length in control, windows that end an alarm.
REFERENCE, RUN_LENGTH, HYSTERESIS = 10, 370.0, 3
SMOOTHING, ALLOWANCE = 0.1, 0.5
_ALIKE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One window on a chart.

    Args:
        name: How readers call it.
        value: The statistic; NaN where it is missing.
        rows: Rows that it rests on, if known.
        state: Where it lies.
        alarm: Whether the chart is in alarm after it.
        centre: What was expected; NaN in the reference and where nothing could be expected.
        low: Lower end of the range that single windows in control leave, on either side, once in as many windows as
            the run length says; NaN as for ``centre``.
        high: Its upper end.
        score: Standard normal score against the windows before; NaN where there is none.
        statistic: What is held against the limits: the score, the average, or the larger of the two sums (the downward
            one below 0); NaN where there is none.
        reason: Why it is unknown; empty otherwise.
    """

    name: str
    value: float
    rows: int | None = None
    state: State
    alarm: bool = False
    centre: float = math.nan
    low: float = math.nan
    high: float = math.nan
    score: float = math.nan
    statistic: float = math.nan
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlChart:
    """A chart and what it says.

    Args:
        kind: What is added up.
        run_length: Windows up to a false alarm, on average.
        limit: The points' statistic signals beyond ±limit, in standard deviations of one score.
        reference: Number of windows of the reference.
        hysteresis: Windows in a row within the limits that end an alarm.
        points: All windows, in order.
        oddities: What is out of control within the reference, by the places of its windows.
        status: Pass if the chart is in control at the last window, fail if it is in alarm, else inconclusive.
        reason: A sentence that says why.
        remedy: What to do next; empty for a pass.
        notes: What a reader ought to know besides.
    """

    kind: ChartKind
    run_length: float
    limit: float
    reference: int
    hysteresis: int
    points: tuple[Point, ...]
    oddities: tuple[Oddity, ...]
    status: Status
    reason: str
    remedy: str = ""
    notes: tuple[str, ...] = ()

    @property
    def signals(self) -> tuple[Point, ...]:
        """Windows beyond the limits."""
        return tuple(point for point in self.points if point.state is State.SIGNAL)


def control_chart(
    values: Sequence[float],
    *,
    errors: Sequence[float] | None = None,
    rows: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    reasons: Sequence[str] | None = None,
    scale: Scale = Scale.PLAIN,
    kind: ChartKind = ChartKind.EWMA,
    run_length: float = RUN_LENGTH,
    reference: int = REFERENCE,
    hysteresis: int = HYSTERESIS,
    smoothing: float = SMOOTHING,
    allowance: float = ALLOWANCE,
    restart: bool = False,
    level: float = LEVEL,
) -> ControlChart:
    """Chart a statistic over windows.

    Args:
        values: The statistic of each window, in order; NaN where it is missing.
        errors: Its standard errors, NaN where unknown; then windows of different precision weigh differently. ``None``
            if there are none, and for rates, which need none.
        rows: Rows of each window. With errors, the variance of a single row is taken from the windows before, so that
            a window that varies more within itself may not for that lie further away. Rates need them.
        names: How readers call the windows; their numbers from 1 if absent.
        reasons: Why values are missing, where that is known; else empty.
        scale: On which scale windows vary alike.
        kind: What the chart adds up. A Shewhart chart finds large sudden shifts, the others small lasting ones.
        run_length: Windows up to a false alarm on average, in [10, 1e7].
        reference: Windows at the beginning that are taken as in control, at least 5.
        hysteresis: Windows in a row within the limits that end an alarm, at least 1.
        smoothing: Weight of the newest score in an EWMA, in [0.01, 1].
        allowance: Shift per window that a CUSUM lets pass, in standard deviations, in [0.05, 1].
        restart: Whether averages and sums begin anew after a signal, as where its cause was looked into.
        level: Chance of calling a reference in control out of control, in (0, 1).

    Returns:
        The chart. It passes only if the statistic is known and in control at the last window. Too short a reference,
        one that is constant or itself out of control, and missing values are inconclusive.

    Raises:
        ValueError: Sequences differ in length, or a parameter is outside its range.

    Example:
        >>> temperatures = [10.1, 9.9, 10.0, 10.2, 9.8, 10.0, 10.1, 13.0]
        >>> chart = control_chart(temperatures, reference=6, kind=ChartKind.SHEWHART)
        >>> chart.status.value, [point.name for point in chart.signals]
        ('fail', ['8'])
    """
    if any(len(item) != len(values) for item in (errors, rows, names, reasons) if item is not None):
        raise ValueError("errors, rows, names and reasons must be as many as the values")
    if scale is Scale.RATE and rows is None:
        raise ValueError("a chart of rates needs the rows of each window")
    if reference < FEWEST_KNOWN:
        raise ValueError(f"a reference of at least {FEWEST_KNOWN} windows is needed, not {reference}")
    if hysteresis < 1:
        raise ValueError(f"a hysteresis of at least 1 window is needed, not {hysteresis}")
    kind, run_length = ChartKind(kind), float(run_length)
    limit = limit_for(kind, run_length, smoothing=smoothing, allowance=allowance)
    usual = limit_for(ChartKind.SHEWHART, run_length, smoothing=smoothing, allowance=allowance)
    windows = ChartedWindows(values, errors, rows, Scale(scale))
    run = ChartRun(
        kind=kind,
        limit=limit,
        smoothing=smoothing,
        allowance=allowance,
        hysteresis=hysteresis,
        restart=restart,
    )
    points: list[Point] = []
    for place in range(len(values)):
        unknown = windows.unknown(place)
        if unknown and reasons is not None:
            unknown = reasons[place] or unknown
        point = Point(
            name=str(names[place]) if names is not None else str(place + 1),
            value=float(values[place]),
            rows=None if rows is None else int(rows[place]),
            state=State.REFERENCE,
            reason=unknown,
        )
        if place >= reference:
            point = _judged(point, place, windows, run, usual)
        elif not unknown:
            windows.learn(place)
        points.append(point)
    oddities = windows.oddities(before=reference, level=level)
    status, reason, remedy = _answer(points, windows, run, oddities, reference)
    return ControlChart(
        kind=kind,
        run_length=run_length,
        limit=run.bound,
        reference=reference,
        hysteresis=hysteresis,
        points=tuple(points),
        oddities=oddities,
        status=status,
        reason=reason,
        remedy=remedy,
        notes=tuple(_notes(points, windows, run_length, reference)),
    )


def _judged(point: Point, place: int, windows: ChartedWindows, run: ChartRun, usual: float) -> Point:
    """A point after the reference; it is learnt from where it is in control."""
    expected = None if point.reason else windows.expected(place)
    if expected is None:
        reason = point.reason or windows.why_unexpected()
        return replace(point, state=run.unknown(), alarm=run.alarm, reason=reason)
    score = windows.score(place, expected)
    state = run.step(score)
    if state is State.IN_CONTROL:
        windows.learn(place)
    return replace(
        point,
        state=state,
        alarm=run.alarm,
        centre=windows.shown(place, expected.centre),
        low=windows.shown(place, expected.value(-usual)),
        high=windows.shown(place, expected.value(usual)),
        score=score,
        statistic=run.statistic,
    )


def _answer(
    points: list[Point],
    windows: ChartedWindows,
    run: ChartRun,
    oddities: tuple[Oddity, ...],
    reference: int,
) -> tuple[Status, str, str]:
    """Status, reason and remedy."""
    known = sum(place < reference for place in windows.learnt)
    if run.alarm:
        return Status.FAIL, _alarm(points, run.hysteresis), _REMEDIES["alarm"]
    if known < FEWEST_KNOWN:
        short = "too few windows are known in" if len(points) >= reference else "too few windows for"
        reason = f"{short} the reference: {known} of at least {FEWEST_KNOWN}"
        return Status.INCONCLUSIVE, reason, _REMEDIES["short"]
    if len(points) <= reference:
        reason = f"no window follows the reference of {reference}: there are {len(points)}"
        return Status.INCONCLUSIVE, reason, _REMEDIES["short"]
    if run.doubt:
        last = next(point for point in reversed(points) if point.state is State.UNKNOWN)
        return Status.INCONCLUSIVE, f"{last.name} cannot be judged: {last.reason}", _REMEDIES["doubt"]
    if oddities:
        reason = f"the reference is out of control: {'; '.join(_odd(oddity, points) for oddity in oddities)}"
        return Status.INCONCLUSIVE, reason, _REMEDIES["odd"]
    judged = len(points) - reference
    return Status.PASS, f"in control at the last of {judged} windows after the reference", ""


_REMEDIES = {
    "alarm": "Find out what changed with the first window beyond the limits; if it is to stay, begin a new reference.",
    "short": "Wait for more windows, or choose shorter ones.",
    "doubt": "Look at that window; the chart is sure again after as many windows in control as the hysteresis says.",
    "odd": "Begin the reference after the change, or leave out windows whose cause is known.",
}


def _alarm(points: list[Point], hysteresis: int) -> str:
    """Since when, and where it stands."""
    since = len(points)
    while since and points[since - 1].alarm:
        since -= 1
    first, last = points[since], points[-1]
    began = f"{first.name} is {first.value:.6g} where {first.centre:.6g} was expected"
    if last is first:
        return f"signal: {began}"
    calm = 0
    while points[-1 - calm].state is State.RECOVERING:
        calm += 1
    return f"in alarm since {first.name} ({began}); so far {calm} of the {hysteresis} windows in control that end it"


def _odd(oddity: Oddity, points: list[Point]) -> str:
    first, last = points[oddity.windows[0]].name, points[oddity.windows[-1]].name
    chance = f"adjusted p {oddity.p_value:.2g}"
    if not oddity.change:
        return f"{first} lies apart from the others ({chance})"
    return f"the level changes with {first} (to {last}, {chance})"


def _notes(points: list[Point], windows: ChartedWindows, run_length: float, reference: int) -> Iterator[str]:
    missing = [point.name for point in points[:reference] if point.reason]
    if missing:
        yield f"Left out of the reference: {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}."
    chance = windows.resemblance()
    if chance < _ALIKE:
        yield (
            f"Neighbouring windows resemble one another (von Neumann's ratio, p {chance:.2g}): false alarms come more "
            f"often than once in {run_length:g} windows. Longer windows, or a season taken out, would help."
        )
