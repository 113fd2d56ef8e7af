import json
import logging
import pkgutil
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from aims_pipelines.checks.rows import batches_of
from aims_pipelines.core.verdict import NotApplicable, Status
from aims_pipelines.measure import measure_file

pytestmark = pytest.mark.usefixtures("great_expectations")

TABLE = pa.table(
    {
        "amount": [float(number) for number in range(1_000)],
        "city": ["Ulm", "Kiel"] * 500,
        "name": [f"Ada {number}" for number in range(1_000)],
        "empty": pa.nulls(1_000, pa.float64()),
    }
)


def expect(kind, **kwargs):
    return {"type": kind, "kwargs": kwargs}


@pytest.fixture
def run(build, answer, tmp_path):
    """Run a suite on a table, as a record does that names it."""

    def run(*expectations, table=TABLE, content=None, limits=None, **entry):
        suite = {"name": "quality", "expectations": list(expectations), "meta": {}}
        text = json.dumps(suite) if content is None else content
        (tmp_path / "quality.json").write_text(text, encoding="utf-8")
        record = {"expectations": [{"path": "quality.json", **entry}]}
        return answer("expectations", build(table, record=record, limits=limits, records_dir=tmp_path))

    return run


def test_expectations_that_are_met_pass_and_name_the_suite(run, finding):
    verdict = run(
        expect("expect_column_values_to_be_between", column="amount", min_value=0, max_value=999),
        expect("expect_column_values_to_be_in_set", column="city", value_set=["Ulm", "Kiel"]),
        expect("expect_table_row_count_to_be_between", min_value=10),
    )
    assert verdict.status is Status.PASS
    assert "3 expectations of the suite sha256:" in finding(verdict, "quality.json").reason
    assert finding(verdict, "quality.json").n == 1_000


def test_an_expectation_that_is_not_met_fails_with_counts_and_without_values(run, finding):
    verdict = run(
        expect("expect_column_values_to_be_in_set", column="name", value_set=["nobody"]),
        expect("expect_column_values_to_be_between", column="amount", max_value=899, mostly=0.95),
    )
    found = finding(verdict, "expect_column_values_to_be_between(amount)")
    assert (found.status, found.observed, found.limit, found.n) == (Status.FAIL, 0.1, 0.05, 1_000)
    assert finding(verdict, "expect_column_values_to_be_in_set(name)").status is Status.FAIL
    assert "Ada" not in repr(verdict)


def test_the_same_expectation_twice_is_two_findings(run, finding):
    between = "expect_column_values_to_be_between"
    verdict = run(
        expect(between, column="amount", max_value=2_000), expect(between, column="amount", min_value=5)
    )
    statuses = {
        finding(verdict, f"{between}(amount)").status,
        finding(verdict, f"{between}(amount) #2").status,
    }
    assert statuses == {Status.PASS, Status.FAIL}


NOWHERE = {"row_condition": 'city=="Rom"', "condition_parser": "pandas"}
VACUOUS = {
    "a column without values": expect("expect_column_values_to_be_between", column="empty", min_value=0),
    "keys without values": expect("expect_column_values_to_be_unique", column="empty"),
    "a set without values": expect(
        "expect_column_distinct_values_to_be_in_set", column="empty", value_set=[1]
    ),
    "a condition that no row meets": expect(
        "expect_column_values_to_be_between",
        column="amount",
        min_value=0,
        **NOWHERE,
    ),
    "a sum over nothing": expect("expect_column_sum_to_be_between", column="empty", max_value=10),
    "a sum over no row": expect("expect_column_sum_to_be_between", column="amount", max_value=10, **NOWHERE),
    "a type without values": expect("expect_column_values_to_be_of_type", column="empty", type_="float64"),
    "values of no row that are there": expect(
        "expect_column_values_to_not_be_null", column="amount", **NOWHERE
    ),
    "pairs without values": expect(
        "expect_column_pair_values_to_be_equal", column_A="empty", column_B="empty"
    ),
    "a count of no rows, where some may be": expect(
        "expect_table_row_count_to_be_between", max_value=5, **NOWHERE
    ),
}


@pytest.mark.parametrize("case", VACUOUS)
def test_what_great_expectations_passes_without_looking_is_inconclusive(run, case):
    (problem,) = run(VACUOUS[case]).problems
    assert problem.status is Status.INCONCLUSIVE
    assert "no value to look at" in problem.reason


