"""Probabilities are taken at their word no further than the rows show."""

import math

import numpy as np
import pytest
from scipy import optimize, special
from sklearn.calibration import calibration_curve

from aims_pipelines.core.verdict import Status
from aims_pipelines.stats.calibration import (
    calibration_bins,
    calibration_error,
    group_calibration,
    observed_to_expected,
)
from aims_pipelines.stats.intervals import wilson


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


# -- within groups -------------------------------------------------------------------------------------------------


def test_of_equal_scores_the_interval_is_wilsons():
    labels = np.r_[np.ones(3), np.zeros(17)]
    estimate = observed_to_expected(labels, np.full(20, 0.25))
    assert estimate.value == pytest.approx(3 / 5)
    assert estimate.interval(0.95) == pytest.approx([end / 0.25 for end in wilson(3, 20)], rel=1e-6)


def test_at_the_ends_the_log_odds_are_shifted_by_as_much_as_the_score_test_allows():
    labels, scores = drawn(200, 4, shift=0.3)
    logit = np.log(scores / (1 - scores))

    def shifted_to(total):
        return special.expit(
            logit + optimize.brentq(lambda by: special.expit(logit + by).sum() - total, -9, 9)
        )

    fitted = shifted_to(labels.sum())
    wider = max(1, ((labels - fitted) ** 2).sum() / (fitted * (1 - fitted)).sum())
    for end, z in zip(
        observed_to_expected(labels, scores).interval(0.95), (1.959964, -1.959964), strict=True
    ):
        shares = shifted_to(end * scores.sum())
        excess = (labels.sum() - shares.sum()) / np.sqrt(wider * (shares * (1 - shares)).sum())
        assert excess == pytest.approx(z, rel=1e-4)


@pytest.mark.parametrize("rows", [20, 100])
def test_the_ratio_covers_what_was_to_be_expected_of_the_rows(rows):
    held = []
    for damping, spread, shift in ((1.0, 1.5, 0.0), (1.0, 1.5, 0.7), (0.4, 3.0, 0.0), (2.0, 0.5, -1.0)):
        draw = np.random.default_rng([rows, int(10 * damping)])
        for _ in range(250):
            logit = draw.normal(-1, spread, rows)
            shares, scores = special.expit(damping * logit + shift), special.expit(logit)
            low, high = observed_to_expected((draw.random(rows) < shares).astype(float), scores).interval(
                0.95
            )
            held.append(low <= shares.sum() / scores.sum() <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("came", [0.0, 1.0])
def test_labels_all_alike_leave_one_end_open(came):
    low, high = observed_to_expected(np.full(30, came), np.full(30, 0.5)).interval(0.95)
    assert (low, high) == pytest.approx([end / 0.5 for end in wilson(30 * came, 30)], rel=1e-6, abs=1e-9)


def test_more_and_fewer_than_promised_are_held_against_the_limit_alike():
    scores, labels = np.full(2000, 0.4), np.zeros(2000)
    labels[:800] = 1.0
    right, more, fewer = (
        labels.copy(),
        np.where(np.arange(2000) < 1200, 1.0, 0.0),
        labels * (np.arange(2000) < 500),
    )
    for off in (more, fewer):
        groups = {"a": observed_to_expected(right, scores), "b": observed_to_expected(off, scores)}
        found = group_calibration(groups, limit=0.8, attribute="sex")
        assert (found.status, found.target) == (Status.FAIL, "sex calibration")
        assert found.reason.startswith("in b")
        assert found.interval[0] < found.observed < found.interval[1] < 0.8
    passed = group_calibration({"a": observed_to_expected(right, scores)}, limit=0.8)
    assert (passed.status, passed.observed, passed.interval[1]) == (Status.PASS, pytest.approx(1.0), 1.0)


def test_a_few_rows_can_show_neither_and_say_how_many_would_do():
    found = group_calibration(
        {"a": observed_to_expected(np.r_[np.ones(9), np.zeros(11)], np.full(20, 0.4))}, limit=0.8
    )
    assert found.status is Status.INCONCLUSIVE
    assert found.rows_needed > 20


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([], []),
        ([1.0, 0.0], [0.0, 0.0]),
        ([1.0, np.nan], [0.5, 0.5]),
        ([1.0], [np.nan]),
        ([1.0], [1.5]),
        ([0.5], [0.5]),
    ],
)
def test_probabilities_that_promise_nothing_or_are_none_give_no_ratio(labels, scores):
    estimate = observed_to_expected(np.array(labels), np.array(scores))
    assert not estimate.known
    assert group_calibration({"a": estimate}, limit=0.1).status is Status.INCONCLUSIVE


@pytest.mark.parametrize(
    "options", [{"limit": math.nan}, {"limit": -0.1}, {"confidence": 1.0}, {"confidence": math.nan}]
)
def test_a_limit_or_confidence_that_is_none_never_passes(options):
    groups = {"a": observed_to_expected(np.r_[np.ones(400), np.zeros(600)], np.full(1000, 0.4))}
    assert group_calibration(groups, **({"limit": 0.5} | options)).status is Status.INCONCLUSIVE
