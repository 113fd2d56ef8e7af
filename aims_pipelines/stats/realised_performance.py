"""How well a classifier did on the rows of a window whose labels are known, from its score table."""

from collections.abc import Mapping
from enum import StrEnum

import numpy as np

from aims_pipelines.stats.classification import rate, roc_auc
from aims_pipelines.stats.estimates import Estimate, mean
from aims_pipelines.stats.intervals import quantile
from aims_pipelines.stats.score_table import Floats, ScoreTable


class Measure(StrEnum):
    """What is told of a window."""

    ERROR_RATE = "error rate"
    ACCURACY = "accuracy"
    PRECISION = "precision"
    RECALL = "recall"
    SELECTION_RATE = "selection rate"
    ROC_AUC = "roc auc"
    LOG_LOSS = "log loss"


def realised_performance(window: ScoreTable) -> Mapping[Measure, Estimate]:
    """Measure a window by its known labels.

    Rows are taken as independent, and those whose label is known as drawn at random from the window: until all labels
    have come this is an assumption, since labels of one kind often come sooner.

    Args:
        window: Scores and labels; rows without a label are left out of all but the selection rate.

    Returns:
        Rates with Wilson's intervals; the area under the ROC curve with its own, ties within a bin counting half; the
        mean log loss in nats, with Student's corrected for skewness. Figures without rows to rest on are not known.
    """
    hits, misses, chosen = window.positives, window.negatives, window.selected
    caught, wrongly = int(hits[chosen].sum()), int(misses[chosen].sum())
    positives, labelled = int(hits.sum()), window.labelled
    correct = caught + int(misses[~chosen].sum())
    return {
        Measure.ERROR_RATE: rate(labelled - correct, labelled),
        Measure.ACCURACY: rate(correct, labelled),
        Measure.PRECISION: rate(caught, caught + wrongly),
        Measure.RECALL: rate(caught, positives),
        Measure.SELECTION_RATE: rate(int(window.counts[chosen].sum()), window.rows),
        Measure.ROC_AUC: _area(window),
        Measure.LOG_LOSS: _log_loss(window),
    }


def standard_error(estimate: Estimate) -> float:
    """Standard error that an estimate's 95 % interval amounts to; NaN where it is not known."""
    low, high = estimate.interval(0.95)
    return (high - low) / (2.0 * quantile(0.95))


def _area(window: ScoreTable) -> Estimate:
    scores: Floats = np.concatenate([
        np.repeat(window.log_odds, window.positives),
        np.repeat(window.log_odds, window.negatives),
    ])  # fmt: skip
    labels = np.repeat([1.0, 0.0], [int(window.positives.sum()), int(window.negatives.sum())])
    return roc_auc(labels, scores)


def _log_loss(window: ScoreTable) -> Estimate:
    of_hits, of_misses = np.logaddexp(0.0, -window.log_odds), np.logaddexp(0.0, window.log_odds)
    losses: Floats = np.concatenate([
        np.repeat(of_hits, window.positives),
        np.repeat(of_misses, window.negatives),
    ])  # fmt: skip
    return mean(losses)
