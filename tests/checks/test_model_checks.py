"""Model checks over plain arrays: what passes has been shown, and what could not be shown does not pass."""

import dataclasses
import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics

from aims_pipelines.assets.model_measured import measure_for_card
from aims_pipelines.checks.candidate import InputVersion
from aims_pipelines.checks.model_candidate import EstimatorFacts, ModelCandidate, Outcomes
from aims_pipelines.checks.model_catalogue import MODEL_CHECKS, judge_model
from aims_pipelines.core.verdict import NotApplicable, Severity, Status
from aims_pipelines.measure import profile_table
from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.records.policy_record import MODEL_CHECK_NAMES, ModelLimits, Stage
from aims_pipelines.records.system_record import SystemRecord
from aims_pipelines.stats.profile import GroupSpec

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def system(**changes):
    record = {
        "kind": "system",
        "id": "loans",
        "title": "Loans",
        "owner": "lending",
        "status": "assessed",
        "purpose": "p",
        "intended_use": "u",
        "out_of_scope": "o",
        "affected": "a",
        "risk": "r",
        "model": {"name": "loans", "training": "training", "holdout": "holdout", "exclude": ["postcode"]},
    }
    return SystemRecord.model_validate_json(json.dumps(record | changes))


def holdout_record(**changes):
    record = {
        "kind": "dataset",
        "id": "holdout",
        "title": "Holdout",
        "owner": "data",
        "status": "admitted",
        "purpose": "p",
        "source": {"path": "h.csv", "licence": "x", "legal_basis": "y"},
        "columns": {"late": {"type": "integer"}, "diary": {"type": "string", "feature": False}},
        "label": {"column": "late", "positive": 1},
        "protected": [{"column": "sex"}],
    }
    return DatasetRecord.model_validate_json(json.dumps(record | changes))


def outcomes(rows, seed, *, skill=2.0, noise=1.0):
    """Scores of a calibrated model: the label is drawn with the probability that the model says."""
    draw = np.random.default_rng(seed)
    logit = draw.normal(0, skill, rows)
    scores = 1 / (1 + np.exp(-logit))
    truth = (draw.random(rows) < 1 / (1 + np.exp(-logit * noise))).astype(float)
    return Outcomes(truth=truth, predicted=(scores >= 0.5).astype(float), scores=scores, probabilities=True)


def table(rows, seed, **columns):
    draw = np.random.default_rng(seed)
    values = {
        "debt": draw.normal(size=rows),
        "income": draw.normal(size=rows),
        "late": draw.integers(0, 2, rows),
    }
    return pa.table(values | columns)


@pytest.fixture
def make():
    def build(**changes):
        rows = changes.pop("rows", 4000)
        judged = changes.get("on_holdout") or outcomes(rows, seed=2)
        sex = np.where(np.arange(judged.rows) % 2 == 0, "female", "male")
        values = {
            "asset": "loans",
            "system": system(),
            "record": holdout_record(),
            "limits": ModelLimits(min_metric=0.75),
            "estimator": EstimatorFacts(
                name="LogisticRegression",
                features=("debt", "income"),
                digest="sha256:" + "1" * 64,
                reloads_alike=True,
            ),
            "training": InputVersion(asset="training", digest="sha256:" + "2" * 64, evidence="e-1"),
            "holdout": InputVersion(asset="holdout", digest="sha256:" + "3" * 64, evidence="e-2"),
            "on_training": outcomes(rows, seed=1),
            "on_holdout": judged,
            "groups": {"sex": sex},
            "training_profile": profile_table(table(500, 1), groups=[GroupSpec(columns=("late",))]),
            "holdout_profile": profile_table(table(500, 2)),
            "now": NOW,
            "code_version": "abc",
            "policy_digest": "sha256:" + "4" * 64,
        }
        return ModelCandidate(**(values | changes))

    return build


def answer(judgement, check):
    answers = {item.check: item for item in (*judgement.verdicts, *judgement.not_applicable)}
    return answers[check]


