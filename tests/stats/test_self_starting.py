"""What is expected of the next window: exactly normal scores, whatever is not known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aims_pipelines.stats.self_starting import between_variance, expectation

NONE = np.zeros(0)


def scores_of(values, sampling, start=5):
    found = []
    for at in range(start, len(values)):
        expected = expectation(values[:at], sampling[:at], float(sampling[at]))
        found.append(expected.score(float(values[at])))
    return found


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=12, unique=True), new=st.floats(-1e4, 1e4))
def test_without_standard_errors_a_value_is_held_against_those_before_by_students_prediction(values, new):
    seen = np.array(values)
    if seen.std() < 1e-6:
        return
    expected = expectation(seen, np.zeros(len(seen)), 0.0)
    error = seen.std(ddof=1) * math.sqrt(1 + 1 / len(seen))
    p = stats.t.sf(abs(new - seen.mean()) / error, len(seen) - 1)
    assert 2 * stats.norm.sf(abs(expected.score(new))) == pytest.approx(2 * p, rel=1e-6, abs=1e-290)


@given(score=st.floats(-6, 6), freedom=st.integers(2, 40))
def test_a_score_and_its_value_go_back_and_forth(score, freedom):
    values = np.random.default_rng(freedom).normal(3.0, 2.0, freedom + 1)
    expected = expectation(values, np.zeros(len(values)), 0.0)
    assert expected.score(expected.value(score)) == pytest.approx(score, abs=1e-6)


@given(st.lists(st.tuples(st.floats(-10, 10), st.floats(0.01, 4)), min_size=3, max_size=12))
def test_the_variance_between_windows_makes_the_weighted_squares_what_they_ought_to_be(pairs):
    values, sampling = (np.array(side) for side in zip(*pairs, strict=True))
    between = between_variance(values, sampling)
    weights = 1 / (between + sampling)
    squares = weights @ np.square(values - weights @ values / weights.sum())
    if between:
        assert squares == pytest.approx(len(values) - 1, rel=1e-6)
    else:
        assert squares <= len(values) - 1 + 1e-6


def test_the_variance_between_windows_is_the_published_one():
    # Paule & Mandel's estimate for the trials of BCG vaccine (Colditz et al. 1994), 0.318 as metafor prints it.
    tpos = np.array([4, 6, 3, 62, 33, 180, 8, 505, 29, 17, 186, 5, 27])
    tneg = np.array([119, 300, 228, 13536, 5036, 1361, 2537, 87886, 7470, 1699, 50448, 2493, 16886])
    cpos = np.array([11, 29, 11, 248, 47, 372, 10, 499, 45, 65, 141, 3, 29])
    cneg = np.array([128, 274, 209, 12619, 5761, 1079, 619, 87892, 7232, 1600, 27197, 2338, 17825])
    log_ratio = np.log(tpos / (tpos + tneg)) - np.log(cpos / (cpos + cneg))
    variance = 1 / tpos - 1 / (tpos + tneg) + 1 / cpos - 1 / (cpos + cneg)
    assert between_variance(log_ratio, variance) == pytest.approx(0.3181, abs=5e-4)


@pytest.mark.parametrize("sampling", [0.0, 0.5, 100.0])
def test_scores_of_alike_windows_are_standard_normal_and_independent_from_the_sixth_on(sampling):
    rng = np.random.default_rng(5)
    spread = math.sqrt(1.0 + sampling)
    found = np.array([scores_of(rng.normal(7.0, spread, 12), np.full(12, sampling)) for _ in range(1500)])
    assert stats.kstest(found.ravel(), "norm").pvalue > 0.01
    assert np.abs(np.corrcoef(found.T) - np.eye(found.shape[1])).max() < 0.1


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0, 2.0], [0.1 + 0.2, 0.3, 0.3]])
def test_nothing_is_expected_of_windows_that_are_few_or_alike(values):
    seen = np.array(values)
    assert expectation(seen, np.zeros(len(seen)), 0.0) is None


def test_where_sampling_is_the_least_that_windows_vary_constant_ones_still_let_something_be_expected():
    seen, sampling = np.full(10, 0.5), np.full(10, 0.04)
    expected = expectation(seen, sampling, 0.04, least=True)
    assert expected.score(0.5 + math.sqrt(0.04 * 1.1)) == pytest.approx(1.0, abs=1e-6)


def test_a_value_far_away_has_a_large_score_and_no_infinite_one():
    expected = expectation(np.arange(40.0), np.zeros(40), 0.0)
    assert 9.0 < expected.score(1e300) <= 37.0
    assert -37.0 <= expected.score(-1e300) < -9.0
