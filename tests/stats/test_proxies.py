"""Features that stand in for a protected attribute are told by how well they predict it."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats.contingency import association

from aims_pipelines.core.verdict import Status
from aims_pipelines.measure import profile_frame, profile_table
from aims_pipelines.stats.profile import GroupSpec
from aims_pipelines.stats.proxies import proxy_findings, proxy_strength


def profile(columns):
    return profile_table(pa.table(columns), groups=(GroupSpec(columns=("sex",)),), rows=False)


def judged(columns, **options):
    settings = {"grouping": "sex", "limit": 0.5, "min_group_size": 10} | options
    return {finding.target: finding for finding in proxy_findings(profile(columns), **settings)}


def test_strength_agrees_with_cramers_v_of_scipy(real_data):
    frame = pd.read_csv(real_data / "adult-train.csv")[["sex", "relationship", "occupation", "race"]]
    measured = profile_frame(frame, groups=(GroupSpec(columns=("sex",)),))
    for feature in ("relationship", "occupation", "race"):
        columns = {level: group.columns[feature] for level, group in measured.groups["sex"].items()}
        table = pd.crosstab(frame.sex, frame[feature].fillna("?")).to_numpy()
        assert proxy_strength(columns).value == pytest.approx(association(table, method="cramer"), abs=0.003)


def test_the_known_proxy_in_real_data_is_found_and_ranked_first(real_data):
    frame = pd.read_csv(real_data / "adult-train.csv")
    findings = proxy_findings(
        profile_frame(frame, groups=(GroupSpec(columns=("sex",)),)),
        grouping="sex",
        limit=0.5,
        min_group_size=100,
    )
    assert findings[0].target == "relationship -> sex"
    assert findings[0].status is Status.FAIL
    assert all(finding.status is Status.PASS for finding in findings[1:])
    assert "sex -> sex" not in {finding.target for finding in findings}


def test_a_perfect_stand_in_has_strength_one_and_noise_none():
    rng = np.random.default_rng(0)
    women = rng.random(4000) < 0.3
    findings = judged(
        {
            "sex": np.where(women, "f", "m"),
            "title": np.where(women, "Ms", "Mr"),
            "height": rng.normal(170.0, 10.0, 4000) - 1000.0 * women,
            "noise": rng.standard_normal(4000),
            "missing if f": pa.array(np.ones(4000), mask=women),
        }
    )
    for name in ("title", "height", "missing if f"):
        assert findings[f"{name} -> sex"].observed == pytest.approx(1.0, abs=0.01)
        assert findings[f"{name} -> sex"].status is Status.FAIL
    assert findings["noise -> sex"].observed < 0.05
    assert findings["noise -> sex"].status is Status.PASS


def test_few_rows_can_show_neither():
    rng = np.random.default_rng(1)
    women = rng.random(40) < 0.5
    finding = judged({"sex": np.where(women, "f", "m"), "x": rng.standard_normal(40) + 1.2 * women})[
        "x -> sex"
    ]
    assert finding.status is Status.INCONCLUSIVE
    assert finding.interval[0] <= 0.5 < finding.interval[1]


def test_hashed_categories_are_judged_too():
    rng = np.random.default_rng(2)
    women = rng.random(30_000) < 0.5
    code = rng.integers(0, 3000, 30_000) + 3000 * women
    finding = judged({"sex": np.where(women, "f", "m"), "code": [f"k{value}" for value in code]})[
        "code -> sex"
    ]
    assert finding.observed > 0.2


@pytest.mark.parametrize(
    "columns",
    [
        {"sex": pa.array([], pa.string()), "x": pa.array([], pa.float64())},
        {"sex": ["f"], "x": [1.0]},
        {"sex": ["f"] * 500, "x": np.arange(500.0)},
        {"sex": ["f", "m"] * 3, "x": np.arange(6.0)},
        {"sex": ["f", "m"] * 500, "x": pa.array([None] * 1000, pa.float64())},
        {"sex": pa.array([None] * 500, pa.string()), "x": np.arange(500.0)},
    ],
    ids=["empty", "one row", "single group", "groups too small", "all null", "no group stated"],
)
def test_nothing_to_judge_by_is_inconclusive_with_a_reason(columns):
    findings = judged(columns)
    assert findings
    assert all(finding.status is Status.INCONCLUSIVE and finding.reason for finding in findings.values())


@pytest.mark.parametrize("limit", [math.nan, -1.0, 2.0])
def test_a_limit_that_is_no_fraction_is_inconclusive(limit):
    columns = {"sex": ["f", "m"] * 500, "x": np.arange(1000.0)}
    assert [finding.status for finding in judged(columns, limit=limit).values()] == [Status.INCONCLUSIVE]
    assert [finding.status for finding in judged(columns, confidence=limit).values()] == [Status.INCONCLUSIVE]


def test_rare_values_that_each_tell_the_group_are_not_taken_for_harmless():
    women = np.arange(400) % 2 == 0
    rare = np.arange(400) < 200
    code = np.where(
        rare, [f"{'f' if woman else 'm'}{index // 8}" for index, woman in enumerate(women)], "common"
    )
    finding = judged({"sex": np.where(women, "f", "m"), "code": code})["code -> sex"]
    assert finding.observed < 0.1
    assert finding.status is Status.INCONCLUSIVE
    assert finding.interval[1] > 0.65  # each rare value is of one group only: V is 0.7


@pytest.mark.parametrize("told", ["x", "nothing"])
def test_a_number_that_is_the_same_nearly_everywhere_is_bounded_by_what_the_few_others_could_tell(told):
    rng = np.random.default_rng(8)
    women = rng.random(1800) < 0.12
    others = rng.choice(np.flatnonzero(women) if told == "x" else 1800, 7, replace=False)
    x = np.zeros(1800)
    x[others] = np.arange(1.0, 8.0)
    finding = judged({"sex": np.where(women, "f", "m"), "x": x}, limit=0.5)["x -> sex"]
    assert finding.status is Status.PASS
    truth = association(pd.crosstab(women, x > 0).to_numpy(), method="cramer") if told == "x" else 0.0
    assert finding.interval[0] <= truth <= finding.interval[1]


@pytest.mark.parametrize(("rows", "share", "rest", "told"), [(1800, 0.12, 0.004, 1.0), (600, 0.3, 0.01, 0.9)])
def test_the_interval_covers_the_strength_of_a_number_that_is_the_same_nearly_everywhere(
    rows, share, rest, told
):
    rng, base, covered = np.random.default_rng(5), (share - rest * told) / (1.0 - rest), 0
    between = rest * (told - share) ** 2 + (1.0 - rest) * (base - share) ** 2
    truth = math.sqrt(between / (share * (1.0 - share)))
    for _ in range(150):
        x = np.where(rng.random(rows) < rest, rng.integers(1, 9, rows), 0).astype(float)
        women = rng.random(rows) < np.where(x > 0, told, base)
        measured = profile({"sex": np.where(women, "f", "m"), "x": x}).groups["sex"]
        strength = proxy_strength({level: group.columns["x"] for level, group in measured.items()})
        assert strength is not None
        covered += strength.interval[0] - 1e-12 <= truth <= strength.interval[1]
    assert covered / 150 >= 0.94


@pytest.mark.parametrize("codes", [41, 400])
def test_a_number_that_is_a_code_is_read_as_one(codes):
    rng = np.random.default_rng(2)
    women = rng.random(20_000) < 0.5
    code = rng.integers(1, codes, 20_000) * 2 + women
    harmless = rng.integers(1, 2 * codes, 20_000)
    findings = judged({"sex": np.where(women, "f", "m"), "code": code, "harmless": harmless})
    assert findings["code -> sex"].status is Status.FAIL
    assert findings["code -> sex"].observed > 0.95
    assert findings["harmless -> sex"].status is Status.PASS
    assert findings["harmless -> sex"].observed < 0.05


def test_perfect_agreement_of_a_few_rows_is_not_certainty():
    finding = judged({"sex": ["f", "m"] * 15, "title": ["Ms", "Mr"] * 15}, limit=0.95)["title -> sex"]
    assert finding.status is Status.INCONCLUSIVE
    assert finding.interval[0] < 0.9


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_a_feature_that_says_nothing_is_hardly_ever_failed_on_few_rows(share):
    rng, failed = np.random.default_rng(4), 0
    for _ in range(100):
        women = rng.random(120) < share
        findings = judged({"sex": np.where(women, "f", "m"), "x": rng.choice(list("abcd"), 120)}, limit=0.1)
        failed += any(finding.status is Status.FAIL for finding in findings.values())
    assert failed == 0


@pytest.mark.parametrize(
    ("rows", "share", "slope"),
    [(120, 0.5, 1.0), (200, 0.2, 1.0), (400, 0.3, 0.0), (400, 0.3, 0.6), (1500, 0.08, 1.0), (800, 0.5, 2.0)],
)
def test_the_interval_covers_the_true_strength_at_least_as_often_as_stated(rows, share, slope):
    rng = np.random.default_rng(3)
    cells = rng.dirichlet(np.full(8, 5.0))
    rates = 1.0 / (1.0 + np.exp(-(np.linspace(-2, 2, 8) * slope + math.log(share / (1.0 - share)))))
    mean = float(cells @ rates)
    truth = math.sqrt(float(cells @ (rates - mean) ** 2) / (mean * (1.0 - mean)))
    names = np.array([f"c{index}" for index in range(8)])
    covered = 0
    for _ in range(150):
        cell = rng.choice(8, rows, p=cells)
        women = rng.random(rows) < rates[cell]
        measured = profile({"sex": np.where(women, "f", "m"), "x": names[cell]}).groups["sex"]
        strength = proxy_strength({level: group.columns["x"] for level, group in measured.items()})
        covered += strength is None or strength.interval[0] - 1e-12 <= truth <= strength.interval[1]
    assert covered / 150 >= 0.94


@pytest.mark.parametrize(("codes", "rows"), [(1_000, 5), (1_000, 20), (200, 9)])
def test_a_code_is_heard_though_each_of_its_numbers_is_rare(codes, rows):
    code = np.repeat(np.arange(codes), rows)
    rng = np.random.default_rng(8)
    findings = judged(
        {"sex": np.where(code % 5 == 0, "f", "m"), "code": code, "other": rng.permutation(code)}, limit=0.5
    )
    assert findings["code -> sex"].status is Status.FAIL
    assert findings["code -> sex"].observed == pytest.approx(1.0, abs=0.01)
    assert findings["other -> sex"].status is Status.PASS
    assert findings["other -> sex"].observed < 0.2


@pytest.mark.parametrize(
    ("codes", "rows", "spread"), [(500, 4, 0.0), (500, 4, 0.35), (300, 8, 0.35), (100, 30, 0.2)]
)
def test_the_interval_covers_the_strength_of_a_code_of_few_rows_each(codes, rows, spread):
    """Rates of the codes are drawn once; the strength is that of these rates."""
    rng, covered, values = np.random.default_rng(9), 0, []
    rates = np.clip(0.5 + spread * rng.choice([-1.0, 1.0], codes), 0.0, 1.0)
    truth = math.sqrt(float(np.var(rates)) / (rates.mean() * (1.0 - rates.mean())))
    code = np.repeat(rng.permutation(codes), rows)
    for _ in range(100):
        women = rng.random(codes * rows) < rates[code]
        measured = profile({"sex": np.where(women, "f", "m"), "x": code}).groups["sex"]
        strength = proxy_strength({level: group.columns["x"] for level, group in measured.items()})
        assert strength is not None
        values.append(strength.value)
        covered += strength.interval[0] - 1e-12 <= truth <= strength.interval[1]
    assert covered >= 93
    assert np.mean(np.square(values)) == pytest.approx(truth**2, abs=0.02)
