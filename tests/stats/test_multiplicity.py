"""Adjusted p-values agree with outside implementations and with their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import false_discovery_control

from aims_pipelines.stats.multiplicity import benjamini_hochberg, holm

p_values = arrays(np.float64, st.integers(1, 40), elements=st.floats(0.0, 1.0))


@given(p_values)
def test_benjamini_hochberg_agrees_with_scipy(p):
    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p, method="bh"), abs=1e-12)


@given(p_values, st.floats(0.001, 0.5))
def test_holm_rejects_what_its_steps_reject(p, alpha):
    order = np.argsort(p, kind="stable")
    rejected = np.zeros(p.size, dtype=bool)
    for step, index in enumerate(order):
        if p[index] * (p.size - step) > alpha:
            break
        rejected[index] = True
    assert (holm(p) <= alpha).tolist() == rejected.tolist()


def test_a_published_example_of_benjamini_and_hochberg():
    # Benjamini & Hochberg (1995), section 4.1: at 0.05 the first four of fifteen are rejected.
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    p += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.000]
    assert (benjamini_hochberg(p) <= 0.05).sum() == 4
    assert (holm(p) <= 0.05).sum() == 3


@given(p_values, st.data())
def test_equal_weights_change_nothing_and_zero_weight_never_rejects(p, data):
    for adjust in (benjamini_hochberg, holm):
        assert adjust(p, weights=np.full(p.size, 3.0)) == pytest.approx(adjust(p), abs=1e-12)
    weights = np.ones(p.size + 1)
    weights[0] = 0.0
    assert benjamini_hochberg(np.append([0.5], p), weights=weights)[0] == 1.0


@given(p_values)
def test_a_test_that_could_not_be_made_is_not_counted(p):
    with_gaps = np.insert(p, [0, p.size], np.nan)
    for adjust in (benjamini_hochberg, holm):
        result = adjust(with_gaps)
        assert np.isnan(result[[0, -1]]).all()
        assert result[1:-1] == pytest.approx(adjust(p), abs=1e-12)


def test_no_tests_at_all_give_no_answers():
    assert benjamini_hochberg([]).size == 0
    assert np.isnan(holm([np.nan])).all()


def test_false_discoveries_stay_at_the_stated_rate():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(400):
        true = np.arange(50) < 10
        z = rng.standard_normal(50) + 3.0 * true
        from scipy.stats import norm

        rejected = benjamini_hochberg(norm.sf(z)) <= 0.1
        shares.append((rejected & ~true).sum() / max(1, rejected.sum()))
    assert np.mean(shares) < 0.1
