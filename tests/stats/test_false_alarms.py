"""The share of false alarms: against SciPy's interval, and at its edges."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from aims_pipelines.core.verdict import Status
from aims_pipelines.stats.false_alarms import false_alarms

COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts=COUNTS, confidence=st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_is_wilsons_as_scipy_has_it(counts, confidence):
    refused, windows = counts
    theirs = binomtest(refused, windows).proportion_ci(confidence, method="wilson")
    mine = false_alarms(refused, windows, confidence=confidence).interval
    assert mine == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(counts=COUNTS, unknown=st.integers(0, 50), budget=st.floats(0.001, 0.5))
def test_unknown_windows_only_widen_the_interval_and_never_settle_a_budget_otherwise(counts, unknown, budget):
    refused, windows = counts
    unknown = min(unknown, windows - refused)
    blurred = false_alarms(refused, windows, unknown=unknown, confidence=0.95, budget=budget)
    for more in (0, unknown):
        clear = false_alarms(refused + more, windows, confidence=0.95, budget=budget)
        assert blurred.interval[0] <= clear.interval[0] + 1e-12
        assert clear.interval[1] <= blurred.interval[1] + 1e-12
        if blurred.status is not Status.INCONCLUSIVE:
            assert clear.status is blurred.status


@pytest.mark.parametrize(
    ("refused", "windows", "budget", "status"),
    [
        (0, 0, 0.5, Status.INCONCLUSIVE),
        (0, 1, 0.01, Status.INCONCLUSIVE),
        (0, 380, 0.01, Status.INCONCLUSIVE),
        (0, 381, 0.01, Status.PASS),
        (1, 1, 0.01, Status.FAIL),
        (1, 20, 0.01, Status.INCONCLUSIVE),
        (1, 19, 0.009, Status.FAIL),
        (4, 100, 0.01, Status.FAIL),
        (5, 5, 0.999, Status.INCONCLUSIVE),
    ],
)
def test_a_budget_is_settled_only_where_the_whole_interval_lies_on_one_side(refused, windows, budget, status):
    assert false_alarms(refused, windows, confidence=0.95, budget=budget).status is status


def test_nothing_passes_with_figures_that_are_no_numbers():
    for confidence in (math.nan, 0.0, 1.0):
        assert false_alarms(0, 10_000, confidence=confidence, budget=0.5).status is Status.INCONCLUSIVE
    assert false_alarms(0, 10_000, confidence=0.95, budget=math.nan).status is Status.INCONCLUSIVE


@given(counts=COUNTS, budget=st.floats(0.005, 0.5))
def test_the_windows_needed_are_the_fewest_that_would_show_it(counts, budget):
    refused, windows = counts
    found = false_alarms(refused, windows, confidence=0.95, budget=budget)
    if found.status is not Status.INCONCLUSIVE:
        assert found.windows_needed is None
        return
    needed = found.windows_needed
    assert needed is not None and needed > windows
    assert false_alarms(refused, needed, confidence=0.95, budget=budget).status is Status.PASS
    assert false_alarms(refused, needed - 1, confidence=0.95, budget=budget).status is not Status.PASS


def test_where_only_unknown_windows_leave_it_open_no_number_of_windows_is_promised():
    found = false_alarms(0, 1000, unknown=100, confidence=0.95, budget=0.01)
    assert found.status is Status.INCONCLUSIVE
    assert found.windows_needed is None


def test_the_rate_is_that_of_the_windows_of_which_it_can_be_told():
    assert false_alarms(2, 50, unknown=10, confidence=0.95).rate == 0.05
    assert false_alarms(0, 10, unknown=10, confidence=0.95).rate is None
