"""Control charts in a record: what cannot be charted is said before anything is judged."""

from datetime import date

import pytest

from aims_pipelines.core.errors import RecordsInvalid
from aims_pipelines.records.load import load_records

TODAY = date(2026, 6, 1)


def charts(valid, text):
    return {**valid, "people": valid["people"] + f"control_charts: {text}\n"}


def test_charts_are_read_with_their_defaults(write, valid):
    text = '{statistics: [rows, "mean(age)", "rate(income=high | sex=Male)", "gap(income=high | age)"]}'
    found = load_records(write(charts(valid, text)), today=TODAY).dataset("people").control_charts
    assert (found.chart, found.run_length, found.reference, found.since) == ("ewma", 370.0, 10, None)
    assert load_records(write(valid), today=TODAY).dataset("people-holdout").control_charts is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{statistics: []}", "statistics"),
        ("{statistics: [rows], chart: pie}", "chart"),
        ("{statistics: [rows], run_length: 5}", "run_length"),
        ("{statistics: [rows], reference: 4}", "reference"),
        ('{statistics: ["maen(age)"]}', "Did you mean mean(COLUMN)?"),
        ('{statistics: ["mean(agee)"]}', "expected a declared column, found 'agee'"),
        ('{statistics: ["mean(sex)"]}', "expected a column of numbers, found type string"),
        (
            '{statistics: ["mean(age | income=high)"]}',
            "expected a grouping of 'protected' or 'intersections'",
        ),
        ("{statistics: [rows, rows]}", "expected each statistic once"),
    ],
)
def test_what_cannot_be_charted_is_a_fault_with_its_place(text, said, write, valid):
    with pytest.raises(RecordsInvalid) as error:
        load_records(write(charts(valid, text)), today=TODAY)
    assert "people.yaml:" in str(error.value)
    assert "control_charts" in str(error.value)
    assert said in str(error.value)
