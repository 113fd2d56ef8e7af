"""What is read off a user's estimator: features, classes however they are spelt, scores, and outcomes in batches."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from aims_pipelines.assets import estimator as reading
from aims_pipelines.core.errors import BadInput
from aims_pipelines.records.dataset_record import DatasetRecord, Label
from aims_pipelines.records.system_record import SystemRecord

DRAW = np.random.default_rng(1)
FRAME = pd.DataFrame({"x": DRAW.normal(size=400), "who": range(400), "when": range(400), "note": range(400)})
FRAME["late"] = (FRAME["x"] + DRAW.normal(0, 0.3, 400) > 0).astype(int)


def outcomes(fitted, frame=FRAME, *, column="late", positive=1, task="classification", threshold=None):
    label = Label(column=column, positive=positive, task=task)
    return reading.outcomes(
        fitted, frame, features=["x"], label=label, dataset="holdout", threshold=threshold
    )


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        ([0, 1], 1),
        ([0.0, 1.0], 1),
        ([False, True], True),
        (["no", "yes"], "yes"),
        (["yes", "no"], "no"),
        ([" <=50K", " >50K"], " >50K"),
        ([1, 2], 2),
        ([1, 2], 1),
        (["1", "2"], 2),
    ],
    ids=str,
)
def test_the_positive_class_is_found_however_it_is_spelt(values, positive):
    frame = FRAME.assign(
        label=np.array(values, dtype=object if isinstance(values[0], str) else None)[FRAME["late"]]
    )
    fitted = LogisticRegression().fit(frame[["x"]], frame["label"])
    got = outcomes(fitted, frame, column="label", positive=positive)
    sought = values.index(positive) if positive in values else 1
    assert (got.truth == (FRAME["late"] == sought)).all()
    assert ((got.scores > 0.5) == (got.predicted == 1.0)).all()
    assert np.corrcoef(got.truth, got.scores)[0, 1] > 0.5


def test_a_model_fitted_on_encoded_labels_is_read_as_one_means_positive():
    frame = FRAME.assign(label=np.array(["<=50K", ">50K"], dtype=object)[FRAME["late"]])
    fitted = LogisticRegression().fit(frame[["x"]], FRAME["late"])
    got = outcomes(fitted, frame, column="label", positive=">50K")
    assert np.corrcoef(got.truth, got.scores)[0, 1] > 0.5


def test_scores_without_probabilities_keep_their_direction():
    for positive in (0, 1):
        got = outcomes(LinearSVC().fit(FRAME[["x"]], FRAME["late"]), positive=positive)
        assert not got.probabilities
        assert np.corrcoef(got.truth, got.scores)[0, 1] > 0.5


@pytest.mark.parametrize("positive", [1, 0])
def test_a_declared_threshold_decides_as_scikit_learns_own_wrapper_does(positive):
    fitted = LogisticRegression().fit(FRAME[["x"]], FRAME["late"])
    wrapped = FixedThresholdClassifier(FrozenEstimator(fitted), threshold=0.2, pos_label=positive)
    wrapped.fit(FRAME[["x"]], FRAME["late"])
    got = outcomes(fitted, positive=positive, threshold=0.2)
    assert (got.predicted == (wrapped.predict(FRAME[["x"]]) == positive)).all()
    assert got.overruled
    assert got.only(got.truth == 1.0).overruled
    assert not outcomes(wrapped, positive=positive, threshold=0.2).overruled
    assert not outcomes(fitted, positive=positive, threshold=0.5).overruled


def test_the_threshold_itself_is_positive():
    class Level:
        def predict(self, rows):
            return np.zeros(len(rows))

        def predict_proba(self, rows):
            return np.column_stack([np.full(len(rows), 0.75), np.full(len(rows), 0.25)])

    assert (outcomes(Level(), threshold=0.25).predicted == 1.0).all()
    assert (outcomes(Level(), threshold=0.2500001).predicted == 0.0).all()


def test_a_threshold_needs_probabilities():
    with pytest.raises(BadInput, match="predict_proba, since the system record declares a threshold"):
        outcomes(LinearSVC().fit(FRAME[["x"]], FRAME["late"]), threshold=0.3)


def test_batches_give_what_one_call_gives(monkeypatch):
    fitted = LogisticRegression().fit(FRAME[["x"]], FRAME["late"])
    whole = outcomes(fitted)
    monkeypatch.setattr(reading, "_BATCH", 7)
    assert (outcomes(fitted).scores == whole.scores).all()


def test_polars_frames_work_as_pandas_frames_do():
    fitted = LogisticRegression().fit(FRAME[["x"]], FRAME["late"])
    assert (outcomes(fitted, pl.from_pandas(FRAME)).scores == outcomes(fitted).scores).all()


def test_an_index_that_is_not_a_range_changes_nothing():
    fitted = LogisticRegression().fit(FRAME[["x"]], FRAME["late"])
    shuffled = FRAME.set_index(np.linspace(5.0, 9.0, len(FRAME)))
    assert (outcomes(fitted, shuffled).scores == outcomes(fitted).scores).all()


def test_missing_labels_stay_missing():
    frame = FRAME.astype({"late": "Int64"})
    frame.loc[3, "late"] = pd.NA
    got = outcomes(LogisticRegression().fit(FRAME[["x"]], FRAME["late"]), frame)
    assert np.flatnonzero(np.isnan(got.truth)).tolist() == [3]


def test_many_classes_are_numbered_and_unknown_ones_are_missing():
    classes = DRAW.integers(0, 3, 400)
    frame = FRAME.assign(label=np.array(["a", "b", "c"])[classes])
    fitted = LogisticRegression().fit(frame[["x"]], frame["label"])
    frame.loc[0, "label"] = "never seen"
    got = outcomes(fitted, frame, column="label", positive=None)
    assert got.classes == 3
    assert np.isnan(got.truth[0])
    assert (got.truth[1:] == classes[1:]).all()


def test_a_number_is_taken_as_it_is():
    got = outcomes(
        LinearRegression().fit(FRAME[["x"]], FRAME["who"]), column="who", positive=None, task="regression"
    )
    assert got.classes == 0
    assert (got.truth == np.arange(400)).all()


def test_a_model_that_cannot_predict_the_holdout_is_told_without_its_values():
    frame = FRAME.assign(x="customer 4711")
    with pytest.raises(BadInput, match="raised ValueError") as told:
        outcomes(LogisticRegression().fit(FRAME[["x"]], FRAME["late"]), frame)
    assert "4711" not in str(told.value)


def records():
    base = {"title": "t", "owner": "o"}
    dataset = {
        **base,
        "kind": "dataset",
        "id": "holdout",
        "status": "admitted",
        "purpose": "p",
        "source": {"path": "x", "licence": "x", "legal_basis": "x"},
        "columns": {"x": {"type": "number"}},
        "label": {"column": "late", "positive": 1},
        "subject": "who",
        "time": "when",
    }
    system = {
        **base,
        "kind": "system",
        "id": "s",
        "status": "assessed",
        **dict.fromkeys(("purpose", "intended_use", "out_of_scope", "affected", "risk"), "x"),
        "model": {"name": "m", "training": "training", "holdout": "holdout", "exclude": ["note"]},
    }
    return (
        DatasetRecord.model_validate_json(json.dumps(dataset)),
        SystemRecord.model_validate_json(json.dumps(system)),
    )


def test_features_are_those_that_the_estimator_remembers():
    dataset, system = records()
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME[["x", "note"]], FRAME["late"])
    assert reading.features_of(fitted, list(FRAME), dataset, system) == ("x", "note")


def test_features_are_otherwise_all_but_label_subject_time_and_excluded():
    dataset, system = records()
    fitted = LogisticRegression().fit(FRAME[["x"]].to_numpy(), FRAME["late"])
    assert reading.features_of(fitted, list(FRAME), dataset, system) == ("x",)
