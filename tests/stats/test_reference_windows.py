"""Whether a reference is in control: what is odd is named, and nothing is invented."""

import numpy as np
import pytest
from scipy import stats

from aims_pipelines.stats.reference_windows import odd_windows


def none(values):
    return np.zeros(len(values))


def test_a_window_far_from_all_others_is_named():
    values = np.random.default_rng(1).normal(0, 1, 15)
    values[6] = 12.0
    (odd,) = odd_windows(values, none(values))
    assert odd.windows == (6,)
    assert not odd.change
    assert odd.p_value < 1e-4


def test_two_outliers_do_not_hide_one_another():
    values = np.random.default_rng(2).normal(0, 1, 20)
    values[[3, 11]] = 15.0, -30.0
    assert {odd.windows for odd in odd_windows(values, none(values))} == {(3,), (11,)}


def test_a_change_of_level_is_named_with_the_windows_from_there_on():
    values = np.random.default_rng(3).normal(0, 1, 20)
    values[12:] += 4.0
    (odd,) = odd_windows(values, none(values))
    assert odd.change
    assert odd.windows == tuple(range(12, 20))


def test_the_statistic_of_the_farthest_window_is_grubbs():
    values = np.array([2.1, 2.3, 1.9, 2.0, 2.2, 2.05, 1.95, 3.4])
    (odd,) = odd_windows(values, none(values), level=0.2)
    n, g = len(values), (3.4 - values.mean()) / values.std(ddof=1)
    t = np.sqrt(n * (n - 2) * g * g / ((n - 1) ** 2 - n * g * g))
    assert odd.p_value == pytest.approx(2 * n * stats.t.sf(t, n - 2), rel=1e-6)


def test_windows_of_few_rows_may_lie_further_away():
    rng = np.random.default_rng(4)
    values = rng.normal(0, 0.1, 15)
    values[4] = 2.0
    sampling = np.full(15, 0.01)
    assert odd_windows(values, sampling)[0].windows == (4,)
    sampling[4] = 1.0
    assert odd_windows(values, sampling) == ()


@pytest.mark.parametrize("count", [6, 10, 25])
def test_of_references_in_control_one_in_a_hundred_is_called_odd(count):
    rng = np.random.default_rng(count)
    called = sum(bool(odd_windows(values, none(values))) for values in rng.normal(0, 1, (1500, count)))
    assert stats.binomtest(called, 1500, 0.01, alternative="greater").pvalue > 0.001
    assert called > 0


@pytest.mark.parametrize("values", [[], [1.0] * 4, [1.0] * 12])
def test_few_or_constant_windows_are_not_odd(values):
    values = np.array(values)
    assert odd_windows(values, none(values)) == ()


def test_one_window_that_differs_from_a_constant_is_odd():
    values = np.array([1.0] * 9 + [1.5])
    assert odd_windows(values, none(values))[0].windows == (9,)


def test_rates_that_are_all_zero_have_no_level_that_could_change_with_the_number_of_rows():
    rows = np.array([1_000.0] * 6 + [100_000.0] * 6)
    values = 2 * np.arcsin(np.sqrt(0.375 / (rows + 0.75)))
    assert odd_windows(values, 1 / (rows + 0.5), least=True) == ()