def status(candidate, check):
    found = answer(judge_model(candidate), check)
    return "n/a" if isinstance(found, NotApplicable) else found.status


def finding(candidate, check, target=""):
    return next(item for item in answer(judge_model(candidate), check).findings if item.target == target)


def test_the_checks_are_those_that_records_may_name():
    assert tuple(check.name for check in MODEL_CHECKS) == MODEL_CHECK_NAMES


def test_a_good_model_passes_everything(make):
    judgement = judge_model(make())
    assert {verdict.check: verdict.status for verdict in judgement.verdicts} == dict.fromkeys(
        MODEL_CHECK_NAMES, Status.PASS
    )


# -- performance ---------------------------------------------------------------------------------------------------


def test_the_measured_area_is_that_of_scikit_learn(make):
    candidate = make()
    judged = candidate.on_holdout
    expected = metrics.roc_auc_score(judged.truth, judged.scores)
    assert finding(candidate, "performance").observed == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("limit", "expected"), [(0.75, Status.PASS), (0.99, Status.FAIL), ("value", Status.INCONCLUSIVE)]
)
def test_performance_passes_only_where_the_whole_interval_reaches_the_limit(limit, expected, make):
    value = finding(make(), "performance").observed
    found = finding(make(limits=ModelLimits(min_metric=value if limit == "value" else limit)), "performance")
    assert found.status is expected
    low, high = found.interval
    assert low < found.observed < high


def test_a_small_holdout_is_inconclusive_and_says_how_many_rows_it_takes(make):
    found = finding(make(rows=400), "performance", "holdout")
    assert (found.status, found.rows_needed) == (Status.INCONCLUSIVE, 500)


def test_a_model_no_better_than_the_commonest_answer_fails_however_accurate(make):
    draw = np.random.default_rng(5)
    truth = (draw.random(4000) < 0.05).astype(float)
    constant = Outcomes(truth=truth, predicted=np.zeros(4000), scores=draw.random(4000))
    candidate = make(
        on_holdout=constant, on_training=constant, limits=ModelLimits(metric="accuracy", min_metric=0.9)
    )
    assert finding(candidate, "performance").status is Status.PASS
    assert finding(candidate, "performance", "baseline").status is not Status.PASS


@pytest.mark.parametrize(
    ("corruption", "said"),
    [
        (lambda o: dataclasses.replace(o, scores=np.where(np.arange(o.rows) == 7, np.nan, o.scores)), "NaN"),
        (lambda o: dataclasses.replace(o, scores=None), "without scores"),
        (lambda o: dataclasses.replace(o, truth=np.ones(o.rows)), "same label"),
        (
            lambda o: dataclasses.replace(o, truth=np.where(np.arange(o.rows) == 7, np.nan, o.truth)),
            "no label",
        ),
        (lambda o: dataclasses.replace(o, predicted=np.full(o.rows, np.nan)), "no usable prediction"),
        (lambda o: o.only(np.zeros(o.rows, bool)), "no rows"),
        (lambda o: dataclasses.replace(o, classes=0), "which is for classes"),
    ],
    ids=["a NaN score", "no scores", "one class", "a missing label", "NaN predictions", "empty", "a number"],
)
def test_what_cannot_be_measured_is_inconclusive_with_a_reason_and_never_a_pass(corruption, said, make):
    candidate = make(on_holdout=corruption(outcomes(4000, seed=2)))
    judgement = judge_model(candidate)
    found = finding(candidate, "performance")
    assert found.status is Status.INCONCLUSIVE
    assert said in found.reason
    assert judgement.status is not Status.PASS
    assert not any("raised" in item.reason for verdict in judgement.verdicts for item in verdict.findings)


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_hardly_any_rows_never_raise_and_never_pass(rows, make):
    candidate = make(on_holdout=outcomes(4000, seed=2).only(np.arange(4000) < rows))
    judgement = judge_model(candidate)
    assert judgement.status is not Status.PASS
    assert not any("raised" in item.reason for verdict in judgement.verdicts for item in verdict.findings)


