"""A gap that decisions make larger than the labels had it is found, with an interval of paired rows."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_pipelines.core.verdict import Status
from aims_pipelines.stats.amplification import DecisionCount, bias_amplification, largest_growth
from aims_pipelines.stats.estimates import difference
from aims_pipelines.stats.intervals import newcombe, paired

WIDER = {
    "a": DecisionCount(total=1000, positive=300, wrongly_selected=80, missed=40),
    "b": DecisionCount(total=1000, positive=200, wrongly_selected=30, missed=90),
}


def counted(who, truth, chosen):
    return {
        str(level): DecisionCount(
            total=int((who == level).sum()),
            positive=int(truth[who == level].sum()),
            wrongly_selected=int((chosen & ~truth)[who == level].sum()),
            missed=int((truth & ~chosen)[who == level].sum()),
        )
        for level in np.unique(who)
    }


def wang_and_russakovsky(who, truth, chosen):
    """Directional bias amplification, attribute to task, written out from its definition (2021, equation 2)."""
    total = 0.0
    for level in np.unique(who):
        inside = who == level
        together = (inside & truth).mean() > inside.mean() * truth.mean()
        change = chosen[inside].mean() - truth[inside].mean()
        total += change if together else -change
    return total / len(np.unique(who))


@given(st.integers(0, 10_000))
def test_for_two_groups_it_is_twice_the_published_definition(seed):
    draw = np.random.default_rng(seed)
    who = draw.choice(["a", "b"], 400, p=[0.3, 0.7])
    truth = draw.random(400) < np.where(who == "a", 0.5, 0.3)
    chosen = np.where(draw.random(400) < 0.3, draw.random(400) < 0.4, truth)
    rates = [truth[who == level].mean() for level in "ab"]
    if rates[0] == rates[1]:
        return
    found = largest_growth(counted(who, truth, chosen))
    assert found.value == pytest.approx(2 * wang_and_russakovsky(who, truth, chosen))


def test_growth_is_the_selection_gap_less_the_label_gap():
    found = largest_growth(WIDER)
    assert (found.more, found.less) == ("a", "b")
    assert found.value == pytest.approx((0.34 - 0.14) - (0.3 - 0.2))


def test_the_interval_is_that_of_a_difference_of_paired_differences():
    one, other = paired(80, 40, 1000), paired(30, 90, 1000)
    gap, first, second = 0.1, 0.04, -0.06
    expected = (
        gap - math.hypot(first - one[0], other[1] - second),
        gap + math.hypot(one[1] - first, second - other[0]),
    )
    assert largest_growth(WIDER).interval == pytest.approx(expected)


def test_rows_on_which_decision_and_label_agree_hardly_widen_the_interval():
    low, high = largest_growth(WIDER).interval
    unpaired = newcombe(340, 1000, 140, 1000), newcombe(300, 1000, 200, 1000)
    as_if_independent = math.hypot(*(end - start for start, end in unpaired))
    assert high - low < 0.75 * as_if_independent


@pytest.mark.parametrize(
    ("limit", "expected"), [(0.05, Status.FAIL), (0.1, Status.INCONCLUSIVE), (0.15, Status.PASS)]
)
def test_the_whole_interval_decides(limit, expected):
    found = bias_amplification(WIDER, limit=limit, attribute="sex")
    assert found.status is expected
    assert found.target == "sex bias amplification"
    assert "0.300 to 0.200 in the labels, 0.340 to 0.140 in the decisions" in found.reason


def test_decisions_that_narrow_the_gap_pass_and_say_so_by_their_sign():
    narrowed = {
        "a": DecisionCount(total=1000, positive=300, wrongly_selected=30, missed=90),
        "b": DecisionCount(total=1000, positive=200, wrongly_selected=80, missed=40),
    }
    found = bias_amplification(narrowed, limit=0.0)
    assert (found.status, found.observed) == (Status.PASS, pytest.approx(-0.1))


def test_where_labels_show_no_direction_either_one_counts():
    apart = {
        "a": DecisionCount(total=500, positive=101, wrongly_selected=0, missed=80),
        "b": DecisionCount(total=500, positive=100, wrongly_selected=80, missed=0),
    }
    low, high = largest_growth(apart).interval
    plain = difference_of(apart)
    assert low == pytest.approx(min(plain[0], -plain[1]))
    assert high == pytest.approx(max(plain[1], -plain[0]))
    assert bias_amplification(apart, limit=0.1).status is not Status.PASS


def difference_of(groups):
    from aims_pipelines.stats.amplification import _excess

    return difference(_excess(groups["a"]), _excess(groups["b"])).interval(0.95)


def test_of_many_groups_the_widest_growth_is_named():
    found = bias_amplification(
        WIDER | {"c": DecisionCount(total=1000, positive=350, wrongly_selected=150, missed=20)}, limit=0.05
    )
    assert found.reason.startswith("c against b")
    assert found.interval[0] > 0.1


@pytest.mark.parametrize(
    ("groups", "options"),
    [
        ({}, {}),
        ({"a": WIDER["a"]}, {}),
        ({"a": WIDER["a"], "b": replace(WIDER["b"], total=0)}, {}),
        ({"a": WIDER["a"], "b": replace(WIDER["b"], missed=201)}, {}),
        ({"a": WIDER["a"], "b": replace(WIDER["b"], wrongly_selected=801)}, {}),
        ({"a": WIDER["a"], "b": replace(WIDER["b"], missed=-1)}, {}),
        (WIDER, {"limit": math.nan}),
        (WIDER, {"limit": -0.1}),
        (WIDER, {"confidence": 1.0}),
        (WIDER, {"confidence": math.nan}),
    ],
)
def test_what_cannot_be_compared_is_inconclusive_with_a_reason(groups, options):
    found = bias_amplification(groups, **({"limit": 0.9} | options))
    assert (found.status, bool(found.reason)) == (Status.INCONCLUSIVE, True)


@pytest.mark.parametrize(("sizes", "most"), [((50, 50), 0.965), ((100, 400), 0.96), ((10, 50), 0.985)])
def test_the_interval_covers_at_least_as_often_as_stated_and_hardly_more_where_groups_allow(sizes, most):
    draw, covered = np.random.default_rng(1), []
    for _ in range(150):
        # The labels differ enough that their direction is beyond doubt, so that nothing is added for it.
        shares = draw.uniform(0.02, 0.2, 4)
        truth = shares[0] - shares[1] - shares[2] + shares[3]
        for _ in range(6):
            groups = {}
            for name, n, p, q, label in (
                ("a", sizes[0], *shares[:2], 1.0),
                ("b", sizes[1], *shares[2:], 0.0),
            ):
                wrong, missed = draw.multinomial(n, [p, q, 1 - p - q])[:2]
                positive = missed if label == 0.0 else n - wrong
                groups[name] = DecisionCount(
                    total=n, positive=int(positive), wrongly_selected=int(wrong), missed=int(missed)
                )
            low, high = largest_growth(groups).interval
            covered.append(low <= truth <= high)
    assert 0.93 < np.mean(covered) < most + 0.01
