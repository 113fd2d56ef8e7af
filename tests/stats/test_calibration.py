"""Probabilities are taken at their word no further than the rows show."""

import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from aims_pipelines.stats.calibration import calibration_bins, calibration_error


def drawn(rows, seed, *, damping=1.0, spread=2.0, shift=0.0):
    """Labels and what a model says of them: it takes the logit for 1 / damping of what it is, and forgets the shift."""
    draw = np.random.default_rng(seed)
    logit = draw.normal(0, spread, rows)
    labels = (draw.random(rows) < 1 / (1 + np.exp(-logit * damping - shift))).astype(float)
    return labels, 1 / (1 + np.exp(-logit))


def test_a_calibrated_model_is_never_shown_to_be_off_and_a_damped_one_is():
    draw = np.random.default_rng(2)
    shown = {1.0: 0, 0.5: 0}
    for damping in shown:
        for _ in range(100):
            logit = draw.normal(0, 2, 2000)
            labels = (draw.random(2000) < 1 / (1 + np.exp(-logit * damping))).astype(float)
            low, _ = calibration_error(labels, 1 / (1 + np.exp(-logit))).interval(0.95)
            shown[damping] += low > 0.01
    assert shown[1.0] == 0
    assert shown[0.5] == 100


def test_bins_hold_all_rows_and_equal_scores_stay_together():
    scores = np.repeat([0.1, 0.2, 0.9], [700, 5, 295])
    bins = calibration_bins(np.zeros(1000), scores)
    assert [item.rows for item in bins] == [700, 5, 295] or sum(item.rows for item in bins) == 1000
    assert all(item.predicted in {0.1, 0.2, 0.9} or item.rows > 5 for item in bins)
    assert sum(item.rows for item in bins) == 1000


def test_the_error_is_the_distance_of_scikit_learns_curve_from_the_diagonal():
    labels, scores = drawn(1000, 3, damping=0.5)
    observed, predicted = calibration_curve(labels, scores, n_bins=10, strategy="quantile")
    assert calibration_error(labels, scores).value == pytest.approx(
        np.abs(observed - predicted).mean(), abs=2e-3
    )


@pytest.mark.parametrize("rows", [100, 1000])
def test_the_interval_covers_the_true_error_at_its_nominal_rate(rows):
    held = []
    for shape in (
        {"damping": 0.7},
        {"damping": 0.5},
        {"shift": 0.5, "spread": 1.0},
        {"shift": 1.0, "spread": 1.0},
    ):
        _, scores = drawn(200_000, 0, spread=shape.get("spread", 2.0))
        logit = np.log(scores / (1 - scores))
        share = 1 / (1 + np.exp(-logit * shape.get("damping", 1.0) - shape.get("shift", 0.0)))
        order = np.array_split(np.argsort(scores), 10)
        truth = np.mean([abs(scores[part].mean() - share[part].mean()) for part in order])
        for seed in range(120):
            low, high = calibration_error(*drawn(rows, seed, **shape)).interval(0.95)
            held.append(low <= truth <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.025)


def test_a_few_certain_rows_that_came_true_do_not_make_certainty():
    low, high = calibration_error(np.ones(10), np.ones(10)).interval(0.95)
    assert low == 0.0
    assert high > 0.2


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([], []),
        ([1.0, np.nan], [0.5, 0.5]),
        ([1.0, 0.0], [0.5, np.nan]),
        ([1.0, 0.0], [0.5, 1.5]),
        ([2.0], [0.5]),
    ],
)
def test_what_is_no_probability_of_a_label_gives_no_figure(labels, scores):
    estimate = calibration_error(np.array(labels), np.array(scores))
    assert not estimate.known
    assert all(math.isnan(end) for end in estimate.interval(0.95))
