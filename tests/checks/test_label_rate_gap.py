import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines.core.verdict import NotApplicable, Status

RECORD = {"label": {"column": "granted", "positive": "yes"}, "protected": [{"column": "sex"}]}


def offers(**groups):
    """Rows and positive labels per group."""
    sex, granted = [], []
    for level, (rows, positive) in groups.items():
        sex += [level] * rows
        granted += ["yes"] * positive + ["no"] * (rows - positive)
    return pa.table({"sex": sex, "granted": granted})


@pytest.mark.parametrize(
    ("positive", "status"), [(2_500, Status.PASS), (2_010, Status.INCONCLUSIVE), (1_500, Status.FAIL)]
)
def test_a_gap_passes_or_fails_only_where_it_is_shown(build, answer, finding, positive, status):
    candidate = build(offers(f=(5_000, positive), m=(5_000, 2_500)), record=RECORD)
    found = finding(answer("label_rate_gap", candidate), "sex")
    assert found.status is status
    assert found.observed == pytest.approx(0.5 - positive / 5_000)
    assert found.interval is not None


def test_small_groups_are_left_to_representation_and_said_to_be(build, answer, finding):
    candidate = build(offers(f=(5_000, 2_500), m=(5_000, 2_500), d=(50, 0)), record=RECORD)
    found = finding(answer("label_rate_gap", candidate), "sex")
    assert found.status is Status.PASS
    assert "1 group of fewer than 100 labelled rows not compared" in found.reason
    assert answer("representation", candidate).status is Status.FAIL


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (offers(f=(500, 0), m=(500, 0)), "never occurs"),
        (offers(f=(500, 500), m=(500, 500)), "positive in every row"),
        (pa.table({"sex": ["f", "m"] * 500, "granted": pa.nulls(1_000, pa.string())}), "no values"),
        (pa.table({"sex": ["f", "m"] * 500}), "not in the table"),
        (offers(f=(5_000, 2_500)), "two are needed"),
        (offers(f=(5_000, 2_500), m=(50, 25)), "two are needed"),
        (offers(f=(1, 1)), "positive in every row"),
        (offers(), "no values"),
    ],
)
def test_where_no_gap_can_be_told_it_is_inconclusive(build, answer, finding, table, why):
    found = finding(answer("label_rate_gap", build(table, record=RECORD)), "sex")
    assert found.status is Status.INCONCLUSIVE
    assert why in found.reason


def test_intersections_are_compared_and_rows_of_which_a_part_is_missing_are_in_none(build, answer, finding):
    cells = {
        ("f", "young"): (2_000, 1_000),
        ("f", "old"): (2_000, 960),
        ("m", "young"): (2_000, 1_040),
        ("m", "old"): (2_000, 400),
        ("f", None): (2_000, 2_000),
        (None, "old"): (2_000, 0),
    }
    sex, age, granted = [], [], []
    for (one, other), (rows, positive) in cells.items():
        sex += [one] * rows
        age += [other] * rows
        granted += ["yes"] * positive + ["no"] * (rows - positive)
    record = RECORD | {"protected": [{"column": "sex"}, {"column": "age"}], "intersections": [["sex", "age"]]}
    candidate = build(pa.table({"sex": sex, "age": age, "granted": granted}), record=record)
    found = finding(answer("label_rate_gap", candidate), "sex & age")
    assert found.status is Status.FAIL
    assert found.observed == pytest.approx(0.52 - 0.2)
    assert "m & young 0.520 against m & old 0.200" in found.reason


def test_without_a_positive_value_it_is_inconclusive(build, answer):
    record = {**RECORD, "label": {"column": "granted"}}
    verdict = answer("label_rate_gap", build(offers(f=(500, 250), m=(500, 250)), record=record))
    assert verdict.status is Status.INCONCLUSIVE


@pytest.mark.parametrize(
    "labels", [[1, 0], [1.0, 0.0], [True, False]], ids=["integers", "floats", "booleans"]
)
def test_labels_may_be_numbers_or_booleans(build, answer, finding, labels):
    table = offers(f=(5_000, 1_000), m=(5_000, 4_000))
    coded = pa.array([labels[0] if value == "yes" else labels[1] for value in table["granted"].to_pylist()])
    record = {**RECORD, "label": {"column": "granted", "positive": labels[0]}}
    candidate = build(table.set_column(1, "granted", coded), record=record)
    assert finding(answer("label_rate_gap", candidate), "sex").observed == pytest.approx(0.6)


@pytest.mark.parametrize(
    "record",
    [
        {"protected": [{"column": "sex"}]},
        {"label": {"column": "granted", "positive": "yes"}},
        {"label": {"column": "granted", "task": "regression"}, "protected": [{"column": "sex"}]},
    ],
    ids=["no label", "no protected attribute", "regression"],
)
def test_a_record_may_rule_the_check_out(build, answer, record):
    assert isinstance(answer("label_rate_gap", build(offers(f=(5, 1)), record=record)), NotApplicable)


def test_the_census_gap_between_the_sexes_is_what_the_rows_say(build, answer, finding, adult):
    record = {"label": {"column": "income", "positive": ">50K"}, "protected": [{"column": "sex"}]}
    frame = adult.select(["sex", "income"]).to_pandas()
    rates = (frame["income"] == ">50K").groupby(frame["sex"]).mean()
    found = finding(answer("label_rate_gap", build(adult, record=record)), "sex")
    assert found.status is Status.FAIL
    assert found.observed == pytest.approx(rates["Male"] - rates["Female"])


def test_a_large_group_of_which_few_rows_have_a_label_is_not_passed_over(build, answer, finding):
    table = offers(f=(5_000, 2_500), m=(5_000, 2_500), d=(1_000, 0))
    known = np.ones(11_000, bool)
    known[10_050:] = False
    granted = pa.array(table["granted"].to_pylist(), mask=~known)
    verdict = answer("label_rate_gap", build(table.set_column(1, "granted", granted), record=RECORD))
    assert verdict.status is Status.INCONCLUSIVE
    found = finding(verdict, "sex=d")
    assert (found.measure, found.observed, found.limit) == ("labelled group rows", 50, 100)
    assert "50 rows of 1,000 in the group have a label" in found.reason