# -- groups --------------------------------------------------------------------------------------------------------


def worse_for_one_group(skill):
    """Scores of the second group tell less: noise is added to them."""
    judged = outcomes(4000, seed=3)
    draw = np.random.default_rng(4)
    second = np.arange(4000) % 2 == 1
    scores = np.where(second, skill * judged.scores + (1 - skill) * draw.random(4000), judged.scores)
    return dataclasses.replace(judged, scores=scores, predicted=(scores >= 0.5).astype(float))


def test_a_group_that_is_served_much_worse_fails_by_name(make):
    found = finding(make(on_holdout=worse_for_one_group(0.2)), "subgroup_performance", "sex")
    assert found.status is Status.FAIL
    assert "female" in found.reason


def test_a_group_of_one_class_is_compared_by_accuracy_and_not_by_ranking(make):
    sex = np.where(np.arange(4000) < 200, "one class", np.where(np.arange(4000) % 2 == 0, "female", "male"))
    judged = outcomes(4000, seed=3)
    first = np.arange(4000) < 200
    truth = np.where(first, 0.0, judged.truth)
    predicted = np.where(first, (np.arange(4000) < 100).astype(float), judged.predicted)
    known = dataclasses.replace(judged, truth=truth, predicted=predicted)
    accuracy = make(on_holdout=known, groups={"sex": sex}, limits=ModelLimits(metric="accuracy"))
    found = finding(accuracy, "subgroup_performance", "sex")
    assert found.status is Status.FAIL
    assert "one class" in found.reason
    ranked = make(on_holdout=known, groups={"sex": sex}, limits=ModelLimits(metric="roc_auc"))
    found = finding(ranked, "subgroup_performance", "sex=one class")
    assert found.status is Status.INCONCLUSIVE
    assert "in this group all rows have the same label" in found.reason


def test_a_group_that_is_selected_twice_as_often_fails_by_name(make):
    judged = outcomes(4000, seed=3)
    second = np.arange(4000) % 2 == 1
    chosen = np.where(second, judged.scores > 0.25, judged.scores > 0.75).astype(float)
    candidate = make(on_holdout=dataclasses.replace(judged, predicted=chosen))
    found = finding(candidate, "fairness_gap", "sex selection rate")
    expected = chosen[second].mean() - chosen[~second].mean()
    assert found.status is Status.FAIL
    assert found.observed == pytest.approx(expected)


def test_error_rates_are_compared_among_those_they_are_about(make):
    judged = outcomes(4000, seed=3)
    second = np.arange(4000) % 2 == 1
    missed = np.where(second & (judged.truth == 1), 0.0, judged.predicted)
    candidate = make(on_holdout=dataclasses.replace(judged, predicted=missed))
    found = finding(candidate, "fairness_gap", "sex true positive rate")
    first = judged.truth[~second] == 1
    assert found.status is Status.FAIL
    assert found.observed == pytest.approx(judged.predicted[~second][first].mean())
    assert found.n == int((judged.truth == 1).sum())


def test_selection_rates_may_be_held_to_four_fifths(make):
    judged = outcomes(4000, seed=3)
    second = np.arange(4000) % 2 == 1
    chosen = np.where(second, judged.scores > 0.3, judged.scores > 0.7).astype(float)
    changed = dataclasses.replace(judged, predicted=chosen)
    limits = ModelLimits(min_metric=0.75, min_selection_rate_ratio=0.8)
    found = finding(make(on_holdout=changed, limits=limits), "fairness_gap", "sex selection rate ratio")
    assert found.status is Status.FAIL
    assert found.observed == pytest.approx(chosen[~second].mean() / chosen[second].mean())


