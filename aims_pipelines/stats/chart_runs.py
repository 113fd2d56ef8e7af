"""What a chart adds up, and whether it is in alarm: its state from one window to the next."""

import math
from dataclasses import dataclass
from enum import StrEnum

from aims_pipelines.stats.run_lengths import ChartKind


class State(StrEnum):
    """Where a window lies."""

    REFERENCE = "reference"
    IN_CONTROL = "in control"
    SIGNAL = "signal"  # beyond the limits
    RECOVERING = "recovering"  # within the limits, while the alarm lasts
    UNKNOWN = "unknown"


@dataclass(slots=True, kw_only=True)
class ChartRun:
    """A chart as it runs: scores go in, one a window.

    Args:
        kind: What is added up.
        limit: Limit, as :func:`aims_pipelines.stats.run_lengths.limit_for` gives it.
        smoothing: Weight of the newest score in an EWMA.
        allowance: What a CUSUM lets pass.
        hysteresis: Windows in a row within the limits that end an alarm.
        restart: Whether averages and sums begin at 0 after a signal, as where its cause was looked into, and not at
            the limit.
        alarm: Whether the chart is in alarm.
        doubt: Whether a window was unknown and not yet as many as ``hysteresis`` in control followed.
        statistic: What was last held against ±:attr:`bound`.
    """

    kind: ChartKind
    limit: float
    smoothing: float
    allowance: float
    hysteresis: int
    restart: bool = False
    alarm: bool = False
    doubt: bool = False
    statistic: float = 0.0
    _level: float = 0.0
    _up: float = 0.0
    _down: float = 0.0
    _calm: int = 0

    @property
    def bound(self) -> float:
        """Limit of the statistic, in standard deviations of one score."""
        if self.kind is ChartKind.EWMA:
            return self.limit * math.sqrt(self.smoothing / (2.0 - self.smoothing))
        return self.limit

    def step(self, score: float) -> State:
        """Take in the score of a window."""
        self.statistic = self._add(score)
        if abs(self.statistic) > self.bound:
            self.alarm, self._calm = True, 0
            if self.restart:
                self._level = self._up = self._down = 0.0
            return State.SIGNAL
        self._calm += 1
        recovering = self.alarm
        if self._calm >= self.hysteresis:
            self.alarm = self.doubt = False
        return State.RECOVERING if recovering else State.IN_CONTROL

    def unknown(self) -> State:
        """Take in that a window could not be scored."""
        self.doubt, self._calm = True, 0
        return State.UNKNOWN

    def _add(self, score: float) -> float:
        """Add a score up; beyond its limit a statistic goes on from the limit."""
        bound = self.bound
        if self.kind is ChartKind.SHEWHART:
            return score
        if self.kind is ChartKind.EWMA:
            statistic = self.smoothing * score + (1.0 - self.smoothing) * self._level
            self._level = min(max(statistic, -bound), bound)
            return statistic
        up = max(0.0, self._up + score - self.allowance)
        down = max(0.0, self._down - score - self.allowance)
        self._up, self._down = min(up, bound), min(down, bound)
        return up if up >= down else -down
