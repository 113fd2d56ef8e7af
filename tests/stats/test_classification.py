"""Measures of classifiers: against scikit-learn, against published figures, and interval coverage by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from aims_pipelines.stats import classification as measured


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(4, 300),
    distinct=st.sampled_from([2, 5, 1000]),
)
def test_the_area_is_that_of_scikit_learn_with_ties_too(seed, rows, distinct):
    draw = np.random.default_rng(seed)
    labels = np.r_[0.0, 1.0, draw.integers(0, 2, rows - 2).astype(float)]
    scores = draw.integers(0, distinct, rows) / distinct
    assert measured.roc_auc(labels, scores).value == pytest.approx(
        metrics.roc_auc_score(labels, scores), abs=1e-12
    )


def test_the_variance_is_delongs_by_its_definition():
    draw = np.random.default_rng(3)
    positives, negatives = draw.normal(1, 1, 60).round(1), draw.normal(0, 1, 90).round(1)
    wins = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)
    parts = wins.mean(1).var(ddof=1) / 60, wins.mean(0).var(ddof=1) / 90
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / 59 + parts[1] ** 2 / 89)
    area = wins.mean()
    estimate = measured.roc_auc(np.r_[np.ones(60), np.zeros(90)], np.r_[positives, negatives])
    logit = math.log(area / (1 - area))
    half = stats.t.ppf(0.975, freedom) * math.sqrt(sum(parts)) / (area * (1 - area))
    expected = 1 / (1 + math.exp(half - logit)), 1 / (1 + math.exp(-half - logit))
    assert estimate.interval(0.95) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("positives", "negatives"), [(15, 60), (60, 600)])
def test_intervals_of_the_area_cover_at_their_nominal_rate(positives, negatives):
    draw = np.random.default_rng(7)
    truth, hits, times = 0.8555778, 0, 1500  # P(N(1.5, 1) > N(0, 1)) = Phi(1.5 / sqrt(2))
    labels = np.r_[np.ones(positives), np.zeros(negatives)]
    for _ in range(times):
        scores = np.r_[draw.normal(1.5, 1, positives), draw.normal(0, 1, negatives)]
        low, high = measured.roc_auc(labels, scores).interval(0.95)
        hits += low <= truth <= high
    assert 0.93 < hits / times < 0.975


def test_perfect_separation_of_a_few_rows_is_not_certainty():
    low, high = measured.roc_auc(np.r_[np.ones(5), np.zeros(50)], np.r_[np.ones(5), np.zeros(50)]).interval(
        0.95
    )
    assert low < 0.7
    assert high == 1.0


@pytest.mark.parametrize("labels", [[], [1.0, 1.0], [0.0]])
def test_without_both_classes_there_is_no_area(labels):
    estimate = measured.roc_auc(np.array(labels), np.zeros(len(labels)))
    assert not estimate.known
    assert all(math.isnan(end) for end in estimate.interval(0.95))


def test_balanced_accuracy_is_that_of_scikit_learn():
    draw = np.random.default_rng(1)
    labels, predicted = draw.integers(0, 3, 500).astype(float), draw.integers(0, 3, 500).astype(float)
    expected = metrics.balanced_accuracy_score(labels, predicted)
    assert measured.balanced_accuracy(labels, predicted).value == pytest.approx(expected)


def test_a_calibrated_model_is_never_shown_to_be_off_and_a_damped_one_is():
    draw = np.random.default_rng(2)
    shown = {1.0: 0, 0.5: 0}
    for damping in shown:
        for _ in range(100):
            logit = draw.normal(0, 2, 2000)
            labels = (draw.random(2000) < 1 / (1 + np.exp(-logit * damping))).astype(float)
            low, _ = measured.calibration_error(labels, 1 / (1 + np.exp(-logit))).interval(0.95)
            shown[damping] += low > 0.01
    assert shown[1.0] == 0
    assert shown[0.5] == 100


def test_bins_hold_all_rows_and_equal_scores_stay_together():
    scores = np.repeat([0.1, 0.2, 0.9], [700, 5, 295])
    bins = measured.calibration_bins(np.zeros(1000), scores)
    assert [item.rows for item in bins] == [700, 5, 295] or sum(item.rows for item in bins) == 1000
    assert all(item.predicted in {0.1, 0.2, 0.9} or item.rows > 5 for item in bins)
    assert sum(item.rows for item in bins) == 1000


def test_the_curve_rises_from_corner_to_corner_and_encloses_the_area():
    draw = np.random.default_rng(4)
    labels = draw.integers(0, 2, 5000).astype(float)
    scores = labels + draw.normal(0, 1, 5000)
    points = np.array(measured.roc_points(labels, scores))
    assert points[0].tolist() == [0.0, 0.0]
    assert points[-1].tolist() == [1.0, 1.0]
    assert (np.diff(points, axis=0) >= 0).all()
    area = np.trapezoid(points[:, 1], points[:, 0])
    assert area == pytest.approx(measured.roc_auc(labels, scores).value, abs=0.01)


def test_the_gain_over_a_rule_is_a_paired_difference():
    labels, predicted = np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0, 0.0])
    assert measured.gain(labels, predicted, trivial=0.0).value == 0.25


def test_values_beyond_the_edges_count_in_the_outer_bars():
    assert measured.histogram(np.array([-9.0, 0.5, 9.0]), (0.0, 0.5, 1.0)) == (1, 2)
