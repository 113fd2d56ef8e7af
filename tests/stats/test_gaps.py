"""The largest gap between groups: shown to be small, shown to be large, or neither."""

import numpy as np
import pytest

from aims_pipelines.core.verdict import Status
from aims_pipelines.stats.classification import rate
from aims_pipelines.stats.estimates import Estimate, difference, unknown
from aims_pipelines.stats.gaps import largest_gap
from aims_pipelines.stats.intervals import newcombe, quantile


def normal(value, error, n):
    def interval(confidence):
        return value - quantile(confidence) * error, value + quantile(confidence) * error

    return Estimate(value=value, n=n, interval=interval)


def gap(groups, **changes):
    options = {"limit": 0.1, "confidence": 0.95, "target": "sex", "measure": "accuracy"}
    return largest_gap(groups, **(options | changes))


def test_of_two_rates_it_is_newcombes_interval():
    found = difference(rate(56, 70), rate(48, 80)).interval(0.95)
    assert found == pytest.approx(newcombe(56, 70, 48, 80))


@pytest.mark.parametrize(
    ("second", "expected"),
    [(0.79, Status.PASS), (0.5, Status.FAIL), (0.71, Status.INCONCLUSIVE)],
)
def test_the_whole_interval_decides(second, expected):
    found = gap({"a": normal(0.8, 0.01, 1000), "b": normal(second, 0.01, 1000)})
    assert found.status is expected
    assert found.observed == pytest.approx(0.8 - second)


def test_the_widest_pair_is_named():
    found = gap({"a": normal(0.8, 0.01, 500), "b": normal(0.75, 0.01, 500), "c": normal(0.4, 0.01, 500)})
    assert "a 0.800 against c 0.400" in found.reason
    assert found.n == 1500


@pytest.mark.parametrize(
    ("groups", "changes"),
    [
        ({}, {}),
        ({"a": normal(0.8, 0.01, 500)}, {}),
        ({"a": normal(0.8, 0.01, 500), "b": unknown(500)}, {}),
        ({"a": normal(0.8, 0.01, 9), "b": normal(0.8, 0.01, 9)}, {"limit": float("nan")}),
        ({"a": normal(0.8, 0.01, 9), "b": normal(0.8, 0.01, 9)}, {"confidence": 1.0}),
        ({"a": normal(0.8, float("nan"), 9), "b": normal(0.8, 0.01, 9)}, {}),
    ],
    ids=["no group", "one group", "one unknown", "NaN limit", "certainty", "NaN error"],
)
def test_what_cannot_be_compared_is_inconclusive(groups, changes):
    assert gap(groups, **changes).status is Status.INCONCLUSIVE


def test_equal_groups_are_rarely_said_to_differ_however_many_they_are():
    draw = np.random.default_rng(1)
    wrong = 0
    for _ in range(400):
        groups = {str(name): rate(int(draw.binomial(300, 0.7)), 300) for name in range(6)}
        wrong += gap(groups, limit=0.0).status is Status.FAIL
    assert wrong / 400 < 0.06