def wrong_about_the_second_group():
    """Of those predicted positive, many more are wrong in the second group."""
    judged = outcomes(4000, seed=3)
    second = np.arange(4000) % 2 == 1
    flagged = second & (judged.truth == 0) & (np.random.default_rng(8).random(4000) < 0.5)
    return dataclasses.replace(judged, predicted=np.where(flagged, 1.0, judged.predicted)), second


def test_precision_is_compared_among_those_predicted_positive(make):
    judged, second = wrong_about_the_second_group()
    limits = ModelLimits(min_metric=0.75, max_precision_gap=0.1, min_precision_ratio=0.8)
    candidate = make(on_holdout=judged, limits=limits)
    chosen = judged.predicted == 1
    one, other = judged.truth[chosen & ~second].mean(), judged.truth[chosen & second].mean()
    gap, ratio = (finding(candidate, "fairness_gap", f"sex precision{kind}") for kind in ("", " ratio"))
    assert (gap.status, ratio.status) == (Status.FAIL, Status.FAIL)
    assert (gap.observed, ratio.observed) == (pytest.approx(one - other), pytest.approx(other / one))
    assert gap.n == int(chosen.sum())


def test_what_policy_does_not_limit_is_measured_and_never_in_the_way(make):
    judged, _ = wrong_about_the_second_group()
    found = finding(make(on_holdout=judged), "fairness_gap", "sex precision")
    assert (found.status, found.limit) == (Status.PASS, None)
    assert found.observed > 0.1
    assert found.reason.endswith("measured only, as policy sets no limit")


def test_a_group_with_few_predicted_positives_is_inconclusive_only_where_precision_is_judged(make):
    judged = outcomes(4000, seed=3)
    second = np.arange(4000) % 2 == 1
    few = dataclasses.replace(judged, predicted=np.where(second, np.arange(4000) < 40, judged.predicted))
    targets = {
        limit: {
            item.target
            for item in answer(
                judge_model(make(on_holdout=few, limits=ModelLimits(max_precision_gap=limit))), "fairness_gap"
            ).findings
        }
        for limit in (None, 0.1)
    }
    assert targets[0.1] - targets[None] == {"sex=male predicted positives"}


def test_a_gap_of_the_labels_that_decisions_widen_fails(make):
    judged = outcomes(4000, seed=3)
    draw = np.random.default_rng(8)
    second = np.arange(4000) % 2 == 1
    truth = np.where(second & (draw.random(4000) < 0.3), 0.0, judged.truth)
    chosen = np.where(second & (draw.random(4000) < 0.9), 0.0, truth)
    found = finding(
        make(on_holdout=dataclasses.replace(judged, truth=truth, predicted=chosen)),
        "fairness_gap",
        "sex bias amplification",
    )
    by_labels = truth[~second].mean() - truth[second].mean()
    assert found.status is Status.FAIL
    assert found.observed == pytest.approx(chosen[~second].mean() - chosen[second].mean() - by_labels)


@pytest.mark.parametrize(("positives", "expected"), [(0.3, Status.FAIL), (0.0, None)])
def test_a_group_whose_probabilities_are_all_0_may_hold_no_positive(positives, expected, make):
    judged = outcomes(4000, seed=3)
    second = np.arange(4000) % 2 == 1
    truth = np.where(second, np.random.default_rng(8).random(4000) < positives, judged.truth).astype(float)
    candidate = make(
        on_holdout=dataclasses.replace(judged, truth=truth, scores=np.where(second, 0.0, judged.scores)),
        limits=ModelLimits(min_group_calibration_ratio=0.8),
    )
    found = {item.target: item for item in answer(judge_model(candidate), "calibration").findings}
    assert ("sex=male" in found) == (expected is not None)
    if expected is not None:
        assert (found["sex=male"].status, found["sex=male"].observed) == (expected, 0.0)


