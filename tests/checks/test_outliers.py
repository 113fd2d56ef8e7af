from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from aims_pipelines.checks.candidate import Treated
from aims_pipelines.checks.outliers import treat
from aims_pipelines.core.verdict import NotApplicable, Status

RNG = np.random.default_rng(3)
USUAL = RNG.normal(100, 15, 2_000)


def amounts(*, wild=0, value=1e7):
    values = USUAL.copy()
    values[:wild] = value
    return pa.table({"amount": values})


@pytest.mark.parametrize(("wild", "status"), [(0, Status.PASS), (40, Status.PASS), (41, Status.FAIL)])
def test_more_outlying_values_than_allowed_fail(build, answer, finding, wild, status):
    found = finding(answer("outliers", build(amounts(wild=wild), limits={"max_outliers": 0.02})), "amount")
    assert (found.status, round(found.observed * found.n)) == (status, wild)


def test_with_a_reference_its_fences_hold_however_many_values_are_wild(build, answer, finding):
    spoilt = amounts(wild=1_200, value=5_000.0)
    assert finding(answer("outliers", build(spoilt, reference=amounts())), "amount").status is Status.FAIL


def test_a_column_that_always_had_a_long_tail_is_not_flagged_forever(build, answer, finding):
    def tail():
        values = RNG.normal(100, 15, 5_000)
        values[:150] = RNG.uniform(1e5, 1e6, 150)
        return pa.table({"amount": values})

    first, second = tail(), tail()
    assert finding(answer("outliers", build(first)), "amount").status is Status.FAIL
    assert finding(answer("outliers", build(second, reference=first)), "amount").status is Status.PASS


@pytest.mark.parametrize("wild", [float("inf"), float("-inf")])
def test_infinite_values_are_outlying(build, answer, finding, wild):
    assert finding(answer("outliers", build(amounts(wild=100, value=wild))), "amount").observed == 0.05


def test_codes_are_not_measurements(build, answer, finding):
    table = pa.table({"code": [0] * 970 + [9] * 30})
    verdict = answer("outliers", build(table))
    assert verdict.status is Status.PASS
    assert "'code'" in finding(verdict, "").reason


@pytest.mark.parametrize("rows", [0, 1, 29])
def test_too_few_values_are_inconclusive(build, answer, rows):
    assert answer("outliers", build(pa.table({"amount": USUAL[:rows]}))).status is Status.INCONCLUSIVE


def test_a_column_without_values_is_inconclusive(build, answer):
    table = pa.table({"amount": pa.nulls(500, pa.float64())})
    assert answer("outliers", build(table)).status is Status.INCONCLUSIVE


def test_few_values_in_many_rows_pass_if_even_all_of_them_would_be_within_the_limit(build, answer, finding):
    def table(values):
        return pa.table({"amount": pa.array([*USUAL[:values], *[None] * (1_000 - values)], pa.float64())})

    assert finding(answer("outliers", build(table(20))), "amount").status is Status.PASS
    assert finding(answer("outliers", build(table(21))), "amount").status is Status.INCONCLUSIVE


def test_labels_groups_keys_and_lists_are_not_measured(build, answer):
    table = pa.table(dict.fromkeys(("label", "group", "key", "subject", "code", "order"), USUAL))
    record = {
        "label": {"column": "label", "task": "regression"},
        "protected": [{"column": "group", "bands": [100]}],
        "subject": "subject",
        "columns": {"key": {"unique": True}, "code": {"allowed": [1]}, "order": {"drift": False}},
    }
    assert isinstance(answer("outliers", build(table, record=record)), NotApplicable)


def treated(build, table, action, **more):
    candidate = build(table, limits={"outlier_action": action}, **more)
    return candidate, treat(table, candidate.record, candidate.limits, candidate.reference)


def test_flagging_changes_nothing(build):
    _, result = treated(build, amounts(wild=20), "flag")
    assert result.kept == amounts(wild=20)
    assert (result.rejected.num_rows, result.columns) == (0, ())


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.int64(), pa.decimal128(20, 3)])
def test_clipping_brings_values_to_the_fences_and_counts_them(build, answer, finding, kind):
    raw = pa.array(np.round(amounts(wild=20)["amount"].to_numpy())).cast(kind)
    table = pa.table({"amount": raw, "row": pa.array(range(2_000))})
    record = {"columns": {"row": {"unique": True}}}
    _candidate, result = treated(build, table, "clip", record=record)
    assert result.kept.schema == table.schema
    assert result.kept["amount"].slice(20) == table["amount"].slice(20)
    assert max(float(value) for value in result.kept["amount"].to_pylist()) < 300
    assert result.columns == (Treated(column="amount", values=20, known=2_000, rows=2_000),)
    assert result.reasons == ("20 values of 'amount' were clipped",)
    judged = build(result.kept, record=record, limits={"outlier_action": "clip"}, treated=result.columns)
    found = finding(answer("outliers", judged), "amount")
    assert (found.status, found.observed) == (Status.PASS, 0.01)


def test_quarantine_takes_whole_rows_out_and_keeps_them_apart(build):
    table = amounts(wild=20).append_column("other", pa.array(RNG.normal(0, 1, 2_000)))
    _, result = treated(build, table, "quarantine")
    assert result.kept == table.slice(20)
    assert result.rejected.num_rows == 20
    assert pa.concat_tables([result.rejected, result.kept]) == table


