"""By how much labels that arrived contradict what the reference says of their scores.

The label-free estimate already follows the scores to where they moved. What the labels still differ by is no matter of
harder cases: the same score has come to mean something else.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.stats.calibration_map import CalibrationMap, Refusal
from aims_pipelines.stats.expected_performance import outside
from aims_pipelines.stats.intervals import quantile
from aims_pipelines.stats.score_table import Floats, ScoreTable, of_known

_POWER = NormalDist().inv_cdf(0.8)
ERRORS, POSITIVES = "errors beyond expectation", "positives beyond expectation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surprise:
    """A share of the labelled rows, less what was to be expected of their scores.

    Args:
        measure: ``ERRORS`` or ``POSITIVES``.
        value: The difference, a fraction of the labelled rows.
        by_chance: Its variance from labels falling by chance, if the map is right.
        by_map: Its variance from the map being learnt from finitely many labels.
        rows: Labelled rows.
    """

    measure: str
    value: float
    by_chance: float
    by_map: float
    rows: int


def surprises(window: ScoreTable, learnt: CalibrationMap) -> tuple[Surprise, ...] | Refusal:
    """Compare the labels of a window with what its scores promise.

    Args:
        window: Scores and labels; rows without a label are left out.
        learnt: The map of the reference.

    Returns:
        The errors and the positives, less those expected; or why the reference says nothing of these rows.

    Source:
        Variances as in :func:`aims_pipelines.stats.expected_performance.expected_performance`; for a share of positives
        it is Spiegelhalter (1986), Statistics in Medicine 5:421-433, with the error of the map added.
    """
    known = of_known(window)
    refusal = outside(known, learnt)
    if refusal is not None:
        return refusal
    chances, slopes = learnt.chances(known.log_odds)
    rows, total = known.counts.astype(np.float64), known.rows
    spread = rows * chances * (1.0 - chances)
    # A positive is an error where the row was decided as negative, and the absence of one elsewhere.
    signs = np.where(known.selected, -1.0, 1.0)

    def surprise(measure: str, sign: Floats) -> Surprise:
        gradient = (rows * sign) @ slopes / total
        return Surprise(
            measure=measure,
            value=float(((known.positives - rows * chances) * sign).sum()) / total,
            by_chance=float(spread.sum()) / total**2,
            by_map=float(gradient @ learnt.covariance @ gradient),
            rows=total,
        )

    return surprise(ERRORS, signs), surprise(POSITIVES, np.ones(len(signs)))


def tells(surprise: Surprise, *, tolerance: float, confidence: float) -> bool:
    """Whether there are labels enough that a difference of the tolerated size would be shown four times out of five.

    This depends on the scores of the labelled rows and on the reference, not on what the labels are.

    Args:
        surprise: The difference; its value is not looked at.
        tolerance: Largest difference that is acceptable, a fraction in (0, 1).
        confidence: Two-sided coverage of the interval, in (0, 1).
    """
    return (quantile(confidence) + _POWER) * _error(surprise) <= tolerance


def judge(surprise: Surprise, *, target: str, tolerance: float, confidence: float) -> Finding:
    """Hold a difference against what is tolerated, in either direction.

    Args:
        surprise: The difference.
        target: The window for people.
        tolerance: Largest difference that is acceptable, a fraction in (0, 1).
        confidence: Two-sided coverage of the interval, in (0, 1).

    Returns:
        Fail where the difference is shown (its interval leaves out zero) and larger than tolerated. Pass otherwise, if
        there are labels enough to tell (see :func:`tells`); else inconclusive.
    """
    z, error = quantile(confidence), _error(surprise)
    low, high = surprise.value - z * error, surprise.value + z * error
    what = surprise.measure.split(" ", maxsplit=1)[0]
    amount = f"{abs(surprise.value):.1%} {'more' if surprise.value > 0 else 'fewer'} {what} than the scores promise"
    status, reason, needed, remedy = Status.INCONCLUSIVE, "too few labels to tell", None, ""
    if abs(surprise.value) > tolerance and (low > 0.0 or high < 0.0):
        status, reason = Status.FAIL, amount
        remedy = (
            "Compare the features with those of the reference: if they moved, cases changed that the model cannot tell "
            "apart; if not, the relation did. Train again on rows with labels, or take the model out of service."
        )
    elif tells(surprise, tolerance=tolerance, confidence=confidence):
        status, reason = Status.PASS, f"{amount}, within {tolerance:.3g}"
    else:
        left = (tolerance / (z + _POWER)) ** 2 - surprise.by_map
        needed = (
            max(surprise.rows + 1, math.ceil(surprise.rows * surprise.by_chance / left))
            if left > 0.0
            else None
        )
        remedy = (
            "Wait for more labels, or take longer windows."
            if needed
            else "Take a reference with more labels, or tolerate more."
        )
    return Finding(
        target=target,
        measure=surprise.measure,
        status=status,
        reason=reason,
        observed=surprise.value,
        limit=tolerance,
        interval=(low, high),
        unit="fraction",
        n=surprise.rows,
        rows_needed=needed,
        remedy=remedy,
    )


def _error(surprise: Surprise) -> float:
    """Standard error of the difference, if the map is right."""
    return math.sqrt(surprise.by_chance + surprise.by_map)