@pytest.mark.parametrize(("limit", "expected"), [(0.8, Status.FAIL), (0.5, Status.PASS), (None, Status.PASS)])
def test_probabilities_that_promise_one_group_too_much_fail_calibration_by_name(limit, expected, make):
    judged = outcomes(4000, seed=3)
    second = np.arange(4000) % 2 == 1
    truth = np.where(second & (np.random.default_rng(8).random(4000) < 0.35), 0.0, judged.truth)
    candidate = make(
        on_holdout=dataclasses.replace(judged, truth=truth),
        limits=ModelLimits(min_group_calibration_ratio=limit),
    )
    found = finding(candidate, "calibration", "sex calibration")
    assert found.status is expected
    assert found.observed == pytest.approx(truth[second].sum() / judged.scores[second].sum())
    assert "in male" in found.reason


def test_of_a_ratio_that_the_record_accepts_less_is_worse(make):
    judged, _ = wrong_about_the_second_group()
    limits = ModelLimits(
        min_metric=0.75, min_precision_ratio=0.8, max_error_rate_gap=1.0, max_bias_amplification=1.0
    )
    found = finding(make(on_holdout=judged, limits=limits), "fairness_gap", "sex precision ratio")
    for observed, expected in ((found.observed - 0.02, Status.PASS), (found.observed + 0.02, Status.FAIL)):
        entry = {
            "check": "fairness_gap",
            "target": "sex precision ratio",
            "measure": found.measure,
            "observed": observed,
            "reason": "known",
            "review_by": "2027-01-01",
        }
        candidate = make(on_holdout=judged, limits=limits, system=system(accepted=[entry]))
        assert finding(candidate, "fairness_gap", "sex precision ratio").status is expected


def test_gaps_of_rates_are_those_of_fairlearn(make):
    fairlearn = pytest.importorskip("fairlearn.metrics")
    judged, second = wrong_about_the_second_group()
    frame = fairlearn.MetricFrame(
        metrics={
            "selection rate": fairlearn.selection_rate,
            "true positive rate": fairlearn.true_positive_rate,
            "false positive rate": fairlearn.false_positive_rate,
            "precision": metrics.precision_score,
        },
        y_true=judged.truth,
        y_pred=judged.predicted,
        sensitive_features=second,
    )
    candidate = make(on_holdout=judged)
    for rate, gap in frame.difference().items():
        assert finding(candidate, "fairness_gap", f"sex {rate}").observed == pytest.approx(gap)
    for rate, ratio in frame.ratio().items():
        assert finding(candidate, "fairness_gap", f"sex {rate} ratio").observed == pytest.approx(ratio)


def test_the_card_compares_what_the_checks_compared_and_no_small_group(make):
    judged, _ = wrong_about_the_second_group()
    rows = np.arange(4000)
    sex = np.where(rows < 9, "other", np.where(rows % 2 == 0, "female", "male"))
    limits = ModelLimits(min_group_size=1, max_precision_gap=0.1)
    candidate = make(on_holdout=judged, groups={"sex": sex}, limits=limits)
    measured = measure_for_card(candidate)
    assert [item.measure for item in measured.comparisons] == [
        "selection rate",
        "true positive rate",
        "false positive rate",
        "precision",
        "bias amplification",
        "group calibration",
    ]
    assert "other" not in {name for item in measured.comparisons for name in (item.lowest, item.highest)}
    alone = make(on_holdout=judged.only(rows >= 9), groups={"sex": sex[9:]}, limits=limits)
    for item in measured.comparisons[:4]:
        found = finding(alone, "fairness_gap", f"sex {item.measure}")
        assert (item.gap.value, (item.gap.low, item.gap.high)) == (found.observed, found.interval)
    by_level = {group.level: group for group in measured.groups}
    males = (sex == "male") & (judged.predicted == 1)
    assert by_level["male"].precision.value == pytest.approx(judged.truth[males].mean())
    in_group = sex == "male"
    assert by_level["male"].calibration.value == pytest.approx(
        judged.truth[in_group].sum() / judged.scores[in_group].sum()
    )


