"""What is asked piece by piece, once per distinct value, or of the columns that an expectation names alone is answered
as Great Expectations answers it by its public API about the whole table as one pandas frame."""

import datetime as dt
import decimal
import itertools
import math
import os
import warnings

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aims_pipelines.checks.rows import batches_of
from aims_pipelines.checks.suite_frames import Rows
from aims_pipelines.checks.suite_reach import Reach, need_of

pytestmark = pytest.mark.usefixtures("great_expectations")

LENGTH = 96
BLURRED = 2**53  # from here on a float64 does not tell whole numbers apart
MONEY = decimal.Decimal
LEAP, LAST = dt.date(2020, 2, 29), dt.date(2024, 1, 31)
NOON = dt.datetime(2024, 1, 31, 12)  # noqa: DTZ001 - as most tables have it


def over(values, kind=None, *, missing_at_the=""):
    """Values again and again; with none in the first third, or in the last piece."""
    column = list(itertools.islice(itertools.cycle(values), LENGTH))
    if missing_at_the == "start":
        column[:32] = [None] * 32
    elif missing_at_the == "end":
        column[-3:] = [None] * 3
    return pa.array(column, kind)


TABLE = pa.table(
    {
        "whole": over([3, 1, 2, 5, 4, 4], pa.int64()),
        "gaps": over([3, 1, 2], pa.int64(), missing_at_the="end"),
        "late": over([1, 2, -3], pa.int8(), missing_at_the="start"),
        "huge": over([2**64 - 1, 0, 1, 2**63], pa.uint64()),
        "blurred": over([BLURRED + 1, BLURRED, BLURRED - 1], pa.int64(), missing_at_the="end"),
        "key": pa.array(range(LENGTH), pa.int64()),
        "twice": pa.array([*range(LENGTH // 2)] * 2, pa.int64()),
        "lost": pa.array([*range(LENGTH - 3), None, None, None], pa.int64()),
        "real": over([1.5, math.nan, None, -0.0, 0.0, 2.5, 1e300], pa.float64()),
        "endless": over([1.5, math.inf, None, -math.inf, 0.25], pa.float64()),
        "short": over([0.1, 0.2, 0.3, None], pa.float32()),
        "spread": pa.array(np.linspace(-3, 3, LENGTH)),
        "money": over([MONEY("1.10"), MONEY("2.20"), MONEY("-0.05")], pa.decimal128(10, 2)),
        "debt": over([MONEY("1.10"), MONEY("2.20")], pa.decimal128(10, 2), missing_at_the="end"),
        "flag": over([True, False, True]),
        "maybe": over([True, False], missing_at_the="end"),
        "city": over(["Ulm", "kiel", "Ulm", "ÅRHUS", "a\nb", "", " x "]),
        "town": over(["Ulm", "ulm", "123", None], missing_at_the="start"),
        "wide": over(["a", "bb", "ccc"], pa.large_string(), missing_at_the="end"),
        "view": over(["a", "bb", None], pa.string_view()),
        "name": pa.array([f"name {number:03d}" for number in range(LENGTH)]),
        "json": over(['{"a": 1}', '{"a": "x"}', "{bad", "[]", None]),
        "object": over(['{"a": 1}', '{"a": 2}']),
        "written": over(["2024-01-31", "2024-02-30", "31.01.2024", None]),
        "class": over(["x", "y", None, "x"]).dictionary_encode(),
        "grade": over([1, 2, 1]).dictionary_encode(),
        "day": over([LAST, LEAP], pa.date32(), missing_at_the="end"),
        "moment": over([NOON, NOON.replace(year=2020)], pa.timestamp("us"), missing_at_the="end"),
        "instant": over([NOON, NOON.replace(year=2020)], pa.timestamp("ns"), missing_at_the="end"),
        "zoned": over([NOON, NOON.replace(year=2020)], pa.timestamp("us", "UTC")),
        "clock": over([dt.time(1, 2), dt.time(3), None], pa.time64("us")),
        "lasts": over([1000, 2000, None], pa.duration("ms")),
        "bytes": over([b"a", b"bb", None], pa.binary()),
        "nothing": pa.nulls(LENGTH, pa.float64()),
        "silence": pa.nulls(LENGTH, pa.string()),
        "void": pa.nulls(LENGTH),
        "list": over([[1], [1, 2], None], pa.list_(pa.int64())),
        "pair": over([{"p": 1}, {"p": 2}, None], pa.struct([("p", pa.int64())])),
    }
)
NUMBERS = ("gaps", "late", "huge", "blurred", "real", "endless", "short", "nothing")
TEXTS = ("city", "town", "wide", "name", "class", "silence")
OTHERS = ("debt", "maybe", "grade", "day", "moment", "instant", "zoned", "void", "list")
FEW = ("gaps", "real", "town", "nothing")
SETS = ([1, 2, 3], ["Ulm", "kiel", "x"], [BLURRED, 1.5, None], [True, MONEY("1.10"), LAST])
PAIRS = (
    ("whole", "gaps"), ("gaps", "late"), ("blurred", "key"), ("real", "endless"), ("real", "short"),
    ("money", "debt"), ("money", "real"), ("flag", "maybe"), ("city", "town"), ("city", "whole"),
    ("class", "city"), ("class", "class"), ("day", "moment"), ("moment", "instant"), ("nothing", "silence"),
    ("void", "whole"), ("whole", "gone"),
)  # fmt: skip
LISTS = (
    ["whole", "gaps"], ["gaps", "late", "real"], ["city", "town"], ["class", "grade"], ["money", "debt"],
    ["flag", "maybe"], ["nothing", "silence"], ["blurred", "twice"], ["twice", "twice"], ["whole", "gone"],
)  # fmt: skip
PANDAS = {"condition_parser": "pandas"}
STATED = {"condition_parser": "great_expectations"}
CONDITIONS = (
    {"row_condition": "whole > 2", **PANDAS},
    {"row_condition": "whole > whole.mean() and city != 'Ulm'", **PANDAS},
    {"row_condition": "whole > 99", **PANDAS},
    {"row_condition": "gaps > ", **PANDAS},
    {"row_condition": 'col("whole") >= 4', **STATED},
    {"row_condition": 'col("town").notNull()', **STATED},
    {"row_condition": 'col("gone") > 1', **STATED},
)


def each(columns, *arguments):
    return [{"column": column, **one} for column in columns for one in (arguments or ({},))]


BOUNDS = ({"min_value": 1, "max_value": 2, "mostly": 0.3}, {"max_value": BLURRED, "strict_max": True})
BELONGING = [{"value_set": values} for values in SETS]
BETWEEN = ({"min_value": 0, "max_value": 10}, {"min_value": 1.5, "strict_min": True})
IGNORING = ("both_values_are_missing", "either_value_is_missing", "neither")
SKIPPING = ("all_values_are_missing", "any_value_is_missing", "never")
PATTERNS = ("^[a-zA-Z]+$", "^[0-9]+$", "([")
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
CASES = {
    "expect_column_values_to_be_between": [
        *each((*NUMBERS, *OTHERS, "city", "gone"), *BOUNDS),
        *each(("city", "day", "moment", "instant", "zoned"), {"min_value": "2021-01-01"}),
        *each(("whole",), *({"min_value": 2, **condition} for condition in CONDITIONS)),
    ],
    "expect_column_values_to_be_in_set": each(
        (*FEW, "blurred", "late", *OTHERS), *({"value_set": values, "mostly": 0.3} for values in SETS[1:3])
    ),
    "expect_column_values_to_not_be_in_set": each((*FEW, "blurred", "moment"), *BELONGING),
    "expect_column_distinct_values_to_be_in_set": each((*FEW, "day"), *BELONGING),
    "expect_column_distinct_values_to_contain_set": each((*FEW, "flag"), *BELONGING[:3]),
    "expect_column_distinct_values_to_equal_set": each((*FEW, "flag"), *BELONGING[:3]),
    "expect_column_most_common_value_to_be_in_set": each((*FEW, "whole"), {"value_set": [4, "Ulm", 1.5]}),
    "expect_column_values_to_match_regex": each(
        (*TEXTS, "gaps", "lost", "real", "maybe", "day"), *({"regex": text, "mostly": 0.4} for text in PATTERNS[1:])
    ),
    "expect_column_values_to_not_match_regex": each((*TEXTS, "gaps"), {"regex": PATTERNS[0]}),
    "expect_column_values_to_match_regex_list": each(
        ("town", "name", "gaps"),
        *({"regex_list": ["^U", "m$"], "match_on": on, "mostly": 0.2} for on in ("any", "all")),
    ),
    "expect_column_values_to_not_match_regex_list": each(("town", "name", "gaps"), {"regex_list": ["^U", "1"]}),
    "expect_column_value_lengths_to_be_between": each((*FEW, "city", "class", "list"), {"max_value": 3}),
    "expect_column_value_lengths_to_equal": each(FEW, {"value": 3, "mostly": 0.1}),
    "expect_column_values_to_be_null": each((*FEW, "void", "class"), {"mostly": 0.05}),
    "expect_column_values_to_not_be_null": [
        *each((*NUMBERS, *TEXTS, *OTHERS, "pair", "gone"), {"mostly": 0.7}),
        *each(("gaps",), *CONDITIONS),
    ],
    "expect_column_values_to_be_dateutil_parseable": each(("written", "city", "gaps"), {"mostly": 0.2}),
    "expect_column_values_to_match_strftime_format": each(
        ("written", "city", "day", "silence"), {"strftime_format": "%Y-%m-%d", "mostly": 0.2}
    ),
    "expect_column_values_to_be_json_parseable": each(("json", "object", "whole", "city"), {"mostly": 0.2}),
    "expect_column_values_to_match_json_schema": each(("json", "object", "city"), {"json_schema": SCHEMA}),
    "expect_column_values_to_be_unique": each((*FEW, "key", "twice", "name", "list"), {"mostly": 0.1}),
    "expect_column_values_to_be_increasing": each((*FEW, "key", "day", "moment"), {"strictly": True, "mostly": 0.3}),
    "expect_column_values_to_be_decreasing": each((*FEW, "key", "day", "moment"), {"mostly": 0.3}),
    "expect_column_value_z_scores_to_be_less_than": each(
        (*FEW, "spread"), {"threshold": 1, "double_sided": True, "mostly": 0.5}
    ),
    "expect_column_values_to_not_be_outliers": each((*FEW, "spread"), {"method": "iqr", "multiplier": 1.5}),
    "expect_column_values_to_be_of_type": each(
        (*FEW, "whole", "late", "money", "maybe", "day", "void"), {"type_": "float64"}, {"type_": "str"}
    ),
    "expect_column_type_to_be": each((*FEW, "whole", "late", "maybe"), {"type_": "float64"}, {"type_": "object"}),
    "expect_column_values_to_be_in_type_list": each((*FEW, "whole", "day"), {"type_list": ["float64", "str"]}),
    "expect_column_mean_to_be_between": [
        *each((*NUMBERS, "flag", "city", "moment"), BETWEEN[0]),
        *each(("gaps",), *({"min_value": 0, **condition} for condition in CONDITIONS)),
    ],
    "expect_column_median_to_be_between": each((*NUMBERS, "flag"), BETWEEN[0]),
    "expect_column_stdev_to_be_between": each((*NUMBERS, "city"), BETWEEN[0]),
    "expect_column_sum_to_be_between": [
        *each((*NUMBERS, "flag"), BETWEEN[1]),
        *each(("gaps",), *({"max_value": 1_000, **condition} for condition in CONDITIONS)),
    ],
    "expect_column_min_to_be_between": [
        *each((*NUMBERS, *OTHERS), BETWEEN[1]),
        *each(("written", "day", "moment"), {"min_value": "2020-01-01"}),
        *each(("gaps",), *({"min_value": 0, **condition} for condition in CONDITIONS)),
    ],
    "expect_column_max_to_be_between": each((*NUMBERS, "debt", "class", "list"), BETWEEN[0]),
    "expect_column_quantile_values_to_be_between": each(
        (*NUMBERS, "city"),
        {"quantile_ranges": {"quantiles": [0.1, 0.5, 0.9], "value_ranges": [[0, 2], [None, 5], [0, None]]}},
    ),
    "expect_column_unique_value_count_to_be_between": each(
        (*FEW, "class", "debt", "blurred", "zoned", "list"), {"min_value": 2, "max_value": 4}
    ),
    "expect_column_proportion_of_unique_values_to_be_between": each((*FEW, "list"), {"max_value": 0.04}),
    "expect_column_proportion_of_non_null_values_to_be_between": each(FEW, {"min_value": 0.8}, {"max_value": 0.5}),
    "expect_column_kl_divergence_to_be_less_than": [
        *each(
            ("town", "class"),
            {"partition_object": {"values": ["Ulm", "x"], "weights": [0.5, 0.5]}, "threshold": 0.5},
        ),
        *each(
            ("spread", "real"),
            {"partition_object": {"bins": [-10, 0, 1, 10], "weights": [0.3, 0.3, 0.4]}, "threshold": 0.5},
        ),
    ],
    "expect_column_values_to_match_like_pattern": each(("city",), {"like_pattern": "U%"}),
    "expect_column_values_to_not_match_like_pattern": each(("city",), {"like_pattern": "U%"}),
    "expect_column_values_to_match_like_pattern_list": each(("city",), {"like_pattern_list": ["U%"]}),
    "expect_column_values_to_not_match_like_pattern_list": each(("city",), {"like_pattern_list": ["U%"]}),
    "expect_column_to_exist": each(("whole", "gone"), {}, {"column_index": 0}),
    "expect_column_pair_values_a_to_be_greater_than_b": [
        {"column_A": one, "column_B": other, "ignore_row_if": way, "or_equal": way == "neither", "mostly": 0.3}
        for (one, other), way in zip(PAIRS, itertools.cycle(IGNORING))
    ],
    "expect_column_pair_values_to_be_equal": [
        {"column_A": one, "column_B": other, "ignore_row_if": way, "mostly": 0.3}
        for (one, other), way in zip(PAIRS, itertools.cycle(IGNORING[::-1]))
    ],
    "expect_column_pair_values_to_be_in_set": [
        {"column_A": one, "column_B": other, "value_pairs_set": [(3, 3), ("Ulm", "Ulm"), (None, 1)], "mostly": 0.1}
        for one, other in PAIRS
    ],
    **{
        kind: [
            {"column_list": columns, "ignore_row_if": way, "mostly": 0.1, **rest}
            for columns, way in zip(LISTS * 2, itertools.cycle(SKIPPING))
        ]
        for kind, rest in {
            "expect_compound_columns_to_be_unique": {},
            "expect_multicolumn_sum_to_equal": {"sum_total": 6},
            "expect_multicolumn_values_to_be_equal": {},
            "expect_select_column_values_to_be_unique_within_record": {},
        }.items()
    },
    "expect_table_row_count_to_equal": [
        {"value": LENGTH}, {"value": 1}, *({"value": 32, **condition} for condition in CONDITIONS),
    ],
    "expect_table_row_count_to_be_between": [{"min_value": 1}, {"max_value": 32, **CONDITIONS[0]}],
    "expect_table_column_count_to_equal": [{"value": TABLE.num_columns}, {"value": 1}],
    "expect_table_column_count_to_be_between": [{"max_value": 3}],
    "expect_table_columns_to_match_set": [
        {"column_set": TABLE.column_names}, {"column_set": ["whole"], "exact_match": False},
    ],
    "expect_table_columns_to_match_ordered_list": [
        {"column_list": TABLE.column_names}, {"column_list": TABLE.column_names[::-1]},
    ],
    "expect_table_row_count_to_equal_other_table": [{"other_table_name": "other"}],
    "unexpected_rows_expectation": [{"unexpected_rows_query": "select * from {batch} where whole > 1"}],
}  # fmt: skip


def build(kind, arguments):
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ExpectationConfiguration(type=kind, kwargs=arguments).to_domain_obj()


@pytest.fixture(scope="module")
def published():
    """Answers of Great Expectations by its public API about a table as one frame."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    from aims_pipelines.checks.suite_engine import quietly

    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    bars = ProgressBarsConfig(globally=False)
    plain = DataContextConfig(store_backend_defaults=stores, analytics_enabled=False, progress_bars=bars)
    context = gx.get_context(mode="ephemeral", project_config=plain)
    asset = context.data_sources.add_pandas("whole").add_dataframe_asset("whole")
    whole = asset.add_batch_definition_whole_dataframe("whole")

    def published(expectations, table):
        from aims_pipelines.checks import suite_engine

        batch = whole.get_batch({"dataframe": table.to_pandas()})
        with quietly():
            return [suite_engine._outcome(batch.validate(expectation)) for expectation in expectations]

    return published


@pytest.fixture(scope="module")
def compare(published):
    def compare(expectations, table, *, piece):
        from aims_pipelines.checks.suite_runs import run

        rows = Rows(schema=table.schema, count=table.num_rows, batches=batches_of(table), piece=piece)
        answers = zip(expectations, run(expectations, rows), published(expectations, table), strict=True)
        for expectation, ours, theirs in answers:
            assert told(ours) == told(theirs), expectation.configuration.kwargs

    return compare


def told(outcome):
    """What an outcome says, NaN equal to itself."""
    keys = ("element_count", "missing_count", "unexpected_count", "observed_value")
    return outcome.success, bool(outcome.raised), repr([outcome.result.get(key) for key in keys])


def test_decimals_are_summed_to_what_great_expectations_sums_them_to(compare):
    """On few rows: there each decimal takes milliseconds."""
    few = pa.table({"money": TABLE["money"][:4], "debt": TABLE["debt"][-4:]})
    for kind in ("mean", "sum", "stdev"):
        asked = each(few.column_names, {"min_value": 1.1, "max_value": 10})
        compare([build(f"expect_column_{kind}_to_be_between", one) for one in asked], few, piece=2)


@pytest.mark.parametrize("kind", CASES)
def test_the_answer_is_that_about_one_frame(kind, compare):
    compare([build(kind, arguments) for arguments in CASES[kind]], TABLE, piece=32)


def test_every_expectation_that_comes_along_is_compared():
    import great_expectations.expectations as gxe
    from great_expectations.expectations.expectation import Expectation

    kinds = [kind for kind in vars(gxe).values() if isinstance(kind, type) and issubclass(kind, Expectation)]
    concrete = [kind for kind in kinds if ".core." in kind.__module__ and not kind.is_abstract()]
    assert len(concrete) > 45
    needs_a_database = {"expect_query_results_to_match_comparison"}
    assert {kind.expectation_type for kind in concrete} - set(CASES) - needs_a_database - {""} == set()


@pytest.mark.parametrize(
    ("kind", "arguments", "reach"),
    [
        ("expect_column_values_to_be_between", {"column": "whole", "min_value": 1}, Reach.VALUES),
        (
            "expect_column_values_to_be_between",
            {"column": "whole", "min_value": 1, **CONDITIONS[4]},
            Reach.ROWS,
        ),
        (
            "expect_column_values_to_be_between",
            {"column": "whole", "min_value": 1, **CONDITIONS[0]},
            Reach.COLUMNS,
        ),
        ("expect_column_mean_to_be_between", {"column": "whole", "min_value": 1}, Reach.COLUMNS),
        ("unexpected_rows_expectation", {"unexpected_rows_query": "select 1 from {batch}"}, Reach.TABLE),
    ],
)
def test_what_an_expectation_is_given(kind, arguments, reach):
    assert need_of(build(kind, arguments), TABLE.column_names).reach is reach


@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    not os.environ.get("AIMS_EVERY_CASE"), reason="some minutes; set AIMS_EVERY_CASE to run it"
)
def test_every_column_is_answered_as_one_frame(compare):
    some = {name: TABLE[name] for name in TABLE.column_names if name not in ("money", "debt")}
    for kind in [kind for kind, cases in CASES.items() if "column" in cases[0]]:
        arguments = {repr(one): one for one in ({**case, "column": ""} for case in CASES[kind])}
        asked = [{**one, "column": name} for one in arguments.values() for name in some]
        compare([build(kind, one) for one in asked], pa.table(some), piece=7)


NUMBER = st.sampled_from([None, 0, 1, 2, -1, BLURRED + 1])
COLUMNS = {
    "integers": (NUMBER, pa.int64()),
    "reals": (st.sampled_from([None, math.nan, math.inf, -0.0, 0.5, 1.0, 2.0]), pa.float64()),
    "texts": (st.sampled_from([None, "", "a", "A", "1", "ab\n", "é"]), pa.string()),
    "flags": (st.sampled_from([None, True, False]), pa.bool_()),
    "days": (st.sampled_from([None, LEAP, LAST]), pa.date32()),
}
ASKED = {
    "expect_column_values_to_be_between": {"min_value": 0, "max_value": 1, "mostly": 0.5},
    "expect_column_values_to_be_in_set": {"value_set": [0, 1, "a", True, 0.5], "mostly": 0.5},
    "expect_column_values_to_match_regex": {"regex": "^[a1]", "mostly": 0.5},
    "expect_column_value_lengths_to_be_between": {"min_value": 1, "max_value": 2, "mostly": 0.5},
    "expect_column_values_to_not_be_null": {"mostly": 0.5},
    "expect_column_values_to_be_null": {"mostly": 0.5},
    "expect_column_distinct_values_to_be_in_set": {"value_set": [0, 1, "a", "A", True]},
    "expect_column_unique_value_count_to_be_between": {"min_value": 1, "max_value": 3},
    "expect_column_max_to_be_between": {"max_value": 2},
}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(sorted(COLUMNS)), copies=st.sampled_from([1, 6]))
def test_any_column_in_any_pieces_is_answered_as_one_frame(data, name, copies, compare):
    values, kind = COLUMNS[name]
    column = data.draw(st.lists(values, min_size=1, max_size=8)) * copies
    kinds = data.draw(st.lists(st.sampled_from(sorted(ASKED)), min_size=1, max_size=3, unique=True))
    expectations = [build(one, {"column": name, **ASKED[one]}) for one in kinds]
    compare(expectations, pa.table({name: pa.array(column, kind)}), piece=data.draw(st.integers(1, 9)))
