"""What is too little, too much alike or no number never passes, never raises, and says why.

Every public statistic of groups and models that answers with findings, intervals or estimates is here: one that is
not fails the first test.
"""

import importlib
import inspect
import json
import math
import pkgutil
import re

import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines import stats
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.measure import profile_table
from aims_pipelines.stats import calibration, classification, estimates, fairness, gaps, intervals, regression
from aims_pipelines.stats.amplification import DecisionCount, bias_amplification
from aims_pipelines.stats.drift import compare
from aims_pipelines.stats.false_alarms import false_alarms
from aims_pipelines.stats.groups import GroupCount
from aims_pipelines.stats.profile import GroupSpec
from aims_pipelines.stats.proxies import proxy_findings, proxy_strength
from aims_pipelines.stats.rows import duplicate_rows, shared_rows

NAN, INF = math.nan, math.inf


def _variance(values):
    return float(np.var(values)) if len(values) else NAN


#: Estimates from two columns: labels and decisions, labels and scores, or outcomes and predictions.
OF_ROWS = {
    "roc_auc": classification.roc_auc,
    "accuracy": classification.accuracy,
    "balanced_accuracy": classification.balanced_accuracy,
    "gain": lambda truth, predicted: classification.gain(truth, predicted, 0.0),
    "calibration_error": calibration.calibration_error,
    "observed_to_expected": calibration.observed_to_expected,
    "mean": lambda truth, predicted: estimates.mean(truth - predicted),
    "mean_absolute_error": regression.mean_absolute_error,
    "unexplained": lambda truth, predicted: regression.unexplained(
        truth, predicted, variance=_variance(truth)
    ),
    "r_squared": regression.r_squared,
    "absolute_gain": lambda truth, predicted: regression.absolute_gain(truth, predicted, 0.0),
    "scaled": lambda truth, predicted: regression.scaled(estimates.mean(truth - predicted), _variance(truth)),
    "difference": lambda truth, predicted: estimates.difference(
        estimates.mean(truth), estimates.mean(predicted)
    ),
}
#: Intervals and estimates of counts: how many, of how many.
OF_COUNTS = {
    "wilson": lambda x, n, c: intervals.wilson(x, n, confidence=c),
    "newcombe": lambda x, n, c: intervals.newcombe(x, n, 3, 7, confidence=c),
    "newcombe, other": lambda x, n, c: intervals.newcombe(3, 7, x, n, confidence=c),
    "ratio": lambda x, n, c: intervals.ratio(x, n, 3, 7, confidence=c),
    "ratio, other": lambda x, n, c: intervals.ratio(3, 7, x, n, confidence=c),
    "paired": lambda x, n, c: intervals.paired(x, 0, n, confidence=c),
    "paired, other": lambda x, n, c: intervals.paired(0, x, n, confidence=c),
    "rate": lambda x, n, c: classification.rate(x, n).interval(c),
}
#: Findings about groups of which some number are selected.
OF_GROUPS = {
    "rate_gap": lambda groups, limit, confidence: fairness.rate_gap(
        groups, limit=limit, min_group_size=1, confidence=confidence
    ),
    "rate_ratio": lambda groups, limit, confidence: fairness.rate_ratio(
        groups, limit=limit, min_group_size=1, confidence=confidence
    ),
    "bias_amplification": lambda groups, limit, confidence: [
        bias_amplification(
            {
                name: DecisionCount(total=group.total, positive=group.selected, wrongly_selected=0, missed=0)
                for name, group in groups.items()
            },
            limit=limit,
            confidence=confidence,
        )
    ],
    "largest_gap": lambda groups, limit, confidence: [
        gaps.largest_gap(
            {name: classification.rate(group.selected, group.total) for name, group in groups.items()},
            limit=limit,
            confidence=confidence,
            target="sex",
            measure="rate",
        )
    ],
}
#: Findings about a table with a protected attribute.
OF_TABLES = {
    "proxy_findings": lambda profile, limit, confidence: proxy_findings(
        profile, grouping="sex", limit=limit, min_group_size=10, confidence=confidence
    ),
}
#: Tested for the same elsewhere: they need profiles of two windows, or take findings apart.
ELSEWHERE = {
    "compare": compare,  # test_drift
    "false_alarms": false_alarms,  # test_false_alarms
    "proxy_strength": proxy_strength,  # by proxy_findings
    "duplicate_rows": duplicate_rows,
    "shared_rows": shared_rows,
    "group_calibration": calibration.group_calibration,  # test_calibration: for it one group is enough
    "outcome_bins": regression.outcome_bins,  # below
    "unknown": estimates.unknown,
    "share": estimates.share,  # by test_expected_performance
    "column_finding": None,
    "group_findings": None,
    "inconclusive": None,
}
#: Modules of which every statistic is asked here; those about series of windows have tests of their own.
_HERE = {
    "amplification",
    "calibration",
    "classification",
    "drift",
    "drift_findings",
    "estimates",
    "fairness",
    "false_alarms",
    "gaps",
    "intervals",
    "proxies",
    "regression",
    "rows",
}
_ANSWERS = {
    "Finding",
    "tuple[Finding, ...]",
    "list[Finding]",
    "Estimate",
    "tuple[tuple[float, Estimate], ...]",
    "tuple[float, float]",
    "Strength | None",
    "RowCount",
    "FalseAlarms",
}


