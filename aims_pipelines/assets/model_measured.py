"""The figures and plots of a card, from the outcomes that the checks judged."""

import math
from collections.abc import Iterator

import numpy as np

from aims_pipelines.assets.model_comparisons import comparisons
from aims_pipelines.checks.model_calibration import promised
from aims_pipelines.checks.model_candidate import ModelCandidate, Outcomes
from aims_pipelines.checks.model_groups import levels
from aims_pipelines.checks.model_metrics import LESS_IS_BETTER, baseline, estimate
from aims_pipelines.checks.model_rates import RATES
from aims_pipelines.model_cards.collect import CardMeasurements
from aims_pipelines.model_cards.document import (
    SMALLEST_CELL,
    Bin,
    Figure,
    GroupFigures,
    Histogram,
    Plots,
    Rate,
)
from aims_pipelines.stats import calibration, classification, regression
from aims_pipelines.stats.estimates import Estimate

_BARS = 20


def measure_for_card(candidate: ModelCandidate) -> CardMeasurements:
    """Measure what a reader of the card wants to see. Figures that cannot be measured are left out."""
    confidence = candidate.limits.confidence
    group_measure = "mae" if candidate.on_holdout.classes == 0 else candidate.limits.metric
    return CardMeasurements(
        figures=tuple(_figures(candidate, confidence)),
        groups=tuple(_groups(candidate, group_measure, confidence)),
        plots=_plots(candidate.on_holdout, confidence),
        confidence=confidence,
        group_measure=group_measure,
        comparisons=comparisons(candidate),
    )


def _figures(candidate: ModelCandidate, confidence: float) -> Iterator[Figure]:
    limits, outcomes = candidate.limits, candidate.on_holdout
    others = ("r2", "mae") if outcomes.classes == 0 else ("accuracy",)
    for metric in dict.fromkeys((limits.metric, *others)):
        measured = estimate(metric, outcomes)
        if not measured.known:
            continue
        first, less = metric == limits.metric, metric in LESS_IS_BETTER
        limit = (limits.max_metric if less else limits.min_metric) if first else None
        low, high = measured.interval(confidence)
        trained = estimate(metric, candidate.on_training)
        reached = baseline(candidate, metric)[0]
        yield Figure(
            name=metric,
            value=measured.value,
            low=low,
            high=high,
            limit=limit,
            at_most=less,
            baseline=None if math.isnan(reached) else reached,
            train=trained.value if trained.known else None,
        )
    if outcomes.binary and outcomes.probabilities and outcomes.scores is not None:
        measured = calibration.calibration_error(outcomes.truth, outcomes.scores)
        low, high = measured.interval(confidence)
        yield Figure(
            name="expected_calibration_error",
            value=measured.value,
            low=low,
            high=high,
            limit=limits.max_calibration_error,
            at_most=True,
        )


def _groups(candidate: ModelCandidate, metric: str, confidence: float) -> Iterator[GroupFigures]:
    least = max(candidate.limits.min_group_size, SMALLEST_CELL)
    for attribute in candidate.groups:
        calibrated = promised(candidate, attribute, least=least)
        for level, rows in levels(candidate, attribute):
            part = candidate.on_holdout.only(rows)
            measured = estimate(metric, part) if part.rows >= least else None
            yield GroupFigures(
                attribute=attribute,
                level=level,
                rows=part.rows,
                metric=None if measured is None else _rate(measured, confidence),
                calibration=_rate(calibrated[level], confidence) if level in calibrated else None,
                **(_rates(part, least, confidence) if part.binary else {}),
            )


def _rates(part: Outcomes, least: int, confidence: float) -> dict[str, Rate | None]:
    found: dict[str, Rate | None] = {}
    for rate in RATES:
        members = rate.members(part)
        total, hits = int(members.sum()), int((members & rate.hits(part)).sum())
        measured = classification.rate(hits, total) if total >= least else None
        found[rate.name.replace(" ", "_")] = None if measured is None else _rate(measured, confidence)
    return found


def _rate(measured: Estimate, confidence: float) -> Rate | None:
    if not measured.known:
        return None
    low, high = measured.interval(confidence)
    return Rate(value=measured.value, low=low, high=high)


def _plots(outcomes: Outcomes, confidence: float) -> Plots:
    if outcomes.classes == 0:
        return _number_plots(outcomes, confidence)
    if not outcomes.binary or outcomes.scores is None:
        return Plots()
    roc = classification.roc_points(outcomes.truth, outcomes.scores)
    if not outcomes.probabilities:
        return Plots(roc=roc)
    bins = []
    for item in calibration.calibration_bins(outcomes.truth, outcomes.scores):
        low, high = classification.rate(round(item.observed * item.rows), item.rows).interval(confidence)
        bins.append(Bin(x=item.predicted, y=item.observed, low=low, high=high, rows=item.rows))
    edges = tuple(round(step / _BARS, 6) for step in range(_BARS + 1))
    return Plots(
        roc=roc,
        calibration=tuple(bins),
        scores=Histogram(
            edges=edges,
            negatives=classification.histogram(outcomes.scores[outcomes.truth == 0.0], edges),
            positives=classification.histogram(outcomes.scores[outcomes.truth == 1.0], edges),
        ),
    )


def _number_plots(outcomes: Outcomes, confidence: float) -> Plots:
    errors = outcomes.predicted - outcomes.truth
    widest = float(np.quantile(np.abs(errors), 0.98)) or 1.0
    edges = tuple(float(edge) for edge in np.linspace(-widest, widest, _BARS + 1))
    bins = []
    for predicted, measured in regression.outcome_bins(outcomes.truth, outcomes.predicted):
        low, high = measured.interval(confidence)
        bins.append(Bin(x=predicted, y=measured.value, low=low, high=high, rows=measured.n))
    return Plots(
        calibration=tuple(bins),
        scores=Histogram(edges=edges, negatives=classification.histogram(errors, edges)),
    )