def test_a_group_too_small_to_compare_is_inconclusive_and_carries_its_size(make):
    sex = np.where(np.arange(4000) < 30, "other", np.where(np.arange(4000) % 2 == 0, "female", "male"))
    for check in ("subgroup_performance", "fairness_gap"):
        found = finding(make(groups={"sex": sex}), check, "sex=other")
        assert (found.status, found.observed, found.rows_needed) == (Status.INCONCLUSIVE, 30, 50)


def test_an_accepted_small_group_no_longer_shuts_the_gate_until_its_date(make):
    sex = np.where(np.arange(4000) < 30, "other", np.where(np.arange(4000) % 2 == 0, "female", "male"))
    targets = {
        "subgroup_performance": ["sex=other"],
        "fairness_gap": ["sex=other", "sex=other positives", "sex=other negatives"],
    }
    accepted = [
        {
            "check": check,
            "target": target,
            "measure": "group rows",
            "observed": 30 if target == "sex=other" else 10,
            "reason": "few",
        }
        for check, names in targets.items()
        for target in names
    ]
    dated = [item | {"review_by": "2026-03-02"} for item in accepted]
    assert judge_model(make(groups={"sex": sex}, system=system(accepted=dated))).status is Status.PASS
    late = make(groups={"sex": sex}, system=system(accepted=dated), now=datetime(2026, 3, 2, tzinfo=UTC))
    assert judge_model(late).status is Status.INCONCLUSIVE


@pytest.mark.parametrize("check", ["subgroup_performance", "fairness_gap"])
def test_one_group_alone_is_inconclusive(check, make):
    assert status(make(groups={"sex": np.full(4000, "female")}), check) is Status.INCONCLUSIVE


@pytest.mark.parametrize("check", ["subgroup_performance", "fairness_gap"])
def test_a_declared_attribute_that_the_holdout_lacks_is_inconclusive(check, make):
    assert status(make(groups={}), check) is Status.INCONCLUSIVE


@pytest.mark.parametrize("check", ["subgroup_performance", "fairness_gap"])
def test_without_protected_attributes_groups_do_not_apply(check, make):
    assert status(make(groups={}, record=holdout_record(protected=[])), check) == "n/a"


# -- calibration, generalisation, leakage, provenance ---------------------------------------------------------------


def test_overconfident_probabilities_fail_calibration(make):
    # The labels follow the model's logit damped to a quarter: it claims far more than it knows.
    candidate = make(on_holdout=outcomes(4000, seed=6, skill=4.0, noise=0.25))
    assert finding(candidate, "calibration").status is Status.FAIL


@pytest.mark.parametrize(
    ("room", "expected"),
    [(0.5, Status.INCONCLUSIVE), (1.01, Status.PASS)],
    ids=["inside", "beyond the interval"],
)
def test_calibration_passes_only_where_the_whole_interval_is_within_the_limit(room, expected, make):
    measured = finding(make(), "calibration")
    limit = measured.observed + room * (measured.interval[1] - measured.observed)
    limits = ModelLimits(min_metric=0.75, max_calibration_error=limit)
    assert finding(make(limits=limits), "calibration").status is expected


def test_scores_that_are_no_probabilities_are_not_asked_to_be_calibrated(make):
    judged = dataclasses.replace(outcomes(4000, seed=2), probabilities=False)
    assert status(make(on_holdout=judged), "calibration") == "n/a"


def test_claimed_probabilities_beyond_one_are_inconclusive(make):
    judged = outcomes(4000, seed=2)
    candidate = make(on_holdout=dataclasses.replace(judged, scores=judged.scores * 1.5))
    assert status(candidate, "calibration") is Status.INCONCLUSIVE


def test_a_model_that_knows_its_training_rows_by_heart_fails_generalisation(make):
    learnt = outcomes(4000, seed=1)
    perfect = dataclasses.replace(learnt, scores=learnt.truth * 0.98 + 0.01, predicted=learnt.truth)
    found = finding(make(on_training=perfect), "generalisation")
    assert found.status is Status.FAIL
    assert found.observed == pytest.approx(1.0 - finding(make(), "performance").observed)


