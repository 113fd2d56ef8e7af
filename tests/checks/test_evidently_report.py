import re

import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines.checks.evidently_report import MOST_VALUES, drift_report
from aims_pipelines.measure import profile_table

TABLE = pa.table(
    {
        "amount": pa.array([float(number % 97) for number in range(3_000)]).cast(pa.decimal128(10, 2)),
        "age": pa.array([20 + number % 50 for number in range(3_000)], pa.int8()),
        "city": pa.array(["Ulm", "Kiel", None] * 1_000).dictionary_encode(),
        "vip": [True, False] * 1_500,
        "email": [f"secret{number % 9}@example.org" for number in range(3_000)],
        "person": [f"hidden{number % 9}" for number in range(3_000)],
        "key": [f"key{number}" for number in range(3_000)],
        "note": [f"freetext{number}" for number in range(3_000)],
        "empty": pa.nulls(3_000, pa.float64()),
        "wild": [float("inf"), float("nan"), 1.0, 2.0] * 750,
        "same": pa.array([7.5] * 3_000),
        "day": pa.array(list(range(3_000)), pa.date32()),
    }
)
RECORD = {
    "subject": "person",
    "columns": {"email": {"personal": True}, "key": {"unique": True}, "empty": {"max_missing": 1}},
}


@pytest.fixture(scope="module")
def draw(build):
    """Draw the page for two tables, as it lies in the evidence."""

    def draw(before, after, *, fewest=100, **record):
        page = drift_report(
            profile_table(before), profile_table(after), build(before, record=record).record, fewest=fewest
        )
        return None if page is None else page.decode()

    return draw


@pytest.fixture(scope="module")
def page(draw):
    return draw(TABLE, TABLE.slice(1_000), **RECORD)


def test_the_page_shows_numbers_and_categories(page):
    assert page.lstrip().startswith("<!DOCTYPE html>")
    for shown in ("amount", "age", "city", "vip", "wild", "Ulm"):
        assert shown in page


def test_the_page_says_what_it_is_made_of(page):
    assert "3,000 rows" in page
    assert "2,000 rows" in page
    assert "judges nothing" in page


@pytest.mark.parametrize("hidden", ["secret1", "hidden1", "key1", "freetext1", "example.org"])
def test_personal_data_keys_and_free_text_stay_out(page, hidden):
    assert hidden not in page


def test_text_that_is_mostly_one_value_is_free_text_all_the_same(draw):
    notes = ["nothing to report"] * 2_900 + [f"confided {number}" for number in range(100)]
    table = pa.table({"amount": TABLE["amount"], "note": notes})
    assert "confided" not in draw(table, table)


def test_rare_categories_are_not_named(draw):
    table = pa.table({"illness": ["none"] * 2_000 + ["cold"] * 990 + ["very rare disease"] * 10})
    page = draw(table, table)
    assert "cold" in page
    assert "very rare disease" not in page
    assert "categories of fewer than 100 rows" in page


def test_a_category_that_is_common_on_one_side_is_named(draw):
    before = pa.table({"illness": ["none"] * 2_000 + ["cold"] * 1_000})
    assert "cold" in draw(before, before.slice(0, 2_003))


def test_values_of_single_rows_do_not_show_in_the_extremes(draw, check_module):
    pay = np.random.default_rng(1).normal(50_000, 9_000, 400).round(2)
    pay[:3] = [987_654.32, 876_543.21, 13.3719]
    table = pa.table({"pay": pay})
    page = draw(table, pa.table({"pay": pay + 500}))
    assert not [value for value in (*pay[:3], *(pay[:3] + 500)) if str(value) in page]
    drawn = check_module("evidently_report")._numbers(
        profile_table(table).columns["pay"], MOST_VALUES, seed=0
    )
    assert sorted(set(drawn))[0] == np.sort(pay)[10]
    assert sorted(set(drawn))[-1] == np.sort(pay)[-11]


def test_names_in_the_data_cannot_end_the_script_that_they_are_written_into(draw):
    script = "</script><script>alert(1)</script>"
    table = pa.table({f"{script}c": [script, ">50K"] * 500, f"{script}n": [1.0, 2.0] * 500})
    page = draw(table, table)
    assert "alert(1)" in page
    assert "\\u203a50K" in page
    assert not re.search(r"[<>][^<>]{0,20}alert\(1\)", page)


def test_the_page_loads_nothing_from_elsewhere(page):
    for way in ('src="http', "src='http", '<link href="http', "@import url(http", '<script src="//'):
        assert way not in page


def test_what_is_laid_out_has_the_distribution_of_the_rows(check_module):
    from scipy import stats

    rng = np.random.default_rng(2)
    rows = rng.lognormal(3, 1.5, 200_000)
    rows[::5] = np.nan
    column = profile_table(pa.table({"a": rows})).columns["a"]
    drawn = check_module("evidently_report")._numbers(column, MOST_VALUES, seed=0)
    assert len(drawn) == MOST_VALUES
    assert drawn.isna().mean() == pytest.approx(0.2, abs=1e-3)
    assert stats.ks_2samp(drawn.dropna(), rows[~np.isnan(rows)]).statistic < 0.004


def test_a_profile_of_any_number_of_rows_is_drawn(build):
    """The profile of ten million rows is as large as that of three thousand; here it is made from its parts."""
    from aims_pipelines.stats.merge import merge

    part = profile_table(TABLE, rows=False)
    big = part
    for _ in range(12):
        big = merge(big, big)
    assert big.rows > 10_000_000
    page = drift_report(part, big, build(TABLE, record=RECORD).record, fewest=100)
    assert page is not None
    assert f"{big.rows:,} rows" in page.decode()
    assert "amount" in page.decode()


@pytest.mark.parametrize("rows", [1, 2, 25])
def test_small_tables_are_drawn_too(draw, rows):
    page = draw(TABLE, TABLE.slice(0, rows), **RECORD)
    assert f"{rows} row" in page
    assert "amount" in page


def test_there_is_no_page_where_there_is_nothing_to_show(draw):
    assert draw(TABLE, TABLE.slice(0, 0), **RECORD) is None
    assert draw(TABLE, TABLE.select(["email", "person"]), **RECORD) is None