def test_every_statistic_with_findings_or_intervals_is_asked():
    public = set()
    for module in pkgutil.iter_modules(stats.__path__):
        if module.name not in _HERE:
            continue
        loaded = importlib.import_module(f"{stats.__name__}.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            answer = inspect.formatannotation(inspect.signature(function).return_annotation)
            answer = re.sub(r"aims_pipelines\.[\w.]+\.", "", answer)
            mine = function.__module__ == loaded.__name__ and not name.startswith("_")
            if mine and answer in _ANSWERS:
                public.add(name)
    asked = {
        name.split(",")[0]
        for table in (OF_ROWS, OF_COUNTS, OF_GROUPS, OF_TABLES, ELSEWHERE)
        for name in table
    }
    assert len(public) > 25
    assert public <= asked


ROWS = {
    "empty": ([], []),
    "one row": ([1.0], [1.0]),
    "all null": ([NAN, NAN, NAN], [NAN, NAN, NAN]),
    "a missing label": ([1.0, NAN, 0.0, 1.0, 0.0], [0.5, 0.5, 0.25, 1.0, 0.0]),
    "a missing prediction": ([1.0, 0.0, 0.0, 1.0, 0.0], [0.5, NAN, 0.25, 1.0, 0.0]),
    "infinite": ([1.0, 0.0, 0.0, 1.0, 0.0], [0.5, INF, 0.25, 1.0, 0.0]),
    "constant": ([1.0] * 6, [1.0] * 6),
    "constant and wrong": ([1.0] * 6, [0.0] * 6),
}
#: What has a figure on rows that would give others none: shares of a few rows, with an interval that says how few.
_SHARES = {"accuracy", "gain", "calibration_error", "balanced_accuracy", "observed_to_expected"}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("name", OF_ROWS)
def test_rows_that_tell_nothing_give_no_figure_or_a_wide_interval(name, rows):
    truth, predicted = (np.array(column) for column in ROWS[rows])
    with np.errstate(all="ignore"):
        estimate = OF_ROWS[name](truth, predicted)
        low, high = estimate.interval(0.95)
    if estimate.known:
        assert name in _SHARES
        assert low <= estimate.value <= high
        assert high - low > 0.3
    else:
        assert math.isnan(low)
        assert math.isnan(high)


@pytest.mark.parametrize("confidence", [NAN, 0.0, 1.0, -0.5, 2.0])
@pytest.mark.parametrize("name", OF_ROWS)
def test_a_confidence_that_is_none_gives_no_interval(name, confidence):
    draw = np.random.default_rng(1)
    truth, predicted = (draw.random(50) < 0.5).astype(float), draw.random(50)
    assert all(math.isnan(end) for end in OF_ROWS[name](truth, predicted).interval(confidence))


@pytest.mark.parametrize("name", OF_COUNTS)
@pytest.mark.parametrize(
    ("x", "n", "confidence"),
    [(-1, 5, 0.95), (6, 5, 0.95), (NAN, 5, 0.95), (1, NAN, 0.95), (1, INF, 0.95), (1, -5, 0.95)]
    + [(1, 5, confidence) for confidence in (NAN, 0.0, 1.0, -0.5, 2.0)],
)
def test_counts_that_cannot_be_give_no_interval(name, x, n, confidence):
    assert all(math.isnan(end) for end in OF_COUNTS[name](x, n, confidence))


@pytest.mark.parametrize("name", [name for name in OF_COUNTS if name != "rate"])
def test_no_trials_leave_everything_open(name):
    low, high = OF_COUNTS[name](0, 0, 0.95)
    assert low in {0.0, -1.0}
    assert high >= 1.0


def _groups(*counts):
    return {f"group {index}": GroupCount(selected=x, total=n) for index, (x, n) in enumerate(counts)}


GROUPS = {
    "empty": _groups(),
    "single group": _groups((400, 1000)),
    "groups without members": _groups((0, 0), (0, 0)),
    "one row each": _groups((1, 1), (1, 1)),
    "one row against many": _groups((0, 1), (0, 1000)),
    "more selected than members": _groups((11, 10), (5, 10)),
    "fewer than none": _groups((-1, 10), (5, 10)),
}


@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("name", OF_GROUPS)
def test_groups_that_tell_nothing_are_inconclusive_and_say_why(name, groups):
    # Limits that would let rates of a few rows pass are no limits: 0.8 for a gap, 0.1 for a ratio.
    for limit in (0.8, 0.95) if name == "rate_ratio" else (0.0, 0.1, 0.3):
        _inconclusive(OF_GROUPS[name](GROUPS[groups], limit, 0.95))


@pytest.mark.parametrize(
    ("limit", "confidence"),
    [(NAN, 0.95), (-0.1, 0.95), (INF, 0.95), (-INF, 0.95), (0.1, NAN), (0.1, 0.0), (0.1, 1.0), (0.1, -1.0)],
)
@pytest.mark.parametrize("name", [*OF_GROUPS, *OF_TABLES])
def test_a_limit_or_confidence_that_is_none_is_inconclusive(name, limit, confidence):
    if name in OF_GROUPS:
        _inconclusive(OF_GROUPS[name](_groups((500, 1000), (500, 1000)), limit, confidence))
    else:
        _inconclusive(OF_TABLES[name](_profile(["f", "m"] * 500, np.arange(1000.0)), limit, confidence))


TABLES = {
    "empty": ([], []),
    "one row": (["f"], [1.0]),
    "two rows": (["f", "m"], [1.0, 2.0]),
    "all null": ([None] * 500, [None] * 500),
    "feature all null": (["f", "m"] * 250, [None] * 500),
    "feature all NaN": (["f", "m"] * 250, [NAN] * 500),
    "single group": (["f"] * 500, list(np.arange(500.0))),
    "a few of each": (["f", "m"] * 6, list(np.arange(12.0))),
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", OF_TABLES)
def test_tables_that_tell_nothing_are_inconclusive_and_say_why(name, table):
    for limit in (0.0, 0.5, 0.99):
        _inconclusive(OF_TABLES[name](_profile(*TABLES[table]), limit, 0.95))


@pytest.mark.parametrize("rows", ROWS)
def test_bins_of_rows_that_tell_nothing_are_left_out(rows):
    truth, predicted = (np.array(column) for column in ROWS[rows])
    assert all(outcome.known for _, outcome in regression.outcome_bins(truth, predicted))


def _profile(sex, feature):
    table = pa.table({"sex": pa.array(sex, pa.string()), "x": pa.array(feature, pa.float64())})
    return profile_table(table, groups=(GroupSpec(columns=("sex",)),), rows=False)


def _inconclusive(findings):
    findings = list(findings)
    assert findings
    for finding in findings:
        assert isinstance(finding, Finding)
        assert (finding.status, bool(finding.reason)) == (Status.INCONCLUSIVE, True)
        # What is recorded is JSON: no NaN, no infinity.
        json.dumps([finding.observed, finding.limit, finding.interval], allow_nan=False)
