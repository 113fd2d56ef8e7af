"""Pooling settles what small windows leave open, and lets nothing through that hides among others."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines.core.verdict import Status
from aims_pipelines.storage.pooling import MOST_POOLED, JudgedWindow, poolable_windows

POOL = {"drift_inconclusive": "pool"}
RECORD = {
    "protected": [{"column": "sex"}],
    "label": {"column": "granted", "positive": "yes"},
    "columns": {"id": {"unique": True}},
    "pairs": [["amount", "income"]],
}


def window(rows, *, seed, shift=0.0, strength=0.5):
    rng = np.random.default_rng(seed)
    income = rng.normal(0, 1, rows)
    return pa.table(
        {
            "id": [f"{seed}-{number}" for number in range(rows)],
            "sex": rng.choice(["f", "m"], rows),
            "amount": strength * income + np.sqrt(1 - strength**2) * rng.normal(0, 1, rows) + shift,
            "income": income,
            "granted": rng.choice(["yes", "no"], rows),
        }
    )


REFERENCE = window(20_000, seed=1)
GOOD = [window(1_000, seed=seed) for seed in range(10, 25)]


def judged(build, answer, table, preceding, **more):
    fields = {"record": RECORD, "limits": POOL, "reference": REFERENCE, **more}
    return answer("drift", build(table, preceding=preceding, **fields))


def test_good_windows_pass_together(build, answer):
    verdict = judged(build, answer, window(1_000, seed=2), GOOD)
    assert verdict.status is Status.PASS
    assert all("windows before it" in item.reason for item in verdict.findings)


@pytest.mark.parametrize(
    ("change", "target"),
    [({"shift": 0.1}, "amount"), ({"strength": 0.38}, "amount × income")],
    ids=["column", "pair"],
)
def test_ten_small_windows_find_what_one_of_all_their_rows_finds(build, answer, change, target):
    large = judged(build, answer, window(10_000, seed=3, **change), ())
    assert target in {item.target for item in large.problems if item.status is Status.FAIL}
    small = [window(1_000, seed=seed, **change) for seed in range(40, 50)]
    assert judged(build, answer, small[0], ()).status is Status.INCONCLUSIVE
    pooled = judged(build, answer, small[0], small[1:])
    assert target in {item.target for item in pooled.problems if item.status is Status.FAIL}


@pytest.mark.parametrize("rows", [10, 60, 100])
@pytest.mark.parametrize(
    "change", [{"shift": 0.5}, {"strength": -0.5}, {}], ids=["moved", "turned round", "good"]
)
def test_a_window_too_small_to_answer_for_itself_is_not_let_through_by_others(build, answer, rows, change):
    verdict = judged(build, answer, window(rows, seed=5, **change), GOOD)
    assert verdict.status is not Status.PASS
    if verdict.status is Status.INCONCLUSIVE and rows >= 60:
        assert any("would thin out" in item.reason for item in verdict.problems)
        assert all(item.remedy for item in verdict.problems)


def test_the_reference_is_no_window_before_itself(build, answer):
    bad = window(500, seed=6, shift=0.1)
    alone = judged(build, answer, bad, ())
    verdict = judged(build, answer, bad, (REFERENCE,))
    assert alone.status is verdict.status is Status.INCONCLUSIVE
    assert all("not pooled; 1 window left out for rows" in item.reason for item in verdict.findings)


def test_the_same_rows_tried_again_and_again_are_one_window(build, answer):
    """Somebody changes a single row each time, so that every attempt has another digest."""
    attempt = window(1_000, seed=7, shift=0.12)
    tries = []
    for number in range(12):
        amount = attempt.column("amount").to_numpy().copy()
        amount[number] += 0.001
        tries.append(attempt.set_column(2, "amount", pa.array(amount)))
    verdict = judged(build, answer, tries[0], tries[1:])
    assert verdict.status is Status.INCONCLUSIVE
    assert "11 windows left out" in verdict.problems[0].reason
    without_key = {**RECORD, "columns": {}}
    assert judged(build, answer, tries[0], tries[1:], record=without_key).status is Status.INCONCLUSIVE


def test_rows_of_few_codes_that_come_again_by_chance_are_pooled(build, answer):
    """Sixteen different rows in all: every window holds the rows of the others."""

    def codes(rows, *, seed):
        rng = np.random.default_rng(seed)
        return pa.table({name: rng.choice(["x", "y"], rows) for name in ("a", "b", "c", "d")})

    earlier = [codes(500, seed=seed) for seed in range(20, 40)]
    fields = {"record": {}, "reference": codes(20_000, seed=1)}
    assert judged(build, answer, codes(500, seed=2), (), **fields).status is Status.INCONCLUSIVE
    verdict = judged(build, answer, codes(500, seed=2), earlier, **fields)
    assert verdict.status is Status.PASS
    assert not any("left out" in item.reason for item in verdict.findings)


def test_a_source_that_creeps_is_refused_before_it_has_gone_far(build, answer):
    """Each window is a fiftieth of a standard deviation further, and pooled with the newest, not the oldest."""
    before: list[pa.Table] = []
    for step in range(25):
        candidate = window(1_000, seed=100 + step, shift=0.02 * step)
        if judged(build, answer, candidate, tuple(reversed(before))[:20]).status is Status.FAIL:
            break
        before.append(candidate)
    assert 0.02 * step <= 0.25


def test_a_lucky_window_of_a_source_that_has_drifted_is_held_to_the_refused_ones_before_it(build, answer):
    refused = [window(1_000, seed=seed, shift=0.3) for seed in range(60, 66)]
    lucky = window(1_000, seed=8, shift=0.12)
    assert judged(build, answer, lucky, ()).status is Status.INCONCLUSIVE
    assert judged(build, answer, lucky, (*refused, *GOOD)).status is Status.FAIL


def test_windows_of_another_shape_are_passed_over(build, answer):
    other = [table.append_column("note", pa.array(["x"] * table.num_rows)) for table in GOOD[:3]]
    verdict = judged(
        build, answer, window(1_000, seed=2), (*other, *GOOD), record={**RECORD, "extra_columns": "allow"}
    )
    assert verdict.status is Status.PASS
    assert all("3 windows left out for other columns" in item.reason for item in verdict.findings)


# -- which windows there are -------------------------------------------------------------------------------------

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def seen(*windows):
    return [
        JudgedWindow(at=DAY + timedelta(days=day), partition=partition, digest=digest)
        for day, partition, digest in windows
    ]


def test_the_newest_windows_come_first_and_only_so_many():
    many = seen(*((day, f"p{day}", f"d{day}") for day in range(30)))
    assert poolable_windows(many, partition="p30") == [f"d{day}" for day in range(29, 29 - MOST_POOLED, -1)]


def test_a_partition_is_one_window_and_never_pooled_with_itself():
    windows = seen((1, "a", "a1"), (2, "b", "b1"), (3, "b", "b2"), (4, "c", "c1"), (5, "c", "c2"))
    assert poolable_windows(windows, partition="c") == ["b2", "a1"]


@pytest.mark.parametrize("key", ["p", ""], ids=["partition", "same rows"])
def test_computing_an_old_window_again_does_not_make_it_a_new_one(key):
    first, second = (f"{key}{number}" if key else "" for number in (1, 2))
    windows = seen((1, first, "good"), (2, second, "doubtful"), (3, first, "good"))
    assert poolable_windows(windows, partition="") == ["doubtful", "good"]


def repeating(rows, *, seed):
    """Rows of few values, some of which come again within a window."""
    rng = np.random.default_rng(seed)
    return pa.table({name: rng.poisson(30, rows) for name in ("a", "b", "c")})


def test_windows_cut_from_the_reference_are_told_though_rows_come_again_by_chance(build, answer):
    reference = repeating(10_000, seed=1)
    slices = [reference.slice(start, 1_000) for start in range(0, 8_000, 1_000)]
    fields = {"record": {}, "reference": reference}
    verdict = judged(build, answer, repeating(1_000, seed=2), slices, **fields)
    assert verdict.status is Status.INCONCLUSIVE
    assert all("8 windows left out for rows" in item.reason for item in verdict.problems)
    fresh = [repeating(1_000, seed=seed) for seed in range(10, 18)]
    together = judged(build, answer, repeating(1_000, seed=2), fresh, **fields)
    assert not any("left out" in item.reason for item in together.findings)


def test_one_window_in_other_orders_is_one_window(build, answer):
    once = repeating(1_000, seed=3)
    order = np.random.default_rng(4)
    again = [once.take(pa.array(order.permutation(1_000))) for _ in range(6)]
    verdict = judged(
        build, answer, repeating(1_000, seed=2), again, record={}, reference=repeating(10_000, seed=1)
    )
    assert all("5 windows left out for rows" in item.reason for item in verdict.problems)
