"""Performance without labels: against row by row computation, and the coverage of its intervals by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from aims_pipelines.stats.calibration_map import CalibrationMap, Refusal, calibrate
from aims_pipelines.stats.expected_performance import MEASURES, expected_performance
from aims_pipelines.stats.score_table import merge_scores, of_known, score_table


def expit(values):
    return 1.0 / (1.0 + np.exp(-values))


def drawn(draw, rows, *, centre=-1.0, slope=0.7, offset=-0.2):
    """Scores whose true chance of a positive is a bent function of them."""
    log_odds = draw.normal(centre, 1.2, rows)
    return expit(log_odds), (draw.random(rows) < expit(slope * log_odds + offset)).astype(float)


def realised(scores, labels, threshold):
    chosen, hit = scores >= threshold, labels == 1.0
    positives, negatives = hit.sum(), (~hit).sum()
    ranks = stats.rankdata(scores)[hit].sum()
    return {
        "accuracy": (chosen == hit).mean(),
        "precision": hit[chosen].mean(),
        "recall": chosen[hit].mean(),
        "selection rate": chosen.mean(),
        "roc auc": (ranks - positives * (positives + 1) / 2) / (positives * negatives),
    }


def trusting(labels=10**6):
    """A map that takes scores at their word, and has seen all of them often."""
    return CalibrationMap(
        knots=np.array([-1.0, 1.0]),
        values=np.array([-1.0, 1.0]),
        covariance=np.zeros((2, 2)),
        cell=100.0,
        seen={-1: labels, 0: labels},
        sparse=0.0,
        labels=labels,
    )


def test_expected_figures_are_those_added_up_row_by_row():
    draw = np.random.default_rng(1)
    scores, threshold = draw.beta(2, 3, 400), 0.35
    made = expected_performance(score_table(scores, threshold=threshold), trusting())
    chosen = scores >= threshold
    caught, missed = scores[chosen].sum(), scores[~chosen].sum()
    above = (scores[:, None] > scores) + 0.5 * (scores[:, None] == scores)
    pairs = scores[:, None] * (1.0 - scores)
    np.fill_diagonal(pairs, 0.0)
    expected = {
        "accuracy": (caught + (1.0 - scores[~chosen]).sum()) / 400,
        "precision": caught / chosen.sum(),
        "recall": caught / (caught + missed),
        "selection rate": chosen.mean(),
        "roc auc": (pairs * above).sum() / pairs.sum(),
    }
    assert {name: made.figures[name].value for name in MEASURES} == pytest.approx(expected, abs=4e-4)


def test_what_is_called_realised_here_is_what_scikit_learn_says():
    draw = np.random.default_rng(12)
    scores, labels = drawn(draw, 300)
    oracle = [metrics.accuracy_score, metrics.precision_score, metrics.recall_score]
    found = realised(scores, labels, 0.4)
    assert [found["accuracy"], found["precision"], found["recall"]] == [
        one(labels, scores >= 0.4) for one in oracle
    ]
    assert found["roc auc"] == pytest.approx(metrics.roc_auc_score(labels, scores))


def test_errors_are_the_spread_of_figures_over_labels_drawn_at_random():
    draw = np.random.default_rng(2)
    scores, threshold = draw.beta(1, 3, 600), 0.35
    made = expected_performance(score_table(scores, threshold=threshold), trusting())
    found = [realised(scores, (draw.random(600) < scores).astype(float), threshold) for _ in range(1500)]
    for name in ("accuracy", "precision", "recall", "roc auc"):
        values = np.array([one[name] for one in found])
        low, high = made.figures[name].interval(0.95)
        assert made.figures[name].value == pytest.approx(
            values.mean(), abs=4 * values.std() / math.sqrt(1500)
        )
        assert high - low == pytest.approx(2 * 1.96 * values.std(), rel=0.08)


def test_with_two_knots_the_map_is_platt_scaling():
    draw = np.random.default_rng(3)
    scores, labels = drawn(draw, 200)
    learnt = calibrate(score_table(scores, labels))
    assert len(learnt.knots) == 2
    bins = score_table(scores, labels)
    place = np.repeat(bins.log_odds, bins.counts)[:, None]
    known = np.concatenate([
        np.r_[np.ones(hits), np.zeros(misses)]
        for hits, misses in zip(bins.positives, bins.negatives, strict=True)
    ])  # fmt: skip
    share = known.mean()
    oracle = LogisticRegression(C=np.inf, tol=1e-10).fit(
        np.vstack([place, np.tile(learnt.knots, 2)[:, None]]),
        np.r_[known, np.ones(2), np.zeros(2)],
        np.r_[np.ones(200), np.full(2, share), np.full(2, 1 - share)],
    )
    grid = np.linspace(-3, 2, 11)
    assert learnt.chances(grid)[0] == pytest.approx(oracle.predict_proba(grid[:, None])[:, 1], abs=1e-5)
    design = np.c_[np.ones(202), np.r_[place[:, 0], learnt.knots]]
    chance = expit(design @ np.r_[oracle.intercept_, oracle.coef_[0]])
    inverse = np.linalg.inv(design.T @ (design * (chance * (1 - chance))[:, None]))
    at_knots = np.c_[np.ones(2), learnt.knots]
    assert learnt.covariance == pytest.approx(at_knots @ inverse @ at_knots.T, rel=1e-4)


@pytest.mark.parametrize(
    ("reference", "window", "moved", "threshold"),
    [(500, 400, 0.0, 0.5), (2000, 2000, 0.0, 0.3), (5000, 2000, 0.6, 0.5)],
    ids=["small", "even", "covariates moved"],
)
def test_intervals_cover_the_realised_figures_at_their_nominal_rate(reference, window, moved, threshold):
    draw, times = np.random.default_rng(5), 800
    covered, told = dict.fromkeys(MEASURES, 0), dict.fromkeys(MEASURES, 0)
    for _ in range(times):
        learnt = calibrate(score_table(*drawn(draw, reference), threshold=threshold))
        scores, labels = drawn(draw, window, centre=-1.0 + moved)
        made = expected_performance(score_table(scores, threshold=threshold), learnt)
        truth = realised(scores, labels, threshold)
        for name, figure in made.figures.items():
            low, high = figure.interval(0.95)
            covered[name] += low - 1e-12 <= truth[name] <= high + 1e-12
            told[name] += figure.known
    for name in MEASURES:
        assert told[name] > 0.98 * times
        assert covered[name] / told[name] > 0.93, name
        assert name == "selection rate" or covered[name] / told[name] < 0.97, name


def test_under_concept_drift_the_estimate_stays_put_and_is_wrong():
    """Which is why labels that arrive late decide."""
    draw = np.random.default_rng(6)
    learnt = calibrate(score_table(*drawn(draw, 5000)))
    missed = 0
    for _ in range(60):
        scores, labels = drawn(draw, 2000, slope=-0.7)
        figure = expected_performance(score_table(scores), learnt).figures["accuracy"]
        low, high = figure.interval(0.95)
        assert figure.value == pytest.approx(0.72, abs=0.05)
        missed += not low <= realised(scores, labels, 0.5)["accuracy"] <= high
    assert missed == 60


def test_fewer_reference_labels_make_wider_intervals():
    draw = np.random.default_rng(7)
    window = score_table(drawn(draw, 5000)[0])
    widths = []
    for rows in (500, 5000, 50_000):
        low, high = (
            expected_performance(window, score_table(*drawn(draw, rows))).figures["accuracy"].interval(0.95)
        )
        widths.append(high - low)
    assert widths[0] > 1.8 * widths[1] > 1.8 * widths[2]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 300), threshold=st.sampled_from([0.01, 0.35, 0.5]))
def test_the_table_of_two_windows_is_the_merge_of_their_tables(seed, cut, threshold):
    draw = np.random.default_rng(seed)
    scores = np.where(draw.random(300) < 0.1, np.nan, draw.beta(0.3, 0.3, 300))
    labels = draw.choice([0.0, 1.0, np.nan], 300)
    whole = score_table(scores, labels, threshold=threshold)
    parts = [
        score_table(scores[piece], labels[piece], threshold=threshold)
        for piece in (slice(cut), slice(cut, None))
    ]
    merged = merge_scores(parts)
    for name in ("bins", "positives", "negatives", "unlabelled", "unscored"):
        assert np.array_equal(getattr(merged, name), getattr(whole, name))
    assert whole.counts[whole.selected].sum() == (scores >= threshold).sum()
    assert whole.labelled == (~np.isnan(scores) & ~np.isnan(labels)).sum()
    assert of_known(whole).rows == whole.labelled


@settings(max_examples=200, deadline=None)
@given(threshold=st.floats(1e-5, 1 - 1e-5))
def test_no_score_is_carried_over_the_threshold_by_rounding(threshold):
    scores = np.array([threshold, np.nextafter(threshold, 0.0), np.nextafter(threshold, 1.0)])
    table = score_table(scores, threshold=threshold)
    assert table.counts[table.selected].sum() == 2
    assert table.counts[~table.selected].sum() == 1


@pytest.mark.parametrize("chosen", [0, 19, 20])
def test_precision_needs_twenty_rows_that_are_decided_as_positive(chosen):
    scores = np.r_[np.full(chosen, 0.7), np.full(400, 0.3)]
    made = expected_performance(score_table(scores), trusting())
    assert made.figures["precision"].known is (chosen == 20)
    if chosen < 20:
        assert (
            made.refusals["precision"].reason == f"{chosen:.1f} rows are decided as positive, fewer than 20"
        )
        assert made.refusals["precision"].rows_needed == (math.ceil(20 * 419 / 19) if chosen else None)


@pytest.mark.parametrize("positives", [0, 1, 49])
def test_a_reference_with_too_few_labels_of_a_class_says_how_many_rows_it_takes(positives):
    scores, labels = np.linspace(0.01, 0.99, 1000), np.zeros(1000)
    labels[1000 - positives :] = 1.0
    made = calibrate(score_table(scores, labels))
    assert isinstance(made, Refusal)
    assert f"{positives} positive labels" in made.reason
    assert made.rows_needed == (math.ceil(50_000 / positives) if positives else None)
    refused = expected_performance(score_table(scores), score_table(scores, labels))
    assert set(refused.refusals) == {"accuracy", "precision", "recall", "roc auc"}
    assert not refused.figures["accuracy"].known
    assert refused.figures["selection rate"].value == pytest.approx(0.5)


def test_labels_that_no_function_of_the_score_tells_are_refused():
    draw = np.random.default_rng(8)
    scores = draw.uniform(0.02, 0.98, 8000)
    labels = (draw.random(8000) < np.where((scores * 40).astype(int) % 2, 0.9, 0.1)).astype(float)
    made = calibrate(score_table(scores, labels))
    assert isinstance(made, Refusal)
    assert "no smooth function" in made.reason


def test_rows_that_score_where_the_reference_has_no_labels_are_refused():
    draw = np.random.default_rng(9)
    scores, labels = drawn(draw, 4000, centre=-1.0)
    kept = (scores < 0.3) | (scores > 0.7)
    reference = score_table(scores[kept], labels[kept])
    inside = expected_performance(score_table(scores[kept][:1000]), reference)
    assert inside.refusals == {}
    gap = expected_performance(score_table(scores[:1000]), reference)
    assert "fewer than 10 labels" in gap.refusals["accuracy"].reason
    assert gap.unseen > 0.05
    far = expected_performance(score_table(np.full(1000, 0.9999)), reference)
    assert far.unseen == 1.0
    assert far.refusals["accuracy"].rows_needed is None


@pytest.mark.parametrize(
    "scores", [[], [math.nan], [0.4], [0.1] * 30], ids=["none", "no score", "one", "all alike"]
)
def test_tiny_windows_claim_nothing_that_they_cannot_tell(scores):
    draw = np.random.default_rng(10)
    made = expected_performance(score_table(np.array(scores, dtype=float)), score_table(*drawn(draw, 3000)))
    for name in ("precision", "recall", "roc auc"):
        assert not made.figures[name].known
        assert made.refusals[name].reason


def test_scores_of_a_few_values_are_calibrated_value_by_value():
    draw = np.random.default_rng(11)
    scores = draw.choice([0.0, 0.25, 1.0], 6000)
    labels = (draw.random(6000) < np.select([scores == 0.0, scores == 1.0], [0.02, 0.7], 0.4)).astype(float)
    table = score_table(scores, labels)
    shares = [labels[scores == value].mean() for value in (0.0, 0.25, 1.0)]
    assert calibrate(table).chances(table.log_odds)[0] == pytest.approx(shares, abs=1e-3)


@pytest.mark.parametrize(
    ("scores", "labels", "threshold"),
    [
        ([1.2], None, 0.5),
        ([-0.1], None, 0.5),
        ([0.5], [2.0], 0.5),
        ([0.5], None, 1.0),
        ([math.inf], None, 0.5),
    ],
)
def test_scores_thresholds_and_labels_out_of_range_are_no_table(scores, labels, threshold):
    with pytest.raises(ValueError, match=r"in \[0, 1\]|of 0, 1|in \(0, 1\)"):
        score_table(np.array(scores), None if labels is None else np.array(labels), threshold=threshold)
