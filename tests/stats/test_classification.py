"""Measures of classifiers: against scikit-learn, against published figures, and interval coverage by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from sklearn import metrics

from aims_pipelines.stats import classification as measured
from aims_pipelines.stats.intervals import paired


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


def test_with_many_misranked_rows_the_interval_is_delongs():
    draw = np.random.default_rng(3)
    positives, negatives = draw.normal(1, 1, 900).round(1), draw.normal(0, 1, 1400).round(1)
    wins = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)
    error = math.sqrt(wins.mean(1).var(ddof=1) / 900 + wins.mean(0).var(ddof=1) / 1400)
    estimate = measured.roc_auc(np.r_[np.ones(900), np.zeros(1400)], np.r_[positives, negatives])
    low, high = estimate.interval(0.95)
    assert high - low == pytest.approx(2 * stats.norm.ppf(0.975) * error, rel=0.005)
    assert (low, high) == pytest.approx(
        (wins.mean() - 1.96 * error, wins.mean() + 1.96 * error), abs=0.15 * error
    )


@pytest.mark.parametrize(("m", "n"), [(5, 50), (20, 20), (3, 400)])
def test_without_a_misranked_row_the_interval_is_newcombes(m, n):
    def excess(area):
        inner = (m + n) / 2 - 1
        spread = 1 + inner * ((1 - area) / (2 - area) + area / (1 + area))
        return 1 - area - stats.norm.ppf(0.975) * math.sqrt(area * (1 - area) * spread / (m * n))

    low, high = measured.roc_auc(np.r_[np.ones(m), np.zeros(n)], np.r_[np.ones(m), np.zeros(n)]).interval(
        0.95
    )
    assert low == pytest.approx(optimize.brentq(excess, 0.01, 1 - 1e-9), abs=1e-9)
    assert high == pytest.approx(1.0)
    assert measured.roc_auc(np.r_[np.zeros(m), np.ones(n)], np.r_[np.ones(m), np.zeros(n)]).interval(
        0.95
    ) == pytest.approx((0.0, 1 - low))


@pytest.mark.parametrize(("positives", "negatives"), [(10, 10), (10, 40), (30, 300)])
def test_intervals_of_the_area_cover_at_their_nominal_rate(positives, negatives):
    draw, held, times = np.random.default_rng(7), [], 300
    labels = np.r_[np.ones(positives), np.zeros(negatives)]
    for apart, wider in ((0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (3.0, 1.0), (1.5, 2.0), (1.5, 0.5)):
        truth = stats.norm.cdf(apart / math.hypot(1.0, wider))
        for _ in range(times):
            scores = np.r_[draw.normal(apart, wider, positives), draw.normal(0, 1, negatives)]
            low, high = measured.roc_auc(labels, scores).interval(0.95)
            held.append(low <= truth <= high)
    # Where few rows are told apart without error nothing lies above the interval, so that it covers a little more.
    assert 0.94 < np.mean(held) < 0.975


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
    found = measured.gain(labels, predicted, trivial=0.0)
    assert found.value == 0.25
    assert found.interval(0.9) == paired(1, 0, 4, confidence=0.9)


def test_values_beyond_the_edges_count_in_the_outer_bars():
    assert measured.histogram(np.array([-9.0, 0.5, 9.0]), (0.0, 0.5, 1.0)) == (1, 2)
