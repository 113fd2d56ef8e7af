from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines.core.verdict import NotApplicable, Status


def window(rows, *, seed, shift=0.0, inside=0.0):
    """Offers; ``shift`` moves every amount, ``inside`` those of one group only, in standard deviations."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], rows)
    amount = rng.normal(0, 1, rows) + shift + inside * (sex == "f")
    return pa.table(
        {
            "id": [f"{seed}-{number}" for number in range(rows)],
            "sex": sex,
            "city": rng.choice(["Ulm", "Kiel", "Bonn"], rows),
            "amount": amount,
            "granted": rng.choice(["yes", "no"], rows),
        }
    )


RECORD = {
    "protected": [{"column": "sex"}],
    "label": {"column": "granted", "positive": "yes"},
    "columns": {"id": {"unique": True}},
}
REFERENCE = window(20_000, seed=1)


def judged(build, answer, table, **more):
    return answer("drift", build(table, **{"record": RECORD, "reference": REFERENCE, **more}))


def test_the_first_version_becomes_the_reference(build, answer):
    verdict = judged(build, answer, window(100, seed=2), reference=None)
    assert isinstance(verdict, NotApplicable)
    assert "becomes the reference" in verdict.reason


def test_a_window_like_the_reference_passes_though_every_key_in_it_is_new(build, answer):
    assert judged(build, answer, window(10_000, seed=2)).status is Status.PASS


def test_the_reference_itself_passes_however_small_and_a_row_more_is_judged(build, answer):
    few = window(60, seed=1)
    same = build(few, record=RECORD, reference=few)
    verdict = answer("drift", replace(same, reference_digest=same.digest))
    assert verdict.status is Status.PASS
    assert "digest for digest" in verdict.findings[0].reason
    assert answer("drift", replace(same, reference_digest="sha256:other")).status is Status.INCONCLUSIVE
    assert answer("drift", replace(same, digest="", reference_digest="")).status is Status.INCONCLUSIVE


def test_a_shifted_column_fails_and_is_named(build, answer):
    verdict = judged(build, answer, window(10_000, seed=2, shift=0.3))
    assert verdict.status is Status.FAIL
    assert "amount" in {item.target for item in verdict.problems if item.status is Status.FAIL}
    assert not any("city" in item.target for item in verdict.problems if item.status is Status.FAIL)


def test_a_shift_inside_one_group_names_the_group(build, answer):
    verdict = judged(build, answer, window(10_000, seed=2, inside=0.6))
    failed = [item.target for item in verdict.problems if item.status is Status.FAIL]
    assert any("sex=f" in target and "amount" in target for target in failed)
    assert not any("sex=m" in target for target in failed)


@pytest.mark.parametrize(
    "table", [window(0, seed=2), window(1, seed=2), window(60, seed=2)], ids=["0", "1", "60"]
)
def test_a_window_too_small_to_show_anything_is_inconclusive(build, answer, table):
    assert judged(build, answer, table).status is Status.INCONCLUSIVE


def test_a_column_without_values_does_not_pass(build, answer):
    table = window(10_000, seed=2)
    empty = table.set_column(3, "amount", pa.nulls(10_000, pa.float64()))
    verdict = judged(build, answer, empty)
    assert verdict.status is Status.FAIL
    assert {item.target for item in verdict.problems if not item.target.startswith("sex=")} == {"amount"}


ACCEPT = {"drift_inconclusive": "accept"}


def test_policy_may_accept_an_inconclusive_answer_until_the_record_is_due_for_review(build, answer):
    small = window(60, seed=2)
    accepted = judged(build, answer, small, limits=ACCEPT, record={**RECORD, "review_by": "2026-03-02"})
    assert accepted.status is Status.PASS
    assert any("accepted by policy until" in item.reason for item in accepted.findings)
    late = judged(build, answer, small, limits=ACCEPT, record={**RECORD, "review_by": "2026-03-01"})
    assert late.status is Status.INCONCLUSIVE
    undated = judged(build, answer, small, limits=ACCEPT)
    assert undated.status is Status.INCONCLUSIVE
    assert any("review_by" in item.remedy for item in undated.problems)


def test_policy_cannot_accept_a_shown_shift(build, answer):
    record = {**RECORD, "review_by": "2026-12-31"}
    verdict = judged(build, answer, window(10_000, seed=2, shift=0.5), limits=ACCEPT, record=record)
    assert verdict.status is Status.FAIL


POOL = {"drift_inconclusive": "pool"}


def test_small_windows_are_pooled_with_the_ones_before_until_they_are_conclusive(build, answer):
    earlier = [window(1_000, seed=seed) for seed in range(10, 25)]
    alone = judged(build, answer, window(1_000, seed=2), limits=POOL)
    assert alone.status is Status.INCONCLUSIVE
    pooled = judged(build, answer, window(1_000, seed=2), limits=POOL, preceding=earlier)
    assert pooled.status is Status.PASS
    assert all("before it" in item.reason for item in pooled.findings)


def test_a_shift_that_one_small_window_cannot_show_is_shown_together_with_earlier_ones(build, answer):
    earlier = [window(300, seed=seed, shift=0.25) for seed in range(10, 25)]
    candidate = window(300, seed=2, shift=0.25)
    assert judged(build, answer, candidate, limits=POOL).status is Status.INCONCLUSIVE
    assert judged(build, answer, candidate, limits=POOL, preceding=earlier).status is Status.FAIL


def test_a_window_that_is_conclusive_by_itself_is_not_pooled(build, answer):
    shifted = judged(
        build, answer, window(10_000, seed=2, shift=0.3), limits=POOL, preceding=[window(10_000, seed=3)]
    )
    assert shifted.status is Status.FAIL
    assert not any("before it" in item.reason for item in shifted.findings)


def test_without_windows_before_it_an_inconclusive_answer_stays_one(build, answer):
    assert judged(build, answer, window(60, seed=2), limits=POOL).status is Status.INCONCLUSIVE


PAIRED = {**RECORD, "pairs": [["amount", "city"]]}


def linked(rows, *, seed, strength):
    """Offers whose amount depends on the city by a part of a standard deviation, at the same marginals."""
    rng = np.random.default_rng(seed)
    table = window(rows, seed=seed)
    city = np.array(table.column("city").to_pylist())
    amount = rng.normal(0, 1, rows) + strength * ((city == "Ulm") - 1.0 * (city == "Kiel"))
    return table.set_column(3, "amount", pa.array(amount))


def test_a_dependence_that_turned_round_is_found_by_its_pair_alone(build, answer):
    reference, turned = linked(20_000, seed=1, strength=0.6), linked(10_000, seed=2, strength=-0.6)
    verdict = judged(build, answer, turned, reference=reference, record=PAIRED)
    assert verdict.status is Status.FAIL
    assert [item.target for item in verdict.problems] == ["amount × city"]
    clean = linked(10_000, seed=3, strength=0.6)
    assert judged(build, answer, clean, reference=reference, record=PAIRED).status is Status.PASS
    assert judged(build, answer, turned, reference=reference).status is Status.PASS


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.drop(["city"]), "city is not a column of both windows"),
        (
            lambda table: table.set_column(3, "amount", pa.array(np.zeros(10_000).astype("datetime64[ms]"))),
            "only the reference window was profiled by this pair",
        ),
    ],
    ids=["no such column", "times"],
)
def test_a_declared_pair_that_cannot_be_judged_does_not_pass(build, answer, change, said):
    verdict = judged(build, answer, change(window(10_000, seed=2)), record=PAIRED, model=REFERENCE)
    told = {item.target: item for item in verdict.problems}
    assert told["amount × city"].status is Status.INCONCLUSIVE
    assert said in told["amount × city"].reason


def test_a_pair_of_columns_that_neither_window_has_does_not_pass(build, answer):
    record = {
        **RECORD,
        "pairs": [["amount", "town"]],
        "columns": {**RECORD["columns"], "town": {"type": "string"}},
    }
    verdict = judged(build, answer, window(10_000, seed=2), record=record)
    (finding,) = (item for item in verdict.problems if item.target == "amount × town")
    assert finding.status is Status.INCONCLUSIVE
    assert finding.reason == "town is not a column of both windows"


def test_identifiers_that_are_others_in_every_window_can_be_left_out(build, answer):
    rng = np.random.default_rng(21)

    def orders(window):
        codes = np.repeat(np.arange(6_000), 3)
        return pa.table({"order": [f"{window}-{code}" for code in codes], "amount": rng.normal(0, 1, 18_000)})

    judged = build(orders("b"), reference=orders("a"))
    (failed,) = answer("drift", judged).problems
    assert failed.target == "order"
    assert "'drift: false'" in failed.remedy
    left_out = build(orders("b"), reference=orders("a"), record={"columns": {"order": {"drift": False}}})
    assert answer("drift", left_out).status is Status.PASS
