"""Measures of predicted numbers: against scikit-learn, and interval coverage by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from aims_pipelines.stats import regression as measured


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(4, 200), scale=st.sampled_from([1e-3, 1.0, 1e6]))
def test_measures_are_those_of_scikit_learn(seed, rows, scale):
    draw = np.random.default_rng(seed)
    truth, predicted = draw.normal(size=rows) * scale, draw.normal(size=rows) * scale
    assert measured.r_squared(truth, predicted).value == pytest.approx(metrics.r2_score(truth, predicted))
    expected = metrics.mean_absolute_error(truth, predicted)
    assert measured.mean_absolute_error(truth, predicted).value == pytest.approx(expected)


@pytest.mark.parametrize("rows", [20, 200])
def test_intervals_cover_at_their_nominal_rate(rows):
    draw = np.random.default_rng(1)
    hits = np.zeros(2)
    for _ in range(2000):
        truth = draw.normal(0, 3, rows)
        predicted = truth + draw.normal(0, 1, rows)
        for index, (estimate, right) in enumerate(
            [
                (measured.r_squared(truth, predicted), 1 - 1 / 9),
                (measured.mean_absolute_error(truth, predicted), math.sqrt(2 / math.pi)),
            ]
        ):
            low, high = estimate.interval(0.95)
            hits[index] += low <= right <= high
    assert hits / 2000 == pytest.approx([0.95, 0.95], abs=0.02)


@pytest.mark.parametrize("truth", [[], [1.0], [2.0, 2.0, 2.0]])
def test_outcomes_that_do_not_vary_give_no_figure(truth):
    assert not measured.r_squared(np.array(truth), np.zeros(len(truth))).known


@pytest.mark.parametrize("off", [0.0, 2.0])
def test_errors_that_do_not_differ_say_nothing_of_their_spread(off):
    truth = np.arange(10.0)
    assert not measured.r_squared(truth, truth + off).known
    assert not measured.mean_absolute_error(truth, truth + off).known


def test_where_one_row_is_all_the_error_the_share_is_unknown():
    truth = np.arange(10.0)
    assert not measured.r_squared(truth, truth + np.eye(10)[3]).known


def test_the_jackknife_error_is_that_of_leaving_out_each_row():
    draw = np.random.default_rng(4)
    truth = draw.normal(size=30)
    predicted = truth + draw.normal(size=30) / 2

    def log_share(keep):
        return math.log(1 - metrics.r2_score(truth[keep], predicted[keep]))

    left = np.array([log_share(np.arange(30) != index) for index in range(30)])
    half = stats.t.ppf(0.975, 29) * math.sqrt(29 / 30 * ((left - left.mean()) ** 2).sum())
    centre = log_share(np.ones(30, bool))
    expected = 1 - math.exp(centre + half), 1 - math.exp(centre - half)
    assert measured.r_squared(truth, predicted).interval(0.95) == pytest.approx(expected)


def test_the_unexplained_share_is_held_against_the_variance_given():
    truth, predicted = np.array([0.0, 2.0, 4.0]), np.array([1.0, 2.0, 4.0])
    assert measured.unexplained(truth, predicted, variance=2.0).value == pytest.approx(1 / 6)
    assert not measured.unexplained(truth, predicted, variance=0.0).known


def test_another_unit_scales_figure_and_interval():
    base = measured.mean_absolute_error(np.array([1.0, 2.0, 4.0]), np.zeros(3))
    scaled = measured.scaled(base, 2.0)
    assert scaled.value == base.value / 2
    assert scaled.interval(0.9) == pytest.approx(tuple(end / 2 for end in base.interval(0.9)))
