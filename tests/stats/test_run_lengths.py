"""Run lengths of control charts: against the tables that were published, and against charts that are run."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_pipelines.stats.run_lengths import (
    ChartKind,
    cusum_run_length,
    ewma_run_length,
    limit_for,
    shewhart_run_length,
)

SHIFTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0)


# Lucas & Saccucci (1990), table 3.
@pytest.mark.parametrize(
    ("limit", "smoothing", "published"),
    [
        (3.054, 0.4, (500, 224, 71.2, 28.4, 14.3, 5.9, 3.5, 2.5, 2.0)),
        (2.998, 0.25, (500, 170, 48.2, 20.1, 11.1, 5.5, 3.6, 2.7, 2.3)),
        (2.962, 0.2, (500, 150, 41.8, 18.2, 10.5, 5.5, 3.7, 2.9, 2.4)),
        (2.814, 0.1, (500, 106, 31.3, 15.9, 10.3, 6.1, 4.4, 3.4, 2.9)),
        (2.615, 0.05, (500, 84.1, 28.8, 16.4, 11.4, 7.1, 5.2, 4.2, 3.5)),
    ],
)
def test_the_ewma_runs_as_long_as_in_the_published_table(limit, smoothing, published):
    mine = [ewma_run_length(limit, smoothing, shift) for shift in SHIFTS]
    assert mine == pytest.approx(published, rel=0.005, abs=0.051)


# Hawkins (1993), as in Montgomery (2013), table 9.3.
@pytest.mark.parametrize(
    ("limit", "published"),
    [
        (4.0, (168, 74.2, 26.6, 13.3, 8.38, 4.75, 3.34, 2.62, 2.19)),
        (5.0, (465, 139, 38.0, 17.0, 10.4, 5.75, 4.01, 3.11, 2.57)),
    ],
)
def test_the_two_sided_cusum_runs_as_long_as_in_the_published_table(limit, published):
    mine = [cusum_run_length(limit, 0.5, shift) for shift in SHIFTS]
    assert mine == pytest.approx(published, rel=0.005)


# Hawkins (1993), as in Montgomery (2013), table 9.4: in-control run length 370.
@pytest.mark.parametrize(("allowance", "published"), [(0.25, 8.01), (0.5, 4.77), (0.75, 3.34), (1.0, 2.52)])
def test_the_limit_of_a_cusum_is_the_published_one(allowance, published):
    limit = limit_for(ChartKind.CUSUM, 370.0, smoothing=0.1, allowance=allowance)
    assert limit == pytest.approx(published, abs=0.006)


def test_the_shewhart_chart_is_exact_and_an_ewma_that_forgets_at_once_is_the_same():
    assert shewhart_run_length(3.0) == pytest.approx(370.398, abs=0.001)
    assert ewma_run_length(3.0, 1.0) == pytest.approx(shewhart_run_length(3.0), rel=1e-6)
    assert shewhart_run_length(3.0, 1.0) == pytest.approx(43.9, abs=0.05)  # Montgomery (2013), chapter 6


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(ChartKind),
    run_length=st.floats(10.0, 1e5),
    smoothing=st.floats(0.05, 1.0),
    allowance=st.floats(0.2, 1.0),
)
def test_a_limit_brings_back_the_run_length_that_it_was_derived_from(kind, run_length, smoothing, allowance):
    limit = limit_for(kind, run_length, smoothing=smoothing, allowance=allowance)
    lengths = {
        ChartKind.SHEWHART: lambda: shewhart_run_length(limit),
        ChartKind.EWMA: lambda: ewma_run_length(limit, smoothing),
        ChartKind.CUSUM: lambda: cusum_run_length(limit, allowance),
    }
    assert lengths[kind]() == pytest.approx(run_length, rel=1e-6)


def test_charts_that_are_run_signal_as_often_as_they_say():
    rng = np.random.default_rng(1)
    scores = rng.standard_normal((20_000, 600))
    level = up = down = np.zeros(len(scores))
    average_limit = limit_for(ChartKind.EWMA, 60.0, smoothing=0.2, allowance=0.5) * math.sqrt(0.2 / 1.8)
    sum_limit = limit_for(ChartKind.CUSUM, 60.0, smoothing=0.2, allowance=0.5)
    ended = {"average": np.zeros(len(scores)), "sum": np.zeros(len(scores))}
    for at, score in enumerate(scores.T, 1):
        level = 0.2 * score + 0.8 * level
        up, down = np.maximum(0.0, up + score - 0.5), np.maximum(0.0, down - score - 0.5)
        for name, beyond in (
            ("average", abs(level) > average_limit),
            ("sum", np.maximum(up, down) > sum_limit),
        ):
            ended[name][beyond & (ended[name] == 0)] = at
    for ends in ended.values():
        assert np.mean(np.where(ends == 0, 600, ends)) == pytest.approx(60.0, rel=0.03)


@pytest.mark.parametrize(
    "wrong",
    [
        {"run_length": 9.9},
        {"run_length": math.nan},
        {"run_length": math.inf},
        {"kind": ChartKind.EWMA, "smoothing": 0.0},
        {"kind": ChartKind.EWMA, "smoothing": math.nan},
        {"kind": ChartKind.CUSUM, "allowance": 1.5},
    ],
)
def test_no_limit_is_derived_from_parameters_out_of_range(wrong):
    with pytest.raises(ValueError, match="is needed"):
        limit_for(
            **{"kind": ChartKind.SHEWHART, "run_length": 370.0, "smoothing": 0.1, "allowance": 0.5, **wrong}
        )
