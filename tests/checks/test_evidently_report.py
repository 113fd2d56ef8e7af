import time

import pyarrow as pa
import pytest

from aims_pipelines.checks.evidently_report import drift_report
from aims_pipelines.core.errors import BadInput

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
        "day": pa.array(list(range(3_000)), pa.date32()),
    }
)
RECORD = {
    "subject": "person",
    "columns": {"email": {"personal": True}, "key": {"unique": True}, "empty": {"max_missing": 1}},
}


@pytest.fixture(scope="module")
def page(build):
    return drift_report(TABLE, TABLE.slice(1_000), build(TABLE, record=RECORD).record).decode()


def test_the_page_shows_numbers_and_categories(page):
    assert page.lstrip().startswith("<!DOCTYPE html>")
    for shown in ("amount", "age", "city", "vip", "Ulm"):
        assert shown in page


@pytest.mark.parametrize("hidden", ["secret1", "hidden1", "key1", "freetext1", "example.org"])
def test_personal_data_keys_and_free_text_stay_out(page, hidden):
    assert hidden not in page


def test_the_page_loads_nothing_from_elsewhere(page):
    for way in ('src="http', "src='http", '<link href="http', "@import url(http", '<script src="//'):
        assert way not in page


def test_it_takes_seconds_at_any_size(build, adult, record_property):
    big = pa.concat_tables([adult] * 20)
    record = build(adult).record
    start = time.perf_counter()
    drift_report(adult, big, record)
    took = time.perf_counter() - start
    record_property("seconds", took)
    assert took < 60


def test_tables_with_nothing_to_show_are_refused(build):
    record = build(TABLE, record=RECORD).record
    with pytest.raises(BadInput, match="drift report"):
        drift_report(TABLE, TABLE.slice(0, 0), record)
    with pytest.raises(BadInput, match="0 such columns"):
        drift_report(TABLE.select(["email", "person"]), TABLE, record)
