"""Expressions: what is read, and what people are told of what is not."""

import pytest

from aims_pipelines.core.errors import BadInput
from aims_pipelines.stats.expressions import FORMS, Measure, parse_statistic


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("rows", (Measure.ROWS, "", "", 0.5, "", "")),
        ("mean(amount)", (Measure.MEAN, "amount", "", 0.5, "", "")),
        (" mean( loan amount ) ", (Measure.MEAN, "loan amount", "", 0.5, "", "")),
        ("quantile(amount, 0.9)", (Measure.QUANTILE, "amount", "", 0.9, "", "")),
        ("share(region=north)", (Measure.SHARE, "region", "north", 0.5, "", "")),
        (
            "rate(outcome = default | sex = female)",
            (Measure.RATE, "outcome", "default", 0.5, "sex", "female"),
        ),
        ("gap(outcome=default | sex & age)", (Measure.GAP, "outcome", "default", 0.5, "sex & age", "")),
        ("gap(outcome=default|sex&age)", (Measure.GAP, "outcome", "default", 0.5, "sex & age", "")),
        ("mean(amount | sex=female)", (Measure.MEAN, "amount", "", 0.5, "sex", "female")),
        ("share(\"a (b)\"='c, d')", (Measure.SHARE, "a (b)", "c, d", 0.5, "", "")),
        ("share(age=<30)", (Measure.SHARE, "age", "<30", 0.5, "", "")),
    ],
)
def test_expressions_are_read(text, parts):
    found = parse_statistic(text)
    assert parts == (found.measure, found.column, found.value, found.part, found.grouping, found.level)


@pytest.mark.parametrize("text", ["", "maen(amount)", "amount", "(((", "'", "mean amount"])
def test_what_is_no_statistic_is_told_what_there_is(text):
    with pytest.raises(BadInput) as error:
        parse_statistic(text, where="--of")
    assert all(form in str(error.value) for form, _ in FORMS.values())


@pytest.mark.parametrize(
    "text",
    [
        "mean",
        "mean()",
        "mean(a",
        "mean(a))",
        "mean(a, b)",
        "rows(a)",
        "quantile(a)",
        "quantile(a, 1)",
        "quantile(a, nan)",
        "quantile(a, x)",
        "share(a)",
        "share(a=)",
        "gap(a=b)",
        "gap(a=b | c=d)",
        "mean(a | b)",
        "mean('')",
    ],
)
def test_a_statistic_that_is_written_wrongly_is_told_its_form(text):
    with pytest.raises(BadInput) as error:
        parse_statistic(text, where="--of")
    form = FORMS[Measure(text.split("(")[0])][0]
    assert str(error.value).startswith("--of: expected ")
    assert form in str(error.value)


def test_a_name_that_is_nearly_right_is_guessed():
    with pytest.raises(BadInput, match=r"Did you mean mean\(COLUMN\)\?"):
        parse_statistic("maen(amount)")
