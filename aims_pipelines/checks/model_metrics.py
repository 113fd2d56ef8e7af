"""The performance measures that policy may name, on outcomes."""

import math

import numpy as np

from aims_pipelines.checks.model_candidate import ModelCandidate, Outcomes
from aims_pipelines.stats import classification, regression
from aims_pipelines.stats.estimates import Estimate, unknown

_FOR_NUMBERS = frozenset({"r2", "mae"})
LESS_IS_BETTER = frozenset({"mae"})


def problem(metric: str, outcomes: Outcomes) -> tuple[str, str]:
    """Why a measure cannot be taken, and what to do; two empty texts if it can."""
    if outcomes.rows == 0:
        return "there are no rows", "Materialise the holdout with rows."
    if (metric in _FOR_NUMBERS) != (outcomes.classes == 0):
        kind = "numbers" if metric in _FOR_NUMBERS else "classes"
        other = "r2 or mae" if outcomes.classes == 0 else "roc_auc, accuracy or balanced_accuracy"
        return f"policy asks for {metric}, which is for {kind}", f"Set metric to {other}."
    absent = int(np.isnan(outcomes.truth).sum())
    if absent:
        return f"{absent:,} rows have no label", "Judge on rows whose outcome is known."
    if not np.isfinite(outcomes.predicted).all():
        count = int((~np.isfinite(outcomes.predicted)).sum())
        return f"the model gave no usable prediction for {count:,} rows", "Let the model predict every row."
    if outcomes.classes and len(np.unique(outcomes.truth)) < 2:
        return "all rows have the same label, so nothing can be told apart", "Judge on rows of both classes."
    if metric == "roc_auc":
        return _no_ranking(outcomes)
    if metric in _FOR_NUMBERS and not np.ptp(np.abs(outcomes.predicted - outcomes.truth)) > 0.0:
        return (
            "all predictions are off by the same, so nothing tells how sure the figure is",
            "Judge on more rows; predictions without any error are a sign of leakage.",
        )
    return "", ""


def _no_ranking(outcomes: Outcomes) -> tuple[str, str]:
    if not outcomes.binary:
        return "roc_auc needs one positive class", "Name label.positive, or set metric to balanced_accuracy."
    if outcomes.scores is None:
        return (
            "the model gives decisions without scores",
            "Use a model with predict_proba, or set another metric.",
        )
    if not np.isfinite(outcomes.scores).all():
        count = int((~np.isfinite(outcomes.scores)).sum())
        return f"{count:,} scores are NaN or infinite", "Let the model score every row."
    return "", ""


def estimate(metric: str, outcomes: Outcomes) -> Estimate:
    """Take a measure; unknown where ``problem`` says why."""
    if problem(metric, outcomes)[0]:
        return unknown(outcomes.rows)
    truth, predicted = outcomes.truth, outcomes.predicted
    if metric == "roc_auc" and outcomes.scores is not None:
        return classification.roc_auc(truth, outcomes.scores)
    if metric == "accuracy":
        return classification.accuracy(truth, predicted)
    if metric == "balanced_accuracy":
        return classification.balanced_accuracy(truth, predicted)
    if metric == "r2":
        return regression.r_squared(truth, predicted)
    return regression.mean_absolute_error(truth, predicted)


def within_group(metric: str, part: Outcomes, whole: Outcomes) -> Estimate:
    """The measure inside a group, on a scale on which groups can be compared.

    Errors of numbers are taken relative to those of all rows: a group whose outcomes vary little would have a
    poor R² with the best of predictions.
    """
    if metric == "r2":
        return regression.unexplained(part.truth, part.predicted, variance=float(whole.truth.var()))
    if metric == "mae":
        overall = float(np.abs(whole.truth - whole.predicted).mean())
        return regression.scaled(regression.mean_absolute_error(part.truth, part.predicted), overall)
    if metric == "accuracy":  # says something of a group of one class as well
        return classification.accuracy(part.truth, part.predicted)
    return estimate(metric, part)


def group_measure(metric: str) -> str:
    """Name of what ``within_group`` measures."""
    return {"r2": "unexplained share", "mae": "mae relative to all rows"}.get(metric, metric)


def baseline(candidate: ModelCandidate, metric: str = "") -> tuple[float, Estimate]:
    """What a trivial rule reaches on the holdout, and by how much the model beats it.

    The rule knows the training labels only: the most frequent class, the median, or chance. The measure is the
    one that policy names if none is given.
    """
    metric, judged, trained = metric or candidate.limits.metric, candidate.on_holdout, candidate.on_training
    value = estimate(metric, judged)
    known = trained.truth[~np.isnan(trained.truth)]
    if not value.known or len(known) == 0:
        return math.nan, unknown(judged.rows)
    if metric == "accuracy":
        values, counts = np.unique(known, return_counts=True)
        common = float(values[counts.argmax()])
        reached = float((judged.truth == common).mean())
        return reached, classification.gain(judged.truth, judged.predicted, common)
    if metric == "mae":
        middle = float(np.median(known))
        reached = float(np.abs(judged.truth - middle).mean())
        return reached, regression.absolute_gain(judged.truth, judged.predicted, middle)
    chance = {"roc_auc": 0.5, "balanced_accuracy": 1.0 / len(np.unique(judged.truth))}.get(metric, 0.0)
    return chance, Estimate(
        value=value.value - chance,
        n=value.n,
        interval=lambda confidence: (
            value.interval(confidence)[0] - chance,
            value.interval(confidence)[1] - chance,
        ),
    )
