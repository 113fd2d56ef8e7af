from datetime import date
from decimal import Decimal
from functools import partial

import pyarrow as pa
import pytest

from aims_pipelines.core.verdict import NotApplicable, Status

INF = float("inf")


def judged(build, answer, finding, array, rule, *, name="a"):
    candidate = build(pa.table({name: array}), record={"columns": {name: rule}})
    return finding(answer("validity", candidate), name)


@pytest.fixture
def held(build, answer, finding):
    """The finding about one column held to a rule."""
    return partial(judged, build, answer, finding)


CASES = {
    "below min": (pa.array([1.0, 2.0, -1.0]), {"min": 0}, 1),
    "above max": (pa.array([1, 2, 300]), {"max": 120}, 1),
    "bounds are inside": (pa.array([0, 120]), {"min": 0, "max": 120}, 0),
    "missing is not invalid": (pa.array([1.0, None, float("nan")]), {"min": 0}, 0),
    "infinite without a rule": (pa.array([1.0, INF, -INF]), {}, 2),
    "infinite inside an open range": (pa.array([1.0, INF]), {"min": 0}, 1),
    "number not in the list": (pa.array([1, 2, 3]), {"allowed": [1, 2]}, 1),
    "text not in the list": (pa.array(["a", "b", "c", "c"]), {"allowed": ["a", "b"]}, 2),
    "category not in the list": (pa.array(["a", "b", "c"]).dictionary_encode(), {"allowed": ["a", "b"]}, 1),
    "boolean not in the list": (pa.array([True, False]), {"allowed": [True]}, 1),
    "text not of the pattern": (
        pa.array(["AB12", "xAB12", "AB12x", "AB1"]),
        {"pattern": "[A-Z]{2}[0-9]{2}"},
        3,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_values_outside_the_rule_are_counted(build, answer, finding, case):
    array, rule, invalid = CASES[case]
    found = judged(build, answer, finding, array, rule)
    present = found.n
    assert present is not None
    assert round(found.observed * present) == invalid
    assert found.status is (Status.FAIL if invalid else Status.PASS)


@pytest.mark.parametrize("case", CASES)
def test_the_count_is_the_same_where_the_profile_is_too_coarse_and_rows_are_read(
    build, answer, finding, case
):
    array, rule, invalid = CASES[case]
    if pa.types.is_boolean(array.type):
        pytest.skip("booleans have two values")
    text = pa.types.is_string(array.type) or pa.types.is_dictionary(array.type)
    many = range(1_000, 6_000)
    allowed = rule.get("allowed")
    if allowed is not None:
        rule = {**rule, "allowed": [*allowed, *([f"t{i}" for i in many] if text else many)]}
    if "pattern" in rule:
        filler = [f"{chr(65 + i % 26)}{chr(65 + i // 26 % 26)}{i // 676:02d}" for i in range(5_000)]
    elif text:
        filler = [f"t{i}" for i in many]
    else:
        filler = [1.0 + i / 6_000 for i in range(5_000)] if allowed is None else list(many)
    if pa.types.is_integer(array.type):
        array = array.cast(pa.float64())
    plain = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
    table = pa.concat_arrays([plain, pa.array(filler, plain.type)])
    candidate = build(pa.table({"a": table}), record={"columns": {"a": rule}})
    column = candidate.profile.columns["a"]
    assert not (column.categories or column.distribution).exact
    found = finding(answer("validity", candidate), "a")
    assert round(found.observed * found.n) == invalid


@pytest.mark.parametrize(("limit", "status"), [(0.5, Status.PASS), (0.49, Status.FAIL)])
def test_a_share_of_invalid_values_may_be_allowed(build, answer, finding, limit, status):
    found = judged(build, answer, finding, pa.array([1, 200]), {"max": 120, "max_invalid": limit})
    assert found.status is status


@pytest.mark.parametrize(
    ("array", "rule"),
    [
        (pa.array(["1", "2"]), {"min": 0}),
        (pa.array([1, 2]), {"pattern": "[0-9]"}),
        (pa.array([date(2026, 1, 1)]), {"allowed": ["2026-01-01"]}),
        (pa.array([True]), {"max": 1}),
    ],
)
def test_a_rule_that_does_not_fit_the_column_is_inconclusive(build, answer, finding, array, rule):
    found = judged(build, answer, finding, array, rule)
    assert found.status is Status.INCONCLUSIVE
    assert found.remedy


def test_a_column_without_values_is_inconclusive_even_where_the_contract_admits_it_and_nothing_else_is_judged(
    build, answer
):
    table = pa.table({"a": pa.nulls(5, pa.float64())})
    assert answer("validity", build(table)).status is Status.INCONCLUSIVE
    allowed = build(table, record={"columns": {"a": {"max_missing": 1.0}}})
    assert answer("validity", allowed).status is Status.INCONCLUSIVE


def test_a_record_without_numbers_or_rules_rules_the_check_out(build, answer):
    assert isinstance(answer("validity", build(pa.table({"a": ["x"]}))), NotApplicable)


def test_reasons_never_hold_values(build, answer, finding):
    found = judged(build, answer, finding, pa.array(["Ada Lovelace", "ok"]), {"allowed": ["ok"]})
    assert "Ada" not in found.reason + found.remedy


@pytest.mark.parametrize("rows", [10, 3_000])
@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64(), pa.decimal128(12, 3)], ids=str)
@pytest.mark.parametrize("rule", [{"max": 0.3}, {"min": 0.3}, {"allowed": [0.3, 0.7]}], ids=str)
def test_a_number_equal_to_its_bound_is_inside_however_it_is_stored(held, rule, kind, rows):
    values = [Decimal("0.3")] * rows
    numbers = pa.array(values if pa.types.is_decimal(kind) else [float(one) for one in values], kind)
    assert held(numbers, rule).status is Status.PASS


