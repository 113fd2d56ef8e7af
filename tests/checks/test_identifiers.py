"""Each kind of identifying text against published examples, and against one wrong digit."""

import pytest

from aims_pipelines.checks.identifiers import KINDS, luhn

# Examples that issuers and standards publish; none belongs to a person.
GENUINE = {
    "e-mail address": ["jane.doe@example.org", "see a+b@mail.example.co.uk for more"],
    "IBAN": [
        "DE89370400440532013000",
        "GB29 NWBK 6016 1331 9268 19",
        "FR1420041010050500013M02606",
        "NO9386011117947",
    ],
    "payment card number": [
        "4111111111111111",
        "5500-0000-0000-0004",
        "3400 000000 00009",
        "6011000000000004",
    ],
    "phone number": ["+49 711 123456", "(555) 867-5309", "555-867-5309", "+14155550123", "0711 1234567"],
    "IP address": ["192.168.0.1", "2001:db8::ff00:42:8329", "203.0.113.9"],
    "US social security number": ["078-05-1120"],
    "UK national insurance number": ["AB 12 34 56 C", "AB123456C"],
    "Spanish DNI or NIE": ["12345678Z", "X1234567L"],
    "Italian codice fiscale": ["RSSMRA85T10A562S"],
    "Brazilian CPF": ["111.444.777-35", "52998224725"],
    "Polish PESEL": ["44051401359"],
    "German tax id": ["86095742719", "47036892816"],
    "French NIR": ["255081416802538", "2 55 08 14 168 025 38"],
}
FALSE = {
    "e-mail address": ["jane.doe at example.org", "@handle", "a@b"],
    "IBAN": ["DE89370400440532013001", "GB28 NWBK 6016 1331 9268 19", "XX00ABCDEFGH"],
    "payment card number": ["4111111111111112", "1234567890123452", "0000000000000000", "41111111111111"],
    "phone number": ["2026-03-01", "12345678", "3.14", "+1", "10-20-30"],
    "IP address": ["1.2.3.4", "10.0.1.2", "999.1.1.1", "12:30:45", "0.0.0.99", "abc"],
    "US social security number": ["000-12-3456", "666-12-3456", "912-12-3456", "078-00-1120"],
    "UK national insurance number": ["DB123456C", "AB123456E"],
    "Spanish DNI or NIE": ["12345678A"],
    "Italian codice fiscale": ["RSSMRA85T10A562T"],
    "Brazilian CPF": ["111.444.777-36", "11111111111"],
    "Polish PESEL": ["44051401358", "44991401359"],
    "German tax id": ["86095742718", "12345678901"],
    "French NIR": ["255081416802539"],
}
BY_NAME = {kind.name: kind for kind in KINDS}


def genuine(name, text):
    part = BY_NAME[name].shaped(text)
    return part is not None and BY_NAME[name].valid(part)


def test_every_kind_has_examples():
    assert set(GENUINE) == set(FALSE) == set(BY_NAME)


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in GENUINE.items() for text in texts]
)
def test_genuine_examples_are_recognised(name, text):
    assert genuine(name, text)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in FALSE.items() for text in texts])
def test_look_alikes_are_not(name, text):
    assert not genuine(name, text)


def test_the_check_digit_catches_every_single_wrong_digit():
    number = "4111111111111111"
    wrong = [
        number[:place] + digit + number[place + 1 :]
        for place in range(len(number))
        for digit in "0123456789"
        if digit != number[place]
    ]
    assert luhn(number)
    assert not any(luhn(text) for text in wrong)
