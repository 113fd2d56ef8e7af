import numpy as np
import pyarrow as pa
import pytest

from aims_pipelines.checks.identifiers import luhn
from aims_pipelines.core.verdict import Status

RNG = np.random.default_rng(11)
CITY = ["Ulm", "Kiel"]


def card(number):
    stem = f"4{number:014d}"
    return next(stem + str(digit) for digit in range(10) if luhn(stem + str(digit)))


CARDS = [card(int(number)) for number in RNG.integers(10**9, 10**13, 500)]
TELLING = {
    "e-mails": [f"p{number}@example.org" for number in range(500)],
    "e-mails in text": ["called, no answer"] * 490
    + [f"write to p{number}@example.org" for number in range(10)],
    "cards": CARDS,
    "cards as numbers": [int(number) for number in CARDS],
    "phones": [f"+49 711 {number}" for number in range(100_000, 100_500)],
    "IBANs": ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819"] * 250,
    "social security": [f"078-05-{number}" for number in range(1_000, 1_500)],
    "addresses": [f"203.0.113.{number % 256}" for number in range(500)],
    "tax ids": [52998224725] * 500,
}


@pytest.mark.parametrize("case", TELLING)
def test_a_column_of_identifying_values_fails_unless_it_is_declared(build, answer, case):
    table = pa.table({"contact": TELLING[case], "city": CITY * 250})
    verdict = answer("personal_data", build(table))
    assert [(item.target, item.status) for item in verdict.problems] == [("contact", Status.FAIL)]
    declared = build(table, record={"columns": {"contact": {"personal": True}}})
    assert answer("personal_data", declared).status is Status.PASS
    subject = build(table, record={"subject": "contact"})
    assert answer("personal_data", subject).status is Status.PASS


HARMLESS = {
    "order numbers": [f"{number:016d}" for number in RNG.integers(4 * 10**15, 5 * 10**15, 5_000)],
    "order numbers as numbers": RNG.integers(4 * 10**15, 5 * 10**15, 5_000).tolist(),
    "microseconds since 1970": RNG.integers(17 * 10**14, 18 * 10**14, 5_000).tolist(),
    "large floats": (RNG.uniform(0, 1, 5_000) * 1e18).tolist(),
    "eleven digits": [f"{number:011d}" for number in RNG.integers(10**10, 10**11, 5_000)],
    "versions": [f"{a}.{b}.{c}.{d}" for a, b, c, d in RNG.integers(0, 12, (5_000, 4))],
    "days": [f"2026-{month:02d}-{day:02d}" for month, day in RNG.integers(1, 13, (5_000, 2))],
    "clock times": [f"{hour:02d}:{minute:02d}:00" for hour, minute in RNG.integers(0, 24, (5_000, 2))],
    "amounts": [f"{amount:.2f}" for amount in RNG.uniform(0, 1e6, 5_000)],
    "hashes": [RNG.bytes(16).hex() for _ in range(5_000)],
    "phone as yes or no": ["yes", "no"] * 2_500,
    "one stray e-mail": ["nothing to say"] * 4_999 + ["ask sales@example.org"],
    "article numbers": [f"{a:04d}-{b:05d}" for a, b in RNG.integers(0, 9_999, (5_000, 2))],
}


@pytest.mark.parametrize("case", HARMLESS)
def test_harmless_columns_pass(build, answer, case):
    name = "phone" if case.startswith("phone") else "column"
    verdict = answer("personal_data", build(pa.table({name: HARMLESS[case]})))
    assert [item.reason for item in verdict.problems] == []
    assert verdict.status is Status.PASS


@pytest.mark.parametrize(
    "name",
    ["email", "E-Mail", "customerPhone", "last_name", "FirstName", "date_of_birth", "home address", "iban_2"],
)
def test_a_telling_name_over_distinct_values_is_inconclusive(build, answer, finding, name):
    table = pa.table({name: [f"x{number}y" for number in range(500)]})
    found = finding(answer("personal_data", build(table)), name)
    assert found.status is Status.INCONCLUSIVE
    assert "personal: true" in found.remedy


@pytest.mark.parametrize(
    "name", ["name", "emailed", "streetcar_line", "mobility", "addressee_count", "duration"]
)
def test_a_name_that_only_resembles_a_telling_one_says_nothing(build, answer, name):
    table = pa.table({name: [f"x{number}y" for number in range(500)]})
    assert answer("personal_data", build(table)).status is Status.PASS


def test_values_are_found_among_more_texts_than_the_profile_names(build, answer, finding):
    texts = [f"note {number}" for number in range(40_000)] + [
        f"p{number}@example.org" for number in range(4_000)
    ]
    found = finding(answer("personal_data", build(pa.table({"note": texts}))), "note")
    assert found.status is Status.FAIL
    assert found.observed == pytest.approx(1 / 11, rel=0.1)
    assert found.n is not None
    assert found.n <= 20_000


def test_undeclared_columns_are_examined_too(build, answer):
    table = pa.table({"city": CITY * 250, "extra": TELLING["e-mails"]})
    candidate = build(table, model=table.select(["city"]), record={"extra_columns": "allow"})
    assert [item.target for item in answer("personal_data", candidate).problems] == ["extra"]


@pytest.mark.parametrize("case", TELLING)
def test_no_value_is_ever_quoted(build, answer, case):
    verdict = answer("personal_data", build(pa.table({"contact": TELLING[case]})))
    assert not any(str(value) in repr(verdict) for value in TELLING[case])


def test_a_table_without_values_is_inconclusive(build, answer):
    assert (
        answer("personal_data", build(pa.table({"a": pa.nulls(5, pa.string())}))).status
        is Status.INCONCLUSIVE
    )


def test_one_row_with_an_address_fails(build, answer):
    assert answer("personal_data", build(pa.table({"a": ["jane@example.org"]}))).status is Status.FAIL


@pytest.mark.parametrize("table", ["adult", "credit", "bike"])
def test_real_tables_raise_no_false_alarm(build, answer, request, table):
    assert answer("personal_data", build(request.getfixturevalue(table))).status is Status.PASS


@pytest.mark.parametrize("rows", [1_000, 5_000])
def test_a_telling_name_over_distinct_numbers_is_inconclusive_however_many_they_are(
    build, answer, finding, rows
):
    numbers = pa.array([4_000_000_000 + 7 * number for number in range(rows)])
    found = finding(answer("personal_data", build(pa.table({"phone": numbers}))), "phone")
    assert found.status is Status.INCONCLUSIVE
    assert "its name says personal data" in found.reason
    repeated = pa.array([4_000_000_000 + number % 1_100 for number in range(10 * rows)])
    assert answer("personal_data", build(pa.table({"phone": repeated}))).status is Status.PASS
