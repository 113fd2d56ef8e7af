"""How well a classifier is doing before any label is known, from its scores and a labelled reference window.

Each row counts as positive with the chance that the reference gives its score. From that follow the confusion counts
and the ranking that are to be expected, and how far the window's true figures may lie off. The idea is that of
confidence-based performance estimation; the intervals carry two errors: labels fall by chance (the Poisson-binomial
variance), and the chances were learnt from finitely many labels.

No figure here can show concept drift. Where the same score comes to mean something else, the estimate stays put and is
wrong; labels that arrive late decide.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aims_pipelines.stats.calibration_map import FEWEST_NEAR, CalibrationMap, Refusal, calibrate
from aims_pipelines.stats.estimates import Estimate, share, unknown
from aims_pipelines.stats.score_table import Floats, ScoreTable

#: What every figure takes for granted.
ASSUMPTIONS = (
    "Rows with the same score are positive as often as in the reference: no concept drift.",
    "The scores of the window lie where the reference has labels.",
    "The labels of the reference are right and complete, and its rows independent of each other.",
)
#: By how much the share of rows that score where the reference has next to no labels may be above that of the
#: reference itself, chance aside. For such rows the map is drawn on in a straight line.
MOST_UNSEEN = 0.01
_CHANCE = 3.0
#: Expected rows of a class, or decided as positive, below which a figure about them is refused.
FEWEST_EXPECTED = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedPerformance:
    """What is to be expected of a window, or why nothing is.

    Args:
        figures: By measure (``accuracy``, ``precision``, ``recall``, ``selection rate``, ``roc auc``), each estimate of
            the window's realised figure, with intervals. Not known where ``refusals`` says why.
        refusals: By measure, why there is no figure.
        unseen: Share of the window's rows that score where the reference has next to no labels.
    """

    figures: Mapping[str, Estimate]
    refusals: Mapping[str, Refusal]
    unseen: float = math.nan


MEASURES = ("accuracy", "precision", "recall", "selection rate", "roc auc")


def expected_performance(
    window: ScoreTable, reference: ScoreTable | CalibrationMap | Refusal
) -> ExpectedPerformance:
    """Estimate a window's performance without its labels.

    Args:
        window: Scores of the window; its labels are not looked at.
        reference: Labelled scores of the reference window; or what was learnt from them, for many windows.

    Returns:
        Estimates of what the measures would turn out as if every label of the window were known. ``selection rate`` is
        counted, so its interval has no width. The others have normal errors on the logit scale, by the delta method;
        that of the area under the ROC curve linearises it around the expected labels (Hájek's projection). Errors of
        their level are within two points from 200 rows and the smallest admitted reference, by simulation.

    Source:
        The variance of a sum of independent labels is Poisson (1837), Recherches sur la probabilité des jugements;
        projection as in van der Vaart (1998), Asymptotic Statistics, chapter 11.
    """
    learnt = calibrate(reference) if isinstance(reference, ScoreTable) else reference
    if isinstance(learnt, Refusal):
        return _refused(window, learnt, math.nan)
    refusal = outside(window, learnt)
    if refusal is not None:
        return _refused(window, refusal, _unseen(window, learnt))
    return _estimated(window, learnt, _selection_rate(window))


def _refused(window: ScoreTable, refusal: Refusal, unseen: float) -> ExpectedPerformance:
    """Nothing but what can be counted."""
    figures = dict.fromkeys(MEASURES, unknown(window.rows)) | {"selection rate": _selection_rate(window)}
    refusals = {name: refusal for name in MEASURES if not figures[name].known}
    return ExpectedPerformance(figures=figures, refusals=refusals, unseen=unseen)


def _estimated(window: ScoreTable, learnt: CalibrationMap, selected: Estimate) -> ExpectedPerformance:
    chances, slopes = learnt.chances(window.log_odds)
    rows = window.counts.astype(np.float64)
    decided = window.selected.astype(np.float64)
    total, positive = float(rows.sum()), float(rows @ chances)
    caught, chosen = float(rows @ (chances * decided)), float(rows @ decided)
    correct = caught + float(rows @ ((1.0 - chances) * (1.0 - decided)))

    def estimate(value: float, influence: Floats) -> Estimate:
        """An estimate from how far one more positive label in each bin would move it."""
        by_chance = float((rows * chances * (1.0 - chances)) @ np.square(influence))
        gradient = (rows * influence) @ slopes
        return share(
            value, math.sqrt(by_chance + float(gradient @ learnt.covariance @ gradient)), window.rows
        )

    figures = {
        "accuracy": estimate(correct / total, (2.0 * decided - 1.0) / total),
        "selection rate": selected,
    }
    refusals = {}
    if chosen >= FEWEST_EXPECTED:
        figures["precision"] = estimate(caught / chosen, decided / chosen)
    else:
        refusals["precision"] = _few(chosen, window.rows, "rows are decided as positive")
    rarer = min(positive, total - positive)
    if positive >= FEWEST_EXPECTED:
        recall = caught / positive
        figures["recall"] = estimate(recall, (decided - recall) / positive)
    else:
        refusals["recall"] = _few(positive, window.rows, "positive rows are expected")
    if rarer >= FEWEST_EXPECTED:
        figures["roc auc"] = estimate(*_area(rows, chances))
    else:
        refusals["roc auc"] = _few(rarer, window.rows, "rows of the rarer class are expected")
    figures = {name: figures.get(name, unknown(window.rows)) for name in MEASURES}
    return ExpectedPerformance(figures=figures, refusals=refusals, unseen=_unseen(window, learnt))


def _area(rows: Floats, chances: Floats) -> tuple[float, Floats]:
    """Expected area under the ROC curve, and how far one more positive label in each bin would move it."""
    positives, negatives = rows * chances, rows * (1.0 - chances)
    below = np.cumsum(negatives) - negatives / 2.0
    above = float(positives.sum()) - np.cumsum(positives) + positives / 2.0
    # A row is no pair with itself.
    itself = chances * (1.0 - chances)
    pairs = float(positives.sum()) * float(negatives.sum()) - float(rows @ itself)
    area = (float(positives @ below) - 0.5 * float(rows @ itself)) / pairs
    influence = (below - above - area * (float(negatives.sum()) - float(positives.sum()))) / pairs
    return area, influence


def _selection_rate(window: ScoreTable) -> Estimate:
    if not window.rows:
        return unknown(0)
    rate = float(window.counts[window.selected].sum()) / window.rows
    return Estimate(value=rate, n=window.rows, interval=lambda _: (rate, rate))


def _unseen(window: ScoreTable, learnt: CalibrationMap) -> float:
    if not window.rows:
        return math.nan
    few = learnt.labels_near(window.log_odds) < FEWEST_NEAR
    return float(window.counts[few].sum()) / window.rows


def outside(window: ScoreTable, learnt: CalibrationMap) -> Refusal | None:
    """Why the reference says nothing about the scores of a window; ``None`` if it does."""
    if not window.rows:
        return Refusal(reason="the window has no rows with a score", rows_needed=1)
    near = learnt.labels_near(window.log_odds)
    few = near < FEWEST_NEAR
    unseen = float(window.counts[few].sum()) / window.rows
    own = learnt.sparse
    noise = math.sqrt(own * (1.0 - own) * (1.0 / window.rows + 1.0 / learnt.labels))
    if unseen <= own + MOST_UNSEEN + _CHANCE * noise:
        return None
    scores = 1.0 / (1.0 + np.exp(-window.log_odds[few]))
    least = int(near[few].min())
    return Refusal(
        reason=f"{unseen:.1%} of the rows score where the reference has fewer than {FEWEST_NEAR} labels "
        f"(between {scores.min():.3g} and {scores.max():.3g})",
        rows_needed=math.ceil(FEWEST_NEAR * learnt.labels / least) if least else None,
        remedy="Take a reference that holds such rows, or wait for labels.",
    )


def _few(expected: float, rows: int, what: str) -> Refusal:
    return Refusal(
        reason=f"{expected:.1f} {what}, fewer than {FEWEST_EXPECTED:g}",
        rows_needed=max(rows + 1, math.ceil(FEWEST_EXPECTED * rows / expected)) if expected > 0.0 else None,
        remedy="Take longer windows.",
    )
