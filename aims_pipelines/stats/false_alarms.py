"""How often a gate would refuse what people let stand, held against a budget."""

from dataclasses import dataclass, replace

from aims_pipelines.core.verdict import Status
from aims_pipelines.stats.intervals import wilson

_MOST_WINDOWS = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAlarms:
    """The share of windows that people let stand and a gate would refuse.

    Args:
        windows: Windows that people let stand, each content once.
        refused: Those of them that would be refused.
        unknown: Those of which it cannot be told.
        interval: Confidence interval of the share: its lower end as if none of the unknown would be refused, its
            upper end as if all would.
        confidence: Two-sided coverage of the interval.
        budget: Largest share that is acceptable; ``None`` if none is stated.
        windows_needed: Windows with which the budget would be shown to be kept if no further one were refused;
            ``None`` without a budget, where it is settled, or where only the unknown ones leave it open.
    """

    windows: int
    refused: int
    unknown: int
    interval: tuple[float, float]
    confidence: float
    budget: float | None = None
    windows_needed: int | None = None

    @property
    def rate(self) -> float | None:
        """Share of refused windows among those of which it can be told; ``None`` if there are none."""
        told = self.windows - self.unknown
        return self.refused / told if told else None

    @property
    def status(self) -> Status | None:
        """Pass if the whole interval keeps to the budget, fail if none of it does; ``None`` without a budget."""
        if self.budget is None:
            return None
        low, high = self.interval
        if high <= self.budget:  # NaN compares false, and so does not pass
            return Status.PASS
        return Status.FAIL if low > self.budget else Status.INCONCLUSIVE


def false_alarms(
    refused: int, windows: int, *, unknown: int = 0, confidence: float, budget: float | None = None
) -> FalseAlarms:
    """Estimate the share of false alarms from counts.

    The interval takes the windows as independent. Windows that are judged against one and the same reference
    share its chance deviations, and pooled windows share rows, so for those the true uncertainty is larger.

    Args:
        refused: Windows that people let stand and that would be refused, at least 0.
        windows: All windows that people let stand, at least ``refused + unknown``.
        unknown: Windows of which it cannot be told, at least 0.
        confidence: Two-sided coverage of the interval, in (0, 1).
        budget: Largest acceptable share, in (0, 1).

    Returns:
        The estimate; with no windows its interval is (0, 1), which settles no budget.

    Source:
        Wilson (1927), JASA 22:209-212, taken at the worst case of the unknown windows.

    Example:
        >>> found = false_alarms(1, 100, confidence=0.95, budget=0.1)
        >>> found.status.value, [round(limit, 4) for limit in found.interval]
        ('pass', [0.0018, 0.0545])
    """
    low, _ = wilson(refused, windows, confidence=confidence)
    _, high = wilson(refused + unknown, windows, confidence=confidence)
    found = FalseAlarms(
        windows=windows,
        refused=refused,
        unknown=unknown,
        interval=(low, high),
        confidence=confidence,
        budget=budget,
    )
    if budget is None or found.status is not Status.INCONCLUSIVE:
        return found
    needed = _needed(refused, windows - unknown, confidence=confidence, budget=budget)
    return replace(found, windows_needed=needed)


def _needed(refused: int, told: int, *, confidence: float, budget: float) -> int | None:
    """Fewest windows of which no more than ``refused`` are refused that keep to the budget, by bisection."""

    def keeps(windows: int) -> bool:
        return wilson(refused, windows, confidence=confidence)[1] <= budget

    if keeps(told):
        return None
    low, high = told, max(told, 1)
    while not keeps(high):
        low, high = high, 2 * high
        if high > _MOST_WINDOWS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if keeps(middle) else (middle, high)
    return high