@pytest.mark.parametrize(
    "expectation",
    [
        expect("expect_column_distinct_values_to_be_in_set", column="city", value_set=["Ulm", "Kiel"]),
        expect("expect_column_values_to_be_null", column="empty"),
        expect("expect_column_proportion_of_non_null_values_to_be_between", column="empty", max_value=0.5),
        expect("expect_column_to_exist", column="empty"),
        expect("expect_table_row_count_to_equal", value=0, **NOWHERE),
        expect("expect_table_columns_to_match_ordered_list", column_list=TABLE.column_names),
    ],
    ids=lambda item: item["type"],
)
def test_what_has_something_to_look_at_passes(run, expectation):
    assert run(expectation).status is Status.PASS


def test_an_empty_table_is_inconclusive(run):
    verdict = run(expect("expect_column_to_exist", column="amount"), table=TABLE.slice(0, 0))
    assert verdict.status is Status.INCONCLUSIVE


def test_an_expectation_that_raises_is_inconclusive_and_names_the_exception(run):
    (problem,) = run(expect("expect_column_values_to_match_regex", column="city", regex="([")).problems
    assert problem.status is Status.INCONCLUSIVE
    assert problem.reason.startswith("the expectation raised ")
    assert (
        "MetricResolutionError" not in problem.reason
    )  # what Great Expectations wraps around whatever it was


def test_the_text_of_an_exception_is_not_passed_on(run, caplog, capfd):
    number = expect("expect_column_values_to_be_between", column="name", min_value=1)
    verdict = run(number, expect("expect_column_mean_to_be_between", column="name", min_value=1))
    assert {item.reason for item in verdict.problems} == {"the expectation raised TypeError"}
    assert "Ada" not in repr(verdict) + caplog.text + "".join(capfd.readouterr())


def test_an_expectation_that_needs_a_database_says_so_and_is_given_no_rows(build, answer, tmp_path):
    query = expect("unexpected_rows_expectation", unexpected_rows_query="select * from {batch}")
    (tmp_path / "quality.json").write_text(json.dumps({"expectations": [query]}), encoding="utf-8")
    opened = []

    def batches(columns=None):
        opened.append(columns)
        return iter(TABLE.to_batches())

    record = {"expectations": [{"path": "quality.json"}]}
    verdict = answer("expectations", build(TABLE, record=record, records_dir=tmp_path, batches=batches))
    (problem,) = verdict.problems
    assert (problem.status, "on pandas" in problem.reason) == (Status.INCONCLUSIVE, True)
    assert len(opened) == 1  # for the schema


def test_suites_of_several_threads_leave_great_expectations_as_it_was(build, answer, tmp_path):
    import great_expectations.util as place

    mean = expect("expect_column_mean_to_be_between", column="amount", min_value=0)
    (tmp_path / "quality.json").write_text(json.dumps({"expectations": [mean]}), encoding="utf-8")
    record = {"expectations": [{"path": "quality.json"}]}
    candidate = build(TABLE, record=record, records_dir=tmp_path)
    before = dict(vars(place)), logging.getLogger("great_expectations").level
    with ThreadPoolExecutor(4) as pool:
        verdicts = list(pool.map(answer, ["expectations"] * 12, [candidate] * 12))
    assert {verdict.status for verdict in verdicts} == {Status.PASS}
    assert (dict(vars(place)), logging.getLogger("great_expectations").level) == before


def test_an_expectation_about_a_column_that_is_not_there_says_so(run):
    (problem,) = run(expect("expect_column_values_to_be_unique", column="gone")).problems
    assert problem.status is Status.INCONCLUSIVE
    assert "no column 'gone'" in problem.reason
    assert run(expect("expect_column_to_exist", column="gone")).status is Status.FAIL


