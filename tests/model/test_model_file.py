"""Models as bytes: what is safe survives the round trip, and nothing else is ever built from a file."""

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from aims_pipelines.core.errors import GateRefused
from aims_pipelines.resources.model_file import load_model, save_model

ROWS = pd.DataFrame({"a": np.arange(120.0), "b": np.arange(120) % 7})
LABEL = (ROWS["a"] % 5 > 2).astype(int)


def own_function(values):
    return values


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        SVC(),
        DecisionTreeClassifier(),
        RandomForestClassifier(5),
        GradientBoostingClassifier(n_estimators=5),
        HistGradientBoostingClassifier(max_iter=5),
        KNeighborsClassifier(),
        MLPClassifier(max_iter=20),
        CalibratedClassifierCV(LogisticRegression()),
        CalibratedClassifierCV(DecisionTreeClassifier(), method="isotonic"),
        VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier())]),
        StackingClassifier([("a", LogisticRegression())]),
        make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_ordinary_models_need_no_permission_and_predict_the_same_again(estimator):
    fitted = estimator.fit(ROWS, LABEL)
    file = save_model(fitted)
    assert file.safe, file
    assert (load_model(file.content).predict(ROWS) == fitted.predict(ROWS)).all()


def test_a_function_of_ones_own_is_named_and_loads_only_where_it_is_allowed():
    fitted = make_pipeline(FunctionTransformer(own_function), LogisticRegression()).fit(ROWS, LABEL)
    name = f"{own_function.__module__}.own_function"
    file = save_model(fitted)
    assert file.untrusted == (name,)
    assert not file.safe
    with pytest.raises(GateRefused, match="types that nobody allowed"):
        load_model(file.content)
    allowed = save_model(fitted, trusted=[name])
    assert allowed.safe


def test_a_type_that_the_format_cannot_hold_is_a_problem_not_a_crash():
    class Odd:
        def __reduce__(self):
            raise RuntimeError("customer 4711")

    file = save_model(Odd())
    assert not file.safe
    assert "4711" not in file.problem


class Hostile:
    def __reduce__(self):
        return os.system, ("touch /tmp/aims-should-not-exist",)


@pytest.mark.parametrize(
    "content",
    [b"", b"not a zip", pickle.dumps(Hostile()), pickle.dumps(LogisticRegression())],
    ids=["empty", "text", "hostile pickle", "honest pickle"],
)
def test_bytes_in_another_format_are_refused(content):
    with pytest.raises(GateRefused, match="Refused to load"):
        load_model(content)


def test_a_file_that_asks_for_a_dangerous_function_is_refused_before_it_runs():
    original = save_model(make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(ROWS, LABEL))
    with zipfile.ZipFile(io.BytesIO(original.content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members["schema.json"])
    members["schema.json"] = json.dumps(_named_otherwise(schema)).encode()
    forged = io.BytesIO()
    with zipfile.ZipFile(forged, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(GateRefused, match=r"posix\.system"):
        load_model(forged.getvalue())


def _named_otherwise(node):
    """The schema with numpy's log1p replaced by the system call, as an attacker would write it."""
    if isinstance(node, dict):
        if node.get("__class__") == "log1p":
            return node | {"__class__": "system", "__module__": "posix"}
        return {key: _named_otherwise(item) for key, item in node.items()}
    return [_named_otherwise(item) for item in node] if isinstance(node, list) else node
