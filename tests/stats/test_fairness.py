"""Rates of groups are compared with intervals: a pass and a failure both have to be shown."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_pipelines.core.verdict import Status
from aims_pipelines.measure import profile_table
from aims_pipelines.stats.fairness import rate_gap, rate_ratio
from aims_pipelines.stats.groups import GroupCount, sizes, value_counts
from aims_pipelines.stats.profile import GroupSpec


def group(selected, total):
    return GroupCount(selected=selected, total=total)


groups = st.dictionaries(
    st.sampled_from("abcdef"),
    st.integers(0, 3000).flatmap(lambda n: st.builds(group, st.integers(0, n), st.just(n))),
    max_size=6,
)


def test_a_gap_that_is_shown_to_be_too_large_fails_and_names_the_groups():
    (finding,) = rate_gap(
        {"a": group(500, 1000), "b": group(300, 1000)}, limit=0.1, min_group_size=50, attribute="sex"
    )
    assert finding.status is Status.FAIL
    assert finding.target == "sex"
    assert finding.observed == pytest.approx(0.2)
    assert finding.interval[0] > 0.1
    assert "a 0.500 against b 0.300" in finding.reason


def test_the_same_gap_in_few_rows_is_inconclusive_and_says_how_many_are_needed():
    (finding,) = rate_gap({"a": group(50, 100), "b": group(38, 100)}, limit=0.1, min_group_size=50)
    assert finding.status is Status.INCONCLUSIVE
    factor = finding.rows_needed / 200
    (settled,) = rate_gap(
        {
            "a": group(round(50 * factor), round(100 * factor)),
            "b": group(round(38 * factor), round(100 * factor)),
        },
        limit=0.1,
        min_group_size=50,
    )
    assert settled.status is Status.FAIL


def test_parity_in_many_rows_passes_and_in_few_rows_does_not():
    large, small = (
        {"a": group(5000, 10_000), "b": group(5050, 10_000)},
        {"a": group(50, 100), "b": group(50, 100)},
    )
    assert rate_gap(large, limit=0.1, min_group_size=50)[0].status is Status.PASS
    assert rate_gap(small, limit=0.1, min_group_size=50)[0].status is Status.INCONCLUSIVE
    assert rate_ratio(large, limit=0.8, min_group_size=50)[0].status is Status.PASS
    assert rate_ratio(small, limit=0.8, min_group_size=50)[0].status is Status.INCONCLUSIVE


def test_each_group_too_small_to_compare_is_a_finding_of_its_own():
    main, small = rate_gap(
        {"a": group(5000, 10_000), "b": group(5050, 10_000), "c": group(0, 9)},
        limit=0.1,
        min_group_size=10,
        attribute="race",
    )
    assert main.status is Status.PASS
    assert (small.target, small.status, small.n) == ("race=c", Status.INCONCLUSIVE, 9)


@pytest.mark.parametrize("limit", [math.nan, -0.1, 1.5, math.inf])
def test_a_limit_that_is_no_fraction_never_passes(limit):
    same = {"a": group(500, 1000), "b": group(500, 1000)}
    for judge in (rate_gap, rate_ratio):
        assert judge(same, limit=limit, min_group_size=1)[0].status is Status.INCONCLUSIVE
        assert judge(same, limit=0.5, min_group_size=1, confidence=limit)[0].status is Status.INCONCLUSIVE


def test_counts_that_cannot_be_never_pass_nor_fail():
    wrong = {"a": group(11, 10), "b": group(5, 10)}
    for judge in (rate_gap, rate_ratio):
        assert judge(wrong, limit=0.9, min_group_size=1)[0].status is Status.INCONCLUSIVE


@given(groups, st.floats(0.0, 1.0), st.integers(0, 100))
def test_a_pass_needs_two_groups_and_an_interval_within_the_limit(counts, limit, smallest):
    for judge, good in ((rate_gap, lambda value: value <= limit), (rate_ratio, lambda value: value >= limit)):
        finding, *small = judge(counts, limit=limit, min_group_size=smallest)
        judged = [count for count in counts.values() if count.total >= max(1, smallest)]
        assert len(small) == len(counts) - len(judged)
        if finding.status is Status.PASS:
            assert len(judged) >= 2
            assert all(good(end) for end in finding.interval)
        if finding.status is Status.FAIL:
            assert not any(good(end) for end in finding.interval)
        if finding.observed is not None:
            low, high = finding.interval
            assert low - 1e-9 <= finding.observed <= high + 1e-9


def test_gap_and_ratio_agree_with_fairlearn():
    fairlearn = pytest.importorskip("fairlearn.metrics")
    rng = np.random.default_rng(2)
    who = rng.choice(["x", "y", "z"], 4000, p=[0.2, 0.3, 0.5])
    chosen = (rng.random(4000) < np.select([who == "x", who == "y"], [0.3, 0.42], 0.5)).astype(int)
    counts = {
        str(level): group(int(chosen[who == level].sum()), int((who == level).sum())) for level in set(who)
    }
    difference = fairlearn.demographic_parity_difference(chosen, chosen, sensitive_features=who)
    quotient = fairlearn.demographic_parity_ratio(chosen, chosen, sensitive_features=who)
    assert rate_gap(counts, limit=0.1, min_group_size=1)[0].observed == pytest.approx(difference)
    assert rate_ratio(counts, limit=0.8, min_group_size=1)[0].observed == pytest.approx(quotient)


def test_the_four_fifths_rule_on_small_equal_groups_hardly_ever_cries_wolf():
    rng = np.random.default_rng(4)
    failed = sum(
        rate_ratio(
            {"a": group(int(rng.binomial(50, 0.4)), 50), "b": group(int(rng.binomial(50, 0.4)), 50)},
            limit=0.8,
            min_group_size=10,
        )[0].status
        is Status.FAIL
        for _ in range(500)
    )
    assert failed / 500 < 0.02


def test_simultaneous_limits_of_the_largest_gap_cover_it():
    rng = np.random.default_rng(5)
    rates, members = (0.2, 0.25, 0.32, 0.22, 0.3), (40, 60, 200, 500, 90)
    covered = 0
    for _ in range(600):
        counts = {
            str(index): group(int(rng.binomial(n, rate)), n)
            for index, (rate, n) in enumerate(zip(rates, members, strict=True))
        }
        low, high = rate_gap(counts, limit=0.1, min_group_size=1)[0].interval
        covered += low <= 0.12 <= high
    assert covered / 600 >= 0.945


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (["yes", "no", "yes", None, "no", "yes"], "yes"),
        ([1, 0, 1, None, 0, 1], 1),
        ([1.0, 0.0, 1.0, None, 0.0, 1.0], 1),
        ([True, False, True, None, False, True], True),
    ],
)
def test_rates_are_read_from_profiles_whatever_the_label_is_stored_as(values, positive):
    table = pa.table({"label": pa.array(values), "sex": ["f", "f", "f", "m", "m", "m"]})
    profile = profile_table(table, groups=(GroupSpec(columns=("sex",)),), rows=False)
    counts = value_counts(profile, grouping="sex", column="label", value=positive)
    assert counts == {"f": group(2, 3), "m": group(1, 2)}
    assert sizes(profile, grouping="sex") == {"f": 3, "m": 3}
    assert value_counts(profile, grouping="age", column="label", value=positive) == {}


def test_members_of_intersections_are_counted_from_real_rows(real_data):
    frame = pd.read_csv(real_data / "adult-test.csv")
    table = pa.Table.from_pandas(frame[["race", "sex", "income"]], preserve_index=False)
    profile = profile_table(table, groups=(GroupSpec(columns=("race", "sex")),), rows=False)
    counts = value_counts(profile, grouping="race & sex", column="income", value=">50K")
    expected = frame.assign(rich=frame.income == ">50K").groupby(["race", "sex"]).rich.agg(["sum", "count"])
    assert sorted((item.selected, item.total) for item in counts.values()) == sorted(
        (int(row["sum"]), int(row["count"])) for _, row in expected.iterrows()
    )