@pytest.mark.parametrize("column", ["late", "postcode", "diary"])
def test_a_forbidden_feature_fails_leakage_by_name(column, make):
    facts = EstimatorFacts(name="x", features=("debt", column), digest="sha256:1", reloads_alike=True)
    found = finding(make(estimator=facts), "leakage", "features")
    assert found.status is Status.FAIL
    assert f"'{column}'" in found.reason


def test_training_rows_in_the_holdout_fail_leakage(make):
    trained = table(500, 1)
    mixed = pa.concat_tables([table(450, 2), trained.slice(0, 50)])
    candidate = make(
        training_profile=profile_table(trained, groups=[GroupSpec(columns=("late",))]),
        holdout_profile=profile_table(mixed),
    )
    found = finding(candidate, "leakage", "rows")
    assert (found.status, found.observed) == (Status.FAIL, 0.1)


def test_a_feature_that_is_the_label_in_disguise_fails_leakage_by_name(make):
    plain = table(2000, 1)
    disguised = plain.set_column(0, "debt", pa.array(plain["late"].to_numpy() * 3.5 - 1))
    profile = profile_table(disguised, groups=[GroupSpec(columns=("late",))])
    found = finding(make(training_profile=profile), "leakage", "strongest feature")
    assert found.status is Status.FAIL
    assert "'debt'" in found.reason


def test_a_result_too_good_to_be_true_has_to_be_looked_at(make):
    judged = outcomes(4000, seed=2)
    perfect = dataclasses.replace(judged, scores=judged.truth * 0.98 + 0.01, predicted=judged.truth)
    assert finding(make(on_holdout=perfect), "leakage", "result").status is Status.INCONCLUSIVE


@pytest.mark.parametrize(
    ("change", "target", "expected"),
    [
        ({"training": None}, "training", Status.FAIL),
        ({"holdout": None}, "holdout", Status.FAIL),
        (
            {"holdout": InputVersion(asset="other", digest="sha256:9", evidence="e-3")},
            "holdout",
            Status.FAIL,
        ),
        (
            {"holdout": InputVersion(asset="holdout", digest="sha256:" + "2" * 64, evidence="e-3")},
            "holdout apart",
            Status.FAIL,
        ),
        ({"code_version": ""}, "code", Status.INCONCLUSIVE),
        ({"policy_digest": ""}, "records", Status.INCONCLUSIVE),
    ],
    ids=["no training", "no holdout", "another dataset", "the same rows", "no code version", "no records"],
)
def test_a_missing_hop_refuses(change, target, expected, make):
    assert finding(make(**change), "provenance", target).status is expected


@pytest.mark.parametrize(
    ("facts", "target", "said"),
    [
        ({"untrusted": ("evil.Thing",)}, "model file", "'evil.Thing'"),
        ({"problem": "not supported", "digest": ""}, "model file", "without pickle"),
        ({"digest": ""}, "model file", "not known"),
        ({"reloads_alike": False}, "reload", "predicts otherwise"),
        ({"reloads_alike": None}, "reload", "could not be loaded"),
    ],
)
def test_bytes_that_cannot_be_trusted_refuse(facts, target, said, make):
    estimator = dataclasses.replace(make().estimator, **facts)
    found = finding(make(estimator=estimator), "provenance", target)
    assert found.status is not Status.PASS
    assert said in found.reason


# -- numbers, stages, crashes ---------------------------------------------------------------------------------------


def number_outcomes(rows, seed, *, bias=0.0, spread=1.0):
    draw = np.random.default_rng(seed)
    truth = draw.normal(100, 20, rows)
    second = np.arange(rows) % 2 == 1
    return Outcomes(
        truth=truth,
        predicted=truth + draw.normal(0, 6 * spread, rows) + np.where(second, bias, 0.0),
        classes=0,
    )