LARGE = [7, *(2**53 + i for i in range(-2, 5))]


@pytest.mark.parametrize(
    ("rule", "valid"),
    [
        ({"max": 2**53}, lambda number: number <= 2**53),
        ({"min": 2**53 + 2}, lambda number: number >= 2**53 + 2),
        ({"min": -1, "max": 2**64}, lambda _: True),
        ({"min": 2**65}, lambda _: False),
        ({"max": -(2**65)}, lambda _: False),
        ({"min": 0.5, "max": 7.5}, lambda number: number == 7),
        ({"allowed": [2**53, 2**53 + 1, 2**70]}, {2**53, 2**53 + 1}.__contains__),
    ],
)
@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()], ids=str)
def test_whole_numbers_that_float64_blurs_are_held_to_the_last_digit(held, rule, valid, kind):
    found = held(pa.array(LARGE, kind), rule)
    assert round(found.observed * len(LARGE)) == sum(not valid(number) for number in LARGE)


LONG = [
    Decimal(text)
    for text in ("0.10", "123456789012345678.89", "123456789012345678.90", "123456789012345678.91")
]


@pytest.mark.parametrize(
    ("rule", "valid"),
    [
        ({"min": 123456789012345680}, [False] * 4),
        ({"max": 123456789012345664}, [True, False, False, False]),
        ({"min": 0.1}, [True] * 4),
        ({"max": 2**60}, [True] * 4),
        ({"min": 2**60}, [False] * 4),
        ({"allowed": [0.1, 123456789012345680]}, [True, False, False, False]),
        ({"allowed": ["x"]}, [False] * 4),
    ],
)
@pytest.mark.parametrize("kind", [pa.decimal128(38, 2), pa.decimal256(60, 2)], ids=str)
def test_decimals_that_float64_blurs_are_held_to_the_last_digit(held, rule, valid, kind):
    found = held(pa.array([*LONG, None], kind), rule)
    assert round(found.observed * len(LONG)) == valid.count(False)
