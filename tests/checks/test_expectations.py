import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines.core.verdict import NotApplicable, Status

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

    def run(*expectations, table=TABLE, content=None, **entry):
        suite = {"name": "quality", "expectations": list(expectations), "meta": {}}
        text = json.dumps(suite) if content is None else content
        (tmp_path / "quality.json").write_text(text, encoding="utf-8")
        record = {"expectations": [{"path": "quality.json", **entry}]}
        return answer("expectations", build(table, record=record, records_dir=tmp_path))

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
        row_condition='city=="Rom"',
        condition_parser="pandas",
    ),
}


@pytest.mark.parametrize("case", VACUOUS)
def test_what_great_expectations_passes_without_looking_is_inconclusive(run, case):
    (problem,) = run(VACUOUS[case]).problems
    assert problem.status is Status.INCONCLUSIVE
    assert "no value to look at" in problem.reason


@pytest.mark.parametrize("rows", [0])
def test_an_empty_table_is_inconclusive(run, rows):
    verdict = run(expect("expect_column_to_exist", column="amount"), table=TABLE.slice(0, rows))
    assert verdict.status is Status.INCONCLUSIVE


def test_an_expectation_that_raises_is_inconclusive_and_names_the_exception(run):
    (problem,) = run(expect("expect_column_values_to_match_regex", column="city", regex="([")).problems
    assert problem.status is Status.INCONCLUSIVE
    assert "raised" in problem.reason


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
        "import pandas as pd\n"
        "from aims_pipelines.checks.suites import validate\n"
        "rule = {'type': 'expect_column_values_to_not_be_null', 'kwargs': {'column': 'a'}}\n"
        "print([one['success'] for one in validate(pd.DataFrame({'a': [1]}), {'expectations': [rule]}, 'suite')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["[True]"])
    assert "pyspark" not in done.stderr.lower()