def number_candidate(make, judged, **limits):
    label = {"column": "late", "task": "regression"}
    return make(
        on_holdout=judged,
        on_training=number_outcomes(4000, seed=1),
        record=holdout_record(label=label),
        limits=ModelLimits(**limits),
    )


@pytest.mark.parametrize(
    "limits",
    [{"metric": "r2", "min_metric": 0.8}, {"metric": "mae", "max_metric": 6.0}],
    ids=["r2", "mae"],
)
def test_a_good_model_of_a_number_passes(limits, make):
    judgement = judge_model(number_candidate(make, number_outcomes(4000, seed=2), **limits))
    assert judgement.status is Status.PASS
    assert [item.check for item in judgement.not_applicable] == ["calibration"]


def test_measures_of_a_number_are_those_of_scikit_learn(make):
    judged = number_outcomes(4000, seed=2)
    r2 = finding(number_candidate(make, judged, metric="r2"), "performance")
    mae = finding(number_candidate(make, judged, metric="mae", max_metric=9.0), "performance")
    assert r2.observed == pytest.approx(metrics.r2_score(judged.truth, judged.predicted), abs=1e-12)
    assert mae.observed == pytest.approx(metrics.mean_absolute_error(judged.truth, judged.predicted))


def test_a_group_that_is_overestimated_fails_fairness(make):
    candidate = number_candidate(make, number_outcomes(4000, seed=2, bias=8.0), metric="r2", min_metric=0.5)
    found = finding(candidate, "fairness_gap", "sex mean error")
    assert found.status is Status.FAIL
    assert found.observed == pytest.approx(0.4, abs=0.05)


def test_mae_without_a_ceiling_in_policy_is_inconclusive(make):
    found = finding(number_candidate(make, number_outcomes(4000, seed=2), metric="mae"), "performance")
    assert (found.status, found.remedy) == (Status.INCONCLUSIVE, "Set max_metric.")


def test_many_classes_are_measured_by_accuracy_and_ruled_out_elsewhere(make):
    draw = np.random.default_rng(1)
    truth = draw.integers(0, 3, 4000).astype(float)
    predicted = np.where(draw.random(4000) < 0.85, truth, (truth + 1) % 3)
    judged = Outcomes(truth=truth, predicted=predicted, classes=3)
    candidate = make(
        on_holdout=judged, on_training=judged, limits=ModelLimits(metric="balanced_accuracy", min_metric=0.8)
    )
    judgement = judge_model(candidate)
    assert judgement.status is Status.PASS
    assert {item.check for item in judgement.not_applicable} == {"fairness_gap", "calibration"}


def test_a_stage_of_warn_shows_but_does_not_shut(make):
    limits = ModelLimits(min_metric=0.99)
    judgement = judge_model(make(limits=limits, stages={"performance": Stage.WARN}))
    verdict = answer(judgement, "performance")
    assert (verdict.status, verdict.severity) == (Status.FAIL, Severity.WARN)
    assert judgement.status is Status.PASS


def test_a_check_that_crashes_is_inconclusive_and_tells_no_values(make):
    candidate = make(groups={"sex": "not an array of levels"})
    found = answer(judge_model(candidate), "subgroup_performance")
    assert found.status is Status.INCONCLUSIVE
    assert "not an array" not in found.findings[0].reason


@pytest.mark.parametrize("check", ["subgroup_performance", "fairness_gap"])
def test_rows_in_more_groups_than_are_told_apart_are_not_passed_over(check, make):
    groups = {"sex": np.array(["female", "male", "(other)"] * 2_000)}
    candidate = make(rows=6_000, groups=groups)
    assert status(candidate, check) is Status.INCONCLUSIVE
    found = finding(candidate, check, "sex=(other)")
    assert found.n == 2_000
    assert "in more groups than are told apart" in found.reason