BROKEN = {
    "an expectation that nobody knows": json.dumps({"expectations": [expect("expect_wonders")]}),
    "arguments that nobody knows": json.dumps(
        {"expectations": [expect("expect_column_to_exist", colum="amount")]}
    ),
    "an expectation without a type": json.dumps({"expectations": [{"kwargs": {}}]}),
    "no expectations": json.dumps({"expectations": []}),
    "not a suite": json.dumps(["expect_column_to_exist"]),
    "not JSON": "{",
    "a suite of version 0": json.dumps(
        {"expectation_suite_name": "s", "expectations": [{"expectation_type": "x"}]}
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_suite_that_cannot_be_run_as_written_is_inconclusive_and_says_where(run, case):
    (problem,) = run(content=BROKEN[case]).findings
    assert problem.status is Status.INCONCLUSIVE
    assert problem.reason.startswith("quality.json: ")


def test_one_expectation_that_nobody_knows_is_not_dropped_beside_others_that_are_met(run):
    verdict = run(expect("expect_column_to_exist", column="amount"), expect("expect_wonders"))
    assert verdict.status is Status.INCONCLUSIVE
    assert "expectations[1]" in verdict.problems[0].reason


def test_all_expectations_that_cannot_be_run_are_named_at_once(run):
    wonders = [
        expect("expect_wonders"),
        expect("expect_column_to_exist", column="city"),
        expect("expect_more"),
    ]
    problems = run(*wonders).problems
    assert ["expectations[0]" in problems[0].reason, "expectations[2]" in problems[1].reason] == [True, True]


def test_parameters_take_the_values_that_the_suite_gives_them(run):
    between = expect("expect_column_values_to_be_between", column="amount", max_value={"$PARAMETER": "most"})
    for most, status in ((999, Status.PASS), (500, Status.FAIL)):
        suite = {"name": "quality", "expectations": [between], "suite_parameters": {"most": most}}
        assert run(content=json.dumps(suite)).status is status
    (problem,) = run(between).problems
    assert problem.status is Status.INCONCLUSIVE
    assert "expected a value for each '$PARAMETER'" in problem.reason


def test_a_suite_file_that_is_not_there_is_inconclusive(build, answer, tmp_path):
    record = {"expectations": [{"path": "gone.json"}]}
    verdict = answer("expectations", build(TABLE, record=record, records_dir=tmp_path))
    assert verdict.status is Status.INCONCLUSIVE
    assert "gone.json" in verdict.findings[0].reason


def test_a_sample_is_the_same_rows_every_time_and_says_so(run, finding):
    expectation = expect("expect_column_values_to_be_between", column="amount", max_value=499)
    first, second = (
        finding(run(expectation, rows=200), "expect_column_values_to_be_between(amount)") for _ in "ab"
    )
    assert first == second
    assert first.n == 200
    assert 0.35 < first.observed < 0.65
    assert "a sample of 200 rows" in finding(run(expectation, rows=200), "quality.json").reason


def test_the_policy_bounds_what_a_suite_is_asked_of(run, finding):
    between = expect("expect_column_values_to_be_between", column="amount", min_value=0)
    keys = expect("expect_column_values_to_be_unique", column="amount")
    verdict = run(between, keys, limits={"max_suite_rows": 300})
    assert finding(verdict, "quality.json").n == 300
    (problem,) = verdict.problems
    assert problem.status is Status.INCONCLUSIVE
    assert problem.remedy == "Raise the limit 'max_suite_rows' to at least 1000, or leave it out."
    for asked, limit in ((200, 300), (300, 200)):
        verdict = run(between, limits={"max_suite_rows": limit}, rows=asked)
        assert finding(verdict, "quality.json").n == 200
    assert run(between, keys, limits={"max_suite_rows": 1_000}).status is Status.PASS


@pytest.mark.parametrize(
    "expectation",
    [
        expect("expect_table_row_count_to_be_between", min_value=1),
        expect("expect_column_values_to_be_unique", column="amount"),
        expect("expect_column_max_to_be_between", column="amount", max_value=2_000),
        expect("expect_compound_columns_to_be_unique", column_list=["amount", "city"]),
        expect("expect_column_unique_value_count_to_be_between", column="city", max_value=3),
    ],
    ids=lambda item: item["type"],
)
def test_a_statement_about_the_whole_table_does_not_pass_on_a_sample(run, expectation):
    assert run(expectation).status is Status.PASS
    assert run(expectation, rows=100).status is Status.INCONCLUSIVE


def test_answers_that_are_numpy_booleans_count(run):
    quantiles = {"quantiles": [0.5], "value_ranges": [[0, 1_000]]}
    good = expect("expect_column_quantile_values_to_be_between", column="amount", quantile_ranges=quantiles)
    assert run(good).status is Status.PASS


def test_nothing_is_printed_and_no_progress_is_drawn(run, capfd):
    run(expect("expect_column_values_to_be_between", column="amount", min_value=0))
    assert capfd.readouterr() == ("", "")


def test_a_suite_saved_by_great_expectations_itself_runs_as_is(run, adult):
    import great_expectations as gx

    suite = gx.ExpectationSuite(
        name="census",
        expectations=[
            gx.expectations.ExpectColumnValuesToBeBetween(column="age", min_value=16, max_value=100),
            gx.expectations.ExpectColumnValuesToNotBeNull(column="income"),
            gx.expectations.ExpectColumnMeanToBeBetween(column="hours_per_week", min_value=35, max_value=45),
            gx.expectations.ExpectColumnValuesToNotBeNull(column="occupation"),
        ],
    )
    verdict = run(table=adult, content=json.dumps(suite.to_json_dict()))
    missing = int(np.sum(adult["occupation"].is_null().to_numpy()))
    (problem,) = verdict.problems
    assert (problem.target, problem.status) == (
        "expect_column_values_to_not_be_null(occupation)",
        Status.FAIL,
    )
    assert problem.observed == pytest.approx(missing / len(adult))


def test_a_record_without_suites_rules_the_check_out(build, answer):
    assert isinstance(answer("expectations", build(TABLE)), NotApplicable)


@pytest.mark.skipif(find_spec("pyspark") is None, reason="needs pyspark beside Great Expectations")
def test_pyspark_beside_it_neither_ends_the_program_nor_warns() -> None:
    code = (
        "from aims_pipelines.checks.suites import expectations_of\n"
        "rule = {'type': 'expect_column_values_to_not_be_null', 'kwargs': {'column': 'a'}}\n"
        "print([one.column for one in expectations_of({'expectations': [rule]}, 'suite')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["['a']"])
    assert "pyspark" not in done.stderr.lower()


def test_only_the_columns_that_an_expectation_names_are_read(build, answer, tmp_path):
    asked = [
        expect("expect_column_values_to_be_between", column="amount", min_value=0),
        expect("expect_column_mean_to_be_between", column="amount", min_value=0),
        expect("expect_column_values_to_be_in_set", column="city", value_set=["Ulm", "Kiel"]),
        expect("expect_column_pair_values_to_be_equal", column_A="amount", column_B="amount"),
        expect("expect_table_row_count_to_equal", value=1_000),
    ]
    (tmp_path / "quality.json").write_text(json.dumps({"expectations": asked}), encoding="utf-8")
    read = []

    def batches(columns=None):
        read.append(columns)
        return iter(TABLE.select(columns or TABLE.column_names).to_batches(max_chunksize=100))

    record = {"expectations": [{"path": "quality.json"}]}
    candidate = build(TABLE, record=record, records_dir=tmp_path, batches=batches)
    assert answer("expectations", candidate).status is Status.PASS
    assert read[0] is None  # the first batch tells the schema
    assert {name for columns in read[1:] for name in columns} == {"amount", "city"}


def test_rows_are_not_copied_to_be_asked_piece_by_piece(build, answer, tmp_path):
    """The memory that values and texts take is that of a piece, and not that of the column."""
    rows = 4_000_000
    table = pa.table(
        {"number": np.arange(rows, dtype=np.float64), "text": pa.array(["a", "b"] * (rows // 2))}
    )
    asked = [
        expect("expect_column_values_to_be_between", column="number", min_value=0),
        expect("expect_column_values_to_not_be_null", column="text"),
        expect("expect_column_value_lengths_to_equal", column="text", value=1),
    ]
    (tmp_path / "quality.json").write_text(json.dumps({"expectations": asked}), encoding="utf-8")
    record = {"expectations": [{"path": "quality.json"}]}
    candidate = build(table, record=record, records_dir=tmp_path)
    answer("expectations", candidate)  # loads what is loaded once
    tracemalloc.start()
    try:
        assert answer("expectations", candidate).status is Status.PASS
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < rows * 8 / 2


CLASSES = """
import logging

import great_expectations as gx
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.expectations.metrics import ColumnMapMetricProvider, column_condition_partial


class ColumnValuesAreEven(ColumnMapMetricProvider):
    condition_metric_name = "column_values.are_even"

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column, **kwargs):
        logging.getLogger("great_expectations.metrics").warning("the first is %s", column.iloc[0])
        return column % 2 == 0


class ExpectColumnValuesToBeEven(ColumnMapExpectation):
    map_metric = "column_values.are_even"


class ExpectSmallAmounts(gx.expectations.ExpectColumnValuesToBeBetween):
    column: str = "amount"
    max_value: int = 499
"""


@pytest.fixture(scope="module")
def custom():
    """Expectations of the user's own, registered as they are everywhere: by being imported."""
    exec(compile(CLASSES, "classes", "exec"), {"__name__": "users_own"})  # noqa: S102 - as an import would


def test_expectations_of_the_users_own_see_the_whole_table(run, finding, custom, caplog):
    verdict = run(expect("expect_column_values_to_be_even", column="amount", mostly=0.4))
    found = finding(verdict, "expect_column_values_to_be_even(amount)")
    assert (found.status, found.observed, found.n) == (Status.PASS, 0.5, 1_000)
    assert run(expect("expect_column_values_to_be_even", column="amount")).status is Status.FAIL
    assert caplog.text == ""  # what is logged by Great Expectations, and in its name, may quote values


def test_an_expectation_that_presets_anothers_arguments_is_asked_like_that_one(run, finding, custom):
    import great_expectations.expectations as gxe
    from great_expectations.expectations.registry import get_expectation_impl

    from aims_pipelines.checks.suite_reach import Reach, kind_of, need_of

    own = get_expectation_impl("expect_small_amounts")()
    assert kind_of(own) == gxe.ExpectColumnValuesToBeBetween.__name__
    assert need_of(own, TABLE.column_names).reach is Reach.VALUES
    found = finding(run(expect("expect_small_amounts")), "expect_small_amounts(amount)")
    assert (found.status, found.observed) == (Status.FAIL, 0.5)


def test_the_data_context_of_the_users_code_stays_in_force(run):
    import great_expectations as gx
    from great_expectations.data_context.data_context.context_factory import project_manager

    theirs = gx.get_context(mode="ephemeral")
    run(
        expect("expect_column_values_to_be_between", column="amount", min_value=0),
        expect("expect_column_mean_to_be_between", column="amount", min_value=0),
    )
    assert project_manager.get_expectations_store() is theirs.stores["expectations_store"]


def test_great_expectations_is_left_as_it_was(run):
    import great_expectations.util as place

    before = dict(vars(place)), logging.getLogger("great_expectations").level
    run(expect("expect_column_mean_to_be_between", column="amount", min_value=0))
    assert (dict(vars(place)), logging.getLogger("great_expectations").level) == before


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("great_expectations.validator.metrics_calculator", "MetricsCalculator"),
        ("great_expectations.validator.validator.Validator", "metrics_calculator"),
    ],
)
def test_a_release_in_which_internals_moved_answers_all_the_same(run, monkeypatch, place, name):
    asked = [
        expect("expect_column_values_to_be_between", column="amount", max_value=899, mostly=0.95),
        expect("expect_column_values_to_be_in_set", column="city", value_set=["Ulm", "Kiel"]),
        expect("expect_column_sum_to_be_between", column="empty", max_value=10),
        expect("expect_column_max_to_be_between", column="amount", max_value=999),
    ]
    now = run(*asked)
    monkeypatch.delattr(pkgutil.resolve_name(place), name)
    assert run(*asked) == now


@pytest.mark.parametrize(
    "name", ["does_ndarray_contain_decimal_dtype", "convert_ndarray_decimal_to_float_dtype"]
)
def test_where_the_loops_over_values_are_gone_nothing_is_put_in_their_place(run, monkeypatch, name):
    import great_expectations.util as place

    amounts = pa.table({"amount": pa.array([1, 2, 3], pa.decimal128(5, 2))})
    mean = expect("expect_column_mean_to_be_between", column="amount", min_value=2, max_value=2)
    assert run(mean, table=amounts).status is Status.PASS
    monkeypatch.delattr(place, name)
    run(mean, table=amounts)
    assert not hasattr(place, name)


def test_a_file_whose_texts_are_stored_as_codes_is_answered_like_the_table_in_it(build, answer, tmp_path):
    table = pa.table(
        {
            "city": pa.array(["Ulm", "Kiel", None, "Ulm"] * 3_000),
            "name": [f"Ada {number}" for number in range(12_000)],
            "class": pa.array(["a", "b", None, "a"] * 3_000).dictionary_encode(),
        }
    )
    asked = [
        expect("expect_column_values_to_match_regex", column=name, regex="^[UAa]", mostly=0.3)
        for name in table.column_names
    ]
    asked += [
        expect("expect_column_values_to_be_of_type", column="class", type_="CategoricalDtypeType"),
        expect("expect_column_values_to_be_of_type", column="city", type_="str"),
        expect("expect_column_most_common_value_to_be_in_set", column="city", value_set=["Ulm"]),
        expect("expect_column_distinct_values_to_equal_set", column="city", value_set=["Ulm", "Kiel"]),
        expect("expect_column_max_to_be_between", column="city", max_value="V"),
        expect("expect_column_pair_values_to_be_equal", column_A="city", column_B="name", mostly=0.0),
    ]
    (tmp_path / "quality.json").write_text(json.dumps({"expectations": asked}), encoding="utf-8")
    path = tmp_path / "table.parquet"
    parquet.write_table(table, path, row_group_size=5_000)
    for entry in ({}, {"rows": 6_000}):
        record = {"expectations": [{"path": "quality.json", **entry}]}
        memory = build(table, record=record, records_dir=tmp_path)
        measured = measure_file(path)
        file = replace(memory, profile=measured.profile, batches=batches_of(path))
        assert next(file.batches()).schema.field("city").type == pa.dictionary(pa.int32(), pa.string())
        assert answer("expectations", file) == answer("expectations", memory)
    assert answer("expectations", memory).status is not Status.FAIL
