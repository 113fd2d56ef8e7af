"""Windows of a model in service: measured by late labels, held against their scores, and charted."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from aims_pipelines.core.verdict import Status
from aims_pipelines.stats.calibration_map import Refusal, calibrate
from aims_pipelines.stats.control_charts import control_chart
from aims_pipelines.stats.label_surprise import ERRORS, POSITIVES, judge, surprises
from aims_pipelines.stats.performance_series import performance_series
from aims_pipelines.stats.realised_performance import Measure, realised_performance, standard_error
from aims_pipelines.stats.score_table import score_table
from aims_pipelines.stats.window_performance import Terms, judge_windows, learn


def expit(values):
    return 1.0 / (1.0 + np.exp(-values))


def drawn(draw, rows, *, centre=-1.0, slope=1.2, known=1.0):
    """Scores and labels of a window; with another slope the same score means something else."""
    log_odds = draw.normal(centre, 1.5, rows)
    labels = (draw.random(rows) < expit(slope * log_odds)).astype(float)
    labels[draw.random(rows) >= known] = np.nan
    return score_table(expit(log_odds), labels)


def test_realised_figures_are_those_of_scikit_learn():
    draw = np.random.default_rng(1)
    scores, labels = draw.beta(1, 2, 700), draw.integers(0, 2, 700).astype(float)
    known = draw.random(700) < 0.8
    found = realised_performance(score_table(scores, np.where(known, labels, np.nan), threshold=0.4))
    seen, truth, chosen = scores[known], labels[known], scores[known] >= 0.4
    expected = {
        Measure.ERROR_RATE: 1 - metrics.accuracy_score(truth, chosen),
        Measure.ACCURACY: metrics.accuracy_score(truth, chosen),
        Measure.PRECISION: metrics.precision_score(truth, chosen),
        Measure.RECALL: metrics.recall_score(truth, chosen),
        Measure.SELECTION_RATE: (scores >= 0.4).mean(),
        Measure.ROC_AUC: metrics.roc_auc_score(truth, seen),
        Measure.LOG_LOSS: metrics.log_loss(truth, seen),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected, abs=5e-4)
    losses = -np.log(np.where(truth == 1.0, seen, 1.0 - seen))
    assert standard_error(found[Measure.LOG_LOSS]) == pytest.approx(
        losses.std(ddof=1) / math.sqrt(known.sum()), rel=0.01
    )


@pytest.mark.parametrize("centre", [-1.0, 0.2], ids=["as in the reference", "covariates moved"])
def test_without_concept_drift_labels_hardly_ever_contradict_scores(centre):
    draw, failed = np.random.default_rng(2), 0
    for _ in range(150):
        reference = drawn(draw, 3000)
        windows = {str(number): drawn(draw, 1000, centre=centre) for number in range(4)}
        failed += performance_series(reference, windows, tolerance=0.02).status is Status.FAIL
    assert failed <= 8  # 0.05 of 150, and no more


def test_differences_between_labels_and_scores_are_standard_normal_by_their_error():
    draw, scores = np.random.default_rng(3), []
    for _ in range(500):
        found = surprises(drawn(draw, 2000, centre=-0.8), calibrate(drawn(draw, 3000)))
        if not isinstance(found, Refusal):
            scores.append([one.value / math.sqrt(one.by_chance + one.by_map) for one in found])
    assert len(scores) > 480
    assert np.mean(scores, axis=0) == pytest.approx([0.0, 0.0], abs=0.15)
    assert np.std(scores, axis=0) == pytest.approx([1.0, 1.0], abs=0.12)


def test_a_changed_relation_is_found_by_late_labels_and_not_by_the_estimate():
    draw = np.random.default_rng(4)
    reference = drawn(draw, 4000)
    windows = {
        "before": drawn(draw, 2000),
        "changed": drawn(draw, 2000, slope=0.4),
        "changed, labels to come": drawn(draw, 2000, slope=0.4, known=0.0),
    }
    series = performance_series(reference, windows, pending=1)
    before, changed, waiting = series.windows
    assert [before.status, changed.status, series.status] == [Status.PASS, Status.FAIL, Status.FAIL]
    assert {finding.measure for finding in series.failures} >= {ERRORS}
    figures = [window.expected.figures["accuracy"].value for window in series.windows]
    assert max(figures) - min(figures) < 0.02
    assert changed.realised[Measure.ACCURACY].value < before.realised[Measure.ACCURACY].value - 0.05
    assert not waiting.realised[Measure.ACCURACY].known


def test_harder_cases_move_the_estimate_and_are_no_concept_drift():
    draw = np.random.default_rng(5)
    series = performance_series(
        drawn(draw, 6000), {"easy": drawn(draw, 4000), "hard": drawn(draw, 4000, centre=0.2)}
    )
    easy, hard = series.windows
    assert series.status is Status.PASS
    assert hard.expected.figures["accuracy"].value < easy.expected.figures["accuracy"].value - 0.03
    low, high = hard.expected.figures["accuracy"].interval(0.99)
    assert low < hard.realised[Measure.ACCURACY].value < high


def test_positives_that_stay_away_are_found_although_fewer_errors_follow():
    """As where the latest defaults are not recorded yet and count as paid."""
    draw = np.random.default_rng(6)
    window = drawn(draw, 3000, centre=-2.0)
    late = (window.positives * 0.4).astype(np.int64)
    window = replace(window, positives=late, negatives=window.negatives + window.positives - late)
    series = performance_series(drawn(draw, 5000), {"now": window}, tolerance=0.04)
    assert POSITIVES in {finding.measure for finding in series.failures}
    assert series.failures[-1].observed < 0


def test_a_slow_drift_that_no_window_shows_by_itself_signals_on_the_chart():
    draw = np.random.default_rng(7)
    slopes = [1.2] * 12 + [1.2 - 0.035 * step for step in range(1, 19)]
    windows = {f"{number:02}": drawn(draw, 1500, slope=slope) for number, slope in enumerate(slopes)}
    series = performance_series(drawn(draw, 5000), windows, tolerance=0.15)
    assert series.failures == ()
    assert series.chart.status is Status.FAIL
    assert series.status is Status.FAIL
    assert min(int(point.name) for point in series.chart.signals) >= 12


@pytest.mark.parametrize("charted", [Measure.LOG_LOSS, Measure.ROC_AUC])
def test_other_figures_can_be_charted(charted):
    draw = np.random.default_rng(8)
    windows = {f"{number:02}": drawn(draw, 800, slope=0.2 if number >= 12 else 1.2) for number in range(15)}
    chart = performance_series(drawn(draw, 3000), windows, charted=charted).chart
    assert chart.status is Status.FAIL
    assert chart.points[0].value == pytest.approx(realised_performance(windows["00"])[charted].value)


@pytest.mark.parametrize(
    ("windows", "words"),
    [
        ({"rows": 2000, "known": 0.5}, "of the labels are known, 80% are needed"),
        ({"rows": 0}, "there are no scored rows"),
        ({"rows": 2000, "known": 0.0}, "0% of the labels are known"),
        ({"rows": 60}, "too few labels to tell"),
        ({"rows": 2000, "centre": 9.0}, "the reference has fewer than 10 labels"),
    ],
    ids=["half the labels", "empty", "no labels", "small", "scores never seen"],
)
def test_nothing_passes_on_what_cannot_tell(windows, words):
    draw = np.random.default_rng(9)
    series = performance_series(drawn(draw, 3000), {"now": drawn(draw, **windows)})
    assert series.status is Status.INCONCLUSIVE
    assert any(words in finding.reason for finding in series.windows[0].findings)


@pytest.mark.parametrize(("rows", "known"), [(80, 1.0), (4000, 0.5)], ids=["few labels", "labels not known"])
def test_a_poor_reference_judges_nothing_and_says_why(rows, known):
    draw = np.random.default_rng(10)
    series = performance_series(drawn(draw, rows, known=known), {"now": drawn(draw, 2000)})
    assert series.status is Status.INCONCLUSIVE
    assert series.refusal.reason
    assert series.windows[0].realised[Measure.ACCURACY].known
    assert not series.windows[0].expected.figures["accuracy"].known


def test_only_windows_whose_labels_are_due_are_judged():
    draw = np.random.default_rng(11)
    windows = {"old": drawn(draw, 3000), "new": drawn(draw, 3000, known=0.1)}
    assert performance_series(drawn(draw, 5000), windows).status is Status.INCONCLUSIVE
    assert performance_series(drawn(draw, 5000), windows, pending=1).status is Status.PASS
    none_due = performance_series(drawn(draw, 5000), windows, pending=2)
    assert none_due.status is Status.INCONCLUSIVE
    assert none_due.chart is None


def test_the_rows_that_are_said_to_be_needed_are_enough_and_fewer_are_not():
    draw = np.random.default_rng(12)
    learnt = calibrate(drawn(draw, 50_000))
    surprise = replace(surprises(drawn(draw, 200), learnt)[0], value=0.01)
    needed = judge(surprise, target="", tolerance=0.05, confidence=0.99).rows_needed

    def answer(rows):
        more = replace(surprise, rows=rows, by_chance=surprise.by_chance * 200 / rows)
        return judge(more, target="", tolerance=0.05, confidence=0.99).status

    assert [answer(needed), answer(needed - 2)] == [Status.PASS, Status.INCONCLUSIVE]
    vague = replace(surprise, by_map=0.01)
    assert judge(vague, target="", tolerance=0.05, confidence=0.99).rows_needed is None


def test_groups_are_calibrated_by_themselves_and_a_drop_in_one_fails_the_whole():
    draw = np.random.default_rng(13)
    reference = {"sex": {"f": drawn(draw, 3000, slope=0.8), "m": drawn(draw, 3000)}}
    whole = drawn(draw, 6000)

    def series(**groups):
        return performance_series(
            whole, {"now": drawn(draw, 4000)}, reference_groups=reference, groups={"now": {"sex": groups}}
        )

    right = series(f=drawn(draw, 3000, slope=0.8), m=drawn(draw, 3000))
    assert right.status is Status.PASS
    assert [group[0].status for group in right.groups["sex"].values()] == [Status.PASS, Status.PASS]
    small = series(f=drawn(draw, 30, slope=0.8), m=drawn(draw, 3000), x=drawn(draw, 50))
    assert small.status is Status.PASS
    assert small.groups["sex"]["x"][0].status is Status.INCONCLUSIVE
    assert not small.untold
    mostly_small = series(f=drawn(draw, 300, slope=0.8), m=drawn(draw, 200), x=drawn(draw, 50))
    assert mostly_small.status is Status.INCONCLUSIVE
    (untold,) = mostly_small.untold
    assert "hold 100% of the rows" in untold.reason
    assert untold.rows_needed > 300
    dropped = series(f=drawn(draw, 3000, slope=-0.3), m=drawn(draw, 3000))
    assert dropped.status is Status.FAIL
    assert {finding.target for finding in dropped.failures} == {"now (sex f)"}


@pytest.mark.parametrize(
    "wrong", [{"coverage": 0.0}, {"tolerance": 1.0}, {"pending": -1}, {"baseline": 4}, {"coverage": math.nan}]
)
def test_terms_out_of_range_are_refused(wrong):
    draw = np.random.default_rng(14)
    with pytest.raises(ValueError, match=r"at least|in \(0, 1"):
        performance_series(drawn(draw, 500), {"now": drawn(draw, 500)}, **wrong)


def wrongly_labelled(table, rows):
    """The same scores, with some rows that were right labelled the other way."""
    right = np.where(table.selected, table.positives, table.negatives)
    flipped = np.zeros(len(right), np.int64)
    for place in np.flatnonzero(right)[:rows]:
        flipped[place] = 1
    sign = np.where(table.selected, -1, 1) * flipped
    return replace(table, positives=table.positives + sign, negatives=table.negatives - sign)


def test_windows_too_small_to_be_told_alone_are_judged_with_their_neighbours():
    draw = np.random.default_rng(15)
    windows = {f"{number:02}": drawn(draw, 420) for number in range(12)}
    alone = performance_series(drawn(draw, 8000), {"00": windows["00"]})
    assert alone.status is Status.INCONCLUSIVE
    series = performance_series(drawn(draw, 8000), windows)
    assert [window.status for window in series.windows] == [Status.PASS] * 12
    first, last = series.windows[0].findings[0], series.windows[-1].findings[0]
    assert "over" in first.reason
    assert "over" in last.reason
    # The figure, its interval and its rows are of all the windows that the reason names.
    assert (first.n, first.rows_needed) == (420 * int(first.reason.split()[-2]), None)
    for finding in (first, last):
        assert sum(finding.interval) / 2 == pytest.approx(finding.observed)
        assert f"{abs(finding.observed):.1%}" in finding.reason


def test_neighbours_do_not_pass_a_window_whose_own_labels_point_elsewhere():
    draw = np.random.default_rng(16)
    windows = {str(number): drawn(draw, 1000) for number in range(4)}
    windows["small"] = wrongly_labelled(drawn(draw, 120), 18)
    series = performance_series(drawn(draw, 8000), windows)
    small = next(finding for finding in series.windows[-1].findings if finding.measure == ERRORS)
    assert small.observed > small.limit
    assert small.status is Status.INCONCLUSIVE
    assert small.rows_needed is None or small.rows_needed > 120


def wrong_rows(rows, errors):
    """Scores of 0.3 and 0.7 in turn, of which so many are wrong."""
    scores = np.tile([0.3, 0.7], rows // 2)
    labels = (scores >= 0.5).astype(float)
    labels[:errors] = 1.0 - labels[:errors]
    return score_table(scores, labels)


def test_a_window_better_than_promised_does_not_fail_for_neighbours_that_are_worse():
    reference = wrong_rows(6000, 1800)  # 30 %, as the scores promise
    windows = {str(number): wrong_rows(600, 270) for number in range(4)}
    windows |= {"better": wrong_rows(60, 12), "worse": wrong_rows(60, 27)}
    *_, better, worse = performance_series(reference, windows).windows
    of_errors = [
        next(finding for finding in window.findings if finding.measure == ERRORS)
        for window in (better, worse)
    ]
    assert [finding.status for finding in of_errors] == [Status.INCONCLUSIVE, Status.FAIL]
    assert of_errors[0].observed == pytest.approx(-0.1, abs=0.01)
    assert of_errors[0].n == 60
    assert of_errors[1].reason.startswith(f"{of_errors[1].observed:.1%} more errors")
    assert of_errors[1].interval[0] > 0.0


def test_a_change_that_goes_on_is_shown_by_small_windows_together():
    draw = np.random.default_rng(17)
    windows = {f"{number:02}": drawn(draw, 250, slope=0.6 if number >= 6 else 1.2) for number in range(12)}
    series = performance_series(drawn(draw, 8000), windows)
    failed = {finding.target for finding in series.failures}
    assert failed
    assert min(failed) >= "06"
    assert any("over" in finding.reason for finding in series.failures)


def test_how_many_neighbours_are_looked_at_does_not_depend_on_what_their_labels_say():
    draw = np.random.default_rng(20)
    reference = drawn(draw, 8000)
    log_odds = [draw.normal(-1.0, 1.5, 250) for _ in range(12)]
    rows, answers = {}, set()
    for slope in (1.2, 0.9, 0.6):
        windows = {
            f"{number:02}": score_table(expit(each), (draw.random(250) < expit(slope * each)).astype(float))
            for number, each in enumerate(log_odds)
        }
        for window in performance_series(reference, windows).windows:
            for finding in window.findings:
                if "over" in finding.reason:
                    rows.setdefault((window.name, finding.measure), set()).add(finding.n)
                    answers.add(finding.status)
    assert answers == {Status.PASS, Status.FAIL}
    assert {len(numbers) for numbers in rows.values()} == {1}


@pytest.mark.simulation
def test_small_windows_whose_labels_are_as_promised_fail_no_more_often_than_stated():
    draw, series = np.random.default_rng(21), 1000
    terms = Terms(coverage=0.8, tolerance=0.05, confidence=0.95)
    scores, failed = np.tile([0.3, 0.7], 15), {ERRORS: 0, POSITIVES: 0}
    for _ in range(series):
        many = np.tile(scores, 200)
        learnt = learn(score_table(many, (draw.random(6000) < many).astype(float)), terms)
        windows = {
            str(number): score_table(scores, (draw.random(30) < scores).astype(float)) for number in range(12)
        }
        found = judge_windows(windows, learnt, terms, pending=())
        for measure in {each.measure for one in found for each in one.findings if each.status is Status.FAIL}:
            failed[measure] += 1
    assert max(failed.values()) <= 0.025 * series  # half of the 5 % for each of the two


def test_intervals_are_wider_the_more_windows_are_judged_so_that_all_hold_together():
    draw = np.random.default_rng(18)
    reference, window = drawn(draw, 3000), drawn(draw, 3000)

    def width(count):
        windows = {str(number): window for number in range(count)}
        low, high = performance_series(reference, windows).windows[0].findings[0].interval
        return high - low

    # Errors and positives, alone and together: four intervals a window.
    ratio = stats.norm.ppf(1 - 0.025 / 80) / stats.norm.ppf(1 - 0.025 / 4)
    assert width(20) / width(1) == pytest.approx(ratio, rel=1e-6)


def test_the_chart_is_that_of_the_realised_figures_with_their_errors():
    draw = np.random.default_rng(19)
    windows = {f"{number:02}": drawn(draw, 300 + 100 * number) for number in range(13)}
    made = performance_series(drawn(draw, 3000), windows, charted=Measure.LOG_LOSS).chart
    figures = [realised_performance(window)[Measure.LOG_LOSS] for window in windows.values()]
    expected = control_chart(
        [figure.value for figure in figures],
        errors=[standard_error(figure) for figure in figures],
        rows=[window.labelled for window in windows.values()],
        names=list(windows),
    )
    assert made == expected


def part_scored(draw, rows, share):
    """A window of which the model scored a part."""
    log_odds = draw.normal(-1.0, 1.5, rows)
    scores, labels = expit(log_odds), (draw.random(rows) < expit(1.2 * log_odds)).astype(float)
    scores[draw.random(rows) >= share] = np.nan
    return score_table(scores, labels)


def test_a_window_of_which_few_rows_were_scored_is_not_passed_and_not_estimated():
    draw = np.random.default_rng(11)
    reference, whole, part = drawn(draw, 5000), drawn(draw, 5000), part_scored(draw, 100_000, 0.05)
    late = part_scored(draw, 100_000, 0.05)
    series = performance_series(reference, {"whole": whole, "part": part, "late": late}, pending=1)
    passed, refused, estimated = series.windows
    assert passed.status is Status.PASS
    assert refused.status is series.status is Status.INCONCLUSIVE
    (told,) = (finding for finding in refused.findings if finding.status is not Status.PASS)
    assert told.measure == "share of rows with a score"
    assert told.reason == "5% of the rows have a score, 80% are needed"
    assert {refusal.reason for refusal in estimated.expected.refusals.values()} == {told.reason}


def test_a_reference_of_which_few_rows_were_scored_teaches_nothing():
    draw = np.random.default_rng(12)
    learnt = learn(part_scored(draw, 50_000, 0.5), Terms(coverage=0.8, tolerance=0.05, confidence=0.99))
    assert isinstance(learnt, Refusal)
    assert "50% of the rows have a score" in learnt.reason


@pytest.mark.parametrize(("centre", "width"), [(0.5, 1e-2), (0.5, 1e-3), (1e-6, 2e-6)], ids=str)
def test_the_ranking_of_scores_that_lie_close_together_is_that_of_scikit_learn(centre, width):
    draw = np.random.default_rng(14)
    labels = (draw.random(4_000) < 0.4).astype(float)
    scores = centre + width * expit(draw.normal(labels, 1.2)) * (0.5 if centre < 0.1 else 1.0)
    found = realised_performance(score_table(scores, labels))[Measure.ROC_AUC]
    assert found.value == pytest.approx(metrics.roc_auc_score(labels, scores), abs=0.005)


def test_a_window_of_which_few_rows_were_scored_speaks_for_no_other():
    draw = np.random.default_rng(13)
    reference = drawn(draw, 5_000)
    alone = {"small": drawn(draw, 300)}
    beside = {"part": part_scored(draw, 60_000, 0.1), **alone}
    alone_then, beside_then = (
        performance_series(reference, windows).windows[-1] for windows in (alone, beside)
    )
    assert [finding.n for finding in beside_then.findings] == [finding.n for finding in alone_then.findings]


def test_groups_of_which_few_rows_were_scored_keep_the_whole_from_passing_and_say_what_to_do():
    draw = np.random.default_rng(15)
    windows = {"w": {"sex": {"f": drawn(draw, 5_000), "m": part_scored(draw, 6_000, 0.6)}}}
    series = performance_series(
        drawn(draw, 10_000),
        {"w": drawn(draw, 10_000)},
        groups=windows,
        reference_groups={"sex": {"f": drawn(draw, 5_000), "m": drawn(draw, 5_000)}},
    )
    (found,) = (item for item in series.untold if item.target == "sex")
    assert found.measure == "share of rows in groups that cannot be judged"
    assert "why the model scored no more of them" in found.remedy