def test_rows_are_taken_out_beside_texts_in_views(build):
    table = amounts(wild=20)
    table = table.append_column("note", pa.array(["x"] * table.num_rows, pa.string_view()))
    _, result = treated(build, table, "quarantine")
    assert (result.rejected.num_rows, result.kept.num_rows) == (20, table.num_rows - 20)
    assert result.rejected["note"].to_pylist() == ["x"] * 20


def test_missing_values_are_neither_clipped_nor_taken_out(build):
    values = [*USUAL, None, float("nan")]
    table = pa.table({"amount": pa.array(values, pa.float64())})
    for action in ("clip", "quarantine"):
        _, result = treated(build, table, action)
        assert (result.kept.num_rows, result.columns) == (2_002, ())


@pytest.mark.parametrize("action", ["clip", "quarantine"])
def test_mending_does_not_hide_how_much_there_was_to_mend(build, answer, finding, action):
    table = amounts(wild=160)
    _, result = treated(build, table, action)
    judged = build(result.kept, limits={"outlier_action": action}, treated=result.columns)
    found = finding(answer("outliers", judged), "amount")
    assert (found.status, found.observed) == (Status.FAIL, 0.08)


def test_treating_with_a_reference_uses_its_fences(build):
    candidate = build(
        amounts(wild=1_000, value=9e9), reference=amounts(), limits={"outlier_action": "quarantine"}
    )
    result = treat(amounts(wild=1_000, value=9e9), candidate.record, candidate.limits, candidate.reference)
    assert result.rejected.num_rows == 1_000


def test_an_empty_table_is_left_alone(build):
    _, result = treated(build, amounts().slice(0, 0), "clip")
    assert result.kept.num_rows == 0


def test_real_columns_with_long_tails_are_not_flagged(build, answer, adult, credit, bike):
    columns = {"native_country": {"max_missing": 1}}
    for table, record in (
        (adult, {"columns": columns, "label": {"column": "income"}, "protected": [{"column": "sex"}]}),
        (credit, {"label": {"column": "default"}, "protected": [{"column": "SEX"}]}),
        (bike, {"label": {"column": "cnt", "task": "regression"}}),
    ):
        verdict = answer("outliers", build(table, record=record))
        assert [item.target for item in verdict.problems] == []


def test_a_changed_unit_is_flagged_on_real_data(build, answer, adult):
    thousand = pa.array(adult["fnlwgt"].to_numpy() * np.where(np.arange(len(adult)) % 20 == 0, 10_000, 1))
    spoilt = adult.set_column(adult.column_names.index("fnlwgt"), "fnlwgt", thousand)
    verdict = answer("outliers", build(spoilt, reference=adult))
    assert [item.target for item in verdict.problems] == ["fnlwgt"]


def test_rows_taken_out_for_one_column_do_not_thin_the_share_of_another(build, answer, finding):
    rng = np.random.default_rng(6)
    few = [*(rng.normal(0, 1, 192)), *([40.0] * 8), *([None] * 1_800)]
    many = [*rng.normal(0, 1, 1_640), *([90.0] * 360)]
    table = pa.table({"few": few, "many": many})
    shares = {}
    for action in ("flag", "clip", "quarantine"):
        limits = {"outlier_action": action, "max_outliers": 0.015}
        raw = build(table, limits=limits)
        result = treat(table, raw.record, raw.limits, None)
        judged = build(result.kept, model=table, limits=limits, treated=result.columns)
        found = finding(answer("outliers", judged), "few")
        shares[action] = (found.status, found.n)
    assert set(shares.values()) == {(Status.FAIL, 200)}


@pytest.mark.parametrize(
    "kind",
    [pa.decimal32(7, 1), pa.decimal64(12, 2), pa.decimal128(20, -1), pa.decimal256(40, 3)],
    ids=str,
)
def test_decimals_of_every_width_are_clipped_as_they_are_stored(build, kind):
    unit = 10 if kind.scale < 0 else 1
    values = [Decimal(round(value)) * unit for value in np.random.default_rng(7).normal(100, 20, 1_000)]
    wide = pa.array([Decimal(9_000 * unit), *values], pa.decimal128(20, max(0, kind.scale)))
    table = pa.table({"v": wide.cast(kind)})
    _, result = treated(build, table, "clip")
    assert result.kept.schema == table.schema
    assert result.kept["v"][0].as_py() < 300 * unit
    assert result.kept["v"].slice(1).to_pylist() == table["v"].slice(1).to_pylist()


@pytest.mark.parametrize("encode", [pc.dictionary_encode, pc.run_end_encode], ids=["codes", "run ends"])
@pytest.mark.parametrize("action", ["clip", "quarantine"])
def test_numbers_that_come_encoded_are_treated_as_numbers(build, encode, action):
    plain = amounts(wild=20)
    encoded = pa.table({"amount": encode(plain["amount"].combine_chunks())})
    _, expected = treated(build, plain, action)
    candidate = build(plain, limits={"outlier_action": action})
    result = treat(encoded, candidate.record, candidate.limits, None)
    assert result.kept == expected.kept
    assert result.columns == expected.columns


def test_a_column_of_which_nothing_is_left_is_inconclusive(build, answer, finding):
    treated = (Treated(column="amount", values=40, known=40, rows=140),)
    table = pa.table({"amount": pa.nulls(100, pa.float64()), "other": pa.array(RNG.normal(0, 1, 100))})
    found = finding(
        answer("outliers", build(table, limits={"outlier_action": "quarantine"}, treated=treated)), "amount"
    )
    assert found.status is Status.INCONCLUSIVE
